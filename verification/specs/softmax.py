"""Softmax over the last axis, and softmax with cross-entropy against integer labels."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy import special

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, inner, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial

RTOL = 1e-9
RTOL_REASON = (
    "the layer and the formula err by rounding alone, an operation by 1.1e-16 of its result; exp loses at most 1e-13"
    " even at 1000"
)


def softmax(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of softmax: x (n, k) -> exp(x) / sum of exp(x) over the last axis.

    implementation() makes the layer: the class itself or a function. Keywords restrict what is tried
    (`verification.choices`): batch, classes.
    """
    choices = Choices("softmax", only, CHOICES, make=implementation)
    spec = LayerSpec(
        name="softmax",
        make=implementation,
        cases=choices.cases(case, kind=(0, 0)),
        reference=lambda x: np.asarray(special.softmax(x, axis=-1)),
        rtol=RTOL,
        rtol_reason=RTOL_REASON,
        bad_arguments=SOFTMAX_BAD_ARGUMENTS,
        properties=(
            rows_sum_to_one,
            is_invariant_to_a_constant_added,
            gradient_is_orthogonal_to_ones,
        ),
        extremes=choices.cases(case, kind=(1, 4)),
        gradient=softmax_gradient,
        mistakes=SOFTMAX_MISTAKES,
    )
    return choices.applied(spec)


