"""Two-dimensional transposed convolution: each entry of x puts a weighted filter into y.

Source of the definition: documentation of torch.nn.ConvTranspose2d.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np
from scipy.signal import convolve2d

from verification.case import Array, Case, unusual, whole
from verification.choices import Choices, batch, counts, inner, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.axes import column, fitted, padded
from verification.specs.convolution_nd import (
    Settings,
    bad_arguments,
    canvas,
    correlation,
    filter_mistakes,
    first_biases,
    grouped,
    groups_work_side_by_side,
    interleaved,
    interleaved_output,
    mistaken_settings,
    one_position,
    reduced,
    tap,
    with_gaps,
)
from verification.trial import Trial

Pair = tuple[int, int]


def transposed_convolution2d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a transposed convolutional layer.

    implementation(in_channels, out_channels, kernel_size, stride, padding, output_padding, dilation, groups)
    makes the layer: the class itself or a function. All but the channels and groups are pairs (height,
    width); output_padding is less than the stride. The layer takes x (n, in_channels, h, w), has the
    parameters W (in_channels, out_channels / groups, kh, kw) and b (out_channels,), and backprop
    returns (dLdx, dLdW, dLdb).
    Keywords restrict what is tried (`verification.choices`): these settings, batch, height and width of the
    image; square=True; bias=False.
    """
    choices = Choices("transposed_convolution2d", only, CHOICES, has_bias=True, make=implementation)
    make = partial(case, keep=frozenset(choices.only))
    spec = LayerSpec(
        name="transposed_convolution2d",
        make=implementation,
        cases=choices.cases(make),
        reference=transposed2d,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
        terms=lambda W, groups, **_: int(W[:, 0].size) // groups + 1,
        realistic=choices.realistic(
            partial(make, largest=10**6),
            batch=4,
            groups=2,
            channels=3,
            filters=3,
            kernel_size=(4, 3),
            stride=(2, 2),
            padding=(1, 1),
            dilation=(1, 1),
            output_padding=(0, 1),
            extra=(13, 13),
        ),
        bad_arguments=bad_arguments(transposed2d, 2),
        properties=(
            is_the_adjoint_of_convolution,
            padding_takes_rows_away_and_output_padding_adds_them,
            groups_work_side_by_side,
        ),
        gradient=transposed2d_gradient,
        mistakes=MISTAKES,
    )
    return choices.applied(spec)


CHOICES = {
    "batch": batch(1, 2), "groups": counts(1, 3), "channels": inner(1, 2), "filters": inner(1, 2),
    "kernel_size": counts(1, 3, axes=2), "stride": counts(1, 3, axes=2),
    "padding": counts(0, 2, least=0, axes=2), "dilation": counts(1, 3, axes=2),
    "output_padding": counts(0, 5, least=0, axes=2), "extra": inner(0, 2, axes=2),
    "in_channels": counts(), "out_channels": counts(), "height": side(2), "width": side(3),
}  # fmt: skip
"""Any combination of settings, different by height and width, depthwise layers included."""


