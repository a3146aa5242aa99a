"""Normalization by a norm: correct layers and planted bugs."""

from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.any_layer import DIFFERENCES, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.specs.norms import l1_normalization, l2_normalization, rms_normalization

SIGNS, SCALE = "signs_carry_over", "is_invariant_to_scale"


class ByNorm:
    """What the layers below share: x / r, and backprop by r and its derivative."""

    def norm(self, x: Array) -> Array:
        """x (..., d) -> r (..., 1)."""
        raise NotImplementedError

    def slope(self, x: Array) -> Array:
        """x (..., d) -> the derivative of r by each entry."""
        raise NotImplementedError

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of x."""
        if dLdy.shape != x.shape:
            raise ValueError(f"dLdy should have the shape of x, {x.shape}, but its shape is {dLdy.shape}")

    def forward(self, x: Array) -> Array:
        """x -> y."""
        return np.asarray(x / self.norm(x))

    def backprop(self, x: Array, dLdy: Array) -> Any:
        """x, dLdy -> dLdx."""
        self.check(x, dLdy)
        return self.input_gradient(x, dLdy)

    def input_gradient(self, x: Array, u: Array) -> Array:
        """u / r - <u, x> r' / r^2."""
        r = self.norm(x)
        return np.asarray(u / r - (u * x).sum(axis=-1, keepdims=True) * self.slope(x) / r**2)


class L1(ByNorm):
    """A correct L1 normalization."""

    def norm(self, x: Array) -> Array:
        """Sum absolute values."""
        return np.asarray(abs(x).sum(axis=-1, keepdims=True))

    def slope(self, x: Array) -> Array:
        """Return the sign."""
        return np.asarray(np.sign(x))


class L1ByRows(L1):
    """A correct L1 normalization: the Jacobian of each row."""

    def input_gradient(self, x: Array, u: Array) -> Array:
        """Multiply with (I - sign y^T) / r."""
        r, y = self.norm(x), self.forward(x)
        jacobian = (np.eye(x.shape[-1]) - y[..., :, np.newaxis] * np.sign(x)[..., np.newaxis, :]) / r[..., np.newaxis]
        return np.asarray(np.einsum("...ij,...i->...j", jacobian, u))


class L2(ByNorm):
    """A correct L2 normalization."""

    def norm(self, x: Array) -> Array:
        """Take the root of the sum of squares."""
        return np.asarray(np.sqrt((x**2).sum(axis=-1, keepdims=True)))

    def slope(self, x: Array) -> Array:
        """x / r."""
        return np.asarray(x / self.norm(x))


class L2ByY(L2):
    """A correct L2 normalization: numpy.linalg.norm, with 1e-12 for a least norm; backprop from y."""

    def norm(self, x: Array) -> Array:
        """Ask NumPy."""
        return np.asarray(np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12))

    def input_gradient(self, x: Array, u: Array) -> Array:
        """(u - y <u, y>) / r; results in Fortran order."""
        y = self.forward(x)
        return np.asfortranarray((u - y * (u * y).sum(axis=-1, keepdims=True)) / self.norm(x))


