"""A dense layer, y = x W + b, and flattening, which puts the entries of each image in one row."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Array, Case, unusual, whole
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.strategies import SEEDS, numbers
from verification.trial import Trial


def dense(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec of a dense (fully connected, linear) layer: x (n, in) -> x W + b (n, out).

    implementation(in_features, out_features) makes the layer: the class itself or a function. The
    layer has the parameters W (in, out) and b (out,), and backprop returns (dLdx, dLdW, dLdb).
    """
    return LayerSpec(
        name="dense",
        make=implementation,
        cases=dense_cases(),
        reference=product,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
        terms=lambda W, **_: len(W) + 1,
        realistic=dense_case(32, 256, 64, seed=2),
        bad_arguments=DENSE_BAD_ARGUMENTS,
        properties=(permutes_with_its_features,),
        gradient=product_gradient,
        mistakes=DENSE_MISTAKES,
    )


def dense_cases() -> st.SearchStrategy[Case]:
    """Cases of any small size, in_features and out_features each on its own."""
    return numbers(images=(1, 4), in_features=(1, 5), out_features=(1, 5), seed=SEEDS).map(
        lambda drawn: dense_case(**drawn)
    )


def dense_case(images: int, in_features: int, out_features: int, seed: int) -> Case:
    """Return the case of this size with whole numbers drawn from the seed, now and then large ones."""
    x = whole("x", seed, (images, in_features)) * (2.0**12 if unusual(seed, "large") else 1.0)
    W, b = whole("W", seed, (in_features, out_features)), whole("b", seed, (out_features,))
    return Case({"x": x, "W": W, "b": b}, {"in_features": in_features, "out_features": out_features}, seed)


def product(x: Array, W: Array, b: Array, **_settings: Any) -> Array:
    """x (n, in), W (in, out), b (out,) -> y (n, out). Source: the definition, one feature of x after the other."""
    y = np.zeros((len(x), len(b))) + b
    for feature, weights in zip(x.T, W, strict=True):
        y += np.outer(feature, weights)
    return y


def product_gradient(dLdy: Array, x: Array, W: Array, b: Array, **_settings: Any) -> dict[str, Array]:
    """Return the gradients, added up image by image: dLdx = W dLdy, dLdW = x dLdy^T, dLdb = dLdy."""
    gradients = {"x": np.zeros(x.shape), "W": np.zeros(W.shape), "b": np.zeros(b.shape)}
    for i, (image, upstream) in enumerate(zip(x, dLdy, strict=True)):
        gradients["x"][i] = [np.dot(weights, upstream) for weights in W]
        gradients["W"] += np.outer(image, upstream)
        gradients["b"] += upstream
    return gradients


def permutes_with_its_features(trial: Trial) -> None:
    """Features of x and rows of W in another order give the same y; columns of W and b, y in that order."""
    x, W, b = (trial.arguments[name] for name in ("x", "W", "b"))
    y = trial.expect_shape("forward(x)", trial.layer().forward(x), trial.y.shape)
    turned = trial.layer({"W": W[::-1, ::-1], "b": b[::-1]}).forward(x[:, ::-1])
    trial.compare("forward(x)", turned, y[:, ::-1], " when its features are put in reverse order")


def _square(trial: Trial) -> bool:
    return len(trial.arguments["W"]) == len(trial.arguments["b"])


DENSE_MISTAKES = (
    Mistake("scaled", "y", "y has the bias added twice", lambda t: t.reference(b=2 * t.arguments["b"])),
    Mistake(
        "bias-missing", "y", "y has b[0] added to every feature, in place of each one's own",
        lambda t: t.reference(b=0 * t.arguments["b"] + t.arguments["b"][0]),
    ),
    Mistake("scaled", "y", "y has W doubled", lambda t: t.reference(W=2 * t.arguments["W"])),
    Mistake(
        "axes-swapped", "y", "y is x @ W.T + b: W is (in, out), so it should not be transposed here",
        lambda t: t.reference(W=t.arguments["W"].T) if _square(t) else None,
    ),
    Mistake(
        "axes-swapped", "dLdx", "dLdx is dLdy @ W; it should be dLdy @ W.T",
        lambda t: t.gradient(t.dLdy, W=t.arguments["W"].T)["x"] if _square(t) else None,
    ),
    Mistake(
        "wrong-formula", "dLdW", "dLdW is made of y; it should be x.T @ dLdy",
        lambda t: t.gradient(t.dLdy, x=t.y)["W"] if _square(t) else None,
    ),
    Mistake(
        "wrong-formula", "dLdb", "dLdb is multiplied by b; b is added, so its factor is 1",
        lambda t: t.gradient(t.dLdy)["b"] * t.arguments["b"],
    ),
)  # fmt: skip


