"""The assignment's max-pooling: square windows of pool_size entries a side, one every stride entries."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Array, Case
from verification.choices import Choices, batch, counts, inner, side
from verification.explain.changes import zeroed
from verification.explain.knobs import Mistake, formula_knob, input_knob
from verification.references import maximum, maximum_gradient
from verification.spec import LayerSpec
from verification.specs.pooling_nd import (
    gradient_conserves_the_upstream_sum,
    shared_by_the_largest,
    values_of_kind,
)
from verification.specs.refused import backprop_of, forward_of, shorter_than
from verification.strategies import SEEDS, numbers
from verification.trial import Trial


def max_pooling(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a max-pooling layer.

    implementation(stride, pool_size) makes the layer: the class itself or a function. Where several
    entries of a window are the largest, backprop may split dLdy over them in any way (first, last,
    evenly), but not give all of it to each.
    Keywords restrict what is tried (`verification.choices`): stride, pool_size, batch, channels, width and height of
    the image; square=True.
    """
    choices = Choices("max_pooling", only, CHOICES, TWINS, make=implementation)
    spec = LayerSpec(
        name="max_pooling",
        make=implementation,
        cases=choices.cases(sized),
        reference=maximum,
        piecewise_linear=True,
        terms=lambda **_: 1,
        usual=usual_cases(),
        realistic=choices.realistic(sized, **REALISTIC),
        bad_arguments=BAD_ARGUMENTS,
        properties=(
            gradient_is_a_subgradient,
            gradient_conserves_the_upstream_sum,
            is_monotone,
        ),
        gradient=maximum_gradient,
        mistakes=MISTAKES,
        conditions=sizes_divide,
    )
    return choices.applied(spec)


CHOICES = {
    "batch": batch(1, 3), "channels": side(1, 1, 3), "pool_size": counts(1, 4), "stride": counts(1, 4),
    "extra_width": inner(0, 6), "extra_height": inner(0, 6), "values": inner(0, 2), "width": side(2),
    "height": side(3),
}  # fmt: skip
TWINS = (("extra_width", "extra_height"), ("width", "height"))
REALISTIC = {
    "batch": 8, "channels": 3, "pool_size": 2, "stride": 2, "extra_width": 30, "extra_height": 30, "values": 0,
}  # fmt: skip


def max_pooling_cases() -> st.SearchStrategy[Case]:
    """Cases with windows that overlap, touch or leave gaps, sizes that do not divide, ties and negative x."""
    return Choices("max_pooling", {}, CHOICES).cases(sized)


def sized(
    batch: int, channels: int, pool_size: int, stride: int, extra_width: int, extra_height: int, values: int,
    seed: int, width: int | None = None, height: int | None = None,
) -> Case | None:  # fmt: skip
    """Return the case of this size, the image's own where it is given; None if the window does not fit into it."""
    more = (
        extra_width if width is None else width - pool_size,
        extra_height if height is None else height - pool_size,
    )
    return case(batch, channels, pool_size, stride, *more, values, seed) if min(more) >= 0 else None


@cache  # one object: what was drawn from it is kept
def usual_cases() -> st.SearchStrategy[Case]:
    """Cases near the assignment's: windows of 2 x 2 or 3 x 3 that touch, or nearly so, and mostly fill the image."""

    def near(drawn: dict[str, int]) -> Case:
        pool, stride = drawn["pool_size"], drawn["pool_size"] if drawn["touching"] else drawn["stride"]
        across, down = (drawn[side] * stride + (drawn["rest"] == 3) for side in ("across", "down"))
        return case(drawn["images"], drawn["channels"], pool, stride, across, down, 0, drawn["seed"])

    return numbers(
        images=(1, 3), channels=(1, 3), pool_size=(2, 3), stride=(1, 3), touching=(0, 3), across=(0, 2), down=(0, 2),
        rest=(0, 3), seed=SEEDS,
    ).map(near)  # fmt: skip


