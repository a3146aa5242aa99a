"""The layer under test, as the properties call it."""

import os
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.case import Array
from verification.failure import PropertyFailed
from verification.script import arguments, listed
from verification.script import name as script_name

if TYPE_CHECKING:
    from verification.trial import Trial


class Distant(ABC):
    """A layer in another process: beside forward and backprop it has calls that are asked together."""

    @abstractmethod
    def assign(self, name: str, array: Array) -> None:
        """Set an attribute to a copy of an array."""

    @abstractmethod
    def later(self, method: str, *arrays: Array, as_is: bool = False, own: bool = False) -> Callable[[], Any]:
        """Call a method before or with the next call; return what gives its result, a copy unless `own`.

        The layer gets copies of the arrays, unless `as_is`: then what it writes into them arrives here.
        """

    @abstractmethod
    def attempt(self, method: str, *arrays: Array) -> Callable[[], object]:
        """Call a method before or with the next call; return what raises what it raised, if it did."""

    @abstractmethod
    def put_off(self, method: str, *arrays: Array, as_is: bool = False) -> None:
        """Call a method before the next call, with nothing to be known of its result."""

    @abstractmethod
    def attributes(self, names: Sequence[str], *, own: bool = False) -> Callable[[], list[Any]]:
        """Return what gives attributes: copies of them as they are before the next call, unless `own`."""

    @abstractmethod
    def sharing(self, arrays: Sequence[Array]) -> Callable[[], list[tuple[int, int]]]:
        """Return what gives the pairs, by their places, that share memory where the layer lives.

        The arrays were given to the layer, or returned by it.
        """

    @abstractmethod
    def settle(self) -> None:
        """Wait until all that was asked for has ended, so that nothing that comes next is blamed for it.

        Raise Stopped if the other process ends over it.
        """


