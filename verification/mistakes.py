"""What a known mistake is: it turns the right output or gradient into a wrong one that can be recognized."""

from collections.abc import Callable
from dataclasses import dataclass

from verification.case import Array
from verification.trial import Trial


@dataclass(frozen=True)
class Mistake:
    """One row of the table of mistakes.

    family      the kind of mistake, as "filter-not-flipped"
    array       what it spoils: "y", or "dLdx", "dLdW", ... of a gradient
    sentence    what is said of a layer that makes it, and how to mend it
    wrong       called with a trial, returns the wrong array that the mistake gives; None where it does
                not apply, as to a case in which it would change nothing
    """

    family: str
    array: str
    sentence: str
    wrong: Callable[[Trial], Array | None]
