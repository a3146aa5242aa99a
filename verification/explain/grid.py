"""For which sizes a layer runs and is right: cases counted by the two sizes that people choose."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

RIGHT, WRONG, RAISES = "right", "wrong", "raises"

AXES = (("filter_width", "filter_height"), ("pool_size", "stride"))
"""The two sizes, by the first pair that a layer has; the first runs down, the other across."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """What became of the cases of each pair of sizes: right, wrong or raises, once for each case."""

    axes: tuple[str, str]
    outcomes: Mapping[Pair, tuple[str, ...]]

    @property
    def rows(self) -> list[int]:
        """The first sizes, in order."""
        return sorted({first for first, _ in self.outcomes})

    @property
    def columns(self) -> list[int]:
        """The second sizes, in order."""
        return sorted({second for _, second in self.outcomes})

    def word(self, row: int, column: int) -> str:
        """Return what is true of every case of these sizes, or how many are right; "" if none was tried."""
        outcomes = self.outcomes.get((row, column), ())
        if len(set(outcomes)) <= 1:
            return "".join(set(outcomes))
        return f"{outcomes.count(RIGHT)} of {len(outcomes)} right"


def axes_of(sizes: Mapping[str, int]) -> tuple[str, str] | None:
    """Return the two sizes by which cases like this are counted, if it has such."""
    return next((axes for axes in AXES if set(axes) <= set(sizes)), None)


def grid(axes: tuple[str, str], sizes: Sequence[Mapping[str, int]], outcomes: Iterable[str]) -> Grid:
    """Return the grid of cases of these sizes, each with what became of it."""
    found: dict[Pair, tuple[str, ...]] = {}
    for one, outcome in zip(sizes, outcomes, strict=True):
        pair = one[axes[0]], one[axes[1]]
        found[pair] = (*found.get(pair, ()), outcome)
    return Grid(axes, found)
