"""Pooling over all of each channel of an image.

Source of the definitions: documentation of torch.nn.AdaptiveMaxPool2d and AdaptiveAvgPool2d with output size 1.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from verification.case import Array, Case
from verification.choices import Choices, batch, inner, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.axes import entries_of
from verification.specs.pooling_nd import (
    evenly,
    every_largest,
    first_largest,
    follows_a_constant_added_to_x,
    of_multiples,
    only_largest,
    shared_by_the_largest,
    values_of_kind,
)
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial


def global_max_pooling(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a layer that takes the largest entry of each channel, x (n, c, h, w) -> y (n, c).

    implementation() makes the layer. Equal entries may share dLdy in any way, but not each take all of it.
    Keywords restrict what is tried (`verification.choices`): batch, channels, height, width; square=True.
    """
    choices = Choices("global_max_pooling", only, SIZES, [("height", "width")], make=implementation)
    spec = LayerSpec(
        name="global_max_pooling",
        make=implementation,
        cases=choices.cases(global_max_case),
        reference=lambda x: np.array([[channel.max() for channel in image] for image in x]),
        piecewise_linear=True,
        terms=lambda **_: 1,
        realistic=choices.realistic(global_max_case, batch=4, channels=8, height=14, width=15, values=0),
        bad_arguments=BAD_ARGUMENTS,
        properties=(global_gradient_is_a_subgradient, follows_a_constant_added_to_x),
        gradient=lambda dLdy, x: {"x": _shared(first_largest, dLdy, x)},
        mistakes=MAX_MISTAKES,
    )
    return choices.applied(spec)


