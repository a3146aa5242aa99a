"""The layer under test, as the properties call it: results are checked for their form, calls can be written down."""

import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.case import Array
from verification.construction import arguments, passed
from verification.failure import NO_GRADIENT, NotJudged, PropertyFailed
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
        self._parameters: dict[str, Given] = {}
        make = self.spec.make
        settings = passed(make, trial.case.settings, self.spec.fixed, self.spec.as_one)
        if self._script:
            self._written = self._script.construct(settings)
        args, kwargs = arguments(make, settings)
        made = _guarded(script_name(make), lambda: make(*args, **kwargs))
        self.instance: Instance = made if isinstance(made, Instance) else Here(made)
        for name in (*self.spec.parameters, *self.spec.constants):
            self.assign(name, parameters[name])

    # Parameters

    def parameters(self) -> dict[str, Array]:
        """Return copies of the layer's parameters and constants."""
        names = (*self.spec.parameters, *self.spec.constants)
        return {name: self._read(f"reading {name}", partial(self.instance.get, name)) for name in names}

    def assign(self, name: str, value: Given) -> None:
        """Set a parameter to another array."""
        if self._script:
            variable = self._variable(name, self._in_dtype(value))
            self._script.assign(self._written, name, variable, copy=not isinstance(value, Held))
        self._parameters[name] = value
        value = self._in_dtype(value)
        _guarded(f"setting {name}", lambda: self.instance.set(name, value))

    def overwrite(self, name: str, values: Array) -> None:
        """Write other values into the layer's own parameter; assign it, where it is read-only."""
        own = _guarded(f"reading {name}", lambda: self.instance.get_held(name))
        try:
            own.write(values)
        except ValueError:
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
        if self._script:
            self._script.write_into(held, name, values)
        held.write(values, force=True)

    def expression(self, name: str, held: Mapping[str, Held]) -> str:
        """Return the expression of the script for an array that is held, or for the layer's own parameter."""
        if not self._script:
            return ""
        return self._script.variable(held[name]) if name in held else self._script.attribute(self._written, name)

    def sharing_expression(self, one: str, other: str, held: Mapping[str, Held]) -> str:
        """Return the expression of the script that says that two arrays share memory."""
        return f"np.shares_memory({self.expression(one, held)}, {self.expression(other, held)})" * bool(self._script)

    def last_result(self) -> str:
        """Return the variable of the script that holds what the last call returned."""
        return self._script.unnamed_result() if self._script else ""

    # Calls

    def forward(self, x: Given) -> Array:
        """Return forward(x); PropertyFailed if it raises or returns no array of real numbers."""
        self._forwarded = x
        y = self._call("forward", ["y"], x=x)
        return self._known("y", self._real("forward", y))

    def backprop(self, x: Given, dLdy: Given, *, straight: bool = False) -> dict[str, Array]:
        """Return the gradients of backprop(x, dLdy) by the argument that each belongs to.

        forward(x) comes first, as in training, unless `straight`: that a layer must not rely on it is for one
        property to say, not for all.
        """
        if not straight and self._forwarded is not x:
            self.forward(x)
        gradients = Gradients()
        if not self.spec.gradients:
            return gradients
        names = [f"dLd{name}" for name in self.spec.gradients]
        returned = self._call("backprop", names, x=x, dLdy=dLdy)
        for name, gradient in zip(self.spec.gradients, self._separate(returned), strict=True):
            gradients[name] = self._known(f"dLd{name}", self._real(f"backprop, for dLd{name},", gradient))
        if self.spec.parameter_gradients == "mean":
            n = len(x.read() if isinstance(x, Held) else x)
            return Gradients(
                (name, array if name == "x" else self._times(n, array)) for name, array in gradients.items()
            )
        return gradients

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
        own = {
            name: _guarded(f"reading {name}", partial(self.instance.get_held, name)) for name in self.spec.parameters
        }
        names = [*held, *own]
        pairs = _guarded("sharing memory", lambda: self.instance.sharing([*held.values(), *own.values()]))
        return [(names[one], names[other]) for one, other in pairs]

    def attempt(self, method: str, *given: Array) -> None:
        """Call a method with arguments that it should refuse, and raise what it raises."""
        if self._script:
            shown = zip(("x", "dLdy"), map(self.spec.given, given), strict=False)
            variables = {name: self._given(name, array) for name, array in shown}
            results = ["y"] if method == "forward" else [f"dLd{name}" for name in self.spec.gradients]
            self._script.call(method, self._written, results, variables)
            self._script.remark("should be refused")
        self.instance.call(method, *map(self.spec.given, given))

    def _call(self, method: str, results: list[str], *, hold: bool = False, **given: Given) -> Any:
        """Call a method, and write the call down."""
        if self.trial.calls is not None:
            self._keep(**given)
        given = {name: self._in_dtype(value) for name, value in given.items()}
        if not self._script:
            call = self.instance.call_and_hold if hold else self.instance.call
            return _guarded(method, lambda: call(method, *given.values()))
        variables = {name: self._given(name, value) for name, value in given.items()}
        self._script.call(method, self._written, results, variables)
        if hold:
            self._script.keep_all()
            return _guarded(method, lambda: self.instance.call_and_hold(method, *given.values()))
        # The script gives the layer its own arrays: if the layer writes into them, the script has to copy them.
        held = [value if isinstance(value, Held) else self.instance.hold(value.copy()) for value in given.values()]
        try:
            return _guarded(method, lambda: self.instance.call(method, *held))
        finally:
            for value, kept in zip(given.values(), held, strict=True):
                if not isinstance(value, Held) and not np.array_equal(value, kept.read(), equal_nan=True):
                    self._script.copies_needed = True

    def _in_dtype(self, value: Given) -> Given:
        return value if isinstance(value, Held) else self.spec.given(value)

    def _keep(self, x: Given, dLdy: Given | None = None) -> None:
        """Keep the case of a call, as it would be asked plainly."""
        assert self.trial.calls is not None
        arrays = {**self.trial.case.arrays, **self._parameters, "x": x, **({} if dLdy is None else {"dLdy": dLdy})}
        plain = {name: np.array(one.read() if isinstance(one, Held) else one) for name, one in arrays.items()}
        if any(array.dtype.kind == "c" for array in plain.values()):  # what a layer made of it: not to be asked plainly
            return
        plain = {name: array if name in self.spec.constants else array.astype(float) for name, array in plain.items()}
        self.trial.calls.append(replace(self.trial.case, arrays=plain))

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
        if self._script:
            self._script.know(total, f"{n} * {self._script.variable(mean)}")
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


_OURS = (__file__, Here.call.__code__.co_filename)
"""Files whose lines are on the way to every layer."""


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
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    file, line = _where(error)
    where = f" ({file}, line {line})" if line else ""
    return PropertyFailed(f"{name} raised {text}{where}").about("raised", error=type(error).__name__, line=line)


def _where(error: BaseException) -> tuple[str, int | None]:
    """Return the file and line of the layer at which an error was raised, if there is such a line."""
    if hasattr(error, "where"):  # from another process
        file, _, line = str(error.where).rpartition(", line ")
        return file, int(line) if line.isdecimal() else None
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in _OURS]
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
