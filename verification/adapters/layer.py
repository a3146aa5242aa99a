"""The layer that `adapted` has made: a method called through all steps, its arrays in the layer's own layout."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from verification.adapters.calls import Call, Place
from verification.adapters.layout import HeldAs
from verification.adapters.options import INPUT_SHAPE, Options
from verification.adapters.step import RETURNED, Answers, Step
from verification.case import Array
from verification.instance import Held, Instance, copied
from verification.spec import LayerSpec, SpecError


class AdaptedLayer(Instance):
    """A layer that `adapted` has made. Its arrays are as it has them; questions and answers, as the suite has them."""

    def __init__(
        self,
        options: Options,
        steps: Sequence[Step],
        wrap: Callable[[Mapping[str, Any]], Any],
        spec: LayerSpec,
        settings: Mapping[str, Any],
        inputs: Mapping[str, Array],
    ) -> None:
        self.options, self.spec, self.gradients = options, spec, spec.gradients
        self.kept: dict[str, Any] = {}  # parameters and constants that are arguments of the methods
        self.given: dict[str, Any] = {}  # the arguments that the suite gives
        self.shapes: dict[str, tuple[int, ...]] = {name: array.shape for name, array in inputs.items()}
        names: dict[str, Any] = {name: self._there(name, array) for name, array in inputs.items()}
        names |= {**settings, INPUT_SHAPE: options.input_shape(inputs["x"]), **options.rate}
        if options.arguments is None:
            self.raw = wrap(settings)
        else:
            args, kwargs = options.arguments.values(names)
            self.raw = options.make(*args, **kwargs)
        self._forward, self._backprop = self._methods(steps)
        if options.build:
            if options.one_image:
                names["x"] = names["x"][0]
            args, kwargs = options.build.values(names)
            self._method(options.build)(*args, **kwargs)

    def _method(self, call: Call) -> Callable[..., Any]:
        method = Place(call.option, call.place)
        try:
            found = method.found(self.raw)
        except LookupError:
            found = None
        if not callable(found):
            known = [
                name for name in dir(self.raw) if not name.startswith("_") and callable(getattr(self.raw, name, None))
            ]
            raise SpecError(
                f"{call.option} should be a method of {type(self.raw).__name__}, but it has no {call.place}: it has"
                f" {', '.join(known) or 'none'}"
            )
        return found  # type: ignore[no-any-return]

    def _methods(self, steps: Sequence[Step]) -> tuple[Callable[[Array], Any], Callable[[Array, Array], Answers]]:
        """Return forward and backprop with all steps around the methods."""
        options = self.options
        by_hand = self._method(options.forward)
        back = self._method(options.backprop) if self.gradients else None

        def called(call: Call, method: Callable[..., Any], **now: Array) -> Any:
            """Call a method with all that is given to it, of which an image may be a part now."""
            upstream = "dLdy" in now
            given = {
                n: now.get(n, array) for n, array in self.given.items() if upstream or n in ("x", *self.spec.inputs)
            }
            args, kwargs = call.values({**self.kept, **given, **now, **options.rate}, given.values())
            return method(*args, **kwargs)

        def forward(x: Array) -> Any:
            return called(options.forward, by_hand, x=x)

        def backprop(x: Array, dLdy: Array) -> Answers:
            if options.one_image and options.forward_first:
                forward(x)
            assert back is not None  # of a layer without gradients nothing asks for backprop
            return {RETURNED: called(options.backprop, back, x=x, dLdy=dLdy)}

        whole_forward: Callable[[Array], Any] = forward
        whole_backprop: Callable[[Array, Array], Answers] = backprop
        for step in steps:
            whole_forward = partial(step.forward, whole_forward)
            whole_backprop = partial(step.backprop, whole_backprop, self)
        return whole_forward, whole_backprop

    # Arrays

    def _there(self, name: str, given: Array | Held) -> Any:
        """Return an array as the layer has it: a new one, unless it is held."""
        name = _kind(name)
        layout = self.options.layouts.get(name)
        if isinstance(given, HeldAs):
            array = given.give(name, layout)
            self.shapes[name] = given.shape if given.shape is not None else np.shape(array)
            return array
        assert isinstance(given, np.ndarray)
        self.shapes[name] = given.shape
        return copied(given) if layout is None else layout.stored(copied(given))

    def _held(self, name: str, array: Any) -> HeldAs:
        return HeldAs(array, name, self.options.layouts.get(_kind(name)), self.shapes.get(_kind(name)))

    def _here(self, name: str, array: Any) -> Any:
        layout = self.options.layouts.get(_kind(name))
        return array if layout is None else layout.back(name, array, self.shapes.get(_kind(name)))

    # What the suite asks

    def call(self, method: str, *given: Array | Held) -> Any:
        """Call a method; return a copy of its result, as the suite has it."""
        result = self._called(method, given)
        if isinstance(result, dict):
            return tuple(copied(self._here(name, array)) for name, array in result.items())
        return copied(self._here("y", result) if method == "forward" and not self.spec.outputs else result)

    def call_and_hold(self, method: str, *given: Array | Held) -> Any:
        """Call a method; return its result with every array in it held."""
        result = self._called(method, given)
        if isinstance(result, dict):
            return tuple(self._held(name, array) for name, array in result.items())
        return self._held("y", result) if method == "forward" and not self.spec.outputs else HeldAs(result)

    def _called(self, method: str, given: Sequence[Array | Held]) -> Any:
        """Return the outputs or gradients by name; what was returned, where it is y or these are not known."""
        outputs = self.spec.outputs
        names = self.spec.of_backprop if method == "backprop" else ("x", *self.spec.inputs)
        self.given = {name: self._there(name, array) for name, array in zip(names, given, strict=True)}
        with np.errstate(all="ignore"):
            if method == "forward":
                y = self._forward(self.given["x"])
                several = outputs and isinstance(y, tuple | list) and len(y) == len(outputs)
                return dict(zip(outputs, y, strict=True)) if several else y
            answers = self._backprop(self.given["x"], self.given[names[-1]])
        if all(name in answers for name in self.gradients):
            return {f"dLd{name}": answers[name] for name in self.gradients}
        return answers[RETURNED]

    def get(self, name: str) -> Any:
        """Return a copy of a parameter."""
        return copied(self._here(name, self._parameter(name)))

    def get_held(self, name: str) -> Held:
        """Return a parameter, held."""
        return self._held(name, self._parameter(name))

    def _parameter(self, name: str) -> Any:
        return self.kept[name] if name in self.kept else self.options.place(name).found(self.raw)

    def set(self, name: str, value: Array | Held) -> None:
        """Set a parameter, or keep it for the calls that take it."""
        array = self._there(name, value)
        if name in self.options.as_arguments:
            self.kept[name] = array
            return
        self.options.place(name).put(self.raw, np.array(array, order="C") if self.options.rate else array)

    def hold(self, array: Array) -> Held:
        """Hold this array."""
        return HeldAs(array)

    def sharing(self, held: Sequence[Held]) -> list[tuple[int, int]]:
        """Return the pairs of these arrays that share memory."""
        arrays = [one.array for one in held if isinstance(one, HeldAs)]
        return [
            (i, j)
            for i, one in enumerate(arrays)
            for j in range(i + 1, len(arrays))
            if np.shares_memory(one, arrays[j])
        ]


def _kind(name: str) -> str:
    """Return the array whose layout a result has: W for dLdW."""
    return name.removeprefix("dLd")