def global_average_pooling(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a layer that takes the average of each channel, x (n, c, h, w) -> y (n, c).

    implementation() makes the layer. x, dLdy and directions are multiples of h w, so all averages are whole.
    Keywords restrict what is tried (`verification.choices`): batch, channels, height, width; square=True.
    """
    choices = Choices("global_average_pooling", only, SIZES, [("height", "width")], make=implementation)
    spec = LayerSpec(
        name="global_average_pooling",
        make=implementation,
        cases=choices.cases(global_average_case),
        reference=lambda x: np.array([[math.fsum(channel.flat) / channel.size for channel in image] for image in x]),
        affine_in=("x",),
        terms=lambda x, **_: math.prod(x.shape[2:]) + 1,
        realistic=choices.realistic(global_average_case, batch=4, channels=8, height=14, width=15, values=0),
        bad_arguments=BAD_ARGUMENTS,
        properties=(follows_a_constant_added_to_x, gradient_is_the_same_all_over_a_channel),
        gradient=lambda dLdy, x: {"x": _shared(evenly, dLdy, x)},
        mistakes=AVERAGE_MISTAKES,
    )
    return choices.applied(spec)


# Cases


SIZES = {
    "batch": batch(1, 3), "channels": side(1, 1, 3), "height": side(2, 1, 4), "width": side(3, 1, 4),
    "values": inner(0, 2),
}  # fmt: skip
"""Sizes of x, not square, and what its values are like."""


def global_max_case(batch: int, channels: int, height: int, width: int, values: int, seed: int) -> Case:
    """Return the case of this size, with values as for max-pooling."""
    return Case({"x": values_of_kind((batch, channels, height, width), values, seed)}, {}, seed)


def global_average_case(batch: int, channels: int, height: int, width: int, values: int, seed: int) -> Case:
    """Return the case of this size, of multiples of height * width."""
    x = values_of_kind((batch, channels, height, width), values, seed)
    return of_multiples(height * width, x, x.shape[:2], {}, seed)


# Properties


def global_gradient_is_a_subgradient(trial: Trial) -> None:
    """For dLdy > 0: dLdx >= 0 where entries of a channel are the largest, 0 elsewhere, and its sum is dLdy."""
    if trial.declares_dLdy:
        return  # it needs one of its own
    u = 1 + abs(trial.whole("positive dLdy", trial.y.shape))
    shared_by_the_largest(trial, u, np.s_[:], trial.y[:, :, np.newaxis, np.newaxis], " for positive dLdy")


def gradient_is_the_same_all_over_a_channel(trial: Trial) -> None:
    """dLdx[n, c, i, j] == dLdx[n, c, 0, 0]."""
    dLdx = trial.expect_shape("dLdx", trial.layer().backprop(trial.x, trial.dLdy)["x"], trial.x.shape)
    trial.compare("dLdx", dLdx, dLdx[:, :, :1, :1] + np.zeros(dLdx.shape), ": it should be the same all over a channel")


# Mistakes


def _shared(share: Callable[[Array], Array], dLdy: Array, x: Array) -> Array:
    """Return dLdx with this share (n, c, h w) of dLdy for the entries of each channel."""
    return (share(entries_of(x)) * dLdy[:, :, np.newaxis]).reshape(x.shape)


MAX_MISTAKES = (
    Mistake("border-missing", "y", "y leaves out the last row of x",
            lambda trial: trial.x[:, :, :-1].max(axis=(2, 3)) if trial.x.shape[2] > 1 else None),
    Mistake("zero-start", "y", "y has a maximum that starts at 0: start at minus infinity",
            lambda trial: np.maximum(trial.y, 0)),
    Mistake("wrong-operation", "y", "y holds means, not the largest entries", lambda trial: trial.x.mean(axis=(2, 3))),
    Mistake("wrong-operation", "dLdx", "dLdx spreads dLdy over the whole channel, as for a mean",
            lambda trial: _shared(evenly, trial.dLdy, trial.x)),
    Mistake("channels-mixed", "y", "y holds the largest entry of each image, whatever its channel",
            lambda trial: np.broadcast_to(trial.x.max(axis=(1, 2, 3))[:, np.newaxis], trial.y.shape)),
    Mistake("full-gradient-to-ties", "dLdx at ties", "where several entries are the largest each takes all of dLdy",
            lambda trial: _shared(every_largest, trial.dLdy, trial.x)),
    Mistake("no-gradient-to-ties", "dLdx at ties", "where several entries are the largest none takes dLdy",
            lambda trial: _shared(only_largest, trial.dLdy, trial.x)),
)  # fmt: skip

AVERAGE_MISTAKES = (
    Mistake("border-missing", "y", "y leaves out the last row of x",
            lambda trial: trial.x[:, :, :-1].mean(axis=(2, 3)) if trial.x.shape[2] > 1 else None),
    Mistake("wrong-formula", "y", "y averages absolute values", lambda trial: abs(trial.x).mean(axis=(2, 3))),
    Mistake("wrong-operation", "dLdx", "dLdx gives all of dLdy to the largest entry: give each 1 / (h w) of it",
            lambda trial: _shared(first_largest, trial.dLdy, trial.x)),
    Mistake("term-missing", "y", "y holds sums: divide by h w", lambda trial: trial.x.sum(axis=(2, 3))),
    Mistake("term-missing", "dLdx", "dLdx is dLdy everywhere: divide by h w",
            lambda trial: np.ones(trial.x.shape) * trial.dLdy[:, :, np.newaxis, np.newaxis]),
    Mistake("axes-swapped", "dLdx", "dLdx is divided by the height, squared: divide by h w",
            lambda trial: np.ones(trial.x.shape) * trial.dLdy[:, :, np.newaxis, np.newaxis] / trial.x.shape[2] ** 2),
    Mistake("wrong-operation", "y", "y holds the largest entry of each", lambda trial: trial.x.max(axis=(2, 3))),
)  # fmt: skip


# Calls to refuse


BAD_ARGUMENTS = (
    forward_of("forward, x of rank 3", lambda case: case.arrays["x"][0]),
    forward_of("forward, x without rows", lambda case: case.arrays["x"][:, :, :0]),
    backprop_of("backprop, dLdy with a channel too many", lambda case: grown(case.arrays["x"][:, :, 0, 0], 1)),
    backprop_of("backprop, dLdy of rank 4", lambda case: case.arrays["x"][:, :, :1, :1]),
)  # fmt: skip
