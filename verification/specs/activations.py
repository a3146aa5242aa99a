"""Activations, which act on every entry of x alone: x (n, ...) of rank 1 to 4 -> y of the same shape."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special

from verification.case import Array
from verification.spec import LayerSpec, SpecError
from verification.specs.elementwise import RTOL, Table, elementwise


def relu(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of max(x, 0). implementation() makes the layer. At 0 any gradient from 0 to 1 is right."""
    return elementwise(
        implementation, lambda x: np.maximum.reduce([x, 0 * x]), lambda x: np.heaviside(x, 0.0),
        name="relu", linear=True,
        **only,
        mistakes=(
            ("wrong-operation", "dLdx", "has dLdy cut off at 0 in place of x", lambda u, x: np.maximum(u, 0)),
            ("wrong-formula", "dLdx", "is multiplied by x, not by 1, where x is positive",
             lambda u, x: u * np.maximum(x, 0)),
            ("wrong-operation", "dLdx", "is not cut off where x is negative", lambda u, x: u),
            ("wrong-operation", "dLdx", "is zero where x is positive, not where it is negative",
             lambda u, x: u * (x < 0)),
            ("wrong-operation", "y", "is |x|", lambda u, x: abs(x)),
            ("wrong-operation", "y", "is min(x, 0)", lambda u, x: np.minimum(x, 0)),
            ("wrong-formula", "y", "is cut off at 6 too", lambda u, x: np.clip(x, 0, 6)),
            ("wrong-operation", "y", "is 1, not x, where x is positive", lambda u, x: np.heaviside(x, 0.0)),
        ),
    )  # fmt: skip


def leaky_relu(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x where x > 0, slope * x elsewhere.

    implementation(slope) makes the layer: the class itself or a function. slope is 1/2 or 1/4: exact.
    Keywords restrict what is tried (`verification.choices`): slope, rank and batch. A slope such as 0.01 is that of
    a smooth layer with a kink: not exact, but good to rtol.
    """
    given = only.get("slope", 0.5)
    exact = all(value in (0.25, 0.5) for value in (given if isinstance(given, list) else [given]))
    return elementwise(
        implementation,
        lambda x, slope: np.maximum(x, 0) + slope * np.minimum(x, 0),
        lambda x, slope: slope + (1 - slope) * np.heaviside(x, 0.0),
        name="leaky_relu", linear=exact, kinks=(0.0,), settings={"slope": (0.25, 0.5)},
        **only,
        mistakes=(
            ("wrong-operation", "dLdx", "is zero where x is negative; it should be slope * dLdy",
             lambda u, x, slope: u * (x > 0)),
            ("wrong-operation", "dLdx", "ignores the slope", lambda u, x, slope: u),
            ("wrong-operation", "dLdx", "has the slope where x is positive, and 1 where it is negative",
             lambda u, x, slope: u * np.where(x > 0, slope, 1)),
            ("upstream-ignored", "dLdx", "is the slope alone where x is negative, without dLdy",
             lambda u, x, slope: np.where(x > 0, u, slope)),
            ("sign", "dLdx", "has the sign of the slope wrong", lambda u, x, slope: u * np.where(x > 0, 1, -slope)),
            ("wrong-formula", "dLdx", "takes the sign of dLdy for that of x",
             lambda u, x, slope: u * np.where(u > 0, 1, slope)),
            ("wrong-formula", "dLdx", "is multiplied by slope * x, not by slope, where x is negative",
             lambda u, x, slope: u * np.where(x > 0, 1, slope * x)),
            ("wrong-formula", "y", "has the slope 0.01, whatever was asked for",
             lambda u, x, slope: np.where(x > 0, x, 0.01 * x)),
            ("wrong-formula", "dLdx", "has the slope 0.01, whatever was asked for",
             lambda u, x, slope: u * np.where(x > 0, 1, 0.01)),
            ("wrong-operation", "y", "is zero where x is negative; it should be slope * x",
             lambda u, x, slope: np.maximum(x, 0)),
            ("wrong-operation", "y", "is slope * |x| where x is negative",
             lambda u, x, slope: np.maximum(x, -slope * x)),
            ("wrong-operation", "y", "has the slope where x is positive",
             lambda u, x, slope: np.minimum(x, slope * x)),
            ("wrong-operation", "y", "is the slope alone where x is negative, without x",
             lambda u, x, slope: np.where(x > 0, x, slope)),
        ),
    )  # fmt: skip


def elu(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x where x > 0, alpha (exp(x) - 1) elsewhere.

    implementation(alpha) makes the layer: the class itself or a function. Keywords restrict what is tried
    (`verification.choices`): alpha, rank and batch.
    """
    return elementwise(
        implementation,
        lambda x, alpha: np.maximum(x, 0) + alpha * special.expm1(np.minimum(x, 0)),
        lambda x, alpha: np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0))),
        name="elu", kinks=(0.0,), settings={"alpha": (0.5, 1.0, 1.5)},
        **only,
        mistakes=(
            ("term-missing", "dLdx", "leaves out alpha where x is negative",
             lambda u, x, alpha: u * np.exp(np.minimum(x, 0))),
            ("term-missing", "dLdx", "is y times dLdy where x is negative; it should be y + alpha times",
             lambda u, x, alpha: u * np.where(x > 0, 1, alpha * special.expm1(np.minimum(x, 0)))),
            ("wrong-formula", "dLdx", "is y + 1 times dLdy where x is negative; it should be y + alpha times",
             lambda u, x, alpha: u * np.where(x > 0, 1, alpha * special.expm1(np.minimum(x, 0)) + 1)),
            ("wrong-operation", "dLdx", "is zero where x is negative", lambda u, x, alpha: u * (x > 0)),
            ("wrong-operation", "dLdx", "is alpha times dLdy where x is negative: exp(x) is missing",
             lambda u, x, alpha: u * np.where(x > 0, 1, alpha)),
            ("term-missing", "y", "leaves out alpha where x is negative",
             lambda u, x, alpha: np.where(x > 0, x, special.expm1(np.minimum(x, 0)))),
            ("term-missing", "y", "is alpha exp(x) where x is negative: 1 should be taken off",
             lambda u, x, alpha: np.where(x > 0, x, alpha * np.exp(np.minimum(x, 0)))),
            ("wrong-formula", "y", "is alpha exp(x) - 1 where x is negative; alpha should multiply the 1 too",
             lambda u, x, alpha: np.where(x > 0, x, alpha * np.exp(np.minimum(x, 0)) - 1)),
        ),
    )  # fmt: skip


