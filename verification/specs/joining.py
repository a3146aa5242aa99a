"""Layers that join two arrays of one shape, as a residual connection or a gate does: x + h, and x h."""

from collections.abc import Callable, Mapping
from typing import Any

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, rank, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, grown


def residual_add(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x + h, arrays of the same shape (n, ...) of rank 1 to 4.

    implementation() makes the layer. It has forward(x, h) and backprop(x, h, dLdy), which returns (dLdx, dLdh).
    Keywords restrict what is tried (`verification.choices`): rank, batch, and by rank channels, height, width.
    """
    return _joining(
        "residual_add", implementation, only, lambda x, h: x + h, lambda dLdy, x, h: {"x": 1 * dLdy, "h": 1 * dLdy},
        (
            Mistake("wrong-operation", "y", "y is x - h", lambda t: t.x - t.arguments["h"]),
            Mistake("term-missing", "y", "y is x alone: h is missing", lambda t: 1 * t.x),
            Mistake("term-missing", "y", "y is h alone: x is missing", lambda t: 1 * t.arguments["h"]),
            Mistake("wrong-operation", "y", "y is the mean of x and h; it should be the sum",
                    lambda t: (t.x + t.arguments["h"]) / 2),
            Mistake("wrong-formula", "dLdx", "dLdx is multiplied by h, as for a product",
                    lambda t: t.dLdy * t.arguments["h"]),
            Mistake("wrong-formula", "dLdh", "dLdh is multiplied by x, as for a product", lambda t: t.dLdy * t.x),
        ),
        lambda x, h: abs(x) + abs(h),
    )  # fmt: skip


def multiply(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of x h, entry by entry, arrays of the same shape (n, ...) of rank 1 to 4.

    implementation() makes the layer. It has forward(x, h) and backprop(x, h, dLdy), which returns (dLdx, dLdh).
    Keywords restrict what is tried (`verification.choices`): rank, batch, and by rank channels, height, width.
    """
    return _joining(
        "multiply", implementation, only, lambda x, h: x * h, lambda dLdy, x, h: {"x": dLdy * h, "h": dLdy * x},
        (
            Mistake("wrong-operation", "y", "y is x + h", lambda t: t.x + t.arguments["h"]),
            Mistake("wrong-formula", "y", "y is x times x", lambda t: t.x * t.x),
            Mistake("wrong-formula", "dLdx", "dLdx is dLdy times x; it should be times h", lambda t: t.dLdy * t.x),
            Mistake("wrong-formula", "dLdh", "dLdh is dLdy times h; it should be times x",
                    lambda t: t.dLdy * t.arguments["h"]),
            Mistake("term-missing", "dLdx", "dLdx is dLdy: it should be times h", lambda t: 1 * t.dLdy),
            Mistake("term-missing", "dLdh", "dLdh is dLdy: it should be times x", lambda t: 1 * t.dLdy),
            Mistake("wrong-formula", "dLdx", "dLdx is dLdy times y", lambda t: t.dLdy * t.y),
            Mistake("wrong-formula", "dLdh", "dLdh is dLdy times y", lambda t: t.dLdy * t.y),
        ),
        lambda x, h: abs(x * h),
    )  # fmt: skip


def _joining(
    name: str, make: Callable[..., Any], only: Mapping[str, Any], join: Callable[..., Array],
    gradient: Callable[..., dict[str, Array]], mistakes: tuple[Mistake, ...], magnitude: Callable[..., Array],
) -> LayerSpec:  # fmt: skip
    choices = Choices(name, only, CHOICES, make=make)
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(_case),
        reference=join,
        parameters=("h",),
        inputs=("h",),
        affine_in=("x", "h"),
        batch_independent=False,  # an image of x belongs to one of h
        terms=lambda **_: 2,
        magnitude=magnitude,
        realistic=choices.realistic(_case, rank=4, batch=4, channels=8, height=9, width=10),
        bad_arguments=(
            backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
            backprop_of("backprop, dLdy of a rank more", lambda case: case.arrays["x"][None]),
        ),
        gradient=gradient,
        mistakes=mistakes,
    )
    return choices.applied(spec)


CHOICES = {
    "rank": rank(1, 4), "batch": batch(1, 3), "channels": side(1, 1, 3), "height": side(2, 1, 3),
    "width": side(3, 1, 3),
}  # fmt: skip


def _case(rank: int, batch: int, channels: int, height: int, width: int, seed: int) -> Case:
    shape = (batch, channels, height, width)[:rank]
    return Case({"x": whole("x", seed, shape), "h": whole("h", seed, shape)}, {}, seed)
