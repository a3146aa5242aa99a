"""An embedding: a table of vectors, of which the integers in x choose the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, counts, rank, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial


def embedding(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of an embedding: integers x (n,) or (n, t) -> rows of W (n, d) or (n, t, d).

    implementation(num_embeddings, embedding_dim) makes the layer: the class itself or a function. The layer
    has the parameter W (num_embeddings, embedding_dim). x is of int64, from 0 to num_embeddings - 1, so there
    is no dLdx: backprop returns dLdW alone, in which a row that is chosen several times adds up what comes back.
    Keywords restrict what is tried (`verification.choices`): these settings, batch, steps (t), rank (of x, 1 or 2).
    """
    choices = Choices("embedding", only, CHOICES, make=implementation)
    spec = LayerSpec(
        name="embedding",
        make=implementation,
        cases=choices.cases(case),
        reference=rows,
        parameters=("W",),
        gradients=("W",),
        affine_in=("W",),
        terms=lambda x, **_: int(x.size) + 1,
        realistic=choices.realistic(case, batch=4, steps=30, num_embeddings=50, embedding_dim=16, rank=2),
        bad_arguments=BAD_ARGUMENTS,
        gradient=rows_gradient,
        mistakes=MISTAKES,
    )
    return choices.applied(spec)


CHOICES = {
    "batch": batch(1, 4), "steps": side(1, 1, 4), "num_embeddings": counts(1, 6), "embedding_dim": counts(1, 4),
    "rank": rank(1, 2),
}  # fmt: skip
"""Few rows, so that many are chosen again, and some are not."""


def case(batch: int, steps: int, num_embeddings: int, embedding_dim: int, rank: int, seed: int) -> Case:
    """Return the case of this size, with whole numbers drawn from the seed."""
    x = whole("x", seed, (batch, steps)[:rank]).astype(np.int64) % num_embeddings
    W = whole("W", seed, (num_embeddings, embedding_dim))
    return Case({"x": x, "W": W}, {"num_embeddings": num_embeddings, "embedding_dim": embedding_dim}, seed)


def rows(x: Array, W: Array, **_settings: Any) -> Array:
    """x (n, ...), W (k, d) -> y (n, ..., d). Source: the definition, a row at a time."""
    y = np.zeros((*x.shape, W.shape[1]))
    for at in np.ndindex(x.shape):
        y[at] = W[x[at]]
    return y


def rows_gradient(dLdy: Array, x: Array, W: Array, **_settings: Any) -> dict[str, Array]:
    """Return {"W": dLdW}, a row at a time."""
    dLdW = np.zeros(W.shape)
    for at in np.ndindex(x.shape):
        dLdW[x[at]] += dLdy[at]
    return {"W": dLdW}


def _times(trial: Trial) -> Array:
    """Return how often each row is chosen, (k, 1), and 1 for never."""
    return np.maximum(np.bincount(trial.x.ravel(), minlength=len(trial.arguments["W"])), 1)[:, np.newaxis]


def _assigned(trial: Trial, order: int) -> Array:
    """Return dLdW where a row keeps the last of what comes back, or (order -1) the first."""
    dLdW = np.zeros(trial.arguments["W"].shape)
    for at in list(np.ndindex(trial.x.shape))[::order]:
        dLdW[trial.x[at]] = trial.dLdy[at]
    return dLdW


def _shifted(trial: Trial) -> Array:
    return (trial.x - 1) % len(trial.arguments["W"])


MISTAKES = (
    Mistake("not-accumulated", "dLdW",
            "dLdW has only the last dLdy of a row that is chosen several times; dLdW[x] += dLdy adds once: np.add.at",
            lambda trial: _assigned(trial, 1)),
    Mistake("not-accumulated", "dLdW", "dLdW has only the first dLdy of a row that is chosen several times: add all up",
            lambda trial: _assigned(trial, -1)),
    Mistake("scaled", "dLdW", "dLdW is the mean over the places where a row is chosen; it should be the sum",
            lambda trial: trial.gradient(trial.dLdy)["W"] / _times(trial)),
    Mistake("shifted", "y", "y has the row before the one that is chosen: rows are counted from 0",
            lambda trial: trial.reference(x=_shifted(trial))),
    Mistake("shifted", "dLdW", "dLdW has in each row what belongs to the next: rows are counted from 0",
            lambda trial: trial.gradient(trial.dLdy, x=_shifted(trial))["W"]),
)  # fmt: skip

BAD_ARGUMENTS = (
    forward_of("forward, a negative index", lambda case: case.arrays["x"] - len(case.arrays["W"])),
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(rows(**case.arrays), 0)),
    backprop_of("backprop, dLdy with an entry too many", lambda case: grown(rows(**case.arrays), -1)),
)  # fmt: skip
