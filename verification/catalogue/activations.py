"""Activations: a correct layer of each, variants, planted bugs."""

import math
from typing import Any

import numpy as np
from scipy import special

from verification.case import Array
from verification.catalogue.any_layer import DIFFERENCES, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section, change
from verification.specs.activations import (
    elu,
    gelu,
    hard_sigmoid,
    hard_tanh,
    leaky_relu,
    mish,
    relu,
    selu,
    sigmoid,
    softplus,
    softsign,
    swish,
    tanh,
)

KINK = "gradient_at_a_kink_lies_between_the_one_sided_derivatives"
EXTREMES = "extremes_come_out_right"


class Activation:
    """A layer that acts on every entry alone, by `value` and `derivative`."""

    def value(self, x: Array) -> Array:
        """Return y."""
        raise NotImplementedError

    def derivative(self, x: Array) -> Array:
        """Return dy/dx, entry by entry."""
        raise NotImplementedError

    def forward(self, x: Array) -> Array:
        """x (n, ...) -> y of the same shape."""
        return np.asarray(self.value(x))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        if dLdy.shape != x.shape:
            raise ValueError(f"dLdy should have the shape of x, {x.shape}, but its shape is {dLdy.shape}")
        return np.asarray(dLdy * self.derivative(x))


class Relu(Activation):
    """A correct ReLU: maximum, with the gradient 0 at 0."""

    def value(self, x: Array) -> Array:
        """Cut off."""
        return np.maximum(x, 0)

    def derivative(self, x: Array) -> Array:
        """1 or 0."""
        return x > 0


class ReluMasked(Relu):
    """A correct ReLU: a product with a mask, with the gradient 1 at 0."""

    def value(self, x: Array) -> Array:
        """Multiply by the mask."""
        return x * (x >= 0)

    def derivative(self, x: Array) -> Array:
        """Return the mask."""
        return x >= 0


class ReluOfHalves(Relu):
    """A correct ReLU: (x + |x|) / 2, with the gradient 1/2 at 0; Fortran-ordered results."""

    def value(self, x: Array) -> Array:
        """Half of the sum, halved before it is added so that nothing overflows."""
        half = x / np.asarray(2, np.result_type(x, np.float32))
        return np.asfortranarray(half + abs(half))

    def derivative(self, x: Array) -> Array:
        """0, 1/2 or 1."""
        return np.heaviside(x, 0.5).astype(np.result_type(x, np.float32))


class Leaky(Activation):
    """A correct leaky ReLU: a choice between x and slope * x."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def value(self, x: Array) -> Array:
        """Choose."""
        return np.where(x > 0, x, self.slope * x)

    def derivative(self, x: Array) -> Array:
        """1 or slope."""
        return np.where(x > 0, 1.0, self.slope)


class LeakyMaximum(Leaky):
    """A correct leaky ReLU: the maximum of x and slope * x, for slopes below 1; a constructor with another name."""

    def __init__(self, negative_slope: float) -> None:
        self.slope = negative_slope

    def value(self, x: Array) -> Array:
        """Take the larger."""
        return np.maximum(x, x * self.slope)

    def derivative(self, x: Array) -> Array:
        """Write the slope where x is negative."""
        result = np.ones(x.shape)
        result[x < 0] = self.slope
        return result


class Elu(Activation):
    """A correct ELU: expm1 of the negative part."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def value(self, x: Array) -> Array:
        """Choose."""
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def derivative(self, x: Array) -> Array:
        """1 or alpha exp(x)."""
        return np.where(x > 0, 1.0, self.alpha * np.exp(np.minimum(x, 0)))


class EluByEntries(Elu):
    """A correct ELU: entry by entry with math.expm1, and the gradient from y."""

    def value(self, x: Array) -> Array:
        """Loop."""
        y = np.array(x, float)
        for index in np.ndindex(x.shape):
            y[index] = x[index] if x[index] >= 0 else self.alpha * math.expm1(x[index])
        return y

    def derivative(self, x: Array) -> Array:
        """1 or y + alpha."""
        return np.where(x >= 0, 1.0, self.value(x) + self.alpha)


class Sigmoid(Activation):
    """A correct sigmoid: scipy.special.expit."""

    def value(self, x: Array) -> Array:
        """Ask SciPy."""
        return np.asarray(special.expit(x))

    def derivative(self, x: Array) -> Array:
        """y (1 - y)."""
        y = self.value(x)
        return np.asarray(y * (1 - y))