class Rms(ByNorm):
    """A correct RMS normalization."""

    def __init__(self, num_features: int, eps: float) -> None:
        self.eps = eps
        self.gamma: Array = np.ones(num_features)

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless x has the right features, and dLdy the shape of x."""
        if x.shape[-1] != len(self.gamma):
            raise ValueError(f"x should have {len(self.gamma)} features, but its shape is {x.shape}")
        super().check(x, dLdy)

    def norm(self, x: Array) -> Array:
        """sqrt(mean of squares + eps)."""
        return np.asarray(np.sqrt((x**2).mean(axis=-1, keepdims=True) + self.eps))

    def slope(self, x: Array) -> Array:
        """x / (d r)."""
        return np.asarray(x / (x.shape[-1] * self.norm(x)))

    def forward(self, x: Array) -> Array:
        """gamma x / r."""
        self.check(x, x)
        return self.gamma * ByNorm.forward(self, x)

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array]:
        """x, dLdy -> dLdx, dLdgamma."""
        self.check(x, dLdy)
        return self.input_gradient(x, dLdy * self.gamma), self.gamma_gradient(x, dLdy)

    def gamma_gradient(self, x: Array, dLdy: Array) -> Array:
        """Return dLdgamma."""
        return np.asarray((dLdy * x / self.norm(x)).sum(axis=tuple(range(x.ndim - 1))))


class RmsByY(Rms):
    """A correct RMS normalization: with z = x / r, (u - z mean(u z)) / r."""

    def input_gradient(self, x: Array, u: Array) -> Array:
        """Subtract what z has of it."""
        r = np.sqrt(np.einsum("...i,...i->...", x, x)[..., np.newaxis] / x.shape[-1] + self.eps)
        z = x / r
        return np.asarray((u - z * (u * z).mean(axis=-1, keepdims=True)) / r)


def _bugs(base: Any, *own: tuple[str, str, str, str, dict[str, Any]]) -> tuple[Bug, ...]:
    def bug(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
        return row(base, name, family, caught_by, description, **methods)

    return (
        *everywhere(base, exact=False),
        bug("norm_is_constant", "term-missing", DIFFERENCES, "dLdx leaves out the derivative of the norm",
            slope=lambda self, x: np.zeros(x.shape)),
        bug("slope_negated", "sign", DIFFERENCES, "the derivative of the norm has the wrong sign",
            slope=lambda self, x: -base.slope(self, x)),
        bug("over_everything", "wrong-formula", FORWARD, "the norm is that of the whole array",
            norm=lambda self, x: base.norm(self, x.reshape(1, -1)).reshape([1] * x.ndim) if x.size else base.norm(self, x)),
        *(row(base, *texts, **methods) for *texts, methods in own),
    )  # fmt: skip


SECTIONS = (
    Section(l1_normalization, (L1, L1ByRows), _bugs(
        L1,
        ("root_of_squares", "wrong-formula", FORWARD, "r is the L2 norm", {"norm": L2.norm}),
        ("sum_itself", "wrong-formula", SIGNS, "r is the sum, without absolute values",
         {"norm": lambda self, x: x.sum(axis=-1, keepdims=True)}),
        ("slope_is_one", "term-missing", DIFFERENCES, "the derivative of |x| is 1",
         {"slope": lambda self, x: np.ones(x.shape)}),
        ("plus_one", "wrong-formula", SCALE, "1e-3 is added to the norm",
         {"norm": lambda self, x: L1.norm(self, x) + 1e-3}),
    )),
    Section(l2_normalization, (L2, L2ByY), _bugs(
        L2,
        ("root_forgotten", "wrong-formula", SCALE, "r is the sum of squares",
         {"norm": lambda self, x: (x**2).sum(axis=-1, keepdims=True)}),
        ("absolute_values", "wrong-formula", FORWARD, "r is the L1 norm", {"norm": L1.norm}),
        ("sum_of_products", "wrong-formula", SIGNS, "r is by the product of neighbours",
         {"norm": lambda self, x: np.sqrt(abs((x * x[..., ::-1]).sum(axis=-1, keepdims=True)))}),
        ("slope_is_x", "wrong-formula", DIFFERENCES, "the derivative of the norm is x", {"slope": lambda self, x: x}),
    )),
    Section(rms_normalization, (Rms, RmsByY), _bugs(
        Rms,
        ("eps_forgotten", "term-missing", FORWARD, "eps is left out",
         {"norm": lambda self, x: np.sqrt((x**2).mean(axis=-1, keepdims=True))}),
        ("eps_outside", "wrong-formula", SCALE, "eps is added to the root",
         {"norm": lambda self, x: np.sqrt((x**2).mean(axis=-1, keepdims=True)) + self.eps}),
        ("sum_of_squares", "wrong-formula", FORWARD, "squares are summed, not averaged",
         {"norm": lambda self, x: np.sqrt((x**2).sum(axis=-1, keepdims=True) + self.eps)}),
        ("centred", "wrong-operation", SIGNS, "y is that of layer normalization",
         {"forward": lambda self, x: self.gamma * (c := x - x.mean(axis=-1, keepdims=True)) / self.norm(c)}),
        ("slope_without_size", "term-missing", DIFFERENCES, "the number of features is left out",
         {"slope": lambda self, x: x / self.norm(x)}),
        ("gamma_forgotten", "term-missing", DIFFERENCES, "dLdx leaves out gamma",
         {"input_gradient": lambda self, x, u: ByNorm.input_gradient(self, x, u / self.gamma)}),
        ("gamma_gradient_of_x", "wrong-formula", DIFFERENCES, "dLdgamma is the sum of dLdy x",
         {"gamma_gradient": lambda self, x, u: (u * x).sum(axis=tuple(range(x.ndim - 1)))}),
        ("gamma_gradient_of_one_step", "wrong-shape", "gradients_have_the_shapes_of_their_arguments",
         "dLdgamma is summed over the batch alone", {"gamma_gradient": lambda self, x, u: (u * x / self.norm(x)).sum(axis=0)}),
    )),
)  # fmt: skip
