"""A dense layer, y = x W + b, and flattening, which puts the entries of each image in one row."""

from collections.abc import Callable
from typing import Any

import numpy as np

from verification.case import Array, Case, unusual, whole
from verification.choices import Choices, batch, counts, rank, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial


def dense(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a dense (fully connected, linear) layer: x (n, in) -> x W + b (n, out).

    implementation(in_features, out_features) makes the layer: the class itself or a function. The
    layer has the parameters W (in, out) and b (out,), and backprop returns (dLdx, dLdW, dLdb).
    Keywords restrict what is tried (`verification.choices`): in_features, out_features, batch; bias=False.
    """
    table = {"batch": batch(1, 4), "in_features": counts(1, 5), "out_features": counts(1, 5)}
    choices = Choices("dense", only, table, has_bias=True, make=implementation)
    spec = LayerSpec(
        name="dense",
        make=implementation,
        cases=choices.cases(dense_case),
        reference=product,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
        terms=lambda W, **_: len(W) + 1,
        realistic=choices.realistic(dense_case, batch=32, in_features=256, out_features=64),
        bad_arguments=DENSE_BAD_ARGUMENTS,
        properties=(permutes_with_its_features,),
        gradient=product_gradient,
        mistakes=DENSE_MISTAKES,
    )
    return choices.applied(spec)


def dense_case(batch: int, in_features: int, out_features: int, seed: int) -> Case:
    """Return the case of this size with whole numbers drawn from the seed, now and then large ones."""
    x = whole("x", seed, (batch, in_features)) * (2.0**12 if unusual(seed, "large") else 1.0)
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
    Mistake("scaled", "y", "y has x W doubled", lambda t: t.reference(W=2 * t.arguments["W"])),
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


def flatten(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of flattening: x (n, ...) of rank 2 to 4 -> (n, entries of an image), in row-major order.

    implementation() makes the layer: the class itself or a function. Keywords restrict what is tried
    (`verification.choices`): rank, batch, and of rank 4 channels, height and width.
    """
    table = {
        "rank": rank(2, 4), "batch": batch(1, 3), "channels": side(1, 1, 3), "height": side(2, 1, 4),
        "width": side(3, 1, 4),
    }  # fmt: skip
    choices = Choices("flatten", only, table, make=implementation)
    spec = LayerSpec(
        name="flatten",
        make=implementation,
        cases=choices.cases(flatten_case),
        reference=rows,
        affine_in=("x",),
        terms=lambda **_: 1,
        realistic=choices.realistic(flatten_case, rank=4, batch=8, channels=3, height=16, width=16),
        bad_arguments=FLATTEN_BAD_ARGUMENTS,
        properties=(backprop_undoes_forward,),
        gradient=lambda dLdy, x: {"x": np.array([dLdy[:, i] for i in range(dLdy.shape[1])]).T.reshape(x.shape)},
        mistakes=FLATTEN_MISTAKES,
    )
    return choices.applied(spec)


def flatten_case(rank: int, batch: int, channels: int, height: int, width: int, seed: int) -> Case:
    """Return the case of the first `rank` of these sides, with whole numbers drawn from the seed."""
    return Case({"x": whole("x", seed, (batch, channels, height, width)[:rank])}, seed=seed)


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