class SigmoidBySign(Sigmoid):
    """A correct sigmoid: one formula for each sign, so that exp never overflows."""

    def value(self, x: Array) -> Array:
        """exp(-|x|) is at most 1."""
        small = np.exp(-abs(x))
        return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


class SigmoidByTanh(Sigmoid):
    """A correct sigmoid: (1 + tanh(x/2)) / 2, with 1 / (2 + exp(x) + exp(-x)) for its derivative."""

    def value(self, x: Array) -> Array:
        """Scale and shift."""
        return np.asarray(0.5 + 0.5 * np.tanh(x / 2))

    def derivative(self, x: Array) -> Array:
        """exp overflows to infinity, whose inverse is right."""
        return 1 / (2 + np.exp(x) + np.exp(-x))


class Tanh(Activation):
    """A correct tanh: numpy.tanh."""

    def value(self, x: Array) -> Array:
        """Ask NumPy."""
        return np.tanh(x)

    def derivative(self, x: Array) -> Array:
        """1 - y^2."""
        return 1 - self.value(x) ** 2


class TanhByExpm1(Tanh):
    """A correct tanh: by exp(-2|x|), which never overflows; 1 / cosh^2 for its derivative."""

    def value(self, x: Array) -> Array:
        """Give the sign back."""
        e = np.expm1(-2 * abs(x))
        return np.asarray(-np.sign(x) * e / (2 + e))

    def derivative(self, x: Array) -> Array:
        """cosh overflows to infinity, whose inverse is right."""
        return np.cosh(x) ** -2.0


class Softplus(Activation):
    """A correct softplus: max(x, 0) + log1p(exp(-|x|))."""

    def value(self, x: Array) -> Array:
        """exp(-|x|) is at most 1."""
        return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-abs(x))))

    def derivative(self, x: Array) -> Array:
        """Return the sigmoid."""
        return np.asarray(special.expit(x))


class SoftplusByLogaddexp(Softplus):
    """A correct softplus: logaddexp, and 1 - exp(-y) for the derivative."""

    def value(self, x: Array) -> Array:
        """log(exp(0) + exp(x))."""
        return np.logaddexp(0, x)

    def derivative(self, x: Array) -> Array:
        """Return the part of the sum that is exp(x)."""
        return -np.expm1(-self.value(x))


class Gelu(Activation):
    """A correct GELU: erf, or tanh."""

    cubic, factor = 0.044715, math.sqrt(2 / math.pi)

    def __init__(self, approximate: str) -> None:
        self.approximate = approximate

    def value(self, x: Array) -> Array:
        """x Phi(x)."""
        return x * self.phi(x)

    def phi(self, x: Array) -> Array:
        """Return Phi or its approximation."""
        if self.approximate == "none":
            return np.asarray(0.5 * (1 + special.erf(x / math.sqrt(2))))
        return 0.5 * (1 + np.tanh(self.factor * (x + self.cubic * x**3)))

    def density(self, x: Array) -> Array:
        """Return the derivative of phi."""
        if self.approximate == "none":
            return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        t = np.tanh(self.factor * (x + self.cubic * x**3))
        return np.asarray(0.5 * (1 - t**2) * self.factor * (1 + 3 * self.cubic * x**2))

    def derivative(self, x: Array) -> Array:
        """Phi(x) + x Phi'(x)."""
        return np.asarray(self.phi(x) + x * self.density(x))


class GeluByTails(Gelu):
    """A correct GELU: erfc, or a sigmoid in place of tanh."""

    def phi(self, x: Array) -> Array:
        """Nothing cancels in the tail."""
        if self.approximate == "none":
            return np.asarray(special.erfc(-x / math.sqrt(2)) / 2)
        return np.asarray(special.expit(2 * self.factor * (x + self.cubic * x**3)))


class Selu(Activation):
    """A correct SELU: expm1 of the negative part."""

    scale, alpha = 1.0507009873554805, 1.6732632423543772

    def value(self, x: Array) -> Array:
        """Choose."""
        return np.asarray(self.scale * np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0))))

    def derivative(self, x: Array) -> Array:
        """Choose."""
        return np.asarray(self.scale * np.where(x > 0, 1.0, self.alpha * np.exp(np.minimum(x, 0))))


class SeluByEntries(Selu):
    """A correct SELU: an entry at a time; backprop from y."""

    def value(self, x: Array) -> Array:
        """Ask math."""
        y = [self.scale * (v if v > 0 else self.alpha * math.expm1(v)) for v in x.ravel().tolist()]
        return np.array(y, float).reshape(x.shape)

    def derivative(self, x: Array) -> Array:
        """scale, or y + scale alpha."""
        return np.asarray(np.where(x > 0, self.scale, np.minimum(self.value(x), 0) + self.scale * self.alpha))