def case(
    images: int, channels: int, pool_size: int, stride: int, extra_width: int, extra_height: int,
    values: int, seed: int,
) -> Case:  # fmt: skip
    """Return the case of this size, with x drawn from the seed: any whole numbers, ties, or all negative."""
    shape = (images, channels, pool_size + extra_width, pool_size + extra_height)
    return Case(
        arrays={"x": values_of_kind(shape, values, seed)},
        settings={"stride": stride, "pool_size": pool_size},
        seed=seed,
    )


def sizes_divide(case: Case) -> dict[str, bool]:
    """Return whether the windows cover the image to its edges, so that nothing is left over."""
    stride, pool = case.settings["stride"], case.settings["pool_size"]
    return {"the windows fill the image": all((side - pool) % stride == 0 for side in case.arrays["x"].shape[2:])}


def gradient_is_a_subgradient(trial: Trial) -> None:
    """With dLdy at one window an image: dLdx >= 0 where its entries are the largest, 0 elsewhere, sum dLdy.

    Any such dLdx is a convex split of dLdy over the tied entries and so a subgradient of the maximum.
    """
    if trial.declares_dLdy:
        return  # it needs one of its own
    y, stride, pool = trial.y, trial.case.settings["stride"], trial.case.settings["pool_size"]
    i, j = trial.pick("window", np.ndindex(y.shape[2:]))
    dLdy = np.zeros(y.shape)
    dLdy[:, :, i, j] = 1 + abs(trial.whole("dLdy of one window", y.shape[:2]))
    window = np.s_[:, :, i * stride : i * stride + pool, j * stride : j * stride + pool]
    most = y[:, :, i : i + 1, j : j + 1]
    shared_by_the_largest(trial, dLdy, window, most, f" for dLdy at window [{i}, {j}] only")


def is_monotone(trial: Trial) -> None:
    """forward(x + d) >= forward(x) for d >= 0."""
    larger = trial.x + abs(trial.whole("d", trial.x.shape))
    layer = trial.layer()
    before = trial.expect_shape("forward(x)", layer.forward(trial.x), trial.y.shape)
    after = trial.expect_shape("forward(x + d)", layer.forward(larger), trial.y.shape)
    less, shows = np.minimum(after, before), trial.expression(after)
    trial.compare("forward(x + d)", less, before, ": it is less than forward(x)", label="y", shows=shows)


BAD_ARGUMENTS = (
    forward_of("forward, x of rank 3", lambda case: case.arrays["x"][0]),
    forward_of("forward, x narrower than the pool", shorter_than("pool_size", 2)),
    forward_of("forward, x lower than the pool", shorter_than("pool_size", 3)),
    backprop_of("backprop, dLdy larger than x", lambda case: np.pad(case.arrays["x"], 1)),
)  # fmt: skip


# Knobs

Sides = Callable[[int, int], tuple[int, int]]
"""Of the stride and the pool size: the length along the width, and that along the height."""

Entry = Callable[[Array], Array]
"""Of windows (n, c, w, h): one number each, (n, c)."""

Shares = Callable[[Array], Array]
"""Of windows (n, c, w, h): the share of dLdy of each of their entries, (n, c, w, h)."""

Counts = Callable[[tuple[int, int], tuple[int, int], tuple[int, int]], tuple[int, int]]
"""Of the sides of x, the steps and the sides of a window: how many windows there are along each side."""


def _strides(stride: int, _pool: int) -> tuple[int, int]:
    return stride, stride


def _pools(_stride: int, pool: int) -> tuple[int, int]:
    return pool, pool


def _always(length: int) -> Sides:
    return lambda _stride, _pool: (length, length)


def _largest(window: Array) -> Array:
    return np.asarray(window.max(axis=(2, 3)))


def _fitting(sides: tuple[int, int], steps: tuple[int, int], window: tuple[int, int]) -> tuple[int, int]:
    return (sides[0] - window[0]) // steps[0] + 1, (sides[1] - window[1]) // steps[1] + 1


