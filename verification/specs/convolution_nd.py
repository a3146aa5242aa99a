"""Convolution over one, two or three axes, as libraries have it: stride, padding, dilation and groups.

It is cross-correlation: nothing is flipped. Source of the definitions: documentation of torch.nn.Conv1d, Conv2d and
Conv3d.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.signal import correlate

from verification.case import Array, Case, unusual, whole
from verification.choices import AXES, Choice, Choices, batch, counts, inner
from verification.explain.knobs import Mistake
from verification.spec import BadArgument, LayerSpec
from verification.specs.axes import (
    Setting,
    at_most,
    column,
    each,
    every,
    fitted,
    in_frame,
    last,
    like,
    narrower_than_the_window,
    padded,
    setting,
    sides_of,
    sizes_divide,
    windows_along,
    without_frame,
)
from verification.specs.refused import backprop_of, forward_of, grown
from verification.specs.same_padding import takes_same_padding
from verification.trial import Trial

with_same_padding = takes_same_padding(0.0, "groups_work_side_by_side")
"""Of the properties of a convolution this one holds with such padding too."""


@with_same_padding
def convolution1d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a convolutional layer over one axis, with stride, padding, dilation and groups.

    implementation(in_channels, out_channels, kernel_size, stride, padding, dilation, groups) makes the
    layer: the class itself or a function; all are whole numbers. The layer takes x (n, in_channels, w), has
    the parameters W (out_channels, in_channels / groups, k) and b (out_channels,), and backprop returns
    (dLdx, dLdW, dLdb).
    padding="same" is that of tf.nn.convolution (specs/same_padding.py).
    Keywords restrict what is tried (`verification.choices`): these settings, batch, width; bias=False.
    """
    realistic = {"channels": 4, "filters": 4, "kernel_size": 5, "stride": 2, "padding": 2, "dilation": 2, "extra": 200}
    return _convolution("convolution1d", implementation, only, 1, realistic)


@with_same_padding
def convolution2d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a convolutional layer with stride, padding, dilation and groups.

    implementation(in_channels, out_channels, kernel_size, stride, padding, dilation, groups) makes the
    layer: the class itself or a function. All but the channels and groups are pairs (height, width).
    The layer takes x (n, in_channels, h, w), has the parameters W (out_channels, in_channels / groups,
    kh, kw) and b (out_channels,), and backprop returns (dLdx, dLdW, dLdb).
    padding="same" is that of tf.nn.convolution (specs/same_padding.py).
    Keywords restrict what is tried (`verification.choices`): these settings, batch, height and width of the
    image; square=True; bias=False.
    """
    realistic = {"channels": 4, "filters": 4, "kernel_size": (3, 5), "stride": (2, 1), "padding": (1, 2),
                 "dilation": (1, 2), "extra": (28, 24)}  # fmt: skip
    return _convolution("convolution2d", implementation, only, 2, realistic)


@with_same_padding
def convolution3d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a convolutional layer over three axes, with stride, padding, dilation and groups.

    implementation(in_channels, out_channels, kernel_size, stride, padding, dilation, groups) makes the
    layer: the class itself or a function. All but the channels and groups are triples (depth, height,
    width). The layer takes x (n, in_channels, d, h, w), has the parameters W (out_channels,
    in_channels / groups, kd, kh, kw) and b (out_channels,), and backprop returns (dLdx, dLdW, dLdb).
    padding="same" is that of tf.nn.convolution (specs/same_padding.py).
    Keywords restrict what is tried (`verification.choices`): these settings, batch, depth, height and width of x;
    square=True; bias=False.
    """
    realistic = {"channels": 1, "filters": 2, "kernel_size": (3, 2, 3), "stride": (1, 2, 1), "padding": (1, 0, 1),
                 "dilation": (1, 2, 1), "extra": (4, 3, 2)}  # fmt: skip
    return _convolution("convolution3d", implementation, only, 3, realistic)


