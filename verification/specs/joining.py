"""Layers that join two arrays of one shape, as a residual connection or a gate does: x + h, and x h."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from verification.case import Array, Case, whole
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, grown
from verification.strategies import SEEDS, numbers


def residual_add(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec of x + h, arrays of the same shape (n, ...) of rank 1 to 4.

    implementation() makes the layer. It has forward(x, h) and backprop(x, h, dLdy), which returns (dLdx, dLdh).
    """
    return _joining(
        "residual_add", implementation, lambda x, h: x + h, lambda dLdy, x, h: {"x": 1 * dLdy, "h": 1 * dLdy},
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


def multiply(implementation: Callable[..., Any]) -> LayerSpec:
    """Return the spec of x h, entry by entry, arrays of the same shape (n, ...) of rank 1 to 4.

    implementation() makes the layer. It has forward(x, h) and backprop(x, h, dLdy), which returns (dLdx, dLdh).
    """
    return _joining(
        "multiply", implementation, lambda x, h: x * h, lambda dLdy, x, h: {"x": dLdy * h, "h": dLdy * x},
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
    name: str, make: Callable[..., Any], join: Callable[..., Array], gradient: Callable[..., dict[str, Array]],
    mistakes: tuple[Mistake, ...], magnitude: Callable[..., Array],
) -> LayerSpec:  # fmt: skip
    return LayerSpec(
        name=name,
        make=make,
        cases=_cases(),
        reference=join,
        parameters=("h",),
        inputs=("h",),
        affine_in=("x", "h"),
        batch_independent=False,  # an image of x belongs to one of h
        terms=lambda **_: 2,
        magnitude=magnitude,
        realistic=_case(4, 4, 8, 9, 10, seed=2),
        bad_arguments=(
            backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
            backprop_of("backprop, dLdy of a rank more", lambda case: case.arrays["x"][None]),
        ),
        gradient=gradient,
        mistakes=mistakes,
    )


def _cases() -> st.SearchStrategy[Case]:
    return numbers(
        rank=(1, 4), images=(1, 3), channels=(1, 3), height=(1, 3), width=(1, 3), seed=SEEDS
    ).map(lambda drawn: _case(**drawn))  # fmt: skip


def _case(rank: int, images: int, channels: int, height: int, width: int, seed: int) -> Case:
    shape = (images, channels, height, width)[:rank]
    return Case({"x": whole("x", seed, shape), "h": whole("h", seed, shape)}, {}, seed)
