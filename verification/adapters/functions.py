"""Pure functions: forward(x, W, b) -> y and backprop(x, dLdy, W, b) -> gradients, with a cache between them or not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from verification.adapters.adapter import Adapted
from verification.case import Array
from verification.script import Spelling


def functions(
    forward: Callable[..., Any], backprop: Callable[..., Any], parameters: Sequence[str] = (), *, cache: bool = False
) -> Adapted:
    """Adapt a pair of pure functions.

    forward(x, *parameters, **settings) -> y and backprop(x, dLdy, *parameters, **settings) -> the gradients; or,
    with cache=True, forward(x, *parameters, **settings) -> (y, cache) and backprop(dLdy, cache) -> the gradients.
    """

    class Functions:
        def __init__(self, settings: Mapping[str, Any]) -> None:
            self.settings = settings

        def forward(self, x: Array) -> Any:
            y = forward(x, *self._parameters(), **self.settings)
            return y[0] if cache else y

        def backprop(self, x: Array, dLdy: Array) -> Any:
            if cache:
                return backprop(dLdy, forward(x, *self._parameters(), **self.settings)[1])
            return backprop(x, dLdy, *self._parameters(), **self.settings)

        def _parameters(self) -> list[Any]:
            return [getattr(self, name) for name in parameters]

    name = getattr(backprop, "__name__", "backprop")
    given = "".join(f", {{{parameter}}}" for parameter in parameters) + "{comma}{settings}"
    return Adapted(
        forward,
        Functions,
        Spelling(
            construct="",
            parameter="",
            forward="{y}, cache = {make}({x}" + given + ")" if cache else "{y} = {make}({x}" + given + ")",
            backprop=f"{{gradients}} = {name}({{dLdy}}, cache)" if cache
            else f"{{gradients}} = {name}({{x}}, {{dLdy}}" + given + ")",
            originals=(backprop,),
        ),
        forward_first=cache,
    )  # fmt: skip
