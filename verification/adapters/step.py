"""A step between the suite and a layer: it changes how a call goes in or comes out, and how a script writes it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from verification.case import Array
from verification.spec import LayerSpec

RETURNED = "returned"
"""Among the answers: what backprop returned, as it is. In a template: the variables that it goes into."""

Answers = dict[str, Any]
"""The gradients that are known so far, by argument, and what backprop returned."""

Backprop = Callable[[Array, Array], Answers]


class Called(Protocol):
    """The layer, as a step sees it: the object of its author, and the arguments whose gradients are asked for."""

    raw: Any
    gradients: tuple[str, ...]


class Step:
    """One option of `adapted`. It is given the call of the step before; here, all is handed on as it is."""

    def forward(self, forward: Callable[[Array], Any], x: Array) -> Any:
        """Return y."""
        return forward(x)

    def backprop(self, backprop: Backprop, layer: Called, x: Array, dLdy: Array) -> Answers:  # noqa: ARG002
        """Return the answers of backprop."""
        return backprop(x, dLdy)

    def forward_lines(self, lines: list[str]) -> list[str]:
        """Return the lines of a script for forward, given those of the step before."""
        return lines

    def backprop_lines(self, lines: list[str], gradients: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Return the lines for backprop; gradients are the arguments whose gradients are asked for."""
        return lines

    def examine(self, spec: LayerSpec) -> None:
        """Raise a SpecError if the option does not fit the spec."""
