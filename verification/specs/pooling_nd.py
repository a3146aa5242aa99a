"""Pooling over one axis or three, with stride and padding, as over two (pooling2d.py).

Source of the definitions: documentation of torch.nn.MaxPool1d, MaxPool3d, AvgPool1d and AvgPool3d.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import AXES, Choice, Choices, batch, counts, inner, one_of, side
from verification.explain.knobs import Mistake
from verification.spec import BadArgument, LayerSpec
from verification.specs.convolution2d import at_most, fitted
from verification.specs.convolution_nd import Setting, each, last, narrower, setting, sides_of
from verification.specs.refused import backprop_of, forward_of, grown
from verification.specs.same_padding import takes_same_padding
from verification.strategies import spaced, tied
from verification.trial import Trial

REALISTIC: dict[int, dict[str, Any]] = {
    1: {"batch": 4, "channels": 3, "values": 0, "kernel_size": 3, "stride": 2, "padding": 1, "extra": 60},
    3: {"batch": 4, "channels": 2, "values": 0, "kernel_size": (3, 2, 2), "stride": (2, 2, 1), "padding": (1, 0, 1),
        "extra": (4, 2, 3)},
}  # fmt: skip
LARGEST = {1: 10**6, 3: 960}
"""By the number of axes: a realistic size, and how many entries of x it has at most."""

WIDEST = {(1, False): 20, (1, True): 10, (3, False): 8, (3, True): 4}
"""By the number of axes, and for float32: the largest side of a window for which the multiples that have whole averages
are exact."""


@takes_same_padding(-np.inf)
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


@takes_same_padding(-np.inf)
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
        realistic=choices.realistic(partial(sized, largest=LARGEST[axes]), **REALISTIC[axes]),
        bad_arguments=_bad_arguments(largest),
        properties=(gradient_is_a_subgradient,),
        extremes=choices.cases(sized).map(_far_below_zero),
        gradient=largest_gradient,
        mistakes=MAX_MISTAKES,
    )
    return choices.applied(spec)


def _average_pooling(name: str, make: Callable[..., Any], only: Mapping[str, Any], axes: int) -> LayerSpec:
    most = WIDEST[axes, only.get("dtype") is np.float32]
    table = {**_windows_of(axes, most), "count_include_pad": one_of(False, True)}
    choices = Choices(name, only, table, make=make)
    sized = partial(average_case, keep=frozenset(choices.only))
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(sized),
        reference=average,
        affine_in=("x",),
        terms=lambda kernel_size, **_: math.prod(each(kernel_size)) + 1,
        realistic=choices.realistic(partial(sized, largest=LARGEST[axes]), **REALISTIC[axes], count_include_pad=False),
        bad_arguments=_bad_arguments(average),
        gradient=average_gradient,
        mistakes=AVERAGE_MISTAKES,
    )
    return choices.applied(spec)


# Cases


def _windows_of(axes: int, most: int | None = None) -> dict[str, Choice]:
    """Return the choices: windows, none with a longer side than `most`, that overlap, touch or leave gaps."""
    size, padding, extra = {1: (4, 2, 6), 3: (2, 1, 2)}[axes]
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

    x is drawn from the seed: any whole numbers, ties, or all negative. None if it has to be of such sides that the
    window does not fit into it.
    """
    kernel = each(kernel_size)
    before = tuple(p % (k // 2 + 1) for p, k in zip(each(padding), kernel, strict=True))
    of_axes = zip(kernel, before, each(extra), AXES[-len(kernel) :], strict=True)
    sides = [fitted(max(1, k - 2 * p), e, given.get(axis)) for k, p, e, axis in of_axes]
    if not all(sides):
        return None
    channels, batch = at_most(largest // math.prod(sides), {"channels": channels, "batch": batch}, keep)
    shape = (batch, channels, *sides)
    x = (whole("x", seed, shape), tied(seed, shape), -1 - abs(whole("x", seed, shape)))[values]
    return Case({"x": x}, {"kernel_size": kernel_size, "stride": stride, "padding": setting(before)}, seed)


def average_case(count_include_pad: bool, seed: int, **sizes: Any) -> Case | None:
    """Return the case of this size, of multiples of every number of entries that may lie in a window."""
    case = max_case(seed=seed, **sizes)
    if case is None:
        return None
    x, kernel = case.arrays["x"], each(case.settings["kernel_size"])
    step = math.prod(math.lcm(*range(1, k + 1)) for k in kernel)
    drawn = {"dLdy": (*x.shape[:2], *_counts(x, **case.settings)), "v for x": x.shape}
    arrays = {"x": step * x, **{name: step * whole(name, seed, shape) for name, shape in drawn.items()}}
    return Case(arrays, {**case.settings, "count_include_pad": count_include_pad}, seed, frozenset(drawn))


def _far_below_zero(case: Case) -> Case:
    """Return the case with other values, none equal, all less than any number that may stand for minus infinity."""
    x = case.arrays["x"]
    return replace(case, arrays={"x": (spaced(x, 1) - x.size) * 2.0**200})


# What is right


def _counts(x: Array, kernel_size: Setting, stride: Setting, padding: Setting, **_settings: Any) -> list[int]:
    of_axes = zip(x.shape[2:], each(padding), each(kernel_size), each(stride), strict=True)
    return [(side + 2 * p - k) // s + 1 for side, p, k, s in of_axes]


def windows(x: Array, kernel_size: Setting, stride: Setting, padding: Setting, **_settings: Any) -> Iterator[Any]:
    """Yield the index of every entry of y, and of the part of x that lies in its window."""
    kernel, steps, before = each(kernel_size), each(stride), each(padding)
    for place in np.ndindex(*_counts(x, kernel_size, stride, padding)):
        starts = [i * s - p for i, s, p in zip(place, steps, before, strict=True)]
        yield (
            (slice(None), slice(None), *place),
            last(slice(max(0, at), max(0, at + k)) for at, k in zip(starts, kernel, strict=True)),
        )


def _entries(window: Array) -> Array:
    """(n, c, ...) -> (n, c, entries of the window)."""
    return window.reshape(*window.shape[:2], math.prod(window.shape[2:]))


def _pooled(x: Array, entry: Callable[[Array], Array], **settings: Any) -> Array:
    """Return y with entry (n, c, entries) -> (n, c) of each window, of what lies in x."""
    y = np.empty((*x.shape[:2], *_counts(x, **settings)))
    for at, window in windows(x, **settings):
        y[at] = entry(_entries(x[window]))
    return y


def largest(x: Array, kernel_size: Setting, stride: Setting, padding: Setting) -> Array:
    """x (n, c, ...) -> the largest entry of every window, (n, c, (side + 2 p - k) // s + 1, ...).

    Source: the definition, a window at a time; a window has only what lies in x.
    """
    return _pooled(x, lambda entries: entries.max(axis=2), kernel_size=kernel_size, stride=stride, padding=padding)


def largest_gradient(dLdy: Array, x: Array, **settings: Any) -> dict[str, Array]:
    """Return {"x": dLdx}: the first of the largest entries takes what comes from a window."""
    return {"x": _shared(_first, dLdy, x, **settings)}


def average(x: Array, kernel_size: Setting, stride: Setting, padding: Setting, count_include_pad: bool) -> Array:
    """x (n, c, ...) -> the average of every window, (n, c, (side + 2 p - k) // s + 1, ...).

    Source: the definition, a window at a time: the sum of what lies in x, divided by the size of the
    window, or of that part.
    """
    size = math.prod(each(kernel_size))
    settings = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
    return _pooled(
        x, lambda entries: entries.sum(axis=2) / (size if count_include_pad else entries.shape[2]), **settings
    )


def average_gradient(dLdy: Array, x: Array, count_include_pad: bool, **settings: Any) -> dict[str, Array]:
    """Return {"x": dLdx}: every entry of a window takes its share."""
    size = math.prod(each(settings["kernel_size"]))
    share = (lambda entries: np.full(entries.shape, 1 / size)) if count_include_pad else _evenly
    return {"x": _shared(share, dLdy, x, **settings)}


def _shared(
    share: Callable[[Array], Array], dLdy: Array, x: Array, *, add: bool = True, keep: bool = False, **settings: Any
) -> Array:
    """Return dLdx with this share (n, c, entries) of dLdy for the entries of each window.

    Where windows overlap shares are added up, or else (not add) the later one stays, if it is not 0 (keep).
    """
    dLdx = np.zeros(x.shape)
    for at, window in windows(x, **settings):
        part = (share(_entries(x[window])) * dLdy[at][:, :, np.newaxis]).reshape(x[window].shape)
        dLdx[window] = dLdx[window] + part if add else np.where((part == 0) & keep, dLdx[window], part)
    return dLdx


def _first(entries: Array) -> Array:
    return np.asarray(entries.argmax(axis=2)[..., np.newaxis] == np.arange(entries.shape[2]), float)


def _every_largest(entries: Array) -> Array:
    return np.asarray(entries == entries.max(axis=2, keepdims=True), float)


def _only_largest(entries: Array) -> Array:
    every = _every_largest(entries)
    return np.asarray(every * (every.sum(axis=2, keepdims=True) == 1))


def _evenly(entries: Array) -> Array:
    return np.full(entries.shape, 1 / entries.shape[2])


# Properties


def gradient_is_a_subgradient(trial: Trial) -> None:
    """With dLdy at one window an image: dLdx >= 0 where its entries are the largest, 0 elsewhere, sum dLdy.

    Any such dLdx is a convex split of dLdy over the tied entries and so a subgradient of the maximum.
    """
    if trial.declares_dLdy:
        return  # it needs one of its own
    at, window = trial.pick("window", list(windows(trial.x, **trial.case.settings)))
    u = np.zeros(trial.y.shape)
    u[at] = 1 + abs(trial.whole("dLdy of one window", u.shape[:2]))
    where = f" for dLdy at window {list(at[2:])} only"
    dLdx = trial.expect_shape("dLdx", trial.layer().backprop(trial.x, u)["x"], trial.x.shape)
    most = np.zeros(trial.x.shape, bool)
    most[window] = trial.x[window] == trial.y[at].reshape(*trial.y.shape[:2], *[1] * (trial.x.ndim - 2))
    zero, shows, axes = np.zeros(trial.x.shape), trial.expression(dLdx), tuple(range(2, trial.x.ndim))
    trial.compare("dLdx", np.where(most, 0.0, dLdx), zero, f"{where}: no largest entry there", shows=shows)
    trial.compare("dLdx", np.minimum(dLdx, 0.0), zero, f"{where}: no part may be negative", shows=shows)
    trial.compare(
        "the sum of dLdx over each image and channel",
        dLdx.sum(axis=axes),
        u.sum(axis=axes),
        f"{where}, which the largest entries should share",
        label=f"dLdx.sum(axis={axes})",
        shows=trial.expression(dLdx, f"{{}}.sum(axis={axes})"),
        array="dLdx",
    )


# Mistakes


def _settings(trial: Trial) -> dict[str, Any]:
    return {name: trial.case.settings[name] for name in ("kernel_size", "stride", "padding")}


def _frame(trial: Trial, value: float) -> tuple[Array, dict[str, Any]]:
    """Return x in a frame of this value, and the settings without padding."""
    padding = each(trial.case.settings["padding"])
    framed = np.pad(trial.x, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=value)
    return framed, {**_settings(trial), "padding": setting([0] * len(padding))}


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
        return dLdx[tuple(slice(side) for side in trial.x.shape)] if framed.shape != trial.x.shape else None

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
            _cut_at_the_corner(lambda _trial, entries: _first(entries), -np.inf)),
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
            _with_share(_first, add=False)),
    Mistake("not-accumulated", "dLdx", "dLdx has one dLdy for an entry that is the largest of several windows",
            _with_share(_first, add=False, keep=True)),
    Mistake("wrong-operation", "dLdx", "dLdx spreads dLdy over the whole window, as for a mean", _with_share(_evenly)),
    Mistake("wrong-operation", "dLdx", "dLdx gives dLdy to the smallest entry of each window, not to the largest",
            _with_share(lambda entries: _first(-entries))),
    Mistake("full-gradient-to-ties", "dLdx at ties",
            "where several entries are the largest each takes all of dLdy: choose one, or share it",
            _with_share(_every_largest)),
    Mistake("no-gradient-to-ties", "dLdx at ties", "where several entries are the largest none takes dLdy",
            _with_share(_only_largest)),
)  # fmt: skip

AVERAGE_MISTAKES = (
    *(
        Mistake(family, array, f"{array} {sentence}", wrong)
        for family, sentence, divisor in (
            ("wrong-formula", "divides by the number of entries inside x, whatever count_include_pad is",
             lambda _trial, entries: entries.shape[2]),
            ("wrong-formula", "divides by the size of the window, whatever count_include_pad is", _size),
            ("term-missing", "is not divided: it holds sums, not averages", lambda _trial, _entries: 1),
            ("wrong-formula", "divides by the stride, not by the size of the window",
             lambda trial, _entries: math.prod(each(trial.case.settings["stride"]))),
        )
        for array, wrong in _divided_by(divisor).items()
    ),
    Mistake("padding-ignored", "dLdx", "dLdx is cut from the corner of its frame: leave out the padding before x too",
            _cut_at_the_corner(_average_share, np.nan)),
    Mistake("not-accumulated", "dLdx", "dLdx is overwritten where windows overlap: += for =",
            lambda trial: _with_share(lambda entries: _average_share(trial, entries), add=False)(trial)),
)  # fmt: skip


# Calls to refuse


def _bad_arguments(reference: Callable[..., Array]) -> tuple[BadArgument, ...]:
    def upstream(case: Case, axis: int) -> Array:
        return grown(reference(x=case.arrays["x"], **case.settings), axis)

    return (
        forward_of("forward, x without the axis of the batch", lambda case: case.arrays["x"][0]),
        forward_of("forward, x narrower than the window", narrower),
        backprop_of("backprop, dLdy of the shape of a larger y", lambda case: upstream(case, 2)),
        backprop_of("backprop, dLdy of another batch size", lambda case: upstream(case, 0)),
    )  # fmt: skip