def _each_side(count: Callable[[int, int, int], int]) -> Counts:
    """Return the number of windows along each side: of the side, the step and the side of a window."""
    return lambda sides, steps, window: (
        count(sides[0], steps[0], window[0]), count(sides[1], steps[1], window[1])
    )  # fmt: skip


def _pooled(
    trial: Trial,
    entry: Entry = _largest,
    step: Sides = _strides,
    size: Sides = _pools,
    count: Counts = _fitting,
    frame: float | None = None,
    *,
    strict: bool = False,
) -> Array | None:
    """Return y (n, c, w, h): an entry of each window of this size, one every step, as many as counted.

    Windows that reach beyond x hold the number of a frame there, or are cut off where there is none. None if nothing
    is left of one, or where any is cut off and it is `strict`.
    """
    stride, pool = trial.case.settings["stride"], trial.case.settings["pool_size"]
    steps, sides = step(stride, pool), size(stride, pool)
    if min(*steps, *sides) < 1:  # two mistakes that leave no window
        return None
    w, h = count((trial.x.shape[2], trial.x.shape[3]), steps, sides)
    if strict and (min(w, h) < 1 or trial.x.shape[2] < sides[0] or trial.x.shape[3] < sides[1]):
        return None
    x, y = trial.x, np.zeros((*trial.x.shape[:2], max(0, w), max(0, h)))
    if frame is not None:
        x = np.pad(
            x, [(0, 0), (0, 0), (0, w * steps[0] + sides[0]), (0, h * steps[1] + sides[1])], constant_values=frame
        )
    for i, j in np.ndindex(y.shape[2:]):
        window = x[_place(i, j, steps, sides)]
        if window.size == 0 or (strict and window.shape[2:] != sides):
            return None
        y[:, :, i, j] = entry(window)
    return y


def _place(i: int, j: int, steps: tuple[int, int], sides: tuple[int, int]) -> tuple[slice, ...]:
    top, left = i * steps[0], j * steps[1]
    return np.s_[:, :, top : top + sides[0], left : left + sides[1]]


def _first(window: Array) -> Array:
    """Return 1 at the first largest entry of each window, 0 elsewhere."""
    return _at(window.reshape(*window.shape[:2], -1).argmax(axis=2), window)


def _at(number: Array, window: Array) -> Array:
    """Return 1 at the entry of this number in each window, 0 elsewhere."""
    chosen = number[..., None] == np.arange(window.shape[2] * window.shape[3])
    return np.asarray(chosen.reshape(window.shape), float)


def _all_largest(window: Array) -> Array:
    return np.asarray(window == window.max(axis=(2, 3), keepdims=True), float)


def _alone(window: Array) -> Array:
    largest = _all_largest(window)
    return np.where(largest.sum(axis=(2, 3), keepdims=True) == 1, largest, 0)


def _even(window: Array) -> Array:
    return np.full(window.shape, 1 / window[0, 0].size)


def _of_first_channel(window: Array) -> Array:
    return np.repeat(_first(window[:, :1]), window.shape[1], axis=1)


def _of_first_image(window: Array) -> Array:
    return np.repeat(_first(window[:1]), len(window), axis=0)


def _of_row_and_column(row_of: Callable[[Array], Array], column_of: Callable[[Array], Array]) -> Shares:
    """Return the share of the entry whose row and whose column are looked for apart."""
    return lambda window: _at(row_of(window) * window.shape[3] + column_of(window), window)


