"""Normalization by a norm: x / r over the last axis, where r is the L1 norm, the L2 norm or the root mean square.

Nothing is taken off x first, as it is in normalization.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, counts, rank, reals, side
from verification.construction import takes
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial

RTOL = 1e-8
RTOL_REASON = (
    "the layer and the formula err by rounding alone: no term is more than 100 times dLdy for entries from 1 to 5 of"
    " either sign, of which an operation loses 1.1e-16"
)
Norm = Callable[..., Any]
"""Called with a row (d,) and the settings, returns a number."""
Slope = Callable[..., Array]
"""Called likewise, returns the derivative of the norm (d,)."""


def l1_normalization(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x / sum of |x| over the last axis: x (n, d) or (n, t, d) -> y of the same shape.

    implementation() makes the layer: the class itself or a function. No entry drawn is less than 1 in size, so
    that what is done against a division by 0 does not show.
    Keywords restrict what is tried (`verification.choices`): rank (of x, 2 or 3), batch, steps (t), features (d).
    """
    return _by_norm(
        "l1_normalization", implementation, only, lambda row: np.sum(abs(row)), lambda row: np.sign(row),
        (
            Mistake("wrong-formula", "y", "y is divided by the L2 norm, not by the sum of absolute values",
                    _y(lambda row: np.linalg.norm(row))),
            Mistake("wrong-formula", "y", "y is divided by the sum itself: take absolute values first", _y(np.sum)),
            Mistake("wrong-formula", "y", "y is divided by the largest absolute value", _y(lambda row: abs(row).max())),
            Mistake("term-missing", "dLdx", "dLdx has the derivative of |x| as 1; it is the sign of x",
                    _dLdx(lambda row: np.sum(abs(row)), lambda row: np.ones(row.shape))),
        ),
    )  # fmt: skip


