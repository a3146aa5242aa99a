"""Losses against targets, and log-softmax: correct layers and planted bugs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, DIFFERENCES, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section, change
from verification.spec import LayerSpec
from verification.specs.losses import (
    absolute_error,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    hinge,
    log_softmax,
    negative_log_likelihood,
    squared_error,
)

EXTREMES = "extremes_come_out_right"


class Loss:
    """What the losses below share: targets, the reduction, and backprop by the derivative of each loss."""

    reduction = "mean"

    def __init__(self) -> None:
        self.targets: Array = np.zeros((0, 0))

    def losses(self, x: Array) -> Array:
        """Return the loss of each entry."""
        raise NotImplementedError

    def derivative(self, x: Array) -> Array:
        """Return the derivative of each loss."""
        raise NotImplementedError

    def reduced(self, losses: Array) -> Array:
        """Return their mean or sum, or themselves."""
        reduce: Any = {"mean": np.mean, "sum": np.sum, "none": np.array}[self.reduction]
        return np.array(reduce(losses))

    def divisor(self, x: Array) -> int:
        """Return the number of losses that are averaged."""
        return x.size

    def forward(self, x: Array) -> Array:
        """x (n, k) -> the loss."""
        if len(x) != len(self.targets) or x.shape[: self.targets.ndim] != self.targets.shape:
            raise ValueError(f"x should fit the targets {self.targets.shape}, but its shape is {x.shape}")
        return self.reduced(self.losses(x))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        shape = self.targets.shape if self.reduction == "none" else ()
        if np.shape(dLdy) != shape:
            raise ValueError(f"dLdy should have shape {shape}, but its shape is {np.shape(dLdy)}")
        return np.asarray(self.upstream(x, dLdy) * self.derivative(x))

    def upstream(self, x: Array, dLdy: Array) -> Array:
        """Return what comes back to each entry."""
        share = dLdy / self.divisor(x) if self.reduction == "mean" else dLdy
        return np.asarray(share).reshape(*np.shape(share), *[1] * (x.ndim - np.ndim(share)))


class Squared(Loss):
    """A correct squared error."""

    def losses(self, x: Array) -> Array:
        """(x - t)^2."""
        return np.asarray((x - self.targets) ** 2)

    def derivative(self, x: Array) -> Array:
        """2 (x - t)."""
        return np.asarray(2 * (x - self.targets))


class ByProduct(Squared):
    """A correct squared error: differences, kept where backprop asks again."""

    def losses(self, x: Array) -> Array:
        """Multiply the difference with itself."""
        difference = np.subtract(self.targets, x)
        return np.asarray(difference * difference)

    def derivative(self, x: Array) -> Array:
        """Add the difference twice."""
        difference = x - self.targets
        return np.asfortranarray(difference + difference)


class Absolute(Loss):
    """A correct absolute error."""

    def losses(self, x: Array) -> Array:
        """|x - t|."""
        return np.asarray(abs(x - self.targets))

    def derivative(self, x: Array) -> Array:
        """Return the sign of x - t."""
        return np.asarray(np.sign(x - self.targets))


class ByChoice(Absolute):
    """A correct absolute error: a choice by which is larger."""

    def losses(self, x: Array) -> Array:
        """Subtract the smaller."""
        return np.asarray(np.maximum(x, self.targets) - np.minimum(x, self.targets))

    def derivative(self, x: Array) -> Array:
        """1 or -1."""
        return np.where(x > self.targets, 1.0, -1.0)


class Hinge(Loss):
    """A correct hinge loss."""

    def losses(self, x: Array) -> Array:
        """max(0, 1 - t x)."""
        return np.asarray(np.maximum(0, 1 - self.targets * x))

    def derivative(self, x: Array) -> Array:
        """-t or 0."""
        return np.asarray(-self.targets * (self.targets * x < 1))


class HingeByMask(Hinge):
    """A correct hinge loss: margins are computed once, and masked."""

    def losses(self, x: Array) -> Array:
        """Mask."""
        margin = 1 - self.targets * x
        margin[margin < 0] = 0
        return margin

    def derivative(self, x: Array) -> Array:
        """Mask."""
        return np.asarray(np.where(self.losses(x) > 0, -self.targets, 0.0))


class CrossEntropy(Loss):
    """A correct binary cross-entropy of probabilities."""

    def losses(self, x: Array) -> Array:
        """-t log x - (1 - t) log(1 - x)."""
        return np.asarray(-self.targets * np.log(x) - (1 - self.targets) * np.log1p(-x))

    def derivative(self, x: Array) -> Array:
        """(x - t) / (x (1 - x))."""
        return np.asarray((x - self.targets) / (x * (1 - x)))


class CrossEntropyCut(CrossEntropy):
    """A correct binary cross-entropy: probabilities are cut off at 1e-7, which those drawn never are."""

    def losses(self, x: Array) -> Array:
        """Choose the probability of what happened."""
        x = np.clip(x, 1e-7, 1 - 1e-7)
        return np.asarray(-np.log(np.where(self.targets == 1, x, 1 - x)))

    def derivative(self, x: Array) -> Array:
        """Choose."""
        return np.where(self.targets == 1, -1 / x, 1 / (1 - x))


class WithLogits(Loss):
    """A correct binary cross-entropy of logits: nothing overflows or cancels."""

    def losses(self, x: Array) -> Array:
        """max(x, 0) - t x + log(1 + exp(-|x|))."""
        return np.asarray(np.maximum(x, 0) - self.targets * x + np.log1p(np.exp(-abs(x))))

    def derivative(self, x: Array) -> Array:
        """Sigmoid - t."""
        return np.asarray(special.expit(x) - self.targets)


class WithLogitsBySign(WithLogits):
    """A correct binary cross-entropy of logits: log(1 + exp(z)), z the logit against what happened."""

    def losses(self, x: Array) -> Array:
        """Ask logaddexp."""
        return np.asarray(np.logaddexp(0, (1 - 2 * self.targets) * x))

    def derivative(self, x: Array) -> Array:
        """s sigmoid(s x), s = 1 - 2 t."""
        sign = 1 - 2 * self.targets
        return np.asarray(sign * special.expit(sign * x))


class Likelihood(Loss):
    """A correct negative log-likelihood: indexing."""

    def __init__(self) -> None:
        self.targets: Array = np.zeros(0, int)

    def divisor(self, x: Array) -> int:
        """Return the batch size."""
        return len(x)

    def losses(self, x: Array) -> Array:
        """-x at the labels."""
        return np.asarray(0.0 - x[np.arange(len(x)), self.targets])

    def derivative(self, x: Array) -> Array:
        """-1 at the labels."""
        result = np.zeros(x.shape, np.result_type(x, np.float32))
        result[np.arange(len(x)), self.targets] = -1
        return result


class LikelihoodByOneHot(Likelihood):
    """A correct negative log-likelihood: a product with one-hot labels."""

    def losses(self, x: Array) -> Array:
        """Add up products."""
        return np.asarray(-(x * np.eye(x.shape[1], dtype=np.result_type(x, np.float32))[self.targets]).sum(axis=1))

    def derivative(self, x: Array) -> Array:
        """Return the one-hot labels, negated."""
        return np.asarray(-np.eye(x.shape[1])[self.targets])


class LogSoftmax:
    """A correct log-softmax: x less the largest of its row, less the log of the sum of exp of that."""

    def forward(self, x: Array) -> Array:
        """x (n, k) -> y (n, k)."""
        moved = self.moved(x)
        return np.asarray(moved - np.log(np.exp(moved).sum(axis=1, keepdims=True)))

    def moved(self, x: Array) -> Array:
        """Return x - c, c of each row's own."""
        return np.asarray(x - x.max(axis=1, keepdims=True))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        if dLdy.shape != x.shape:
            raise ValueError(f"dLdy should have the shape of x, {x.shape}, but its shape is {dLdy.shape}")
        return self.gradient(self.forward(x), dLdy)

    def gradient(self, y: Array, dLdy: Array) -> Array:
        """Return dLdy - softmax(x) * (the sum of dLdy)."""
        return np.asarray(dLdy - np.exp(y) * dLdy.sum(axis=1, keepdims=True))