def _routed(
    trial: Trial,
    share: Shares = _first,
    step: Sides = _strides,
    size: Sides = _pools,
    place: Sides | None = None,
    split: Sides | None = None,
    keep: str = "sum",
    *,
    strict: bool = False,
) -> Array | None:
    """Return dLdx where the entries of each window have these shares of dLdy; None where one lies beyond x.

    step, size   of the windows; those that reach beyond x are cut off, or lead nowhere if it is `strict`
    place        the step between the places where the shares are put, if it is another one
    split        what the number of an entry in its window is divided by, if not by the window's width
    keep         of an entry of several windows: the "sum", the "last" share, or what is left by the last "window",
                 or by the "first window"
    """
    stride, pool = trial.case.settings["stride"], trial.case.settings["pool_size"]
    steps, sides = step(stride, pool), size(stride, pool)
    places = place(stride, pool) if place else steps
    dLdx: Array = np.zeros(trial.x.shape)
    for i, j in sorted(np.ndindex(trial.dLdy.shape[2:]), reverse=keep == "first window"):
        window = trial.x[_place(i, j, steps, sides)]
        if window.size == 0 or (strict and window.shape[2:] != sides):
            return None
        shares = share(window)
        if shares.shape != window.shape:
            return None
        width = split(stride, pool)[1] if split else len(window[0, 0, 0])
        for number in map(int, np.flatnonzero(shares.any(axis=(0, 1)) | keep.endswith("window"))):
            row, column = i * places[0] + number // width, j * places[1] + number % width
            if row >= dLdx.shape[2] or column >= dLdx.shape[3]:
                return None
            part = shares.reshape(*shares.shape[:2], -1)[:, :, number]
            there, given = dLdx[:, :, row, column], part * trial.dLdy[:, :, i, j]
            kept = {"sum": there, "last": np.where(part, 0, there), "window": 0, "first window": 0}[keep]
            dLdx[:, :, row, column] = kept + given
    return dLdx


def _first_and_last(window: Array) -> Array:
    """Return 1 for the first and the last of the largest entries."""
    return np.maximum(_first(window), _first(window[..., ::-1, ::-1])[..., ::-1, ::-1])


MASKED = "dLdy goes to every entry of the image that is as large as that of its window: look in the window only"


def _masked(trial: Trial) -> Array:
    """Return dLdx where all entries of a channel that equal the largest of a window take its dLdy."""
    dLdx = np.zeros(trial.x.shape)
    for i, j in np.ndindex(trial.dLdy.shape[2:]):
        dLdx += (trial.x == trial.y[:, :, i : i + 1, j : j + 1]) * trial.dLdy[:, :, i : i + 1, j : j + 1]
    return dLdx


def _mask(trial: Trial) -> Array:
    """Return 1 where an entry is the first largest of any window, 0 elsewhere."""
    dLdx = np.zeros(trial.x.shape)
    for i, j in np.ndindex(trial.dLdy.shape[2:]):
        stride, pool = trial.case.settings["stride"], trial.case.settings["pool_size"]
        place = _place(i, j, (stride, stride), (pool, pool))
        dLdx[place] = np.maximum(dLdx[place], _first(trial.x[place]))
    return dLdx


def _tiled(trial: Trial) -> Array | None:
    """Return y of windows side by side, made by a reshape; None where they do not fill x."""
    pool = trial.case.settings["pool_size"]
    if trial.x.shape[2] % pool or trial.x.shape[3] % pool:
        return None
    return _pooled(trial, step=_pools)


def _repeated(times: Callable[[Trial], int], trial: Trial) -> Array | None:
    """Return dLdx where y and dLdy are repeated so many times along both axes and held against x."""
    y, u = (np.repeat(np.repeat(array, times(trial), 2), times(trial), 3) for array in (trial.y, trial.dLdy))
    return np.asarray((trial.x == y) * u) if _broadcast(trial.x, u) else None


