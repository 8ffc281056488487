"""Every failure that covidct reports to a person.

    CovidCTError
    ├── UnreadableSlice          the bytes are no CT slice that can be read
    │   ├── UnsupportedEncoding  a real format, in a variant or compression that is not read
    │   └── NotALungSlice        a picture that is read, but does not show lungs in axial section
    ├── DatasetError             a folder is not a data set that can be trained or evaluated on
    │   ├── NoUnseenSlices       the model learnt from its slices: it cannot be judged on them
    │   └── ArchiveError         a ZIP archive is damaged, or must not be unpacked
    ├── FetchError               a data set could not be fetched whole and as it was before
    ├── DICOMwebError            the DICOM archive cannot be reached, or does not do as asked
    ├── NodeError                another DICOM node cannot be reached, or takes nothing from here
    ├── ConfigError              a setting is missing, malformed or out of its range
    ├── ClusterError             workers of a cluster cannot be reached, or cannot do their work
    ├── AccessDenied             a visitor of the pages may not do what was asked for
    ├── ExportError              a result cannot be had in the form that was asked for
    ├── LogError                 the log of who did what cannot be written or read
    ├── TrainingStopped          a training run was stopped on request before it had a model
    └── ModelError               a model folder cannot be used
        └── ModelIntegrityError  the model file is not the one its card describes

The message is a sentence that a clinician understands: what was wrong and, where it helps,
what to do. It never holds a file name, since uploads' names are not logged; the caller who knows
the name shows it beside the message.
"""

from covidct.messages import Message


class CovidCTError(Exception):
    """Base of all errors that are shown to the user as they are.

    Args:
        message: the sentence, marked by ``N_`` so that pages can show it in another language.
            ``str(error)`` is its English.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message if isinstance(message, Message) else Message(message)

    @property
    def code(self) -> str:
        """What scripts tell errors apart by: the name of the class in the tree above.

        It stays when a sentence is reworded. One for each sentence would promise scripts more than
        they can act on: what differs within a class is what a person reads.
        """
        return next(kind.__name__ for kind in type(self).__mro__ if kind.__module__ == __name__)


class UnreadableSlice(CovidCTError):
    """The bytes are not a CT slice that can be read."""


class UnsupportedEncoding(UnreadableSlice):
    """A known format in a variant or compression that is not supported."""


class NotALungSlice(UnreadableSlice):
    """A picture that can be read, but is not an axial CT slice with lungs."""


class DatasetError(CovidCTError):
    """A folder is not a data set that can be trained or evaluated on."""


class NoUnseenSlices(DatasetError):
    """A model learnt from so many slices of a data set that it cannot be judged on the rest."""


class ArchiveError(DatasetError):
    """A ZIP archive is damaged, or must not be unpacked."""


class FetchError(CovidCTError):
    """A data set could not be fetched from the network whole and as it was before."""


class DICOMwebError(CovidCTError):
    """The DICOM archive cannot be reached, refuses, or answers something else."""


class NodeError(CovidCTError):
    """Another DICOM node cannot be reached, or takes nothing from this program."""


class ConfigError(CovidCTError):
    """A setting is missing, malformed or out of its range."""


class ClusterError(CovidCTError):
    """The workers of a cluster cannot be reached, or cannot do their work."""


class AccessDenied(CovidCTError):
    """A visitor of the pages may not do what was asked for."""


class ExportError(CovidCTError):
    """A result cannot be had in the form that was asked for."""


class LogError(CovidCTError):
    """The log of who did what cannot be written or read."""


class TrainingStopped(CovidCTError):
    """A training run was stopped on request before it had a model."""


class ModelError(CovidCTError):
    """A model folder cannot be used."""


class ModelIntegrityError(ModelError):
    """The model file is not the one that its card describes."""
