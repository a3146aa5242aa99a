"""Makes a case on which a property fails as simple as it can be, entry by entry, once Hypothesis has shrunk its sizes.

Each value that may be 0, or else 1 or -1, becomes so, and what has to be larger as small as it can be.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from verification.case import Array, Case, indices
from verification.failure import NotJudged, PropertyFailed, Stopped
from verification.properties import Collected
from verification.script import LITERAL_ENTRIES
from verification.spec import LayerSpec
from verification.trial import HERE, PLACE, Trial

FEW = 4
"""Large entries, at most, that are made smaller one by one."""

Fails = Callable[[Array], bool | None]
"""Tells whether the property fails with this array in place of the case's own; None if no more tries are left."""


def simplest(spec: LayerSpec, item: Collected, case: Case) -> Case:
    """Return the case with as few calls and as many entries 0 as can be, of the others as many 1 or -1, the rest small.

    For an exact layer any whole number is a valid entry; for others only what lies between the
    least and the largest entry drawn is known to be.
    """
    tries = Tries(spec, item, most_tries(case))
    if spec.piecewise_linear and tries.fails(here(case)):
        case = here(case)
    case = _with_fewer_calls(case, tries)
    for name in _shown(spec, case):
        case = _with_simpler_entries(spec, case, name, tries)
    return case


def here(case: Case) -> Case:
    """Return the case with x of small numbers, of a layer that has kinks."""
    return replace(case, picked={**case.picked, PLACE: HERE})


def most_tries(case: Case) -> int:
    """Return how often a case may be tried again: fewer times for a large one."""
    return max(10, min(1000, 5 * 10**6 // (1 + sum(array.size for array in case.arrays.values()))))


class Tries:
    """Tries a property on simpler cases, as often as it may."""

    def __init__(self, spec: LayerSpec, item: Collected, most: int) -> None:
        self.spec, self.item, self.left = spec, item, most

    def fails(self, case: Case) -> bool | None:
        """Return whether the property fails for the case; None if no more tries are left."""
        self.left -= 1
        if self.left < 0:
            return None
        try:
            self.item.check(Trial(self.spec, case))
        except PropertyFailed:
            return True
        except NotJudged:
            return False
        except Stopped:  # no time is left; or this one does not end, where others do: it is simple enough as it is
            self.left = 0
            return None
        return False


def _with_fewer_calls(case: Case, tries: Tries) -> Case:
    """Return the case without the calls that can be left out of the sequences that were drawn for it."""
    for name, sequence in case.picked.items():
        for at in reversed(range(len(sequence) if isinstance(sequence, tuple) else 0)):
            left_out = case.picked[name][:at] + case.picked[name][at + 1 :]
            shorter = replace(case, picked={**case.picked, name: left_out})
            case = shorter if tries.fails(shorter) else case
    return case


def _shown(spec: LayerSpec, case: Case) -> list[str]:
    """Return the names of the arrays that may have other values, those that the layer is made or called with last.

    A layer is not given directions; constants (labels, a mask), indices and a declared dLdy may have no other values.
    """
    fixed = {*spec.constants, *(["dLdy"] if Trial(spec, case).declares_dLdy else [])}
    fixed |= {name for name, array in case.arrays.items() if name.startswith("v for ") or indices(array)}
    free = [name for name in case.arrays if name not in fixed]
    return sorted(free, key=lambda name: name in ("x", *spec.parameters))


def _with_simpler_entries(spec: LayerSpec, case: Case, name: str, tries: Tries) -> Case:
    """Return the case with simpler entries in the array of this name."""

    def fails(array: Array) -> bool | None:
        return tries.fails(_with(case, name, array))

    array = drawn = case.arrays[name]
    any_number = not spec.rtol or name not in ("x", *spec.parameters)
    for value in (0.0, 1.0, -1.0) if any_number else _values_within(spec, array):
        array = _filled(array, value, fails)
        if array.size > LITERAL_ENTRIES and np.count_nonzero(array) > LITERAL_ENTRIES // 2:
            array = drawn  # which a script can draw, where it would have to list this one
    return _with(case, name, _lowered(array, fails) if any_number else array)


def _with(case: Case, name: str, array: Array) -> Case:
    return replace(case, arrays={**case.arrays, name: array})


def _values_within(spec: LayerSpec, array: Array) -> Iterator[float]:
    for value in (0.0, 1.0, -1.0):
        if array.size and array.min() <= value <= array.max() and value not in (*spec.kinks, *spec.avoid):
            yield value


def _filled(array: Array, value: float, fails: Fails) -> Array:
    """Return the array with the value in as many entries as possible, halving what is too much.

    Stops when no more tries are left.
    """
    parts = [np.flatnonzero((abs(array) != 1) & (array != 0) if value else array)]
    while parts:
        part = parts.pop()
        if len(part) == 0:
            continue
        changed = array.copy()
        changed.flat[part] = value
        outcome = fails(changed)
        if outcome is None:
            break
        if outcome:
            array = changed
        elif len(part) > 1:
            parts += [part[len(part) // 2 :], part[: len(part) // 2]]
    return array


def _lowered(array: Array, fails: Fails) -> Array:
    """Return the array with the few entries that have to be beyond 1 as near to it as they can be."""
    large = np.flatnonzero(abs(array) > 1)
    for at in large if len(large) <= FEW else ():
        passes, failing = 1.0, float(abs(array.flat[at]))
        while failing - passes > 1:
            middle = (passes + failing) // 2
            changed = array.copy()
            changed.flat[at] = np.copysign(middle, array.flat[at])
            outcome = fails(changed)
            if outcome is None:
                return array
            if outcome:
                array, failing = changed, middle
            else:
                passes = middle
    return array
