"""The layer under test, as the properties call it: its answers are checked for their form, its calls written down."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.adapters.adapter import Adapted, plain
from verification.answers import guarded, kind, real
from verification.case import Array
from verification.construction import passed
from verification.failure import NO_GRADIENT, NotJudged, PropertyFailed
from verification.instance import Held, Instance
from verification.outputs import Parts, flat, joined
from verification.script import UNWRITTEN, Script, Unwritten
from verification.script import name as script_name

if TYPE_CHECKING:
    from verification.trial import Trial

Given = Array | Held


class Gradients(dict[str, Array]):
    """The gradients of backprop, by argument; there is nothing to judge in one that the layer does not return."""

    def __missing__(self, name: str) -> Array:
        raise NotJudged(NO_GRADIENT)


class Layer:
    """A new layer with these parameters. Arrays are copied on the way to it and back, unless they are held."""

    def __init__(self, trial: "Trial", parameters: Mapping[str, Array]) -> None:
        self.trial, self.spec = trial, trial.spec
        self._script: Script | Unwritten = trial.script or UNWRITTEN
        self._adapted = self.spec.make if isinstance(self.spec.make, Adapted) else plain(self.spec.make)
        self._x = parameters["x"]
        names = (*self.spec.parameters, *self.spec.constants)
        self._parameters: dict[str, Given] = {name: parameters[name] for name in names}
        self._forwarded: object = None
        self._instance: Instance | None = None
        if not self._adapted.late:
            self._ready(self._x)

    @property
    def instance(self) -> Instance:
        """The layer itself."""
        return self._ready(self._x)

    def _ready(self, x: Given) -> Instance:
        """Return the layer itself; it is made for such an x, and its parameters are set, if it was not made yet."""
        if self._instance:
            return self._instance
        make, settings = self.spec.make, self.trial.case.settings
        if not self._adapted.given:
            settings = passed(make, settings, self.spec.fixed, self.spec.as_one)
        inputs = {name: _values(value) for name, value in {"x": x, **self._parameters}.items()}
        self._written = self._script.construct(settings, inputs)
        new = partial(self.spec.home, self._adapted, self.spec, settings, inputs)
        self._instance = self._timed(script_name(make), new)
        for name, value in self._parameters.items():
            if name in self._adapted.given:
                self._written[name] = self._variable(name, value)
            else:
                self.assign(name, value)
        return self._instance

    # Parameters

    def parameters(self) -> dict[str, Array]:
        """Return copies of the layer's parameters and constants, as far as they are attributes."""
        names = self._attributes
        if self._instance is None:
            return {name: np.array(_values(self._parameters[name])) for name in names}
        return {name: self._read(f"reading {name}", partial(self.instance.get, name)) for name in names}

    @property
    def _attributes(self) -> list[str]:
        """The parameters and constants that are attributes of the layer."""
        return [name for name in self._parameters if name not in self.spec.inputs]

    def assign(self, name: str, value: Given) -> None:
        """Set a parameter to another array; or give it to forward and backprop from now on, if it is an input."""
        self._forget()
        self._parameters[name] = value
        if name in self.spec.inputs:
            return
        value = self._in_dtype(value)
        self._script.assign(self._written, name, self._variable(name, value), copy=not isinstance(value, Held))
        guarded(f"setting {name}", lambda: self.instance.set(name, value))

    def overwrite(self, name: str, values: Array) -> None:
        """Write other values into the layer's own parameter; assign it, where it is read-only or an input."""
        self._forget()
        if name in self.spec.inputs:
            self.assign(name, values)
            return
        own = guarded(f"reading {name}", lambda: self.instance.get_held(name))
        try:
            own.write(values)
        except (AttributeError, TypeError, ValueError):  # read-only, or no array
            self.assign(name, values)
            return
        self._parameters[name] = values
        self._script.overwrite(self._written, name, values)

    # Arrays that are held

    def hold(self, name: str, array: Array) -> Held:
        """Hold an array, in its memory layout, where the layer lives; the script calls it by this name."""
        if name == "dLdy" and self.spec.outputs:
            parts = Parts({one: self.hold(one, part) for one, part in self.trial.outputs.split(array).items()})
            self._script.join(parts, {one: self._script.variable(part) for one, part in parts.parts.items()})
            return parts
        array = self.spec.given(array)
        held = self.instance.hold(array)
        self._script.know(held, self._script.array(name, array, fresh=True))
        return held

    def write(self, held: Held, name: str, values: Array) -> None:
        """Write values into an array that is held."""
        self._forget()
        self._script.write_into(held, name, values)
        held.write(values, force=True)

    def expression(self, name: str, held: Mapping[str, Held]) -> str:
        """Return the expression of the script for an array that is held, or for the layer's own parameter."""
        held = {**held, **dict(flat(held))}
        if name not in held:
            return self._script.attribute(self._written, name)
        known = self._script.variable(held[name])
        return self._script.seen(name, known) if name in ("x", "dLdy") else known

    def sharing(self, held: Mapping[str, Held]) -> list[tuple[str, str]]:
        """Return the pairs of names whose arrays share memory; the layer's own parameters are among them."""
        names = [name for name in self.spec.parameters if name not in self.spec.inputs]
        own = {name: guarded(f"reading {name}", partial(self.instance.get_held, name)) for name in names}
        arrays = {**dict(flat(held)), **own}
        names = [*arrays]
        pairs = guarded("sharing memory", lambda: self.instance.sharing([*arrays.values()]))
        return [(names[one], names[other]) for one, other in pairs]

    def last_result(self) -> str:
        """Return the variable of the script that holds what the last call returned."""
        return self._script.unnamed_result()

    # Calls

    def forward(self, x: Given) -> Array:
        """Return forward(x); PropertyFailed if it raises or returns no array of real numbers."""
        self._ready(x)
        self._forwarded = x
        returned = self._call("forward", self._outputs, x=x)
        if not self.spec.outputs:
            y = self._real("forward", returned)
            self._known("y", y)
            return y
        items = self._separate("forward", self._outputs, returned)
        parts = {name: self._real(f"forward, for {name},", one) for name, one in zip(self._outputs, items, strict=True)}
        self._should_fit(parts)
        y = joined(tuple(parts.values()))
        self._script.join(y, {name: self._script.latest(name) for name in parts})
        return y

    def _should_fit(self, parts: Mapping[str, Array]) -> None:
        """Raise unless the outputs can stand side by side, each as long as it should be."""
        first, sides = next(iter(parts)), self.trial.outputs.sides
        for name, part in parts.items():
            said = f"{name} has shape {part.shape}, but should "
            shows = self._script.latest(name) and f"{self._script.latest(name)}.shape"
            if part.shape[-1:] != (sides[name],):
                raise PropertyFailed(f"{said}have {sides[name]} along its last axis", shows=shows).about("shape", "y")
            if part.shape[:-1] != parts[first].shape[:-1]:
                said += f"differ from {first}, of shape {parts[first].shape}, in its last axis at most"
                raise PropertyFailed(said, shows=shows).about("shape", "y")

    def backprop(self, x: Given, dLdy: Given, *, straight: bool = False) -> dict[str, Array]:
        """Return the gradients of backprop(x, dLdy) by the argument that each belongs to.

        forward(x) comes first, as in training, unless `straight`: that a layer must not rely on it is for one
        property to say, not for all.
        """
        if self._forwarded is not x and (self._adapted.forward_first or not straight):
            self.forward(x)
        self._forget()
        gradients = Gradients()
        if not self.spec.gradients:
            return gradients
        returned = self._call("backprop", self._gradients, x=x, dLdy=dLdy)
        items = self._separate("backprop", self._gradients, returned)
        for name, gradient in zip(self.spec.gradients, items, strict=True):
            gradients[name] = self._real(f"backprop, for dLd{name},", gradient)
            self._known(f"dLd{name}", gradients[name])
        if self.spec.parameter_gradients == "mean":
            for name in set(gradients) - {"x", *self.spec.inputs}:
                gradients[name] = self._times(len(_values(x)), gradients[name])
        return gradients

    def _forget(self) -> None:
        """Have the next backprop need a forward before it, if its convention is to be for the last forward."""
        if self._adapted.forward_first:
            self._forwarded = None

    def both(self, x: Given, dLdy: Given) -> tuple[Array, dict[str, Array]]:
        """Return forward(x) and the gradients of backprop(x, dLdy)."""
        return self.forward(x), self.backprop(x, dLdy)

    def held_results(self, x: Held, dLdy: Held) -> dict[str, Held]:
        """Return y and the gradients, held, by what the script calls them."""
        y = self._call("forward", self._outputs, hold=True, x=x)
        outputs = self._separate("forward", self._outputs, y) if self.spec.outputs else (y,)
        results = dict(zip(self._outputs, outputs, strict=True))
        if self._gradients:
            returned = self._call("backprop", self._gradients, hold=True, x=x, dLdy=dLdy)
            results |= zip(self._gradients, self._separate("backprop", self._gradients, returned), strict=True)
        for name, result in results.items():
            if not isinstance(result, Held):
                said = f"forward returned {kind(result)}, but should return a NumPy array"
                raise PropertyFailed(said).about("form")
            self._known(name, result)
        read = {name: self._read(name, result.read) for name, result in results.items()}
        if self.spec.outputs:
            parts = {name: results.pop(name) for name in self._outputs}
            self._should_fit({name: read[name] for name in parts})
            results = {"y": Parts(parts), **results}
            self._script.join(results["y"], {name: self._script.latest(name) for name in parts})
        return results

    def attempt(self, method: str, *given: Array) -> None:
        """Call a method with arguments that it should refuse, and raise what it raises."""
        self._ready(self._x)
        if method == "backprop" and self._adapted.forward_first:
            self.forward(given[0])
        arguments = self._with_inputs(dict(zip(("x", "dLdy"), given, strict=False)))
        results = self._outputs if method == "forward" else self._gradients
        self._script.call(method, self._written, results, self._variables(arguments), refused=True)
        self.instance.call(method, *arguments.values())

    def _call(self, method: str, results: list[str], *, hold: bool = False, **given: Given) -> Any:
        """Call a method, and write the call down."""
        if self.trial.calls is not None:  # copies of what is held, since it may be written into
            self.trial.calls.append({name: _values(array) for name, array in {**self._parameters, **given}.items()})
        self._ready(given["x"])
        arguments = self._with_inputs(given)
        self._script.call(method, self._written, results, self._variables(arguments))
        call = self.instance.call_and_hold if hold else self.instance.call
        if isinstance(self._script, Unwritten):
            return self._timed(method, lambda: call(method, *arguments.values()))
        if hold:
            self._script.keep_all()
            return guarded(method, lambda: call(method, *arguments.values()))
        return self._call_and_watch(self._script, method, arguments)

    def _call_and_watch(self, script: Script, method: str, arguments: Mapping[str, Given]) -> Any:
        """Call a method, and tell the script whether it raises, and whether it writes into its arguments.

        The script gives the layer its own arrays: if the layer writes into them, it has to copy them.
        """
        held = [value if isinstance(value, Held) else self.instance.hold(value.copy()) for value in arguments.values()]
        try:
            returned = guarded(method, lambda: self.instance.call(method, *held))
        except PropertyFailed as failure:
            if failure.kind == "shape":  # it has not the axes that the layout of an adapter says
                failure.shows = f"{script.as_returned(failure.array)}.shape"
            else:
                failure.written = len(script.lines)
            raise
        for value, kept in zip(arguments.values(), held, strict=True):
            if not isinstance(value, Held) and not np.array_equal(value, kept.read(), equal_nan=True):
                script.copies_needed = True
        return returned

    def _timed(self, name: str, call: Callable[[], Any]) -> Any:
        return guarded(name, lambda: self.spec.clock.run(call))

    # Arguments and results

    def _with_inputs(self, given: Mapping[str, Given]) -> dict[str, Given]:
        """Return the arguments of a call in the layer's dtype: x, the further inputs, and dLdy or its parts."""
        arguments = {"x": given["x"], **{name: self._parameters[name] for name in self.spec.inputs}}
        match given.get("dLdy"):
            case Parts(parts=parts):
                arguments |= parts
            case Held() as held:
                arguments["dLdy"] = held
            case dLdy if dLdy is not None:
                arguments |= self.trial.outputs.split(np.asarray(dLdy))  # -3 u is no array if u is 0-d
        return {name: self._in_dtype(value) for name, value in arguments.items()}

    def _in_dtype(self, value: Given) -> Given:
        return value if isinstance(value, Held) else self.spec.given(value)

    def _variables(self, arguments: Mapping[str, Given]) -> dict[str, str]:
        """Return the variables that a script gives the layer."""
        return {name: self._variable(name, value, self._script.given) for name, value in arguments.items()}

    def _variable(self, name: str, value: Given, write: Callable[[str, Array], str] | None = None) -> str:
        """Return the variable of an array, which is written unless it is held."""
        return self._script.variable(value) if isinstance(value, Held) else (write or self._script.array)(name, value)

    @property
    def _outputs(self) -> list[str]:
        """What forward returns, as the script calls it."""
        return [*self.spec.outputs] or ["y"]

    @property
    def _gradients(self) -> list[str]:
        """What backprop returns, as the script calls it."""
        return [f"dLd{name}" for name in self.spec.gradients]

    def _separate(self, method: str, names: list[str], returned: Any) -> tuple[Any, ...] | list[Any]:
        """Return what a method returned as one item for each of these results."""
        items = returned if isinstance(returned, tuple | list) else (returned,)
        if len(items) == len(names):
            return items
        expected = f"({', '.join(names)})" if len(names) > 1 else names[0]
        shown = _values(returned)
        said = f"{method} returned {kind(shown)}, but should return {expected}"
        raise PropertyFailed(said, shows=self.last_result()).about("nothing" if shown is None else "form")

    def _times(self, n: int, mean: Array) -> Array:
        """Return n * mean, a whole number where it differs from one by the rounding of a division only."""
        total = np.asarray(mean * n)
        nearest = np.rint(total)
        total = np.where(abs(total - nearest) <= 4 * np.finfo(self.spec.dtype).eps * abs(total), nearest, total)
        self.trial.means.append((total, mean, max(1, n)))
        self._script.know(total, self._script.variable(mean))
        return total

    def _known(self, name: str, result: object) -> None:
        """Tell the script which result of the last call this is."""
        self._script.know(result, self._script.latest(name))

    def _real(self, what: str, value: Any) -> Array:
        return real(what, value, self.last_result, self.spec.dtype)

    def _read(self, what: str, read: Callable[[], Any]) -> Array:
        return self._real(what, guarded(what, read))


def _values(given: Any) -> Any:
    return given.read() if isinstance(given, Held) else given
