"""Losses of x against targets, as a mean, as a sum or one by one; and log-softmax, to go before one of them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy import special

from verification.case import Array, Case, are_numbers_of, whole
from verification.choices import Choice, Choices, batch, inner, powers, side
from verification.explain.knobs import Mistake
from verification.failure import PropertyFailed, entries
from verification.spec import LayerSpec, SpecError
from verification.specs.refused import backprop_of, forward_of, grown
from verification.specs.softmax import CHOICES, REDUCTIONS, case, softmax_gradient
from verification.trial import Trial

Reduction = Literal["mean", "sum", "none"]
Form = Callable[[Array, Array], Any]
"""Called with x (n, k) and the targets."""
Table = tuple[tuple[str, str, str, Form], ...]
"""Rows of a family, "y" or "dLdx", what is said of it, and the losses, or their derivatives, that the mistake gives."""

SIZES = {"batch": batch(1, 4), "features": side(1, 1, 4)}

MOST_LOSSES = 128
"""So many losses at most in a case of a loss that is checked exactly, whose mean is to change by a whole number."""

RTOL = 1e-9
ROUNDING_ALONE = "differences of a polynomial of degree 2 or less have no error, so that only rounding is left"


def squared_error(implementation: Callable[..., Any], reduction: Reduction = "mean", **only: Any) -> LayerSpec:
    """Return the spec of the squared error: x (n, k) -> (x - targets)^2, by default their mean over all entries.

    implementation() makes the layer: the class itself or a function. The targets (n, k) are set as the
    attribute `targets` before forward. y is a 0-d array, or (n, k) for reduction "none". SpecError for any
    reduction but "mean", "sum" and "none".
    Keywords restrict what is tried (`verification.choices`): batch, features (k).
    """
    return _loss(
        "squared_error", implementation, only, reduction, lambda x, t: (x - t) ** 2, lambda x, t: 2 * (x - t),
        lambda seed, shape: (_grid("x", seed, shape), _grid("targets", seed, shape)), ROUNDING_ALONE,
        (
            ("scaled", "dLdx", "leaves out the factor 2", lambda x, t: x - t),
            ("sign", "dLdx", "has x and the targets the wrong way round: x - targets comes first",
             lambda x, t: 2 * (t - x)),
            ("wrong-formula", "dLdx", "is the loss itself times dLdy", lambda x, t: (x - t) ** 2),
            ("scaled", "y", "is half of it: the factor 1/2 is not part of it", lambda x, t: (x - t) ** 2 / 2),
            ("wrong-operation", "y", "is the absolute error: the square is missing", lambda x, t: abs(x - t)),
            ("wrong-operation", "y", "is the difference, not its square", lambda x, t: x - t),
            ("term-missing", "y", "leaves out the targets", lambda x, t: x**2),
        ),
    )  # fmt: skip


def absolute_error(implementation: Callable[..., Any], reduction: Reduction = "mean", **only: Any) -> LayerSpec:
    """Return the spec of the absolute error: x (n, k) -> |x - targets|, by default their mean over all entries.

    implementation() makes the layer: the class itself or a function. The targets (n, k) are set as the
    attribute `targets` before forward. y is a 0-d array, or (n, k) for reduction "none". Exact: the targets
    lie halfway between whole numbers, and numbers of entries are powers of 2. SpecError for any reduction but
    "mean", "sum" and "none".
    Keywords restrict what is tried (`verification.choices`): batch and features (k), powers of 2 of which
    there are at most 128 entries.
    """

    def drawn(seed: int, shape: tuple[int, int]) -> tuple[Array, Array]:
        """Draw targets that no step leads across, from wherever x is moved for them: see Trial.smooth_arguments.

        That is small whole numbers, moved by up to 1/4; odd multiples of 129, moved by up to 128; near 0; far away.
        """
        apart = 258 * (shape[0] * shape[1] <= 16)  # the sum of more of them, so far apart, has more bits than a float64
        targets = apart * (whole("targets", seed, shape) % 3 - 1) + whole("side", seed, shape) % 2 - 0.5
        return whole("x", seed, shape), targets

    return _loss(
        "absolute_error", implementation, only, reduction, lambda x, t: abs(x - t), lambda x, t: np.sign(x - t),
        drawn, "",
        (
            ("sign", "dLdx", "has x and the targets the wrong way round: x - targets comes first",
             lambda x, t: np.sign(t - x)),
            ("wrong-formula", "dLdx", "is x - targets times dLdy; it should be the sign of that",
             lambda x, t: x - t),
            ("wrong-formula", "dLdx", "is the sign of x; it should be that of x - targets", lambda x, t: np.sign(x)),
            ("wrong-operation", "dLdx", "is zero where x is less than the target; it should be -dLdy",
             lambda x, t: x > t),
            ("wrong-operation", "y", "is the squared error", lambda x, t: (x - t) ** 2),
            ("wrong-operation", "y", "is the difference, not its absolute value", lambda x, t: x - t),
            ("term-missing", "y", "leaves out the targets", lambda x, t: abs(x)),
        ),
        piecewise_linear=True, terms=lambda x, **_: x.size + 1,
        magnitude=lambda x, targets: REDUCTIONS[reduction](x + targets),
        sizes={"batch": powers(0, 2, axis=0), "features": powers(0, 2, axis=1)}, large={"batch": 8, "features": 64},
    )  # fmt: skip


def hinge(implementation: Callable[..., Any], reduction: Reduction = "mean", **only: Any) -> LayerSpec:
    """Return the spec of the hinge loss: x (n, k) -> max(0, 1 - targets x), by default their mean over all entries.

    implementation() makes the layer: the class itself or a function. The targets (n, k), 1 and -1, are set as
    the attribute `targets` before forward. y is a 0-d array, or (n, k) for reduction "none". SpecError for any
    reduction but "mean", "sum" and "none".
    Keywords restrict what is tried (`verification.choices`): batch, features (k).
    """

    def drawn(seed: int, shape: tuple[int, int]) -> tuple[Array, Array]:
        """Draw x from -2.5 to 2.5, no nearer than 1/2 to a kink: no step leads across."""
        x = 2 * (whole("between", seed, shape) % 3 - 1) * (seed > 1) + whole("x", seed, shape) / 256
        return x, 1 - 2 * (whole("targets", seed, shape) % 2)

    return _loss(
        "hinge", implementation, only, reduction, lambda x, t: np.maximum(0, 1 - t * x), lambda x, t: -t * (t * x < 1),
        drawn, ROUNDING_ALONE,
        (
            ("term-missing", "dLdx", "leaves out the targets", lambda x, t: -1.0 * (t * x < 1)),
            ("sign", "dLdx", "has the sign of the targets wrong", lambda x, t: t * (t * x < 1)),
            ("wrong-operation", "dLdx", "is not cut off where the loss is 0", lambda x, t: -t),
            ("wrong-formula", "dLdx", "is cut off where targets x is positive; it should be from 1 on",
             lambda x, t: -t * (t * x < 0)),
            ("wrong-operation", "dLdx", "is zero where the loss is positive, not where it is 0",
             lambda x, t: -t * (t * x > 1)),
            ("term-missing", "y", "leaves out the margin 1", lambda x, t: np.maximum(0, -t * x)),
            ("wrong-operation", "y", "is not cut off at 0", lambda x, t: 1 - t * x),
            ("sign", "y", "is max(0, 1 + targets x)", lambda x, t: np.maximum(0, 1 + t * x)),
            ("wrong-operation", "y", "is the squared hinge", lambda x, t: np.maximum(0, 1 - t * x) ** 2),
        ),
        avoid=(-1.0, 1.0),
    )  # fmt: skip


def binary_cross_entropy(implementation: Callable[..., Any], reduction: Reduction = "mean", **only: Any) -> LayerSpec:
    """Return the spec of binary cross-entropy: probabilities x (n, k) -> -log x, or -log(1 - x) where the target is 0.

    implementation() makes the layer: the class itself or a function. The targets (n, k), 0 and 1, are set as
    the attribute `targets` before forward. x is from 1/4 to 3/4: what a layer does at 0 and 1 (cut off, say) is
    its own choice. y is by default the mean over all entries, a 0-d array, or (n, k) for reduction "none".
    SpecError for any reduction but "mean", "sum" and "none".
    Keywords restrict what is tried (`verification.choices`): batch, features (k).
    """
    return _loss(
        "binary_cross_entropy", implementation, only, reduction,
        lambda x, t: -special.xlogy(t, x) - special.xlog1py(1 - t, -x), lambda x, t: (1 - t) / (1 - x) - t / x,
        lambda seed, shape: (0.5 + whole("x", seed, shape) / 512, whole("targets", seed, shape) % 2),
        "some libraries cut x off at 1e-7, or add as much to it; else the layer and the formula err by rounding alone",
        (
            ("term-missing", "dLdx", "leaves out the term of the targets that are 0", lambda x, t: -t / x),
            ("term-missing", "dLdx", "leaves out the term of the targets that are 1", lambda x, t: (1 - t) / (1 - x)),
            ("wrong-formula", "dLdx", "is that for logits, x - targets; x is probabilities", lambda x, t: x - t),
            ("sign", "dLdx", "has the sign of the term of the targets that are 0 wrong",
             lambda x, t: -(1 - t) / (1 - x) - t / x),
            ("term-missing", "y", "leaves out the targets that are 0", lambda x, t: -t * np.log(x)),
            ("term-missing", "y", "leaves out the targets that are 1", lambda x, t: -(1 - t) * np.log(1 - x)),
            ("wrong-formula", "y", "has the targets the wrong way round", lambda x, t: -np.log(np.where(t, 1 - x, x))),
            ("wrong-formula", "y", "has the logarithm to base 2; it should be natural",
             lambda x, t: -np.log2(np.where(t, x, 1 - x))),
        ),
        rtol=1e-6,
        properties=(y_has_the_digits_of_float64,),
    )  # fmt: skip


def y_has_the_digits_of_float64(trial: Trial) -> None:
    """Not every entry of y is a number of float32, unless it is the right one: the tolerance would hide that.

    Of a right y that is off by what a library adds to x, an entry is such a number with a probability of 2^-29.
    """
    y = trial.layer().forward(trial.x)
    error = abs(y - trial.y)
    off = error > 2.0**-40 * abs(trial.y)
    if trial.skips("y") or not off.any() or not are_numbers_of(np.float32, y).all():
        return
    said = "y is wrong, if only slightly: computed in less than float64?"
    found = entries("y", y, trial.y, off)
    raise PropertyFailed(said, found, int(off.sum()), off.size, shows=trial.expression(y)).about("values", "y")


def binary_cross_entropy_with_logits(
    implementation: Callable[..., Any], reduction: Reduction = "mean", **only: Any
) -> LayerSpec:
    """Return the spec of sigmoid and binary cross-entropy in one: logits x (n, k) -> log(1 + exp(x)) - targets x.

    implementation() makes the layer: the class itself or a function. The targets (n, k), 0 and 1, are set as
    the attribute `targets` before forward. y is by default the mean over all entries, a 0-d array, or (n, k) for
    reduction "none". SpecError for any reduction but "mean", "sum" and "none".
    Keywords restrict what is tried (`verification.choices`): batch, features (k).
    """

    def drawn(seed: int, shape: tuple[int, int], kind: int) -> tuple[Array, Array]:
        x = _grid("x", seed, shape)
        return (x, 1000 * np.sign(x + 1 / 64))[kind], whole("targets", seed, shape) % 2

    return _loss(
        "binary_cross_entropy_with_logits", implementation, only, reduction,
        lambda x, t: -special.log_expit(np.where(t, x, -x)),
        lambda x, t: np.where(t, -special.expit(-x), special.expit(x)),
        drawn,
        "the layer and the formula err by rounding alone, where the gradient is 0.018 of dLdy or more for logits from"
        " -4 to 4",
        (
            ("wrong-formula", "dLdx", "is x - targets: the sigmoid is missing", lambda x, t: x - t),
            ("term-missing", "dLdx", "leaves out the targets", lambda x, t: special.expit(x)),
            ("sign", "dLdx", "is targets - sigmoid(x)", lambda x, t: t - special.expit(x)),
            ("wrong-formula", "dLdx", "passes through the derivative of the sigmoid twice",
             lambda x, t: (special.expit(x) - t) * special.expit(x) * special.expit(-x)),
            ("term-missing", "y", "leaves out the targets", lambda x, t: np.logaddexp(0, x)),
            ("wrong-formula", "y", "has the targets the wrong way round",
             lambda x, t: np.logaddexp(0, np.where(t, x, -x))),
            ("wrong-formula", "y", "applies the sigmoid twice: x is logits already",
             lambda x, t: np.logaddexp(0, special.expit(x)) - t * special.expit(x)),
        ),
        sizes={**SIZES, "kind": inner(0, 1)},
    )  # fmt: skip


def negative_log_likelihood(
    implementation: Callable[..., Any], reduction: Reduction = "mean", **only: Any
) -> LayerSpec:
    """Return the spec of what follows log-softmax: log-probabilities x (n, k) -> -x at the label of each row.

    implementation() makes the layer: the class itself or a function. The integer labels (n,) are set as the
    attribute `targets` before forward. y is by default the mean over the batch, a 0-d array, or (n,) for reduction
    "none". Exact: batch sizes are powers of 2. SpecError for any reduction but "mean", "sum" and "none".
    Keywords restrict what is tried (`verification.choices`): batch, a power of 2 up to 128, and
    classes.
    """

    def at_labels(x: Array, t: Array) -> Array:
        return np.array([row[label] for row, label in zip(x, t, strict=True)])

    def hot(x: Array, t: Array) -> Array:
        return np.eye(x.shape[1])[t]

    def drawn(seed: int, shape: tuple[int, int]) -> tuple[Array, Array]:
        return whole("x", seed, shape), whole("targets", seed, shape[:1]).astype(int) % shape[1]

    return _loss(
        "negative_log_likelihood", implementation, only, reduction, lambda x, t: -at_labels(x, t),
        lambda x, t: -hot(x, t), drawn, "",
        (
            ("sign", "y", "is the log-likelihood, without the minus", at_labels),
            ("wrong-operation", "y", "has the logarithm of x: x is log-probabilities already",
             lambda x, t: -np.log(np.maximum(at_labels(x, t), 1e-300))),
            ("shifted", "y", "takes the entry before the label: labels are counted from 0",
             lambda x, t: -at_labels(x, t - 1)),
            ("wrong-operation", "y", "is the sum over each row, whatever the label", lambda x, t: -x.sum(axis=1)),
            ("sign", "dLdx", "is 1 at the label; it should be -1", hot),
            ("term-missing", "dLdx", "is -1 everywhere; it should be 0 but for the label",
             lambda x, t: -np.ones(x.shape)),
            ("wrong-formula", "dLdx", "is softmax(x) less 1 at the label: that is of the logits, before log-softmax",
             lambda x, t: special.softmax(x, axis=1) - hot(x, t)),
        ),
        affine_in=("x",), terms=lambda x, **_: len(x) + 1,
        magnitude=lambda x, targets: REDUCTIONS[reduction](at_labels(x, targets)),
        sizes={"batch": powers(0, 2, axis=0), "classes": replace(side(1), drawn=(2, 4, 8))},
        large={"batch": 32, "classes": 10},
    )  # fmt: skip


def log_softmax(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of log-softmax: x (n, k) -> x - log(sum of exp(x) over the last axis).

    implementation() makes the layer: the class itself or a function.
    Keywords restrict what is tried (`verification.choices`): batch, classes.
    """

    def softmax(t: Trial) -> Array:
        return np.asarray(special.softmax(t.x, axis=1))

    def right(dLdy: Array, x: Array) -> dict[str, Array]:
        """Row by row: (I - ones y^T)^T dLdy, where y is softmax(x)."""
        rows = zip(special.softmax(x, axis=1), dLdy, strict=True)
        return {"x": np.array([u - p * np.sum(u) for p, u in rows]).reshape(x.shape)}

    choices = Choices("log_softmax", only, CHOICES, make=implementation)
    spec = LayerSpec(
        name="log_softmax",
        make=implementation,
        cases=choices.cases(case, kind=(0, 0)),
        reference=lambda x: np.array([row - special.logsumexp(row) for row in x]).reshape(x.shape),
        rtol=RTOL,
        rtol_reason="the layer and the formula err by rounding alone; at 1000 y has an error of 1e-13",
        bad_arguments=(
            backprop_of("backprop, dLdy with a class too many", lambda case: grown(case.arrays["x"], 1)),
            backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
        ),
        extremes=choices.cases(case, kind=(1, 4)),
        gradient=right,
        mistakes=(
            Mistake("term-missing", "dLdx", "dLdx leaves out softmax(x) times the sum of dLdy over the row",
                    lambda t: t.dLdy),
            Mistake("term-missing", "dLdx", "dLdx is dLdy - softmax(x): the sum of dLdy over the row is missing",
                    lambda t: t.dLdy - softmax(t)),
            Mistake("wrong-formula", "dLdx", "dLdx takes off softmax(x) * dLdy; it should be times the sum of dLdy",
                    lambda t: t.dLdy * (1 - softmax(t))),
            Mistake("wrong-formula", "dLdx", "dLdx is that of softmax, without the logarithm",
                    lambda t: softmax_gradient(t.dLdy, t.x)["x"]),
            Mistake("wrong-formula", "dLdx", "dLdx has y, log-softmax, where softmax belongs: exp(y)",
                    lambda t: t.dLdy - t.y * t.dLdy.sum(axis=1, keepdims=True)),
            Mistake("axes-swapped", "dLdx", "dLdx sums dLdy over the batch; it should be over each row",
                    lambda t: t.dLdy - softmax(t) * t.dLdy.sum(axis=0)),
            Mistake("wrong-operation", "y", "y is softmax(x): the logarithm is missing", softmax),
            Mistake("axes-swapped", "y", "y is normalized over the batch (axis 0); it should be over each row",
                    lambda t: np.asarray(special.log_softmax(t.x, axis=0))),
            Mistake("term-missing", "y", "y is x less the largest of its row, not normalized",
                    lambda t: t.x - t.x.max(axis=1, keepdims=True)),
        ),
    )  # fmt: skip
    return choices.applied(spec)