class LogSoftmaxByPairs(LogSoftmax):
    """A correct log-softmax: minus the log of the sum of exp(x_j - x_i) over j; the Jacobian of each row."""

    def forward(self, x: Array) -> Array:
        """Add logarithms."""
        if not x.size:
            return x.copy()
        return np.asarray(-np.logaddexp.reduce(x[:, np.newaxis, :] - x[:, :, np.newaxis], axis=2))

    def gradient(self, y: Array, dLdy: Array) -> Array:
        """Multiply."""
        jacobian = np.eye(y.shape[1]) - np.exp(y)[:, np.newaxis]
        return np.asarray(np.einsum("nij,ni->nj", jacobian, dLdy))


def _of(method: str, form: Any) -> dict[str, Any]:
    """Return the method by this form of x and the targets."""
    return {method: lambda self, x: np.asarray(form(x, self.targets))}


def _bugs(base: Any, *own: tuple[str, str, str, str, dict[str, Any]], exact: bool = False) -> tuple[Bug, ...]:
    """Return the bugs of any loss, of its reduction, and its own."""
    gradient = ADJOINT if base is Likelihood else DIFFERENCES
    general = everywhere(base, exact=exact, images=False, by_x=base is not Likelihood)
    of_reduction: dict[str, tuple[tuple[str, str, str, str, dict[str, Any]], ...]] = {
        "mean": (
            ("summed", "scaled", FORWARD, "y is the sum",
             {"reduced": lambda self, losses: np.array(losses.sum())}),
            ("gradient_not_averaged", "scaled", gradient, "y is the mean, dLdx is for the sum",
             {"upstream": lambda self, x, u: base.upstream(self, x, u) * self.divisor(x)}),
        ),
        "sum": (
            ("averaged", "batch-averaged", FORWARD, "y is the mean",
             {"reduced": lambda self, losses: np.array(losses.mean())}),
            ("gradient_averaged", "batch-averaged", gradient, "y is the sum, dLdx is for the mean",
             {"upstream": lambda self, x, u: base.upstream(self, x, u) / x.size}),
        ),
        "none": (
            ("upstream_summed", "upstream-ignored", gradient, "all entries have the sum of dLdy",
             {"upstream": lambda self, x, u: np.asarray(u.sum())}),
        ),
    }  # fmt: skip
    rows = (*of_reduction[base.reduction], *own)
    return (*general, *(row(base, *texts, **methods) for *texts, methods in rows))


