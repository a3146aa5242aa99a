"""Activations, which act on every entry of x alone: x (n, ...) of rank 1 to 4 -> y of the same shape."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from verification.case import Array, Case, whole
from verification.choices import Choice, Choices, batch, inner, one_of, rank, reals
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, grown
from verification.trial import Trial

RTOL = 1e-9
RTOL_REASON = (
    "four-point differences with step 2^-9 err by 5e-13 of the fifth derivative, at most 16 here, and 4e-14 of y by"
    " rounding: of the gradient itself 1.2e-10 at most where x is drawn (GELU near its minimum), elsewhere 3e-11"
)
Derivative = Callable[..., Array]
Table = tuple[tuple[str, str, str, Callable[..., Any]], ...]

LIMITS = np.array([1000.0, -1000.0, 750.0, -750.0, 710.0, -710.0, 40.0, -40.0, 20.0, -20.0, 1e-8, -1e-8])
"""Beyond 745 and 709.8 exp(-x) is 0 and exp(x) infinite; from 37 on 1 + exp(-x) is 1; at 1e-8 exp(x) - 1 cancels."""


def relu(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of max(x, 0). implementation() makes the layer. At 0 any gradient from 0 to 1 is right.

    Keywords restrict what is tried (`verification.choices`): rank and batch.
    """
    return _piecewise_linear(
        "relu", implementation, only, {}, lambda x: np.maximum.reduce([x, 0 * x]),
        lambda x: np.heaviside(x, 0.0),
        (
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
    return (_piecewise_linear if exact else partial(_smooth, kinked=True))(
        "leaky_relu", implementation, only, {"slope": reals(0.25, 0.5, most=16)},
        lambda x, slope: np.maximum(x, 0) + slope * np.minimum(x, 0),
        lambda x, slope: slope + (1 - slope) * np.heaviside(x, 0.0),
        (
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
    return _smooth(
        "elu", implementation, only, {"alpha": reals(0.5, 1.0, 1.5, most=16)},
        lambda x, alpha: np.maximum(x, 0) + alpha * special.expm1(np.minimum(x, 0)),
        lambda x, alpha: np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0))),
        (
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
        kinked=True,
    )  # fmt: skip


def sigmoid(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of 1 / (1 + exp(-x)). implementation() makes the layer: the class itself or a function.

    Keywords restrict what is tried (`verification.choices`): rank and batch.
    """
    y = _sigmoid
    return _smooth(
        "sigmoid", implementation, only, {}, y, lambda x: y(x) * y(-x),
        (
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
    return _smooth(
        "tanh", implementation, only, {}, lambda x: 2 * s(2 * x) - 1, lambda x: 4 * s(2 * x) * s(-2 * x),
        (
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
    return _smooth(
        "softplus", implementation, only, {}, lambda x: -special.log_expit(-x), lambda x: 1 - s(-x),
        (
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
    return _smooth(
        "gelu", implementation, only, {"approximate": one_of("none", "tanh")}, gelu_of, gelu_derivative,
        (
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


def is_positively_homogeneous(trial: Trial) -> None:
    """forward(4 x) == 4 forward(x)."""
    layer = trial.layer()
    y = trial.expect_shape("forward(x)", layer.forward(trial.x), trial.x.shape)
    trial.compare("forward(x)", layer.forward(4 * trial.x), 4 * y, " for 4 x: it is not 4 forward(x)")


def entries_are_independent(trial: Trial) -> None:
    """forward and backprop of all entries turned around == those of x, turned around."""
    layer, x, u = trial.layer(), trial.x, trial.dLdy
    because = " when the entries of x are put in reverse order: so should those of the result be"
    y = trial.expect_shape("forward(x)", layer.forward(x), x.shape)
    trial.compare("forward(x)", layer.forward(_turned(x)), _turned(y), because)
    if trial.declares_dLdy:
        return  # which would have another form
    dLdx = trial.expect_shape("dLdx", layer.backprop(x, u)["x"], x.shape)
    trial.compare("dLdx", layer.backprop(_turned(x), _turned(u))["x"], _turned(dLdx), because)


def _turned(array: Array) -> Array:
    return np.asarray(array.ravel()[::-1].reshape(array.shape))


def whole_case(rank: int, sides: tuple[int, ...], settings: dict[str, Any], seed: int) -> Case:
    """Return a case of whole numbers.

    dLdy and directions are multiples of 4, so that slopes of 1/2 and 1/4 leave whole numbers.
    """
    shape = sides[:rank]
    arrays = {"x": whole("x", seed, shape)}
    if settings:
        arrays |= {"dLdy": 4 * whole("dLdy", seed, shape), "v for x": 4 * np.floor(whole("v", seed, shape) / 4)}
        if seed < 2:
            arrays["v for x"] = 4 * whole("v", seed, shape)
    return Case(arrays, settings, seed, frozenset(arrays) - {"x"})


def _of_one_sign(x: Array, sign: int) -> Array:
    """Return the same sizes, all positive or all negative: no step leads across 0, nor does any simplification."""
    return (1 - 2 * sign) * abs(x)


def smooth_case(
    rank: int, sides: tuple[int, ...], settings: dict[str, Any], seed: int, extreme: bool, sign: int | None = None
) -> Case:
    """Return a case of x from -4 to 4, or of limits where extreme; of one sign unless that is None."""
    shape = sides[:rank]
    drawn = whole("x", seed, shape)
    if extreme:
        x = LIMITS[drawn.astype(int) % len(LIMITS)]
    else:
        # Odd multiples of 1/64: none is nearer than 1/64 to 0, or than 1/200 to -0.7518, where GELU is smallest.
        x = (drawn + 0.5) / 32 if seed >= 2 else drawn if sign is None else drawn + 1
    return Case({"x": x if sign is None else _of_one_sign(x, sign)}, settings, seed)


def _choices(name: str, only: Mapping[str, Any], settings: Mapping[str, Choice], kinked: bool = False) -> Choices:
    """Return the choices: rank 1 to 4, sides from 1 to 3, any of these settings; a sign for a layer with a kink."""
    sides = {"batch": batch(1, 3), **{f"side{i}": inner(1, 3) for i in (1, 2, 3)}}
    return Choices(name, only, {"rank": rank(1, 4), **sides, **settings, **({"sign": inner(0, 1)} if kinked else {})})


def _of(case: Callable[..., Case], **more: Any) -> Callable[..., Case]:
    """Return the function that makes a case of a rank, four sides, settings and a seed."""

    def made(
        rank: int, batch: int, side1: int, side2: int, side3: int, seed: int, sign: int | None = None, **settings: Any
    ) -> Case:
        signed = {} if sign is None else {"sign": sign}
        return case(rank, (batch, side1, side2, side3), settings, seed, **signed, **more)

    return made


def _piecewise_linear(
    name: str, make: Callable[..., Any], only: Mapping[str, Any], settings: Mapping[str, Choice], value: Derivative,
    derivative: Derivative, mistakes: Table,
) -> LayerSpec:  # fmt: skip
    choices = _choices(name, only, settings)
    first = {name: choice.drawn[0] for name, choice in settings.items()}
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(_of(whole_case)),
        reference=value,
        piecewise_linear=True,
        terms=lambda **_: 1,
        magnitude=lambda x, **_: abs(x),
        realistic=choices.realistic(_of(whole_case), rank=4, batch=4, side1=8, side2=16, side3=16, **first),
        bad_arguments=BAD_ARGUMENTS,
        properties=(is_positively_homogeneous, entries_are_independent),
        kinks=(0.0,),
        gradient=lambda dLdy, x, **given: {"x": dLdy * derivative(x, **given)},
        mistakes=_mistakes(mistakes, value, derivative),
    )
    return choices.applied(spec)


def _smooth(
    name: str, make: Callable[..., Any], only: Mapping[str, Any], settings: Mapping[str, Choice], value: Derivative,
    derivative: Derivative, mistakes: Table, kinked: bool = False,
) -> LayerSpec:  # fmt: skip
    choices = _choices(name, only, settings, kinked)
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(_of(smooth_case, extreme=False)),
        reference=value,
        rtol=RTOL,
        rtol_reason=RTOL_REASON,
        bad_arguments=BAD_ARGUMENTS,
        properties=(entries_are_independent,),
        kinks=(0.0,) if kinked else (),
        extremes=choices.cases(_of(smooth_case, extreme=True)),
        gradient=lambda dLdy, x, **given: {"x": dLdy * derivative(x, **given)},
        mistakes=_mistakes(mistakes, value, derivative),
    )
    return choices.applied(spec)


def _mistakes(own: Table, value: Derivative, derivative: Derivative) -> tuple[Mistake, ...]:
    """Return the rows for mistakes of the layer's own, and of every activation."""
    table: Table = (
        *own,
        ("wrong-formula", "dLdx", "has the derivative at y; it should be at x",
         lambda u, x, **given: u * derivative(value(x, **given), **given)),
        ("wrong-operation", "y", "is the derivative, not the value", lambda u, x, **given: derivative(x, **given)),
    )  # fmt: skip

    def wrong(form: Callable[..., Any]) -> Callable[[Trial], Array | None]:
        return lambda t: None if (w := form(t.dLdy, t.x, **t.case.settings)) is None else np.asarray(w)

    return tuple(Mistake(family, array, f"{array} {sentence}", wrong(form)) for family, array, sentence, form in table)


BAD_ARGUMENTS = (
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
    backprop_of("backprop, dLdy of a rank more", lambda case: case.arrays["x"][np.newaxis]),
)  # fmt: skip
