"""Dropout: y = x mask / keep, so that y is x on average; with a mask that is given, or that the layer draws."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import Choice, Choices, batch, counts, rank, reals, side
from verification.explain.knobs import Mistake
from verification.failure import PropertyFailed
from verification.layer import Layer
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
    choices = Choices("dropout", only, table, make=implementation)
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


# A mask of the layer's own


def own_mask_dropout(implementation: Callable[..., Any], *, scaled: bool = True, **only: Any) -> LayerSpec:
    """Return the spec of dropout that draws its mask itself: x (n, ...) of rank 1 to 4 -> x mask / keep.

    implementation(keep) makes the layer, as that of `dropout`; one that takes the rate that is dropped is
    adapted(Dropout, arguments="1 - keep"). The mask is what y shows of it: y is 0, or x / keep (x itself, if not
    `scaled`), and backprop after that forward has the same. Draws are judged by numbers of entries that a right
    layer misses with probability below 1e-12 each time.
    Keywords restrict what is tried (`verification.choices`): keep, rank, and by rank batch, channels, height; the last
    axis of x is as long as it has to be.
    """

    def before_the_last(axis: int) -> Callable[[Case], int | None]:
        return lambda case: case.arrays["x"].shape[axis] if axis < case.arrays["x"].ndim - 1 else None

    table = {
        "rank": rank(1, 4),
        **{name: counts(1, 3, of=before_the_last(axis)) for axis, name in enumerate(("batch", "channels", "height"))},
        "keep": one_share(1.0, 0.5, 0.25, 0.125),
    }
    choices = Choices("own_mask_dropout", only, table, make=implementation)
    spec = LayerSpec(
        name="dropout with a mask of its own",
        make=implementation,
        cases=choices.cases(own_mask_case),
        reference=lambda x, keep: x if scaled else x * keep,
        affine_in=("x",),
        batch_independent=False,
        deterministic=False,
        properties=(
            every_entry_is_dropped_or_kept,
            backprop_has_the_mask_of_forward,
            keeps_the_share_that_is_declared,
            draws_a_mask_for_each_call_and_image,
        ),
    )
    return choices.applied(spec)


ENTRIES, DRAWS, MISSED = 256, 4096, 1e-12
"""Entries of x at least, so that some are kept and some dropped whatever is drawn: with keep 1/8, (7/8)^256 is 1e-15;
entries that a share is told from; and the probability with which a right layer may be found wrong."""


def one_share(*drawn: float) -> Choice:
    """Return the choice of the share that is kept: 1, or so far from 0 and 1 that two masks of a layer differ.

    They are equal, or those of all images, where they may differ, with probability at most 0.99^4096, 1e-18.
    """
    share = reals(*drawn, most=1)
    return replace(
        share,
        takes=lambda value: share.takes(value) and (value == 1 or 0.01 <= value <= 0.99),
        expects="1, or from 0.01 to 0.99",
    )


def own_mask_case(rank: int, batch: int, channels: int, height: int, keep: float, seed: int) -> Case:
    """Return the case of this size; x is not all zeros, whose mask would not show."""
    shape = (batch, channels, height)[: rank - 1]
    shape = (*shape, math.ceil(ENTRIES / math.prod(shape)))
    x = whole("x", seed, shape) if seed > 1 else np.ones(shape)
    return Case({"x": x}, {"keep": keep}, seed)


@contextmanager
def _seeded(trial: Trial) -> Iterator[Layer]:
    """Make a layer with np.random seeded: one that draws from there draws the same in a script."""
    before = np.random.get_state()
    seed = trial.case.seed % 2**32
    np.random.seed(seed)
    if trial.script:
        trial.script.lines.append(f"np.random.seed({seed})  # if the layer draws elsewhere, it draws other numbers")
    try:
        yield trial.layer()
    finally:
        np.random.set_state(before)


def every_entry_is_dropped_or_kept(trial: Trial) -> None:
    """y == 0 or y == x / keep, entry by entry; or y == x, of a layer that does not scale."""
    kept = trial.y / trial.case.settings["keep"]
    with _seeded(trial) as layer:
        y = trial.expect_shape("forward(x)", layer.forward(trial.x), trial.x.shape)
    trial.compare("forward(x)", y, np.where(y == 0, 0, kept), f" where it is not 0: it should be {_scaled('x', trial)}")


def backprop_has_the_mask_of_forward(trial: Trial) -> None:
    """dLdx == dLdy / keep where y != 0, and 0 where y == 0 != x; or dLdx == dLdy, of a layer that does not scale."""
    kept = trial.reference(x=trial.dLdy) / trial.case.settings["keep"]
    with _seeded(trial) as layer:
        y = trial.expect_shape("forward(x)", layer.forward(trial.x), trial.x.shape)
        dLdx = trial.expect_shape("dLdx", layer.backprop(trial.x, trial.dLdy)["x"], trial.x.shape)
    because = f": it should be {_scaled('dLdy', trial)} where y is not 0, and 0 elsewhere"
    trial.compare("dLdx", dLdx, np.where(trial.x == 0, dLdx, np.where(y == 0, 0, kept)), because)


def _scaled(name: str, trial: Trial) -> str:
    """Say what a kept entry is."""
    keep = trial.case.settings["keep"]
    return name if np.array_equal(trial.y, trial.x * keep) and keep < 1 else f"{name} / keep (keep={keep:g})"


def _many(trial: Trial) -> Array:
    """Return ones, as many images of the size of those in x as have DRAWS entries, but at least two."""
    image = trial.x.shape[1:]
    return np.ones((max(2, math.ceil(DRAWS / math.prod(image))), *image))


def keeps_the_share_that_is_declared(trial: Trial) -> None:
    """|kept / entries - keep| <= sqrt(ln(2 / 1e-12) / (2 entries)), for 4096 entries or more.

    Source: Hoeffding's inequality, P(|kept / N - keep| >= t) <= 2 exp(-2 N t^2) for N independent draws.
    """
    x, keep = _many(trial), trial.case.settings["keep"]
    with _seeded(trial) as layer:
        y = trial.expect_shape("forward(x)", layer.forward(x), x.shape)
    bound = math.sqrt(math.log(2 / MISSED) / (2 * x.size)) if keep < 1 else 0.0
    kept = np.count_nonzero(y)
    if abs(kept / x.size - keep) > bound:
        least, most = math.ceil((keep - bound) * x.size), math.floor((keep + bound) * x.size)
        said = f"forward keeps {kept} of {x.size} entries, but for keep={keep:g} it should keep {least} to {most}"
        raise PropertyFailed(said, shows=trial.expression(y, "np.count_nonzero({})")).about("property", "y")


def draws_a_mask_for_each_call_and_image(trial: Trial) -> None:
    """Two calls have different masks, and so have two images of a call; the same by chance in one of 10^200."""
    x = _many(trial)
    if trial.case.settings["keep"] == 1:
        return
    with _seeded(trial) as layer:
        one, other = layer.forward(x), layer.forward(x)
    for y in (one, other):
        trial.expect_shape("forward(x)", y, x.shape)
    if np.array_equal(one != 0, other != 0):
        shows = f"np.array_equal({trial.expression(one)} != 0, {trial.expression(other)} != 0)" * bool(trial.script)
        raise PropertyFailed("two calls of forward have the same mask: draw one in each", shows=shows).about(
            "property", "y"
        )
    if (one != 0)[1:].size and ((one != 0) == (one != 0)[:1]).all():
        shows = trial.expression(one, "(({0} != 0) == ({0}[0] != 0)).all()")
        raise PropertyFailed("all images of a call have the same mask: draw one of the shape of x", shows=shows).about(
            "property", "y"
        )