class Layer:
    """The layer under test: every call is checked for form and, if the trial keeps a script, written down.

    Arguments and results are copied on the way, so that a layer that overwrites its arguments or
    uses a buffer again does not disturb the trial, unless the property is about that (as_is).
    """

    def __init__(self, trial: "Trial", arrays: Mapping[str, Array], *, as_is: bool = False) -> None:
        self.trial = trial
        spec, settings, script = trial.spec, trial.case.settings, trial.script
        args, kwargs = arguments(spec.make, settings)
        self.raw = _guarded(script_name(spec.make), lambda: spec.make(*args, **kwargs))
        self.name = script.fresh("layer") if script else ""
        self._written: dict[str, str] = {}  # what stands for the layer, and for its parameters, in the script
        if script:
            original = script.make
            by_name = ", ".join(f"{key}={value!r}" for key, value in settings.items())
            given = listed(original, settings) if script.spelling.construct else by_name
            self._written = {
                "make": script_name(original), "settings": given, "comma": ", " * bool(given), "layer": self.name,
                "values": ", ".join(map(repr, settings.values())),
            }  # fmt: skip
            script.write(script.spelling.construct, **self._written)
        for name in (*spec.parameters, *spec.constants):
            self._set(name, arrays[name], as_is=as_is)
            if script:
                self._written[name] = script.array(name, arrays[name])
                attribute = script.spelling.names.get(name, name)
                script.write(
                    script.spelling.parameter, **self._written, name=name, attribute=attribute,
                    array=self._written[name],
                )  # fmt: skip
        self._forwarded: Array | None = None

    def _set(self, name: str, array: Array, *, as_is: bool = False) -> None:
        if isinstance(self.raw, Distant) and not as_is:
            self.raw.assign(name, array)
        else:
            setattr(self.raw, name, array if as_is else array.copy())

    def parameters(self, *names: str) -> dict[str, Array]:
        """Return the layer's own parameters and constants, all unless some are named."""
        return self.parameters_later(*names, own=True)()

    def parameters_later(self, *names: str, own: bool = False) -> Callable[[], dict[str, Array]]:
        """Return what gives the same, copies as they are now unless `own`, like forward_later."""
        raw, names = self.raw, names or (*self.trial.spec.parameters, *self.trial.spec.constants)
        if not isinstance(raw, Distant):
            read = {name: _guarded(f"reading {name}", partial(getattr, raw, name)) for name in names}
            result = {name: _real(f"reading {name}", value) for name, value in read.items()}
            result = result if own else {name: array.copy() for name, array in result.items()}
            return lambda: result
        asked = raw.attributes(names, own=own)

        def values() -> dict[str, Array]:
            given = zip(names, _guarded(f"reading {', '.join(names)}", asked), strict=True)
            return {name: _real(f"reading {name}", value) for name, value in given}

        return values

    def settle(self) -> None:
        """Wait until all that was asked for has ended, where the layer is in another process; or raise Stopped."""
        if isinstance(self.raw, Distant):
            self.raw.settle()

    def sharing_later(self, arrays: Mapping[str, Array]) -> Callable[[], list[tuple[str, str]]]:
        """Return what gives the pairs of names whose arrays share memory where the layer lives, like forward_later."""
        names, values = list(arrays), list(arrays.values())
        if isinstance(self.raw, Distant):
            asked = self.raw.sharing(values)
            return lambda: [(names[one], names[other]) for one, other in _guarded("returning arrays", asked)]
        pairs = [(one, other) for one, other in combinations(names, 2) if np.shares_memory(arrays[one], arrays[other])]
        return lambda: pairs

    def forward(self, x: Array, *, as_is: bool = False, own: bool = False) -> Array:
        """Return forward(x); raise PropertyFailed if it raises or returns no array of real numbers."""
        return self.forward_later(x, as_is=as_is, own=own)()

    def forward_later(self, x: Array, *, as_is: bool = False, own: bool = False) -> Callable[[], Array]:
        """Call forward(x), and return what gives its result: a layer in another process is asked when it must be."""
        self._write_forward(x)
        self._forwarded = x
        return self._later("forward", (x,), lambda y: _real("forward", y), as_is=as_is, own=own)

    def _write_forward(self, x: Array) -> None:
        if script := self.trial.script:
            script.call(script.spelling.forward, ["y"], **self._written, x=script.array("x", x))

    def call(self, method: str, *given: Array) -> Callable[[], object]:
        """Call a method as it is, with arguments that it should refuse; return what raises what it raised, if it did.

        Like forward_later: a layer in another process is asked when it must be.
        """
        if script := self.trial.script:
            named = {name: script.array(name, array) for name, array in zip(("x", "dLdy"), given, strict=False)}
            results = ["y"] if method == "forward" else [f"dLd{name}" for name in self.trial.spec.gradients]
            script.call(getattr(script.spelling, method), results, **self._written, **named)
            script.lines[-1] += "  # should be refused"
        if isinstance(self.raw, Distant):
            return self.raw.attempt(method, *given)
        try:
            with np.errstate(all="ignore"):
                getattr(self.raw, method)(*(array.copy() for array in given))
        except Exception as error:
            return partial(_raise, error)
        return lambda: None

    def change(self, name: str, array: Array, *, in_place: bool) -> None:
        """Give a parameter other values, by assigning another array or by writing into the layer's own."""
        own = self.parameters(name)[name] if in_place else None
        in_place = own is not None and own.flags.writeable  # what is read-only can only be assigned
        if script := self.trial.script:
            template, self._written[name] = script.spelling.parameter, script.array(name, array)
            if in_place:
                template = template.replace(" = {array}.copy()", "[...] = {array}")
            attribute = script.spelling.names.get(name, name)
            script.write(template, **self._written, name=name, attribute=attribute, array=self._written[name])
        if own is not None and in_place:
            own[...] = array
        else:
            self._set(name, array)

    def backprop(
        self, x: Array, dLdy: Array, *, as_is: bool = False, own: bool = False, straight: bool = False
    ) -> dict[str, Array]:
        """Return the gradients of backprop(x, dLdy) by the argument that each belongs to.

        forward(x) comes first, as in training, unless `straight`: that a layer must not rely on it
        is for one property to say, not for all.
        """
        return self.backprop_later(x, dLdy, as_is=as_is, own=own, straight=straight)()

    def backprop_later(
        self, x: Array, dLdy: Array, *, as_is: bool = False, own: bool = False, straight: bool = False
    ) -> Callable[[], dict[str, Array]]:
        """Call backprop(x, dLdy), and return what gives its gradients, like forward_later."""
        if not straight and self._forwarded is not x:
            self.use(x, as_is=as_is)
        self._write_backprop(x, dLdy)
        n = len(x)
        return self._later("backprop", (x, dLdy), lambda given: self._gradients(given, n), as_is=as_is, own=own)

    def both(self, x: Array, dLdy: Array, *, as_is: bool = False, own: bool = False) -> tuple[Array, dict[str, Array]]:
        """Return forward(x) and the gradients of backprop(x, dLdy): one after the other, as in training."""
        return self.both_later(x, dLdy, as_is=as_is, own=own)()

    def both_later(
        self, x: Array, dLdy: Array, *, as_is: bool = False, own: bool = False
    ) -> Callable[[], tuple[Array, dict[str, Array]]]:
        """Call forward(x) and backprop(x, dLdy), and return what gives both results, like forward_later."""
        y, gradients = self.forward_later(x, as_is=as_is, own=own), self.backprop_later(x, dLdy, as_is=as_is, own=own)
        return lambda: (y(), gradients())

    def use(self, x: Array, dLdy: Array | None = None, *, as_is: bool = False, now: bool = False) -> None:
        """Call forward(x), and backprop(x, dLdy) if dLdy is given, where the results do not matter.

        now    not later, as a layer in another process may be: x is going to change
        """
        if now or not isinstance(self.raw, Distant):
            self.forward(x, as_is=as_is)
            if dLdy is not None:
                self.backprop(x.copy(), dLdy, straight=True)
            return
        self._write_forward(x)
        self.raw.put_off("forward", x, as_is=as_is)
        if dLdy is not None:
            self._write_backprop(x, dLdy)
            self.raw.put_off("backprop", x, dLdy)
        self._forwarded = x

    def _later(
        self, method: str, given: Sequence[Array], made: Callable[[Any], Any], *, as_is: bool, own: bool
    ) -> Callable[[], Any]:
        """Call a method, with copies unless as_is; return what gives `made` of its result, copied unless own."""
        raw = self.raw
        if isinstance(raw, Distant):
            answer = raw.later(method, *given, as_is=as_is, own=own)
            return lambda: made(_guarded(method, answer))
        given = given if as_is else [array.copy() for array in given]
        result = made(_guarded(method, lambda: getattr(raw, method)(*given)))
        if not own:
            one = isinstance(result, np.ndarray)
            result = result.copy() if one else {name: array.copy() for name, array in result.items()}
        return lambda: result

    def _write_backprop(self, x: Array, dLdy: Array) -> None:
        if script := self.trial.script:
            given = {"x": script.array("x", x), "dLdy": script.array("dLdy", dLdy)}
            names = [f"dLd{name}" for name in self.trial.spec.gradients]
            script.call(script.spelling.backprop, names, **self._written, **given)

    def _gradients(self, returned: Any, n: int) -> dict[str, Array]:
        """Return what backprop returned for a batch of n by the argument that each belongs to."""
        names = self.trial.spec.gradients
        expected = ", ".join(f"dLd{name}" for name in names)
        expected = f"({expected})" if len(names) > 1 else expected
        gradients = returned if isinstance(returned, tuple | list) else (returned,)
        if len(gradients) != len(names):
            raise PropertyFailed(f"backprop returned {_kind(returned)}, but should return {expected}")
        result = {
            name: _real(f"backprop, for dLd{name},", gradient) for name, gradient in zip(names, gradients, strict=True)
        }
        if self.trial.spec.parameter_gradients == "mean":
            result |= {name: _times(result[name], n) for name in names if name != "x"}
        return result


