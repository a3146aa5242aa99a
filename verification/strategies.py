"""Hypothesis strategies for shapes, arrays and cases: valid by construction, nothing is rejected.

An array costs one draw, whatever its size: its shape and one seed are decoded from a few bytes, and
shrink with them. Seed 0 means zeros and seed 1 ones, so arrays shrink to these where they can.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Array, Case, whole

Numbers = st.SearchStrategy[dict[str, int]]
Shape = tuple[int, ...]

SEEDS = (0, 2**32 - 1)


def numbers(**bounds: tuple[int, int]) -> Numbers:
    """Whole numbers by name, each on its own between its bounds, each shrinking to its lower bound.

    `numbers(side=(1, 8), extra=(0, 5))` draws dictionaries like {"side": 3, "extra": 0}. All of them
    together are one draw of a few bytes, several times faster than as many `integers()`.
    """
    widths = []
    for name, (low, high) in bounds.items():
        if low > high:
            raise ValueError(f"{name} should go from a lower to an upper bound, but got {(low, high)}")
        # One byte more than the range needs keeps the numbers within 1/256 of uniform.
        widths.append(((high - low).bit_length() + 7) // 8 + (high - low < 2**16))

    def decode(data: bytes) -> dict[str, int]:
        result, start = {}, 0
        for (name, (low, high)), width in zip(bounds.items(), widths, strict=True):
            raw = int.from_bytes(data[start : start + width])
            result[name], start = low + raw % (high - low + 1), start + width
        return result

    return st.binary(min_size=sum(widths), max_size=sum(widths)).map(decode)


def shapes(ndim: int, *, min_side: int = 1, max_side: int = 5) -> st.SearchStrategy[Shape]:
    """Shapes of `ndim` sides, each from min_side to max_side; shrinks to min_side everywhere."""
    sides = {f"side{i}": (min_side, max_side) for i in range(ndim)}
    return numbers(**sides).map(lambda drawn: tuple(drawn.values()))


def whole_arrays(shape: Shape | st.SearchStrategy[Shape]) -> st.SearchStrategy[Array]:
    """Float64 arrays of whole numbers from -128 to 127, uniform; shrink to zeros, then ones."""
    return _arrays(shape, lambda seed, shape: whole("", seed, shape))


def real_arrays(
    shape: Shape | st.SearchStrategy[Shape], *, low: float = -4.0, high: float = 4.0
) -> st.SearchStrategy[Array]:
    """Float64 arrays of evenly spaced numbers from low to below high; shrink towards zero, then one."""
    if not low < high:
        raise ValueError(f"low should be less than high, but got low={low}, high={high}")

    def values(seed: int, shape: Shape) -> Array:
        if seed < 2:
            return np.full(shape, min(max(float(seed), low), high))
        steps = (whole("", seed, shape) + 128) * 4 + whole("finer", seed, shape) % 4
        return np.asarray(low + (high - low) * steps / 1024)

    return _arrays(shape, values)


def tied_arrays(shape: Shape | st.SearchStrategy[Shape]) -> st.SearchStrategy[Array]:
    """Float64 arrays of -1, 0 and 1, in which many entries are equal; shrink to zeros, then ones."""
    return _arrays(shape, tied)


def spaced_arrays(shape: Shape | st.SearchStrategy[Shape], *, gap: int = 257) -> st.SearchStrategy[Array]:
    """Float64 arrays whose entries differ by at least `gap` from each other and gap/2 from zero.

    No step shorter than gap/2 changes which of two entries is larger, or an entry's sign: no kink
    of a maximum or a ReLU is crossed. Shrink to entries in ascending order.
    """
    return whole_arrays(shape).map(lambda array: spaced(array, gap))


def tied(seed: int, shape: Shape) -> Array:
    """Return -1, 0 or 1 in every entry."""
    return np.where(seed < 2, whole("", seed, shape), whole("tied", seed, shape) % 3 - 1)


def spaced(array: Array, gap: float) -> Array:
    """Return numbers in the same order and of the same signs (0 as +), at least `gap` apart.

    Each is an odd multiple of gap/2 and so at least gap/2 from zero; equal entries become
    ascending in row-major order.
    """
    order = np.argsort(array, axis=None, kind="stable")
    rank = np.empty(array.size)
    rank[order] = np.arange(array.size) - np.count_nonzero(array < 0)
    return ((rank + 0.5) * gap).reshape(array.shape)


def ordered(array: Array) -> Array:
    """Return small whole numbers in the same order and of the same signs (0 as +), all different, none of them 0.

    Equal entries become ascending in row-major order.
    """
    ranks = np.empty(array.size)
    ranks[np.argsort(array, axis=None, kind="stable")] = np.arange(array.size) - np.count_nonzero(array < 0)
    return np.where(ranks < 0, ranks, ranks + 1).reshape(array.shape)


LAYOUTS: Mapping[str, Callable[[Array], Array]] = {
    "in Fortran order": lambda a: np.array(a, order="F"),
    "with negative strides": lambda a: a[..., ::-1].copy()[..., ::-1] if a.ndim and a.shape[-1] > 1 else a.copy(),
    "as a slice of a larger array": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a.copy(),
    "as every second image of a larger array": lambda a: np.repeat(a, 2, axis=0)[::2] if a.ndim else a.copy(),
    "read-only": lambda a: _read_only(a.copy()),
    "with zero strides (broadcast)": lambda a: np.broadcast_to(a[..., :1], a.shape) if a.ndim else a.copy(),
}
"""Other memory layouts, by what a failure calls them; all but the last keep the values."""


def layouts(array: Array) -> st.SearchStrategy[Array]:
    """Arrays equal to this one in other memory layouts: Fortran order, negative strides, read-only, ..."""
    same_values = list(LAYOUTS.values())[:-1]
    return st.sampled_from(same_values).map(lambda layout: layout(array))


def cases(settings: Mapping[str, st.SearchStrategy[Any]] | None = None, **arrays: Any) -> st.SearchStrategy[Case]:
    """Cases of these arrays and settings, each drawn on its own: cases(x=real_arrays(shapes(2))).

    Where shapes hang together, a composite strategy draws them and returns draw(cases(x=..., W=...)).
    """
    return st.builds(
        lambda arrays, settings, drawn: Case(arrays, settings, drawn["seed"]),
        st.fixed_dictionaries(arrays),
        st.fixed_dictionaries(dict(settings or {})),
        numbers(seed=SEEDS),
    )


def _arrays(shape: Shape | st.SearchStrategy[Shape], values: Callable[[int, Shape], Array]) -> st.SearchStrategy[Array]:
    if isinstance(shape, st.SearchStrategy):
        return st.builds(lambda drawn, sides: values(drawn["seed"], sides), numbers(seed=SEEDS), shape)
    return numbers(seed=SEEDS).map(lambda drawn: values(drawn["seed"], shape))


def _read_only(array: Array) -> Array:
    array.setflags(write=False)
    return array
