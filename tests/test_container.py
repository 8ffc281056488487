"""The image and what starts it, as far as that can be tried without a container engine."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import pytest
import yaml
from container import Context, follow, read_steps

from covidct.imaging.phantom import phantom_slice

# In the container: the server until it is well, a verdict over HTTP, where files can be made.
SERVED = """
import json, os, subprocess, sys, time, urllib.request
command, check, places = json.load(sys.stdin)
is_well = lambda: subprocess.run(check, capture_output=True).returncode == 0
told = {"user": os.getuid(), "well at first": is_well()}
server = subprocess.Popen(command, stdout=2)
while server.poll() is None and not is_well():
    time.sleep(0.5)
token = {"Authorization": "Bearer " + os.environ["COVIDCT_API_TOKEN"]}
with open(os.environ["COVIDCT_HOME"] + "/slice.png", "rb") as file:
    asked = urllib.request.Request("http://localhost:8501/api/v1/slices", file.read(), token)
told["answer"] = json.load(urllib.request.urlopen(asked))
told["writable"] = [place for place in places if os.access(place, os.W_OK)]
server.terminate()
server.wait()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def deployment(root):
    return root / "covidct" / "docs" / "deployment"


@pytest.fixture(scope="module")
def compose(deployment):
    return yaml.safe_load((deployment / "compose.yaml").read_text())


def serves_as_promised(stage, kept):
    """Whether a container does, with this folder as its volume."""
    kept.mkdir()
    cv2.imwrite(str(kept / "slice.png"), phantom_slice(1, 3).ct_slice.pixels)
    (volume,) = stage.volumes
    places = ["/", "/etc", "/home", stage.folder, f"{stage.folder}/weights", "/opt/venv"]
    given = json.dumps([stage.command, stage.health_check, [*places, "/tmp", volume]])
    token = {"COVIDCT_API_TOKEN": "the token of these tests"}
    done = stage.run(["python", "-c", SERVED], kept, given, **token)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["user"] != 0
    assert not told["well at first"]
    assert told["answer"]["model_id"].startswith("covidct-astra@")
    assert told["writable"] == ["/tmp", volume]
    assert "Traceback" not in done.stderr
    assert "external IP" not in done.stderr  # for which the internet would be asked


def test_it_judges_as_a_user_without_rights_in_a_root_that_is_read_only(root, deployment, tmp_path):
    stage = follow(deployment / "Containerfile", root, tmp_path, venv=Path(sys.prefix))
    assert stage.volumes == [stage.environment["COVIDCT_HOME"]]
    serves_as_promised(stage, tmp_path / "kept")


@pytest.mark.endurance
def test_its_steps_make_what_does(root, deployment, tmp_path):
    serves_as_promised(follow(deployment / "Containerfile", root, tmp_path), tmp_path / "kept")


def complaints(name, *arguments):
    """What a program of this environment finds fault with."""
    command = [Path(sys.executable).with_name(name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def test_no_linter_finds_fault_with_how_it_is_made(deployment):
    assert complaints("hadolint", deployment / "Containerfile") == ""


def test_nothing_that_people_put_beside_the_program_gets_into_it(root):
    hidden = Context(root).hidden
    assert hidden(root, [".covidct", ".git", ".venv", "COVID-CT", "app.py"]) == {
        *(".covidct", ".git", ".venv", "COVID-CT")
    }
    assert hidden(root / ".streamlit", ["secrets.toml", "config.toml"]) == {"secrets.toml"}
    assert hidden(root / "covidct" / "docs" / "deployment", [".env"]) == {".env"}


def test_the_compose_file_is_one(deployment):
    schema = ("--builtin-schema", "vendor.compose-spec")
    assert complaints("check-jsonschema", *schema, deployment / "compose.yaml") == ""


def test_its_servers_are_closed_in(compose, deployment, root):
    services = compose["services"]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published and all(port.startswith("127.0.0.1:") for port in published)
    steps = dict(read_steps(deployment / "Containerfile"))
    for server in (services["one"], services["two"]):
        assert "ports" not in server
        assert server["read_only"] and server["tmpfs"] == ["/tmp"] and server["cap_drop"] == ["ALL"]
        assert (deployment / server["build"]["context"]).resolve() == root
        assert (root / server["build"]["dockerfile"]).is_file()
        assert server["volumes"] == [f"kept:{steps['VOLUME']}"]
        (secret,) = server["secrets"]
        assert secret["target"] == f"{steps['WORKDIR']}/.streamlit/secrets.toml"


def test_its_balancer_knows_its_servers(compose, deployment):
    port = dict(read_steps(deployment / "Containerfile"))["EXPOSE"]
    told = compose["services"]["balancer"]["environment"]
    assert told["COVIDCT_SERVER_ONE"] == f"one:{port}"
    assert told["COVIDCT_SERVER_TWO"] == f"two:{port}"


def test_app_and_provider_know_each_other_by_the_secrets_that_are_shown(compose, deployment, root):
    text = (root / "covidct" / "docs" / "deployment.md").read_text(encoding="utf-8")
    shown = re.findall(r"```toml\n(.*?)```", text.partition("### With sign-in")[2], re.DOTALL)[0]
    secrets, realm = tomllib.loads(shown), json.loads((deployment / "realm.json").read_text())
    auth, access = secrets["auth"], secrets["access"]
    (client,) = realm["clients"]
    assert client["clientId"] == auth["client_id"]
    assert client["redirectUris"] == [auth["redirect_uri"]]
    assert {role["name"] for role in realm["roles"]["realm"]} == set(access.values())
    (mapper,) = client["protocolMappers"]
    assert mapper["config"]["claim.name"] == "roles"  # where the app looks for them by itself
    metadata = urlsplit(auth["server_metadata_url"])
    assert metadata.hostname in compose["services"]
    assert metadata.path.startswith(f"/realms/{realm['realm']}/")
    provider = compose["services"][metadata.hostname]
    assert client["secret"].strip("${}") in provider["environment"]
    assert any(volume.startswith("./realm.json:") for volume in provider["volumes"])