SQUARED = (
    ("half", "scaled", FORWARD, "y is half of it", _of("losses", lambda x, t: (x - t) ** 2 / 2)),
    ("absolute", "wrong-operation", FORWARD, "y is |x - t|", _of("losses", lambda x, t: abs(x - t))),
    ("two_forgotten", "scaled", DIFFERENCES, "dLdx leaves out 2", _of("derivative", lambda x, t: x - t)),
    ("gradient_of_targets", "sign", DIFFERENCES, "dLdx is 2 (t - x)", _of("derivative", lambda x, t: 2 * (t - x))),
)  # fmt: skip
SQUARED_MEAN = (
    *SQUARED,
    ("divided_by_batch", "scaled", DIFFERENCES, "dLdx is divided by the batch size alone",
     {"divisor": lambda self, x: len(x)}),
)  # fmt: skip
ABSOLUTE = (
    ("squared", "wrong-operation", FORWARD, "y is (x - t)^2", _of("losses", lambda x, t: (x - t) ** 2)),
    ("difference", "wrong-formula", DIFFERENCES, "dLdx is x - t", _of("derivative", lambda x, t: x - t)),
    ("one_side", "wrong-operation", DIFFERENCES, "dLdx is 0 where x is less than t", _of("derivative", lambda x, t: 1.0 * (x > t))),
    ("sign_of_x", "wrong-formula", DIFFERENCES, "dLdx has the sign of x", _of("derivative", lambda x, t: np.sign(x))),
    ("eight_rows", "hard-coded-size", "is_exact_at_a_realistic_size", "dLdx of entries after the 32nd is 0",
     _of("derivative", lambda x, t: np.sign(x - t) * (np.arange(x.shape[1]) < 32))),
)  # fmt: skip
HINGE = (
    ("margin_forgotten", "term-missing", FORWARD, "y is max(0, -t x)", _of("losses", lambda x, t: np.maximum(0, -t * x))),
    ("not_cut", "wrong-operation", FORWARD, "y is 1 - t x", _of("losses", lambda x, t: 1 - t * x)),
    ("targets_forgotten", "term-missing", DIFFERENCES, "dLdx is -1", _of("derivative", lambda x, t: -1.0 * (t * x < 1))),
    ("gradient_not_cut", "wrong-operation", DIFFERENCES, "dLdx is -t everywhere", _of("derivative", lambda x, t: -t)),
    ("cut_at_zero", "wrong-formula", DIFFERENCES, "dLdx is cut off from t x = 0 on",
     _of("derivative", lambda x, t: -t * (t * x < 0))),
)  # fmt: skip
CROSS_ENTROPY = (
    ("one_term", "term-missing", FORWARD, "y is -t log x", _of("losses", lambda x, t: -t * np.log(x))),
    ("turned_round", "wrong-formula", FORWARD, "targets are the wrong way round",
     _of("losses", lambda x, t: -np.log(np.where(t == 1, 1 - x, x)))),
    ("gradient_of_one_term", "term-missing", DIFFERENCES, "dLdx is -t / x", _of("derivative", lambda x, t: -t / x)),
    ("gradient_for_logits", "wrong-formula", DIFFERENCES, "dLdx is x - t", _of("derivative", lambda x, t: x - t)),
    ("plus_epsilon", "wrong-formula", FORWARD, "1e-3 is added before the logarithm",
     _of("losses", lambda x, t: -t * np.log(x + 1e-3) - (1 - t) * np.log(1 - x + 1e-3))),
)  # fmt: skip
LOGITS = (
    ("log_of_sigmoid", "overflow", EXTREMES, "log of a sigmoid that is 0",
     _of("losses", lambda x, t: -t * np.log(special.expit(x)) - (1 - t) * np.log(1 - special.expit(x)))),
    ("log_of_exp", "overflow", EXTREMES, "log(1 + exp(x)) - t x", _of("losses", lambda x, t: np.log(1 + np.exp(x)) - t * x)),
    ("targets_forgotten", "term-missing", FORWARD, "y is log(1 + exp(x))", _of("losses", lambda x, t: np.logaddexp(0, x))),
    ("sigmoid_forgotten", "wrong-formula", DIFFERENCES, "dLdx is x - t", _of("derivative", lambda x, t: x - t)),
    ("sigmoid_derived_twice", "wrong-formula", DIFFERENCES, "dLdx is multiplied by s (1 - s)",
     _of("derivative", lambda x, t: (special.expit(x) - t) * special.expit(x) * special.expit(-x))),
)  # fmt: skip
LIKELIHOOD = (
    ("not_negated", "sign", FORWARD, "y is the log-likelihood", {"losses": lambda self, x: -Likelihood.losses(self, x)}),
    ("counted_from_one", "shifted", FORWARD, "labels are counted from 1",
     {"losses": lambda self, x: -x[np.arange(len(x)), self.targets - 1]}),
    ("all_entries", "term-missing", ADJOINT, "dLdx is -1 everywhere", _of("derivative", lambda x, t: -np.ones(x.shape))),
    ("gradient_of_logits", "wrong-formula", ADJOINT, "dLdx is softmax(x) less 1 at the label",
     {"derivative": lambda self, x: special.softmax(x, axis=1) + Likelihood.derivative(self, x)}),
    ("sixteen_rows", "hard-coded-size", "is_exact_at_a_realistic_size", "dLdx of rows after the 16th is 0",
     {"derivative": lambda self, x: Likelihood.derivative(self, x) * (np.arange(len(x)) < 16)[:, np.newaxis]}),
)  # fmt: skip


