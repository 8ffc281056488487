import pytest

from covidct.archive.settings import ArchiveSettings, archive_settings
from covidct.errors import ConfigError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for variable in ("COVIDCT_DICOMWEB", "COVIDCT_DICOMWEB_USER", "COVIDCT_DICOMWEB_PASSWORD"):
        monkeypatch.delenv(variable, raising=False)


def write_secrets(folder, text):
    (folder / ".streamlit").mkdir(parents=True)
    (folder / ".streamlit" / "secrets.toml").write_text(text)


SECTION = '[archive]\ndicomweb = "https://pacs/rs/"\nuser = "u"\npassword = "secret"\n'


def test_without_an_address_there_is_no_archive():
    assert archive_settings() is None
    assert archive_settings({"auth": {}}) is None


def test_secrets_name_it_here_or_at_home(tmp_path):
    write_secrets(tmp_path / "user", SECTION)
    assert archive_settings() == ArchiveSettings("https://pacs/rs", "u", "secret")
    write_secrets(tmp_path, SECTION.replace("pacs", "nearer"))
    assert archive_settings().host == "nearer"


def test_the_environment_counts_alone(tmp_path, monkeypatch):
    write_secrets(tmp_path, SECTION)
    monkeypatch.setenv("COVIDCT_DICOMWEB", "http://localhost:1/dicom-web")
    assert archive_settings() == ArchiveSettings("http://localhost:1/dicom-web")


def test_the_password_is_not_told():
    assert "secret" not in repr(ArchiveSettings("https://pacs", "u", "secret"))


@pytest.mark.parametrize("url", ["pacs", "ftp://pacs", "https://u:secret@pacs", "https://"])
def test_an_address_that_is_none_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match="http") as refused:
        archive_settings({"archive": {"dicomweb": url}})
    assert "secret" not in str(refused.value)


def test_secrets_that_cannot_be_read_are_an_error(tmp_path):
    write_secrets(tmp_path, "[archive\ndicomweb = ")
    with pytest.raises(ConfigError, match="cannot be read"):
        archive_settings()