def l2_normalization(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x / sqrt(sum of x^2) over the last axis: x (n, d) or (n, t, d) -> y of the same shape.

    implementation() makes the layer: the class itself or a function. No entry drawn is less than 1 in size, so
    that what is done against a division by 0 does not show.
    Keywords restrict what is tried (`verification.choices`): rank (of x, 2 or 3), batch, steps (t), features (d).
    """
    return _by_norm(
        "l2_normalization", implementation, only, lambda row: np.linalg.norm(row),
        lambda row: row / np.linalg.norm(row),
        (
            Mistake("wrong-formula", "y", "y is divided by the sum of squares: the root is missing",
                    _y(lambda row: np.sum(row**2))),
            Mistake("wrong-formula", "y", "y is divided by the sum of absolute values, as for L1",
                    _y(lambda row: np.sum(abs(row)))),
            Mistake("wrong-formula", "y", "y is divided by the root of the mean square; it should be of the sum",
                    _y(lambda row: np.sqrt(np.mean(row**2)))),
            Mistake("wrong-formula", "dLdx", "dLdx has x where x / norm belongs, the derivative of the norm",
                    _dLdx(np.linalg.norm, lambda row: row)),
        ),
    )  # fmt: skip


def rms_normalization(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of gamma x / sqrt(mean of x^2 + eps) over the last axis.

    implementation(num_features, eps) makes the layer: the class itself or a function. x is (n, d) or (n, t, d),
    the parameter gamma (d,); backprop returns (dLdx, dLdgamma).
    Keywords restrict what is tried (`verification.choices`): eps, num_features (d), rank (of x, 2 or 3), batch, steps
    (t). An eps that is given (1e-5, say) is passed on only to an implementation with a parameter of that name.
    """

    def norm(row: Array, eps: float) -> float:
        return float(np.sqrt(np.mean(row**2) + eps))

    def slope(row: Array, eps: float) -> Array:
        return np.asarray(row / (len(row) * norm(row, eps)))

    def other(form: Callable[[Array, float], float]) -> Callable[[Trial], Array]:
        return _y(lambda row, eps: form(row, eps))

    return _by_norm(
        "rms_normalization", implementation, only, norm, slope,
        (
            Mistake("term-missing", "y", "y leaves out eps", other(lambda row, _: norm(row, 0.0))),
            Mistake("wrong-formula", "y", "y adds eps to the root; it should be to the mean square",
                    other(lambda row, eps: norm(row, 0.0) + eps)),
            Mistake("wrong-formula", "y", "y is divided by the root of the sum of squares; it should be of their mean",
                    other(lambda row, eps: float(np.sqrt(np.sum(row**2) + eps)))),
            Mistake("wrong-formula", "y", "y is divided by the mean square: the root is missing",
                    other(lambda row, eps: float(np.mean(row**2) + eps))),
            Mistake("wrong-operation", "y", "y is divided by the standard deviation: no mean is taken off here",
                    other(lambda row, eps: float(np.sqrt(np.var(row) + eps)))),
            Mistake("wrong-operation", "y", "y is that of layer normalization: no mean is taken off here",
                    lambda t: _rows(t.x, lambda row: (row - row.mean()) / np.sqrt(
                        np.var(row) + t.case.settings["eps"])) * t.arguments["gamma"]),
            Mistake("term-missing", "y", "y leaves out gamma",
                    lambda t: t.reference(gamma=np.ones(t.arguments["gamma"].shape))),
            Mistake("term-missing", "dLdx", "dLdx leaves out gamma",
                    lambda t: t.gradient(t.dLdy, gamma=np.ones(t.arguments["gamma"].shape))["x"]),
            Mistake("term-missing", "dLdx", "dLdx leaves out the number of features in the derivative of the mean",
                    _dLdx(norm, lambda row, **settings: row / norm(row, **settings))),
            Mistake("wrong-formula", "dLdgamma", "dLdgamma is the sum of dLdy * x; it should be of dLdy * x / r",
                    lambda t: (t.dLdy * t.x).reshape(-1, t.x.shape[-1]).sum(axis=0)),
            Mistake("wrong-formula", "dLdgamma", "dLdgamma is the sum of dLdy * y; it should be of dLdy * x / r",
                    lambda t: (t.dLdy * t.y).reshape(-1, t.x.shape[-1]).sum(axis=0)),
            Mistake("term-missing", "dLdgamma", "dLdgamma is the sum of dLdy: x / r is missing",
                    lambda t: t.dLdy.reshape(-1, t.x.shape[-1]).sum(axis=0)),
        ),
        gamma=True,
    )  # fmt: skip


def _by_norm(
    name: str, make: Callable[..., Any], only: Mapping[str, Any], norm: Norm, slope: Slope,
    mistakes: tuple[Mistake, ...], gamma: bool = False,
) -> LayerSpec:  # fmt: skip
    """Return the spec; it has the setting eps and the parameter gamma, or neither."""
    features = {"num_features": counts(1, 5)} if gamma else {"features": side(-1, 1, 5)}
    eps = {"eps": reals(1e-3, 1e-2, 1e-1, loose=True)} if gamma else {}

    def steps(case: Case) -> int | None:
        x = case.arrays["x"]
        return x.shape[1] if x.ndim == 3 else None

    table = {"batch": batch(1, 3), "steps": counts(1, 3, of=steps), **features, "rank": rank(2, 3), **eps}
    choices = Choices(name, only, table, make=make)

    def reference(x: Array, gamma: Array | float = 1.0, **settings: Any) -> Array:
        """Row by row. Source: the definition."""
        return np.asarray(_rows(x, lambda row: row / norm(row, **_without(settings))) * gamma)

    def gradient(dLdy: Array, x: Array, gamma: Array | float = 1.0, **settings: Any) -> dict[str, Array]:
        """Row by row: u / r - <u, x> r' / r^2, where u is dLdy gamma and r' the derivative of r."""
        settings = _without(settings)
        result = {"x": _input_gradient(dLdy * gamma, x, norm, slope, settings)}
        if isinstance(gamma, np.ndarray):
            z = _rows(x, lambda row: row / norm(row, **settings))
            result["gamma"] = (dLdy * z).reshape(-1, x.shape[-1]).sum(axis=0)
        return result

    def case(batch: int, steps: int, rank: int, seed: int, features: int = 1, **settings: Any) -> Case:
        """Return a case of entries from 1 to 5, of either sign: no step leads to 0."""
        features = settings.get("num_features", features)
        shape = (batch, steps, features) if rank == 3 else (batch, features)
        signs = 1 - 2 * (whole("signs of x", seed, shape) % 2)
        arrays = {"x": signs * (1 + (whole("x", seed, shape) + 128 * (seed > 1)) / (64 if seed > 1 else 1))}
        if gamma:
            drawn = whole("gamma", seed, (features,)) / 64
            arrays["gamma"] = drawn + (drawn == 0)
        return Case(arrays, settings, seed)

    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(case),
        reference=reference,
        parameters=("gamma",) if gamma else (),
        rtol=RTOL,
        rtol_reason=RTOL_REASON,
        bad_arguments=(
            *((forward_of("forward, x with a feature too many", lambda case: grown(case.arrays["x"], -1)),) * gamma),
            backprop_of("backprop, dLdy with a feature too many", lambda case: grown(case.arrays["x"], -1)),
            backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
        ),
        avoid=(0.0,),
        properties=(signs_carry_over, *((is_invariant_to_scale,) if "eps" not in only or takes(make, "eps") else ())),
        gradient=gradient,
        mistakes=(
            Mistake("term-missing", "dLdx", "dLdx takes the norm for a constant: the term of its derivative is missing",
                    _dLdx(norm, lambda row, **_: np.zeros(row.shape))),
            Mistake("sign", "dLdx", "dLdx has the sign of the term of the norm's derivative wrong",
                    _dLdx(norm, lambda row, **settings: -slope(row, **settings))),
            Mistake("term-missing", "dLdx", "dLdx leaves out the first term, dLdy divided by the norm",
                    lambda t: t.right["x"] - _dLdx(norm, lambda row, **_: np.zeros(row.shape))(t)),
            Mistake("axes-swapped", "y", "y is normalized over the batch (axis 0); it should be over the last axis",
                    lambda t: np.moveaxis(_rows(np.moveaxis(t.x, 0, -1), lambda row: row / norm(
                        row, **_without(t.case.settings))), -1, 0) * t.arguments.get("gamma", 1.0)),
            Mistake("wrong-formula", "y", "y is normalized over the whole array; it should be over the last axis",
                    lambda t: t.x / norm(t.x.ravel(), **_without(t.case.settings)) * t.arguments.get("gamma", 1.0)),
            *mistakes,
        ),
    )  # fmt: skip
    return choices.applied(spec)