def _convolution(
    name: str, make: Callable[..., Any], only: Mapping[str, Any], axes: int, realistic: Mapping[str, Any]
) -> LayerSpec:
    choices = Choices(name, only, _choices(axes), has_bias=True, make=make)
    sized = partial(case, keep=frozenset(choices.only))
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(sized),
        reference=correlation,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
        terms=lambda W, **_: int(W[0].size) + 1,
        realistic=choices.realistic(partial(sized, largest=REALISTIC_ENTRIES[axes]), batch=4, groups=2, **realistic),
        bad_arguments=(
            *bad_arguments(correlation, axes),
            forward_of("forward, x narrower than the filter", narrower_than_the_window),
        ),
        properties=(
            stride_picks_from_the_output_of_stride_1,
            padding_is_a_frame_of_zeros,
            dilation_is_a_filter_with_gaps_of_zeros,
            groups_work_side_by_side,
        ),
        gradient=correlation_gradient,
        mistakes=_mistakes(axes),
        conditions=sizes_divide,
    )
    return choices.applied(spec)


REALISTIC_ENTRIES = {1: 10**6, 2: 10**6, 3: 960}
"""By the number of axes, how many entries of x the realistic case has at most."""


def _choices(axes: int) -> dict[str, Choice]:
    """Return the choices: any combination of settings, different by axis, depthwise layers included."""
    kernel, step, padding, extra = {1: (4, 3, 2, 5), 2: (3, 3, 2, 3), 3: (2, 2, 1, 2)}[axes]
    return {
        "batch": batch(1, 3), "groups": counts(1, 3), "channels": inner(1, 2), "filters": inner(1, 2),
        "kernel_size": counts(1, kernel, axes=axes), "stride": counts(1, step, axes=axes),
        "padding": counts(0, padding, least=0, axes=axes), "dilation": counts(1, step, axes=axes),
        "extra": inner(0, extra, axes=axes), "in_channels": counts(), "out_channels": counts(), **sides_of(axes),
    }  # fmt: skip


