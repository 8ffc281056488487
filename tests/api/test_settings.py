import json

import asgi
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers

from covidct.api.routes import DOCUMENT, PREFIX, Server, routes
from covidct.api.settings import SHORTEST, Admission, admission, borne, is_same, metrics_token
from covidct.errors import ConfigError, ModelError

TOKEN, OTHER = "t" * SHORTEST, "o" * SHORTEST
NONE = ({}, {"api": {}}, {"api": {"token": "", "metrics_token": ""}}, None)
BAD = ("t" * (SHORTEST - 1), f" {TOKEN}", 1234567890123456789012, [TOKEN])


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("COVIDCT_API_TOKEN", raising=False)
    monkeypatch.delenv("COVIDCT_METRICS_TOKEN", raising=False)


def no_model():
    raise ModelError("The model in /srv/secret is gone.")


def answer(secrets, path, method="GET", **headers):
    """Status and content of an answer by a server with these secrets, which has no model."""
    app = Starlette(routes=routes(Server(lambda: secrets, no_model, lambda: 0, lambda: None)))
    return asgi.answer(app, path, method, **headers)


@pytest.mark.parametrize("secrets", (*NONE, *({"api": {"token": bad}} for bad in BAD)))
def test_without_a_token_that_can_be_used_it_is_closed(secrets):
    for bearing in ({}, {"authorization": "Bearer "}, {"authorization": f"Bearer {BAD[0]}"}):
        for path in ("/slices", "/series"):
            status, said = answer(secrets, f"{PREFIX}{path}", "POST", **bearing)
            assert (status, json.loads(said).keys()) == (404, {"error"})
        for path in (f"{PREFIX}/openapi.json", "/metrics"):
            assert answer(secrets, path, **bearing)[0] == 404


def test_each_token_opens_what_it_is_for_alone():
    secrets = {"api": {"token": TOKEN, "metrics_token": OTHER}}
    assert (admission(secrets).token, metrics_token(secrets)) == (TOKEN, OTHER)
    assert answer(secrets, "/metrics", authorization=f"Bearer {OTHER}")[0] == 200
    assert answer(secrets, "/metrics", authorization=f"Bearer {TOKEN}")[0] == 401
    only_one = {"api": {"token": TOKEN}}
    assert answer(only_one, "/metrics", authorization=f"Bearer {TOKEN}")[0] == 404


def test_the_environment_goes_before_the_secrets(monkeypatch):
    monkeypatch.setenv("COVIDCT_API_TOKEN", OTHER)
    assert admission({"api": {"token": TOKEN}}) == admission({}) == Admission(OTHER)
    assert not admission(None)  # they cannot be read, so who may come is not known


@pytest.mark.parametrize("token", BAD)
def test_a_token_that_is_easily_guessed_is_none(token):
    with pytest.raises(ConfigError, match="stays closed"):
        admission({"api": {"token": token}})


@pytest.mark.parametrize(
    "secrets",
    (
        {"api": TOKEN},
        {"api": {"audience": "covidct"}},
        {"api": {"audience": "covidct"}, "auth": {"server_metadata_url": ""}},
        {"api": {"audience": ["covidct"]}, "auth": {"server_metadata_url": "https://a.example"}},
    ),
)
def test_settings_that_are_none_are_said_and_open_nothing(secrets):
    with pytest.raises(ConfigError, match="stays closed"):
        admission(secrets)
    assert answer(secrets, f"{PREFIX}/slices", "POST", authorization=f"Bearer {TOKEN}")[0] == 404


def test_a_token_is_borne_as_rfc_6750_has_it():
    for name in ("Bearer", "bearer", "BEARER"):
        assert borne(Headers({"authorization": f"{name} {TOKEN}"})) == TOKEN
    for other in (TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", "Bearer", "Bearer ", ""):
        assert borne(Headers({"authorization": other})) == ""
    assert borne(Headers({})) == ""


def test_only_the_very_token_is_the_same():
    assert is_same(TOKEN, TOKEN)
    for other in ("", OTHER, TOKEN[:-1], f"{TOKEN}x", TOKEN.upper()):
        assert not is_same(other, TOKEN)
    assert not is_same("", "")
    beyond_ascii = "ü" * SHORTEST
    sent = Headers(raw=[(b"authorization", f"Bearer {beyond_ascii}".encode())])
    assert is_same(borne(sent), beyond_ascii)


def test_without_a_model_it_is_not_ready_and_tells_strangers_no_path():
    status, said = answer({}, f"{PREFIX}/health")
    assert (status, b"/srv" in said) == (503, False)


def test_the_description_is_of_the_routes_that_there_are():
    (mounted, _) = routes(Server(dict, no_model, lambda: 0, lambda: None))
    there = {
        (route.path, method.lower())
        for route in mounted.routes
        for method in route.methods - {"HEAD"}
    }
    described = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    assert {(path, method) for path, ways in described["paths"].items() for method in ways} == there
    assert described["servers"] == [{"url": PREFIX}]
