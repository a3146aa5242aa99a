"""What a failing property says: one sentence, and the entries that are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verification.case import Array

SHOWN = 5
"""How many wrong entries a message lists; the number of all of them is always given."""

NO_ARRAY = ("raised", "form", "nothing")
"""Kinds of failure of a call that gave no array."""


@dataclass(frozen=True)
class Entry:
    """One wrong entry: array[index] = actual, but should be expected."""

    array: str
    index: tuple[int, ...]
    actual: float
    expected: float

    def __str__(self) -> str:
        where = f"{self.array}[{', '.join(map(str, self.index))}]" if self.index else self.array
        return f"{where} = {number(self.actual)}, but should be {number(self.expected)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON has it; a number that is not finite becomes text."""
        return {
            "array": self.array,
            "index": list(self.index),
            "actual": _json(self.actual),
            "expected": _json(self.expected),
        }


class PropertyFailed(AssertionError):  # noqa: N818  pytest and Hypothesis treat it as a failed assertion
    """A property does not hold.

    sentence    what is wrong, in words
    entries     the first entries that are wrong; `wrong` of `total` are (0: not counted)
    compared    the array that is wrong: its name, what it is, and what it should be, where that is known
    shows       the Python expression of a script that gives what is wrong; "" where the last call raises
    kind        values, shape, raised, form (of what was returned), or property for anything else
    array       the array that is wrong: y, dLdx, ..., or "" of a call as a whole
    error       of what raised: the type of the error, and the line of the layer if it is known
    written     of a call that raised: the lines of the script up to it
    """

    kind: str = "property"
    array: str = ""
    error: str = ""
    line: int | None = None
    written: int | None = None
    unsteady = False

    def __init__(
        self,
        sentence: str,
        entries: Sequence[Entry] = (),
        wrong: int = 0,
        total: int = 0,
        compared: tuple[str, Array, Array] | None = None,
        shows: str = "",
    ) -> None:
        self.sentence, self.entries, self.wrong, self.total = sentence, tuple(entries), wrong, total
        self.compared, self.shows = compared, shows
        super().__init__(self.message())

    def about(self, kind: str, array: str = "", error: str = "", line: int | None = None) -> "PropertyFailed":
        """Note what it is about, and return it."""
        self.kind, self.array, self.error, self.line = kind, array, error, line
        return self

    def message(self) -> str:
        """Return the sentence, then a line for each entry shown."""
        lines = [self.sentence, *(f"  {entry}" for entry in self.entries)]
        if self.entries:
            lines[-1] += f" ({self.wrong or 'at least 1'} of {self.total} entries)"
        return "\n".join(lines)


def entries(name: str, actual: Array, expected: Array, wrong: Array) -> list[Entry]:
    """Return the first entries where `wrong` is true."""
    return [
        Entry(name, tuple(int(i) for i in index), float(actual[tuple(index)]), float(expected[tuple(index)]))
        for index in np.argwhere(wrong)[:SHOWN]
    ]


def array_of(name: str) -> str:
    """Return the array that something is the name of: y for "forward(x)"."""
    return "y" if name.startswith("forward") else name


def name_of(array: str) -> str:
    """Return what an array is called in a sentence: "forward(x)" for y."""
    return "forward(x)" if array == "y" else array


def number(value: float) -> str:
    """Return the shortest text that gives this float64 back."""
    return repr(float(value))


def _json(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)


class NotJudged(Exception):  # noqa: N818  no error
    """A property has nothing to judge: unless a reason is given, what it needs is wrong already when asked plainly."""


ALREADY_WRONG = "what it judges is wrong already when asked plainly"
OUTSIDE = "needs what the restriction excludes"
TOO_COARSE = "y changes too fast for differences to tell its gradient: give the spec a gradient, by a formula"
NO_GRADIENT = "needs a gradient that backprop does not return"


class Stopped(BaseException):
    """The process of a layer is gone, or does not answer in time: a finding that ends the property at once.

    No Exception, so that nothing goes on with a layer that is no longer there.
    """


class Crashed(Exception):  # noqa: N818  what happened
    """A layer ended its process, which another takes the place of: a call that fails, as one that raises."""


class NotTried(Stopped):
    """The layer's process ended so often, or took so long, that nothing more is tried."""
