"""What goes wrong on the way to an archive and back, in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

import requests

from covidct.errors import DICOMwebError
from covidct.messages import N_, Message, joined

# What the library raises at answers that are no DICOM JSON, or XML, of the kind that it expects
_MALFORMED = (AttributeError, KeyError, ParseError, TypeError, ValueError)


@contextmanager
def in_plain_words(host: str, kept: str = "") -> Iterator[None]:
    """Turn what goes wrong on the way to an archive and back into a sentence.

    The exceptions of requests hold addresses, so they are neither chained nor logged.

    Args:
        host: what the archive is called.
        kept: what became of the work, for whoever reads on.
    """
    try:
        yield
        return
    except requests.exceptions.SSLError:
        said = N_(
            "The connection to the archive {host} is not secure: its certificate is not trusted "
            "here. REQUESTS_CA_BUNDLE may name the certificate of your hospital’s own authority.",
            host=host,
        )
    except requests.TooManyRedirects:
        said = N_(
            "The archive {host} sends on to another address, which is not followed. Whoever runs "
            "this program can name that address.",
            host=host,
        )
    except requests.HTTPError as error:
        said = _refusal(host, 0 if error.response is None else error.response.status_code)
    except requests.Timeout:
        said = N_("The archive {host} does not answer in time. Try again later.", host=host)
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        said = N_(
            "The connection to the archive {host} failed or broke off. Try again; if it stays so, "
            "ask who runs the archive.",
            host=host,
        )
    except (requests.RequestException, *_MALFORMED):
        said = N_(
            "What answers at {host} does not speak DICOMweb as an archive does. Whoever runs this "
            "program should look at the archive’s address.",
            host=host,
        )
    raise DICOMwebError(joined(said, kept) if kept else said) from None


def _refusal(host: str, status: int) -> Message:
    if status in (401, 403):
        return N_(
            "The archive {host} does not let this program in (status {status}). Whoever runs it "
            "should look at the archive’s user and password.",
            host=host,
            status=status,
        )
    if status == 404:
        return N_("The archive {host} does not have what was asked for.", host=host)
    if status == 429 or status >= 500:
        return N_(
            "The archive {host} has trouble at the moment (status {status}). Try again later.",
            host=host,
            status=status,
        )
    return N_(
        "The archive {host} refuses what was asked for (status {status}).", host=host, status=status
    )
