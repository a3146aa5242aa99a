"""The assignment's max-pooling: square windows of pool_size entries a side, one every stride entries."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Array, Case, whole
from verification.references import maximum
from verification.spec import BadArgument, LayerSpec
from verification.strategies import SEEDS, numbers, tied
from verification.trial import Trial


def max_pooling(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec of a max-pooling layer.

    implementation(stride, pool_size) makes the layer: the class itself or a function. Where several
    entries of a window are the largest, backprop may split dLdy over them in any way (first, last,
    evenly), but not give all of it to each.
    """
    return LayerSpec(
        name="max_pooling",
        make=implementation,
        cases=max_pooling_cases(),
        reference=maximum,
        piecewise_linear=True,
        terms=lambda **_: 1,
        realistic=case(8, 3, 2, 2, 30, 30, values=0, seed=2),
        bad_arguments=BAD_ARGUMENTS,
        properties=(
            gradient_is_a_subgradient,
            gradient_conserves_the_upstream_sum,
            is_monotone,
        ),
    )


def max_pooling_cases() -> st.SearchStrategy[Case]:
    """Cases with windows that overlap, touch or leave gaps, sizes that do not divide, ties and negative x."""
    return numbers(
        images=(1, 3), channels=(1, 3), pool_size=(1, 4), stride=(1, 4),
        extra_width=(0, 6), extra_height=(0, 6), values=(0, 2), seed=SEEDS,
    ).map(lambda drawn: case(**drawn))  # fmt: skip


def case(
    images: int, channels: int, pool_size: int, stride: int, extra_width: int, extra_height: int,
    values: int, seed: int,
) -> Case:  # fmt: skip
    """Return the case of this size, with x drawn from the seed: any whole numbers, ties, or all negative."""
    shape = (images, channels, pool_size + extra_width, pool_size + extra_height)
    x = (whole("x", seed, shape), tied(seed, shape), -1 - abs(whole("x", seed, shape)))[values]
    return Case(arrays={"x": x}, settings={"stride": stride, "pool_size": pool_size}, seed=seed)


def gradient_is_a_subgradient(trial: Trial) -> None:
    """With dLdy at one window an image: dLdx >= 0 where its entries are the largest, 0 elsewhere, sum dLdy.

    Any such dLdx is a convex split of dLdy over the tied entries and so a subgradient of the maximum.
    """
    x, y, stride, pool = trial.x, trial.y, trial.case.settings["stride"], trial.case.settings["pool_size"]
    i, j = trial.pick(list(np.ndindex(y.shape[2:])))
    dLdy = np.zeros(y.shape)
    dLdy[:, :, i, j] = 1 + abs(trial.whole("dLdy of one window", y.shape[:2]))
    gradient = trial.expect_shape("dLdx", trial.layer().backprop(x, dLdy)["x"], x.shape)
    window = np.s_[:, :, i * stride : i * stride + pool, j * stride : j * stride + pool]
    allowed = np.zeros(x.shape, bool)
    allowed[window] = x[window] == y[:, :, i : i + 1, j : j + 1]
    where = f" for dLdy at window [{i}, {j}] only"
    trial.compare("dLdx", np.where(allowed, 0.0, gradient), np.zeros(x.shape), where + ": no largest entry there")
    trial.compare("dLdx", np.minimum(gradient, 0.0), np.zeros(x.shape), where + ": no part may be negative")
    _same_sums(trial, gradient, dLdy, f"{where}, which the largest entries should share")


def gradient_conserves_the_upstream_sum(trial: Trial) -> None:
    """sum(dLdx) == sum(dLdy), over each image and channel."""
    gradient = trial.layer().backprop(trial.x, trial.dLdy)["x"]
    _same_sums(trial, trial.expect_shape("dLdx", gradient, trial.x.shape), trial.dLdy, "")


def is_monotone(trial: Trial) -> None:
    """forward(x + d) >= forward(x) for d >= 0."""
    larger = trial.x + abs(trial.whole("d", trial.x.shape))
    layer = trial.layer()
    before, after = layer.forward(trial.x), layer.forward(larger)
    trial.compare("forward(x + d)", np.minimum(after, before), before, ": it is less than forward(x)", label="y")


def _same_sums(trial: Trial, dLdx: Array, dLdy: Array, where: str) -> None:
    trial.compare(
        "the sum of dLdx over each image and channel", dLdx.sum(axis=(2, 3)), dLdy.sum(axis=(2, 3)), where,
        label="dLdx.sum(axis=(2, 3))",
    )  # fmt: skip


BAD_ARGUMENTS = (
    BadArgument("forward, x of rank 3", "x", lambda layer, case: layer.call("forward", case.arrays["x"][0])),
    BadArgument(
        "forward, x narrower than the pool", "x",
        lambda layer, case: layer.call("forward", case.arrays["x"][:, :, : case.settings["pool_size"] - 1]),
    ),
    BadArgument(
        "forward, x lower than the pool", "x",
        lambda layer, case: layer.call("forward", case.arrays["x"][..., : case.settings["pool_size"] - 1]),
    ),
    BadArgument(
        "backprop, dLdy larger than x", "dLdy",
        lambda layer, case: layer.call("backprop", case.arrays["x"], np.pad(case.arrays["x"], 1)),
    ),
)  # fmt: skip