# What the losses have in common


def _loss(
    name: str, make: Callable[..., Any], only: Mapping[str, Any], reduction: Reduction, loss: Form, derivative: Form,
    drawn: Callable[..., tuple[Array, Array]], reason: str, mistakes: Table, rtol: float = RTOL,
    sizes: Mapping[str, Choice] = SIZES, large: Mapping[str, int] | None = None, **more: Any,
) -> LayerSpec:  # fmt: skip
    """Return the spec; it is exact where there is no reason for a tolerance, and has a realistic case of large sizes.

    drawn    draws x (n, k) and the targets from a seed and a shape; those of kind 1 are extreme
    more     fields of the spec
    """
    if reduction not in REDUCTIONS:
        raise SpecError(f"reduction should be one of {', '.join(REDUCTIONS)}, but it is {reduction!r}")

    def reduced(losses: Any) -> Array:
        return np.asarray(REDUCTIONS[reduction](losses))

    def upstream(dLdy: Array, x: Array, targets: Array) -> Array:
        """Return what comes back to each loss, in a shape that broadcasts against x."""
        shape = np.shape(loss(x, targets))
        share = dLdy / np.prod(shape) if reduction == "mean" else dLdy
        return np.broadcast_to(share, shape).reshape(*shape, *[1] * (x.ndim - len(shape)))

    def gradient(dLdy: Array, x: Array, targets: Array) -> dict[str, Array]:
        return {"x": np.asarray(upstream(dLdy, x, targets) * derivative(x, targets))}

    def wrong(array: str, form: Form) -> Callable[[Trial], Array]:
        if array == "y":
            return lambda t: reduced(form(t.x, t.arguments["targets"]))
        return lambda t: np.asarray(upstream(t.dLdy, **t.arguments) * form(t.x, t.arguments["targets"]))

    def times(array: str, sentence: str, family: str, factor: Callable[[Trial, int], float]) -> Mistake:
        """Return the mistake of another number to divide by: `factor` of the trial and the number of losses."""

        def wrong(t: Trial) -> Array | None:
            result = t.y if array == "y" else t.right["x"]
            by = factor(t, np.size(loss(t.x, t.arguments["targets"])))
            return None if by == 1 else np.asarray(result * by)

        return Mistake(family, array, f"{array} {sentence}", wrong)

    reductions: dict[str, tuple[tuple[str, str, Callable[[Trial, int], float]], ...]] = {
        "mean": (
            ("is for the sum: divide by the number of losses", "scaled", lambda _t, count: count),
            ("is divided by the batch size alone; it should be by the number of all entries", "scaled",
             lambda t, count: count / len(t.x)),
        ),
        "sum": (("is for the mean, not for the sum", "batch-averaged", lambda _t, count: 1 / count),),
        "none": (),
    }  # fmt: skip

    def of_multiples(case: Case) -> Case:
        """Return the case with dLdy and, if it is small, a direction that are multiples of the number of losses.

        All changes are whole then, and no entry moves by more than 128: far enough from kinks.
        """
        x, losses = case.arrays["x"], loss(case.arrays["x"], case.arrays["targets"])
        arrays = {"dLdy": losses.size * whole("dLdy", case.seed, reduced(losses).shape)}
        if losses.size <= MOST_LOSSES:
            v = whole("v for x", case.seed, x.shape)
            arrays["v for x"] = losses.size * (v if case.seed < 2 else np.floor(v / losses.size))
        return replace(case, arrays={**case.arrays, **arrays}, drawn=frozenset(arrays))

    def sized(batch: int, seed: int, most: int = MOST_LOSSES, **others: int) -> Case | None:
        (axis,) = [key for key in others if key != "kind"]
        x, targets = drawn(seed, (batch, others.pop(axis)), **others)
        case = Case({"x": x, "targets": targets}, seed=seed)
        if not exact:
            return case
        return of_multiples(case) if np.size(loss(x, targets)) <= most else None

    exact = not reason
    choices = Choices(name, only, sizes, make=make)
    if large:
        more["realistic"] = choices.realistic(partial(sized, most=10**6), **large)
    if "kind" in sizes:
        more["extremes"] = choices.cases(sized, kind=(1, 1))
    spec = LayerSpec(
        name=f"{name}_{reduction}",
        make=make,
        cases=choices.cases(sized, **({"kind": (0, 0)} if "kind" in sizes else {})),
        reference=lambda x, targets: reduced(loss(x, targets)),
        constants=("targets",),
        rtol=0.0 if exact else rtol,
        rtol_reason=reason,
        batch_independent=False,  # the targets belong to the batch as a whole, and y is reduced over it
        bad_arguments=BAD_ARGUMENTS,
        gradient=gradient,
        mistakes=(
            *(Mistake(family, array, f"{array} {text}", wrong(array, form)) for family, array, text, form in mistakes),
            *(times(array, *row) for row in reductions[reduction] for array in ("y", "dLdx")),
        ),
        **more,
    )  # fmt: skip
    return choices.applied(spec)


def _grid(name: str, seed: int, shape: tuple[int, ...]) -> Array:
    """Return numbers from -4 to 4, in steps of 1/32; those of x lie between, where a square needs more than float32."""
    return (whole(name, seed, shape) + (0.5 + 2.0**-8 if name == "x" else 0.0) * (seed > 1)) / (32 if seed > 1 else 1)


BAD_ARGUMENTS = (
    forward_of("forward, x of another batch size than the targets", lambda case: grown(case.arrays["x"], 0)),
    backprop_of("backprop, dLdy of another batch size", lambda case: np.ones(len(case.arrays["x"]) + 1)),
)  # fmt: skip
