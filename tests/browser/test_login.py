"""The pages behind an OpenID Connect provider on this machine, in a real Chromium."""

import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import Page, expect
from settled import wait_until_drawn

pytestmark = pytest.mark.browser

TRAINER = {"sub": "ann", "roles": ["reader", "covidct-trainer"]}
READER = {"sub": "ben", "roles": ["reader"]}
PAGES = ("", "diagnose", "evaluation", "training")
OURS = re.compile(  # what the pages and the data say; the style sheet and the notice may come
    rb"Drop in one or many|Fit a network|Measure a model|file_uploader|astra|of-the-ward"
)


@pytest.fixture(scope="module")
def provider(tmp_path_factory, wait_for):
    log = tmp_path_factory.mktemp("provider") / "log"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    users = [f"--user-claims={json.dumps(user)}" for user in (TRAINER, READER)]
    command = [sys.executable, "-m", "oidc_provider_mock", f"--port={port}", *users]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_for(f"http://localhost:{port}/.well-known/openid-configuration", process, log)
            yield f"http://localhost:{port}"
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def place(tmp_path_factory, phantom_dataset):
    """The folder of a server that holds slices which somebody uploaded."""
    folder = tmp_path_factory.mktemp("closed")
    shutil.copytree(phantom_dataset, folder / "home" / "data" / "upload-of-the-ward")
    return folder


@pytest.fixture(scope="module")
def closed(run_app, place, provider):
    def secrets(url: str) -> str:
        return f"""
[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "a secret that is long enough to sign with"
client_id = "covidct"
client_secret = "secret of the client"
server_metadata_url = "{provider}/.well-known/openid-configuration"

[access]
role = "covidct-trainer"
"""

    with run_app(place, secrets) as server:
        yield server


def signed_in(page: Page, url: str, user: dict) -> None:
    page.goto(url)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name=user["sub"], exact=True).click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_nothing_is_served_before_login(closed, new_page):
    page, frames = new_page(), []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda frame: frames.append(frame)))
    for path in PAGES:
        page.goto(f"{closed.url}/{path}")
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        beside_language = ":not(.st-key-language *)"  # which everybody may choose
        assert page.locator(f"[data-testid=stMain] button{beside_language}").count() == 1
        assert page.locator(f"input{beside_language}").count() == 0
    received = b"".join(f if isinstance(f, bytes) else f.encode() for f in frames)
    assert b"Sign in to covidct" in received
    assert OURS.findall(received) == []


def test_a_forged_cookie_and_a_foreign_upload_are_no_way_in(closed, new_page):
    page = new_page()
    forged = "2|1:0|10:1700000000|15:_streamlit_user|24:eyJpc19sb2dnZWRfaW4iOnRydWV9|" + "0" * 64
    page.context.add_cookies([{"name": "_streamlit_user", "value": forged, "url": closed.url}])
    page.goto(f"{closed.url}/training")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    upload = urllib.request.Request(
        f"{closed.url}/_stcore/upload_file/{'a' * 36}/{'b' * 36}", b"x", method="PUT"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(upload)
    with refused.value as answer:
        assert answer.code in (400, 403)


def test_without_the_role_nothing_can_be_changed(closed, new_page):
    page = new_page()
    signed_in(page, closed.url, READER)
    page.goto(f"{closed.url}/training?view=New+run")
    expect(page.get_by_text("Your account may look at everything here")).to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_have_count(0)
    page.get_by_role("radio", name="Model in use").click()
    expect(page.get_by_role("button", name="Roll back")).to_be_disabled()
    page.goto(f"{closed.url}/evaluation")
    page.get_by_role("radio", name="New evaluation").click()
    expect(page.get_by_text("Your account may look at everything here")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("^(?!.*evaluation)"))
    page.goto(f"{closed.url}/evaluation")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_with_the_role_uploaded_slices_can_be_trained_on_and_deleted(closed, place, new_page):
    page = new_page()
    signed_in(page, closed.url, TRAINER)
    page.goto(f"{closed.url}/training?view=New+run")
    page.get_by_role("radio", name="On this server").click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete these slices").click()
    page.get_by_role("button", name="Delete them", exact=True).click()
    expect(page.get_by_text("Choose data first")).to_be_visible()
    assert not (place / "home" / "data" / "upload-of-the-ward").exists()


def test_secrets_that_cannot_be_read_close_the_pages(run_app, tmp_path, new_page):
    with run_app(tmp_path, lambda url: "[auth\nredirect_uri = ") as server:
        page = new_page()
        page.goto(server.url)
        expect(page.get_by_text("These pages are closed.")).to_be_visible()
        wait_until_drawn(page)
        inputs = page.locator("input")
        expect(inputs).to_have_count(1)
        expect(inputs).to_have_attribute("aria-label", re.compile("Language"))


def test_secrets_that_are_named_and_not_there_close_the_pages(run_app, tmp_path, new_page):
    with run_app(tmp_path, lambda url: "") as server:
        page = new_page()
        page.goto(server.url)
        expect(page.locator("input[type=file]")).to_be_attached()
        (tmp_path / "secrets.toml").unlink()
        page.reload()
        expect(page.get_by_text("These pages are closed.")).to_be_visible()
        wait_until_drawn(page)
        expect(page.locator("input[type=file]")).to_have_count(0)
