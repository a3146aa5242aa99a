"""A dense layer and flattening: correct layers, variants of them, planted bugs."""

from functools import partial
from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.any_layer import everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.specs.dense import dense, flatten

FORWARD, DIFFERENCES = "forward_matches_reference", "backprop_matches_directional_differences"
ADJOINT, SHAPES = "backprop_is_the_adjoint", "gradients_have_the_shapes_of_their_arguments"


class Product:
    """A correct dense layer: matrix products."""

    def __init__(self, in_features: int, out_features: int) -> None:
        self.W: Array = np.zeros((in_features, out_features))
        self.b: Array = np.zeros(out_features)

    def check(self, x: Array, dLdy: Array | None = None) -> None:
        """Raise unless x, and dLdy if given, have the right shapes."""
        if x.ndim != 2 or x.shape[1] != len(self.W):
            raise ValueError(f"x should be (n, {len(self.W)}), but its shape is {x.shape}")
        if dLdy is not None and dLdy.shape != (len(x), len(self.b)):
            raise ValueError(f"dLdy should be {(len(x), len(self.b))}, but its shape is {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, in) -> y (n, out)."""
        self.check(x)
        return np.asarray(x @ self.W + self.b)

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """x, dLdy -> dLdx, dLdW, dLdb."""
        self.check(x, dLdy)
        return self.input_gradient(x, dLdy), self.weight_gradient(x, dLdy), self.bias_gradient(dLdy)

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdx."""
        return np.asarray(dLdy @ self.W.T)

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdW."""
        return np.asarray(x.T @ dLdy)

    def bias_gradient(self, dLdy: Array) -> Array:
        """Return dLdb."""
        return np.asarray(dLdy.sum(axis=0))


class Augmented(Product):
    """A correct layer: the bias as one more row of W, for a feature that is always 1; Fortran-ordered results."""

    def forward(self, x: Array) -> Array:
        """One product."""
        self.check(x)
        return np.asfortranarray(self.with_one(x) @ np.vstack([self.W, self.b]))

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Take the augmented gradient apart."""
        self.check(x, dLdy)
        both = self.with_one(x).T @ dLdy
        return np.asfortranarray(dLdy @ self.W.T), np.asfortranarray(both[:-1]), both[-1].copy()

    def with_one(self, x: Array) -> Array:
        """x (n, in) -> (n, in + 1)."""
        return np.hstack([x, np.ones((len(x), 1), np.result_type(x.dtype, np.float32))])


class ImageByImage(Product):
    """A correct layer: einsum, and gradients added up image by image; W kept as (out, in) would be."""

    def forward(self, x: Array) -> Array:
        """Contract."""
        self.check(x)
        return np.asarray(np.einsum("ni,io->no", x, self.W) + self.b)

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Add outer products."""
        self.check(x, dLdy)
        dtype = np.result_type(x, dLdy, self.W)
        dLdx, dLdW, dLdb = np.zeros(x.shape, dtype), np.zeros(self.W.shape, dtype), np.zeros(self.b.shape, dtype)
        for i, (image, upstream) in enumerate(zip(x, dLdy, strict=True)):
            dLdx[i] = self.W @ upstream
            dLdW += image[:, np.newaxis] * upstream
            dLdb += upstream
        return dLdx, dLdW, dLdb


def _square(W: Array) -> bool:
    return len(set(W.shape)) == 1


_dense = partial(row, Product)

DENSE_BUGS = (
    *everywhere(Product, exact=True),
    _dense("bias_forgotten", "bias-missing", FORWARD, "forward adds no bias", forward=lambda self, x: (
        Product.forward(self, x) - self.b)),
    _dense("bias_twice", "scaled", FORWARD, "forward adds the bias twice", forward=lambda self, x: (
        Product.forward(self, x) + self.b)),
    _dense("first_bias", "bias-missing", FORWARD, "forward adds b[0] to every feature", forward=lambda self, x: (
        Product.forward(self, x) - self.b + self.b[:1])),
    _dense("W_transposed_if_square", "axes-swapped", FORWARD, "y is x @ W.T where W is square",
           forward=lambda self, x: Product.forward(self, x) if not _square(self.W) else x @ self.W.T + self.b),
    _dense("last_feature_weighted", "channels-mixed", "permutes_with_its_features", "the last feature counts twice",
           forward=lambda self, x: Product.forward(self, x) + x[:, -1:] * self.W[-1]),
    _dense("W_not_transposed_if_square", "axes-swapped", ADJOINT, "dLdx is dLdy @ W where W is square",
           input_gradient=lambda self, x, u: u @ (self.W if _square(self.W) else self.W.T)),
    _dense("dLdW_transposed", "axes-swapped", SHAPES, "dLdW is dLdy.T @ x",
           weight_gradient=lambda self, x, u: u.T @ x),
    _dense("dLdW_averaged", "batch-averaged", ADJOINT, "dLdW is divided by the number of images",
           weight_gradient=lambda self, x, u: x.T @ u / max(1, len(x))),
    _dense("dLdb_averaged", "batch-averaged", ADJOINT, "dLdb is the mean over the batch",
           bias_gradient=lambda self, u: u.sum(axis=0) / max(1, len(u))),
    _dense("dLdb_of_the_first_image", "batch-not-summed", ADJOINT, "dLdb leaves out all images but the first",
           bias_gradient=lambda self, u: u[:1].sum(axis=0)),
    _dense("dLdb_not_summed", "bias-not-summed", SHAPES, "dLdb is dLdy, not summed",
           bias_gradient=lambda self, u: u.copy()),
    _dense("dLdb_kept_dims", "wrong-shape", SHAPES, "dLdb is (1, out)",
           bias_gradient=lambda self, u: u.sum(axis=0, keepdims=True)),
    _dense("dLdW_assigned", "not-accumulated", ADJOINT, "dLdW is assigned, not added, image by image",
           weight_gradient=lambda self, x, u: x[-1:].T @ u[-1:]),
    _dense("dLdx_negated", "sign", ADJOINT, "dLdx is negated", input_gradient=lambda self, x, u: -u @ self.W.T),
    _dense("dLdb_times_b", "wrong-formula", ADJOINT, "dLdb is multiplied by b",
           bias_gradient=lambda self, u: u.sum(axis=0) * self.b),
    _dense("gradient_of_another_forward", "scaled", DIFFERENCES, "forward doubles W, backprop does not know",
           forward=lambda self, x: x @ (2 * self.W) + self.b),
    _dense("sixteen_images", "hard-coded-size", "is_exact_at_a_realistic_size", "images after the sixteenth are lost",
           weight_gradient=lambda self, x, u: x[:16].T @ u[:16]),
)  # fmt: skip


class Reshape:
    """A correct flattening: reshape, copied."""

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if dLdy.shape != (len(x), int(np.prod(x.shape[1:]))):
            raise ValueError(f"dLdy should have the shape of forward(x) for x {x.shape}, not {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, ...) -> (n, entries of an image)."""
        return x.reshape(len(x), int(np.prod(x.shape[1:]))).copy()

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        return dLdy.reshape(x.shape).copy()


class OneByOne(Reshape):
    """A correct flattening: entry by entry, counting."""

    def forward(self, x: Array) -> Array:
        """Read in row-major order."""
        y = np.empty((len(x), int(np.prod(x.shape[1:]))), x.dtype, order="F")
        for i, image in enumerate(x):
            y[i] = list(image.flat)
        return y

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Write in row-major order."""
        self.check(x, dLdy)
        dLdx = np.zeros(x.shape, dLdy.dtype, order="F")
        for place, index in enumerate(np.ndindex(x.shape[1:])):
            where: Any = (slice(None), *index)
            dLdx[where] = dLdy[:, place]
        return dLdx


def _flatten(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
    return row(Reshape, name, family, caught_by, description, **methods)


FLATTEN_BUGS = (
    *everywhere(Reshape, exact=True, by_x=False),
    _flatten("column_major", "axes-swapped", FORWARD, "y is in column-major order",
             forward=lambda self, x: x.reshape(Reshape.forward(self, x).shape, order="F").copy()),
    _flatten("channels_last", "axes-swapped", FORWARD, "the channel runs fastest",
             forward=lambda self, x: Reshape.forward(self, np.moveaxis(x, 1, -1))),
    _flatten("batch_flattened_too", "wrong-shape", FORWARD, "y is of rank 1", forward=lambda self, x: x.ravel().copy()),
    _flatten("gradient_column_major", "axes-swapped", "backprop_undoes_forward", "dLdx is filled in column-major order",
             backprop=lambda self, x, u: u.reshape(x.shape, order="F").copy()),
    _flatten("gradient_left_flat", "wrong-shape", SHAPES, "dLdx has the shape of y",
             backprop=lambda self, x, u: u.copy()),
    _flatten("gradient_is_x", "wrong-formula", ADJOINT, "dLdx is x", backprop=lambda self, x, u: x.copy()),
    _flatten("a_view", "shares-memory", "results_share_no_memory", "y is a view of x",
             forward=lambda self, x: x.reshape(len(x), int(np.prod(x.shape[1:])))),
    _flatten("minus_one", "empty-batch", "an_empty_batch_gives_empty_results", "y is x.reshape(len(x), -1)",
             forward=lambda self, x: x.reshape(len(x), -1).copy()),
    _flatten("one_thousand_entries", "hard-coded-size", "is_exact_at_a_realistic_size", "dLdx keeps 512 entries an image",
             backprop=lambda self, x, u: Reshape.backprop(self, x, u * (np.arange(u.shape[1]) < 512))),
)  # fmt: skip

SECTIONS = (
    Section(dense, (Product, Augmented, ImageByImage), DENSE_BUGS),
    Section(flatten, (Reshape, OneByOne), FLATTEN_BUGS),
)