class Swish(Activation):
    """A correct swish: x times the sigmoid."""

    def value(self, x: Array) -> Array:
        """Multiply."""
        return np.asarray(x * special.expit(x))

    def derivative(self, x: Array) -> Array:
        """s + x s (1 - s)."""
        s = special.expit(x)
        return np.asarray(s + x * s * special.expit(-x))


class SwishByTanh(Swish):
    """A correct swish: the sigmoid by tanh, and y + s (1 - y) for the derivative."""

    def value(self, x: Array) -> Array:
        """x/2 + x/2 tanh(x/2)."""
        return np.asarray(x / 2 + x / 2 * np.tanh(x / 2))

    def derivative(self, x: Array) -> Array:
        """y + s (1 - y)."""
        y = self.value(x)
        return np.asarray(y + (1 + np.tanh(x / 2)) / 2 * (1 - y))


class Softsign(Activation):
    """A correct softsign: a quotient."""

    def value(self, x: Array) -> Array:
        """Divide."""
        return np.asarray(x / (1 + abs(x)))

    def derivative(self, x: Array) -> Array:
        """Divide by the square."""
        return np.asarray((1 + abs(x)) ** -2.0)


class SoftsignByY(Softsign):
    """A correct softsign: a quotient for each sign; backprop from y."""

    def value(self, x: Array) -> Array:
        """Choose the formula by the sign."""
        return np.asarray(np.where(x < 0, x / (1 - np.minimum(x, 0)), x / (1 + np.maximum(x, 0))))

    def derivative(self, x: Array) -> Array:
        """(1 - |y|)^2."""
        return np.asarray((1 - abs(self.value(x))) ** 2)


class Mish(Activation):
    """A correct mish: tanh of softplus."""

    def gate(self, x: Array) -> Array:
        """tanh(softplus(x))."""
        return np.asarray(np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))))

    def value(self, x: Array) -> Array:
        """Multiply."""
        return np.asarray(x * self.gate(x))

    def derivative(self, x: Array) -> Array:
        """t + x (1 - t^2) sigmoid(x)."""
        t = self.gate(x)
        return np.asarray(t + x * (1 - t**2) * special.expit(x))


class MishByRatio(Mish):
    """A correct mish: tanh(softplus(x)) = (e^2 + 2 e) / (e^2 + 2 e + 2), e = exp(x), or 1 where x is large."""

    def gate(self, x: Array) -> Array:
        """Divide."""
        e = np.exp(np.minimum(x, 40))
        return np.asarray(e * (e + 2) / (e * (e + 2) + 2))


class HardTanh(Activation):
    """A correct hard tanh: clip, with the gradient 0 at the kinks."""

    def value(self, x: Array) -> Array:
        """Cut off."""
        return np.clip(x, -1.0, 1.0)

    def derivative(self, x: Array) -> Array:
        """1 or 0."""
        return abs(x) < 1


class HardTanhOfHalves(HardTanh):
    """A correct hard tanh: a choice for each side, with the gradient 1/2 at the kinks."""

    def value(self, x: Array) -> Array:
        """Choose."""
        return np.where(x > 1, 1.0, np.where(x < -1, -1.0, x))

    def derivative(self, x: Array) -> Array:
        """1, 1/2 or 0."""
        return np.asarray(np.heaviside(1 - abs(x), 0.5))


class HardSigmoid(Activation):
    """A correct hard sigmoid: relu6(x + 3) / 6, with the gradient 0 at the kinks."""

    def value(self, x: Array) -> Array:
        """Cut off."""
        return np.asarray(np.clip(x + 3, 0, 6) / 6)

    def derivative(self, x: Array) -> Array:
        """1/6 or 0."""
        return np.asarray((abs(x) < 3) / 6)


class HardSigmoidByMedian(HardSigmoid):
    """A correct hard sigmoid: the median of 0, x/6 + 1/2 and 1, with the gradient 1/6 at the kinks."""

    def value(self, x: Array) -> Array:
        """Sort the three."""
        return np.median([np.zeros(x.shape), x / 6 + 0.5, np.ones(x.shape)], axis=0) if x.size else 1.0 * x

    def derivative(self, x: Array) -> Array:
        """1/6 or 0."""
        return np.where(abs(x) <= 3, 1 / 6, 0.0)


