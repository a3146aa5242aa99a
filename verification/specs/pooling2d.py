"""Two-dimensional pooling as libraries have it: windows, strides and padding by height and width; and over all of x.

Source of the definitions: documentation of torch.nn.MaxPool2d, AvgPool2d and their adaptive forms with output size 1.
"""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import Choice, Choices, batch, counts, inner, one_of, side
from verification.explain.knobs import Mistake
from verification.spec import BadArgument, LayerSpec
from verification.specs.convolution2d import Pair, at_most, fitted, sizes_divide
from verification.specs.refused import backprop_of, forward_of, grown, narrower_than_the_window
from verification.specs.same_padding import takes_same_padding
from verification.strategies import spaced, tied
from verification.trial import Trial


@takes_same_padding(-np.inf, "gradient_conserves_the_upstream_sum", "follows_a_constant_added_to_x")
def max_pooling2d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a max-pooling layer with stride and padding.

    implementation(kernel_size, stride, padding), each a pair (height, width), makes the layer: the class
    itself or a function. Padding is at most half the kernel and counts as minus infinity. x is
    (n, c, h, w), and backprop returns dLdx. Where several entries of a window are the largest, backprop
    may split dLdy over them in any way, but not give all of it to each.
    padding="same" is that of tf.nn.convolution (specs/same_padding.py).
    Keywords restrict what is tried (`verification.choices`): these settings, batch, channels, height, width;
    square=True.
    """
    choices = Choices("max_pooling2d", only, _windows_of(), make=implementation)
    make = partial(max_case, keep=frozenset(choices.only))
    spec = LayerSpec(
        name="max_pooling2d",
        make=implementation,
        cases=choices.cases(make),
        reference=largest,
        piecewise_linear=True,
        terms=lambda **_: 1,
        realistic=choices.realistic(partial(make, largest=10**6), **{**REALISTIC, "padding": (1, 0)}),
        bad_arguments=_bad_arguments(largest),
        properties=(gradient_is_a_subgradient, gradient_conserves_the_upstream_sum, follows_a_constant_added_to_x),
        extremes=choices.cases(make).map(far_below_zero),
        gradient=largest_gradient,
        mistakes=MAX_MISTAKES,
        conditions=sizes_divide,
    )
    return choices.applied(spec)


def average_pooling2d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of an average-pooling layer with stride and padding.

    implementation(kernel_size, stride, padding, count_include_pad) makes the layer: the class itself or a
    function. All but the last are pairs (height, width); padding is at most half the kernel and counts as
    zero, as entries to divide by only where count_include_pad. x is (n, c, h, w), and backprop returns
    dLdx. x, dLdy and directions are multiples of whatever may be divided by, so all averages are whole.
    Keywords restrict what is tried (`verification.choices`): these settings, batch, channels, height, width;
    square=True.
    """
    table = {**_windows_of(most=6 if only.get("dtype") is np.float32 else 12), "count_include_pad": one_of(False, True)}
    choices = Choices("average_pooling2d", only, table, make=implementation)
    make = partial(average_case, keep=frozenset(choices.only))
    spec = LayerSpec(
        name="average_pooling2d",
        make=implementation,
        cases=choices.cases(make),
        reference=average,
        affine_in=("x",),
        terms=lambda kernel_size, **_: math.prod(kernel_size) + 1,
        realistic=choices.realistic(partial(make, largest=10**6), **REALISTIC, count_include_pad=False),
        bad_arguments=_bad_arguments(average),
        properties=(average_of_ones_is_the_part_inside, gradient_conserves_the_upstream_sum_without_padding),
        gradient=average_gradient,
        mistakes=AVERAGE_MISTAKES,
        conditions=sizes_divide,
    )
    return choices.applied(spec)


