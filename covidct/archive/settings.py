"""Where the DICOM archive is, and by which name it is asked; without an address there is none.

In Streamlit's secrets, which pages and command line share:

    [archive]
    dicomweb = "https://archive.example.org/dicom-web"
    user = "covidct"
    password = "…"

or in the environment, which then counts alone: COVIDCT_DICOMWEB, COVIDCT_DICOMWEB_USER,
COVIDCT_DICOMWEB_PASSWORD.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from covidct.errors import ConfigError
from covidct.messages import N_

VARIABLE = "COVIDCT_DICOMWEB"
SECTION = "archive"
_SECRETS = Path(".streamlit", "secrets.toml")


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """An archive that answers DICOMweb (PS3.18).

    Attributes:
        url: below which /studies and /series lie.
        user: empty where nobody is asked for one.
        password: of that user.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """What messages call it."""
        return urlsplit(self.url).hostname or ""


def archive_settings(secrets: Mapping[str, Any] | None = None) -> ArchiveSettings | None:
    """The archive that whoever runs this program named, or None.

    Args:
        secrets: Streamlit's; by default those in the folder .streamlit here or at home.

    Raises:
        ConfigError: the secrets cannot be read, or the address is none.
    """
    if os.environ.get(VARIABLE):
        values = (os.environ.get(VARIABLE + part, "") for part in ("", "_USER", "_PASSWORD"))
    else:
        section = (_secrets() if secrets is None else secrets).get(SECTION, {})
        values = (str(section.get(key, "")) for key in ("dicomweb", "user", "password"))
    url, user, password = values
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ConfigError(
            N_(
                "The address of the archive has to begin with http:// or https:// and to hold no "
                "user: user and password have settings of their own."
            )
        )
    return ArchiveSettings(url.rstrip("/"), user, password)


def _secrets() -> Mapping[str, Any]:
    for file in (_SECRETS, Path.home() / _SECRETS):
        try:
            return tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ConfigError(N_("The file .streamlit/secrets.toml cannot be read.")) from error
    return {}
