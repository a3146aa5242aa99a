"""The assignment's convolution: cross-correlation, no padding, stride 1, W (f, c, kw, kh), b (1, f, 1, 1)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Case, whole
from verification.references import correlation
from verification.spec import BadArgument, LayerSpec
from verification.strategies import SEEDS, numbers
from verification.trial import Trial


def convolution(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec of a convolutional layer.

    implementation(filter_width, filter_height, input_size, in_ch_size, num_filters) makes the layer:
    the class itself or a function, with these names or any others in this order. The layer has the
    parameters W (num_filters, in_ch_size, filter_width, filter_height) and b (1, num_filters, 1, 1),
    and backprop returns (dLdx, dLdW, dLdb).
    """
    return LayerSpec(
        name="convolution",
        make=implementation,
        cases=convolution_cases(),
        reference=correlation,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
        terms=lambda W, **_: int(W[0].size) + 1,
        realistic=case(8, 3, 8, 3, 3, 29, 29, seed=2),
        bad_arguments=BAD_ARGUMENTS,
        properties=(
            is_equivariant_to_shifts,
            permutes_with_its_channels_and_filters,
        ),
    )


def convolution_cases() -> st.SearchStrategy[Case]:
    """Cases of images and filters of any small size, not square; the image is the filter plus some extra."""
    return numbers(
        images=(1, 3), channels=(1, 3), filters=(1, 3), filter_width=(1, 4), filter_height=(1, 4),
        extra_width=(0, 5), extra_height=(0, 5), seed=SEEDS,
    ).map(lambda drawn: case(**drawn))  # fmt: skip


def case(
    images: int, channels: int, filters: int, filter_width: int, filter_height: int,
    extra_width: int, extra_height: int, seed: int,
) -> Case:  # fmt: skip
    """Return the case of this size with whole numbers drawn from the seed."""
    x = whole("x", seed, (images, channels, filter_width + extra_width, filter_height + extra_height))
    W = whole("W", seed, (filters, channels, filter_width, filter_height))
    # Now and then something out of the ordinary: large numbers, an image or a filter of zeros.
    if seed % 8 == 5:
        x = x * 2.0**12
    elif seed % 8 == 6:
        x = x * (np.arange(images) > 0)[:, None, None, None]
    elif seed % 8 == 7:
        W = W * (np.arange(filters) > 0)[:, None, None, None]
    return Case(
        arrays={"x": x, "W": W, "b": whole("b", seed, (1, filters, 1, 1))},
        settings={
            "filter_width": filter_width,
            "filter_height": filter_height,
            "input_size": x.shape[2],
            "in_ch_size": channels,
            "num_filters": filters,
        },
        seed=seed,
    )


def is_equivariant_to_shifts(trial: Trial) -> None:
    """Forward of x without a row or column at its edge == y without that row or column."""
    x, y, layer = trial.x, trial.y, trial.layer()
    edges = {
        "first row": (y.shape[2], np.s_[:, :, 1:]),
        "last row": (y.shape[2], np.s_[:, :, :-1]),
        "first column": (y.shape[3], np.s_[..., 1:]),
        "last column": (y.shape[3], np.s_[..., :-1]),
    }
    if possible := [edge for edge, (side, _) in edges.items() if side > 1]:
        edge = trial.pick(possible)
        rest = edges[edge][1]
        because = f" for x without its {edge}: it should be forward(x) without that"
        all_of_y = trial.expect_shape("forward(x)", layer.forward(x), y.shape)
        settings = {**trial.case.settings, "input_size": x[rest].shape[2]}
        smaller = Trial(trial.spec, replace(trial.case, settings=settings), trial.script).layer()
        trial.compare("forward(x)", smaller.forward(x[rest]), all_of_y[rest], because)


def permutes_with_its_channels_and_filters(trial: Trial) -> None:
    """Channels of x and W in another order give the same y; filters in another order, y in that order."""
    x, W, b = (trial.arguments[name] for name in ("x", "W", "b"))
    y = trial.expect_shape("forward(x)", trial.layer().forward(x), trial.y.shape)
    turned = trial.layer({"W": W[::-1, ::-1], "b": b[:, ::-1]}).forward(x[:, ::-1])
    trial.compare("forward(x)", turned, y[:, ::-1], " when its channels and filters are put in reverse order")


def _grown(array: np.ndarray[Any, Any], axis: int) -> np.ndarray[Any, Any]:
    return np.concatenate([array, array[(slice(None),) * axis + (slice(0, 1),)]], axis=axis)


BAD_ARGUMENTS = (
    BadArgument("forward, x of rank 3", "x", lambda layer, case: layer.call("forward", case.arrays["x"][0])),
    BadArgument(
        "forward, x with a channel too many", "x",
        lambda layer, case: layer.call("forward", _grown(case.arrays["x"], 1)),
    ),
    BadArgument(
        "forward, x narrower than the filter", "x",
        lambda layer, case: layer.call("forward", case.arrays["x"][:, :, : case.settings["filter_width"] - 1]),
    ),
    BadArgument(
        "forward, x lower than the filter", "x",
        lambda layer, case: layer.call("forward", case.arrays["x"][..., : case.settings["filter_height"] - 1]),
    ),
    BadArgument(
        "backprop, dLdy of the shape of a larger y", "dLdy",
        lambda layer, case: layer.call("backprop", case.arrays["x"], _grown(correlation(**case.arrays), 2)),
    ),
    BadArgument(
        "backprop, dLdy of another batch size", "dLdy",
        lambda layer, case: layer.call("backprop", case.arrays["x"], _grown(correlation(**case.arrays), 0)),
    ),
)  # fmt: skip
