"""The layer under test, as the properties call it: results are checked for their form, calls can be written down."""

import os
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.adapters.adapter import Adapted
from verification.case import Array
from verification.construction import arguments, passed
from verification.failure import NO_GRADIENT, Crashed, NotJudged, PropertyFailed
from verification.instance import Held, Here, Instance
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
        self._script = trial.script
        self._forwarded: object = None
        self._initial = parameters
        self._parameters: dict[str, Given] = {
            name: parameters[name] for name in (*self.spec.parameters, *self.spec.constants)
        }
        self._instance: Instance | None = None
        self._adapted = self.spec.make if isinstance(self.spec.make, Adapted) else None
        if not (self._adapted and self._adapted.late):
            self._make(parameters["x"])

    @property
    def instance(self) -> Instance:
        """The layer itself."""
        return self._ready(self._initial["x"])

    def _ready(self, x: Given) -> Instance:
        """Return the layer itself, made for such an x if it was not made yet."""
        return self._instance or self._make(_values(x))

    def _make(self, x: Array) -> Instance:
        """Make the layer, for such an x, and set its parameters."""
        make, settings = self.spec.make, self.trial.case.settings
        if not (self._adapted and self._adapted.given):
            settings = passed(make, settings, self.spec.fixed, self.spec.as_one)
        inputs = {"x": x, **{name: _values(value) for name, value in self._parameters.items()}}
        if self._script:
            self._written = self._script.construct(settings, inputs)
        if self._adapted:
            adapter = self._adapted
            made = self._timed(script_name(make), lambda: adapter.layer(self.spec, settings, inputs))
        else:
            args, kwargs = arguments(make, settings)
            made = self._timed(script_name(make), lambda: make(*args, **kwargs))
        self._instance = made if isinstance(made, Instance) else Here(made)
        for name, value in self._parameters.items():
            if not (self._adapted and name in self._adapted.given):
                self.assign(name, value)
            elif self._script:
                self._written[name] = self._variable(name, value)
        return self._instance

    # Parameters

    def parameters(self) -> dict[str, Array]:
        """Return copies of the layer's parameters and constants, as far as they are attributes."""
        names = (*self._attributes, *self.spec.constants)
        if self._instance is None:
            return {name: np.array(_values(self._parameters[name])) for name in names}
        return {name: self._read(f"reading {name}", partial(self.instance.get, name)) for name in names}

    @property
    def _attributes(self) -> list[str]:
        """The parameters that are attributes of the layer."""
        return [name for name in self.spec.parameters if name not in self.spec.inputs]

    def assign(self, name: str, value: Given) -> None:
        """Set a parameter to another array; or give it to forward and backprop from now on, if it is an input."""
        self._forget()
        if name in self.spec.inputs:
            self._parameters[name] = value
            return
        if self._script:
            variable = self._variable(name, self._in_dtype(value))
            self._script.assign(self._written, name, variable, copy=not isinstance(value, Held))
        self._parameters[name] = value
        value = self._in_dtype(value)
        _guarded(f"setting {name}", lambda: self.instance.set(name, value))

    def overwrite(self, name: str, values: Array) -> None:
        """Write other values into the layer's own parameter; assign it, where it is read-only or an input."""
        self._forget()
        if name in self.spec.inputs:
            self.assign(name, values)
            return
        own = _guarded(f"reading {name}", lambda: self.instance.get_held(name))
        try:
            own.write(values)
        except (AttributeError, TypeError, ValueError):  # read-only, or no array
            self.assign(name, values)
            return
        self._parameters[name] = values
        if self._script:
            self._script.overwrite(self._written, name, values)

    # Arrays that are held

    def hold(self, name: str, array: Array) -> Held:
        """Hold an array, in its memory layout, where the layer lives; the script calls it by this name."""
        array = self.spec.given(array)
        held = self.instance.hold(array)
        if self._script:
            self._script.know(held, self._script.array(name, array, fresh=True))
        return held

    def write(self, held: Held, name: str, values: Array) -> None:
        """Write values into an array that is held."""
        self._forget()
        if self._script:
            self._script.write_into(held, name, values)
        held.write(values, force=True)

    def expression(self, name: str, held: Mapping[str, Held]) -> str:
        """Return the expression of the script for an array that is held, or for the layer's own parameter."""
        if not self._script:
            return ""
        if name not in held:
            return self._script.attribute(self._written, name)
        known = self._script.variable(held[name])
        return self._script.seen(name, known) if name in ("x", "dLdy") else known

    def sharing_expression(self, one: str, other: str, held: Mapping[str, Held]) -> str:
        """Return the expression of the script that says that two arrays share memory."""
        return f"np.shares_memory({self.expression(one, held)}, {self.expression(other, held)})" * bool(self._script)

    def last_result(self) -> str:
        """Return the variable of the script that holds what the last call returned."""
        return self._script.unnamed_result() if self._script else ""

    # Calls

    def forward(self, x: Given) -> Array:
        """Return forward(x); PropertyFailed if it raises or returns no array of real numbers."""
        self._ready(x)
        self._forwarded = x
        y = self._call("forward", ["y"], x=x)
        return self._known("y", self._real("forward", y))

    def backprop(self, x: Given, dLdy: Given, *, straight: bool = False) -> dict[str, Array]:
        """Return the gradients of backprop(x, dLdy) by the argument that each belongs to.

        forward(x) comes first, as in training, unless `straight`: that a layer must not rely on it is for one
        property to say, not for all.
        """
        if self._forwarded is not x and (self._forward_first or not straight):
            self.forward(x)
        self._forget()
        gradients = Gradients()
        if not self.spec.gradients:
            return gradients
        names = [f"dLd{name}" for name in self.spec.gradients]
        returned = self._call("backprop", names, x=x, dLdy=dLdy)
        for name, gradient in zip(self.spec.gradients, self._separate(returned), strict=True):
            gradients[name] = self._known(f"dLd{name}", self._real(f"backprop, for dLd{name},", gradient))
        if self.spec.parameter_gradients == "mean":
            n, own = len(_values(x)), self._attributes
            return Gradients(
                (name, self._times(n, array) if name in own else array) for name, array in gradients.items()
            )
        return gradients

    @property
    def _forward_first(self) -> bool:
        """Whether backprop is for the last forward, as a convention that was declared: x is not given to it."""
        return self._adapted is not None and self._adapted.forward_first

    def _forget(self) -> None:
        """Have the next backprop need a forward before it, if that is the convention."""
        if self._forward_first:
            self._forwarded = None

    def both(self, x: Given, dLdy: Given) -> tuple[Array, dict[str, Array]]:
        """Return forward(x) and the gradients of backprop(x, dLdy)."""
        return self.forward(x), self.backprop(x, dLdy)

    def held_results(self, x: Held, dLdy: Held) -> dict[str, Held]:
        """Return y and the gradients, held, by what the script calls them."""
        y = self._call("forward", ["y"], hold=True, x=x)
        names = [f"dLd{name}" for name in self.spec.gradients]
        gradients = self._separate(self._call("backprop", names, hold=True, x=x, dLdy=dLdy)) if names else ()
        results = dict(zip(["y", *names], [y, *gradients], strict=True))
        for name, result in results.items():
            if not isinstance(result, Held):
                said = f"forward returned {_kind(result)}, but should return a NumPy array"
                raise PropertyFailed(said).about("form")
            self._read(name, result.read)
            if self._script:
                self._script.know(result, self._script.latest(name))
        return results

    def sharing(self, held: Mapping[str, Held]) -> list[tuple[str, str]]:
        """Return the pairs of names whose arrays share memory; the layer's own parameters are among them."""
        own = {name: _guarded(f"reading {name}", partial(self.instance.get_held, name)) for name in self._attributes}
        names = [*held, *own]
        pairs = _guarded("sharing memory", lambda: self.instance.sharing([*held.values(), *own.values()]))
        return [(names[one], names[other]) for one, other in pairs]

    def attempt(self, method: str, *given: Array) -> None:
        """Call a method with arguments that it should refuse, and raise what it raises."""
        self._ready(self._initial["x"])
        if method == "backprop" and self._forward_first:
            self.forward(given[0])
        arguments = self._with_inputs(dict(zip(("x", "dLdy"), given, strict=False)))
        if self._script:
            variables = self._written_arguments(arguments)
            results = ["y"] if method == "forward" else [f"dLd{name}" for name in self.spec.gradients]
            self._script.call(method, self._written, results, variables, refused=True)
        self.instance.call(method, *arguments.values())

    def _with_inputs(self, given: Mapping[str, Given]) -> dict[str, Given]:
        """Return the arguments of a call in the layer's dtype, with the further inputs after x."""
        first = {"x": given["x"], **{name: self._parameters[name] for name in self.spec.inputs}}
        return {name: self._in_dtype(value) for name, value in {**first, **given}.items()}

    def _written_arguments(self, given: Mapping[str, Given]) -> dict[str, str]:
        """Return the variables that a script gives the layer: those of the further inputs along with that of x."""
        variables = {name: self._given(name, value) for name, value in given.items()}
        inputs = [variables.pop(name) for name in self.spec.inputs]
        return {**variables, "x": ", ".join([variables["x"], *inputs])}

    def _call(self, method: str, results: list[str], *, hold: bool = False, **given: Given) -> Any:
        """Call a method, and write the call down."""
        if self.trial.calls is not None:
            self._keep(**given)
        self._ready(given["x"])
        given = self._with_inputs(given)
        if not self._script:
            call = self.instance.call_and_hold if hold else self.instance.call
            return self._timed(method, lambda: call(method, *given.values()))
        self._script.call(method, self._written, results, self._written_arguments(given))
        if hold:
            self._script.keep_all()
            return _guarded(method, lambda: self.instance.call_and_hold(method, *given.values()))
        # The script gives the layer its own arrays: if the layer writes into them, the script has to copy them.
        held = [value if isinstance(value, Held) else self.instance.hold(value.copy()) for value in given.values()]
        try:
            returned = _guarded(method, lambda: self.instance.call(method, *held))
        except PropertyFailed as failure:
            if failure.kind == "shape":  # it has not the axes that the layout of an adapter says
                failure.shows = f"{self._script.as_returned(failure.array)}.shape"
            else:
                failure.written = len(self._script.lines)
            raise
        for value, kept in zip(given.values(), held, strict=True):
            if not isinstance(value, Held) and not np.array_equal(value, kept.read(), equal_nan=True):
                self._script.copies_needed = True
        return returned

    def _timed(self, name: str, call: Callable[[], Any]) -> Any:
        return _guarded(name, lambda: self.spec.clock.run(call))

    def _in_dtype(self, value: Given) -> Given:
        return value if isinstance(value, Held) else self.spec.given(value)

    def _keep(self, x: Given, dLdy: Given | None = None) -> None:
        """Keep the arrays of a call: of those that are held a copy, since they may be written into."""
        assert self.trial.calls is not None
        arrays = {**self._parameters, "x": x, **({} if dLdy is None else {"dLdy": dLdy})}
        self.trial.calls.append({name: one.read() if isinstance(one, Held) else one for name, one in arrays.items()})

    def _variable(self, name: str, value: Given) -> str:
        assert self._script
        return self._script.variable(value) if isinstance(value, Held) else self._script.array(name, value)

    def _given(self, name: str, value: Given) -> str:
        """Return the variable of an array that is given to the layer, which gets a copy unless it is held."""
        assert self._script
        return self._script.variable(value) if isinstance(value, Held) else self._script.given(name, value)

    def _known(self, name: str, result: Array) -> Array:
        if self._script:
            self._script.know(result, self._script.latest(name))
        return result

    def _times(self, n: int, mean: Array) -> Array:
        """Return n * mean, a whole number where it differs from one by the rounding of a division only."""
        total = np.asarray(mean * n)
        nearest = np.rint(total)
        total = np.where(abs(total - nearest) <= 4 * np.finfo(self.spec.dtype).eps * abs(total), nearest, total)
        self.trial.means.append((total, mean, max(1, n)))
        if self._script:
            self._script.know(total, self._script.variable(mean))
        return total

    # Forms

    def _separate(self, returned: Any) -> tuple[Any, ...] | list[Any]:
        """Return what backprop returned as one item for each gradient."""
        names = [f"dLd{name}" for name in self.spec.gradients]
        items = returned if isinstance(returned, tuple | list) else (returned,)
        if len(items) == len(names):
            return items
        expected = f"({', '.join(names)})" if len(names) > 1 else names[0]
        shown = returned.read() if isinstance(returned, Held) else returned
        said = f"backprop returned {_kind(shown)}, but should return {expected}"
        raise PropertyFailed(said, shows=self.last_result()).about("nothing" if shown is None else "form")

    def _real(self, what: str, value: Any) -> Array:
        if not isinstance(value, np.ndarray | np.generic):
            said = f"{what} returned {_kind(value)}, but should return a NumPy array"
            raise PropertyFailed(said, shows=self.last_result()).about("nothing" if value is None else "form")
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            said = f"{what} returned an array of {array.dtype}, but should return real numbers"
            raise PropertyFailed(said, shows=self.last_result()).about("form")
        # What is computed from results in float32 is not to be rounded once more.
        return array.astype(float) if array.dtype == np.float32 == self.spec.dtype else array

    def _read(self, what: str, read: Callable[[], Any]) -> Array:
        return self._real(what, _guarded(what, read))


