"""Embedding: correct layers and planted bugs."""

from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, FORWARD, SHAPES, everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.specs.embedding import embedding


class AddAt:
    """A correct embedding: indexing, and np.add.at."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        self.W: Array = np.zeros((num_embeddings, embedding_dim))

    def check(self, x: Array) -> None:
        """Raise unless x chooses rows."""
        if x.dtype.kind not in "iu" or not ((x >= 0) & (x < len(self.W))).all():
            raise ValueError(f"x should be of integers from 0 to {len(self.W) - 1}, but it is {x}")

    def forward(self, x: Array) -> Array:
        """x (n, ...) -> y (n, ..., d)."""
        self.check(x)
        return self.chosen(x)

    def chosen(self, x: Array) -> Array:
        """Return the rows."""
        return np.array(self.W[x])

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdW."""
        self.check(x)
        if dLdy.shape != (shape := (*x.shape, self.W.shape[1])):
            raise ValueError(f"dLdy should have shape {shape}, but its shape is {dLdy.shape}")
        return self.table_gradient(x, dLdy)

    def table_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdW."""
        dLdW = np.zeros(self.W.shape, dLdy.dtype)
        np.add.at(dLdW, x, dLdy)
        return dLdW


class OneHot(AddAt):
    """A correct embedding: products with a matrix that has a 1 where a row is chosen."""

    def hot(self, x: Array, dtype: Any) -> Array:
        """Return (entries of x, rows of W)."""
        return np.asarray(x.reshape(-1, 1) == np.arange(len(self.W)), dtype)

    def chosen(self, x: Array) -> Array:
        """Multiply with W."""
        y = self.hot(x, self.W.dtype) @ self.W
        return np.asfortranarray(y.reshape(*x.shape, self.W.shape[1]))

    def table_gradient(self, x: Array, dLdy: Array) -> Array:
        """Multiply with dLdy."""
        return np.asarray(self.hot(x, dLdy.dtype).T @ dLdy.reshape(x.size, self.W.shape[1]))


def _embedding(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
    return row(AddAt, name, family, caught_by, description, **methods)


def _assigned(self: Any, x: Array, u: Array) -> Array:
    dLdW = np.zeros(self.W.shape, u.dtype)
    dLdW[x] += u
    return dLdW


def _averaged(self: Any, x: Array, u: Array) -> Array:
    times = np.maximum(np.bincount(x.ravel(), minlength=len(self.W)), 1)
    return np.asarray(AddAt.table_gradient(self, x, u) / times[:, np.newaxis])


def _bytes(self: Any, x: Array) -> Array:
    """Count places in the flat table in the dtype of x, which is too small for them."""
    start = (x * np.asarray(self.W.shape[1], x.dtype) * np.asarray(60, x.dtype)).astype(int) // 60
    return np.array(np.take(self.W.ravel(), np.add.outer(start, np.arange(self.W.shape[1])), mode="clip"))


NOT_HERE = ("first_image_taken_off", "float32_forward", "cut_to_integers", "empty_batch_fails", "float16_results")
"""Bugs of any layer that reckon with x, which are none where x chooses."""

BUGS = (
    *(bug for bug in everywhere(AddAt, exact=True) if bug.name not in NOT_HERE),
    _embedding("float32_forward", "float32-inside", "rounding_stays_within_the_bound", "the table is of float32",
               chosen=lambda self, x: self.W.astype(np.float32)[x].astype(float)),
    _embedding("added_once", "not-accumulated", ADJOINT, "dLdW[x] += dLdy, which adds once", table_gradient=_assigned),
    _embedding("averaged", "scaled", ADJOINT, "dLdW is the mean over the places where a row is chosen",
               table_gradient=_averaged),
    _embedding("counted_from_one", "shifted", FORWARD, "rows are counted from 1", chosen=lambda self, x: self.W[x - 1]),
    _embedding("gradient_counted_from_one", "shifted", ADJOINT, "dLdW counts rows from 1",
               table_gradient=lambda self, x, u: AddAt.table_gradient(self, (x - 1) % len(self.W), u)),
    _embedding("sorted", "batch-coupled", "batch_items_are_independent", "rows come in the order of their numbers",
               chosen=lambda self, x: self.W[np.sort(x, axis=0)]),
    _embedding("gradient_of_chosen_rows", "wrong-shape", SHAPES, "dLdW has only the rows that are chosen",
               table_gradient=lambda self, x, u: AddAt.table_gradient(self, x, u)[np.unique(x)]),
    _embedding("places_in_bytes", "integer-truncation", "integers_count_as_real_numbers",
               "places in the table are counted in the dtype of x", chosen=_bytes),
    _embedding("float16_results", "float32-inside", "float32_in_stays_within_its_bound", "a table of float32 gives float16",
               chosen=lambda self, x: self.W[x].astype(np.float16 if self.W.dtype == np.float32 else float)),
    _embedding("empty_batch_fails", "empty-batch", "an_empty_batch_gives_empty_results", "forward looks at the largest x",
               chosen=lambda self, x: self.W[x + 0 * x.max()]),
    _embedding("twenty_steps", "hard-coded-size", "is_exact_at_a_realistic_size", "dLdW leaves out what comes after step 20",
               table_gradient=lambda self, x, u: AddAt.table_gradient(self, x[:, :20], u[:, :20]) if x.ndim > 1
               else AddAt.table_gradient(self, x, u)),
)  # fmt: skip

SECTIONS = (Section(embedding, (AddAt, OneHot), BUGS),)
