"""Pooling over one, two or three axes, as libraries have it: windows, strides and padding by axis.

Source of the definitions: documentation of torch.nn.MaxPool1d to MaxPool3d and AvgPool1d to AvgPool3d.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import AXES, Choice, Choices, batch, counts, inner, one_of, side
from verification.explain.knobs import Mistake
from verification.spec import BadArgument, LayerSpec
from verification.specs.axes import (
    Setting,
    at_most,
    each,
    entries_of,
    fitted,
    in_frame,
    last,
    like,
    narrower_than_the_window,
    setting,
    sides_of,
    sizes_divide,
    windows_along,
)
from verification.specs.refused import backprop_of, forward_of, grown
from verification.specs.same_padding import takes_same_padding
from verification.strategies import spaced, tied
from verification.trial import Trial

REALISTIC: dict[int, dict[str, Any]] = {
    1: {"batch": 4, "channels": 3, "values": 0, "kernel_size": 3, "stride": 2, "padding": 1, "extra": 60},
    2: {"batch": 4, "channels": 3, "values": 0, "kernel_size": (3, 2), "stride": (2, 2), "padding": (1, 1),
        "extra": (26, 25)},
    3: {"batch": 4, "channels": 2, "values": 0, "kernel_size": (3, 2, 2), "stride": (2, 2, 1), "padding": (1, 0, 1),
        "extra": (4, 2, 3)},
}  # fmt: skip
REALISTIC_ENTRIES = {1: 10**6, 2: 10**6, 3: 960}
"""By the number of axes: a realistic size, and how many entries of x it has at most."""

WIDEST = {1: 20, 2: 12, 3: 8}
"""By the number of axes: the largest side of a window for which the multiples that have whole averages are exact in
float64; in float32 half of it."""

with_same_padding = takes_same_padding(-np.inf, "gradient_conserves_the_upstream_sum", "follows_a_constant_added_to_x")


@with_same_padding
def max_pooling1d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a max-pooling layer over one axis.

    implementation(kernel_size, stride, padding), whole numbers, makes the layer: the class itself or a
    function. Padding is at most half the kernel and counts as minus infinity. x is (n, c, w), and backprop
    returns dLdx. Where several entries of a window are the largest, backprop may split dLdy over them in any
    way, but not give all of it to each.
    padding="same" is that of tf.nn.convolution (specs/same_padding.py).
    Keywords restrict what is tried (`verification.choices`): these settings, batch, channels, width.
    """
    return _max_pooling("max_pooling1d", implementation, only, 1)


@with_same_padding
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
    return _max_pooling("max_pooling2d", implementation, only, 2)


@with_same_padding
def max_pooling3d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a max-pooling layer over three axes.

    implementation(kernel_size, stride, padding), each a triple (depth, height, width), makes the layer.
    Padding is at most half the kernel and counts as minus infinity. x is (n, c, d, h, w), and backprop
    returns dLdx. Where several entries of a window are the largest, backprop may split dLdy over them in any
    way, but not give all of it to each.
    padding="same" is that of tf.nn.convolution (specs/same_padding.py).
    Keywords restrict what is tried (`verification.choices`): these settings, batch, channels, depth, height and width;
    square=True.
    """
    return _max_pooling("max_pooling3d", implementation, only, 3)


def average_pooling1d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of an average-pooling layer over one axis.

    implementation(kernel_size, stride, padding, count_include_pad) makes the layer: the class itself or a
    function. All but the last are whole numbers; padding is at most half the kernel and counts as zero, as
    entries to divide by only where count_include_pad. x is (n, c, w), and backprop returns dLdx. x, dLdy and
    directions are multiples of whatever may be divided by, so all averages are whole.
    Keywords restrict what is tried (`verification.choices`): these settings, batch, channels, width.
    """
    return _average_pooling("average_pooling1d", implementation, only, 1)