def _rows(x: Array, form: Callable[[Array], Any]) -> Array:
    """Return what becomes of each row (d,), in the shape of x."""
    return np.array([form(row) for row in x.reshape(-1, x.shape[-1])]).reshape(x.shape)


def _without(settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name == "eps"}


def _input_gradient(upstream: Array, x: Array, norm: Norm, slope: Slope, settings: dict[str, Any]) -> Array:
    rows = zip(x.reshape(-1, x.shape[-1]), upstream.reshape(-1, x.shape[-1]), strict=True)
    parts = [
        u / norm(row, **settings) - np.dot(u, row) * slope(row, **settings) / norm(row, **settings) ** 2
        for row, u in rows
    ]
    return np.array(parts).reshape(x.shape)


def _y(norm: Norm) -> Callable[[Trial], Array]:
    """Return the mistake of dividing by something else."""
    return lambda t: np.asarray(
        _rows(t.x, lambda row: row / norm(row, **_without(t.case.settings))) * t.arguments.get("gamma", 1.0)
    )


def _dLdx(norm: Norm, slope: Slope) -> Callable[[Trial], Array]:  # noqa: N802
    """Return the mistake of another derivative of the norm."""
    return lambda t: _input_gradient(
        t.dLdy * t.arguments.get("gamma", 1.0), t.x, norm, slope, _without(t.case.settings)
    )  # fmt: skip


def signs_carry_over(trial: Trial) -> None:
    """y(s x) == s y(x), and dLdx(s x, s dLdy) == s dLdx(x, dLdy), for an s of 1 and -1."""
    layer, x, u = trial.layer(), trial.x, trial.dLdy
    s = 1 - 2 * (trial.whole("signs", x.shape) % 2)
    because = " for x with the signs of some entries turned: only their signs should turn"
    trial.compare("forward(x)", layer.forward(s * x), s * layer.forward(x), because)
    if trial.declares_dLdy or "x" not in trial.spec.gradients:
        return
    dLdx = trial.expect_shape("dLdx", layer.backprop(x, u)["x"], x.shape)
    trial.compare("dLdx", layer.backprop(s * x, s * u)["x"], s * dLdx, because)


def is_invariant_to_scale(trial: Trial) -> None:
    """forward(4 x; 16 eps) == forward(x; eps), where there is an eps."""
    settings = {name: value * 16 if name == "eps" else value for name, value in trial.case.settings.items()}
    scaled = Trial(trial.spec, replace(trial.case, settings=settings), trial.script).layer().forward(4 * trial.x)
    because = f" for 4 x{' and 16 eps' * ('eps' in settings)}: it should be forward(x)"
    trial.compare("forward(x)", scaled, trial.layer().forward(trial.x), because)
