"""Pure functions: forward(x, W, b) -> y and backprop(x, dLdy, W, b) -> gradients, with a cache between them or not."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verification.adapters.adapter import Adapted
from verification.case import Array, Case
from verification.construction import passed
from verification.script import Spelling
from verification.spec import LayerSpec, SpecError


@dataclass(frozen=True, eq=False, kw_only=True)
class AdaptedFunctions(Adapted):
    """A pair of pure functions, and which arguments each gets by position, before the settings."""

    arguments: Mapping[Callable[..., Any], tuple[str, ...]]

    def examine(self, spec: LayerSpec, case: Case, outputs: Mapping[str, Array]) -> None:  # noqa: ARG002
        """Raise a SpecError if a function does not take the settings."""
        settings = passed(self, case.settings, spec.fixed)
        for function, given in self.arguments.items():
            try:
                taken = inspect.signature(function)
                taken.bind(*given, **settings)
            except ValueError:  # no signature to be had
                continue
            except TypeError:
                name = getattr(function, "__name__", "a function")
                raise SpecError(
                    f"make: {name} takes ({', '.join(taken.parameters)}), the suite calls it with"
                    f" ({', '.join((*given, *settings))}): **settings takes those that it does not need"
                ) from None


def functions(
    forward: Callable[..., Any], backprop: Callable[..., Any], parameters: Sequence[str] = (), *, cache: bool = False
) -> Adapted:
    """Adapt a pair of pure functions.

    forward(x, *parameters, **settings) -> y and backprop(x, dLdy, *parameters, **settings) -> the gradients; or,
    with cache=True, forward(x, *parameters, **settings) -> (y, cache) and backprop(dLdy, cache) -> the gradients.
    SpecError, when a spec is examined, for a function that does not take its settings.
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
    return AdaptedFunctions(
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
        arguments={forward: ("x", *parameters)} | ({} if cache else {backprop: ("x", "dLdy", *parameters)}),
    )  # fmt: skip