def average_pooling2d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of an average-pooling layer with stride and padding.

    implementation(kernel_size, stride, padding, count_include_pad) makes the layer: the class itself or a
    function. All but the last are pairs (height, width); padding is at most half the kernel and counts as
    zero, as entries to divide by only where count_include_pad. x is (n, c, h, w), and backprop returns
    dLdx. x, dLdy and directions are multiples of whatever may be divided by, so all averages are whole.
    Keywords restrict what is tried (`verification.choices`): these settings, batch, channels, height, width;
    square=True.
    """
    return _average_pooling("average_pooling2d", implementation, only, 2)


def average_pooling3d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of an average-pooling layer over three axes.

    implementation(kernel_size, stride, padding, count_include_pad) makes the layer: the class itself or a
    function. All but the last are triples (depth, height, width); padding is at most half the kernel and
    counts as zero, as entries to divide by only where count_include_pad. x is (n, c, d, h, w), and backprop
    returns dLdx. x, dLdy and directions are multiples of whatever may be divided by, so all averages are whole.
    Keywords restrict what is tried (`verification.choices`): these settings, batch, channels, depth, height and width;
    square=True.
    """
    return _average_pooling("average_pooling3d", implementation, only, 3)


def _max_pooling(name: str, make: Callable[..., Any], only: Mapping[str, Any], axes: int) -> LayerSpec:
    choices = Choices(name, only, _windows_of(axes), make=make)
    sized = partial(max_case, keep=frozenset(choices.only))
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(sized),
        reference=largest,
        piecewise_linear=True,
        terms=lambda **_: 1,
        realistic=choices.realistic(partial(sized, largest=REALISTIC_ENTRIES[axes]), **REALISTIC[axes]),
        bad_arguments=_bad_arguments(largest, axes),
        properties=(gradient_is_a_subgradient, gradient_conserves_the_upstream_sum, follows_a_constant_added_to_x),
        extremes=choices.cases(sized).map(_far_below_zero),
        gradient=largest_gradient,
        mistakes=MAX_MISTAKES,
        conditions=sizes_divide,
    )
    return choices.applied(spec)


def _average_pooling(name: str, make: Callable[..., Any], only: Mapping[str, Any], axes: int) -> LayerSpec:
    most = WIDEST[axes] // (2 if only.get("dtype") is np.float32 else 1)
    table = {**_windows_of(axes, most), "count_include_pad": one_of(False, True)}
    choices = Choices(name, only, table, make=make)
    sized = partial(average_case, keep=frozenset(choices.only))
    realistic = {**REALISTIC[axes], "count_include_pad": False}
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(sized),
        reference=average,
        affine_in=("x",),
        terms=lambda kernel_size, **_: math.prod(each(kernel_size)) + 1,
        realistic=choices.realistic(partial(sized, largest=REALISTIC_ENTRIES[axes]), **realistic),
        bad_arguments=_bad_arguments(average, axes),
        properties=(average_of_ones_is_the_part_inside, gradient_conserves_the_upstream_sum_without_padding),
        gradient=average_gradient,
        mistakes=_average_mistakes(axes),
        conditions=sizes_divide,
    )
    return choices.applied(spec)


# Cases


def _windows_of(axes: int, most: int | None = None) -> dict[str, Choice]:
    """Return the choices: windows, none with a longer side than `most`, that overlap, touch or leave gaps."""
    size, padding, extra = {1: (4, 2, 6), 2: (4, 2, 5), 3: (2, 1, 2)}[axes]
    return {
        "batch": batch(1, 2), "channels": side(1, 1, 2), "values": inner(0, 2),
        "kernel_size": counts(1, size, most=most, axes=axes), "stride": counts(1, size, axes=axes),
        "padding": counts(0, padding, least=0, axes=axes), "extra": inner(0, extra, axes=axes), **sides_of(axes),
    }  # fmt: skip


