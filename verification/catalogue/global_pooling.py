"""Pooling over all of each channel: correct layers and planted bugs."""

from functools import partial
from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, DIFFERENCES, FORWARD, row
from verification.catalogue.bug import Bug, Section
from verification.catalogue.pooling_nd import CONSTANT, HISTORY, of_any
from verification.specs.global_pooling import global_average_pooling, global_max_pooling


class GlobalLargest:
    """A correct layer: the first of the largest entries of each channel."""

    def flat(self, x: Array) -> Array:
        """(n, c, h, w) -> (n, c, h * w), or raise."""
        if x.ndim != 4 or 0 in x.shape[2:]:
            raise ValueError(f"x should be (n, c, h, w) and have pixels, but its shape is {x.shape}")
        return x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of forward(x)."""
        if x.ndim != 4 or dLdy.shape != x.shape[:2]:
            raise ValueError(f"dLdy should have shape {x.shape[:2]}, but its shape is {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, c, h, w) -> y (n, c)."""
        return self.pool(self.flat(x))

    def pool(self, flat: Array) -> Array:
        """(n, c, h * w) -> (n, c)."""
        return np.asarray(flat.max(axis=2))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        u = dLdy.astype(np.result_type(dLdy, np.float32))[..., np.newaxis]
        return np.asarray((self.share(self.flat(x)).astype(u.dtype) * u).reshape(x.shape))

    def share(self, flat: Array) -> Array:
        """Return the part of dLdy that each entry takes, (n, c, h * w)."""
        return np.asarray(flat.argmax(axis=2)[..., np.newaxis] == np.arange(flat.shape[2]))


class GlobalLargestShared(GlobalLargest):
    """A correct layer: np.maximum.reduce over rows and columns, and equal entries share the gradient evenly."""

    def forward(self, x: Array) -> Array:
        """Reduce rows, then columns."""
        self.flat(x)
        return np.asarray(np.maximum.reduce(np.maximum.reduce(x, axis=3), axis=2))

    def share(self, flat: Array) -> Array:
        """Divide by the number of entries that are the largest."""
        tied = flat == flat.max(axis=2, keepdims=True)
        return np.asarray(tied / tied.sum(axis=2, keepdims=True))


class GlobalAverage(GlobalLargest):
    """A correct layer: the mean of each channel."""

    def pool(self, flat: Array) -> Array:
        """Take the mean."""
        return np.asarray(flat.mean(axis=2))

    def share(self, flat: Array) -> Array:
        """Return 1 / (h w) everywhere."""
        return np.full(flat.shape, 1 / flat.shape[2])


class GlobalAverageProduct(GlobalAverage):
    """A correct layer: a product with ones, divided; an outer product for the gradient."""

    def forward(self, x: Array) -> Array:
        """Sum by einsum."""
        self.flat(x)
        return np.asarray(np.einsum("nchw->nc", x.astype(np.result_type(x, np.float32))) / (x.shape[2] * x.shape[3]))

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """Divide and repeat."""
        self.check(x, dLdy)
        share = (dLdy / (x.shape[2] * x.shape[3])).astype(np.result_type(dLdy, np.float32))
        return np.repeat(np.repeat(share[..., np.newaxis, np.newaxis], x.shape[2], axis=2), x.shape[3], axis=3)


# Small changes


def _of_both(base: Any, gradients: str) -> tuple[Bug, ...]:
    """Return the bugs that both layers may have."""

    def kept(self: Any, x: Array) -> Array:
        self.x = x.copy()
        return np.asarray(base.forward(self, x))

    def of_kept(self: Any, x: Array, u: Array) -> Array:
        last = getattr(self, "x", x)
        return np.asarray(base.backprop(self, x, u) * (1 + (last.shape == x.shape and last.sum() != x.sum())))

    def cleared(self: Any, x: Array, u: Array) -> Array:
        dLdx = np.asarray(base.backprop(self, x, u))
        u[...] = 0
        return dLdx

    return (
        row(base, "kept_dimensions", "wrong-shape", FORWARD, "y is (n, c, 1, 1)",
            forward=lambda self, x: base.forward(self, x)[..., np.newaxis, np.newaxis]),
        row(base, "last_row_lost", "border-missing", FORWARD, "the last row of x is left out",
            forward=lambda self, x: base.forward(self, x[:, :, : max(1, x.shape[2] - 1)])),
        row(base, "other_x", "keeps-state", HISTORY, "backprop doubles dLdx if the last x was another",
            forward=kept, backprop=of_kept),
        row(base, "dLdy_cleared", "mutates-argument", "arguments_are_left_alone", "backprop clears dLdy",
            backprop=cleared),
        *of_any(base, gradients),
    )  # fmt: skip


_max = partial(row, GlobalLargest)
_mean = partial(row, GlobalAverage)

MAX_BUGS = (
    _max("starts_at_zero", "zero-start", CONSTANT, "the running maximum starts at 0",
          pool=lambda self, flat: np.maximum(flat.max(axis=2), 0)),
    _max("all_to_every_tie", "full-gradient-to-ties", "global_gradient_is_a_subgradient",
          "every tied entry takes all of dLdy", share=lambda self, flat: flat == flat.max(axis=2, keepdims=True)),
    _max("mean_gradient", "wrong-operation", DIFFERENCES, "dLdx spreads dLdy evenly", share=GlobalAverage.share),
    _max("over_all_channels", "channels-mixed", FORWARD, "y is the largest entry of the image, whatever the channel",
          pool=lambda self, flat: flat.max(axis=2) * 0 + flat.max(axis=(1, 2), initial=-np.inf)[:, np.newaxis]),
    _max("height_and_width_swapped", "axes-swapped", DIFFERENCES, "dLdx is that of x with its axes swapped",
          backprop=lambda self, x, u: np.ascontiguousarray(
              GlobalLargest.backprop(self, x, u).swapaxes(2, 3)).reshape(x.shape)),
    *_of_both(GlobalLargest, DIFFERENCES),
)  # fmt: skip

AVERAGE_BUGS = (
    _mean("sums", "term-missing", FORWARD, "sums are not divided", pool=lambda self, flat: flat.sum(axis=2)),
    _mean("gradient_not_divided", "term-missing", ADJOINT, "dLdx is not divided",
           share=lambda self, flat: np.ones(flat.shape)),
    _mean("first_entry_takes_all", "wrong-operation", "gradient_is_the_same_all_over_a_channel",
           "all of dLdy goes to one entry", share=lambda self, flat: np.arange(flat.shape[2]) == flat.argmax(axis=2)[..., None]),
    _mean("largest", "wrong-operation", FORWARD, "y is the largest entry", pool=lambda self, flat: flat.max(axis=2)),
    _mean("absolute_values", "wrong-formula", CONSTANT, "absolute values are averaged",
           pool=lambda self, flat: abs(flat).mean(axis=2)),
    *_of_both(GlobalAverage, ADJOINT),
)  # fmt: skip

SECTIONS = (
    Section(global_max_pooling, (GlobalLargest, GlobalLargestShared), MAX_BUGS),
    Section(global_average_pooling, (GlobalAverage, GlobalAverageProduct), AVERAGE_BUGS),
)