def _log_softmax(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
    return row(LogSoftmax, name, family, caught_by, description, **methods)


LOG_SOFTMAX_BUGS = (
    *everywhere(LogSoftmax, exact=False),
    _log_softmax("not_moved", "overflow", EXTREMES, "exp(x) overflows", moved=lambda self, x: x),
    _log_softmax("log_of_softmax", "overflow", EXTREMES, "log of a softmax that is 0",
                 forward=lambda self, x: np.log(special.softmax(x, axis=1)) if x.size else x.copy()),
    _log_softmax("softmax", "wrong-operation", FORWARD, "y is softmax(x)",
                 forward=lambda self, x: np.exp(LogSoftmax.forward(self, x))),
    _log_softmax("over_the_batch", "axes-swapped", FORWARD, "y is normalized over the batch",
                 forward=lambda self, x: x - np.logaddexp.reduce(x, axis=0)),
    _log_softmax("sum_forgotten", "term-missing", DIFFERENCES, "dLdx is dLdy - softmax(x)",
                 gradient=lambda self, y, u: u - np.exp(y)),
    _log_softmax("softmax_times_upstream", "wrong-formula", DIFFERENCES, "dLdx is dLdy (1 - softmax(x))",
                 gradient=lambda self, y, u: u * (1 - np.exp(y))),
    _log_softmax("y_for_softmax", "wrong-formula", DIFFERENCES, "y stands where exp(y) belongs",
                 gradient=lambda self, y, u: u - y * u.sum(axis=1, keepdims=True)),
    _log_softmax("sum_over_the_batch", "axes-swapped", DIFFERENCES, "dLdy is summed over the batch",
                 gradient=lambda self, y, u: u - np.exp(y) * u.sum(axis=0)),
)  # fmt: skip


def squared_error_sum(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec with the sum."""
    return squared_error(implementation, "sum")


def squared_error_none(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec without reduction."""
    return squared_error(implementation, "none")


def _reducing(base: type, reduction: str) -> type:
    return change(base, f"{base.__name__}_{reduction}", reduction=reduction)


SUM, NONE = _reducing(Squared, "sum"), _reducing(Squared, "none")
SECTIONS = (
    Section(squared_error, (Squared, ByProduct), _bugs(Squared, *SQUARED_MEAN)),
    Section(squared_error_sum, (SUM, _reducing(ByProduct, "sum")), _bugs(SUM, *SQUARED)),
    Section(squared_error_none, (NONE, _reducing(ByProduct, "none")), _bugs(NONE, *SQUARED)),
    Section(absolute_error, (Absolute, ByChoice), _bugs(Absolute, *ABSOLUTE, exact=True)),
    Section(hinge, (Hinge, HingeByMask), _bugs(Hinge, *HINGE)),
    Section(
        binary_cross_entropy,
        (CrossEntropy, CrossEntropyCut),
        tuple(
            replace(bug, caught_by="y_has_the_digits_of_float64") if bug.name == "float32_forward" else bug
            for bug in _bugs(CrossEntropy, *CROSS_ENTROPY)
        ),
    ),
    Section(binary_cross_entropy_with_logits, (WithLogits, WithLogitsBySign), _bugs(WithLogits, *LOGITS)),
    Section(negative_log_likelihood, (Likelihood, LikelihoodByOneHot), _bugs(Likelihood, *LIKELIHOOD, exact=True)),
    Section(log_softmax, (LogSoftmax, LogSoftmaxByPairs), LOG_SOFTMAX_BUGS),
)
