"""How a script writes the calls of a layer that `adapted` has made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verification.adapters.layout import Layout
from verification.adapters.options import INPUT_SHAPE, Options
from verification.adapters.step import Step
from verification.case import Array
from verification.script import Spelling

Shapes = Mapping[str, tuple[int, ...] | None]


@dataclass(frozen=True, eq=False, kw_only=True)
class AdaptedSpelling(Spelling):
    """The templates of the calls, through all steps; arrays are changed to the layer's layout where they are made."""

    options: Options
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, options: Options, steps: tuple[Step, ...]) -> "AdaptedSpelling":
        """Return the spelling of these options: of the calls alone, or those of the adapter that it goes on from."""
        if inner := options.inner.spelling if options.inner else None:
            return cls(
                inner.construct, inner.parameter, inner.forward, inner.backprop.replace("{gradients}", "{returned}"),
                inner.imports, inner.names, inner.originals, inner.as_array, options=options, steps=steps,
            )  # fmt: skip
        return cls(
            parameter="{layer}.{attribute} = {array}.copy()",
            forward=f"{{y}} = {options.forward.of('{layer}', options.rate)}",
            backprop=f"{{returned}} = {options.backprop.of('{layer}', options.rate)}",
            names={name: place.text for name, place in options.parameters.items()},
            options=options,
            steps=steps,
        )

    def constructing(self, settings: Mapping[str, Any], x: Array) -> str:
        """Return the template of the calls that make a layer."""
        options, names = self.options, {INPUT_SHAPE: self.options.input_shape(x), **self.options.rate}
        lines = [self.construct]
        if options.arguments:
            lines = [f"{{layer}} = {{make}}({options.arguments.text({**settings, **names}, copies=True)})"]
        if options.build:
            call = options.build.of("{layer}", names)
            lines.append(call.replace("{x}", "{x}[0]") if options.one_image else call)
        return "\n".join(lines)

    def assigning(self, name: str, *, copy: bool) -> str:
        """Return the template that sets a parameter: always to a copy, where an update will change it."""
        if self.is_argument(name):
            return ""
        return super().assigning(name, copy=copy or bool(self.options.rate))

    def is_argument(self, name: str) -> bool:
        """Say whether a parameter is no attribute, but an argument of each call."""
        return name in self.options.as_arguments or super().is_argument(name)

    def calling(self, method: str, shapes: Shapes, *, as_returned: bool) -> str:
        """Return the template of a call through all steps, and of the changes to the suite's layout."""
        options, images = self.options, self.options.one_image
        lines = (self.forward if method == "forward" else self.backprop).splitlines()
        if images:
            lines = [line.replace("{given}", "{x}" if method == "forward" else "{x}, {dLdy}") for line in lines]
        if method == "backprop" and images and options.forward_first:
            forward = self.forward.replace("{y} = ", "").replace("{y}", "_").replace("{given}", "{x}")
            lines = [*forward.splitlines(), *lines]
        if not shapes:
            first = ["image, upstream = {x}[0], {dLdy}[0]"] * images
            lines = [line.replace("{x}", "image").replace("{dLdy}", "upstream") if images else line for line in lines]
            return "\n".join([*first, *lines]).replace("{returned}", "{gradients}")
        gradients = [name.removeprefix("dLd") for name in shapes]
        if self.as_array and (images or options.layouts):
            lines += [f"{{{name}}} = {{{name}}}{self.as_array}" for name in shapes]
        for step in self.steps:
            lines = step.forward_lines(lines) if method == "forward" else step.backprop_lines(lines, gradients)
        for name, shape in shapes.items() if not as_returned else ():
            if layout := options.layouts.get(name.removeprefix("dLd")):
                seen = layout.back_text(f"{{{name}}}", shape)
                lines += [f"{{{name}}} = {seen}"] * (seen != f"{{{name}}}")
        return "\n".join(lines)

    def array(self, name: str, array: Array) -> list[str]:
        """Return the lines that bring an array into the layer's layout."""
        layout = self._layout(name)
        return layout.lines(array) if layout else []

    def seen(self, name: str, expression: str, shape: tuple[int, ...]) -> str:
        """Return the expression of an array of the layer in the suite's layout."""
        layout = self._layout(name)
        return layout.back_text(expression, shape) if layout else expression

    def _layout(self, name: str) -> Layout | None:
        return self.options.layouts.get(name.removeprefix("dLd"))
