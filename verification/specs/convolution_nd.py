"""Convolution over one axis or three: stride, padding, dilation and groups, as over two (convolution2d.py).

It is cross-correlation: nothing is flipped. Source of the definitions: documentation of torch.nn.Conv1d and Conv3d.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.signal import correlate

from verification.case import Array, Case, unusual, whole
from verification.choices import AXES, Choice, Choices, batch, counts, inner, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.convolution2d import fitted, grouped, interleaved, reduced
from verification.specs.refused import backprop_of, forward_of, grown
from verification.specs.same_padding import takes_same_padding
from verification.trial import Trial

Setting = int | tuple[int, ...]


@takes_same_padding(0.0)
def convolution1d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a convolutional layer over one axis, with stride, padding, dilation and groups.

    implementation(in_channels, out_channels, kernel_size, stride, padding, dilation, groups) makes the
    layer: the class itself or a function; all are whole numbers. The layer takes x (n, in_channels, w), has
    the parameters W (out_channels, in_channels / groups, k) and b (out_channels,), and backprop returns
    (dLdx, dLdW, dLdb).
    padding="same" is that of tf.nn.convolution (specs/same_padding.py).
    Keywords restrict what is tried (`verification.choices`): these settings, batch, width; bias=False.
    """
    table = {"kernel_size": counts(1, 4), "stride": counts(1, 3), "padding": counts(0, 2, least=0),
             "dilation": counts(1, 3), "extra": inner(0, 5)}  # fmt: skip
    realistic = {"channels": 4, "filters": 4, "kernel_size": 5, "stride": 2, "padding": 2, "dilation": 2, "extra": 200}
    return _convolution("convolution1d", implementation, only, table, realistic, 10**6)


@takes_same_padding(0.0)
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
    table = {"kernel_size": counts(1, 2, axes=3), "stride": counts(1, 2, axes=3),
             "padding": counts(0, 1, least=0, axes=3), "dilation": counts(1, 2, axes=3),
             "extra": inner(0, 2, axes=3)}  # fmt: skip
    realistic = {"channels": 1, "filters": 2, "kernel_size": (3, 2, 3), "stride": (1, 2, 1), "padding": (1, 0, 1),
                 "dilation": (1, 2, 1), "extra": (4, 3, 2)}  # fmt: skip
    return _convolution("convolution3d", implementation, only, table, realistic, 960)


def _convolution(
    name: str, make: Callable[..., Any], only: Mapping[str, Any], table: Mapping[str, Choice],
    realistic: Mapping[str, Any], largest: int,
) -> LayerSpec:  # fmt: skip
    """Return the spec; the realistic case has at most `largest` entries of x."""
    choices = Choices(name, only, {
        "batch": batch(1, 3), "groups": counts(1, 3), "channels": inner(1, 2), "filters": inner(1, 2), **table,
        "in_channels": counts(), "out_channels": counts(), **sides_of(table["kernel_size"].axes),
    }, has_bias=True, make=make)  # fmt: skip
    sized = partial(case, keep=frozenset(choices.only))
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(sized),
        reference=correlation,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
        terms=lambda W, **_: int(W[0].size) + 1,
        realistic=choices.realistic(partial(sized, largest=largest), batch=4, groups=2, **realistic),
        bad_arguments=BAD_ARGUMENTS,
        gradient=correlation_gradient,
        mistakes=MISTAKES,
    )
    return choices.applied(spec)


def sides_of(axes: int) -> dict[str, Choice]:
    """Return the choices of the sides of x, which follow from the others unless they are given."""
    return {name: side(axis) for axis, name in zip((-3, -2, -1)[-axes:], AXES[-axes:], strict=True)}


def setting(values: Sequence[int]) -> Setting:
    """Return a setting as the layer is given it: a number for one axis, or else a tuple."""
    return values[0] if len(values) == 1 else tuple(values)


def each(given: Setting) -> tuple[int, ...]:
    """Return a setting as a tuple with a number for each axis."""
    return given if isinstance(given, tuple) else (given,)


