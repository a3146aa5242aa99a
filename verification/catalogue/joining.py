"""Layers of several inputs: sum, product, attention. Correct layers and planted bugs."""

from typing import Any

import numpy as np
from scipy import special

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, DIFFERENCES, FORWARD, SHAPES, everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.specs.attention import attention
from verification.specs.joining import multiply, residual_add


class Add:
    """A correct sum."""

    def check(self, x: Array, dLdy: Array) -> None:
        """Raise unless dLdy has the shape of x."""
        if dLdy.shape != x.shape:
            raise ValueError(f"dLdy should have the shape of x, {x.shape}, but its shape is {dLdy.shape}")

    def forward(self, x: Array, h: Array) -> Array:
        """x, h -> y."""
        return np.asarray(x + h)

    def backprop(self, x: Array, h: Array, dLdy: Array) -> tuple[Array, Array]:
        """x, h, dLdy -> dLdx, dLdh."""
        self.check(x, dLdy)
        return dLdy.copy(), dLdy.copy()


class AddInPlace(Add):
    """A correct sum: added to a copy; results in Fortran order."""

    def forward(self, x: Array, h: Array) -> Array:
        """Add."""
        y = np.array(x, np.result_type(x, h), order="F")
        y += h
        return y


class Multiply(Add):
    """A correct product."""

    def forward(self, x: Array, h: Array) -> Array:
        """x, h -> y."""
        return np.asarray(x * h)

    def backprop(self, x: Array, h: Array, dLdy: Array) -> tuple[Array, Array]:
        """x, h, dLdy -> dLdx, dLdh."""
        self.check(x, dLdy)
        return dLdy * h, dLdy * x


class MultiplyEntries(Multiply):
    """A correct product: by einsum over the entries."""

    def forward(self, x: Array, h: Array) -> Array:
        """Multiply."""
        return np.asarray(np.einsum("i,i->i", x.ravel(), h.ravel()).reshape(x.shape))


