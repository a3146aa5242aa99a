"""Two-dimensional convolution as libraries have it: stride, padding, dilation and groups, by height and width.

It is cross-correlation: nothing is flipped. Source of the definition: documentation of torch.nn.Conv2d.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.signal import correlate2d

from verification.case import Array, Case, unusual, whole
from verification.choices import Choices, batch, counts, inner, side
from verification.explain.knobs import Mistake
from verification.spec import BadArgument, LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown, narrower_than_the_window
from verification.specs.same_padding import takes_same_padding
from verification.trial import Trial

Pair = tuple[int, int]


@takes_same_padding(0.0, "groups_work_side_by_side")
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
    choices = Choices("convolution2d", only, CHOICES, has_bias=True, make=implementation)
    make = partial(case, keep=frozenset(choices.only))
    spec = LayerSpec(
        name="convolution2d",
        make=implementation,
        cases=choices.cases(make),
        reference=correlation2d,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
        terms=lambda W, **_: int(W[0].size) + 1,
        realistic=choices.realistic(
            partial(make, largest=10**6),
            batch=4,
            groups=2,
            channels=4,
            filters=4,
            kernel_size=(3, 5),
            stride=(2, 1),
            padding=(1, 2),
            dilation=(1, 2),
            extra=(28, 24),
        ),
        bad_arguments=BAD_ARGUMENTS,
        properties=(
            stride_picks_from_the_output_of_stride_1,
            padding_is_a_frame_of_zeros,
            dilation_is_a_filter_with_gaps_of_zeros,
            groups_work_side_by_side,
        ),
        gradient=correlation2d_gradient,
        mistakes=MISTAKES,
        conditions=sizes_divide,
    )
    return choices.applied(spec)


CHOICES = {
    "batch": batch(1, 3), "groups": counts(1, 3), "channels": inner(1, 2), "filters": inner(1, 2),
    "kernel_size": counts(1, 3, axes=2), "stride": counts(1, 3, axes=2),
    "padding": counts(0, 2, least=0, axes=2), "dilation": counts(1, 3, axes=2), "extra": inner(0, 3, axes=2),
    "in_channels": counts(), "out_channels": counts(), "height": side(2), "width": side(3),
}  # fmt: skip
"""Any combination of settings, different by height and width, depthwise layers included."""


def at_most(entries: int, counts: Mapping[str, int], keep: Collection[str]) -> Iterator[int]:
    """Yield the counts, each made less (but not below 1) where their product would exceed this many entries.

    Those to `keep` stay as they are.
    """
    for name, count in counts.items():
        fitting = count if name in keep else max(1, min(count, entries))
        entries //= fitting
        yield fitting


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


def fitted(least: int, extra: int, given: int | None) -> int:
    """Return the side of an image, `extra` larger than it has to be unless it is given; 0 if that is too small."""
    return least + extra if given is None else given * (given >= least)


def case(
    batch: int, groups: int, channels: int, filters: int, kernel_size: Pair, stride: Pair, padding: Pair,
    dilation: Pair, extra: Pair, seed: int, largest: int = 90, in_channels: int | None = None,
    out_channels: int | None = None, height: int | None = None, width: int | None = None,
    keep: Collection[str] = (),
) -> Case | None:  # fmt: skip
    """Return the case of this size, channels and filters counted by group; x has at most `largest` entries.

    The image is as large as the filter needs, and `extra` larger, unless its sides are given; images, channels
    and groups are fewer where it would be too large, unless they are given or to be kept. None if what is given
    does not fit together.
    """
    sides = [
        fitted(max(1, d * (k - 1) + 1 - 2 * p), e, given)
        for k, p, d, e, given in zip(kernel_size, padding, dilation, extra, (height, width), strict=True)
    ]
    counts = grouped(groups, channels, filters, in_channels, out_channels)
    if not all(sides) or counts is None:
        return None
    channels, filters = counts
    groups, channels, batch = reduced(largest, sides, groups, channels, batch, keep)
    x = whole("x", seed, (batch, groups * channels, *sides))
    W = whole("W", seed, (groups * filters, channels, *kernel_size))
    # Now and then something out of the ordinary: large numbers, an image or a filter of zeros.
    kind = unusual(seed, "large", "zero image", "zero filter")
    if kind == "large":
        x = x * 2.0**12
    elif kind == "zero image":
        x = x * (np.arange(batch) > 0)[:, None, None, None]
    elif kind == "zero filter":
        W = W * (np.arange(len(W)) > 0)[:, None, None, None]
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


def correlation2d(
    x: Array, W: Array, b: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int, **_settings: Any
) -> Array:
    """x (n, c, h, w), W (f, c / groups, kh, kw), b (f,) -> y (n, f, (h + 2 ph - dh (kh - 1) - 1) // sh + 1, ...).

    Source: the documentation of torch.nn.Conv2d. scipy.signal.correlate2d sums, of one channel and one
    filter with zeros in its gaps at a time, over all images in one column, each in its frame of zeros;
    of the sums every stride-th is taken, and none where the filter lies across two images.
    """
    (n, c, h, w), (f, of_group, kh, kw) = x.shape, W.shape
    gapped = np.zeros((f, of_group, dilation[0] * (kh - 1) + 1, dilation[1] * (kw - 1) + 1))
    gapped[:, :, :: dilation[0], :: dilation[1]] = W
    height, width = h + 2 * padding[0], w + 2 * padding[1]
    framed = np.zeros((c, n, height, width))
    framed[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w] = x.swapaxes(0, 1)
    y = np.zeros((f, n, height, width - gapped.shape[3] + 1))
    for i, k in np.ndindex(f, of_group if n else 0):
        channel = i // (f // groups) * of_group + k
        maps = correlate2d(framed[channel].reshape(n * height, width), gapped[i, k], mode="valid")
        y[i].reshape(n * height, -1)[: len(maps)] += maps
    inside = y[:, :, : height - gapped.shape[2] + 1 : stride[0], :: stride[1]]
    return np.asarray(inside.swapaxes(0, 1) + b[:, np.newaxis, np.newaxis])


def correlation2d_gradient(
    dLdy: Array, x: Array, W: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int, **_others: Any
) -> dict[str, Array]:  # fmt: skip
    """Return dLdx, dLdW and dLdb by name: y = sum over (i, j) of W[..., i, j] x[i d + s Z], differentiated.

    Settings other than those that gave dLdy its shape may be given, to see what they would lead to:
    x counts as zero where they reach too far.
    """
    f, of_group, *kernel = W.shape
    u = dLdy.reshape(len(x), groups, f // groups, *dLdy.shape[2:])
    framed = canvas(x.reshape(len(x), groups, of_group, *x.shape[2:]), u, kernel, stride, padding, dilation)
    filters, dLdW = W.reshape(groups, f // groups, of_group, *kernel), np.zeros(W.shape)
    dLdframed = np.zeros(framed.shape)
    for i, j in np.ndindex(*kernel):
        at = tap(i, j, u, stride, dilation)
        dLdframed[at] += np.einsum("ngfhw,gfc->ngchw", u, filters[..., i, j])
        dLdW[..., i, j] = np.einsum("ngfhw,ngchw->gfc", u, framed[at]).reshape(f, of_group)
    return {"x": cropped(dLdframed, padding, x.shape), "W": dLdW, "b": dLdy.sum(axis=(0, 2, 3))}


def canvas(x: Array, u: Array, kernel: list[int], stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Return x in its frame of zeros, and larger if windows as many as u has rows and columns need it."""
    height, width = (
        max(side + 2 * p, (count - 1) * s + d * (k - 1) + 1)
        for side, count, k, s, p, d in zip(x.shape[-2:], u.shape[-2:], kernel, stride, padding, dilation, strict=True)
    )
    framed = np.zeros((*x.shape[:-2], height, width))
    framed[..., padding[0] : padding[0] + x.shape[-2], padding[1] : padding[1] + x.shape[-1]] = x
    return framed


def tap(i: int, j: int, u: Array, stride: Pair, dilation: Pair) -> Any:
    """Return the index of what W[..., i, j] is multiplied with in all windows, as many as u has rows and columns."""
    top, left = i * dilation[0], j * dilation[1]
    height, width = u.shape[-2] * stride[0], u.shape[-1] * stride[1]
    return np.s_[..., top : top + height : stride[0], left : left + width : stride[1]]


def cropped(framed: Array, padding: Pair, shape: tuple[int, ...]) -> Array:
    """Return what lies within the frame, in this shape."""
    top, left = padding
    return framed[..., top : top + shape[2], left : left + shape[3]].reshape(shape)


# Properties


def stride_picks_from_the_output_of_stride_1(trial: Trial) -> None:
    """forward(x) == forward(x) of the layer with stride 1, of which every sh-th row and sw-th column is taken."""
    down, across = trial.case.settings["stride"]
    dense = trial.other(stride=(1, 1)).forward(trial.x)[:, :, ::down, ::across]
    trial.compare("forward(x)", trial.layer().forward(trial.x), dense, ": it should be picked from that of stride 1")


def padding_is_a_frame_of_zeros(trial: Trial) -> None:
    """forward(x) == forward(x in a frame of zeros) of the layer without padding."""
    p, q = trial.case.settings["padding"]
    framed = np.pad(trial.x, ((0, 0), (0, 0), (p, p), (q, q)))
    expected = trial.other(padding=(0, 0)).forward(trial.allowed(framed))
    because = ": it should be that of x in a frame of zeros, without padding"
    trial.compare("forward(x)", trial.layer().forward(trial.x), expected, because)


def dilation_is_a_filter_with_gaps_of_zeros(trial: Trial) -> None:
    """forward(x) == forward(x) of the layer with dilation 1 whose W has d - 1 zeros between its entries."""
    W, (down, across) = trial.arguments["W"], trial.case.settings["dilation"]
    gapped = np.zeros((*W.shape[:2], down * (W.shape[2] - 1) + 1, across * (W.shape[3] - 1) + 1))
    gapped[:, :, ::down, ::across] = W
    dense = trial.other({"W": gapped}, dilation=(1, 1), kernel_size=gapped.shape[2:])
    because = ": it should be that of W with zeros in its gaps, without dilation"
    trial.compare("forward(x)", trial.layer().forward(trial.x), dense.forward(trial.x), because)


def groups_work_side_by_side(trial: Trial) -> None:
    """Forward(x) of each group's filters == forward(the group's channels) of a layer of these filters alone."""
    groups, W = trial.case.settings["groups"], trial.arguments["W"]
    y = trial.expect_shape("forward(x)", trial.layer().forward(trial.x), trial.y.shape)
    group = trial.pick("group", range(groups))
    filters, channels = (
        slice(group * size, (group + 1) * size) for size in (len(W) // groups, trial.x.shape[1] // groups)
    )
    alone = trial.other(
        {"W": W[filters], "b": trial.arguments["b"][filters]},
        in_channels=W.shape[1], out_channels=len(W) // groups, groups=1,
    )  # fmt: skip
    because = f" for group {group} of {groups}: it should be what the group gives alone"
    expected = y.copy()
    expected[:, filters] = trial.expect_shape("forward(x)", alone.forward(trial.x[:, channels]), y[:, filters].shape)
    trial.compare("forward(x)", y, expected, because)


# Mistakes

Settings = Mapping[str, Any]


def _pairs(name: str) -> list[tuple[str, str, Callable[[Settings], Settings]]]:
    return [
        ("axes-swapped", f"with the {name}s of height and width swapped", lambda s: {name: s[name][::-1]}),
        ("axes-swapped", f"with the {name} of the height for both axes", lambda s: {name: (s[name][0],) * 2}),
        ("axes-swapped", f"with the {name} of the width for both axes", lambda s: {name: (s[name][1],) * 2}),
    ]


CHANGES: list[tuple[str, str, Callable[[Settings], Settings]]] = [
    ("stride-ignored", "with stride 1, whatever was asked for", lambda _: {"stride": (1, 1)}),
    ("hard-coded-stride", "with stride 2, whatever was asked for", lambda _: {"stride": (2, 2)}),
    *_pairs("stride"),
    ("dilation-ignored", "with dilation 1, whatever was asked for", lambda _: {"dilation": (1, 1)}),
    *_pairs("dilation"),
    ("padding-ignored", "as if no row and column came before x", lambda _: {"padding": (0, 0)}),
    ("shifted", "with all the padding before x", lambda s: {"padding": tuple(2 * p for p in s["padding"])}),
    *_pairs("padding"),
]
"""Family, sentence and the settings that come out of the mistake."""


def mistaken_settings(
    forward: Callable[[Trial, Settings], Array | None], maps: Callable[[Trial], tuple[Array, Array]]
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

    return (row(array, *change) for change in CHANGES for array in ("y", "dLdx", "dLdW"))


def _fits(settings: Settings, changed: Settings, under: Array, places: Array) -> bool:
    """Return whether filters with changed stride and dilation stay within what is under them, and its frame."""
    return all(
        (count - 1) * s + d * (k - 1) + 1 <= side + 2 * p
        for count, s, d, k, side, p in zip(
            places.shape[2:], changed["stride"], changed["dilation"], settings["kernel_size"], under.shape[2:],
            settings["padding"], strict=True,
        )
    )  # fmt: skip


def filter_mistakes() -> Iterator[Mistake]:
    """Yield the mistakes of a layer that turns its filters around, or does not when it should."""

    def turned(trial: Trial) -> Array:
        return trial.arguments["W"][..., ::-1, ::-1]

    yield Mistake(
        "filter-flipped", "y", "y is computed with the filter turned by 180 degrees: do not flip it",
        lambda trial: trial.reference(W=turned(trial)),
    )  # fmt: skip
    yield Mistake(
        "filter-not-flipped", "dLdx",
        "dLdx is computed with the filter turned by 180 degrees: it is flipped once too often, or not at all",
        lambda trial: trial.gradient(trial.dLdy, W=turned(trial))["x"],
    )  # fmt: skip


def _forward(trial: Trial, settings: Settings) -> Array | None:
    """Return the first rows and columns of y under other settings; padding is moved, not made more or less."""
    at, shape, x = trial.arguments, trial.y.shape, trial.x
    before, room = settings["padding"], trial.case.settings["padding"]
    framed = np.zeros((*x.shape[:2], x.shape[2] + 4 * room[0] + 9, x.shape[3] + 4 * room[1] + 9))
    if any(b > 2 * r for b, r in zip(before, room, strict=True)):
        return None
    framed[:, :, before[0] : before[0] + x.shape[2], before[1] : before[1] + x.shape[3]] = x
    y = correlation2d(framed, at["W"], at["b"], **{**settings, "padding": (0, 0)})[:, :, : shape[2], : shape[3]]
    return y if y.shape == shape else None


def _one_position(trial: Trial, index: int) -> Array:
    """Return dLdy at the first or last position, and zero elsewhere."""
    u = np.zeros(trial.dLdy.shape)
    u[:, :, index, index] = trial.dLdy[:, :, index, index]
    return u


def overwritten(trial: Trial) -> Array:
    """Return dLdx if every window assigned its part where it should add it."""
    dLdx, part, ones = np.zeros(trial.x.shape), np.zeros(trial.dLdy.shape), np.ones(trial.arguments["W"].shape)
    for i, j in np.ndindex(part.shape[2:]):
        part[:, :, i, j] = 1
        window = trial.gradient(part, W=ones)["x"] != 0
        dLdx[window] = trial.gradient(part * trial.dLdy)["x"][window]
        part[:, :, i, j] = 0
    return dLdx


def _tiled(trial: Trial) -> Array | None:
    """Return x if every group reads the channels of the first."""
    groups = trial.case.settings["groups"]
    if groups == 1:
        return None
    return np.tile(trial.x[:, : trial.x.shape[1] // groups], (1, groups, 1, 1))


def _first_group_takes_all(trial: Trial) -> Array | None:
    """Return dLdx if every group writes to the channels of the first."""
    groups, (n, c, h, w) = trial.case.settings["groups"], trial.x.shape
    dLdx = np.zeros(trial.x.shape)
    dLdx[:, : c // groups] = trial.gradient(trial.dLdy)["x"].reshape(n, groups, -1, h, w).sum(axis=1)
    return None if groups == 1 else dLdx


def interleaved(array: Array, groups: int) -> Array | None:
    """Return the array with the first channel of each group first, then the second of each, and so on."""
    if groups == 1 or groups == array.shape[1]:
        return None
    return array.reshape(len(array), groups, -1, *array.shape[2:]).swapaxes(1, 2).reshape(array.shape)


def interleaved_output(trial: Trial) -> Array | None:
    """Return y if its channels go round the groups in turn, and the bias is then added."""
    b = trial.arguments["b"][:, np.newaxis, np.newaxis]
    mixed = interleaved(trial.y - b, trial.case.settings["groups"])
    return None if mixed is None else mixed + b


def first_biases(trial: Trial) -> Array:
    """Return y with the bias of the first filter of each group."""
    b = trial.arguments["b"]
    of_group = len(b) // trial.case.settings["groups"]
    return np.asarray(trial.y + (np.repeat(b[::of_group], of_group) - b)[:, np.newaxis, np.newaxis])


def _overwritten_by_taps(trial: Trial) -> Array:
    """Return dLdx if every entry of the filter assigned its part where it should add it."""
    dLdx, W = np.zeros(trial.x.shape), trial.arguments["W"]
    for i, j in np.ndindex(W.shape[2:]):
        one = np.zeros(W.shape)
        one[..., i, j] = 1
        reached = trial.gradient(np.ones(trial.y.shape), W=one)["x"] != 0
        dLdx[reached] = trial.gradient(trial.dLdy, W=one * W)["x"][reached]
    return dLdx


def _edge_repeated(trial: Trial) -> Array:
    p, q = trial.case.settings["padding"]
    at, settings = trial.arguments, {**trial.case.settings, "padding": (0, 0)}
    framed = np.pad(trial.x, ((0, 0), (0, 0), (p, p), (q, q)), mode="edge")
    return correlation2d(framed, at["W"], at["b"], **settings)


def _aligned_at_the_end(trial: Trial) -> Array | None:
    """Return dLdx if the last window ended where the frame does."""
    s, x = trial.case.settings, trial.x
    framed = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in s["padding"])))
    rest = [
        (side - d * (k - 1) - 1) % stride
        for side, d, k, stride in zip(framed.shape[2:], s["dilation"], s["kernel_size"], s["stride"], strict=True)
    ]
    dLdx = np.roll(trial.gradient(trial.dLdy, x=framed, padding=(0, 0))["x"], rest, axis=(2, 3))
    return cropped(dLdx, s["padding"], x.shape) if any(rest) else None


MISTAKES = (
    *filter_mistakes(),
    *mistaken_settings(_forward, lambda trial: (trial.x, trial.y)),
    Mistake(
        "not-accumulated", "dLdx", "dLdx is that of the last window over each entry; windows overlap, so add with +=",
        overwritten,
    ),
    Mistake(
        "not-accumulated", "dLdW", "dLdW is that of the last position; sum over all with +=",
        lambda trial: trial.gradient(_one_position(trial, -1))["W"],
    ),
    Mistake(
        "groups-ignored", "y", "y reads the channels of the first group in every group",
        lambda trial: None if (x := _tiled(trial)) is None else trial.reference(x=x),
    ),
    Mistake(
        "groups-ignored", "dLdW", "dLdW reads the channels of the first group in every group",
        lambda trial: None if (x := _tiled(trial)) is None else trial.gradient(trial.dLdy, x=x)["W"],
    ),
    Mistake("groups-ignored", "dLdx", "dLdx has what belongs to all groups in the channels of the first",
            _first_group_takes_all),
    Mistake(
        "channels-mixed", "y", "y has its groups interleaved, as if channel i belonged to group i modulo groups",
        interleaved_output,
    ),
    Mistake(
        "bias-missing", "y", "y has in each group the bias of its first filter; each filter has its own", first_biases
    ),
    Mistake(
        "not-accumulated", "dLdx", "dLdx is that of the last entry of the filter over each; windows overlap: += for =",
        _overwritten_by_taps,
    ),
    Mistake("padding-value", "y", "y has a frame that repeats the edge of x; it should be of zeros", _edge_repeated),
    Mistake(
        "shifted", "dLdx", "dLdx is moved by the rows and columns that the stride leaves over; they belong at the end",
        _aligned_at_the_end,
    ),
    Mistake(
        "channels-mixed", "dLdx", "dLdx has its groups interleaved, as if channel i belonged to group i modulo groups",
        lambda trial: interleaved(trial.gradient(trial.dLdy)["x"], trial.case.settings["groups"]),
    ),
)  # fmt: skip


# Calls to refuse


def sizes_divide(case: Case) -> dict[str, bool]:
    """Return whether the windows cover the framed image to its edges, so that nothing is left over."""
    settings = case.settings
    dilation = settings.get("dilation", (1, 1))
    left_over = [
        (side + 2 * settings["padding"][i] - dilation[i] * (settings["kernel_size"][i] - 1) - 1) % settings["stride"][i]
        for i, side in enumerate(case.arrays["x"].shape[2:])
    ]
    return {"the windows fill the image": not any(left_over)}


def bad_arguments(reference: Callable[..., Array]) -> tuple[BadArgument, ...]:
    """Return the calls that any layer of images and channels should refuse."""

    def upstream(case: Case, axis: int) -> Array:
        return grown(reference(**case.arrays, **case.settings), axis)

    return (
        forward_of("forward, x of rank 3", lambda case: case.arrays["x"][0]),
        forward_of("forward, x with a channel too many", lambda case: grown(case.arrays["x"], 1)),
        forward_of("forward, x without rows", lambda case: case.arrays["x"][:, :, :0]),
        backprop_of("backprop, dLdy of the shape of a larger y", lambda case: upstream(case, 2)),
        backprop_of("backprop, dLdy of another batch size", lambda case: upstream(case, 0)),
    )  # fmt: skip


BAD_ARGUMENTS = (
    *bad_arguments(correlation2d),
    forward_of("forward, x narrower than the filter", narrower_than_the_window),
)  # fmt: skip
