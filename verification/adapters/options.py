"""What `adapted` was given, read; and whether it fits a spec."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from verification.adapters.adapter import Adapted
from verification.adapters.calls import Call, Place
from verification.adapters.layout import Layout
from verification.case import Array, Case
from verification.construction import misfit, passed
from verification.spec import LayerSpec, SpecError

INPUT_SHAPE, LEARNING_RATE = "input_shape", "learning_rate"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `adapted` was given.

    inner   the adapter that it goes on from, if it is one that was adapted
    rate    the learning rate by its name, if there is one
    """

    make: Callable[..., Any]
    inner: Adapted | None
    arguments: Call | None
    build: Call | None
    forward: Call
    backprop: Call
    parameters: Mapping[str, Place]
    layouts: Mapping[str, Layout]
    one_image: bool
    rate: Mapping[str, float]

    @property
    def forward_first(self) -> bool:
        """Whether forward(x) has to come right before backprop, which does not take x."""
        if self.inner:
            return self.inner.forward_first
        return not self.backprop.alone and "x" not in self.backprop.names

    @property
    def of_one(self) -> bool:
        """Whether backprop takes no upstream gradient, so that it is for a dLdy of 1."""
        return not self.inner and not self.backprop.alone and not any(n.startswith("dLd") for n in self.backprop.names)

    @property
    def as_arguments(self) -> set[str]:
        """The parameters and constants that are arguments of forward and backprop, besides further inputs."""
        return self.forward.names | self.backprop.names

    def place(self, name: str) -> Place:
        """Return where a parameter is."""
        return self.parameters.get(name) or Place("parameters", name)

    def input_shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of one image of x, as the layer has it."""
        there: Array = self.layouts["x"].there(x) if "x" in self.layouts else x
        return there.shape[1:]


def examine(options: Options, spec: LayerSpec, case: Case, outputs: Mapping[str, Array]) -> None:
    """Raise a SpecError if an option does not fit the spec, of which this is a case, and y or its right outputs."""
    arrays = {name: case.arrays[name] for name in ("x", *spec.parameters, *spec.constants)}
    _parameters_are_of_the_spec(options, spec)
    layouts = options.layouts if "y" in outputs else {name: one for name, one in options.layouts.items() if name != "y"}
    _layouts_fit(layouts, {**arrays, **outputs})
    _arguments_fit(options, spec, case)
    _calls_fit(options, spec, outputs)


def _calls_fit(options: Options, spec: LayerSpec, outputs: Mapping[str, Array]) -> None:
    if options.inner:
        return
    known = ["x", *spec.inputs]
    more = [*(name for name in (*spec.parameters, *spec.constants) if name not in spec.inputs), *options.rate]
    upstream = [f"dLd{name}" for name in outputs]
    options.forward.only([*known, *more])
    options.backprop.only([*known, *upstream, *more])
    if options.of_one and spec.gradients and (upstream != ["dLdy"] or outputs["y"].ndim):
        raise SpecError(
            f"backprop should take {', '.join(upstream)}, which only a loss of one number may leave out: write"
            f' "{options.backprop.place}({", ".join(upstream)})"'
        )
    if options.one_image and (spec.inputs or spec.outputs):
        raise SpecError(
            f"one_image=True is for layers of one input and one output, unlike those of {spec.name}: leave it out"
        )


def _parameters_are_of_the_spec(options: Options, spec: LayerSpec) -> None:
    names = (*spec.parameters, *spec.constants)
    if unknown := [name for name in options.parameters if name not in names]:
        raise SpecError(
            f"parameters should name those of {spec.name}, {', '.join(names) or 'which has none'}, but names"
            f" {', '.join(unknown)}"
        )


def _layouts_fit(layouts: Mapping[str, Layout], arrays: Mapping[str, Array]) -> None:
    for name, layout in layouts.items():
        if name not in arrays:
            raise SpecError(f"layout should name arrays of the layer, {', '.join(arrays)}, but names {name}")
        if not layout.fits(arrays[name].shape):
            left = layout.text.partition("->")[0].strip()
            own = f": it is that of {layout.name}, so give that of {name} too" if layout.name != name else ""
            raise SpecError(
                f"layout of {name} should begin with the axes that the suite has, but {left!r} does not fit the shape"
                f" {arrays[name].shape} of {name}{own}"
            )
    if "y" in layouts and "..." in layouts["y"].left and arrays["y"].ndim != arrays["x"].ndim:
        raise SpecError(
            f"layout of y should name all its axes, as y has not as many as x, but is {layouts['y'].text!r}"
        )


def _arguments_fit(options: Options, spec: LayerSpec, case: Case) -> None:
    if options.inner:
        return
    if options.arguments is None:
        if said := misfit(options.make, tuple(passed(options.make, case.settings, spec.fixed))):
            raise SpecError(f'make: {said}: say how it is called, as arguments="{", ".join(case.settings)}"')
        return
    known = [*case.settings, INPUT_SHAPE, *spec.parameters, *options.rate]
    if unknown := sorted(options.arguments.names - set(known)):
        raise SpecError(f"arguments may use {', '.join(known)}, but uses {', '.join(unknown)}")