def sigmoid(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of 1 / (1 + exp(-x)). implementation() makes the layer: the class itself or a function.

    Keywords restrict what is tried (`verification.choices`): rank and batch.
    """
    y = _sigmoid
    return elementwise(
        implementation, y, lambda x: y(x) * y(-x), name="sigmoid",
        **only,
        mistakes=(
            ("term-missing", "dLdx", "is y times dLdy; it should be y (1 - y) times", lambda u, x: u * y(x)),
            ("term-missing", "dLdx", "is (1 - y) times dLdy; it should be y (1 - y) times", lambda u, x: u * y(-x)),
            ("wrong-formula", "dLdx", "is x (1 - x) times dLdy; it should be y (1 - y), with y = sigmoid(x)",
             lambda u, x: u * x * (1 - x)),
            ("wrong-formula", "dLdx", "is 1 - y^2 times dLdy, as for tanh", lambda u, x: u * (1 - y(x) ** 2)),
            ("sign", "y", "is sigmoid(-x)", lambda u, x: y(-x)),
            ("wrong-formula", "y", "is tanh(x)", lambda u, x: np.tanh(x)),
            ("wrong-formula", "y", "is the hard sigmoid, 0.2 x + 0.5 cut off at 0 and 1",
             lambda u, x: np.clip(0.2 * x + 0.5, 0, 1)),
        ),
    )  # fmt: skip


def tanh(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of tanh(x). implementation() makes the layer: the class itself or a function.

    Keywords restrict what is tried (`verification.choices`): rank and batch.
    """
    s = _sigmoid
    return elementwise(
        implementation, lambda x: 2 * s(2 * x) - 1, lambda x: 4 * s(2 * x) * s(-2 * x), name="tanh",
        **only,
        mistakes=(
            ("wrong-formula", "dLdx", "is 1 - y times dLdy; it should be 1 - y^2 times",
             lambda u, x: u * (1 - np.tanh(x))),
            ("wrong-formula", "dLdx", "is 1 - x^2 times dLdy; it should be 1 - y^2, with y = tanh(x)",
             lambda u, x: u * (1 - x**2)),
            ("wrong-formula", "dLdx", "is y (1 - y) times dLdy, as for the sigmoid",
             lambda u, x: u * np.tanh(x) * (1 - np.tanh(x))),
            ("term-missing", "dLdx", "is y^2 times dLdy; it should be 1 - y^2 times",
             lambda u, x: u * np.tanh(x) ** 2),
            ("wrong-formula", "y", "is tanh(x/2): the exponent should be 2x", lambda u, x: np.tanh(x / 2)),
            ("wrong-formula", "y", "is the sigmoid of x", lambda u, x: s(x)),
        ),
    )  # fmt: skip


def softplus(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of log(1 + exp(x)). implementation() makes the layer: the class itself or a function.

    Keywords restrict what is tried (`verification.choices`): rank and batch.
    """
    s = _sigmoid
    return elementwise(
        implementation, lambda x: -special.log_expit(-x), lambda x: 1 - s(-x), name="softplus",
        **only,
        mistakes=(
            ("sign", "dLdx", "is sigmoid(-x) times dLdy; it should be sigmoid(x) times", lambda u, x: u * s(-x)),
            ("wrong-formula", "dLdx", "has the derivative of the sigmoid; it should be the sigmoid itself",
             lambda u, x: u * s(x) * s(-x)),
            ("wrong-formula", "dLdx", "is tanh(x) times dLdy; it should be sigmoid(x) times",
             lambda u, x: u * np.tanh(x)),
            ("term-missing", "y", "is max(x, 0): log(1 + exp(-|x|)) is missing", lambda u, x: np.maximum(x, 0)),
            ("sign", "y", "is softplus(-x)", lambda u, x: np.logaddexp(0, -x)),
            ("term-missing", "y", "leaves out max(x, 0)", lambda u, x: np.log1p(np.exp(-abs(x)))),
            ("wrong-formula", "y", "has the logarithm to base 2; it should be natural",
             lambda u, x: np.logaddexp(0, x) / np.log(2)),
        ),
    )  # fmt: skip


def gelu(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x Phi(x), Phi the normal distribution, or of its approximation by tanh.

    implementation(approximate) makes the layer: the class itself or a function; "none" or "tanh" is meant.
    Keywords restrict what is tried (`verification.choices`): approximate, rank and batch.
    """
    return elementwise(
        implementation, gelu_of, gelu_derivative, name="gelu", settings={"approximate": ("none", "tanh")},
        **only,
        mistakes=(
            ("term-missing", "dLdx", "is Phi(x) times dLdy: the term x Phi'(x) is missing",
             lambda u, x, approximate: u * gelu_of(x, approximate) / np.where(x, x, 1)),
            ("term-missing", "dLdx", "leaves out Phi(x): it is x Phi'(x) times dLdy",
             lambda u, x, approximate: u * (gelu_derivative(x, approximate)
                                            - gelu_of(x, approximate) / np.where(x, x, 1))),
            ("wrong-formula", "dLdx", "is that of the other form (approximate is not what was asked for)",
             lambda u, x, approximate: u * gelu_derivative(x, _other(approximate))),
            ("wrong-formula", "dLdx", "is that of x sigmoid(1.702 x)",
             lambda u, x, approximate: u * special.expit(1.702 * x) * (1 + 1.702 * x * special.expit(-1.702 * x))),
            ("term-missing", "dLdx", "leaves out the derivative of the cubic term",
             lambda u, x, approximate: u * gelu_derivative(x, approximate, 0.0) if approximate == "tanh" else None),
            ("wrong-formula", "y", "is that of the other form (approximate is not what was asked for)",
             lambda u, x, approximate: gelu_of(x, _other(approximate))),
            ("wrong-formula", "y", "is x sigmoid(1.702 x)", lambda u, x, approximate: x * special.expit(1.702 * x)),
            ("term-missing", "y", "leaves out x: it is Phi(x)", lambda u, x, approximate: special.ndtr(x)),
            ("wrong-formula", "y", "has erf(x) where erf(x / sqrt(2)) belongs",
             lambda u, x, approximate: x * (1 + special.erf(x)) / 2),
            ("term-missing", "y", "leaves out the cubic term",
             lambda u, x, approximate: gelu_of(x, approximate, cubic=0.0) if approximate == "tanh" else None),
            ("wrong-formula", "y", "has 2 / pi where sqrt(2 / pi) belongs",
             lambda u, x, approximate: x * special.expit(4 / np.pi * (x + 0.044715 * x**3))),
        ),
    )  # fmt: skip


def selu(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of scale (x where x > 0, alpha (exp(x) - 1) elsewhere). implementation() makes the layer.

    Source of the two constants: Klambauer et al., Self-normalizing neural networks (2017).
    """
    scale, alpha = 1.0507009873554805, 1.6732632423543772

    def negative(x: Array) -> Array:
        return np.minimum(x, 0)

    return elementwise(
        implementation,
        lambda x: scale * (np.maximum(x, 0) + alpha * special.expm1(negative(x))),
        lambda x: scale * np.where(x > 0, 1.0, alpha * np.exp(negative(x))),
        name="selu", kinks=(0.0,),
        **only,
        mistakes=(
            ("term-missing", "y", "leaves out the scale",
             lambda u, x: np.maximum(x, 0) + alpha * special.expm1(negative(x))),
            ("term-missing", "y", "leaves out alpha where x is negative",
             lambda u, x: scale * (np.maximum(x, 0) + special.expm1(negative(x)))),
            ("wrong-formula", "y", "has the scale where x is negative only",
             lambda u, x: np.maximum(x, 0) + scale * alpha * special.expm1(negative(x))),
            ("term-missing", "dLdx", "leaves out the scale", lambda u, x: u * np.where(x > 0, 1, alpha * np.exp(x))),
            ("term-missing", "dLdx", "leaves out alpha where x is negative",
             lambda u, x: u * scale * np.where(x > 0, 1, np.exp(x))),
            ("wrong-formula", "dLdx", "is 1, not the scale, times dLdy where x is positive",
             lambda u, x: u * np.where(x > 0, 1, scale * alpha * np.exp(x))),
            ("term-missing", "dLdx", "is y times dLdy where x is negative; it should be y + scale * alpha times",
             lambda u, x: u * scale * np.where(x > 0, 1, alpha * special.expm1(negative(x)))),
        ),
    )  # fmt: skip


def swish(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x sigmoid(x), also called SiLU. implementation() makes the layer."""
    s = _sigmoid
    return elementwise(
        implementation, lambda x: x * s(x), lambda x: s(x) * (1 + x * s(-x)), name="swish",
        **only,
        mistakes=(
            ("term-missing", "dLdx", "is sigmoid(x) times dLdy: the term of the sigmoid's derivative is missing",
             lambda u, x: u * s(x)),
            ("term-missing", "dLdx", "leaves out sigmoid(x): it is x times the sigmoid's derivative, times dLdy",
             lambda u, x: u * x * s(x) * s(-x)),
            ("term-missing", "dLdx", "leaves out x in the term of the sigmoid's derivative",
             lambda u, x: u * (s(x) + s(x) * s(-x))),
            ("wrong-formula", "dLdx", "is y + sigmoid(x) times dLdy; it should be y + sigmoid(x) (1 - y) times",
             lambda u, x: u * (x * s(x) + s(x))),
            ("wrong-formula", "y", "is x sigmoid(1.702 x), as for GELU", lambda u, x: x * s(1.702 * x)),
            ("term-missing", "y", "leaves out x: it is sigmoid(x)", lambda u, x: s(x)),
            ("wrong-formula", "y", "is x tanh(x)", lambda u, x: x * np.tanh(x)),
        ),
    )  # fmt: skip


def softsign(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x / (1 + |x|). implementation() makes the layer. The second derivative jumps at 0."""
    return elementwise(
        implementation, lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2, name="softsign", kinks=(0.0,),
        **only,
        mistakes=(
            ("wrong-formula", "dLdx", "is 1 / (1 + |x|) times dLdy: the square is missing",
             lambda u, x: u / (1 + abs(x))),
            ("wrong-formula", "dLdx", "is 1 / (1 + |x|^2) times dLdy; it should be 1 / (1 + |x|)^2",
             lambda u, x: u / (1 + x**2)),
            ("wrong-formula", "dLdx", "has |x| differentiated to 1: it is the derivative of x / (1 + x)",
             lambda u, x: u / (1 + x) ** 2),
            ("sign", "dLdx", "has the sign of x: the derivative is positive on both sides of 0",
             lambda u, x: u * np.sign(x) / (1 + abs(x)) ** 2),
            ("wrong-formula", "dLdx", "is 1 - y^2 times dLdy, as for tanh; it should be (1 - |y|)^2",
             lambda u, x: u * (1 - (x / (1 + abs(x))) ** 2)),
            ("wrong-formula", "y", "is x / (1 + x): the absolute value is missing", lambda u, x: x / (1 + x)),
            ("wrong-formula", "y", "is x / sqrt(1 + x^2)", lambda u, x: x / np.sqrt(1 + x**2)),
        ),
    )  # fmt: skip


def mish(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x tanh(softplus(x)). implementation() makes the layer.

    Source: Misra, Mish: a self regularized non-monotonic activation function (2019).
    """
    s = _sigmoid

    def gate(x: Array) -> Array:
        return np.asarray(np.tanh(np.logaddexp(0, x)))

    def gate_derivative(x: Array) -> Array:
        """1 - tanh(softplus(x))^2 = sech(softplus(x))^2, times the sigmoid: as a product, so that nothing cancels."""
        return np.asarray(s(x) / np.cosh(np.minimum(np.logaddexp(0, x), 300)) ** 2)

    return elementwise(
        implementation, lambda x: x * gate(x), lambda x: gate(x) + x * gate_derivative(x), name="mish",
        **only,
        mistakes=(
            ("term-missing", "dLdx", "is tanh(softplus(x)) times dLdy: the term of its derivative is missing",
             lambda u, x: u * gate(x)),
            ("term-missing", "dLdx", "leaves out tanh(softplus(x)): it is x times its derivative, times dLdy",
             lambda u, x: u * x * gate_derivative(x)),
            ("term-missing", "dLdx", "leaves out the sigmoid, which is the derivative of softplus",
             lambda u, x: u * (gate(x) + x * (1 - gate(x) ** 2))),
            ("wrong-formula", "dLdx", "has 1 - tanh where 1 - tanh^2 belongs",
             lambda u, x: u * (gate(x) + x * s(x) * (1 - gate(x)))),
            ("wrong-formula", "y", "is x softplus(x): tanh is missing", lambda u, x: x * np.logaddexp(0, x)),
            ("term-missing", "y", "leaves out x: it is tanh(softplus(x))", lambda u, x: gate(x)),
            ("wrong-formula", "y", "is x sigmoid(x), as for swish", lambda u, x: x * s(x)),
        ),
    )  # fmt: skip


def hard_tanh(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x cut off at -1 and 1. implementation() makes the layer.

    At -1 and 1 any gradient from 0 to 1 is right.
    """
    return _clipped(
        only,
        implementation, "hard_tanh", 1.0, 1.0, 0.0,
        (
            ("wrong-formula", "y", "is cut off at 0 and 1; it should be at -1 and 1", lambda u, x: np.clip(x, 0, 1)),
            ("wrong-formula", "y", "is tanh(x)", lambda u, x: np.tanh(x)),
            ("border-missing", "y", "is not cut off at -1", lambda u, x: np.minimum(x, 1)),
            ("border-missing", "y", "is not cut off at 1", lambda u, x: np.maximum(x, -1)),
            ("wrong-formula", "dLdx", "is 1 - y^2 times dLdy, as for tanh",
             lambda u, x: u * (1 - np.clip(x, -1, 1) ** 2)),
            ("wrong-formula", "dLdx", "is dLdy where x is between 0 and 1; it should be between -1 and 1",
             lambda u, x: u * ((x > 0) & (x < 1))),
        ),
    )  # fmt: skip


def hard_sigmoid(implementation: Callable[..., Any], slope: float = 1 / 6, **only: Any) -> LayerSpec:
    """Return the spec of slope x + 1/2, cut off at 0 and 1. implementation() makes the layer.

    Of this name there are two in use: slope 1/6 (PyTorch, Keras 3) and 0.2 (before). SpecError unless it is positive.
    """
    if not slope > 0:
        raise SpecError(f"slope should be positive, but it is {slope}")
    return _clipped(
        only,
        implementation, "hard_sigmoid", 0.5 / slope, slope, 0.5,
        (
            *(
                ("wrong-formula", array, f"has the slope {shown}, not {slope:.4g}", form)
                for shown, other in (("1/6", 1 / 6), ("0.2", 0.2), ("1/4", 0.25))
                if other != slope
                for array, form in (
                    ("y", lambda u, x, other=other: np.clip(other * x + 0.5, 0, 1)),
                    ("dLdx", lambda u, x, other=other: u * other * (abs(other * x) < 0.5)),
                )
            ),
            ("wrong-formula", "y", "is the sigmoid itself", lambda u, x: _sigmoid(x)),
            ("term-missing", "y", "leaves out 1/2", lambda u, x: np.clip(slope * x, 0, 1)),
            ("wrong-formula", "dLdx", "is y (1 - y) times dLdy, as for the sigmoid",
             lambda u, x: u * (y := np.clip(slope * x + 0.5, 0, 1)) * (1 - y)),
        ),
    )  # fmt: skip


def _clipped(
    only: Mapping[str, Any],
    make: Callable[..., Any],
    name: str,
    bound: float,
    slope: float,
    offset: float,
    mistakes: Table,
) -> LayerSpec:
    """Return the spec of slope x + offset for x between -bound and bound, and constant beyond."""

    def inside(x: Array) -> Array:
        return abs(x) < bound

    return elementwise(
        make, lambda x: slope * np.minimum(np.maximum(x, -bound), bound) + offset, lambda x: slope * inside(x),
        name=name, kinks=(-bound, bound), rtol=RTOL,
        rtol_reason="piecewise linear with no kink within 1/64 of x: differences and results err by rounding alone",
        **only,
        mistakes=(
            *((("term-missing", "dLdx", "leaves out the slope", lambda u, x: u * inside(x)),) if slope != 1 else ()),
            ("wrong-operation", "dLdx", "is not cut off where y is constant", lambda u, x: u * slope),
            ("wrong-operation", "dLdx", "is zero where y follows x, not where y is constant",
             lambda u, x: u * slope * ~inside(x)),
            ("wrong-operation", "dLdx", "is cut off only where x is too large", lambda u, x: u * slope * (x < bound)),
            ("wrong-operation", "dLdx", "is cut off only where x is too small", lambda u, x: u * slope * (x > -bound)),
            *mistakes,
        ),
    )  # fmt: skip


def _sigmoid(x: Array) -> Array:
    return np.asarray(special.expit(x))


def gelu_of(x: Array, approximate: str, cubic: float = 0.044715) -> Array:
    """Return GELU by the normal distribution, or its approximation as x sigmoid(2 z) = x (1 + tanh(z)) / 2.

    Source: Hendrycks and Gimpel, Gaussian error linear units (2016).
    """
    if approximate == "none":
        return np.asarray(x * special.ndtr(x))
    return np.asarray(x * special.expit(np.sqrt(8 / np.pi) * (x + cubic * x**3)))


def gelu_derivative(x: Array, approximate: str, inner: float = 3 * 0.044715) -> Array:
    """Return the derivative: Phi(x) + x Phi'(x)."""
    if approximate == "none":
        return np.asarray(special.ndtr(x) + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))
    z = np.sqrt(8 / np.pi) * (x + 0.044715 * x**3)
    slope = np.sqrt(8 / np.pi) * (1 + inner * x**2)
    return np.asarray(special.expit(z) + x * special.expit(z) * special.expit(-z) * slope)


def _other(approximate: str) -> str:
    return "none" if approximate == "tanh" else "tanh"
