"""Several outputs, forward(x, h, c) -> (h_next, c_next): to the suite y is one array, in which they stand side by side.

They are joined along the last axis, the only one in which their shapes may differ, and dLdy is split there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from verification.case import Array
from verification.instance import Held


def joined(y: Any) -> Array:
    """Return y as one array: a tuple of several outputs, side by side."""
    return np.concatenate(y, axis=-1) if isinstance(y, tuple) else np.asarray(y)


class Outputs:
    """The names of the outputs, and how long each is along the last axis; without names, y is one array as it is."""

    def __init__(self, names: Sequence[str], y: Any) -> None:
        self.names = tuple(names)
        self.sides = {name: np.shape(one)[-1] for name, one in zip(names, y, strict=True)} if names else {}

    def parts(self, y: Array) -> dict[str, Array]:
        """Return y, or the views of it that are of each output, by name."""
        if not self.names:
            return {"y": y}
        ends = np.cumsum([*self.sides.values()])[:-1]
        return dict(zip(self.names, np.split(y, ends, axis=-1), strict=True))

    def split(self, dLdy: Array) -> dict[str, Array]:
        """Return dLdy, or the views of it that are of each output, by the names of upstream gradients."""
        return {f"dLd{name}": part for name, part in self.parts(dLdy).items()}

    def at(self, label: str, index: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        """Return the output, and the place in it, of an entry of y or dLdy."""
        if label not in ("y", "dLdy") or not index:
            return label, index
        *before, last = index
        for name, side in self.sides.items():
            if last < side:
                return name if label == "y" else f"dLd{name}", (*before, last)
            last -= side
        return label, index


class Parts(Held):
    """Arrays that are held, by name, as one: several outputs, or their upstream gradients."""

    def __init__(self, parts: Mapping[str, Held]) -> None:
        self.parts = dict(parts)

    def read(self) -> Any:
        """Return them joined."""
        return joined(tuple(part.read() for part in self.parts.values()))

    def write(self, values: Array, *, force: bool = False) -> None:
        """Write values into each."""
        start = 0
        for part in self.parts.values():
            stop = start + np.shape(part.read())[-1]
            part.write(values[..., start:stop], force=force)
            start = stop


def flat(held: Mapping[str, Held]) -> Iterator[tuple[str, Held]]:
    """Yield what is held by name, the parts of what has any in its place."""
    for name, one in held.items():
        yield from one.parts.items() if isinstance(one, Parts) else [(name, one)]