def case(
    batch: int, groups: int, channels: int, filters: int, kernel_size: Pair, stride: Pair, padding: Pair,
    dilation: Pair, output_padding: Pair, extra: Pair, seed: int, largest: int = 40, in_channels: int | None = None,
    out_channels: int | None = None, height: int | None = None, width: int | None = None,
    keep: Collection[str] = (),
) -> Case | None:  # fmt: skip
    """Return the case of this size, channels and filters counted by group; x has at most `largest` entries.

    output_padding counts modulo the stride. The image is as large as it takes for padding to leave something of
    y, and `extra` larger, unless its sides are given; images, channels and groups are fewer where it would be too
    large, unless they are given or to be kept. None if what is given does not fit together.
    """
    down, across = (more % s for more, s in zip(output_padding, stride, strict=True))
    sides = [
        fitted(1 + max(0, -((d * (k - 1) + o - 2 * p) // s)), e, given)
        for k, s, p, d, o, e, given in zip(
            kernel_size, stride, padding, dilation, (down, across), extra, (height, width), strict=True
        )
    ]
    counts = grouped(groups, channels, filters, in_channels, out_channels)
    if not all(sides) or counts is None:
        return None
    channels, filters = counts
    groups, channels, batch = reduced(largest, sides, groups, channels, batch, keep)
    x = whole("x", seed, (batch, groups * channels, *sides))
    W = whole("W", seed, (groups * channels, filters, *kernel_size))
    # Now and then something out of the ordinary: large numbers, an image of zeros.
    kind = unusual(seed, "large", "zero image")
    if kind == "large":
        x = x * 2.0**12
    elif kind == "zero image":
        x = x * (np.arange(batch) > 0)[:, None, None, None]
    return Case(
        arrays={"x": x, "W": W, "b": whole("b", seed, (groups * filters,))},
        settings={
            "in_channels": x.shape[1],
            "out_channels": groups * filters,
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "output_padding": (down, across),
            "dilation": dilation,
            "groups": groups,
        },
        seed=seed,
    )


# What is right


def transposed2d(
    x: Array, W: Array, b: Array, stride: Pair, padding: Pair, output_padding: Pair, dilation: Pair, groups: int,
    **_settings: Any,
) -> Array:  # fmt: skip
    """x (n, c, h, w), W (c, f / groups, kh, kw), b (f,) -> y (n, f, (h - 1) sh + dh (kh - 1) + 1 + oh - 2 ph, ...).

    Source: the documentation of torch.nn.ConvTranspose2d. scipy.signal.convolve2d sums, of one channel
    with sh - 1 zeros between its rows and one filter with zeros in its gaps at a time; output_padding adds
    rows of zeros at the end, and padding takes rows away at both ends.
    """
    (n, c), of_group = x.shape[:2], W.shape[1]
    gapped, apart = with_gaps(W, dilation), with_gaps(x, stride)
    apart = padded(apart, [(0, more) for more in output_padding])
    y = np.zeros((n, of_group * groups, *(a + g - 1 for a, g in zip(apart.shape[2:], gapped.shape[2:], strict=True))))
    for i, channel, k in np.ndindex(n, c, of_group):
        y[i, channel // (c // groups) * of_group + k] += convolve2d(apart[i, channel], gapped[channel, k])
    height, width = y.shape[2:]
    inside = y[:, :, padding[0] : height - padding[0], padding[1] : width - padding[1]]
    return np.asarray(inside + column(b, 2))


def transposed2d_gradient(
    dLdy: Array, x: Array, W: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int, **_others: Any
) -> dict[str, Array]:  # fmt: skip
    """Return dLdx, dLdW and dLdb by name: dLdx[Z] = sum over (i, j) of W[..., i, j] dLdy[i d + s Z - p].

    Settings other than those that gave dLdy its shape may be given, to see what they would lead to.
    """
    c, of_group, *kernel = W.shape
    grouped = x.reshape(len(x), groups, c // groups, *x.shape[2:])
    u = dLdy.reshape(len(x), groups, of_group, *dLdy.shape[2:])
    framed = canvas(u, grouped, kernel, stride, padding, dilation)
    filters, dLdx, dLdW = W.reshape(groups, c // groups, of_group, *kernel), np.zeros(grouped.shape), np.zeros(W.shape)
    for i, j in np.ndindex(*kernel):
        met = framed[tap((i, j), x, stride, dilation)]
        dLdx += np.einsum("ngfhw,gcf->ngchw", met, filters[..., i, j])
        dLdW[..., i, j] = np.einsum("ngchw,ngfhw->gcf", grouped, met).reshape(c, of_group)
    return {"x": dLdx.reshape(x.shape), "W": dLdW, "b": dLdy.sum(axis=(0, 2, 3))}


# Properties


def is_the_adjoint_of_convolution(trial: Trial) -> None:
    """<u, forward(x) - b> == <C u, x>, where C is convolution with the same W, stride, padding, dilation, groups.

    Convolution's in_channels are this layer's out_channels, and the other way about; what output_padding
    adds is what its stride leaves over.
    """
    y = trial.expect_shape("forward(x)", trial.layer().forward(trial.x), trial.y.shape)
    u = trial.whole("u", y.shape)
    C_u = correlation(u, trial.arguments["W"], np.zeros(trial.x.shape[1]), **trial.case.settings)
    linear = y - column(trial.arguments["b"], 2)
    if not trial.same_inner_product((u, linear), (C_u, trial.x)):
        trial.compare("forward(x)", y, trial.y, ": it is not the adjoint of convolution")


def padding_takes_rows_away_and_output_padding_adds_them(trial: Trial) -> None:
    """forward(x) == forward(x) of the layer without either, with rows of b added at the end, cropped at both ends.

    And so for columns.
    """
    (p, q), more, b = trial.case.settings["padding"], trial.case.settings["output_padding"], trial.arguments["b"]
    bare = trial.other(padding=(0, 0), output_padding=(0, 0)).forward(trial.x)
    longer = np.pad(bare - column(b, 2), ((0, 0), (0, 0), (0, more[0]), (0, more[1])))
    expected = longer[:, :, p : longer.shape[2] - p, q : longer.shape[3] - q] + column(b, 2)
    because = ": it should be that without padding, longer by output_padding, then cropped"
    trial.compare("forward(x)", trial.layer().forward(trial.x), expected, because)


# Mistakes


def _bare(trial: Trial, settings: Settings) -> Array:
    """Return y under these settings without its bias, before padding takes rows away and output_padding adds them."""
    none = {"b": np.zeros(trial.arguments["b"].shape), "padding": (0, 0), "output_padding": (0, 0)}
    return transposed2d(**{**trial.arguments, **settings, **none})


def _forward(trial: Trial, settings: Settings) -> Array | None:
    """Return the rows and columns of y that other settings leave; what they do not reach is the bias."""
    (p, q), (h, w), y = settings["padding"], trial.y.shape[2:], np.zeros(trial.y.shape)
    inside = _bare(trial, settings)[:, :, p : p + h, q : q + w]
    y[:, :, : inside.shape[2], : inside.shape[3]] = inside
    return np.asarray(y + column(trial.arguments["b"], 2))


def _parts(trial: Trial, *, by_tap: bool) -> Array:
    """Return y if the parts of it, by position of x or by entry of the filter, were assigned and not added."""
    x, W, none = trial.x, trial.arguments["W"], np.zeros(len(trial.arguments["b"]))
    y = np.zeros(trial.y.shape)
    for i, j in np.ndindex(*(W if by_tap else x).shape[2:]):
        one = np.zeros((W if by_tap else x).shape)
        one[..., i, j] = 1
        given = {"x": x, "W": one * W} if by_tap else {"x": one * x, "W": W}
        everywhere = {"x": np.ones(x.shape), "W": one} if by_tap else {"x": one, "W": np.ones(W.shape)}
        reached = trial.reference(b=none, **everywhere) != 0
        y[reached] = trial.reference(b=none, **given)[reached]
    return np.asarray(y + column(trial.arguments["b"], 2))


def _output_padding_first(trial: Trial) -> Array:
    """Return y if the rows and columns of output_padding came first."""
    settings = trial.case.settings
    (p, q), (h, w) = settings["padding"], trial.y.shape[2:]
    y = padded(_bare(trial, settings), [(more, 0) for more in settings["output_padding"]])
    return np.asarray(y[:, :, p : p + h, q : q + w] + column(trial.arguments["b"], 2))


def _bias_only_where_x_reaches(trial: Trial) -> Array:
    """Return y without the bias in what output_padding adds."""
    y, s = trial.y.copy(), trial.case.settings
    h, w = (
        max(0, side + p - more) for side, p, more in zip(y.shape[2:], s["padding"], s["output_padding"], strict=True)
    )
    added = np.ones(y.shape, bool)
    added[:, :, :h, :w] = False
    return np.asarray(y - added * column(trial.arguments["b"], 2))


MISTAKES = (
    Mistake("bias-missing", "y", "y has no bias in what output_padding adds", _bias_only_where_x_reaches),
    *filter_mistakes(2),
    *mistaken_settings(2, _forward, lambda trial: (trial.y, trial.x)),
    Mistake(
        "not-accumulated", "dLdW", "dLdW is that of the last position of x; sum over all with +=",
        lambda trial: trial.gradient(trial.dLdy, x=one_position(trial.x, -1))["W"],
    ),
    Mistake(
        "not-accumulated", "y", "y is that of the last window over each entry; windows overlap, so add with +=",
        lambda trial: _parts(trial, by_tap=False),
    ),
    Mistake(
        "not-accumulated", "y", "y is that of the last entry of the filter over each; windows overlap, so add with +=",
        lambda trial: _parts(trial, by_tap=True),
    ),
    Mistake(
        "shifted", "y", "y has the rows and columns that output_padding adds first; they belong at the end",
        _output_padding_first,
    ),
    Mistake(
        "channels-mixed", "y", "y has its groups interleaved, as if channel i belonged to group i modulo groups",
        interleaved_output,
    ),
    Mistake(
        "bias-missing", "y", "y has in each group the bias of its first filter; each filter has its own", first_biases
    ),
    Mistake(
        "channels-mixed", "dLdx", "dLdx has its groups interleaved, as if channel i belonged to group i modulo groups",
        lambda trial: interleaved(trial.gradient(trial.dLdy)["x"], trial.case.settings["groups"]),
    ),
)  # fmt: skip