def _repeated_and_shared(times: Callable[[Trial], int], trial: Trial) -> Array | None:
    """Return the same, divided by how many entries of each block are as large; 0 / 0 where none is."""
    result, k = _repeated(times, trial), times(trial)
    if result is None or result.shape[2] % k or result.shape[3] % k:
        return None
    y = np.repeat(np.repeat(trial.y, k, 2), k, 3)
    blocks = (trial.x == y).reshape(*result.shape[:2], result.shape[2] // k, k, result.shape[3] // k, k)
    number = blocks.sum(axis=(3, 5))
    return np.asarray(result / np.repeat(np.repeat(number, k, 2), k, 3))


def _broadcast(one: Array, other: Array) -> bool:
    return all(a in (1, b) or b == 1 for a, b in zip(one.shape, other.shape, strict=True))


def _side_by_side(times: Callable[[Trial], int], trial: Trial) -> Array | None:
    """Return the windows' shares of 1 put side by side, times dLdy repeated so many times along both axes."""
    pool = trial.case.settings["pool_size"]
    w, h = trial.dLdy.shape[2:]
    tiles = np.zeros((*trial.x.shape[:2], w * pool, h * pool))
    for i, j in np.ndindex(w, h):
        window = trial.x[_place(i, j, (trial.case.settings["stride"],) * 2, (pool, pool))]
        tiles[_place(i, j, (pool, pool), (pool, pool))] = _first(window)
    u = np.repeat(np.repeat(trial.dLdy, times(trial), 2), times(trial), 3)
    return tiles * u if _broadcast(tiles, u) else None


def _short(axes: tuple[int, ...], trial: Trial) -> dict[str, Array] | None:
    """Return dLdy without its last row (column) where the windows fill x: loops that end at width - pool_size."""
    return {"dLdy": zeroed(trial.dLdy, _filled(axes, trial))}


def _filled(axes: tuple[int, ...], trial: Trial) -> tuple[tuple[int, int], ...]:
    """Return the last place along these axes, of those along which the windows fill x."""
    stride, pool = trial.case.settings["stride"], trial.case.settings["pool_size"]
    return tuple((axis, -1) for axis in axes if (trial.x.shape[axis] - pool) % stride == 0)


def _of_whole_image(trial: Trial) -> Array:
    return np.broadcast_to(trial.x.max(axis=(2, 3), keepdims=True), trial.y.shape)


def _last_left_out(axes: tuple[int, ...], trial: Trial) -> Array:
    """Return y of which the last row (column) stays 0 where the windows fill x: loops end at width - pool_size."""
    return zeroed(trial.y, _filled(axes, trial))


def _pool_of(trial: Trial) -> int:
    return int(trial.case.settings["pool_size"])


def _two(_trial: Trial) -> int:
    return 2


STEPS: list[tuple[str, Sides]] = [
    ("windows start every pool_size entries, whatever the stride", _pools),
    ("windows start every 2 entries, whatever the stride", _always(2)),
    ("windows start every entry, whatever the stride", _always(1)),
    ("windows start every 3 entries, whatever the stride", _always(3)),
    ("windows start every pool_size rows, whatever the stride", lambda stride, pool: (pool, stride)),
    ("windows start every pool_size columns, whatever the stride", lambda stride, pool: (stride, pool)),
    ("windows start every row, whatever the stride", lambda stride, _: (1, stride)),
    ("windows start every column, whatever the stride", lambda stride, _: (stride, 1)),
    ("windows start every 2 rows, whatever the stride", lambda stride, _: (2, stride)),
    ("windows start every 2 columns, whatever the stride", lambda stride, _: (stride, 2)),
]
SIZES: list[tuple[str, Sides]] = [
    *((f"windows are {k} x {k}, whatever pool_size is", _always(k)) for k in (2, 3, 1)),
    *((f"windows are {k} rows high, whatever pool_size is", lambda _, pool, k=k: (k, pool)) for k in (2, 3, 1)),
    *((f"windows are {k} columns wide, whatever pool_size is", lambda _, pool, k=k: (pool, k)) for k in (2, 3, 1)),
    ("windows are stride x stride, whatever pool_size is", _strides),
    ("windows are one entry too small: pool_size - 1", lambda _, pool: (pool - 1, pool - 1)),
    ("windows are one row too short: pool_size - 1", lambda _, pool: (pool - 1, pool)),
    ("windows are one column too narrow: pool_size - 1", lambda _, pool: (pool, pool - 1)),
    ("windows are one entry too large: pool_size + 1", lambda _, pool: (pool + 1, pool + 1)),
]
ENTRIES: list[tuple[str, Entry]] = [
    ("the smallest entry of each window, not the largest", lambda window: window.min(axis=(2, 3))),
    ("the mean of each window, not the largest entry", lambda window: window.mean(axis=(2, 3))),
    ("the sum of each window, not the largest entry", lambda window: window.sum(axis=(2, 3))),
    ("the entry that is largest in size, whatever its sign",
     lambda window: np.sum(window * _first(abs(window)), axis=(2, 3))),
    ("the largest absolute value, not the largest entry", lambda window: abs(window).max(axis=(2, 3))),
    ("the first entry of each window, not the largest", lambda window: window[:, :, 0, 0]),
    ("the last entry of each window, not the largest", lambda window: window[:, :, -1, -1]),
    ("the largest entry of the first row of each window", lambda window: window[:, :, 0].max(axis=2)),
    ("the largest entry of the first column of each window", lambda window: window[..., 0].max(axis=2)),
    ("the second largest entry of each window, not the largest",
     lambda window: np.sort(window.reshape(*window.shape[:2], -1))[..., -2:][..., 0]),
    ("the largest entry of all channels, not of each",
     lambda window: window.max(axis=(1, 2, 3))[:, np.newaxis] + np.zeros(window.shape[:2])),
    ("the largest entry of all images, not of each",
     lambda window: window.max(axis=(0, 2, 3)) + np.zeros(window.shape[:2])),
    ("the square root of the sum of squares of each window", lambda window: np.sqrt((window**2).sum(axis=(2, 3)))),
    ("the median of each window, not the largest entry", lambda window: np.median(window, axis=(2, 3))),
]  # fmt: skip
FITTING = "it should be (width - pool_size) // stride + 1"
COUNTS: list[tuple[str, str, Counts]] = [
    ("output-size", f"y has width // pool_size rows; {FITTING}", _each_side(lambda side, _, size: side // size)),
    ("output-size", f"y has width // stride rows; {FITTING}", _each_side(lambda side, step, _: side // step)),
    ("output-size", "y has (width - pool_size) // stride rows: one more belongs, + 1",
     _each_side(lambda side, step, size: (side - size) // step)),
    ("output-size", f"y has (width - pool_size) / stride + 1 rows, rounded up; {FITTING}",
     _each_side(lambda side, step, size: -((size - side) // step) + 1)),
    ("output-size", f"y has width / stride rows, rounded up; {FITTING}",
     _each_side(lambda side, step, _: -(-side // step))),
    ("output-size", f"y has width - pool_size + 1 rows; {FITTING}", _each_side(lambda side, _, size: side - size + 1)),
    ("size-from-width", "y has as many columns as rows: its height is taken from the width",
     lambda sides, steps, window: (_fitting(sides, steps, window)[0],) * 2),
    ("size-from-width", "y has as many rows as columns: its width is taken from the height",
     lambda sides, steps, window: (_fitting(sides, steps, window)[1],) * 2),
]  # fmt: skip
TO: list[tuple[str, str, Shares]] = [
    ("wrong-operation", "dLdx spreads dLdy over the whole window, as for a mean: the largest takes all", _even),
    ("wrong-operation", "dLdx gives dLdy to every entry of the window: only the largest takes it", np.ones_like),
    ("axes-swapped", "dLdy goes to the place mirrored at the window's diagonal: swap row and column",
     lambda window: _first(window).swapaxes(2, 3)),
    ("wrong-operation", "dLdy goes to the place mirrored at the window's center, not to the largest entry",
     lambda window: _first(window)[..., ::-1, ::-1]),
    ("wrong-operation", "dLdy goes to the smallest entry of each window, not to the largest",
     lambda window: _first(-window)),
    ("wrong-operation", "dLdy goes to the entry that is largest in size, whatever its sign: leave out abs",
     lambda window: _first(abs(window))),
    ("wrong-operation", "dLdy goes to the first entry of each window, not to the largest",
     lambda window: _at(np.zeros(window.shape[:2], int), window)),
    ("wrong-operation", "dLdy goes to the last entry of each window, not to the largest",
     lambda window: _at(np.full(window.shape[:2], window[0, 0].size - 1), window)),
    ("channels-mixed", "the place of the largest is that of the first channel, for all channels: look in each",
     _of_first_channel),
    ("batch-mixed", "the place of the largest is that of the first image, for all images: look in each",
     _of_first_image),
    ("wrong-operation", "the column of the largest is looked for in the window's first row only",
     _of_row_and_column(lambda w: w.max(axis=3).argmax(axis=2), lambda w: w[:, :, 0].argmax(axis=2))),
    ("wrong-operation", "the row of the largest is looked for in the window's first column only",
     _of_row_and_column(lambda w: w[..., 0].argmax(axis=2), lambda w: w.max(axis=2).argmax(axis=2))),
    ("wrong-operation", "row and column of the largest are looked for in the window's first column and first row only",
     _of_row_and_column(lambda w: w[..., 0].argmax(axis=2), lambda w: w[:, :, 0].argmax(axis=2))),
    ("axes-swapped", "the row of the largest is taken for its column too",
     _of_row_and_column(lambda w: w.max(axis=3).argmax(axis=2), lambda w: w.max(axis=3).argmax(axis=2))),
    ("axes-swapped", "the column of the largest is taken for its row too",
     _of_row_and_column(lambda w: w.max(axis=2).argmax(axis=2), lambda w: w.max(axis=2).argmax(axis=2))),
    ("wrong-operation", "row and column of the largest are those of the largest sums in the window",
     _of_row_and_column(lambda w: w.sum(axis=3).argmax(axis=2), lambda w: w.sum(axis=2).argmax(axis=2))),
]  # fmt: skip
SPLITS: list[tuple[str, Sides]] = [
    *((f"the place of the largest is split by {k} (// {k} and % {k}), whatever pool_size is", _always(k))
      for k in (2, 3)),
    ("the place of the largest is split by the stride: split by pool_size", _strides),
]  # fmt: skip
OVERLAP = "windows overlap, and each overwrites dLdx where it should add: += for ="

MISTAKES = (
    Mistake("zero-start", "y", "the maximum starts at 0, so windows of negative entries give 0: start at -inf",
            lambda trial: np.maximum(trial.y, 0)),
    *(formula_knob("wrong-operation", "y", f"y holds {said}", _pooled, entry=entry) for said, entry in ENTRIES),
    formula_knob("hard-coded-stride", "y",
            "windows lie side by side, whatever the stride, and have to fill x, as a reshape makes them",
            _tiled),
    *(formula_knob(family, "y", said, _pooled, count=count, **framed)
      for family, said, count in COUNTS for framed in ({}, {"frame": -np.inf}, {"frame": 0.0})),
    *(formula_knob("hard-coded-size", "y", said, _pooled, size=size) for said, size in SIZES),
    *(formula_knob("hard-coded-stride", "y", said, _pooled, step=step) for said, step in STEPS),
    formula_knob("hard-coded-size", "y", "windows are 2 x 2, side by side, whatever pool_size and stride are",
                 _pooled, size=_always(2), step=_always(2)),
    formula_knob("axes-swapped", "y", "stride and pool_size are swapped: the constructor takes the stride first",
                 _pooled, size=_strides, step=_pools),
    Mistake("wrong-operation", "y", "y holds the largest entry of the whole image, not of each window",
            _of_whole_image),
    *(input_knob("border-missing", "dLdx", f"{said} not visited where windows fill x: the loops end too early",
                 partial(_short, axes))
      for said, axes in (("the last row and column of dLdy are", (2, 3)), ("the last row of dLdy is", (2,)),
                         ("the last column of dLdy is", (3,)))),
    *(Mistake("border-missing", "y", f"{said} 0 where windows fill x: the loops end too early",
              partial(_last_left_out, axes))
      for said, axes in (("the last row and column of y stay", (2, 3)), ("the last row of y stays", (2,)),
                         ("the last column of y stays", (3,)))),
    Mistake("upstream-ignored", "dLdx",
            "dLdx only marks the largest entries with 1: multiply by dLdy, and add where windows overlap", _mask),
    formula_knob("not-accumulated", "dLdx", OVERLAP, _routed, keep="window"),
    formula_knob("not-accumulated", "dLdx",
                 "an entry that is the largest of several windows gets one dLdy only: add them", _routed, keep="last"),
    formula_knob("not-accumulated", "dLdx", "windows overlap, and += with arrays of indices keeps the last of"
                 " those that are equal: use np.add.at, or add in a loop", _routed, keep="first window"),
    *(formula_knob("hard-coded-stride", "dLdx", f"dLdy goes to the place of the largest in its window, as if that"
                   f" began at {where} of x: add i * stride", _routed, place=place)
      for where, place in (("the first row and column", _always(0)), ("the first row", lambda stride, _: (0, stride)),
                           ("the first column", lambda stride, _: (stride, 0)))),
    *(formula_knob("hard-coded-stride", "dLdx", said, _routed, **parts)
      for said, step in STEPS for parts in ({"step": step}, {"step": step, "split": _pools}, {"place": step})),
    *(formula_knob("hard-coded-size", "dLdx", said, _routed, **parts)
      for said, size in SIZES for parts in ({"size": size}, {"size": size, "split": size})),
    *(formula_knob("hard-coded-size", "dLdx", said, _routed, split=split) for said, split in SPLITS),
    *(formula_knob(family, "dLdx", said, _routed, share=share) for family, said, share in TO),
    formula_knob("hard-coded-size", "dLdx", "windows are 2 x 2, side by side, whatever pool_size and stride are",
                 _routed, size=_always(2), step=_always(2)),
    formula_knob("axes-swapped", "dLdx", "stride and pool_size are swapped: the constructor takes the stride first",
                 _routed, size=_strides, step=_pools),
    formula_knob("axes-swapped", "dLdx", "stride and pool_size are swapped: the constructor takes the stride first",
                 _routed, size=_strides, step=_pools, split=_strides),
    *(formula_knob("hard-coded-stride", "dLdx", f"dLdy is repeated {word} times along both axes, which fits only"
                   " windows of that size, side by side, that fill x", partial(formula, times))
      for formula in (_repeated, _repeated_and_shared, _side_by_side)
      for word, times in (("2", _two), ("pool_size", _pool_of))),
    Mistake("full-gradient-to-ties", "dLdx at ties",
            "where several entries are the largest each takes all of dLdy: choose one, or share it",
            partial(_routed, share=_all_largest)),
    Mistake("no-gradient-to-ties", "dLdx at ties", "where several entries are the largest none takes dLdy",
            partial(_routed, share=_alone)),
    Mistake("full-gradient-to-ties", "dLdx at ties", MASKED, _masked),
    Mistake("full-gradient-to-ties", "dLdx at ties", "the first and the last of the largest entries each take all of"
            " dLdy: choose one", partial(_routed, share=_first_and_last)),
    Mistake("wrong-operation", "dLdx at ties", "dLdx spreads dLdy over the whole window, as for a mean",
            partial(_routed, share=_even)),
)  # fmt: skip
"""What people get wrong in max-pooling; which of them a layer makes is told by what it gives."""
