"""Where gradients are: in what backprop returns, in places of the layer, or in how an update changes the parameters."""

from collections.abc import Mapping, Sequence

import numpy as np

from verification.adapters.calls import Place
from verification.adapters.step import RETURNED, Answers, Backprop, Called, Step
from verification.case import Array
from verification.spec import LayerSpec, SpecError


class Places(Step):
    """Backprop leaves gradients in attributes, in a dictionary, or for a method to return."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.places = places
        self.in_returned = any(place.in_returned for place in places.values())

    def backprop(self, backprop: Backprop, layer: Called, x: Array, dLdy: Array) -> Answers:
        """Return the answers, with the gradients that stand in these places."""
        answers = backprop(x, dLdy)
        to_return = self.in_returned or not set(layer.gradients) <= {*self.places, *answers}
        if to_return and answers[RETURNED] is None:  # it is not written yet
            return answers
        return answers | {name: place.found(layer.raw, answers[RETURNED]) for name, place in self.places.items()}

    def backprop_lines(self, lines: list[str], gradients: Sequence[str]) -> list[str]:
        """Return the call, and a line for each place."""
        if self.in_returned:
            lines = [line.replace("{returned}", RETURNED) for line in lines]
        names = [name for name in gradients if name in self.places]
        return [*lines, *(f"{{dLd{name}}} = {self.places[name].of('{layer}')}" for name in names)]

    def examine(self, spec: LayerSpec) -> None:
        """Places should be of arguments that have a gradient; of all, if what is returned is taken apart by places."""
        if unknown := [name for name in self.places if name not in spec.gradients]:
            raise SpecError(
                f"gradients should name arguments that have a gradient, {', '.join(spec.gradients)}, but names"
                f" {', '.join(unknown)}"
            )
        left = [name for name in spec.gradients if name not in self.places]
        if left and self.in_returned:
            raise SpecError(
                "gradients has places in what backprop returns, so it should have one for each gradient, but has none"
                f' for {", ".join(left)}: add it, as {left[0]!r}: "returned[0]"'
            )


class Update(Step):
    """Backprop changes the parameters by -learning_rate times their gradients; that is undone afterwards."""

    def __init__(self, rate: float, parameters: Mapping[str, Place], elsewhere: Mapping[str, Place]) -> None:
        self.rate, self.parameters, self.elsewhere = rate, parameters, elsewhere

    def _told(self, gradients: Sequence[str]) -> dict[str, Place]:
        """Return the places of the parameters whose gradients are told from their change."""
        names = [name for name in gradients if name != "x" and name not in self.elsewhere]
        return {name: self.parameters.get(name) or Place("parameters", name) for name in names}

    def backprop(self, backprop: Backprop, layer: Called, x: Array, dLdy: Array) -> Answers:
        """Return the answers, with the gradients by which the parameters were changed; these are then as before."""
        told = self._told(layer.gradients)
        held = {name: place.found(layer.raw) for name, place in told.items()}
        before = {name: np.array(array) for name, array in held.items()}
        answers = backprop(x, dLdy)
        for name, place in told.items():
            answers[name] = (before[name] - place.found(layer.raw)) / self.rate
            held[name][...] = before[name]
            place.put(layer.raw, held[name])
        return answers

    def backprop_lines(self, lines: list[str], gradients: Sequence[str]) -> list[str]:
        """Return the call, with the parameters kept before it, and put back after it."""
        told = {name: place.of("{layer}") for name, place in self._told(gradients).items()}
        before = [f"{name}_before = {place}.copy()" for name, place in told.items()]
        after = [f"{{dLd{name}}} = ({name}_before - {place}) / {self.rate!r}" for name, place in told.items()]
        undone = [f"{place} = {name}_before  # the update is undone" for name, place in told.items()]
        return [*before, *lines, *after, *undone]

    def examine(self, spec: LayerSpec) -> None:
        """Raise a SpecError unless an update has parameters to change."""
        if not self._told(spec.gradients):
            raise SpecError(
                f"learning_rate is for gradients of parameters that are told from an update, but of {spec.name} none is"
                " left to be told: leave it out"
            )


class OfOne(Step):
    """Backprop of a loss, a single number, takes no dLdy: its gradients are for a dLdy of 1."""

    def backprop(self, backprop: Backprop, layer: Called, x: Array, dLdy: Array) -> Answers:
        """Return the answers, with the gradients multiplied by dLdy."""
        if dLdy.ndim:
            raise ValueError(f"dLdy should be one number, but its shape is {dLdy.shape}")
        answers = backprop(x, dLdy)
        names = [name for name in layer.gradients if isinstance(answers.get(name), np.ndarray | np.generic)]
        return answers | {name: dLdy * answers[name] for name in names}

    def backprop_lines(self, lines: list[str], gradients: Sequence[str]) -> list[str]:
        """Return the call, and a line for each gradient."""
        return [*lines, *(f"{{dLd{name}}} = {{dLdy}} * {{dLd{name}}}" for name in gradients)]


class Separate(Step):
    """What backprop returns is the gradients that are nowhere else, in the order of the arguments."""

    def backprop(self, backprop: Backprop, layer: Called, x: Array, dLdy: Array) -> Answers:
        """Return a gradient for each argument; what was returned alone, where it is not so many."""
        answers = backprop(x, dLdy)
        returned = answers[RETURNED]
        left = [name for name in layer.gradients if name not in answers]
        items = returned if isinstance(returned, tuple | list) else (returned,)
        if len(items) == len(left) or not left:
            return answers | dict(zip(left, items, strict=False))
        if len(left) == len(layer.gradients) or returned is None:
            return {RETURNED: returned}
        names = ", ".join(f"dLd{name}" for name in left)
        raise TypeError(
            f"backprop returned {len(items)} items, but should return {names}, the gradients found nowhere else"
        )

    def backprop_lines(self, lines: list[str], gradients: Sequence[str]) -> list[str]:
        """Return the lines with the variables of what is returned."""
        left = [name for name in gradients if not any(line.startswith(f"{{dLd{name}}} =") for line in lines)]
        variables = ", ".join(f"{{dLd{name}}}" for name in left)
        if not left:
            return [line.replace("{returned} = ", "") for line in lines]
        return [line.replace("{returned}", variables) for line in lines]
