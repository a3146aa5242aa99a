"""Finds the fewest conditions on a case that separate those on which a property holds from those on which it fails."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from verification.case import Case
from verification.failure import PropertyFailed
from verification.properties import Collected
from verification.spec import LayerSpec
from verification.trial import Trial

Truth = NDArray[np.bool_]

FEWEST = 4
"""Cases on either side of a separation; fewer are too easily separated by chance."""


@dataclass(frozen=True)
class Condition:
    """A condition in words, as it reads where it holds and where it does not."""

    holds: str
    fails: str

    def negated(self) -> "Condition":
        """Return the opposite condition."""
        return Condition(self.fails, self.holds)


@dataclass(frozen=True)
class Separation:
    """The conditions (joined by "and") under which a layer is right, or those under which it is wrong."""

    conditions: tuple[Condition, ...]
    right: bool

    def __str__(self) -> str:
        here = " and ".join(condition.holds for condition in self.conditions)
        return f"right while {here}; wrong otherwise" if self.right else f"wrong while {here}; right otherwise"


DRAWN = 40
"""Cases on which a layer is tried first; more where some of them fail and some pass."""

COVERED = 0.8
"""The part of the cases called wrong that must fail."""


def separation(
    spec: LayerSpec, item: Collected, draw: Callable[[int, int], Sequence[Case]], known: Iterable[Separation] = ()
) -> Separation | None:
    """Return what separates the cases on which the property holds from those on which it fails, if anything does.

    draw(count, seed) gives the cases. What separates those of one seed must separate those of another, too, or
    else it did so by chance. Where few are on one side more are drawn. What is known to separate the cases of
    another property needs to agree with a few of this one.
    """
    fails, table = _tried(spec, item, draw(DRAWN, 0))
    if fails.all() or not fails.any():  # all fail, as most often
        return None
    for separation in known:
        if _agreement(_right(separation, table), fails, fewest=1):
            return separation
    count = 2 * DRAWN
    fails, table = _tried(spec, item, draw(count, 0))
    if 0 < min(fails.sum(), (~fails).sum()) < 2 * FEWEST:
        count *= 4
        fails, table = _tried(spec, item, draw(count, 0))
    found = _separating(fails, table) if min(fails.sum(), (~fails).sum()) >= FEWEST else None
    if found is None:
        return None
    fails, table = _tried(spec, item, draw(count, 1))
    return found if _agreement(_right(found, table), fails) else None


def _right(separation: Separation, table: Mapping[Condition, Truth]) -> Truth:
    """Return for which cases the separation says that the layer is right."""
    holds = np.logical_and.reduce([table[c] if c in table else ~table[c.negated()] for c in separation.conditions])
    return np.asarray(holds if separation.right else ~holds)


def _tried(spec: LayerSpec, item: Collected, cases: Sequence[Case]) -> tuple[Truth, dict[Condition, Truth]]:
    """Return on which cases the property fails, and on which each condition holds."""
    fails = np.array([_fails(spec, item, case) for case in cases], bool)
    known = [{**general(spec, case), **_named(spec, case)} for case in cases]
    names = [condition for condition in known[0] if all(condition in values for values in known)]
    return fails, {condition: np.array([values[condition] for values in known]) for condition in names}


def _separating(fails: Truth, table: dict[Condition, Truth]) -> Separation | None:
    """Return the one or two conditions that tell best where the property holds, or where it fails."""
    literals = list(table.items())
    literals += [(condition.negated(), ~column) for condition, column in table.items()]
    singles = [(_agreement(column, fails), Separation((condition,), right=True)) for condition, column in literals]
    if best := _best(singles):
        return best
    pairs = []
    for right, wanted in ((True, ~fails), (False, fails)):
        covering = [(condition, column) for condition, column in literals if column[wanted].mean() > COVERED]
        for (first, a), (second, b) in combinations(covering, 2):
            pairs.append((_agreement(a & b if right else ~(a & b), fails), Separation((first, second), right)))
    return _best(pairs)


def _best(found: list[tuple[float, Separation]]) -> Separation | None:
    agreement, separation = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return separation if agreement else None


def _agreement(right: Truth, fails: Truth, fewest: int = FEWEST) -> float:
    """Return for how many cases it holds that the layer is right there and wrong elsewhere; 0 if it may not be said.

    No case that fails may be called right. But a case may pass where the layer is wrong: an inner product hides
    some errors, and so do zeros.
    """
    if fails[right].any() or min(right.sum(), (~right).sum()) < fewest or fails[~right].mean() < COVERED:
        return 0.0
    return float((right != fails).mean())


def general(spec: LayerSpec, case: Case) -> dict[Condition, bool]:
    """Return the conditions that can be said of any case, the plainest first."""
    values: dict[Condition, bool] = {}
    sizes = _sizes(case)
    x = case.arrays["x"]
    if x.ndim == 4:
        values[Condition("images are square", "images are not square")] = x.shape[2] == x.shape[3]
    W = case.arrays.get("W")
    if W is not None and W.ndim == 4:
        values[Condition("filters are square", "filters are not square")] = W.shape[2] == W.shape[3]
    y = Trial(spec, case).y
    if y.ndim == 4:
        values[Condition("y is square", "y is not square")] = y.shape[2] == y.shape[3]
    for name, size in sizes.items():
        for number in (0, 1, 2, 3):
            values[Condition(f"{name} is {number}", f"{name} is not {number}")] = size == number
        for number in (1, 2):
            values[Condition(f"{name} is at most {number}", f"{name} is more than {number}")] = size <= number
    for (one, a), (other, b) in combinations(sizes.items(), 2):
        values[Condition(f"{one} equals {other}", f"{one} differs from {other}")] = a == b
        values[Condition(f"{one} is less than {other}", f"{one} is at least {other}")] = a < b
        values[Condition(f"{other} is less than {one}", f"{other} is at least {one}")] = b < a
    for name, array in case.arrays.items():
        values[Condition(f"{name} has a negative entry", f"{name} has no negative entry")] = bool((array < 0).any())
    values[Condition("entries of x are all different", "entries of x are equal")] = len(np.unique(x)) == x.size
    return values


def _sizes(case: Case) -> dict[str, int]:
    """Return the sizes of a case by name: the constructor's whole numbers, and the batch size."""
    sizes = {}
    for name, value in case.settings.items():
        if isinstance(value, int):
            sizes[name] = value
        elif isinstance(value, tuple) and all(isinstance(part, int) for part in value):
            sizes |= {f"{name}[{i}]": part for i, part in enumerate(value)}
    x = case.arrays["x"]
    sizes["the batch size"] = len(x)
    if x.ndim == 4 and not any("channel" in name or name in ("in_ch_size", "num_features") for name in sizes):
        sizes["the number of channels"] = x.shape[1]
    return sizes


def _named(spec: LayerSpec, case: Case) -> Mapping[Condition, bool]:
    own: Callable[[Case], Mapping[str, bool]] = spec.conditions or (lambda _case: {})
    return {Condition(name, f"not ({name})"): bool(value) for name, value in own(case).items()}


def _fails(spec: LayerSpec, item: Collected, case: Case) -> bool:
    try:
        item.check(Trial(spec, case))
    except PropertyFailed:
        return True
    return False