def _raise(error: Exception) -> None:
    raise error


def _guarded(name: str, call: Callable[[], Any]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return call()
    except PropertyFailed:
        raise
    except (Exception, SystemExit) as error:
        raise raised(name, error) from error


def raised(name: str, error: BaseException) -> PropertyFailed:
    """Return the failure of what raised an error: its name, the error and, if it is known, the line of the layer."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    where = _where(error)
    return PropertyFailed(f"{name} raised {text}" + f" ({where})" * bool(where))


def _where(error: BaseException) -> str:
    """Return the file and line of the layer at which an error was raised, if they are known of one from afar."""
    if hasattr(error, "where"):
        return str(error.where)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    frame = (own if len(own) > 1 else frames)[-1]
    return f"{os.path.basename(frame.filename)}, line {frame.lineno}"


def _real(name: str, value: Any) -> Array:
    if not isinstance(value, np.ndarray | np.generic):
        raise PropertyFailed(f"{name} returned {_kind(value)}, but should return a NumPy array")
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise PropertyFailed(f"{name} returned an array of {array.dtype}, but should return real numbers")
    return array


def _times(mean: Array, n: int) -> Array:
    """Return n * mean, a whole number where it differs from one by the rounding of a division only."""
    total = np.asarray(mean * n)
    nearest = np.rint(total)
    return np.where(abs(total - nearest) <= 4 * np.finfo(float).eps * abs(total), nearest, total)


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.ndarray):
        return "one array"
    return f"{type(value).__name__} {value!r:.40}"