def _sections_bugs(base: type, *, exact: bool = False) -> tuple[Bug, ...]:
    """Return the bugs that every activation may have."""
    own: Any = base
    first = np.s_[..., :1]

    def first_kept(self: Any, x: Array) -> Array:
        y = own.forward(self, x).astype(float)
        y[first] = x[first]
        return np.asarray(y)

    return (
        *everywhere(base, exact=exact),
        row(base, "first_entry_passed_on", "border-missing", "entries_are_independent",
            "the first entry of each row is passed on as it is", forward=first_kept),
        row(base, "derivative_alone", "upstream-ignored", DIFFERENCES, "dLdx is the derivative, without dLdy",
            backprop=lambda self, x, u: np.asarray(1.0 * self.derivative(x))),
        row(base, "derivative_negated", "sign", DIFFERENCES, "dLdx is negated",
            derivative=lambda self, x: -1.0 * own.derivative(self, x)),
        *(() if exact else (
            row(base, "derivative_of_y", "wrong-formula", DIFFERENCES, "the derivative is taken at y, not at x",
                derivative=lambda self, x: own.derivative(self, own.value(self, x))),
        )),
        row(base, "integrated", "wrong-operation", FORWARD, "forward returns the derivative",
            forward=lambda self, x: np.asarray(1.0 * own.derivative(self, x))),
    )  # fmt: skip


def _rows(base: type, *bugs: tuple[str, str, str, str, dict[str, Any]]) -> tuple[Bug, ...]:
    return tuple(Bug(name, family, caught, text, change(base, name, **new)) for name, family, caught, text, new in bugs)


def _of(method: str, form: Any) -> dict[str, Any]:
    """Return the method by this form of self and x."""
    return {method: lambda self, x: form(self, x)}


_exp = np.exp


def _eight(base: Any) -> tuple[str, str, str, str, dict[str, Any]]:
    return (
        "three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "dLdx of images after the third is lost",
        {"backprop": lambda self, x, u: base.backprop(self, x, u) * (np.arange(len(u)) < 3).reshape(
            -1, *[1] * (u.ndim - 1))},
    )  # fmt: skip


RELU_BUGS = (
    *_sections_bugs(Relu, exact=True),
    *_rows(
        Relu,
        _eight(Relu),
        ("upstream_cut_off", "wrong-operation", DIFFERENCES, "dLdy is cut off at 0 in place of x",
         {"backprop": lambda self, x, u: np.maximum(u, 0)}),
        ("times_x", "wrong-formula", DIFFERENCES, "dLdx is multiplied by max(x, 0)",
         _of("derivative", lambda self, x: np.maximum(x, 0))),
        ("not_cut_off", "wrong-operation", DIFFERENCES, "dLdx is dLdy",
         _of("derivative", lambda self, x: np.ones(x.shape))),
        ("two_at_zero", "full-gradient-to-ties", KINK, "the gradient at 0 is 2",
         _of("derivative", lambda self, x: 1.0 * (x >= 0) + (x == 0))),
        ("absolute", "wrong-operation", FORWARD, "y is |x|", _of("value", lambda self, x: abs(x))),
        ("capped", "wrong-formula", FORWARD, "y is cut off at 6 too", _of("value", lambda self, x: np.clip(x, 0, 6))),
        ("shifted", "shifted", "is_positively_homogeneous", "y is 0 up to x = 20",
         _of("value", lambda self, x: np.where(x > 20, x, 0))),
        ("small_x_dropped", "wrong-formula", DIFFERENCES, "entries below 1e-8 count as 0",
         _of("derivative", lambda self, x: x > 1e-8)),
    ),
)  # fmt: skip

