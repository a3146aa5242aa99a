"""The assignment's max-pooling: square windows of pool_size entries a side, one every stride entries."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, counts, inner, side
from verification.explain.knobs import Mistake
from verification.references import maximum, maximum_gradient
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, shorter_than
from verification.strategies import SEEDS, numbers, tied
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


@cache  # one object: what was drawn from it is kept
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


@cache
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
    x = (whole("x", seed, shape), tied(seed, shape), -1 - abs(whole("x", seed, shape)))[values]
    return Case(arrays={"x": x}, settings={"stride": stride, "pool_size": pool_size}, seed=seed)


def sizes_divide(case: Case) -> dict[str, bool]:
    """Return whether the windows cover the image to its edges, so that nothing is left over."""
    stride, pool = case.settings["stride"], case.settings["pool_size"]
    return {"the windows fill the image": all((side - pool) % stride == 0 for side in case.arrays["x"].shape[2:])}


def gradient_is_a_subgradient(trial: Trial) -> None:
    """With dLdy at one window an image: dLdx >= 0 where its entries are the largest, 0 elsewhere, sum dLdy.

    Any such dLdx is a convex split of dLdy over the tied entries and so a subgradient of the maximum.
    """
    x, y, stride, pool = trial.x, trial.y, trial.case.settings["stride"], trial.case.settings["pool_size"]
    if trial.declares_dLdy:
        return  # it needs one of its own
    i, j = trial.pick("window", np.ndindex(y.shape[2:]))
    dLdy = np.zeros(y.shape)
    dLdy[:, :, i, j] = 1 + abs(trial.whole("dLdy of one window", y.shape[:2]))
    gradient = trial.expect_shape("dLdx", trial.layer().backprop(x, dLdy)["x"], x.shape)
    window = np.s_[:, :, i * stride : i * stride + pool, j * stride : j * stride + pool]
    allowed = np.zeros(x.shape, bool)
    allowed[window] = x[window] == y[:, :, i : i + 1, j : j + 1]
    where = f" for dLdy at window [{i}, {j}] only"
    elsewhere, negative = np.where(allowed, 0.0, gradient), np.minimum(gradient, 0.0)
    none = np.zeros(x.shape)
    trial.compare("dLdx", elsewhere, none, f"{where}: no largest entry there", shows=trial.expression(gradient))
    trial.compare("dLdx", negative, none, f"{where}: no part may be negative", shows=trial.expression(gradient))
    _same_sums(trial, gradient, dLdy, f"{where}, which the largest entries should share")


def gradient_conserves_the_upstream_sum(trial: Trial) -> None:
    """sum(dLdx) == sum(dLdy), over each image and channel."""
    dLdx = trial.layer().backprop(trial.x, trial.dLdy)["x"]
    _same_sums(trial, trial.expect_shape("dLdx", dLdx, trial.x.shape), trial.dLdy, "")


def is_monotone(trial: Trial) -> None:
    """forward(x + d) >= forward(x) for d >= 0."""
    larger = trial.x + abs(trial.whole("d", trial.x.shape))
    layer = trial.layer()
    before = trial.expect_shape("forward(x)", layer.forward(trial.x), trial.y.shape)
    after = trial.expect_shape("forward(x + d)", layer.forward(larger), trial.y.shape)
    less, shows = np.minimum(after, before), trial.expression(after)
    trial.compare("forward(x + d)", less, before, ": it is less than forward(x)", label="y", shows=shows)


def _same_sums(trial: Trial, dLdx: Array, dLdy: Array, where: str) -> None:
    sums = "{}.sum(axis=(2, 3))"
    trial.compare(
        "the sum of dLdx over each image and channel",
        dLdx.sum(axis=(2, 3)),
        dLdy.sum(axis=(2, 3)),
        where,
        label=sums.format("dLdx"),
        shows=trial.expression(dLdx, sums),
        array="dLdx",
    )


BAD_ARGUMENTS = (
    forward_of("forward, x of rank 3", lambda case: case.arrays["x"][0]),
    forward_of("forward, x narrower than the pool", shorter_than("pool_size", 2)),
    forward_of("forward, x lower than the pool", shorter_than("pool_size", 3)),
    backprop_of("backprop, dLdy larger than x", lambda case: np.pad(case.arrays["x"], 1)),
)  # fmt: skip


def _each_window(trial: Trial, entry: Callable[[Array], Array]) -> Array:
    """Return y with this in place of the largest: entry (n, c, pool_size, pool_size) -> (n, c)."""
    y = np.zeros(trial.y.shape)
    for i, j in np.ndindex(y.shape[2:]):
        y[:, :, i, j] = entry(trial.x[_window(trial, i, j)])
    return y


def _window(trial: Trial, i: int, j: int) -> tuple[slice, ...]:
    stride, pool = trial.case.settings["stride"], trial.case.settings["pool_size"]
    return np.s_[:, :, i * stride : i * stride + pool, j * stride : j * stride + pool]


def _shared(trial: Trial, share: Callable[[Array], Array], *, add: bool = True, whole_window: bool = False) -> Array:
    """Return dLdx with this share (n, c, pool_size, pool_size) of dLdy for the entries of each window.

    Where windows overlap shares are added up, or else the later one stays: where there is one, or all of it.
    """
    dLdx = np.zeros(trial.x.shape)
    for i, j in np.ndindex(trial.dLdy.shape[2:]):
        window = _window(trial, i, j)
        shares = share(trial.x[window])
        part = shares * trial.dLdy[:, :, i, j, None, None]
        dLdx[window] = dLdx[window] + part if add else np.where((shares != 0) | whole_window, part, dLdx[window])
    return dLdx


def _first(window: Array) -> Array:
    """Return 1 at the first largest entry of each window, 0 elsewhere."""
    flat = window.reshape(*window.shape[:2], -1)
    chosen = flat.argmax(axis=2)[..., None] == np.arange(flat.shape[2])
    return np.asarray(chosen.reshape(window.shape), float)


def _largest(window: Array) -> Array:
    return np.asarray(window == window.max(axis=(2, 3), keepdims=True), float)


def _alone(window: Array) -> Array:
    largest = _largest(window)
    return np.where(largest.sum(axis=(2, 3), keepdims=True) == 1, largest, 0)


def _at_stride(stride: Callable[..., int]) -> Callable[[Trial], Array]:
    return lambda trial: maximum(trial.x, stride(trial), trial.case.settings["pool_size"])


def _size_and_stride_swapped(trial: Trial) -> Array | None:
    stride, pool = trial.case.settings["stride"], trial.case.settings["pool_size"]
    return maximum(trial.x, pool, stride) if stride <= min(trial.x.shape[2:]) else None


def _of_size(count: Callable[[int, int, int], int]) -> Callable[[Trial], Array | None]:
    """Return the mistake of another size of y, of which windows that reach beyond x are cut off."""

    def wrong(trial: Trial) -> Array | None:
        stride, pool = trial.case.settings["stride"], trial.case.settings["pool_size"]
        w, h = (count(side, stride, pool) for side in trial.x.shape[2:])
        if w == 0 or h == 0:
            return np.zeros((*trial.x.shape[:2], w, h))
        if max((w - 1) * stride - trial.x.shape[2], (h - 1) * stride - trial.x.shape[3]) >= 0:
            return None
        y = np.zeros((*trial.x.shape[:2], w, h))
        for i, j in np.ndindex(w, h):
            y[:, :, i, j] = trial.x[_window(trial, i, j)].max(axis=(2, 3))
        return y

    return wrong


def _of_pool(pool: int) -> Callable[[Trial], Array | None]:
    return lambda trial: (
        maximum(trial.x, trial.case.settings["stride"], pool) if min(trial.x.shape[2:]) >= pool else None
    )


def _placed(step: Callable[[Trial], int], split: Callable[[Trial], int]) -> Callable[[Trial], Array | None]:
    """Return the mistake of putting dLdy where another step between windows, or side of a window, leads."""

    def wrong(trial: Trial) -> Array | None:
        dLdx = np.zeros(trial.x.shape)
        images, channels = np.indices(trial.x.shape[:2])
        for i, j in np.ndindex(trial.dLdy.shape[2:]):
            window = trial.x[_window(trial, i, j)]
            places = window.reshape(len(window), window.shape[1], -1).argmax(axis=2)
            rows, columns = i * step(trial) + places // split(trial), j * step(trial) + places % split(trial)
            if rows.max() >= trial.x.shape[2] or columns.max() >= trial.x.shape[3]:
                return None
            np.add.at(dLdx, (images, channels, rows, columns), trial.dLdy[:, :, i, j])
        return dLdx

    return wrong


def _searched(step: Callable[[Trial], int]) -> Callable[[Trial], Array | None]:
    """Return the mistake of other windows in backprop, which start every so many entries."""

    def wrong(trial: Trial) -> Array | None:
        pool, dLdx = trial.case.settings["pool_size"], np.zeros(trial.x.shape)
        for i, j in np.ndindex(trial.dLdy.shape[2:]):
            window = np.s_[:, :, i * step(trial) : i * step(trial) + pool, j * step(trial) : j * step(trial) + pool]
            if trial.x[window].size == 0:
                return None
            dLdx[window] += _first(trial.x[window]) * trial.dLdy[:, :, i, j, None, None]
        return dLdx

    return wrong


def _stride(trial: Trial) -> int:
    return int(trial.case.settings["stride"])


def _pool(trial: Trial) -> int:
    return int(trial.case.settings["pool_size"])


def _two(_trial: Trial) -> int:
    return 2


def _last_left_out(trial: Trial) -> Array | None:
    """Return y whose last row and column stay 0 where the windows fill x: loops that end at width - pool_size."""
    stride, pool = trial.case.settings["stride"], trial.case.settings["pool_size"]
    y = trial.y.copy()
    if (trial.x.shape[2] - pool) % stride == 0:
        y[:, :, -1] = 0
    if (trial.x.shape[3] - pool) % stride == 0:
        y[..., -1] = 0
    return y


STEPS = "windows start every pool_size entries, whatever the stride"
MISTAKES = (
    Mistake("zero-start", "y", "the maximum starts at 0, so windows of negative entries give 0: start at -inf",
            lambda trial: np.maximum(trial.y, 0)),
    Mistake("wrong-operation", "y", "y holds the smallest entry of each window, not the largest",
            lambda trial: _each_window(trial, lambda window: window.min(axis=(2, 3)))),
    Mistake("wrong-operation", "y", "y holds the mean of each window, not the largest entry",
            lambda trial: _each_window(trial, lambda window: window.mean(axis=(2, 3)))),
    Mistake("wrong-operation", "y", "y holds the sum of each window, not the largest entry",
            lambda trial: _each_window(trial, lambda window: window.sum(axis=(2, 3)))),
    Mistake("wrong-operation", "y", "y holds the entry that is largest in size, whatever its sign",
            lambda trial: _each_window(trial, lambda window: np.sum(window * _first(abs(window)), axis=(2, 3)))),
    Mistake("wrong-operation", "y", "y holds the largest absolute value, not the largest entry",
            lambda trial: _each_window(trial, lambda window: abs(window).max(axis=(2, 3)))),
    Mistake("wrong-operation", "y", "y holds the first entry of each window, not the largest",
            lambda trial: _each_window(trial, lambda window: window[:, :, 0, 0])),
    Mistake("output-size", "y", "y has width // pool_size rows; it should be (width - pool_size) // stride + 1",
            _of_size(lambda side, stride, pool: side // pool)),
    Mistake("output-size", "y", "y has width // stride rows; it should be (width - pool_size) // stride + 1",
            _of_size(lambda side, stride, pool: side // stride)),
    Mistake("output-size", "y", "y has (width - pool_size) // stride rows: one more belongs, + 1",
            _of_size(lambda side, stride, pool: (side - pool) // stride)),
    Mistake("border-missing", "y", "the last row and column of y stay 0 where windows fill x: the loops end too early",
            _last_left_out),
    Mistake("hard-coded-size", "y", "windows are 2 x 2, whatever pool_size is", _of_pool(2)),
    Mistake("hard-coded-size", "y", "windows are 3 x 3, whatever pool_size is", _of_pool(3)),
    Mistake("hard-coded-stride", "dLdx", STEPS, _placed(_pool, _pool)),
    Mistake("hard-coded-stride", "dLdx", STEPS, _searched(_pool)),
    Mistake("hard-coded-stride", "dLdx", "windows start every 2 entries, whatever the stride", _placed(_two, _pool)),
    Mistake("hard-coded-stride", "dLdx", "windows start every 2 entries, whatever the stride", _searched(_two)),
    Mistake("hard-coded-size", "dLdx",
            "the place of the largest is split by 2 (// 2 and % 2), whatever pool_size is",
            _placed(_stride, _two)),
    Mistake("hard-coded-stride", "y", STEPS,
            _at_stride(lambda trial: int(trial.case.settings["pool_size"]))),
    *(Mistake("hard-coded-stride", "y", f"windows start every {step} entries, whatever the stride",
              _at_stride(lambda _trial, step=step: step)) for step in (2, 1)),
    Mistake("axes-swapped", "y", "stride and pool_size are swapped: the constructor takes the stride first",
            _size_and_stride_swapped),
    Mistake("not-accumulated", "dLdx", "windows overlap, and each overwrites dLdx where it should add: += for =",
            lambda trial: _shared(trial, _first, add=False, whole_window=True)),
    Mistake("not-accumulated", "dLdx", "an entry that is the largest of several windows gets one dLdy only: add them",
            lambda trial: _shared(trial, _first, add=False)),
    Mistake("wrong-operation", "dLdx", "dLdx spreads dLdy over the whole window, as for a mean: the largest takes all",
            lambda trial: _shared(trial, lambda window: np.full(window.shape, 1 / window[0, 0].size))),
    Mistake("axes-swapped", "dLdx", "dLdy goes to the place mirrored at the window's diagonal: swap row and column",
            lambda trial: _shared(trial, lambda window: _first(window).swapaxes(2, 3))),
    Mistake("wrong-operation", "dLdx", "dLdy goes to the smallest entry of each window, not to the largest",
            lambda trial: _shared(trial, lambda window: _first(-window))),
    Mistake("full-gradient-to-ties", "dLdx at ties",
            "where several entries are the largest each takes all of dLdy: choose one, or share it",
            lambda trial: _shared(trial, _largest)),
    Mistake("no-gradient-to-ties", "dLdx at ties", "where several entries are the largest none takes dLdy",
            lambda trial: _shared(trial, _alone)),
    Mistake("wrong-operation", "dLdx at ties", "dLdx spreads dLdy over the whole window, as for a mean",
            lambda trial: _shared(trial, lambda window: np.full(window.shape, 1 / window[0, 0].size))),
)  # fmt: skip
"""What people get wrong in max-pooling; which of them a layer makes is told by what it gives."""