def softmax_cross_entropy(
    implementation: Callable[..., Any], reduction: Literal["mean", "sum", "none"] = "mean", **only: Any
) -> LayerSpec:
    """Return the spec of softmax and cross-entropy in one: logits x (n, k) -> log(sum of exp(x)) - x[label].

    implementation() makes the layer: the class itself or a function. The integer labels (n,) are set as
    the attribute `labels` before forward. y is a 0-d array, the mean or sum over the batch, or (n,) for
    reduction "none". ValueError for any other reduction. Keywords restrict what is tried
    (`verification.choices`): batch, classes.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction should be one of {', '.join(REDUCTIONS)}, but it is {reduction!r}")
    reduced = REDUCTIONS[reduction]

    def reference(x: Array, labels: Array) -> Array:
        return np.asarray(reduced(losses(x, labels)))

    def gradient(dLdy: Array, x: Array, labels: Array) -> dict[str, Array]:
        weights = np.broadcast_to(dLdy / (len(x) if reduction == "mean" else 1), (len(x),))
        return {"x": cross_entropy_gradient(weights, x, labels)}

    def upstream(trial: Trial) -> Array:
        return np.broadcast_to(trial.dLdy / (len(trial.x) if reduction == "mean" else 1), (len(trial.x),))[:, None]

    def wrong_gradient(form: Callable[[Array, Array], Array]) -> Callable[[Trial], Array]:
        """Return the gradient of this form of the probabilities and the one-hot labels."""
        return lambda t: upstream(t) * form(special.softmax(t.x, axis=-1), np.eye(t.x.shape[1])[t.arguments["labels"]])

    def wrong_loss(form: Callable[[Array, Array], Array]) -> Callable[[Trial], Array]:
        """Return the reduced loss of this form of the logits and the labels."""
        return lambda t: np.asarray(reduced(form(t.x, t.arguments["labels"])))

    choices = Choices("softmax_cross_entropy", only, CHOICES, make=implementation)
    spec = LayerSpec(
        name=f"softmax_cross_entropy_{reduction}",
        make=implementation,
        cases=choices.cases(labelled_case, kind=(0, 0)),
        reference=reference,
        constants=("labels",),
        rtol=RTOL,
        rtol_reason=RTOL_REASON,
        batch_independent=False,  # the labels belong to the batch as a whole, and y is reduced over it
        bad_arguments=CROSS_ENTROPY_BAD_ARGUMENTS,
        properties=(
            is_invariant_to_a_constant_added,
            gradient_is_orthogonal_to_ones,
            loss_is_not_negative,
        ),
        extremes=choices.cases(labelled_case, kind=(1, 4)),
        gradient=gradient,
        mistakes=(
            Mistake("term-missing", "dLdx", "dLdx is softmax(x) without 1 taken off at the label",
                    wrong_gradient(lambda p, hot: p)),
            Mistake("term-missing", "dLdx", "dLdx leaves out softmax(x): it is -1 at the label and 0 elsewhere",
                    wrong_gradient(lambda p, hot: -hot)),
            Mistake("wrong-formula", "dLdx", "dLdx is the gradient for the probabilities, -1/p at the label; it should"
                    " be for the logits", wrong_gradient(lambda p, hot: -hot / np.maximum(p, 1e-300))),
            Mistake("wrong-formula", "dLdx", "dLdx passes through the derivative p (1 - p) of softmax twice",
                    wrong_gradient(lambda p, hot: p * (1 - p) * (p - hot))),
            Mistake("scaled", "dLdx", "dLdx is divided by the number of classes too",
                    wrong_gradient(lambda p, hot: (p - hot) / p.shape[1])),
            Mistake("wrong-formula", "y", "y is the logit at the label, negated: the softmax is missing",
                    wrong_loss(lambda x, labels: -x[np.arange(len(x)), labels])),
            Mistake("term-missing", "y", "y leaves out the logit at the label",
                    wrong_loss(lambda x, labels: special.logsumexp(x, axis=1))),
            Mistake("term-missing", "y", "y is 1 less the probability of the label; it should be -log of it",
                    wrong_loss(lambda x, labels: -np.expm1(-losses(x, labels)))),
            Mistake("wrong-formula", "y", "y applies softmax twice: x is logits already",
                    wrong_loss(lambda x, labels: losses(special.softmax(x, axis=1), labels))),
            Mistake("wrong-formula", "y", "y has the logarithm to base 2; it should be natural",
                    wrong_loss(lambda x, labels: losses(x, labels) / np.log(2))),
            *OTHER_REDUCTIONS[reduction],
        ),
    )  # fmt: skip
    return choices.applied(spec)


def _reduced(family: str, what: str, factor: Callable[[int], float]) -> tuple[Mistake, Mistake]:
    return (
        Mistake(family, "y", f"y is the {what}, not what was asked for",
                lambda t: t.y * factor(len(t.x)) if len(t.x) > 1 else None),
        Mistake(family, "dLdx", f"dLdx is for the {what}, y is not",
                lambda t: t.gradient(t.dLdy)["x"] * factor(len(t.x)) if len(t.x) > 1 else None),
    )  # fmt: skip


OTHER_REDUCTIONS: dict[str, tuple[Mistake, ...]] = {
    "mean": _reduced("scaled", "sum over the batch", lambda n: n),
    "sum": _reduced("batch-averaged", "mean over the batch", lambda n: 1 / n),
    "none": (
        Mistake("upstream-ignored", "dLdx", "dLdx has the dLdy of the first row in every row",
                lambda t: t.gradient(np.full(t.y.shape, t.dLdy[0]))["x"]),
        Mistake("upstream-ignored", "dLdx", "dLdx has the sum of dLdy in every row",
                lambda t: t.gradient(np.full(t.y.shape, t.dLdy.sum()))["x"]),
    ),
}  # fmt: skip
REDUCTIONS: dict[str, Callable[[Array], Any]] = {"mean": np.mean, "sum": np.sum, "none": np.asarray}


CHOICES = {"batch": batch(1, 4), "classes": side(1, 1, 5), "kind": inner(0, 4)}


def case(batch: int, classes: int, kind: int, seed: int) -> Case:
    """Return a case of logits from -4 to 4 (kind 0), of +-1000, shifted by 1000 or -1000, or equal."""
    shape = (batch, classes)
    signs = 1 - 2 * (whole("sign", seed, shape) % 2)
    if seed >= 2 and kind == 0:
        # Steps of 1/64, of which 1/128 is added so that no two kinds of rounding agree by chance.
        return Case({"x": (whole("x", seed, shape) + 0.5) / 32}, seed=seed)
    small = whole("x", seed, shape) / 32
    x = (whole("x", seed, shape), 1000 * signs, small + 1000, small - 1000, small[:, :1] + np.zeros(shape))[kind]
    return Case({"x": x}, seed=seed)


def labelled_case(batch: int, classes: int, kind: int, seed: int) -> Case:
    """Return the same case with a label for each row."""
    drawn = case(batch, classes, kind, seed)
    labels = whole("labels", seed, (batch,)).astype(int) % classes
    return Case({**drawn.arrays, "labels": labels}, seed=seed)


def softmax_gradient(dLdy: Array, x: Array) -> dict[str, Array]:
    """Return dLdx, row by row: (diag(y) - y y^T) dLdy."""
    y = special.softmax(x, axis=-1)
    return {"x": np.array([(np.diag(p) - np.outer(p, p)) @ u for p, u in zip(y, dLdy, strict=True)])}


def losses(x: Array, labels: Array) -> Array:
    """x (n, k), labels (n,) -> (n,): -log softmax(x)[label]. Source: scipy.special.log_softmax."""
    return np.array([-special.log_softmax(row)[label] for row, label in zip(x, labels, strict=True)])


def cross_entropy_gradient(weights: Array, x: Array, labels: Array) -> Array:
    """Return weights (n,) times (softmax(x) - 1 at the label), row by row."""
    dLdx = np.exp(np.array([special.log_softmax(row) for row in x]))
    for i, label in enumerate(labels):
        # 1 - p as the sum of the other probabilities: no cancellation where p is nearly 1.
        dLdx[i, label] = -np.sum(np.delete(dLdx[i], label))
    return np.asarray(dLdx * weights[:, np.newaxis])


def rows_sum_to_one(trial: Trial) -> None:
    """forward(x).sum(axis=1) == 1."""
    y = trial.expect_shape("forward(x)", trial.layer().forward(trial.x), trial.x.shape)
    trial.compare(
        "the sum of y over each row",
        y.sum(axis=1),
        np.ones(len(y)),
        label="y.sum(axis=1)",
        shows=trial.expression(y, "{}.sum(axis=1)"),
        array="y",
    )


def is_invariant_to_a_constant_added(trial: Trial) -> None:
    """forward(x + c) == forward(x), for a c of each row's own."""
    c = trial.whole("c", (len(trial.x), 1)) / 32
    because = " for x + c, a constant added to each row: it should be forward(x)"
    layer = trial.layer()
    trial.compare("forward(x)", layer.forward(trial.x + c), layer.forward(trial.x), because)