LEAKY_BUGS = (
    *_sections_bugs(Leaky, exact=True),
    *_rows(
        Leaky,
        _eight(Leaky),
        ("slope_of_a_hundredth", "wrong-formula", FORWARD, "the slope is 0.01, whatever was asked for",
         _of("value", lambda self, x: np.where(x > 0, x, 0.01 * x))),
        ("not_leaky", "wrong-operation", FORWARD, "y is max(x, 0)", _of("value", lambda self, x: np.maximum(x, 0))),
        ("minimum", "wrong-operation", FORWARD, "y is min(x, slope x)",
         _of("value", lambda self, x: np.minimum(x, self.slope * x))),
        ("cut_at_twenty", "shifted", "is_positively_homogeneous", "x up to 20 counts as negative",
         _of("value", lambda self, x: np.where(x > 20, x, self.slope * x))),
        ("gradient_not_leaky", "wrong-operation", DIFFERENCES, "dLdx is zero where x is negative",
         _of("derivative", lambda self, x: 1.0 * (x > 0))),
        ("slope_the_wrong_way_round", "wrong-operation", DIFFERENCES, "dLdx has the slope where x is positive",
         _of("derivative", lambda self, x: np.where(x > 0, self.slope, 1.0))),
        ("slope_without_upstream", "upstream-ignored", DIFFERENCES, "dLdx is the slope alone where x is negative",
         {"backprop": lambda self, x, u: np.where(x > 0, u, self.slope)}),
        ("sign_of_the_upstream", "wrong-formula", DIFFERENCES, "the sign of dLdy is taken for that of x",
         {"backprop": lambda self, x, u: u * np.where(u > 0, 1.0, self.slope)}),
        ("sum_at_zero", "full-gradient-to-ties", KINK, "the gradient at 0 is 1 + slope",
         _of("derivative", lambda self, x: 1.0 * (x >= 0) + self.slope * (x <= 0))),
        ("nothing_at_zero", "no-gradient-to-ties", KINK, "the gradient at 0 is 0",
         _of("derivative", lambda self, x: 1.0 * (x > 0) + self.slope * (x < 0))),
    ),
)  # fmt: skip

ELU_BUGS = (
    *_sections_bugs(Elu),
    *_rows(
        Elu,
        ("alpha_forgotten", "term-missing", FORWARD, "y leaves out alpha",
         _of("value", lambda self, x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))))),
        ("one_outside", "wrong-formula", FORWARD, "y is alpha exp(x) - 1",
         _of("value", lambda self, x: np.where(x > 0, x, self.alpha * _exp(np.minimum(x, 0)) - 1))),
        ("gradient_without_alpha", "term-missing", DIFFERENCES, "dLdx leaves out alpha",
         _of("derivative", lambda self, x: np.where(x > 0, 1.0, _exp(np.minimum(x, 0))))),
        ("gradient_is_y", "term-missing", DIFFERENCES, "dLdx is y where x is negative, not y + alpha",
         _of("derivative", lambda self, x: np.where(x > 0, 1.0, self.value(x)))),
        ("gradient_plus_one", "wrong-formula", DIFFERENCES, "dLdx is y + 1 where x is negative, not y + alpha",
         _of("derivative", lambda self, x: np.where(x > 0, 1.0, self.value(x) + 1))),
        ("sum_at_zero", "full-gradient-to-ties", KINK, "the gradient at 0 is 1 + alpha",
         _of("derivative", lambda self, x: 1.0 * (x >= 0) + self.alpha * (x <= 0) * _exp(np.minimum(x, 0)))),
        ("mask_by_product", "overflow", EXTREMES, "y is x (x > 0) + alpha (exp(x) - 1) (x <= 0): infinity times 0",
         _of("value", lambda self, x: x * (x > 0) + self.alpha * (_exp(x) - 1) * (x <= 0))),
    ),
)  # fmt: skip

SIGMOID_BUGS = (
    *_sections_bugs(Sigmoid),
    *_rows(
        Sigmoid,
        ("exp_over_exp", "overflow", EXTREMES, "y is exp(x) / (1 + exp(x))",
         _of("value", lambda self, x: _exp(x) / (1 + _exp(x)))),
        ("gradient_exp_over_square", "overflow", EXTREMES, "dLdx is exp(-x) / (1 + exp(-x))^2",
         _of("derivative", lambda self, x: _exp(-x) / (1 + _exp(-x)) ** 2)),
        ("clipped", "wrong-formula", EXTREMES, "x is clipped to -15 ... 15",
         _of("value", lambda self, x: special.expit(np.clip(x, -15, 15)))),
        ("gradient_of_x", "wrong-formula", DIFFERENCES, "dLdx is x (1 - x)",
         _of("derivative", lambda self, x: x * (1 - x))),
        ("gradient_is_y", "term-missing", DIFFERENCES, "dLdx leaves out 1 - y",
         _of("derivative", lambda self, x: self.value(x))),
        ("of_minus_x", "sign", FORWARD, "y is sigmoid(-x)", _of("value", lambda self, x: special.expit(-x))),
        ("piecewise", "wrong-formula", FORWARD, "y is the hard sigmoid",
         _of("value", lambda self, x: np.clip(0.2 * x + 0.5, 0, 1))),
    ),
)  # fmt: skip