def last(places: Iterable[Any]) -> Any:
    """Return the index of these places, or slices, in the last axes."""
    return (..., *places)


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
    x = whole("x", seed, (batch, groups * channels, *sides)) * (2.0**12 if unusual(seed, "large") else 1.0)
    W = whole("W", seed, (groups * filters, channels, *kernel))
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

    Source: scipy.signal.correlate of one channel in its frame of zeros with one filter that has zeros in its
    gaps, at every place; of these sums every stride-th is taken.
    """
    framed = _framed(x, each(padding))
    gapped = np.zeros((*W.shape[:2], *(d * (k - 1) + 1 for d, k in zip(each(dilation), W.shape[2:], strict=True))))
    gapped[last(slice(None, None, d) for d in each(dilation))] = W
    steps = tuple(slice(None, None, s) for s in each(stride))
    sides = zip(framed.shape[2:], gapped.shape[2:], each(stride), strict=True)
    y = np.zeros((len(x), len(W), *((side - reach) // s + 1 for side, reach, s in sides)))
    y += b.reshape(-1, *[1] * len(steps))
    for n, f, c in np.ndindex(len(x), *W.shape[:2]):
        channel = framed[n, f // (len(W) // groups) * W.shape[1] + c]
        y[n, f] += correlate(channel, gapped[f, c], "valid", "direct")[steps]
    return y


def correlation_gradient(
    dLdy: Array, x: Array, W: Array, b: Array, stride: Setting, padding: Setting, dilation: Setting, groups: int,
    **_settings: Any,
) -> dict[str, Array]:  # fmt: skip
    """Return the gradients by name, an entry of the filter at a time.

    Settings other than those that gave dLdy its shape may be given, to see what they would lead to: x counts as
    zero where they reach too far.
    """
    s, p, d = each(stride), each(padding), each(dilation)
    kernel, counts = W.shape[2:], dLdy.shape[2:]
    u = dLdy.reshape(len(x), groups, len(W) // groups, *counts)
    reach = [(count - 1) * a + e * (k - 1) + 1 for count, a, e, k in zip(counts, s, d, kernel, strict=True)]
    framed = _framed(x, p, reach).reshape(len(x), groups, W.shape[1], -1)
    places = np.arange(framed.shape[3]).reshape(_framed(x[:1], p, reach).shape[2:])
    filters, dLdW, dLdframed = W.reshape(groups, -1, *W.shape[1:]), np.zeros(W.shape), np.zeros(framed.shape)
    for tap in np.ndindex(kernel):
        of_axes = zip(tap, d, counts, s, strict=True)
        at = places[tuple(slice(i * e, i * e + (count - 1) * a + 1, a) for i, e, count, a in of_axes)].ravel()
        upstream = u.reshape(*u.shape[:3], -1)
        dLdframed[..., at] += np.einsum("ngfp,gfc->ngcp", upstream, filters[last(tap)])
        dLdW[last(tap)] = np.einsum("ngfp,ngcp->gfc", upstream, framed[..., at]).reshape(W.shape[:2])
    inside = dLdframed.reshape(len(x), x.shape[1], *places.shape)
    inside = inside[last(slice(q, q + side) for q, side in zip(p, x.shape[2:], strict=True))]
    return {"x": inside, "W": dLdW, "b": dLdy.sum(axis=(0, *range(2, dLdy.ndim))).reshape(b.shape)}


def _framed(x: Array, padding: Sequence[int], reach: Sequence[int] = (), mode: Any = "constant") -> Array:
    """Return x in its frame, with zeros at the end where filters reach further."""
    of_axes = zip(reach or [0] * len(padding), x.shape[2:], padding, strict=True)
    more = [max(0, r - side - 2 * p) for r, side, p in of_axes]
    return np.pad(x, [(0, 0), (0, 0), *((p, p + m) for p, m in zip(padding, more, strict=True))], mode=mode)


# Mistakes

Settings = Mapping[str, Any]


def _all(name: str, change: Callable[[int], int]) -> Callable[[Settings], Settings]:
    """Return the mistake of changing a setting for every axis."""
    return lambda settings: {name: setting([change(value) for value in each(settings[name])])}


_NO_PADDING = _all("padding", lambda _: 0)
CHANGES: list[tuple[str, str, Callable[[Settings], Settings]]] = [
    ("stride-ignored", "with stride 1, whatever was asked for", _all("stride", lambda _: 1)),
    ("hard-coded-stride", "with stride 2, whatever was asked for", _all("stride", lambda _: 2)),
    ("dilation-ignored", "with dilation 1, whatever was asked for", _all("dilation", lambda _: 1)),
    ("padding-ignored", "as if no padding came before x", _NO_PADDING),
    ("shifted", "with all the padding before x", _all("padding", lambda p: 2 * p)),
    *(("axes-swapped", f"with the {name} of its axes in reverse order",
       lambda s, name=name: {name: setting(each(s[name])[::-1])}) for name in ("stride", "dilation", "padding")),
]  # fmt: skip
"""Family, sentence and the settings that come out of the mistake."""


def _of_settings() -> Iterator[Mistake]:
    """Yield the mistakes of working with other settings, but in the right shape."""

    def row(array: str, family: str, sentence: str, change: Callable[[Settings], Settings]) -> Mistake:
        def wrong(trial: Trial) -> Array | None:
            settings = trial.case.settings
            changed = {**settings, **change(settings)}
            if changed == settings or not _fits(trial, changed):
                return None
            if array == "y":
                return _cut(trial, changed)
            return trial.gradient(trial.dLdy, **change(settings))[array.removeprefix("dLd")]

        return Mistake(family, array, f"{array} is computed {sentence}", wrong)

    return (row(array, *change) for change in CHANGES for array in ("y", "dLdx", "dLdW"))


def _fits(trial: Trial, changed: Settings) -> bool:
    """Return whether filters with changed stride and dilation stay within the frame: the layer has no index error."""
    kernel, frame = trial.arguments["W"].shape[2:], each(trial.case.settings["padding"])
    of_axes = zip(
        trial.y.shape[2:], each(changed["stride"]), each(changed["dilation"]), kernel, trial.x.shape[2:], frame,
        each(changed["padding"]), strict=True,
    )  # fmt: skip
    return all(
        (count - 1) * s + d * (k - 1) + 1 <= side + 2 * p and before <= 2 * p
        for count, s, d, k, side, p, before in of_axes
    )


def _cut(trial: Trial, changed: Settings) -> Array:
    """Return y under other settings, cut to its right size; padding is moved, not made more or less."""
    before = zip(each(changed["padding"]), trial.x.shape[2:], strict=True)
    framed = np.pad(trial.x, [(0, 0), (0, 0), *((p, 10 * side) for p, side in before)])
    settings = {**changed, **_NO_PADDING(changed)}
    y = correlation(framed, trial.arguments["W"], trial.arguments["b"], **settings)
    return y[tuple(slice(side) for side in trial.y.shape)]


def _turned(trial: Trial) -> Array:
    W = trial.arguments["W"]
    return np.flip(W, axis=tuple(range(2, W.ndim)))


def _assigned(trial: Trial) -> Array:
    """Return dLdx if every window assigned its part where it should add it."""
    dLdx, part, ones = np.zeros(trial.x.shape), np.zeros(trial.dLdy.shape), np.ones(trial.arguments["W"].shape)
    for place in np.ndindex(part.shape[2:]):
        at = (slice(None), slice(None), *place)
        part[at] = 1
        window = trial.gradient(part, W=ones)["x"] != 0
        part[at] = trial.dLdy[at]
        dLdx[window] = trial.gradient(part)["x"][window]
        part[at] = 0
    return dLdx


def _assigned_by_taps(trial: Trial) -> Array:
    """Return dLdx if every entry of the filter assigned its part where it should add it."""
    dLdx, W = np.zeros(trial.x.shape), trial.arguments["W"]
    for tap in np.ndindex(W.shape[2:]):
        one = np.zeros(W.shape)
        one[last(tap)] = 1
        reached = trial.gradient(np.ones(trial.y.shape), W=one)["x"] != 0
        dLdx[reached] = trial.gradient(trial.dLdy, W=one * W)["x"][reached]
    return dLdx


def _last_position(trial: Trial) -> Array:
    u, at = np.zeros(trial.dLdy.shape), last([-1] * (trial.dLdy.ndim - 2))
    u[at] = trial.dLdy[at]
    return trial.gradient(u)["W"]


def _tiled(trial: Trial) -> Array | None:
    """Return x if every group reads the channels of the first."""
    groups = trial.case.settings["groups"]
    first = trial.x[:, : trial.x.shape[1] // groups]
    return np.concatenate([first] * groups, axis=1) if groups > 1 else None


def _interleaved_output(trial: Trial) -> Array | None:
    """Return y if its channels go round the groups in turn, and the bias is then added."""
    b = trial.arguments["b"].reshape(-1, *[1] * (trial.y.ndim - 2))
    mixed = interleaved(trial.y - b, trial.case.settings["groups"])
    return None if mixed is None else mixed + b


def _edge_repeated(trial: Trial) -> Array:
    at, settings = trial.arguments, trial.case.settings
    framed = _framed(trial.x, each(settings["padding"]), mode="edge")
    return correlation(framed, at["W"], at["b"], **{**settings, **_NO_PADDING(settings)})


MISTAKES = (
    Mistake("filter-flipped", "y", "y is computed with the filter turned around: do not flip it",
            lambda trial: trial.reference(W=_turned(trial))),
    Mistake("filter-not-flipped", "dLdx",
            "dLdx is computed with the filter turned around: it is flipped once too often, or not at all",
            lambda trial: trial.gradient(trial.dLdy, W=_turned(trial))["x"]),
    *_of_settings(),
    Mistake("not-accumulated", "dLdx",
            "dLdx is that of the last window over each entry; windows overlap, so add with +=", _assigned),
    Mistake("not-accumulated", "dLdx",
            "dLdx is that of the last entry of the filter over each; windows overlap: += for =", _assigned_by_taps),
    Mistake("not-accumulated", "dLdW", "dLdW is that of the last position; sum over all with +=", _last_position),
    Mistake("groups-ignored", "y", "y reads the channels of the first group in every group",
            lambda trial: None if (x := _tiled(trial)) is None else trial.reference(x=x)),
    Mistake("groups-ignored", "dLdW", "dLdW reads the channels of the first group in every group",
            lambda trial: None if (x := _tiled(trial)) is None else trial.gradient(trial.dLdy, x=x)["W"]),
    Mistake("channels-mixed", "y", "y has its groups interleaved, as if channel i belonged to group i modulo groups",
            _interleaved_output),
    Mistake("channels-mixed", "dLdx",
            "dLdx has its groups interleaved, as if channel i belonged to group i modulo groups",
            lambda trial: interleaved(trial.gradient(trial.dLdy)["x"], trial.case.settings["groups"])),
    Mistake("padding-value", "y", "y has a frame that repeats the edge of x; it should be of zeros",
            _edge_repeated),
    Mistake("bias-not-summed", "dLdb", "dLdb is summed over the positions only: sum over the batch too",
            lambda trial: trial.dLdy.sum(axis=tuple(range(2, trial.dLdy.ndim)))),
    Mistake("bias-not-summed", "dLdb", "dLdb is that of the first position: sum over all of them",
            lambda trial: trial.dLdy[last([0] * (trial.dLdy.ndim - 2))].sum(axis=0)),
)  # fmt: skip


# Calls to refuse


def narrower(case: Case) -> Array:
    """Return x with a last axis too short for the window, or without entries."""
    settings = case.settings
    reach = each(settings.get("dilation", 1))[-1] * (each(settings["kernel_size"])[-1] - 1) + 1
    return case.arrays["x"][..., : max(0, reach - 1 - 2 * each(settings["padding"])[-1])]


def _y(case: Case) -> Array:
    given: dict[str, Any] = {**case.arrays, **case.settings}
    return correlation(**given)


BAD_ARGUMENTS = (
    forward_of("forward, x without the axis of the batch", lambda case: case.arrays["x"][0]),
    forward_of("forward, x with a channel too many", lambda case: grown(case.arrays["x"], 1)),
    forward_of("forward, x narrower than the filter", narrower),
    backprop_of("backprop, dLdy of the shape of a larger y", lambda case: grown(_y(case), 2)),
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(_y(case), 0)),
)  # fmt: skip