DENSE_BAD_ARGUMENTS = (
    forward_of("forward, x of rank 1", lambda case: case.arrays["x"][0]),
    forward_of("forward, x with a feature too many", lambda case: grown(case.arrays["x"], 1)),
    backprop_of("backprop, dLdy with a feature too many", lambda case: grown(product(**case.arrays), 1)),
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(product(**case.arrays), 0)),
)  # fmt: skip


def flatten(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec of flattening: x (n, ...) of rank 2 to 4 -> (n, entries of an image), in row-major order.

    implementation() makes the layer: the class itself or a function.
    """
    return LayerSpec(
        name="flatten",
        make=implementation,
        cases=flatten_cases(),
        reference=rows,
        affine_in=("x",),
        terms=lambda **_: 1,
        realistic=flatten_case(4, 8, 3, 16, 16, seed=2),
        bad_arguments=FLATTEN_BAD_ARGUMENTS,
        properties=(backprop_undoes_forward,),
        gradient=lambda dLdy, x: {"x": np.array([dLdy[:, i] for i in range(dLdy.shape[1])]).T.reshape(x.shape)},
        mistakes=FLATTEN_MISTAKES,
    )


def flatten_cases() -> st.SearchStrategy[Case]:
    """Cases of rank 2 to 4, with sides from 1 to 4."""
    return numbers(rank=(2, 4), images=(1, 3), channels=(1, 3), width=(1, 4), height=(1, 4), seed=SEEDS).map(
        lambda drawn: flatten_case(**drawn)
    )


def flatten_case(rank: int, images: int, channels: int, width: int, height: int, seed: int) -> Case:
    """Return the case of the first `rank` of these sides, with whole numbers drawn from the seed."""
    return Case({"x": whole("x", seed, (images, channels, width, height)[:rank])}, seed=seed)


def rows(x: Array) -> Array:
    """x (n, ...) -> (n, entries of an image). Source: each entry's place, counted with the last index fastest."""
    shape = x.shape[1:]
    place = sum(index * int(np.prod(shape[i + 1 :])) for i, index in enumerate(np.indices(shape)))
    y = np.empty((len(x), int(np.prod(shape))))
    y[:, place] = x
    return y


def backprop_undoes_forward(trial: Trial) -> None:
    """backprop(x, forward(x)) == x: the layer moves entries and loses none."""
    if trial.declares_dLdy:
        return  # it needs one of its own
    layer = trial.layer()
    y = trial.expect_shape("forward(x)", layer.forward(trial.x), trial.y.shape)
    trial.compare("dLdx", layer.backprop(trial.x, y)["x"], trial.x, " for dLdy = forward(x): it should be x")


FLATTEN_MISTAKES = (
    Mistake("wrong-formula", "dLdx", "dLdx is x; it should be dLdy in the shape of x", lambda t: t.x),
    Mistake(
        "axes-swapped", "y", "y is in column-major order; the last index of x should run fastest",
        lambda t: t.x.reshape(t.y.shape, order="F") if t.x.ndim > 2 else None,
    ),
    Mistake(
        "axes-swapped", "y", "y has the first index of an image (its channel) run fastest; the last one should",
        lambda t: np.moveaxis(t.x, 1, -1).reshape(t.y.shape) if t.x.ndim > 2 else None,
    ),
    Mistake(
        "axes-swapped", "dLdx", "dLdx is filled in column-major order; the last index should run fastest",
        lambda t: t.dLdy.reshape(t.x.shape, order="F") if t.x.ndim > 2 else None,
    ),
)  # fmt: skip

FLATTEN_BAD_ARGUMENTS = (
    backprop_of("backprop, dLdy with an entry too many", lambda case: grown(rows(case.arrays["x"]), 1)),
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(rows(case.arrays["x"]), 0)),
)  # fmt: skip
