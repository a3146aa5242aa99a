"""Dropout with a given mask, and with one of its own: correct layers, variants of them, planted bugs."""

from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, DIFFERENCES, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.specs.dropout import dropout, own_mask_dropout


class Product:
    """A correct layer: a product with the mask."""

    def __init__(self, keep: float) -> None:
        self.keep, self.mask = keep, np.zeros(0)

    def check(self, name: str, array: Array) -> None:
        """Raise unless the array has the shape of the mask."""
        if array.shape != self.mask.shape:
            raise ValueError(f"{name} should have the shape of the mask, {self.mask.shape}, not {array.shape}")

    def forward(self, x: Array) -> Array:
        """x (n, ...) -> y."""
        self.check("x", x)
        return self.apply(x)

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        self.check("x", x)
        self.check("dLdy", dLdy)
        return self.apply(dLdy)

    def apply(self, array: Array) -> Array:
        """Mask and scale."""
        return np.asarray(array * self.mask / self.keep)


class Chosen(Product):
    """A correct layer: only the entries that are kept are touched; Fortran-ordered results."""

    def apply(self, array: Array) -> Array:
        """Write what is kept."""
        result = np.zeros(array.shape, np.result_type(array, np.float32), order="F")
        kept = self.mask.astype(bool)
        result[kept] = array[kept] * (1 / self.keep)
        return result


class Where(Product):
    """A correct layer, in float32 for float32."""

    def apply(self, array: Array) -> Array:
        """Choose."""
        scaled = array / np.asarray(self.keep, np.result_type(array, np.float32))
        return np.asarray(np.where(self.mask == 1, scaled, np.zeros_like(scaled)))


def _forward(name: str, family: str, caught_by: str, description: str, of: Any) -> Bug:
    return row(Product, name, family, caught_by, description, forward=lambda self, x: of(self, x))


def _backprop(name: str, family: str, caught_by: str, description: str, of: Any) -> Bug:
    return row(Product, name, family, caught_by, description, backprop=lambda self, x, u: of(self, u))


DROPOUT_BUGS = (
    *everywhere(Product, exact=True, images=False, by_x=False),
    _forward("not_scaled", "term-missing", FORWARD, "y is not divided by keep", lambda self, x: x * self.mask),
    _forward("scaled_down", "wrong-formula", "complementary_masks_add_up", "y is multiplied by keep",
             lambda self, x: x * self.mask * self.keep),
    _forward("keep_taken_for_drop", "wrong-formula", FORWARD, "y is divided by 1 - keep",
             lambda self, x: x * self.mask / max(1 - self.keep, 0.125)),
    _forward("mask_inverted", "wrong-operation", "is_zero_where_the_mask_is", "1 drops an entry",
             lambda self, x: x * (1 - self.mask) / self.keep),
    _forward("never_drops", "wrong-operation", "is_zero_where_the_mask_is", "y is x, as if not in training",
             lambda self, x: x.copy()),
    _forward("share_of_the_mask", "scaled", FORWARD, "y is divided by the mean of the mask",
             lambda self, x: x * self.mask / max(self.mask.mean(), 1e-9)),
    _backprop("gradient_not_masked", "term-missing", ADJOINT, "dLdx leaves out the mask",
              lambda self, u: u / self.keep),
    _backprop("gradient_not_scaled", "term-missing", ADJOINT, "dLdx is not divided by keep",
              lambda self, u: u * self.mask),
    _backprop("gradient_passed_on", "wrong-operation", DIFFERENCES, "dLdx is dLdy", lambda self, u: u.copy()),
    _backprop("gradient_mask_inverted", "wrong-operation", "is_zero_where_the_mask_is",
              "dLdx has the mask the wrong way round", lambda self, u: u * (1 - self.mask) / self.keep),
    row(Product, "mask_drawn_anew", "non-deterministic", "history_is_irrelevant", "forward draws a mask of its own",
        forward=lambda self, x: x * np.random.default_rng().integers(0, 2, x.shape) / self.keep),
    row(Product, "eight_images", "hard-coded-size", "is_exact_at_a_realistic_size",
        "dLdx of images after the eighth is lost",
        backprop=lambda self, x, u: Product.backprop(self, x, u) * (np.arange(len(u)) < 8).reshape(
            -1, *[1] * (u.ndim - 1))),
    row(Product, "flat_gradient", "wrong-shape", "gradients_have_the_shapes_of_their_arguments",
        "dLdx is of the kept entries only", backprop=lambda self, x, u: (u * self.mask / self.keep)[self.mask > 0]),
)  # fmt: skip


class Drawn:
    """A correct layer that draws its mask."""

    def __init__(self, keep: float) -> None:
        self.keep, self.mask = keep, np.zeros(0)

    def forward(self, x: Array) -> Array:
        """x (n, ...) -> y."""
        self.mask = self.draw(x) / self.keep
        return np.asarray(x * self.mask)

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        return np.asarray(dLdy * self.mask)

    def draw(self, x: Array) -> Array:
        """Return a mask of zeros and ones."""
        return np.random.random(x.shape) < self.keep


class Generated(Drawn):
    """With a generator of its own."""

    def draw(self, x: Array) -> Array:
        """Return a mask of zeros and ones."""
        self.random = getattr(self, "random", None) or np.random.default_rng()
        return self.random.random(x.shape) < self.keep


DROPPED, SAME = "every_entry_is_dropped_or_kept", "backprop_has_the_mask_of_forward"
SHARE, ANEW = "keeps_the_share_that_is_declared", "draws_a_mask_for_each_call_and_image"
OWN_MASK_BUGS = (
    row(Drawn, "own_not_scaled", "term-missing", DROPPED, "y is not divided by keep",
        forward=lambda self, x: Drawn.forward(self, x) * self.keep),
    row(Drawn, "own_scaled_by_the_share", "scaled", DROPPED, "y is divided by the share kept, not by keep",
        forward=lambda self, x: Drawn.forward(self, x) * self.keep / max(np.mean(self.mask > 0), 1e-9)),
    row(Drawn, "own_gradient_not_scaled", "term-missing", SAME, "dLdx is not divided by keep",
        backprop=lambda self, x, u: u * (self.mask > 0)),
    row(Drawn, "own_gradient_of_another_mask", "wrong-operation", SAME, "backprop draws a mask of its own",
        backprop=lambda self, x, u: u * self.draw(u) / self.keep),
    row(Generated, "own_keep_for_drop", "wrong-operation", SHARE, "keep is taken for the rate that is dropped",
        draw=lambda self, x: np.random.random(x.shape) >= self.keep),
    row(Drawn, "own_mask_of_the_first_call", "keeps-state", ANEW, "the mask is drawn once",
        draw=lambda self, x: np.random.default_rng(0).random(x.shape) < self.keep),
    row(Drawn, "own_mask_of_an_image", "batch-coupled", ANEW, "all images have the same mask",
        draw=lambda self, x: np.random.random(x.shape[1:]) < self.keep if x.ndim > 1 else Drawn.draw(self, x)),
)  # fmt: skip

SECTIONS = (
    Section(dropout, (Product, Chosen, Where), DROPOUT_BUGS),
    Section(own_mask_dropout, (Drawn, Generated), OWN_MASK_BUGS),
)
