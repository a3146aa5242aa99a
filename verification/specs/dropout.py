"""Dropout with a given mask: y = x mask / keep, so that y is x on average."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, rank, reals, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial


def dropout(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of (inverted) dropout: x (n, ...) of rank 1 to 4 -> x mask / keep.

    implementation(keep) makes the layer: the class itself or a function. keep is the probability of
    keeping an entry, a power of 2, and so exact, unless it is given. The mask, zeros and ones of the shape
    of x, is set as the attribute `mask` before forward; the layer draws none.
    Keywords restrict what is tried (`verification.choices`): keep, rank, batch, and by rank channels, height, width.
    """
    table = {
        "rank": rank(1, 4), "batch": batch(1, 3), "channels": side(1, 1, 3), "height": side(2, 1, 3),
        "width": side(3, 1, 3), "keep": reals(1.0, 0.5, 0.25, 0.125, most=1),
    }  # fmt: skip
    choices = Choices("dropout", only, table)
    spec = LayerSpec(
        name="dropout",
        make=implementation,
        cases=choices.cases(case),
        reference=dropped,
        constants=("mask",),
        affine_in=("x",),
        batch_independent=False,  # the mask belongs to the batch as a whole
        terms=lambda **_: 1,
        realistic=choices.realistic(case, rank=2, batch=64, channels=128, height=1, width=1, keep=0.5),
        bad_arguments=BAD_ARGUMENTS,
        properties=(
            is_zero_where_the_mask_is,
            complementary_masks_add_up,
        ),
        gradient=lambda dLdy, x, mask, keep: {"x": np.where(mask, dLdy / keep, np.zeros(x.shape))},
        mistakes=MISTAKES,
    )
    return choices.applied(spec)


def case(rank: int, batch: int, channels: int, height: int, width: int, keep: float, seed: int) -> Case:
    """Return the case of the first `rank` of these sides, with a mask that keeps about half."""
    shape = (batch, channels, height, width)[:rank]
    mask = whole("mask", seed, shape) % 2  # half, so that few entries still have both kinds
    arrays = {"x": whole("x", seed, shape), "mask": mask}
    # Where keep is 0.8 = 4/5, multiples of 4 divided by it are whole, but for rounding.
    if (step := Fraction(keep).limit_denominator(1000).numerator) > 1:
        drawn = {"x": arrays["x"], "dLdy": whole("dLdy", seed, shape), "v for x": whole("v for x", seed, shape)}
        arrays |= {name: step * array for name, array in drawn.items()}
    return Case(arrays, {"keep": keep}, seed, frozenset(arrays) - {"x", "mask"})


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
