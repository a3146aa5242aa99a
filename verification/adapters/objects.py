"""`adapted(make, ...)`: an object that is called in another way than the suite would.

Each option is a step (step.py): it changes how arguments go in and results come out, and says how a script writes it.
They follow each other, from the call of the method outwards: the call, an update that is undone, places of gradients,
what is returned, one image at a time. Layouts are not of calls, but of arrays: the layer's arrays stay in its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from verification.adapters.adapter import Adapted, made
from verification.adapters.calls import Call, Place
from verification.adapters.gradients import OfOne, Places, Separate, Update
from verification.adapters.images import OneImage
from verification.adapters.layer import AdaptedLayer
from verification.adapters.layout import Layout
from verification.adapters.options import INPUT_SHAPE, LEARNING_RATE, Options, examine
from verification.adapters.spelling import AdaptedSpelling
from verification.adapters.step import Step
from verification.case import Array, Case
from verification.failure import Stopped
from verification.instance import Instance
from verification.spec import LayerSpec, SpecError

LEAST_RATE = 1e-3
"""The change of a parameter of up to 128 is rounded by 2^-53 of that: 1.4e-14, which is 1.4e-11 of a gradient then."""


def adapted(
    make: Callable[..., Any],
    *,
    arguments: str | None = None,
    build: str | None = None,
    forward: str | None = None,
    backprop: str | None = None,
    parameters: Mapping[str, str] | None = None,
    gradients: Mapping[str, str] | None = None,
    layout: Mapping[str, str] | None = None,
    one_image: bool = False,
    learning_rate: float | None = None,
) -> Adapted:
    """Adapt an object that is called in another way: adapted(Linear, forward="__call__", backprop="backward(dLdy)").

    arguments      those of the constructor, as in a call: "out_channels, kernel_size, input_shape=input_shape".
                   Names are settings of the spec, input_shape (that of x without its images, as the layer has it),
                   parameters (for a layer that is made with its arrays, as "W, b") and learning_rate; they stand in
                   any expression: "1 - keep", or "kernel_size[0]" for the height of a pair
    build          a call after the constructor that makes the parameters, which are then set: "forward(x)", or
                   "build(input_shape)"
    forward        the name of the method, or a call: "forward(x, training=True)", "forward(x, (h, c))" of further
                   inputs, "forward(x, targets)" for a parameter or constant that is an argument, no attribute
    backprop       likewise: "backward(dLdy)" for one that takes dLdy alone, after forward(x), "backward(dLdh, dLdc)"
                   for several outputs; "backward()" for a loss of one number, whose gradients are for a dLdy of 1
    parameters     where each parameter is, if not in the attribute of its name: {"W": "weight", "b": "params['b']"}
    gradients      where backprop leaves gradients: {"W": "dW", "b": "grads['b']"}, {"W": "get_gradients()[0]"}, or
                   {"x": "returned['dx']"} in what it returns. The others it returns, in the order of the arguments
    layout         the axes of arrays in the suite and in the layer: {"x": "nchw -> nhwc", "W": "fchw -> hwcf",
                   "b": "f -> 1f"}. y is as x unless it is given, and gradients are as their arrays
    one_image      whether the methods take one image, without the axis of images
    learning_rate  that of an update of the parameters inside backprop, by which their gradients are then told; it
                   may be an argument of any call. With a power of 2, such as 1, that is exact

    What an adapter for functions, torch or JAX has made takes layout and one_image. SpecError for an option that does
    not fit, here or when a spec is examined.
    """
    if not callable(make):
        raise SpecError(
            f"make should be a class or function that makes the layer, but is {type(make).__name__} {make!r}"
        )
    if learning_rate is not None and not (isinstance(learning_rate, int | float) and learning_rate >= LEAST_RATE):
        raise SpecError(f"learning_rate should be a number of at least {LEAST_RATE}, but is {learning_rate!r}: give 1")
    calls = {"arguments": arguments, "build": build, "forward": forward, "backprop": backprop}
    places = {"parameters": parameters, "gradients": gradients}
    if isinstance(make, Adapted):
        told = {**calls, **places, LEARNING_RATE: learning_rate}
        if given := [name for name, value in told.items() if value is not None]:
            raise SpecError(
                f"an adapter made {make.__name__}, which takes layout and one_image, but not {', '.join(given)}"
            )
    layouts = {name: Layout.read(name, text) for name, text in (layout or {}).items()}
    if "x" in layouts and "y" not in layouts:
        layouts["y"] = layouts["x"]
    if "y" in layouts and layouts["y"].joins:
        raise SpecError(f"layout of y cannot join axes, but is {layouts['y'].text!r}: give that of y, as 'nc -> nc'")
    rate = {} if learning_rate is None else {LEARNING_RATE: learning_rate}
    options = Options(
        make=make,
        inner=make if isinstance(make, Adapted) else None,
        arguments=None if arguments is None else Call.of_arguments("arguments", arguments),
        build=None if build is None else Call.read("build", build, "x").only(["x", INPUT_SHAPE, *rate]),
        forward=Call.read("forward", forward or "forward", "x"),
        backprop=Call.read("backprop", backprop or "backprop", "x, dLdy"),
        parameters=_places("parameters", parameters, settable=True),
        layouts=layouts,
        one_image=one_image,
        rate=rate,
    )
    return _adapter(options, _places("gradients", gradients))


def _places(option: str, given: Mapping[str, str] | None, *, settable: bool = False) -> dict[str, Place]:
    if given is not None and not isinstance(given, Mapping):
        raise SpecError(f'{option} should be a dictionary, as {{"W": "weight"}}, but is {given!r}')
    return {name: Place.read(f"{option}[{name!r}]", text, settable=settable) for name, text in (given or {}).items()}


def _adapter(options: Options, gradients: Mapping[str, Place]) -> "AdaptedObject":
    steps: list[Step] = []
    if options.rate:
        steps.append(Update(options.rate[LEARNING_RATE], options.parameters, gradients))
    if gradients:
        steps.append(Places(gradients))
    steps.append(Separate())
    if options.of_one:
        steps.append(OfOne())
    if options.one_image:
        steps.append(OneImage())
    inner, constructor = options.inner, options.arguments.names if options.arguments else set()
    return AdaptedObject(
        original=inner.original if inner else options.make,
        wrap=inner.wrap if inner else partial(made, options.make),
        spelling=AdaptedSpelling.of(options, tuple(steps)),
        late=options.build is not None or INPUT_SHAPE in constructor,
        given=tuple(constructor),
        forward_first=options.forward_first and not options.one_image,
        one_image=options.one_image,
        from_change=bool(options.rate),
        options=options,
        steps=tuple(steps),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class AdaptedObject(Adapted):
    """What `adapted` returns."""

    options: Options
    steps: tuple[Step, ...]

    def layer(self, spec: LayerSpec, settings: Mapping[str, Any], inputs: Mapping[str, Array]) -> Instance:
        """Return a new layer."""
        return AdaptedLayer(self.options, self.steps, self.wrap, spec, settings, inputs)

    def examine(self, spec: LayerSpec, case: Case, outputs: Mapping[str, Array]) -> None:
        """Raise a SpecError if an option does not fit the spec."""
        examine(self.options, spec, case, outputs)
        for step in self.steps:
            step.examine(spec)
        try:
            spec.home(self, spec, case.settings, case.arrays)
        except SpecError:
            raise
        except (Exception, Stopped):  # the layer's own, which is for a property to tell
            return
