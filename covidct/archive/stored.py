"""What an archive answers to objects that it is sent (STOW-RS, PS3.18, section 10.5)."""

from dataclasses import dataclass

import requests
from pydicom import Dataset

from covidct.messages import N_, Message, joined, ngettext


@dataclass(frozen=True, slots=True)
class Stored:
    """What an archive said to objects that were sent.

    Attributes:
        stored: how many it stored.
        sent: how many it was sent.
        reasons: FailureReason of those that it refused, in hexadecimal as PS3.18 lists them.
    """

    stored: int
    sent: int
    reasons: tuple[str, ...] = ()

    def and_of(self, one: Dataset, answer: Dataset) -> "Stored":
        """The same with the answer of STOW-RS to one more object.

        FailedSOPSequence can be there and empty, and an answer may name neither.
        """
        kept = answer.get("ReferencedSOPSequence") or ()
        is_kept = one.SOPInstanceUID in {item.get("ReferencedSOPInstanceUID") for item in kept}
        failed = answer.get("FailedSOPSequence") or ()
        reasons = (f"{int(item.get('FailureReason') or 0):04X}" for item in failed)
        return Stored(
            self.stored + is_kept,
            self.sent + 1,
            tuple(dict.fromkeys((*self.reasons, *reasons))),
        )

    @property
    def is_whole(self) -> bool:
        """Whether all was stored."""
        return self.stored == self.sent

    @property
    def sentence(self) -> Message:
        """The same for a person."""
        if self.is_whole:
            return ngettext(
                "The archive stored the object.",
                "The archive stored all {count} objects.",
                self.sent,
            )
        said = N_(
            "The archive stored {stored} of {sent} objects.", stored=self.stored, sent=self.sent
        )
        if not self.reasons:
            return joined(said, N_("It did not say why."))
        return joined(
            said, N_("Its reasons, by their DICOM codes: {codes}.", codes=", ".join(self.reasons))
        )


def answer_to_refused(error: requests.HTTPError) -> Dataset:
    """The data set that says which objects were refused, where there is one (PS3.18, 10.5.3)."""
    try:
        answer = Dataset.from_json(error.response.json() if error.response is not None else {})
    except (ValueError, TypeError, AttributeError, KeyError):
        raise error from None
    if not answer.get("FailedSOPSequence"):  # it can be there and empty
        raise error
    return answer