def reduced(
    largest: int, sides: Sequence[int], groups: int, channels: int, batch: int, keep: Collection[str]
) -> Iterator[int]:
    """Yield groups, channels of each and batch, made less where x would have more entries than `largest`."""
    if {"in_channels", "out_channels"} & set(keep):
        keep = {*keep, "groups", *(["channels"] if "in_channels" in keep else [])}
    return at_most(largest // math.prod(sides), {"groups": groups, "channels": channels, "batch": batch}, keep)


def grouped(
    groups: int, channels: int, filters: int, in_channels: int | None, out_channels: int | None
) -> tuple[int, int] | None:
    """Return channels and filters of each group, so that there are as many as are given; None if there cannot be."""
    if (in_channels or groups) % groups or (out_channels or groups) % groups:
        return None
    return (in_channels or groups * channels) // groups, (out_channels or groups * filters) // groups


def case(
    batch: int, groups: int, channels: int, filters: int, kernel_size: Setting, stride: Setting, padding: Setting,
    dilation: Setting, extra: Setting, seed: int, largest: int = 90, in_channels: int | None = None,
    out_channels: int | None = None, keep: Collection[str] = (), **given: int,
) -> Case | None:  # fmt: skip
    """Return the case of this size, channels and filters counted by group; x has at most `largest` entries.

    x is as large as the filter needs, and `extra` larger, unless its sides are given; images, channels and groups are
    fewer where it would be too large, unless they are given or to be kept. None if what is given does not fit together.
    """
    kernel = each(kernel_size)
    of_axes = zip(kernel, each(padding), each(dilation), each(extra), AXES[-len(kernel) :], strict=True)
    sides = [fitted(max(1, d * (k - 1) + 1 - 2 * p), e, given.get(axis)) for k, p, d, e, axis in of_axes]
    counted = grouped(groups, channels, filters, in_channels, out_channels)
    if not all(sides) or counted is None:
        return None
    channels, filters = counted
    groups, channels, batch = reduced(largest, sides, groups, channels, batch, keep)
    x = whole("x", seed, (batch, groups * channels, *sides))
    W = whole("W", seed, (groups * filters, channels, *kernel))
    # Now and then something out of the ordinary: large numbers, an image or a filter of zeros.
    kind = unusual(seed, "large", "zero image", "zero filter")
    if kind == "large":
        x = x * 2.0**12
    elif kind == "zero image":
        x[:1] = 0
    elif kind == "zero filter":
        W[:1] = 0
    return Case(
        arrays={"x": x, "W": W, "b": whole("b", seed, (len(W),))},
        settings={
            "in_channels": x.shape[1],
            "out_channels": len(W),
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
        },
        seed=seed,
    )


# What is right


def correlation(
    x: Array, W: Array, b: Array, stride: Setting, padding: Setting, dilation: Setting, groups: int, **_settings: Any
) -> Array:
    """x (n, c, ...), W (f, c / groups, ...), b (f,) -> y (n, f, (side + 2 p - d (k - 1) - 1) // s + 1, ...).

    Source: scipy.signal.correlate of the channels of a group, each in its frame of zeros, with one filter that has
    zeros in its gaps, at every place of every image; of these sums every stride-th is taken.
    """
    framed, gapped, of_group = in_frame(x, padding), with_gaps(W, dilation), W.shape[1]
    y = np.empty((len(x), len(W), *windows_along(x, setting(W.shape[2:]), stride, padding, dilation)))
    for f in range(len(W) if len(x) else 0):
        first = f // (len(W) // groups) * of_group
        sums = correlate(framed[:, first : first + of_group], gapped[f : f + 1], "valid", "direct")
        y[:, f] = sums[:, 0][every(stride)] + b[f]
    return y


def with_gaps(W: Array, gaps: Setting) -> Array:
    """Return filters with zeros between their entries, which then lie `gaps` apart."""
    sides = [gap * (side - 1) + 1 for gap, side in zip(each(gaps), W.shape[2:], strict=True)]
    gapped = np.zeros((*W.shape[:2], *sides))
    gapped[every(gaps)] = W
    return gapped


def correlation_gradient(
    dLdy: Array, x: Array, W: Array, stride: Setting, padding: Setting, dilation: Setting, groups: int, **_others: Any
) -> dict[str, Array]:  # fmt: skip
    """Return dLdx, dLdW and dLdb by name: y = sum over the entries i of a filter of W[..., i] x[i d + s Z].

    Settings other than those that gave dLdy its shape may be given, to see what they would lead to:
    x counts as zero where they reach too far.
    """
    f, of_group, *kernel = W.shape
    u = dLdy.reshape(len(x), groups, f // groups, *dLdy.shape[2:])
    framed = canvas(x.reshape(len(x), groups, of_group, *x.shape[2:]), u, kernel, stride, padding, dilation)
    filters, dLdW = W.reshape(groups, f // groups, of_group, *kernel), np.zeros(W.shape)
    dLdframed, places = np.zeros(framed.shape), "pqr"[: len(kernel)]
    for entry in np.ndindex(*kernel):
        at = tap(entry, u, stride, dilation)
        dLdframed[at] += np.einsum("ngf...,gfc->ngc...", u, filters[last(entry)])
        met = np.einsum(f"ngf{places},ngc{places}->gfc", u, framed[at])
        dLdW[last(entry)] = met.reshape(f, of_group)
    return {"x": without_frame(dLdframed, padding, x.shape), "W": dLdW, "b": dLdy.sum(axis=(0, *range(2, dLdy.ndim)))}


def canvas(x: Array, u: Array, kernel: Sequence[int], stride: Setting, padding: Setting, dilation: Setting) -> Array:
    """Return x in its frame of zeros, and larger if as many windows as u has places need it."""
    axes = len(kernel)
    settings = zip(kernel, each(stride), each(padding), each(dilation), strict=True)
    widths = [
        (p, max(p, (count - 1) * s + d * (k - 1) + 1 - side - p))
        for side, count, (k, s, p, d) in zip(x.shape[-axes:], u.shape[-axes:], settings, strict=True)
    ]
    return padded(x, widths)


def tap(entry: Sequence[int], u: Array, stride: Setting, dilation: Setting) -> Any:
    """Return the index of what this entry of a filter is multiplied with in all windows, as many as u has places."""
    of_axes = zip(entry, u.shape[-len(entry) :], each(stride), each(dilation), strict=True)
    return last(slice(i * d, i * d + count * s, s) for i, count, s, d in of_axes)


# Properties


def stride_picks_from_the_output_of_stride_1(trial: Trial) -> None:
    """forward(x) == forward(x) of the layer with stride 1, of which every stride-th row and column is taken."""
    stride = trial.case.settings["stride"]
    dense = trial.other(stride=like(stride, 1)).forward(trial.x)[every(stride)]
    trial.compare("forward(x)", trial.layer().forward(trial.x), dense, ": it should be picked from that of stride 1")


def padding_is_a_frame_of_zeros(trial: Trial) -> None:
    """forward(x) == forward(x in a frame of zeros) of the layer without padding."""
    padding = trial.case.settings["padding"]
    expected = trial.other(padding=like(padding, 0)).forward(trial.allowed(in_frame(trial.x, padding)))
    because = ": it should be that of x in a frame of zeros, without padding"
    trial.compare("forward(x)", trial.layer().forward(trial.x), expected, because)


def dilation_is_a_filter_with_gaps_of_zeros(trial: Trial) -> None:
    """forward(x) == forward(x) of the layer with dilation 1 whose W has d - 1 zeros between its entries."""
    dilation = trial.case.settings["dilation"]
    gapped = with_gaps(trial.arguments["W"], dilation)
    dense = trial.other({"W": gapped}, dilation=like(dilation, 1), kernel_size=setting(gapped.shape[2:]))
    because = ": it should be that of W with zeros in its gaps, without dilation"
    trial.compare("forward(x)", trial.layer().forward(trial.x), dense.forward(trial.x), because)


def groups_work_side_by_side(trial: Trial) -> None:
    """Forward(x)'s channels of each group == forward(the group's channels) of a layer of its filters alone."""
    groups, W = trial.case.settings["groups"], trial.arguments["W"]
    y = trial.expect_shape("forward(x)", trial.layer().forward(trial.x), trial.y.shape)
    group = trial.pick("group", range(groups))
    filters, channels, maps = (
        slice(group * size // groups, (group + 1) * size // groups) for size in (len(W), trial.x.shape[1], y.shape[1])
    )
    alone = trial.other(
        {"W": W[filters], "b": trial.arguments["b"][maps]},
        in_channels=trial.x.shape[1] // groups, out_channels=y.shape[1] // groups, groups=1,
    )  # fmt: skip
    because = f" for group {group} of {groups}: it should be what the group gives alone"
    expected = y.copy()
    expected[:, maps] = trial.expect_shape("forward(x)", alone.forward(trial.x[:, channels]), y[:, maps].shape)
    trial.compare("forward(x)", y, expected, because)


# Mistakes

Settings = Mapping[str, Any]
Change = tuple[str, str, Callable[[Settings], Settings]]
"""Family, sentence and the settings that come out of the mistake."""


def _all(name: str, change: Callable[[int], int]) -> Callable[[Settings], Settings]:
    """Return the mistake of changing a setting for every axis."""
    return lambda settings: {name: setting(map(change, each(settings[name])))}


def _changes(axes: int) -> Iterator[Change]:
    yield "stride-ignored", "with stride 1, whatever was asked for", _all("stride", lambda _: 1)
    yield "hard-coded-stride", "with stride 2, whatever was asked for", _all("stride", lambda _: 2)
    yield "dilation-ignored", "with dilation 1, whatever was asked for", _all("dilation", lambda _: 1)
    yield "padding-ignored", "as if no padding came before x", _all("padding", lambda _: 0)
    yield "shifted", "with all the padding before x", _all("padding", lambda p: 2 * p)
    for name in ("stride", "dilation", "padding") if axes > 1 else ():
        yield from _axes_swapped(name, axes)


def _axes_swapped(name: str, axes: int) -> Iterator[Change]:
    def of_axis(at: int) -> Callable[[Settings], Settings]:
        return lambda settings: {name: (settings[name][at],) * axes}

    swapped = f"{name}s of height and width swapped" if axes == 2 else f"{name} of its axes in reverse order"
    yield "axes-swapped", f"with the {swapped}", lambda settings: {name: settings[name][::-1]}
    for at, axis in enumerate(AXES[-axes:]):
        yield "axes-swapped", f"with the {name} of the {axis} for {'both' if axes == 2 else 'all'} axes", of_axis(at)


def mistaken_settings(
    axes: int,
    forward: Callable[[Trial, Settings], Array | None],
    maps: Callable[[Trial], tuple[Array, Array]],
) -> Iterator[Mistake]:
    """Yield the mistakes of a layer that works with other settings, forward or backward, but in the right shape.

    `maps` returns the array that filters move over, and the one that has an entry for each of their places.
    A mistake does not apply where filters would reach out of the first: the layer has an index error.
    """

    def row(array: str, family: str, sentence: str, change: Callable[[Settings], Settings]) -> Mistake:
        def wrong(trial: Trial) -> Array | None:
            settings = trial.case.settings
            changed = change(settings)
            if all(settings[name] == value for name, value in changed.items()):
                return None
            if not _fits(settings, {**settings, **changed}, *maps(trial)):
                return None
            if array == "y":
                return forward(trial, {**settings, **changed})
            return trial.gradient(trial.dLdy, **changed)[array.removeprefix("dLd")]

        return Mistake(family, array, f"{array} is computed {sentence}", wrong)

    return (row(array, *change) for change in _changes(axes) for array in ("y", "dLdx", "dLdW"))


def _fits(settings: Settings, changed: Settings, under: Array, places: Array) -> bool:
    """Return whether filters with changed stride and dilation stay within what is under them, and its frame."""
    given = settings["kernel_size"], settings["padding"], changed["stride"], changed["dilation"]
    of_axes = zip(places.shape[2:], under.shape[2:], zip(*map(each, given), strict=True), strict=True)
    return all((count - 1) * s + d * (k - 1) + 1 <= side + 2 * p for count, side, (k, p, s, d) in of_axes)


def filter_mistakes(axes: int) -> Iterator[Mistake]:
    """Yield the mistakes of a layer that turns its filters around, or does not when it should."""
    turned = "turned by 180 degrees" if axes == 2 else "turned around"

    def turn(trial: Trial) -> Array:
        return np.flip(trial.arguments["W"], axis=tuple(range(-axes, 0)))

    yield Mistake(
        "filter-flipped", "y", f"y is computed with the filter {turned}: do not flip it",
        lambda trial: trial.reference(W=turn(trial)),
    )  # fmt: skip
    yield Mistake(
        "filter-not-flipped", "dLdx",
        f"dLdx is computed with the filter {turned}: it is flipped once too often, or not at all",
        lambda trial: trial.gradient(trial.dLdy, W=turn(trial))["x"],
    )  # fmt: skip


def _forward(trial: Trial, settings: Settings) -> Array | None:
    """Return y under other settings, cut to its size; padding is moved, not made more or less."""
    at, x = trial.arguments, trial.x
    before, room = each(settings["padding"]), each(trial.case.settings["padding"])
    if any(b > 2 * r for b, r in zip(before, room, strict=True)):
        return None
    framed = padded(x, [(b, 4 * r + 9) for b, r in zip(before, room, strict=True)])
    y = correlation(framed, at["W"], at["b"], **{**settings, "padding": like(settings["padding"], 0)})
    y = y[tuple(map(slice, trial.y.shape))]
    return y if y.shape == trial.y.shape else None


def one_position(maps: Array, index: int) -> Array:
    """Return maps (n, c, ...) with zeros everywhere but at the first or last position."""
    one, at = np.zeros(maps.shape), last([index] * (maps.ndim - 2))
    one[at] = maps[at]
    return one


def _overwritten_by_windows(trial: Trial) -> Array:
    """Return dLdx if every window assigned its part where it should add it."""
    dLdx, part, ones = np.zeros(trial.x.shape), np.zeros(trial.dLdy.shape), np.ones(trial.arguments["W"].shape)
    for place in np.ndindex(part.shape[2:]):
        part[last(place)] = 1
        window = trial.gradient(part, W=ones)["x"] != 0
        dLdx[window] = trial.gradient(part * trial.dLdy)["x"][window]
        part[last(place)] = 0
    return dLdx


def _overwritten_by_taps(trial: Trial) -> Array:
    """Return dLdx if every entry of the filter assigned its part where it should add it."""
    dLdx, W = np.zeros(trial.x.shape), trial.arguments["W"]
    for entry in np.ndindex(W.shape[2:]):
        one = np.zeros(W.shape)
        one[last(entry)] = 1
        reached = trial.gradient(np.ones(trial.y.shape), W=one)["x"] != 0
        dLdx[reached] = trial.gradient(trial.dLdy, W=one * W)["x"][reached]
    return dLdx


def _tiled(trial: Trial) -> Array | None:
    """Return x if every group reads the channels of the first."""
    groups = trial.case.settings["groups"]
    first = trial.x[:, : trial.x.shape[1] // groups]
    return np.concatenate([first] * groups, axis=1) if groups > 1 else None


def _first_group_takes_all(trial: Trial) -> Array | None:
    """Return dLdx if every group writes to the channels of the first."""
    groups, (n, c, *sides) = trial.case.settings["groups"], trial.x.shape
    dLdx = np.zeros(trial.x.shape)
    dLdx[:, : c // groups] = trial.gradient(trial.dLdy)["x"].reshape(n, groups, c // groups, *sides).sum(axis=1)
    return None if groups == 1 else dLdx


def interleaved(array: Array, groups: int) -> Array | None:
    """Return the array with the first channel of each group first, then the second of each, and so on."""
    if groups == 1 or groups == array.shape[1]:
        return None
    return array.reshape(len(array), groups, -1, *array.shape[2:]).swapaxes(1, 2).reshape(array.shape)


def interleaved_output(trial: Trial) -> Array | None:
    """Return y if its channels go round the groups in turn, and the bias is then added."""
    b = column(trial.arguments["b"], trial.y.ndim - 2)
    mixed = interleaved(trial.y - b, trial.case.settings["groups"])
    return None if mixed is None else mixed + b


def first_biases(trial: Trial) -> Array:
    """Return y with the bias of the first filter of each group."""
    b = trial.arguments["b"]
    of_group = len(b) // trial.case.settings["groups"]
    return np.asarray(trial.y + column(np.repeat(b[::of_group], of_group) - b, trial.y.ndim - 2))


def _edge_repeated(trial: Trial) -> Array:
    at, settings = trial.arguments, trial.case.settings
    framed = np.pad(trial.x, [(0, 0), (0, 0), *((p, p) for p in each(settings["padding"]))], mode="edge")
    return correlation(framed, at["W"], at["b"], **{**settings, "padding": like(settings["padding"], 0)})


def _aligned_at_the_end(trial: Trial) -> Array | None:
    """Return dLdx if the last window ended where the frame does."""
    given, x = trial.case.settings, trial.x
    framed = in_frame(x, given["padding"])
    settings = zip(*(each(given[name]) for name in ("kernel_size", "stride", "dilation")), strict=True)
    rest = [(side - d * (k - 1) - 1) % s for side, (k, s, d) in zip(framed.shape[2:], settings, strict=True)]
    dLdx = trial.gradient(trial.dLdy, x=framed, padding=like(given["padding"], 0))["x"]
    dLdx = np.roll(dLdx, rest, axis=tuple(range(2, x.ndim)))
    return without_frame(dLdx, given["padding"], x.shape) if any(rest) else None


def _bias_mistakes() -> Iterator[Mistake]:
    def summed(dLdy: Array, *axes: int) -> Array:
        return np.asarray(dLdy.sum(axis=(*axes, *range(2, dLdy.ndim))))

    yield Mistake(
        "bias-not-summed", "dLdb", "dLdb is summed over the positions only: sum over the batch too",
        lambda trial: summed(trial.dLdy),
    )  # fmt: skip
    yield Mistake(
        "bias-not-summed", "dLdb", "dLdb is that of the first position: sum over all of them",
        lambda trial: summed(one_position(trial.dLdy, 0), 0),
    )  # fmt: skip


def _mistakes(axes: int) -> tuple[Mistake, ...]:
    return (
        *filter_mistakes(axes),
        *mistaken_settings(axes, _forward, lambda trial: (trial.x, trial.y)),
        Mistake("not-accumulated", "dLdx",
                "dLdx is that of the last window over each entry; windows overlap, so add with +=",
                _overwritten_by_windows),
        Mistake("not-accumulated", "dLdW", "dLdW is that of the last position; sum over all with +=",
                lambda trial: trial.gradient(one_position(trial.dLdy, -1))["W"]),
        Mistake("groups-ignored", "y", "y reads the channels of the first group in every group",
                lambda trial: None if (x := _tiled(trial)) is None else trial.reference(x=x)),
        Mistake("groups-ignored", "dLdW", "dLdW reads the channels of the first group in every group",
                lambda trial: None if (x := _tiled(trial)) is None else trial.gradient(trial.dLdy, x=x)["W"]),
        Mistake("groups-ignored", "dLdx", "dLdx has what belongs to all groups in the channels of the first",
                _first_group_takes_all),
        Mistake("channels-mixed", "y",
                "y has its groups interleaved, as if channel i belonged to group i modulo groups",
                interleaved_output),
        Mistake("bias-missing", "y", "y has in each group the bias of its first filter; each filter has its own",
                first_biases),
        Mistake("not-accumulated", "dLdx",
                "dLdx is that of the last entry of the filter over each; windows overlap: += for =",
                _overwritten_by_taps),
        Mistake("padding-value", "y", "y has a frame that repeats the edge of x; it should be of zeros",
                _edge_repeated),
        Mistake("shifted", "dLdx",
                "dLdx is moved by what the stride leaves over; that belongs at the end",
                _aligned_at_the_end),
        Mistake("channels-mixed", "dLdx",
                "dLdx has its groups interleaved, as if channel i belonged to group i modulo groups",
                lambda trial: interleaved(trial.gradient(trial.dLdy)["x"], trial.case.settings["groups"])),
        *(_bias_mistakes() if axes != 2 else ()),  # of images the knobs of every layer say so
    )  # fmt: skip


# Calls to refuse


def bad_arguments(reference: Callable[..., Array], axes: int) -> tuple[BadArgument, ...]:
    """Return the calls that any layer of images and channels should refuse."""

    def upstream(case: Case, axis: int) -> Array:
        return grown(reference(**case.arrays, **case.settings), axis)

    return (
        forward_of(f"forward, x of rank {axes + 1}", lambda case: case.arrays["x"][0]),
        forward_of("forward, x with a channel too many", lambda case: grown(case.arrays["x"], 1)),
        forward_of("forward, x without entries", lambda case: case.arrays["x"][:, :, :0]),
        backprop_of("backprop, dLdy of the shape of a larger y", lambda case: upstream(case, 2)),
        backprop_of("backprop, dLdy of another batch size", lambda case: upstream(case, 0)),
    )  # fmt: skip
