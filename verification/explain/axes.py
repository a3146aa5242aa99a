"""What goes wrong along the axes of any array: the same small changes of each axis, said by its name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, permutations

import numpy as np

from verification.case import Array
from verification.explain.changes import Change, kept, only, zeroed
from verification.trial import Trial

Rank = int | None
"""The number of axes that an array has to have; None, any."""


@dataclass(frozen=True)
class AxisChange:
    """A change along axes: its family, what is said of a result, and of an array that a result is computed from.

    alike    whether of an input it counts only where the shape stays the same, as elsewhere a layer has to raise
    plain    whether it is likely enough to be looked for together with another mistake
    """

    family: str
    of_result: str
    of_input: str
    change: Change
    alike: bool = False
    plain: bool = False

    def of_an_input(self, a: Array) -> Array | None:
        """Return what is used in place of an input."""
        changed = self.change(a)
        return None if changed is None or (self.alike and changed.shape != a.shape) else changed


# Names


def names_of_axes(trials: Sequence[Trial], name: str) -> tuple[tuple[str, ...], Rank]:
    """Return the names of the axes of x, y, or a parameter in these trials, in the singular, and how many it has.

    Where trials differ in that, the names of the first two axes, and None.
    """
    ranks = {(trial.y if name == "y" else trial.arguments[name]).ndim for trial in trials}
    rank = ranks.pop()
    of_images = name in ("x", "y")
    if ranks:
        return (("image", "channel"), None) if of_images else ((), None)
    plain = tuple(f"entry along axis {axis}" for axis in range(rank))
    filters = rank == 4 and all(_filters_first(trial) for trial in trials)
    if of_images:
        second = "feature" if rank == 2 else "filter" if name == "y" and filters else "channel"
        return (("image", second, "row", "column") if rank in (2, 4) else ("image", *plain[1:]))[:rank], rank
    if rank == 4:
        first = ("filter", "channel") if filters else plain[:2]
        return (*first, "row", "column") if name == "W" else (plain[0], "filter", *plain[2:]), rank
    return plain, rank


def _filters_first(trial: Trial) -> bool:
    """Return whether W is (filters, channels, rows, columns)."""
    W = trial.arguments.get("W")
    return W is not None and W.ndim == trial.y.ndim == 4 and len(W) == trial.y.shape[1]


def several(words: tuple[str, ...]) -> str:
    """Return the plural of these: "rows and columns"."""
    said = [f"entries{word.removeprefix('entry')}" if word.startswith("entry") else f"{word}s" for word in words]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


# Changes


def _size(a: Array, rank: Rank, axis: int) -> int:
    return a.shape[axis] if a.ndim > axis and rank in (None, a.ndim) else 0


def _for_axis(change: Callable[[int, Array], Array | None], rank: Rank, axis: int, a: Array) -> Array | None:
    """Return the change along an axis, where that has several entries."""
    return change(axis, a) if _size(a, rank, axis) > 1 else None


def _only(where: slice, axis: int, a: Array) -> Array | None:
    return only(axis, where, a)


def _without(place: int, axis: int, a: Array) -> Array:
    return zeroed(a, ((axis, place),))


def _without_any(place: int, rank: Rank, axis: int, a: Array) -> Array | None:
    """Return the same, all zeros where there is no other entry, as of range(1, n) or range(n - 1)."""
    return _without(place, axis, a) if _size(a, rank, axis) else None


def _one_for_all(place: int, axis: int, a: Array) -> Array:
    return np.asarray(a.take([place], axis) + np.zeros_like(a))


def _mean_for_all(axis: int, a: Array) -> Array:
    return np.asarray(a.mean(axis=axis, keepdims=True) + np.zeros_like(a))


def _rolled(step: int, axis: int, a: Array) -> Array:
    return np.roll(a, step, axis)


def _added_up(axis: int, a: Array) -> Array:
    return np.cumsum(a, axis)


def _summed_for_all(axis: int, a: Array) -> Array:
    return np.asarray(a.sum(axis=axis, keepdims=True) + np.zeros_like(a))


def _moved(step: int, rank: Rank, axis: int, a: Array) -> Array | None:
    """Return the array shifted along an axis; zeros come in."""
    return _without(0 if step > 0 else -1, axis, np.roll(a, step, axis)) if _size(a, rank, axis) else None


def _reversed(axes: tuple[int, ...], rank: Rank, a: Array) -> Array | None:
    return np.flip(a, axes) if all(_size(a, rank, axis) for axis in axes) else None


def _strided(rank: Rank, a: Array) -> Array | None:
    return kept(a, np.s_[:, :, ::2, ::2]) if a.ndim == rank else None


def _reshaped_from(order: tuple[int, ...], rank: Rank, a: Array) -> Array | None:
    return a.transpose(order).reshape(a.shape) if a.ndim == rank else None


def _reshaped_to(order: tuple[int, ...], rank: Rank, a: Array) -> Array | None:
    """Return the inverse: entries in the order of these axes are put into the array, and its axes back in place."""
    if a.ndim != rank:
        return None
    return a.reshape([a.shape[axis] for axis in order]).transpose(np.argsort(order))


def _transposed(order: tuple[int, ...], rank: Rank, a: Array) -> Array | None:
    return a.transpose(order) if a.ndim == rank else None


def changes_along(names: tuple[str, ...], rank: Rank) -> Iterator[AxisChange]:
    """Yield the changes along each of these axes, along several, and of their order."""
    for axis, word in enumerate(names):
        yield from _along(axis, word, rank)
    for count in range(1, len(names) + 1):
        for axes in combinations(range(len(names)), count):
            words = several(tuple(names[axis] for axis in axes))
            family = (
                "axes-swapped" if max(axes) > 1 else "batch-mixed" if names[axes[0]] == "image" else "channels-mixed"
            )
            yield AxisChange(
                family, f"is what it should be with its {words} in reverse order",
                f"with its {words} in reverse order: name the axes that np.flip or np.rot90 turns",
                partial(_reversed, axes, rank),
            )  # fmt: skip
    if rank == 4:
        words = several(names[2:])
        yield AxisChange("hard-coded-stride", f"is zero but for every second of its {words}",
                         f"as if only every second of its {words} counted", partial(_strided, rank))  # fmt: skip
    if rank in (3, 4):
        yield from _in_another_order(names)


def _along(axis: int, word: str, rank: Rank) -> Iterator[AxisChange]:
    """Yield the changes along one axis."""
    words = several((word,))
    mixed = "batch-mixed" if word == "image" else "channels-mixed"
    early = "the loop returns, or overwrites, too early"

    def along(change: Callable[[int, Array], Array | None]) -> Change:
        return partial(_for_axis, change, rank, axis)

    for place, number in ((0, "first"), (-1, "last")):
        where = np.s_[:1] if place == 0 else np.s_[-1:]
        first = "batch-not-summed" if word == "image" else "not-accumulated"
        range_said = "starts one too late" if place == 0 else "ends one too early"
        yield AxisChange(
            first if place == 0 else "not-accumulated", f"is zero but for the {number} {word}: {early}",
            f"as if it were zero but for the {number} {word}: all {words} count",
            along(partial(_only, where)), plain=axis < 2,
        )  # fmt: skip
        for change in (along(partial(_without, place)), partial(_without_any, place, rank, axis)):
            yield AxisChange(
                "border-missing", f"is zero for the {number} {word}: the loop over the {words} {range_said}",
                f"without its {number} {word}: the loop over the {words} {range_said}",
                change, plain=axis < 2,
            )  # fmt: skip
        yield AxisChange(
            mixed, f"has for every {word} what belongs to the {number}",
            f"with the {number} {word} in place of every other", along(partial(_one_for_all, place)),
        )  # fmt: skip
    yield AxisChange(
        "border-missing", f"is zero for every second {word}", f"without every second {word}",
        along(partial(_only, np.s_[::2])),
    )  # fmt: skip
    for step, at in ((1, "before"), (-1, "after")):
        for change, how in (
            (partial(_moved, step, rank, axis), ""),
            (along(partial(_rolled, step)), ", and round from one end to the other"),
        ):
            yield AxisChange(
                "shifted", f"has for each {word} what belongs to the one {at} it{how}",
                f"with its {words} shifted by one against the rest{how}", change,
            )  # fmt: skip
    yield AxisChange(
        "not-accumulated", f"has added to each {word} what belongs to those before it: start each from zeros",
        f"with the {words} before added to each: start each from zeros", along(_added_up),
    )  # fmt: skip
    yield AxisChange(
        mixed, f"is summed over the {words}, and so the same for each of them",
        f"summed over its {words}, the same for each of them", along(_summed_for_all),
    )  # fmt: skip
    yield AxisChange(
        mixed, f"is averaged over the {words}, and so the same for each of them",
        f"averaged over its {words}, the same for each of them", along(_mean_for_all),
    )  # fmt: skip


def _in_another_order(names: tuple[str, ...]) -> Iterator[AxisChange]:
    """Yield the changes of the order of all axes."""
    rank = len(names)
    for order in permutations(range(rank)):
        if order == tuple(range(rank)):
            continue
        words = ", ".join(names[axis] for axis in order)
        kept = next(axis for axis in range(rank) if order[axis] != axis)
        fortran = order[kept:] == tuple(reversed(range(kept, rank)))
        how = "one reshape in Fortran order and one in C order" if fortran else "a reshape where a transpose belongs"
        for change in (_reshaped_from, _reshaped_to):
            yield AxisChange(
                "axes-swapped", f"has its entries in another order: {how}",
                f"with its entries in another order: {how}", partial(change, order, rank),
            )  # fmt: skip
        yield AxisChange(
            "axes-swapped", f"comes with its axes in the order {words}: transpose it",
            f"with its axes in the order {words}: that runs only where their sizes are equal",
            partial(_transposed, order, rank), alike=True,
        )  # fmt: skip