def global_max_pooling(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a layer that takes the largest entry of each channel, x (n, c, h, w) -> y (n, c).

    implementation() makes the layer. Equal entries may share dLdy in any way, but not each take all of it.
    Keywords restrict what is tried (`verification.choices`): batch, channels, height, width; square=True.
    """
    choices = Choices("global_max_pooling", only, GLOBAL, [("height", "width")], make=implementation)
    spec = LayerSpec(
        name="global_max_pooling",
        make=implementation,
        cases=choices.cases(global_max_case),
        reference=lambda x: np.array([[channel.max() for channel in image] for image in x]),
        piecewise_linear=True,
        terms=lambda **_: 1,
        realistic=choices.realistic(global_max_case, batch=4, channels=8, height=14, width=15, values=0),
        bad_arguments=GLOBAL_BAD_ARGUMENTS,
        properties=(global_gradient_is_a_subgradient, follows_a_constant_added_to_x),
        gradient=_global_largest_gradient,
        mistakes=GLOBAL_MAX_MISTAKES,
    )
    return choices.applied(spec)


def global_average_pooling(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a layer that takes the average of each channel, x (n, c, h, w) -> y (n, c).

    implementation() makes the layer. x, dLdy and directions are multiples of h w, so all averages are whole.
    Keywords restrict what is tried (`verification.choices`): batch, channels, height, width; square=True.
    """
    choices = Choices("global_average_pooling", only, GLOBAL, [("height", "width")], make=implementation)
    spec = LayerSpec(
        name="global_average_pooling",
        make=implementation,
        cases=choices.cases(global_average_case),
        reference=lambda x: np.array([[math.fsum(channel.flat) / channel.size for channel in image] for image in x]),
        affine_in=("x",),
        terms=lambda x, **_: math.prod(x.shape[2:]) + 1,
        realistic=choices.realistic(global_average_case, batch=4, channels=8, height=14, width=15, values=0),
        bad_arguments=GLOBAL_BAD_ARGUMENTS,
        properties=(follows_a_constant_added_to_x, gradient_is_the_same_all_over_a_channel),
        gradient=lambda dLdy, x: {"x": np.multiply.outer(dLdy, np.full(x.shape[2:], 1 / math.prod(x.shape[2:])))},
        mistakes=GLOBAL_AVERAGE_MISTAKES,
    )
    return choices.applied(spec)


# Cases


def _windows_of(most: int | None = None) -> dict[str, Choice]:
    """Return the choices: windows that overlap, touch or leave gaps, and sizes that do not divide.

    `most` is the largest side of a window for which the dtype holds the multiples that have whole averages.
    """
    return {
        "batch": batch(1, 2), "channels": side(1, 1, 2), "kernel_size": counts(1, 4, most=most, axes=2),
        "stride": counts(1, 4, axes=2), "padding": counts(0, 2, least=0, axes=2),
        "extra": inner(0, 5, axes=2), "values": inner(0, 2), "height": side(2), "width": side(3),
    }  # fmt: skip


GLOBAL = {
    "batch": batch(1, 3), "channels": side(1, 1, 3), "height": side(2, 1, 4), "width": side(3, 1, 4),
    "values": inner(0, 2),
}  # fmt: skip
"""Sizes of x, not square, and what its values are like."""

REALISTIC: dict[str, Any] = {
    "batch": 4, "channels": 3, "kernel_size": (3, 2), "stride": (2, 2), "padding": (1, 1), "extra": (26, 25),
    "values": 0,
}  # fmt: skip


def max_case(
    batch: int, channels: int, kernel_size: Pair, stride: Pair, padding: Pair, extra: Pair, values: int, seed: int,
    largest: int = 90, height: int | None = None, width: int | None = None, keep: Collection[str] = (),
) -> Case | None:  # fmt: skip
    """Return the case of this size with at most `largest` entries; padding counts modulo half the kernel, and one.

    x is drawn from the seed: any whole numbers, ties, or all negative. None if it has to be so high and wide that
    the window does not fit into it.
    """
    padding = padding[0] % (kernel_size[0] // 2 + 1), padding[1] % (kernel_size[1] // 2 + 1)
    sides = [
        fitted(max(1, k - 2 * p), e, given)
        for k, p, e, given in zip(kernel_size, padding, extra, (height, width), strict=True)
    ]
    if not all(sides):
        return None
    channels, batch = at_most(largest // (sides[0] * sides[1]), {"channels": channels, "batch": batch}, keep)
    x = _values((batch, channels, sides[0], sides[1]), values, seed)
    return Case(arrays={"x": x}, settings={"kernel_size": kernel_size, "stride": stride, "padding": padding}, seed=seed)


def average_case(count_include_pad: bool, seed: int, **sizes: Any) -> Case | None:
    """Return the case of this size, of multiples of every number of entries that may lie in a window."""
    case = max_case(seed=seed, **sizes)
    if case is None:
        return None
    x, kernel = case.arrays["x"], case.settings["kernel_size"]
    step = math.lcm(*range(1, kernel[0] + 1)) * math.lcm(*range(1, kernel[1] + 1))
    settings = {**case.settings, "count_include_pad": count_include_pad}
    shape = (*x.shape[:2], *_counts(x, **case.settings))
    return _of_multiples(step, x, shape, settings, seed)


def global_max_case(batch: int, channels: int, height: int, width: int, values: int, seed: int) -> Case:
    """Return the case of this size, with values as for max-pooling."""
    return Case({"x": _values((batch, channels, height, width), values, seed)}, {}, seed)


def global_average_case(batch: int, channels: int, height: int, width: int, values: int, seed: int) -> Case:
    """Return the case of this size, of multiples of height * width."""
    x = _values((batch, channels, height, width), values, seed)
    return _of_multiples(height * width, x, x.shape[:2], {}, seed)


def far_below_zero(case: Case) -> Case:
    """Return the case with other values, none equal, all less than any number that may stand for minus infinity."""
    x = case.arrays["x"]
    return replace(case, arrays={"x": (spaced(x, 1) - x.size) * 2.0**200})


def _values(shape: tuple[int, ...], values: int, seed: int) -> Array:
    return (whole("x", seed, shape), tied(seed, shape), -1 - abs(whole("x", seed, shape)))[values]


def _of_multiples(step: int, x: Array, shape: tuple[int, ...], settings: dict[str, Any], seed: int) -> Case:
    """Return a case whose x, dLdy of this shape, and direction in which x is moved, are all multiples of step."""
    drawn = {"dLdy": whole("dLdy", seed, shape), "v for x": whole("v for x", seed, x.shape)}
    arrays = {name: step * array for name, array in {"x": x, **drawn}.items()}
    return Case(arrays, settings, seed, frozenset(drawn))


# What is right


def _counts(x: Array, kernel_size: Pair, stride: Pair, padding: Pair, **_settings: Any) -> tuple[int, int]:
    h, w = (
        (side + 2 * p - k) // s + 1 for side, p, k, s in zip(x.shape[2:], padding, kernel_size, stride, strict=True)
    )
    return h, w


def _windows(x: Array, kernel_size: Pair, stride: Pair, padding: Pair) -> Iterator[tuple[int, int, Any]]:
    """Yield row, column and the part of x that lies in the window there."""
    (kh, kw), (sh, sw), (p, q) = kernel_size, stride, padding
    for i, j in np.ndindex(*_counts(x, kernel_size, stride, padding)):
        top, left = i * sh - p, j * sw - q
        yield i, j, np.s_[:, :, max(0, top) : max(0, top + kh), max(0, left) : max(0, left + kw)]


def largest(x: Array, kernel_size: Pair, stride: Pair, padding: Pair) -> Array:
    """x (n, c, h, w) -> the largest entry of every window, (n, c, (h + 2 ph - kh) // sh + 1, ...).

    Source: the definition, a window at a time; a window has only what lies in x.
    """
    y = np.empty((*x.shape[:2], *_counts(x, kernel_size, stride, padding)))
    for i, j, window in _windows(x, kernel_size, stride, padding):
        y[:, :, i, j] = x[window].max(axis=(2, 3))
    return y


def largest_gradient(dLdy: Array, x: Array, kernel_size: Pair, stride: Pair, padding: Pair) -> dict[str, Array]:
    """Return {"x": dLdx}: the first of the largest entries takes what comes from a window."""
    return {"x": _shared(_first, dLdy, x, kernel_size, stride, padding)}


def average(x: Array, kernel_size: Pair, stride: Pair, padding: Pair, count_include_pad: bool) -> Array:
    """x (n, c, h, w) -> the average of every window, (n, c, (h + 2 ph - kh) // sh + 1, ...).

    Source: the definition, a window at a time: the sum of what lies in x, divided by the area of the
    window, or of that part.
    """
    y = np.empty((*x.shape[:2], *_counts(x, kernel_size, stride, padding)))
    for i, j, window in _windows(x, kernel_size, stride, padding):
        inside = x[window]
        area = math.prod(kernel_size) if count_include_pad else inside[0, 0].size
        y[:, :, i, j] = inside.sum(axis=(2, 3)) / area
    return y


def average_gradient(
    dLdy: Array, x: Array, kernel_size: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> dict[str, Array]:
    """Return {"x": dLdx}: every entry of a window takes its share."""

    def share(window: Array) -> Array:
        area = math.prod(kernel_size) if count_include_pad else window[0, 0].size
        return np.full(window.shape, 1 / area)

    return {"x": _shared(share, dLdy, x, kernel_size, stride, padding)}


def _shared(
    share: Callable[[Array], Array], dLdy: Array, x: Array, kernel_size: Pair, stride: Pair, padding: Pair,
    *, add: bool = True, keep: bool = False,
) -> Array:  # fmt: skip
    """Return dLdx with this share (n, c, kh, kw) of dLdy for the entries of each window.

    Where windows overlap shares are added up, or else (not add) the later one stays, if it is not 0 (keep).
    """
    dLdx = np.zeros(x.shape)
    for i, j, window in _windows(x, kernel_size, stride, padding):
        part = share(x[window]) * dLdy[:, :, i : i + 1, j : j + 1]
        dLdx[window] = dLdx[window] + part if add else np.where((part == 0) & keep, dLdx[window], part)
    return dLdx


def _first(window: Array) -> Array:
    flat = window.reshape(*window.shape[:2], -1)
    chosen = flat.argmax(axis=2)[..., np.newaxis] == np.arange(flat.shape[2])
    return np.asarray(chosen.reshape(window.shape), float)


def _every_largest(window: Array) -> Array:
    return np.asarray(window == window.max(axis=(2, 3), keepdims=True), float)


def _only_largest(window: Array) -> Array:
    every = _every_largest(window)
    return np.asarray(every * (every.sum(axis=(2, 3), keepdims=True) == 1))


def _evenly(window: Array) -> Array:
    return np.full(window.shape, 1 / window[0, 0].size)


def _global_largest_gradient(dLdy: Array, x: Array) -> dict[str, Array]:
    return {"x": _first(x) * dLdy[:, :, np.newaxis, np.newaxis]}


# Properties


def gradient_is_a_subgradient(trial: Trial) -> None:
    """With dLdy at one window an image: dLdx >= 0 where its entries are the largest, 0 elsewhere, sum dLdy.

    Any such dLdx is a convex split of dLdy over the tied entries and so a subgradient of the maximum.
    """
    if trial.declares_dLdy:
        return  # it needs one of its own
    windows = list(_windows(trial.x, **trial.case.settings))
    i, j, window = trial.pick("window", windows)
    u = np.zeros(trial.y.shape)
    u[:, :, i, j] = 1 + abs(trial.whole("dLdy of one window", u.shape[:2]))
    _split(trial, u, window, trial.y[:, :, i : i + 1, j : j + 1], f" for dLdy at window [{i}, {j}] only")


def global_gradient_is_a_subgradient(trial: Trial) -> None:
    """For dLdy > 0: dLdx >= 0 where entries of a channel are the largest, 0 elsewhere, and its sum is dLdy."""
    if trial.declares_dLdy:
        return  # it needs one of its own
    u = 1 + abs(trial.whole("positive dLdy", trial.y.shape))
    _split(trial, u, np.s_[:], trial.y[:, :, np.newaxis, np.newaxis], " for positive dLdy")


def _split(trial: Trial, dLdy: Array, window: Any, most: Array, where: str) -> None:
    dLdx = trial.expect_shape("dLdx", trial.layer().backprop(trial.x, dLdy)["x"], trial.x.shape)
    allowed = np.zeros(trial.x.shape, bool)
    allowed[window] = trial.x[window] == most
    zero = np.zeros(trial.x.shape)
    shows = trial.expression(dLdx)
    trial.compare("dLdx", np.where(allowed, 0.0, dLdx), zero, f"{where}: no largest entry there", shows=shows)
    trial.compare("dLdx", np.minimum(dLdx, 0.0), zero, f"{where}: no part may be negative", shows=shows)
    _same_sums(trial, dLdx, dLdy, where + ", which the largest entries should share")


def gradient_conserves_the_upstream_sum(trial: Trial) -> None:
    """sum(dLdx) == sum(dLdy), over each image and channel: every window has an entry of x."""
    dLdx = trial.layer().backprop(trial.x, trial.dLdy)["x"]
    _same_sums(trial, trial.expect_shape("dLdx", dLdx, trial.x.shape), trial.dLdy, "")


def gradient_conserves_the_upstream_sum_without_padding(trial: Trial) -> None:
    """sum(dLdx) == sum(dLdy), over each image and channel, of the layer that does not count padding."""
    layer = trial.other(count_include_pad=False)
    dLdx = trial.expect_shape("dLdx", layer.backprop(trial.x, trial.dLdy)["x"], trial.x.shape)
    _same_sums(trial, dLdx, trial.dLdy, " where padding is not counted")


def average_of_ones_is_the_part_inside(trial: Trial) -> None:
    """forward(1) == (entries of the window inside x) / area where padding is counted, and 1 where it is not."""
    s, ones = trial.case.settings, np.ones(trial.x.shape)
    expected = np.ones(trial.y.shape)
    if s["count_include_pad"]:
        axes = zip(trial.x.shape[2:], trial.y.shape[2:], s["kernel_size"], s["stride"], s["padding"], strict=True)
        down, across = (
            np.array([np.isin(np.arange(i * step - p, i * step - p + k), np.arange(side)).mean() for i in range(count)])
            for side, count, k, step, p in axes
        )
        expected = expected * np.multiply.outer(down, across)
    trial.compare("forward(x)", trial.layer().forward(ones), expected, " for x of ones")


def follows_a_constant_added_to_x(trial: Trial) -> None:
    """forward(x + c) == forward(x) + c, for c so far below zero that all entries are negative, or above."""
    far = 2.0**20 if trial.spec.dtype == np.float64 else 2.0**4  # float32 holds sums of the latter
    c = trial.pick("c", [-far, -far, far]) * trial.x[0, 0].size  # a multiple, for averages to be whole
    layer = trial.layer()
    trial.compare("forward(x + c)", layer.forward(trial.x + c), layer.forward(trial.x) + c, f" for c = {c:g}")


def gradient_is_the_same_all_over_a_channel(trial: Trial) -> None:
    """dLdx[n, c, i, j] == dLdx[n, c, 0, 0]."""
    dLdx = trial.expect_shape("dLdx", trial.layer().backprop(trial.x, trial.dLdy)["x"], trial.x.shape)
    trial.compare("dLdx", dLdx, dLdx[:, :, :1, :1] + np.zeros(dLdx.shape), ": it should be the same all over a channel")


def _same_sums(trial: Trial, dLdx: Array, dLdy: Array, where: str) -> None:
    axes, sums = (2, 3), "{}.sum(axis=(2, 3))"
    trial.compare(
        "the sum of dLdx over each image and channel",
        dLdx.sum(axis=axes),
        dLdy.sum(axis=axes[: dLdy.ndim - 2]),
        where,
        label=sums.format("dLdx"),
        shows=trial.expression(dLdx, sums),
        array="dLdx",
    )


# Mistakes


def _settings(trial: Trial) -> dict[str, Any]:
    return {name: trial.case.settings[name] for name in ("kernel_size", "stride", "padding")}


def _of_windows(trial: Trial, entry: Callable[[Array], Array], padding: float | None = None) -> Array:
    """Return y with entry (n, c, kh, kw) -> (n, c) of each window, of what lies in x, or padded with a value."""
    x, settings = trial.x, _settings(trial)
    if padding is not None:
        p, q = settings["padding"]
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (q, q)), constant_values=padding)
        settings["padding"] = 0, 0
    y = np.zeros(trial.y.shape)
    for i, j, window in _windows(x, **settings):
        y[:, :, i, j] = entry(x[window])
    return y


def _with_share(
    share: Callable[[Array], Array], *, add: bool = True, keep: bool = False
) -> Callable[[Trial], Array | None]:
    return lambda trial: _shared(share, trial.dLdy, trial.x, **_settings(trial), add=add, keep=keep)


def _area_is(area: Callable[[Trial, Array], float]) -> dict[str, Callable[[Trial], Array]]:
    """Return y and dLdx where sums are divided by something else."""

    def y(trial: Trial) -> Array:
        return _of_windows(trial, lambda window: np.asarray(window.sum(axis=(2, 3)) / area(trial, window)))

    def input_gradient(trial: Trial) -> Array:
        return _shared(
            lambda window: np.full(window.shape, 1 / area(trial, window)), trial.dLdy, trial.x, **_settings(trial)
        )

    return {"y": y, "dLdx": input_gradient}


def _area(trial: Trial, _window: Array) -> float:
    return float(math.prod(trial.case.settings["kernel_size"]))


def _cut_at_the_corner(share: Callable[[Trial, Array], Array], outside: float) -> Callable[[Trial], Array | None]:
    """Return dLdx if it is cut from the corner of its frame, in which x has this value outside."""

    def wrong(trial: Trial) -> Array | None:
        (p, q), (h, w) = trial.case.settings["padding"], trial.x.shape[2:]
        framed = np.pad(trial.x, ((0, 0), (0, 0), (p, p), (q, q)), constant_values=outside)
        settings = {**_settings(trial), "padding": (0, 0)}
        dLdx = _shared(lambda window: share(trial, window), trial.dLdy, framed, **settings)
        return dLdx[:, :, :h, :w] if p or q else None

    return wrong


def _average_share(trial: Trial, window: Array) -> Array:
    """Return the share of each entry of a window in which padding is not a number."""
    inside = np.isfinite(window[:1, :1]).sum()
    return np.full(window.shape, 1 / (_area(trial, window) if trial.case.settings["count_include_pad"] else inside))


MAX_MISTAKES = (
    Mistake("padding-ignored", "dLdx", "dLdx is cut from the corner of its frame: leave out the padding before x too",
            _cut_at_the_corner(lambda _trial, window: _first(window), -np.inf)),
    Mistake("padding-value", "y", "y has padding that counts as 0: pad with minus infinity",
            lambda trial: _of_windows(trial, lambda window: window.max(axis=(2, 3)), 0.0)),
    Mistake("zero-start", "y", "y has a maximum that starts at 0: start at minus infinity",
            lambda trial: np.maximum(trial.y, 0)),
    Mistake("wrong-operation", "y", "y holds the smallest entry of each window, not the largest",
            lambda trial: _of_windows(trial, lambda window: window.min(axis=(2, 3)))),
    Mistake("wrong-operation", "y", "y holds the mean of each window, not the largest entry",
            lambda trial: _of_windows(trial, lambda window: window.mean(axis=(2, 3)))),
    Mistake("wrong-operation", "y", "y holds the largest absolute value, not the largest entry",
            lambda trial: _of_windows(trial, lambda window: abs(window).max(axis=(2, 3)))),
    Mistake("not-accumulated", "dLdx", "dLdx is overwritten where windows overlap: += for =",
            _with_share(_first, add=False)),
    Mistake("not-accumulated", "dLdx", "dLdx has one dLdy for an entry that is the largest of several windows",
            _with_share(_first, add=False, keep=True)),
    Mistake("wrong-operation", "dLdx", "dLdx spreads dLdy over the whole window, as for a mean", _with_share(_evenly)),
    Mistake("wrong-operation", "dLdx", "dLdx gives dLdy to the smallest entry of each window, not to the largest",
            _with_share(lambda window: _first(-window))),
    Mistake("full-gradient-to-ties", "dLdx at ties",
            "where several entries are the largest each takes all of dLdy: choose one, or share it",
            _with_share(_every_largest)),
    Mistake("no-gradient-to-ties", "dLdx at ties", "where several entries are the largest none takes dLdy",
            _with_share(_only_largest)),
)  # fmt: skip

AVERAGE_MISTAKES = (
    *(
        Mistake(family, array, f"{array} {sentence}", wrong)
        for family, sentence, area in (
            ("wrong-formula", "divides by the number of entries inside x, whatever count_include_pad is",
             lambda _trial, window: window[0, 0].size),
            ("wrong-formula", "divides by the area of the window, whatever count_include_pad is", _area),
            ("term-missing", "is not divided: it holds sums, not averages", lambda _trial, _window: 1),
            ("axes-swapped", "divides by the height of the window, squared",
             lambda trial, _window: trial.case.settings["kernel_size"][0] ** 2),
            ("wrong-formula", "divides by the strides, not by the sides of the window",
             lambda trial, _window: math.prod(trial.case.settings["stride"])),
        )
        for array, wrong in _area_is(area).items()
    ),
    Mistake("padding-ignored", "dLdx", "dLdx is cut from the corner of its frame: leave out the padding before x too",
            _cut_at_the_corner(_average_share, np.nan)),
    Mistake("not-accumulated", "dLdx", "dLdx is overwritten where windows overlap: += for =",
            lambda trial: _shared(
                lambda window: _average_share(trial, window), trial.dLdy, trial.x, **_settings(trial), add=False)),
)  # fmt: skip

GLOBAL_MAX_MISTAKES = (
    Mistake("border-missing", "y", "y leaves out the last row of x",
            lambda trial: trial.x[:, :, :-1].max(axis=(2, 3)) if trial.x.shape[2] > 1 else None),
    Mistake("zero-start", "y", "y has a maximum that starts at 0: start at minus infinity",
            lambda trial: np.maximum(trial.y, 0)),
    Mistake("wrong-operation", "y", "y holds means, not the largest entries", lambda trial: trial.x.mean(axis=(2, 3))),
    Mistake("wrong-operation", "dLdx", "dLdx spreads dLdy over the whole channel, as for a mean",
            lambda trial: _evenly(trial.x) * trial.dLdy[:, :, np.newaxis, np.newaxis]),
    Mistake("channels-mixed", "y", "y holds the largest entry of each image, whatever its channel",
            lambda trial: np.broadcast_to(trial.x.max(axis=(1, 2, 3))[:, np.newaxis], trial.y.shape)),
    Mistake("full-gradient-to-ties", "dLdx at ties", "where several entries are the largest each takes all of dLdy",
            lambda trial: _every_largest(trial.x) * trial.dLdy[:, :, np.newaxis, np.newaxis]),
    Mistake("no-gradient-to-ties", "dLdx at ties", "where several entries are the largest none takes dLdy",
            lambda trial: _only_largest(trial.x) * trial.dLdy[:, :, np.newaxis, np.newaxis]),
)  # fmt: skip

GLOBAL_AVERAGE_MISTAKES = (
    Mistake("border-missing", "y", "y leaves out the last row of x",
            lambda trial: trial.x[:, :, :-1].mean(axis=(2, 3)) if trial.x.shape[2] > 1 else None),
    Mistake("wrong-formula", "y", "y averages absolute values", lambda trial: abs(trial.x).mean(axis=(2, 3))),
    Mistake("wrong-operation", "dLdx", "dLdx gives all of dLdy to the largest entry: give each 1 / (h w) of it",
            lambda trial: _global_largest_gradient(trial.dLdy, trial.x)["x"]),
    Mistake("term-missing", "y", "y holds sums: divide by h w", lambda trial: trial.x.sum(axis=(2, 3))),
    Mistake("term-missing", "dLdx", "dLdx is dLdy everywhere: divide by h w",
            lambda trial: np.ones(trial.x.shape) * trial.dLdy[:, :, np.newaxis, np.newaxis]),
    Mistake("axes-swapped", "dLdx", "dLdx is divided by the height, squared: divide by h w",
            lambda trial: np.ones(trial.x.shape) * trial.dLdy[:, :, np.newaxis, np.newaxis] / trial.x.shape[2] ** 2),
    Mistake("wrong-operation", "y", "y holds the largest entry of each", lambda trial: trial.x.max(axis=(2, 3))),
)  # fmt: skip


# Calls to refuse


def _bad_arguments(reference: Callable[..., Array]) -> tuple[BadArgument, ...]:
    def upstream(case: Case, axis: int) -> Array:
        return grown(reference(x=case.arrays["x"], **case.settings), axis)

    return (
        forward_of("forward, x of rank 3", lambda case: case.arrays["x"][0]),
        forward_of("forward, x narrower than the window", narrower_than_the_window),
        forward_of("forward, x without rows", lambda case: case.arrays["x"][:, :, :0]),
        backprop_of("backprop, dLdy of the shape of a larger y", lambda case: upstream(case, 2)),
        backprop_of("backprop, dLdy of another batch size", lambda case: upstream(case, 0)),
    )  # fmt: skip


GLOBAL_BAD_ARGUMENTS = (
    forward_of("forward, x of rank 3", lambda case: case.arrays["x"][0]),
    forward_of("forward, x without rows", lambda case: case.arrays["x"][:, :, :0]),
    backprop_of("backprop, dLdy with a channel too many", lambda case: grown(case.arrays["x"][:, :, 0, 0], 1)),
    backprop_of("backprop, dLdy of rank 4", lambda case: case.arrays["x"][:, :, :1, :1]),
)  # fmt: skip
