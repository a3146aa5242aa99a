"""Dropout with a given mask: y = x mask / keep, so that y is x on average."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Array, Case, whole
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.strategies import SEEDS, numbers
from verification.trial import Trial


def dropout(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec of (inverted) dropout: x (n, ...) of rank 1 to 4 -> x mask / keep.

    implementation(keep) makes the layer: the class itself or a function. keep is the probability of
    keeping an entry, a power of 2, and so exact. The mask, zeros and ones of the shape of x, is set as
    the attribute `mask` before forward; the layer draws none.
    """
    return LayerSpec(
        name="dropout",
        make=implementation,
        cases=dropout_cases(),
        reference=dropped,
        constants=("mask",),
        affine_in=("x",),
        batch_independent=False,  # the mask belongs to the batch as a whole
        terms=lambda **_: 1,
        realistic=case(2, 64, 128, 1, 1, keep=1, seed=2),
        bad_arguments=BAD_ARGUMENTS,
        properties=(
            is_zero_where_the_mask_is,
            complementary_masks_add_up,
        ),
        gradient=lambda dLdy, x, mask, keep: {"x": np.where(mask, dLdy / keep, np.zeros(x.shape))},
        mistakes=MISTAKES,
    )


def dropout_cases() -> st.SearchStrategy[Case]:
    """Cases of rank 1 to 4, with keep from 1 to 1/8."""
    return numbers(
        rank=(1, 4), images=(1, 3), channels=(1, 3), width=(1, 3), height=(1, 3), keep=(0, 3), seed=SEEDS
    ).map(lambda drawn: case(**drawn))


def case(rank: int, images: int, channels: int, width: int, height: int, keep: int, seed: int) -> Case:
    """Return the case of the first `rank` of these sides that keeps one entry of 2^keep, or about half."""
    shape = (images, channels, width, height)[:rank]
    mask = whole("mask", seed, shape) % 2  # half, so that few entries still have both kinds
    return Case({"x": whole("x", seed, shape), "mask": mask}, {"keep": 0.5**keep}, seed)


def dropped(x: Array, mask: Array, keep: float) -> Array:
    """x, mask (n, ...) -> y. Source: the definition, entry by entry."""
    y = np.zeros(x.shape)
    for index in zip(*np.nonzero(mask), strict=True):
        y[index] = x[index] / keep
    return y


def is_zero_where_the_mask_is(trial: Trial) -> None:
    """y == 0 and dLdx == 0 where mask == 0."""
    layer, kept = trial.layer(), trial.arguments["mask"] != 0
    y = trial.expect_shape("forward(x)", layer.forward(trial.x), trial.x.shape)
    dLdx = trial.expect_shape("dLdx", layer.backprop(trial.x, trial.dLdy)["x"], trial.x.shape)
    trial.compare("forward(x)", y, np.where(kept, y, 0.0), " where the mask is 0: it should be 0")
    trial.compare("dLdx", dLdx, np.where(kept, dLdx, 0.0), " where the mask is 0: it should be 0")


def complementary_masks_add_up(trial: Trial) -> None:
    """forward(x; mask) + forward(x; 1 - mask) == x / keep."""
    y = trial.expect_shape("forward(x)", trial.layer().forward(trial.x), trial.x.shape)
    other = trial.layer({"mask": 1 - trial.arguments["mask"]}).forward(trial.x)
    because = " for mask and 1 - mask, added: it should be x / keep"
    trial.compare(
        "forward(x)",
        y + other,
        trial.x / trial.case.settings["keep"],
        because,
        shows=f"{trial.expression(y)} + {trial.expression(other)}" * bool(trial.script),
    )


def _made_with(array: str, form: Callable[[Array, Array, float], Array | None]) -> Callable[[Trial], Array | None]:
    """Return what the form makes of x, or of dLdy for a gradient, with the mask and keep."""
    return lambda t: form(t.x if array == "y" else t.dLdy, t.arguments["mask"], t.case.settings["keep"])


MISTAKES = tuple(
    Mistake(family, array, f"{array} {sentence}", _made_with(array, form))
    for array in ("y", "dLdx")
    for family, sentence, form in (
        ("term-missing", "is not divided by keep", lambda a, m, p: a * m),
        ("wrong-formula", "is multiplied by keep, not divided", lambda a, m, p: a * m * p),
        ("wrong-formula", "is divided by 1 - keep, not by keep", lambda a, m, p: a * m / (1 - p) if p < 1 else None),
        ("wrong-operation", "has the mask the wrong way round: 1 should keep", lambda a, m, p: a * (1 - m) / p),
        ("term-missing", "is not masked", lambda a, m, p: a / p),
        ("wrong-operation", "ignores mask and keep, as if not in training", lambda a, m, p: a),
        ("scaled", "is divided by the share of entries kept; it should be by keep, which is given",
         lambda a, m, p: a * m / m.mean() if m.any() else None),
    )
)  # fmt: skip

BAD_ARGUMENTS = (
    forward_of("forward, x of another batch size than the mask", lambda case: grown(case.arrays["x"], 0)),
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
)  # fmt: skip