def max_case(
    batch: int, channels: int, values: int, kernel_size: Setting, stride: Setting, padding: Setting, extra: Setting,
    seed: int, largest: int = 90, keep: Collection[str] = (), **given: int,
) -> Case | None:  # fmt: skip
    """Return the case of this size with at most `largest` entries; padding counts modulo half the kernel, and one.

    None if x has to be of such sides that the window does not fit into it.
    """
    kernel = each(kernel_size)
    before = [p % (k // 2 + 1) for p, k in zip(each(padding), kernel, strict=True)]
    of_axes = zip(kernel, before, each(extra), AXES[-len(kernel) :], strict=True)
    sides = [fitted(max(1, k - 2 * p), e, given.get(axis)) for k, p, e, axis in of_axes]
    if not all(sides):
        return None
    channels, batch = at_most(largest // math.prod(sides), {"channels": channels, "batch": batch}, keep)
    x = values_of_kind((batch, channels, *sides), values, seed)
    return Case({"x": x}, {"kernel_size": kernel_size, "stride": stride, "padding": setting(before)}, seed)


def average_case(count_include_pad: bool, seed: int, **sizes: Any) -> Case | None:
    """Return the case of this size, of multiples of every number of entries that may lie in a window."""
    case = max_case(seed=seed, **sizes)
    if case is None:
        return None
    x, settings = case.arrays["x"], case.settings
    step = math.prod(math.lcm(*range(1, k + 1)) for k in each(settings["kernel_size"]))
    return of_multiples(step, x, _shape_of_y(x, **settings), {**settings, "count_include_pad": count_include_pad}, seed)


def values_of_kind(shape: tuple[int, ...], kind: int, seed: int) -> Array:
    """Return an array drawn from the seed: any whole numbers, ties, or all negative."""
    return (whole("x", seed, shape), tied(seed, shape), -1 - abs(whole("x", seed, shape)))[kind]


def of_multiples(step: int, x: Array, shape: tuple[int, ...], settings: Mapping[str, Any], seed: int) -> Case:
    """Return a case whose x, dLdy of this shape, and direction in which x is moved, are all multiples of step."""
    drawn = {"dLdy": whole("dLdy", seed, shape), "v for x": whole("v for x", seed, x.shape)}
    arrays = {name: step * array for name, array in {"x": x, **drawn}.items()}
    return Case(arrays, settings, seed, frozenset(drawn))


def _far_below_zero(case: Case) -> Case:
    """Return the case with other values, none equal, all less than any number that may stand for minus infinity."""
    x = case.arrays["x"]
    return replace(case, arrays={"x": (spaced(x, 1) - x.size) * 2.0**200})


# What is right


def _shape_of_y(x: Array, kernel_size: Setting, stride: Setting, padding: Setting) -> tuple[int, ...]:
    return *x.shape[:2], *windows_along(x, kernel_size, stride, padding, like(stride, 1))


def _windows(x: Array, kernel_size: Setting, stride: Setting, padding: Setting) -> Iterator[Any]:
    """Yield the index of every entry of y, and of the part of x that lies in its window."""
    for place in np.ndindex(*_shape_of_y(x, kernel_size, stride, padding)[2:]):
        starts = [i * s - p for i, s, p in zip(place, each(stride), each(padding), strict=True)]
        of_axes = zip(starts, each(kernel_size), strict=True)
        yield last(place), last(slice(max(0, start), max(0, start + k)) for start, k in of_axes)


def _pooled(x: Array, entry: Callable[[Array], Array], **settings: Any) -> Array:
    """Return y with entry (n, c, entries) -> (n, c) of each window, of what lies in x."""
    y = np.empty(_shape_of_y(x, **settings))
    for at, window in _windows(x, **settings):
        y[at] = entry(entries_of(x[window]))
    return y


def _shared(
    share: Callable[[Array], Array], dLdy: Array, x: Array, *, add: bool = True, keep: bool = False, **settings: Any
) -> Array:
    """Return dLdx with this share (n, c, entries) of dLdy for the entries of each window.

    Where windows overlap shares are added up, or else (not add) the later one stays, if it is not 0 (keep).
    """
    dLdx = np.zeros(x.shape)
    for at, window in _windows(x, **settings):
        part = (share(entries_of(x[window])) * dLdy[at][:, :, np.newaxis]).reshape(x[window].shape)
        dLdx[window] = dLdx[window] + part if add else np.where((part == 0) & keep, dLdx[window], part)
    return dLdx


def largest(x: Array, **settings: Any) -> Array:
    """x (n, c, ...) -> the largest entry of every window, (n, c, (side + 2 p - k) // s + 1, ...).

    Source: the definition, a window at a time; a window has only what lies in x.
    """
    return _pooled(x, lambda entries: entries.max(axis=2), **settings)


def largest_gradient(dLdy: Array, x: Array, **settings: Any) -> dict[str, Array]:
    """Return {"x": dLdx}: the first of the largest entries takes what comes from a window."""
    return {"x": _shared(first_largest, dLdy, x, **settings)}


def average(x: Array, count_include_pad: bool, **settings: Any) -> Array:
    """x (n, c, ...) -> the average of every window, (n, c, (side + 2 p - k) // s + 1, ...).

    Source: the definition, a window at a time: the sum of what lies in x, divided by the size of the
    window, or of that part.
    """
    size = math.prod(each(settings["kernel_size"]))
    return _pooled(x, lambda part: part.sum(axis=2) / (size if count_include_pad else part.shape[2]), **settings)


def average_gradient(dLdy: Array, x: Array, count_include_pad: bool, **settings: Any) -> dict[str, Array]:
    """Return {"x": dLdx}: every entry of a window takes its share."""
    size = math.prod(each(settings["kernel_size"]))
    share = (lambda entries: np.full(entries.shape, 1 / size)) if count_include_pad else evenly
    return {"x": _shared(share, dLdy, x, **settings)}


def first_largest(entries: Array) -> Array:
    """Return 1 for the first of the largest entries, and 0 for the others."""
    return np.asarray(entries.argmax(axis=2)[..., np.newaxis] == np.arange(entries.shape[2]), float)


def every_largest(entries: Array) -> Array:
    """Return 1 for each of the largest entries, and 0 for the others."""
    return np.asarray(entries == entries.max(axis=2, keepdims=True), float)


def only_largest(entries: Array) -> Array:
    """Return 1 for the largest entry where it is the only one, and 0 for the others."""
    every = every_largest(entries)
    return np.asarray(every * (every.sum(axis=2, keepdims=True) == 1))


def evenly(entries: Array) -> Array:
    """Return the same for all entries, 1 in all."""
    return np.full(entries.shape, 1 / entries.shape[2])


# Properties


def gradient_is_a_subgradient(trial: Trial) -> None:
    """With dLdy at one window an image: dLdx >= 0 where its entries are the largest, 0 elsewhere, sum dLdy.

    Any such dLdx is a convex split of dLdy over the tied entries and so a subgradient of the maximum.
    """
    if trial.declares_dLdy:
        return  # it needs one of its own
    at, window = trial.pick("window", list(_windows(trial.x, **trial.case.settings)))
    u = np.zeros(trial.y.shape)
    u[at] = 1 + abs(trial.whole("dLdy of one window", u.shape[:2]))
    most = trial.y[at].reshape(*u.shape[:2], *[1] * (u.ndim - 2))
    shared_by_the_largest(trial, u, window, most, f" for dLdy at window {list(at[1:])} only")


def shared_by_the_largest(trial: Trial, dLdy: Array, window: Any, most: Array, where: str) -> None:
    """Raise unless entries of the window that equal `most`, and no others, share dLdy."""
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
    """forward(1) == (entries of the window inside x) / (all its entries) where padding is counted, or else 1."""
    ones, expected = np.ones(trial.x.shape), np.ones(trial.y.shape)
    if trial.case.settings["count_include_pad"]:
        settings = zip(*map(each, _settings(trial).values()), strict=True)
        of_axes = zip(trial.x.shape[2:], trial.y.shape[2:], settings, strict=True)
        inside = [
            np.array([np.isin(np.arange(i * s - p, i * s - p + k), np.arange(side)).mean() for i in range(count)])
            for side, count, (k, s, p) in of_axes
        ]
        expected = expected * reduce(np.multiply.outer, inside)
    trial.compare("forward(x)", trial.layer().forward(ones), expected, " for x of ones")


def follows_a_constant_added_to_x(trial: Trial) -> None:
    """forward(x + c) == forward(x) + c, for c so far below zero that all entries are negative, or above."""
    far = 2.0**20 if trial.spec.dtype == np.float64 else 2.0**4  # float32 holds sums of the latter
    c = trial.pick("c", [-far, -far, far]) * trial.x[0, 0].size  # a multiple, for averages to be whole
    expected = trial.layer().forward(trial.x) + c  # by another layer: of state other properties tell
    trial.compare("forward(x + c)", trial.layer().forward(trial.x + c), expected, f" for c = {c:g}")


def _same_sums(trial: Trial, dLdx: Array, dLdy: Array, where: str) -> None:
    axes = tuple(range(2, dLdx.ndim))
    trial.compare(
        "the sum of dLdx over each image and channel",
        dLdx.sum(axis=axes),
        dLdy.sum(axis=axes[: dLdy.ndim - 2]),
        where,
        label=f"dLdx.sum(axis={axes})",
        shows=trial.expression(dLdx, f"{{}}.sum(axis={axes})"),
        array="dLdx",
    )


# Mistakes


def _settings(trial: Trial) -> dict[str, Any]:
    return {name: trial.case.settings[name] for name in ("kernel_size", "stride", "padding")}


def _frame(trial: Trial, value: float) -> tuple[Array, dict[str, Any]]:
    """Return x in a frame of this value, and the settings without padding."""
    settings = _settings(trial)
    framed = in_frame(trial.x, settings["padding"], value)
    return framed, {**settings, "padding": like(settings["padding"], 0)}


def _padded_with_zero(trial: Trial) -> Array:
    framed, settings = _frame(trial, 0.0)
    return largest(framed, **settings)


def _pooling(entry: Callable[[Array], Array]) -> Callable[[Trial], Array]:
    return lambda trial: _pooled(trial.x, entry, **_settings(trial))


def _with_share(share: Callable[[Array], Array], **how: bool) -> Callable[[Trial], Array]:
    return lambda trial: _shared(share, trial.dLdy, trial.x, **how, **_settings(trial))


def _cut_at_the_corner(share: Callable[[Trial, Array], Array], outside: float) -> Callable[[Trial], Array | None]:
    """Return dLdx if it is cut from the corner of its frame, in which x has this value outside."""

    def wrong(trial: Trial) -> Array | None:
        framed, settings = _frame(trial, outside)
        dLdx = _shared(lambda entries: share(trial, entries), trial.dLdy, framed, **settings)
        return dLdx[tuple(map(slice, trial.x.shape))] if framed.shape != trial.x.shape else None

    return wrong


def _size(trial: Trial, _entries: Array) -> float:
    return float(math.prod(each(trial.case.settings["kernel_size"])))


def _average_share(trial: Trial, entries: Array) -> Array:
    """Return the share of each entry of a window in which padding is not a number."""
    inside = np.isfinite(entries[:1, :1]).sum()
    return np.full(entries.shape, 1 / (_size(trial, entries) if trial.case.settings["count_include_pad"] else inside))


def _divided_by(divisor: Callable[[Trial, Array], float]) -> dict[str, Callable[[Trial], Array]]:
    """Return y and dLdx where sums are divided by something else."""

    def y(trial: Trial) -> Array:
        return _pooled(trial.x, lambda entries: entries.sum(axis=2) / divisor(trial, entries), **_settings(trial))

    def input_gradient(trial: Trial) -> Array:
        return _with_share(lambda entries: np.full(entries.shape, 1 / divisor(trial, entries)))(trial)

    return {"y": y, "dLdx": input_gradient}


MAX_MISTAKES = (
    Mistake("padding-ignored", "dLdx", "dLdx is cut from the corner of its frame: leave out the padding before x too",
            _cut_at_the_corner(lambda _trial, entries: first_largest(entries), -np.inf)),
    Mistake("padding-value", "y", "y has padding that counts as 0: pad with minus infinity", _padded_with_zero),
    Mistake("zero-start", "y", "y has a maximum that starts at 0: start at minus infinity",
            lambda trial: np.maximum(trial.y, 0)),
    Mistake("wrong-operation", "y", "y holds the smallest entry of each window, not the largest",
            _pooling(lambda entries: entries.min(axis=2))),
    Mistake("wrong-operation", "y", "y holds the mean of each window, not the largest entry",
            _pooling(lambda entries: entries.mean(axis=2))),
    Mistake("wrong-operation", "y", "y holds the largest absolute value, not the largest entry",
            _pooling(lambda entries: abs(entries).max(axis=2))),
    Mistake("not-accumulated", "dLdx", "dLdx is overwritten where windows overlap: += for =",
            _with_share(first_largest, add=False)),
    Mistake("not-accumulated", "dLdx", "dLdx has one dLdy for an entry that is the largest of several windows",
            _with_share(first_largest, add=False, keep=True)),
    Mistake("wrong-operation", "dLdx", "dLdx spreads dLdy over the whole window, as for a mean", _with_share(evenly)),
    Mistake("wrong-operation", "dLdx", "dLdx gives dLdy to the smallest entry of each window, not to the largest",
            _with_share(lambda entries: first_largest(-entries))),
    Mistake("full-gradient-to-ties", "dLdx at ties",
            "where several entries are the largest each takes all of dLdy: choose one, or share it",
            _with_share(every_largest)),
    Mistake("no-gradient-to-ties", "dLdx at ties", "where several entries are the largest none takes dLdy",
            _with_share(only_largest)),
)  # fmt: skip


def _average_mistakes(axes: int) -> tuple[Mistake, ...]:
    size = {1: "length", 2: "area", 3: "volume"}[axes]
    divisors: list[tuple[str, str, Callable[[Trial, Array], float]]] = [
        ("wrong-formula", "divides by the number of entries inside x, whatever count_include_pad is",
         lambda _trial, entries: entries.shape[2]),
        ("wrong-formula", f"divides by the {size} of the window, whatever count_include_pad is", _size),
        ("term-missing", "is not divided: it holds sums, not averages", lambda _trial, _entries: 1),
        ("wrong-formula", f"divides by the {'stride' if axes == 1 else 'strides'}, not by the {size} of the window",
         lambda trial, _entries: math.prod(each(trial.case.settings["stride"]))),
    ]  # fmt: skip
    if axes > 1:
        divisors.append(
            ("axes-swapped", f"divides by the {AXES[-axes]} of the window, {'squared' if axes == 2 else 'cubed'}",
             lambda trial, _entries: trial.case.settings["kernel_size"][0] ** axes)
        )  # fmt: skip
    return (
        *(
            Mistake(family, array, f"{array} {sentence}", wrong)
            for family, sentence, divisor in divisors
            for array, wrong in _divided_by(divisor).items()
        ),
        Mistake("padding-ignored", "dLdx",
                "dLdx is cut from the corner of its frame: leave out the padding before x too",
                _cut_at_the_corner(_average_share, np.nan)),
        Mistake("not-accumulated", "dLdx", "dLdx is overwritten where windows overlap: += for =",
                lambda trial: _with_share(lambda entries: _average_share(trial, entries), add=False)(trial)),
    )  # fmt: skip


# Calls to refuse


def _bad_arguments(reference: Callable[..., Array], axes: int) -> tuple[BadArgument, ...]:
    def upstream(case: Case, axis: int) -> Array:
        return grown(reference(x=case.arrays["x"], **case.settings), axis)

    return (
        forward_of(f"forward, x of rank {axes + 1}", lambda case: case.arrays["x"][0]),
        forward_of("forward, x narrower than the window", narrower_than_the_window),
        forward_of("forward, x without entries", lambda case: case.arrays["x"][:, :, :0]),
        backprop_of("backprop, dLdy of the shape of a larger y", lambda case: upstream(case, 2)),
        backprop_of("backprop, dLdy of another batch size", lambda case: upstream(case, 0)),
    )  # fmt: skip