TANH_BUGS = (
    *_sections_bugs(Tanh),
    *_rows(
        Tanh,
        ("exp_over_exp", "overflow", EXTREMES, "y is (exp(x) - exp(-x)) / (exp(x) + exp(-x))",
         _of("value", lambda self, x: (_exp(x) - _exp(-x)) / (_exp(x) + _exp(-x)))),
        ("sech_by_exp", "overflow", EXTREMES, "dLdx is 4 exp(2x) / (1 + exp(2x))^2",
         _of("derivative", lambda self, x: 4 * _exp(2 * x) / (1 + _exp(2 * x)) ** 2)),
        ("half_exponent", "wrong-formula", FORWARD, "the exponent is x, not 2x",
         _of("value", lambda self, x: np.tanh(x / 2))),
        ("square_forgotten", "wrong-formula", DIFFERENCES, "dLdx is 1 - y",
         _of("derivative", lambda self, x: 1 - np.tanh(x))),
        ("gradient_of_x", "wrong-formula", DIFFERENCES, "dLdx is 1 - x^2", _of("derivative", lambda self, x: 1 - x**2)),
        ("as_for_sigmoid", "wrong-formula", DIFFERENCES, "dLdx is y (1 - y)",
         _of("derivative", lambda self, x: np.tanh(x) * (1 - np.tanh(x)))),
    ),
)  # fmt: skip

SOFTPLUS_BUGS = (
    *_sections_bugs(Softplus),
    *_rows(
        Softplus,
        ("log_of_exp", "overflow", EXTREMES, "y is log(1 + exp(x))", _of("value", lambda self, x: np.log(1 + _exp(x)))),
        ("log1p_of_exp", "overflow", EXTREMES, "y is log1p(exp(x))", _of("value", lambda self, x: np.log1p(_exp(x)))),
        ("gradient_exp_over_exp", "overflow", EXTREMES, "dLdx is exp(x) / (1 + exp(x))",
         _of("derivative", lambda self, x: _exp(x) / (1 + _exp(x)))),
        ("small_part_left_out", "term-missing", FORWARD, "y is max(x, 0)",
         _of("value", lambda self, x: np.maximum(x, 0.0))),
        ("gradient_of_sigmoid", "wrong-formula", DIFFERENCES, "dLdx is the derivative of the sigmoid",
         _of("derivative", lambda self, x: special.expit(x) * special.expit(-x))),
        ("gradient_of_minus_x", "sign", DIFFERENCES, "dLdx is sigmoid(-x)",
         _of("derivative", lambda self, x: special.expit(-x))),
    ),
)  # fmt: skip

GELU_BUGS = (
    *_sections_bugs(Gelu),
    *_rows(
        Gelu,
        ("always_tanh", "wrong-formula", FORWARD, "approximate is always tanh",
         {"__init__": lambda self, approximate: Gelu.__init__(self, "tanh")}),
        ("gradient_always_erf", "wrong-formula", DIFFERENCES, "backprop takes approximate for none",
         _of("derivative", lambda self, x: Gelu("none").derivative(x))),
        ("by_sigmoid", "wrong-formula", FORWARD, "y is x sigmoid(1.702 x)",
         _of("value", lambda self, x: x * special.expit(1.702 * x))),
        ("root_of_two_forgotten", "wrong-formula", FORWARD, "Phi is (1 + erf(x)) / 2",
         _of("phi", lambda self, x: (1 + special.erf(x)) / 2)),
        ("root_forgotten", "wrong-formula", FORWARD, "2 / pi where its root belongs", {"factor": 2 / math.pi}),
        ("cubic_forgotten", "term-missing", FORWARD, "the cubic term is left out", {"cubic": 0.0}),
        ("gradient_is_phi", "term-missing", DIFFERENCES, "dLdx leaves out x Phi'(x)",
         _of("derivative", lambda self, x: self.phi(x))),
        ("gradient_is_density", "term-missing", DIFFERENCES, "dLdx leaves out Phi(x)",
         _of("derivative", lambda self, x: x * self.density(x))),
        ("by_exp", "overflow", EXTREMES, "Phi is exp(2z) / (1 + exp(2z))",
         _of("phi", lambda self, x: Gelu.phi(self, x) if self.approximate == "none" else
             (e := _exp(2 * self.factor * (x + self.cubic * x**3))) / (1 + e))),
    ),
)  # fmt: skip