class Attention:
    """A correct attention: einsum."""

    def weights(self, x: Array, k: Array) -> Array:
        """(n, t, d), (n, s, d) -> (n, t, s)."""
        return np.asarray(special.softmax(self.scores(x, k), axis=2))

    def scores(self, x: Array, k: Array) -> Array:
        """Return the products, scaled."""
        return np.asarray(np.einsum("ntd,nsd->nts", x, k) * self.scale(x))

    def scale(self, x: Array) -> float:
        """1 / sqrt(d)."""
        return float(x.shape[2] ** -0.5)

    def forward(self, x: Array, k: Array, v: Array) -> Array:
        """x, k, v -> y (n, t, e)."""
        return np.asarray(np.einsum("nts,nse->nte", self.weights(x, k), v))

    def backprop(self, x: Array, k: Array, v: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """x, k, v, dLdy -> dLdx, dLdk, dLdv."""
        if dLdy.shape != (shape := (*x.shape[:2], v.shape[2])):
            raise ValueError(f"dLdy should have shape {shape}, but its shape is {dLdy.shape}")
        a = self.weights(x, k)
        scores = self.score_gradient(a, np.einsum("nte,nse->nts", dLdy, v)) * self.scale(x)
        return self.pulled(scores, k), self.pulled(scores.swapaxes(1, 2), x), self.pulled(a.swapaxes(1, 2), dLdy)

    def score_gradient(self, a: Array, u: Array) -> Array:
        """Return a (u - the sum of a u over the keys)."""
        return np.asarray(a * (u - (a * u).sum(axis=2, keepdims=True)))

    def pulled(self, weights: Array, array: Array) -> Array:
        """(n, t, s), (n, s, d) -> (n, t, d)."""
        return np.asarray(weights @ array)


class AttentionByJacobian(Attention):
    """A correct attention: exp of the scores, divided; the Jacobian of softmax; results in Fortran order."""

    def weights(self, x: Array, k: Array) -> Array:
        """Divide."""
        e = np.exp(self.scores(x, k))
        return np.asfortranarray(e / e.sum(axis=2, keepdims=True))

    def score_gradient(self, a: Array, u: Array) -> Array:
        """Multiply with diag(a) - a a^T."""
        jacobian = np.eye(a.shape[2]) * a[..., np.newaxis] - a[..., np.newaxis] * a[..., np.newaxis, :]
        return np.asarray(np.einsum("ntij,ntj->nti", jacobian, u))


def _h_cleared(base: Any) -> Any:
    def forward(self: Any, x: Array, h: Array, *more: Array) -> Array:
        y = base.forward(self, x, h, *more)
        h[...] = 0
        return np.asarray(y)

    return forward


def _keeps_h(base: Any) -> dict[str, Any]:
    def forward(self: Any, x: Array, h: Array, *more: Array) -> Array:
        self.kept_h = h
        return np.asarray(base.forward(self, x, h, *more))

    return {
        "forward": forward,
        "backprop": lambda self, x, h, *more: base.backprop(self, x, self.__dict__.get("kept_h", h), *more),
    }


def _bugs(
    base: Any, *own: tuple[str, str, str, str, dict[str, Any]], exact: bool, by_x: bool = True
) -> tuple[Bug, ...]:
    """Return the bugs of any layer, of any layer with a second input, and its own."""
    return (
        *everywhere(base, exact=exact, images=False, by_x=by_x),
        row(base, "second_input_cleared", "mutates-argument", "arguments_are_left_alone", "forward sets h to 0",
            forward=_h_cleared(base)),
        *((row(base, "remembers_the_second_input", "keeps-state", "history_is_irrelevant",
            "backprop uses the h of the last forward", **_keeps_h(base)),) if by_x else ()),
        # Of a product that is to multiply by the wrong one of the two.
        row(base, "gradients_the_wrong_way_round", "wrong-formula" if base is Multiply else "return-order", SHAPES if base is Attention else ADJOINT,
            "dLdh comes before dLdx", backprop=lambda self, *given: (g := base.backprop(self, *given))[1::-1] + g[2:])
        if by_x else row(base, "gradients_shared", "shares-memory", "results_share_no_memory", "dLdh is dLdx itself",
                         backprop=lambda self, x, h, u: (g := u.copy(), g)),
        row(base, "one_gradient", "unfinished", SHAPES, "backprop returns dLdx alone",
            backprop=lambda self, *given: base.backprop(self, *given)[0]),
        *(row(base, *texts, **methods) for *texts, methods in own),
    )  # fmt: skip


def _of(form: Any) -> dict[str, Any]:
    return {"backprop": lambda self, x, h, u: form(x, h, u)}


_FIRST = {"forward": lambda self, x, h: self.__class__.__mro__[1].forward(
    self, x * (np.arange(len(x)) < 3).reshape(-1, *[1] * (x.ndim - 1)), h)}  # fmt: skip

SECTIONS = (
    Section(residual_add, (Add, AddInPlace), _bugs(
        Add,
        ("difference", "wrong-operation", FORWARD, "y is x - h", {"forward": lambda self, x, h: x - h}),
        ("x_alone", "term-missing", FORWARD, "y is x", {"forward": lambda self, x, h: x.copy()}),
        ("a_view", "shares-memory", "results_share_no_memory", "dLdx is dLdy itself", _of(lambda x, h, u: (u, u.copy()))),
        ("gradient_of_a_product", "wrong-formula", ADJOINT, "dLdx is dLdy h", _of(lambda x, h, u: (u * h, u.copy()))),
        ("three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are added", _FIRST),
        exact=True, by_x=False,
    )),
    Section(multiply, (Multiply, MultiplyEntries), _bugs(
        Multiply,
        ("sum", "wrong-operation", FORWARD, "y is x + h", {"forward": lambda self, x, h: x + h}),
        ("gradient_of_a_sum", "term-missing", ADJOINT, "dLdh is dLdy", _of(lambda x, h, u: (u * h, u.copy()))),
        ("times_itself", "wrong-formula", ADJOINT, "dLdx is dLdy x", _of(lambda x, h, u: (u * x, u * x))),
        ("three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "only the first three images are multiplied", _FIRST),
        exact=True,
    )),
    Section(attention, (Attention, AttentionByJacobian), _bugs(
        Attention,
        ("not_scaled", "term-missing", FORWARD, "products are not divided by sqrt(d)",
         {"scores": lambda self, x, k: np.einsum("ntd,nsd->nts", x, k)}),
        ("divided_by_d", "wrong-formula", FORWARD, "products are divided by d",
         {"scores": lambda self, x, k: np.einsum("ntd,nsd->nts", x, k) / x.shape[2]}),
        ("over_the_queries", "axes-swapped", FORWARD, "the softmax is over the queries",
         {"weights": lambda self, x, k: special.softmax(self.scores(x, k), axis=1)}),
        ("diagonal_only", "wrong-formula", DIFFERENCES, "the Jacobian of softmax is its diagonal",
         {"score_gradient": lambda self, a, u: a * (1 - a) * u}),
        ("sum_forgotten", "term-missing", DIFFERENCES, "the gradient of softmax is a u",
         {"score_gradient": lambda self, a, u: a * u}),
        ("gradient_not_scaled", "term-missing", DIFFERENCES, "dLdx and dLdk leave out the scale",
         {"backprop": lambda self, x, k, v, u: tuple(
             gradient / factor for gradient, factor in zip(
                 Attention.backprop(self, x, k, v, u), (self.scale(x), self.scale(x), 1), strict=True))}),
        exact=False,
    )),
)  # fmt: skip
