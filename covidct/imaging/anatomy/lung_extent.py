"""Where along a series the lungs begin and end.

A scan of the chest reaches from the neck to the belly. What the gate refuses before its first slice
with lungs and after the last is as it should be; what it refuses between them is not, and neither
is a series of which no slice passes.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from covidct.messages import N_

BEYOND_LUNGS = N_("Above or below the lungs.")

_Outcome = TypeVar("_Outcome")
_End = TypeVar("_End")


def tell_ends(
    outcomes: Iterable[_Outcome],
    shows_lungs: Callable[[_Outcome], bool],
    at_end: Callable[[_Outcome], _End],
) -> Iterator[_Outcome | _End]:
    """Pass on the outcomes of a series, those beyond the lungs changed, as soon as that is known.

    Args:
        outcomes: of its slices in the order of the body.
        shows_lungs: whether the gate let a slice pass.
        at_end: what becomes of one that it did not, above or below all that it did.
    """
    held: list[_Outcome] = []
    begun = False
    for outcome in outcomes:
        if not shows_lungs(outcome):
            held.append(outcome)
            continue
        yield from held if begun else map(at_end, held)
        yield outcome
        held, begun = [], True
    yield from map(at_end, held) if begun else held
