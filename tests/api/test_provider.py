"""Access tokens are judged by what a provider on this machine says of its keys."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

import pytest
from answering import answering
from asgi import answer, answers
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.applications import Starlette

from covidct.api.guesses import MOST
from covidct.api.provider import Provider
from covidct.api.routes import PREFIX, Server, routes

AUDIENCE = "covidct-api"
METADATA, KEYS = "/.well-known/openid-configuration", "/keys"


@dataclass
class OnThisMachine:
    """A provider: its address, its key, what it answers, what it was asked."""

    url: str
    key: RSAKey
    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def token(self, key=None, algorithm="RS256", **claims):
        """What it gives to who may come; other claims in place of its own, None for none."""
        key = key or self.key
        own = {"iss": self.url, "aud": AUDIENCE, "sub": "script", "exp": int(time.time()) + 60}
        told = {name: value for name, value in (own | claims).items() if value is not None}
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, told, key, [algorithm])

    def lets_in(self, token, audience=AUDIENCE):
        """Whether a server that has not asked it before lets somebody in."""
        return Provider(f"{self.url}{METADATA}", audience).lets_in(token)


@pytest.fixture(scope="module")
def keys():
    """One that is published, and one that is not."""
    return [RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False) for _ in range(2)]


@pytest.fixture
def made(keys):
    def answer_to(request):
        made.asked.append(request.path)
        status, told = made.answers[request.path]
        request.send_response(status)
        if isinstance(told, str):
            request.send_header("Location", told)
        request.end_headers()
        request.wfile.write(json.dumps(told).encode())

    with answering(answer_to) as url:
        made = OnThisMachine(url.removesuffix("/dicom-web"), keys[0])
        made.answers = {
            METADATA: (200, {"issuer": made.url, "jwks_uri": f"{made.url}{KEYS}"}),
            KEYS: (200, KeySet(keys[:1]).as_dict()),
        }
        yield made


def test_a_token_of_the_provider_for_this_audience_lets_in(made):
    assert made.lets_in(made.token())
    assert made.lets_in(made.token(aud=["other", AUDIENCE]))
    assert made.lets_in(made.token(algorithm="PS256"))


def test_no_other_token_does(made, keys):
    now = int(time.time())
    for token in (
        made.token(aud="other"),
        made.token(aud=None),
        made.token(aud=[]),
        made.token(iss="https://evil.example"),
        made.token(iss=None),
        made.token(exp=now - 10),
        made.token(exp=None),
        made.token(nbf=now + 60),
        made.token(key=keys[1]),
        with_public_key(made.token(), keys[0]),
        made.token(key=ECKey.generate_key("P-256"), algorithm="ES256"),
        unsigned(made.token()),
        made.token()[:-4],
        f"{made.token()}.x",
        f"{b64(b'[' * 9000)}.{b64(b'{}')}.x",
        f"{b64(b'7')}.{b64(b'7')}.x",
        "..",
        "",
    ):
        assert not made.lets_in(token)
    assert not made.lets_in(made.token(), audience="another")


def b64(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def with_public_key(token, key):
    """The claims of a token, signed by what everybody knows, as if it were a common secret."""
    signed = ".".join((b64(b'{"alg": "HS256", "kid": "one"}'), token.split(".")[1]))
    signature = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{b64(signature)}"


def unsigned(token):
    """The claims of a token under a header that says that none has signed them."""
    return ".".join((b64(b'{"alg": "none"}'), token.split(".")[1], ""))


@pytest.mark.parametrize(
    ("path", "answer"),
    (
        (METADATA, (500, {})),
        (METADATA, (200, {})),
        (METADATA, (200, ["issuer"])),
        (METADATA, (302, KEYS)),
        (KEYS, (200, {"keys": []})),
        (KEYS, (200, {"keys": [{"kty": "RSA"}]})),
        (KEYS, (200, {})),
    ),
)
def test_while_a_providers_keys_are_not_known_nobody_is_let_in(made, path, answer):
    made.answers[path] = answer
    assert not made.lets_in(made.token())


def test_a_provider_is_not_asked_again_for_each_token(made):
    provider = Provider(f"{made.url}{METADATA}", AUDIENCE)
    assert provider.lets_in(made.token())
    assert not provider.lets_in(made.token(aud="other"))
    assert not provider.lets_in("no token of that kind")
    assert made.asked == [METADATA, KEYS]
    gone = Provider("http://localhost:9/", AUDIENCE)
    assert not gone.lets_in(made.token())


def test_the_interface_is_open_to_who_bears_such_a_token_or_its_own(made):
    own = "t" * 30
    section = {"audience": AUDIENCE, "token": own}
    secrets = {"api": section, "auth": {"server_metadata_url": f"{made.url}{METADATA}"}}
    app = Starlette(routes=routes(Server(lambda: secrets, list, lambda: 0, lambda: None)))
    for token, status in ((made.token(), 400), (own, 400), (made.token(aud="x"), 401), ("", 401)):
        sent = {"authorization": f"Bearer {token}", "content-length": "0"}
        assert answer(app, f"{PREFIX}/slices", "POST", **sent)[0] == status  # 400: no file
    assert answer(app, "/metrics", authorization=f"Bearer {made.token()}")[0] == 404


def test_a_burst_of_wrong_tokens_has_no_more_tries_than_come_one_by_one(made):
    section = {"audience": AUDIENCE}
    secrets = {"api": section, "auth": {"server_metadata_url": f"{made.url}{METADATA}"}}
    app = Starlette(routes=routes(Server(lambda: secrets, list, lambda: 0, lambda: None)))
    wrong = f"Bearer {made.token(aud='x')}"
    given = answers(app, 3 * MOST, f"{PREFIX}/slices", "POST", authorization=wrong)
    assert sorted(status for status, _ in given) == [401] * MOST + [429] * 2 * MOST