def _values(given: Given) -> Any:
    return given.read() if isinstance(given, Held) else given


_OURS = (__file__, Here.call.__code__.co_filename, os.path.join(os.path.dirname(__file__), "adapters", ""))
"""Files, and a folder of files, whose lines are on the way to a layer."""


def _guarded(name: str, call: Callable[[], Any]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return call()
    except PropertyFailed:
        raise
    except (Exception, SystemExit) as error:
        raise raised(name, error) from error


def raised(name: str, error: BaseException) -> PropertyFailed:
    """Return the failure of a call that raised: its name, the error and, if it is known, the line of the layer."""
    name = getattr(error, "doing", name)  # what was asked for along with the call, in another process
    if isinstance(error, Crashed):
        return PropertyFailed(str(error)).about("raised", error=type(error).__name__)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    file, line = line_of(error)
    where = f" ({file}, line {line})" if line else ""
    return PropertyFailed(f"{name} raised {text}{where}").about("raised", error=type(error).__name__, line=line)


def line_of(error: BaseException) -> tuple[str, int | None]:
    """Return the file and line of the layer at which an error was raised, if there is such a line."""
    if hasattr(error, "where"):  # from another process
        file, _, line = str(error.where).rpartition(", line ")
        return file, int(line) if line.isdecimal() else None
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OURS)]
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return (os.path.basename(own[-1].filename), own[-1].lineno) if own else ("", None)


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.ndarray):
        return "one array"
    return f"{type(value).__name__} {value!r:.40}"
