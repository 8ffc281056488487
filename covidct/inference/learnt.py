"""Which slices a model learnt from, by the perceptual hashes on its card."""

from collections.abc import Iterable

import numpy as np

from covidct.data.near_duplicates import FINGERPRINT_BYTES, are_near, fingerprint
from covidct.imaging.ct_slice import CTSlice
from covidct.inference.card import ModelCard
from covidct.messages import N_, Message, ngettext


def hashes_of(fingerprints: Iterable[np.ndarray]) -> tuple[str, ...]:
    """Fingerprints as a card holds them: in hexadecimal, each once.

    Args:
        fingerprints: uint8 (32,) each.
    """
    return tuple(sorted({one.tobytes().hex() for one in fingerprints}))


class LearntSlices:
    """The slices that a model learnt from. A slice is in it that shows one of their pictures,
    whatever its margin, size, window or compression, or a close neighbour in the same series.

    Other slices of the same patients are not recognised.

    Attributes:
        are_known: whether the card tells them.
    """

    def __init__(self, card: ModelCard) -> None:
        packed = bytes.fromhex("".join(card.learnt_from))
        self._fingerprints = np.frombuffer(packed, np.uint8).reshape(-1, FINGERPRINT_BYTES)
        self.are_known = bool(card.learnt_from)

    def __contains__(self, ct_slice: CTSlice) -> bool:
        return self.are_known and self._has(fingerprint(ct_slice))

    def has(self, hexadecimal: str) -> bool:
        """Whether a slice with that fingerprint, as a card holds it, is in it."""
        return self._has(np.frombuffer(bytes.fromhex(hexadecimal), np.uint8))

    def _has(self, one: np.ndarray) -> bool:
        return bool(are_near(one, self._fingerprints).any())


def how_many_learnt(learnt: int | None, unseen: int) -> Message:
    """The sentence beside a model's figures on slices.

    Args:
        learnt: how many slices the figures leave out, since the model learnt from them; None where
            that is not known.
        unseen: how many the figures count.
    """
    if learnt is None:
        return N_(
            "Which slices the model learnt from is not known: where these are among them, the "
            "figures flatter it."
        )
    if not learnt:
        return ngettext(
            "The model did not learn from this {count:,} slice, nor from nearly the same picture.",
            "The model learnt from none of these {count:,} slices, nor from nearly the same "
            "pictures.",
            unseen,
        )
    return ngettext(
        "The model learnt from {count:,} of {all:,} slices, or from nearly the same picture: the "
        "figures leave it out.",
        "The model learnt from {count:,} of {all:,} slices, or from nearly the same pictures: the "
        "figures leave them out.",
        learnt,
        all=learnt + unseen,
    )