SELU_BUGS = (
    *_sections_bugs(Selu),
    *_rows(
        Selu,
        ("scale_forgotten", "term-missing", FORWARD, "y leaves out the scale",
         _of("value", lambda self, x: Selu.value(self, x) / self.scale)),
        ("scale_of_the_negative", "wrong-formula", FORWARD, "y has the scale where x is negative only",
         _of("value", lambda self, x: np.where(x > 0, x, Selu.value(self, x)))),
        ("gradient_without_scale", "term-missing", DIFFERENCES, "dLdx leaves out the scale",
         _of("derivative", lambda self, x: Selu.derivative(self, x) / self.scale)),
        ("gradient_is_y", "term-missing", DIFFERENCES, "dLdx is y where x is negative",
         _of("derivative", lambda self, x: np.where(x > 0, self.scale, self.value(x)))),
        ("sum_at_zero", "full-gradient-to-ties", KINK, "the gradient at 0 is the sum of both sides'",
         _of("derivative", lambda self, x: Selu.derivative(self, x) + (x == 0) * self.scale)),
        ("mask_by_product", "overflow", EXTREMES, "y is x (x > 0) + alpha (exp(x) - 1) (x <= 0): infinity times 0",
         _of("value", lambda self, x: self.scale * (x * (x > 0) + self.alpha * (_exp(x) - 1) * (x <= 0)))),
    ),
)  # fmt: skip

SWISH_BUGS = (
    *_sections_bugs(Swish),
    *_rows(
        Swish,
        ("gradient_is_sigmoid", "term-missing", DIFFERENCES, "dLdx is sigmoid(x)",
         _of("derivative", lambda self, x: special.expit(x))),
        ("gradient_without_sigmoid", "term-missing", DIFFERENCES, "dLdx is x s (1 - s)",
         _of("derivative", lambda self, x: x * special.expit(x) * special.expit(-x))),
        ("gradient_y_plus_sigmoid", "wrong-formula", DIFFERENCES, "dLdx is y + s, not y + s (1 - y)",
         _of("derivative", lambda self, x: self.value(x) + special.expit(x))),
        ("x_forgotten", "term-missing", FORWARD, "y is sigmoid(x)", _of("value", lambda self, x: special.expit(x))),
        ("as_for_gelu", "wrong-formula", FORWARD, "y is x sigmoid(1.702 x)",
         _of("value", lambda self, x: x * special.expit(1.702 * x))),
        ("exp_over_exp", "overflow", EXTREMES, "the sigmoid is exp(x) / (1 + exp(x))",
         _of("value", lambda self, x: x * _exp(x) / (1 + _exp(x)))),
    ),
)  # fmt: skip

SOFTSIGN_BUGS = (
    *_sections_bugs(Softsign),
    *_rows(
        Softsign,
        ("absolute_forgotten", "wrong-formula", FORWARD, "y is x / (1 + x)",
         _of("value", lambda self, x: x / (1 + x))),
        ("square_forgotten", "wrong-formula", DIFFERENCES, "dLdx is 1 / (1 + |x|)",
         _of("derivative", lambda self, x: 1 / (1 + abs(x)))),
        ("square_of_x", "wrong-formula", DIFFERENCES, "dLdx is 1 / (1 + x^2)",
         _of("derivative", lambda self, x: 1 / (1 + x**2))),
        ("sign_of_x", "sign", DIFFERENCES, "dLdx has the sign of x",
         _of("derivative", lambda self, x: np.sign(x) / (1 + abs(x)) ** 2)),
        ("nothing_at_zero", "no-gradient-to-ties", KINK, "the gradient at 0 is 0",
         _of("derivative", lambda self, x: (x != 0) / (1 + abs(x)) ** 2)),
        ("by_squares", "overflow", EXTREMES, "y is x (exp(|x|) / (exp(|x|) (1 + |x|)))",
         _of("value", lambda self, x: x * (_exp(abs(x)) / (_exp(abs(x)) * (1 + abs(x)))))),
    ),
)  # fmt: skip

MISH_BUGS = (
    *_sections_bugs(Mish),
    *_rows(
        Mish,
        ("tanh_forgotten", "wrong-formula", FORWARD, "y is x softplus(x)",
         _of("value", lambda self, x: x * np.logaddexp(0, x))),
        ("gradient_is_gate", "term-missing", DIFFERENCES, "dLdx is tanh(softplus(x))",
         _of("derivative", lambda self, x: self.gate(x))),
        ("gradient_without_sigmoid", "term-missing", DIFFERENCES, "the derivative of softplus is left out",
         _of("derivative", lambda self, x: self.gate(x) + x * (1 - self.gate(x) ** 2))),
        ("gradient_without_square", "wrong-formula", DIFFERENCES, "1 - t where 1 - t^2 belongs",
         _of("derivative", lambda self, x: self.gate(x) + x * special.expit(x) * (1 - self.gate(x)))),
        ("log_of_exp", "overflow", EXTREMES, "softplus is log(1 + exp(x)), and tanh is by exp of it",
         _of("gate", lambda self, x: (_exp(2 * np.log(1 + _exp(x))) - 1) / (_exp(2 * np.log(1 + _exp(x))) + 1))),
    ),
)  # fmt: skip

