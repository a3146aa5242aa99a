"""Scaled dot-product attention: queries x choose among keys k, and take a mean of the values v."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, grown
from verification.trial import Trial


def attention(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of scaled dot-product attention: softmax(x k^T / sqrt(d)) v, the softmax over the keys.

    implementation() makes the layer. It has forward(x, k, v) for queries x (n, t, d), keys k (n, s, d) and values
    v (n, s, e), which returns y (n, t, e); and backprop(x, k, v, dLdy), which returns (dLdx, dLdk, dLdv).
    Keywords restrict what is tried (`verification.choices`): batch, queries (t), keys (s), features (d), values (e).
    Source: Vaswani et al., Attention is all you need (2017), section 3.2.1.
    """
    choices = Choices("attention", only, CHOICES, make=implementation)
    spec = LayerSpec(
        name="attention",
        make=implementation,
        cases=choices.cases(_case),
        reference=attended,
        parameters=("k", "v"),
        inputs=("k", "v"),
        rtol=1e-8,
        rtol_reason="the layer and the formula err by rounding alone: sums of at most 3 products for queries, keys and"
        " values from -1 to 1, and a softmax of them, far below 1e-12 of dLdy",
        batch_independent=False,  # an image of x belongs to one of k and of v
        bad_arguments=(
            backprop_of("backprop, dLdy of another batch size", lambda case: grown(attended(**case.arrays), 0)),
            backprop_of("backprop, dLdy with a feature too many", lambda case: grown(attended(**case.arrays), 2)),
        ),
        gradient=gradient,
        mistakes=MISTAKES,
    )
    return choices.applied(spec)


CHOICES = {
    "batch": batch(1, 2), "queries": side(1, 1, 3), "keys": side(1, 1, 3, array="k"), "features": side(2, 1, 3),
    "values": side(2, 1, 3, array="v"),
}  # fmt: skip


def _case(batch: int, queries: int, keys: int, features: int, values: int, seed: int) -> Case:
    shapes = {"x": (batch, queries, features), "k": (batch, keys, features), "v": (batch, keys, values)}
    return Case({name: whole(name, seed, shape) / 128 for name, shape in shapes.items()}, {}, seed)


def _weights(x: Array, k: Array, scale: float | None = None) -> Array:
    """x (n, t, d), k (n, s, d) -> (n, t, s), query by query."""
    scale = scale or 1 / np.sqrt(x.shape[-1])
    rows = [[special.softmax([scale * np.dot(key, query) for key in keys]) for query in queries]
            for queries, keys in zip(x, k, strict=True)]  # fmt: skip
    return np.array(rows).reshape(*x.shape[:2], k.shape[1])


def attended(x: Array, k: Array, v: Array, scale: Any = None) -> Array:
    """x (n, t, d), k (n, s, d), v (n, s, e) -> y (n, t, e). Source: the definition, image by image."""
    weights = _weights(x, k, scale)
    return np.array([a @ values for a, values in zip(weights, v, strict=True)])


def gradient(dLdy: Array, x: Array, k: Array, v: Array) -> dict[str, Array]:
    """Image by image, by the Jacobian of softmax: diag(a) - a a^T for each query."""
    return _gradient(dLdy, x, k, v)


def _gradient(
    dLdy: Array, x: Array, k: Array, v: Array, scale: Any = None, jacobian: Any = None
) -> dict[str, Array]:  # fmt: skip
    scale = scale or 1 / np.sqrt(x.shape[-1])
    jacobian = jacobian or (lambda a: np.diag(a) - np.outer(a, a))
    result = {"x": np.zeros(x.shape), "k": np.zeros(k.shape), "v": np.zeros(v.shape)}
    weights = _weights(x, k)
    for n, t in np.ndindex(x.shape[:2]):
        a, u = weights[n, t], dLdy[n, t]
        scores = scale * jacobian(a) @ (v[n] @ u)
        result["x"][n, t] = scores @ k[n]
        result["k"][n] += np.outer(scores, x[n, t])
        result["v"][n] += np.outer(a, u)
    return result


def _other(name: str, **changed: Any) -> Callable[[Trial], Array]:
    return lambda t: _gradient(t.dLdy, **t.arguments, **changed)[name]


def _over_queries(t: Trial) -> Array:
    x, k, v = (t.arguments[name] for name in ("x", "k", "v"))
    scores = np.einsum("ntd,nsd->nts", x, k) / np.sqrt(x.shape[-1])
    return np.asarray(np.einsum("nts,nse->nte", special.softmax(scores, axis=1), v))


MISTAKES = (
    Mistake("term-missing", "y", "y is not scaled: divide the products by sqrt(d)",
            lambda t: attended(**t.arguments, scale=1.0)),
    Mistake("wrong-formula", "y", "y has the products divided by d; it should be by sqrt(d)",
            lambda t: attended(**t.arguments, scale=1 / t.x.shape[-1])),
    Mistake("axes-swapped", "y", "y has its softmax over the queries; it should be over the keys", _over_queries),
    *(
        row
        for name in ("x", "k")
        for row in (
            Mistake("term-missing", f"dLd{name}", f"dLd{name} leaves out the scale, 1 / sqrt(d)",
                    _other(name, scale=1.0)),
            Mistake("wrong-formula", f"dLd{name}", f"dLd{name} has the diagonal a (1 - a) of softmax's Jacobian only",
                    _other(name, jacobian=lambda a: np.diag(a * (1 - a)))),
            Mistake("term-missing", f"dLd{name}", f"dLd{name} leaves out what softmax takes off, a times sum(a u)",
                    _other(name, jacobian=np.diag)),
            Mistake("term-missing", f"dLd{name}", f"dLd{name} leaves out the derivative of softmax",
                    _other(name, jacobian=lambda a: np.eye(len(a)))),
        )
    ),
)  # fmt: skip