def gradient_is_orthogonal_to_ones(trial: Trial) -> None:
    """dLdx.sum(axis=1) == 0: a constant added to a row changes nothing."""
    dLdx = trial.expect_shape("dLdx", trial.layer().backprop(trial.x, trial.dLdy)["x"], trial.x.shape)
    largest = max(1.0, float(np.max(abs(trial.dLdy))))  # to which rounding is relative
    trial.compare(
        f"the sum of dLdx over each row, divided by {largest:g},",
        dLdx.sum(axis=1) / largest,
        np.zeros(len(dLdx)),
        label="the sum",
        shows=trial.expression(dLdx, f"{{}}.sum(axis=1) / {largest!r}"),
        array="dLdx",
    )


def loss_is_not_negative(trial: Trial) -> None:
    """forward(x) >= 0: it is -log of a probability."""
    y = trial.expect_shape("forward(x)", trial.layer().forward(trial.x), trial.y.shape)
    trial.compare("forward(x)", y, np.asarray(np.maximum(y, 0.0)), ": it should not be negative")


SOFTMAX_MISTAKES = (
    Mistake(
        "wrong-formula", "dLdx", "dLdx has the diagonal y (1 - y) of the Jacobian only; the terms -y_i y_j are missing",
        lambda t: t.dLdy * t.y * (1 - t.y),
    ),
    Mistake(
        "term-missing", "dLdx", "dLdx is y * dLdy; it should be y * (dLdy - the sum of y * dLdy over the row)",
        lambda t: t.dLdy * t.y,
    ),
    Mistake(
        "term-missing", "dLdx", "dLdx takes off the sum of dLdy; it should be the sum of y * dLdy",
        lambda t: t.y * (t.dLdy - t.dLdy.sum(axis=1, keepdims=True)),
    ),
    Mistake(
        "axes-swapped", "dLdx", "dLdx sums y * dLdy over the batch; it should be over each row",
        lambda t: t.y * (t.dLdy - (t.y * t.dLdy).sum(axis=0)),
    ),
    Mistake(
        "wrong-formula", "dLdx", "dLdx sums y * dLdy over the whole batch; it should be over each row",
        lambda t: t.y * (t.dLdy - (t.y * t.dLdy).sum()),
    ),
    Mistake(
        "axes-swapped", "y", "y is normalized over the batch (axis 0); it should be over each row",
        lambda t: np.asarray(special.softmax(t.x, axis=0)),
    ),
    Mistake(
        "wrong-formula", "y", "y is normalized over the whole array; it should be over each row",
        lambda t: np.asarray(special.softmax(t.x)),
    ),
    Mistake("wrong-operation", "y", "y is log(softmax(x))", lambda t: np.asarray(special.log_softmax(t.x, axis=-1))),
    Mistake("term-missing", "y", "y is exp(x), not normalized", lambda t: np.exp(np.minimum(t.x, 700))),
    Mistake(
        "term-missing", "y", "y is exp(x - the largest of the row), not normalized",
        lambda t: np.exp(t.x - t.x.max(axis=1, keepdims=True)),
    ),
    Mistake("sign", "y", "y is softmax(-x)", lambda t: t.reference(x=-t.x)),
)  # fmt: skip


SOFTMAX_BAD_ARGUMENTS = (
    backprop_of("backprop, dLdy with a class too many", lambda case: grown(case.arrays["x"], 1)),
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
)  # fmt: skip

CROSS_ENTROPY_BAD_ARGUMENTS = (
    forward_of("forward, x of rank 1", lambda case: case.arrays["x"][0]),
    forward_of("forward, x of another batch size than the labels", lambda case: grown(case.arrays["x"], 0)),
    backprop_of("backprop, dLdy of another batch size", lambda case: np.ones(len(case.arrays["x"]) + 1)),
)  # fmt: skip
