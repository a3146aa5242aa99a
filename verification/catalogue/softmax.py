"""Softmax, and softmax with cross-entropy: correct layers, variants of them, planted bugs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from verification.case import Array
from verification.catalogue.any_layer import DIFFERENCES, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section, change
from verification.spec import LayerSpec
from verification.specs.softmax import softmax, softmax_cross_entropy

EXTREMES = "extremes_come_out_right"
INVARIANT, ORTHOGONAL = "is_invariant_to_a_constant_added", "gradient_is_orthogonal_to_ones"


class Shifted:
    """A correct softmax: exp of the logits less the largest of their row."""

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of x."""
        if dLdy.shape != x.shape:
            raise ValueError(f"dLdy should have the shape of x, {x.shape}, but its shape is {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, k) -> y (n, k)."""
        e = self.exp(x)
        return np.asarray(e / e.sum(axis=-1, keepdims=True))

    def exp(self, x: Array) -> Array:
        """Return exp(x - c), c of each row's own."""
        return np.asarray(np.exp(x - x.max(axis=-1, keepdims=True)))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        y = self.forward(x)
        return self.gradient(y, dLdy)

    def gradient(self, y: Array, dLdy: Array) -> Array:
        """y (dLdy - the sum of y dLdy)."""
        return np.asarray(y * (dLdy - (y * dLdy).sum(axis=-1, keepdims=True)))


class ByLogSumExp(Shifted):
    """A correct softmax: exp of x - logsumexp(x); Fortran-ordered results."""

    def forward(self, x: Array) -> Array:
        """Subtract before exp."""
        return np.asfortranarray(np.exp(x - special.logsumexp(x, axis=-1, keepdims=True)) if x.size else x)


class ByJacobian(Shifted):
    """A correct softmax: ratios exp(x_j - x_i), and the Jacobian of each row."""

    def forward(self, x: Array) -> Array:
        """1 / sum over j of exp(x_j - x_i): infinite sums have the right inverse."""
        return np.asarray(1 / np.exp(x[:, np.newaxis, :] - x[:, :, np.newaxis]).sum(axis=2))

    def gradient(self, y: Array, dLdy: Array) -> Array:
        """Multiply by diag(y) - y y^T."""
        jacobian = np.eye(y.shape[1]) * y[:, :, np.newaxis] - y[:, :, np.newaxis] * y[:, np.newaxis]
        return np.asarray(np.einsum("nij,nj->ni", jacobian, dLdy))


def _softmax(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
    return row(Shifted, name, family, caught_by, description, **methods)


SOFTMAX_BUGS = (
    *everywhere(Shifted, exact=False),
    _softmax("not_shifted", "overflow", EXTREMES, "exp(x) overflows", exp=lambda self, x: np.exp(x)),
    _softmax("shifted_by_the_mean", "overflow", EXTREMES, "the mean is taken off, not the largest",
             exp=lambda self, x: np.exp(x - x.mean(axis=-1, keepdims=True))),
    _softmax("shifted_by_the_batch", "overflow", EXTREMES, "the largest of the batch is taken off, so rows vanish",
             exp=lambda self, x: np.exp(x - x.max(initial=-np.inf) - 800 * (np.ptp(x) > 100 if x.size else 0))),
    _softmax("clipped", "wrong-formula", INVARIANT, "x is cut off at 3", exp=lambda self, x: np.exp(np.minimum(x, 3))),
    _softmax("over_the_batch", "axes-swapped", "rows_sum_to_one", "y is normalized over the batch",
             forward=lambda self, x: (e := np.exp(x - x.max(axis=0, initial=-np.inf))) / e.sum(axis=0)),
    _softmax("over_everything", "wrong-formula", "rows_sum_to_one", "y is normalized over the whole array",
             forward=lambda self, x: (e := np.exp(x - x.max(initial=-np.inf))) / e.sum()),
    _softmax("not_normalized", "term-missing", FORWARD, "y is exp(x - c)", forward=lambda self, x: self.exp(x)),
    _softmax("plus_epsilon", "wrong-formula", "rows_sum_to_one", "1e-6 is added to the sum",
             forward=lambda self, x: (e := self.exp(x)) / (e.sum(axis=-1, keepdims=True) + 1e-6)),
    _softmax("log", "wrong-operation", FORWARD, "y is log(softmax(x))",
             forward=lambda self, x: np.log(Shifted.forward(self, x))),
    _softmax("negative", "sign", FORWARD, "y is softmax(-x)", forward=lambda self, x: Shifted.forward(self, -x)),
    _softmax("diagonal_only", "wrong-formula", ORTHOGONAL, "dLdx is y (1 - y) dLdy",
             gradient=lambda self, y, u: y * (1 - y) * u),
    _softmax("gradient_is_y", "term-missing", DIFFERENCES, "dLdx is y dLdy", gradient=lambda self, y, u: y * u),
    _softmax("sum_without_y", "term-missing", DIFFERENCES, "the sum of dLdy is taken off, not of y dLdy",
             gradient=lambda self, y, u: y * (u - u.sum(axis=-1, keepdims=True))),
    _softmax("sum_over_the_batch", "axes-swapped", DIFFERENCES, "y dLdy is summed over the batch",
             gradient=lambda self, y, u: y * (u - (y * u).sum(axis=0))),
    _softmax("sum_over_everything", "wrong-formula", ORTHOGONAL, "y dLdy is summed over the whole array",
             gradient=lambda self, y, u: y * (u - (y * u).sum())),
    _softmax("gradient_averaged", "batch-averaged", DIFFERENCES, "dLdx is divided by the number of rows",
             gradient=lambda self, y, u: Shifted.gradient(self, y, u) / max(1, len(y))),
)  # fmt: skip


class LogSumExp:
    """A correct cross-entropy: log-sum-exp by the largest logit of each row."""

    reduction = "mean"

    def __init__(self) -> None:
        self.labels: Array = np.zeros(0, int)

    def check(self, x: Array, dLdy: Array | None = None) -> None:
        """Raise unless x, and dLdy if given, have the right shapes."""
        if x.ndim != 2 or len(x) != len(self.labels):
            raise ValueError(f"x should be (n, k) for n = {len(self.labels)} labels, but its shape is {x.shape}")
        shape = (len(x),) if self.reduction == "none" else ()
        if dLdy is not None and np.shape(dLdy) != shape:
            raise ValueError(f"dLdy should have shape {shape}, but its shape is {np.shape(dLdy)}")

    def forward(self, x: Array) -> Array:
        """x (n, k) -> the loss."""
        self.check(x)
        return self.reduced(self.losses(x))

    def reduced(self, losses: Array) -> Array:
        """Return the mean or sum of the losses (n,), or themselves."""
        reduce: Any = {"mean": np.mean, "sum": np.sum, "none": np.array}[self.reduction]
        return np.array(reduce(losses))

    def losses(self, x: Array) -> Array:
        """Return the loss of each row."""
        largest = x.max(axis=1, keepdims=True)
        return np.asarray(np.log(np.exp(x - largest).sum(axis=1)) + largest[:, 0] - self.at_labels(x))

    def at_labels(self, x: Array) -> Array:
        """(n, k) -> (n,)."""
        return np.asarray(x[np.arange(len(x)), self.labels])

    def probabilities(self, x: Array) -> Array:
        """Return softmax(x)."""
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        return np.asarray(self.gradient(self.probabilities(x), np.eye(x.shape[1])[self.labels]) * self.weights(dLdy))

    def gradient(self, p: Array, hot: Array) -> Array:
        """Return the gradient of the sum, from probabilities and one-hot labels."""
        return p - hot

    def weights(self, dLdy: Array) -> Array:
        """Return what each row counts, (n, 1)."""
        share = dLdy / len(self.labels) if self.reduction == "mean" else dLdy
        return np.broadcast_to(share, self.labels.shape)[:, np.newaxis]


class LogSoftmax(LogSumExp):
    """A correct cross-entropy: scipy.special.log_softmax, with 1 taken off in place."""

    def losses(self, x: Array) -> Array:
        """Pick the label's."""
        return -self.at_labels(special.log_softmax(x, axis=1))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Write into a copy."""
        self.check(x, dLdy)
        dLdx = np.asfortranarray(special.softmax(x, axis=1))
        dLdx[np.arange(len(x)), self.labels] -= 1
        return dLdx * self.weights(dLdy)


class Margins(LogSumExp):
    """A correct cross-entropy: row by row, the logarithm of the sum of exp(x_j - x_label)."""

    def losses(self, x: Array) -> Array:
        """Add logarithms of sums of two."""
        return np.array([np.logaddexp.reduce(v - v[label]) for v, label in zip(x, self.labels, strict=True)])

    def gradient(self, p: Array, hot: Array) -> Array:
        """Add up the others for the label's part: the probabilities of a row sum to 1."""
        others = p * (1 - hot)
        return np.asarray(others - hot * others.sum(axis=1, keepdims=True))


def reducing(base: type, reduction: str) -> type:
    """Return the layer with this reduction."""
    return change(base, f"{base.__name__}_{reduction}", reduction=reduction)


def _buggy(base: Any) -> tuple[Bug, ...]:
    """Return the bugs of a layer with this base; some are of one reduction only."""
    mean, none = base.reduction == "mean", base.reduction == "none"

    def bug(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
        return row(base, name, family, caught_by, description, **methods)

    bugs = [
        *everywhere(base, exact=False, images=False),
        bug("not_shifted", "overflow", EXTREMES, "exp(x) overflows",
            losses=lambda self, x: np.log(np.exp(x).sum(axis=1)) - self.at_labels(x)),
        bug("log_of_softmax", "overflow", EXTREMES, "log of a probability that is 0",
            losses=lambda self, x: -np.log(self.at_labels(self.probabilities(x)))),
        bug("log_plus_epsilon", "cancellation", EXTREMES, "1e-12 is added before the logarithm",
            losses=lambda self, x: -np.log(self.at_labels(self.probabilities(x)) + 1e-12)),
        bug("probabilities_clipped", "cancellation", EXTREMES, "probabilities are clipped to 1e-7 ... 1 - 1e-7",
            losses=lambda self, x: -np.log(np.clip(self.at_labels(self.probabilities(x)), 1e-7, 1 - 1e-7))),
        bug("logit_forgotten", "term-missing", INVARIANT, "the loss leaves out the label's logit",
            losses=lambda self, x: base.losses(self, x) + self.at_labels(x)),
        bug("softmax_forgotten", "wrong-formula", "loss_is_not_negative", "the loss is the label's logit, negated",
            losses=lambda self, x: -self.at_labels(x)),
        bug("softmax_twice", "wrong-formula", FORWARD, "softmax is applied twice",
            losses=lambda self, x: base.losses(self, self.probabilities(x))),
        bug("base_two", "wrong-formula", FORWARD, "the logarithm is to base 2",
            losses=lambda self, x: base.losses(self, x) / np.log(2)),
        bug("negated", "sign", "loss_is_not_negative", "the loss is log of the probability",
            losses=lambda self, x: -base.losses(self, x)),
        bug("label_not_taken_off", "term-missing", ORTHOGONAL, "dLdx is softmax(x)", gradient=lambda self, p, hot: p),
        bug("softmax_not_in_gradient", "term-missing", DIFFERENCES, "dLdx is -1 at the label, 0 elsewhere",
            gradient=lambda self, p, hot: -hot),
        bug("gradient_of_probabilities", "wrong-formula", DIFFERENCES, "dLdx is -1/p at the label",
            gradient=lambda self, p, hot: -hot / np.maximum(p, 1e-300)),
        bug("softmax_derived_twice", "wrong-formula", DIFFERENCES, "dLdx is multiplied by p (1 - p)",
            gradient=lambda self, p, hot: p * (1 - p) * (p - hot)),
        bug("divided_by_classes", "scaled", DIFFERENCES, "dLdx is divided by the number of classes too",
            gradient=lambda self, p, hot: (p - hot) / p.shape[1]),
        bug("gradient_negated", "sign", DIFFERENCES, "dLdx is negated", gradient=lambda self, p, hot: hot - p),
        bug("first_row_only", "batch-not-summed", DIFFERENCES, "dLdx of all rows but the first is 0",
            weights=lambda self, u: base.weights(self, u) * (np.arange(len(self.labels)) == 0)[:, np.newaxis]),
    ]  # fmt: skip
    if mean:
        bugs += [
            bug("gradient_not_averaged", "scaled", DIFFERENCES, "y is the mean, dLdx is for the sum",
                weights=lambda self, u: np.broadcast_to(u, self.labels.shape)[:, np.newaxis]),
            bug("summed", "scaled", FORWARD, "y is the sum, not the mean",
                reduced=lambda self, losses: np.array(losses.sum())),
        ]  # fmt: skip
    else:
        bugs += [
            bug("gradient_averaged", "batch-averaged", DIFFERENCES, "dLdx is divided by the batch size",
                weights=lambda self, u: base.weights(self, u) / len(self.labels)),
            bug("averaged", "batch-averaged", FORWARD, "y is the mean, whatever was asked for",
                reduced=lambda self, losses: np.array(losses.mean())),
        ]  # fmt: skip
    if none:
        bugs += [
            bug("upstream_of_the_first", "upstream-ignored", DIFFERENCES, "all rows have the dLdy of the first",
                weights=lambda self, u: np.broadcast_to(u[0], self.labels.shape)[:, np.newaxis]),
            bug("upstream_summed", "upstream-ignored", DIFFERENCES, "all rows have the sum of dLdy",
                weights=lambda self, u: np.broadcast_to(u.sum(), self.labels.shape)[:, np.newaxis]),
        ]  # fmt: skip
    return tuple(bugs)


def softmax_cross_entropy_mean(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec with the mean."""
    return softmax_cross_entropy(implementation, "mean")


def softmax_cross_entropy_sum(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec with the sum."""
    return softmax_cross_entropy(implementation, "sum")


def softmax_cross_entropy_none(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec without reduction."""
    return softmax_cross_entropy(implementation, "none")


def _section(spec: Callable[[Callable[..., Any]], LayerSpec], reduction: str) -> Section:
    variants = tuple(reducing(base, reduction) for base in (LogSumExp, LogSoftmax, Margins))
    return Section(spec, variants, _buggy(variants[0]))


SECTIONS = (
    Section(softmax, (Shifted, ByLogSumExp, ByJacobian), SOFTMAX_BUGS),
    _section(softmax_cross_entropy_mean, "mean"),
    _section(softmax_cross_entropy_sum, "sum"),
    _section(softmax_cross_entropy_none, "none"),
)