HARD_TANH_BUGS = (
    # The derivative is the same at y as at x; and x is exact in float32, but for the limits.
    *(bug for bug in _sections_bugs(HardTanh) if bug.name not in ("derivative_of_y", "float32_forward")),
    *_rows(
        HardTanh,
        ("float32_forward", "float32-inside", EXTREMES, "forward computes in float32",
         {"forward": lambda self, x: HardTanh.forward(self, x.astype(np.float32)).astype(float)}),
        ("cut_at_zero", "wrong-formula", FORWARD, "y is cut off at 0 and 1",
         _of("value", lambda self, x: np.clip(x, 0, 1))),
        ("one_side", "border-missing", FORWARD, "y is not cut off at -1", _of("value", lambda self, x: np.minimum(x, 1))),
        ("gradient_not_cut", "wrong-operation", DIFFERENCES, "dLdx is dLdy",
         _of("derivative", lambda self, x: np.ones(x.shape))),
        ("gradient_of_one_side", "wrong-operation", DIFFERENCES, "dLdx is cut off only above",
         _of("derivative", lambda self, x: 1.0 * (x < 1))),
        ("two_at_the_kink", "full-gradient-to-ties", KINK, "the gradient at 1 is 2",
         _of("derivative", lambda self, x: 1.0 * (abs(x) <= 1) + (x == 1))),
    ),
)  # fmt: skip

HARD_SIGMOID_BUGS = (
    *(bug for bug in _sections_bugs(HardSigmoid) if bug.name != "derivative_of_y"),  # the same as gradient_not_cut
    *_rows(
        HardSigmoid,
        ("slope_of_a_fifth", "wrong-formula", FORWARD, "the slope is 0.2, as in older definitions",
         _of("value", lambda self, x: np.clip(0.2 * x + 0.5, 0, 1))),
        ("gradient_without_slope", "term-missing", DIFFERENCES, "dLdx leaves out the slope",
         _of("derivative", lambda self, x: abs(x) < 3)),
        ("gradient_not_cut", "wrong-operation", DIFFERENCES, "dLdx is dLdy / 6 everywhere",
         _of("derivative", lambda self, x: np.full(x.shape, 1 / 6))),
        ("sigmoids_gradient", "wrong-formula", DIFFERENCES, "dLdx is y (1 - y)",
         _of("derivative", lambda self, x: self.value(x) * (1 - self.value(x)))),
        ("two_at_the_kink", "full-gradient-to-ties", KINK, "the gradient at -3 is 1/3",
         _of("derivative", lambda self, x: (abs(x) <= 3) / 6 + (x == -3) / 6)),
    ),
)  # fmt: skip

SECTIONS = (
    Section(relu, (Relu, ReluMasked, ReluOfHalves), RELU_BUGS),
    Section(leaky_relu, (Leaky, LeakyMaximum), LEAKY_BUGS),
    Section(elu, (Elu, EluByEntries), ELU_BUGS),
    Section(sigmoid, (Sigmoid, SigmoidBySign, SigmoidByTanh), SIGMOID_BUGS),
    Section(tanh, (Tanh, TanhByExpm1), TANH_BUGS),
    Section(softplus, (Softplus, SoftplusByLogaddexp), SOFTPLUS_BUGS),
    Section(gelu, (Gelu, GeluByTails), GELU_BUGS),
    Section(selu, (Selu, SeluByEntries), SELU_BUGS),
    Section(swish, (Swish, SwishByTanh), SWISH_BUGS),
    Section(softsign, (Softsign, SoftsignByY), SOFTSIGN_BUGS),
    Section(mish, (Mish, MishByRatio), MISH_BUGS),
    Section(hard_tanh, (HardTanh, HardTanhOfHalves), HARD_TANH_BUGS),
    Section(hard_sigmoid, (HardSigmoid, HardSigmoidByMedian), HARD_SIGMOID_BUGS),
)
