"""The layer under test, as the properties call it."""

import os
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.case import Array
from verification.failure import PropertyFailed
from verification.script import arguments, listed
from verification.script import name as script_name

if TYPE_CHECKING:
    from verification.trial import Trial


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
            setattr(self.raw, name, arrays[name] if as_is else arrays[name].copy())
            if script:
                self._written[name] = script.array(name, arrays[name])
                attribute = script.spelling.names.get(name, name)
                script.write(
                    script.spelling.parameter, **self._written, name=name, attribute=attribute,
                    array=self._written[name],
                )  # fmt: skip
        self._forwarded: Array | None = None

    def parameter(self, name: str) -> Array:
        """Return a parameter as the layer has it now."""
        return _real(f"reading {name}", _guarded(f"reading {name}", lambda: getattr(self.raw, name)), as_is=True)

    def share_memory(self, one: Array, other: Array) -> bool:
        """Return whether two arrays share memory, where the layer lives: a layer may do so in another process."""
        shared = getattr(self.raw, "arrays_share_memory", np.shares_memory)
        return bool(_guarded("returning arrays", lambda: shared(one, other)))

    def forward(self, x: Array, *, as_is: bool = False) -> Array:
        """Return forward(x); raise PropertyFailed if it raises or returns no array of real numbers."""
        self._write_forward(x)
        y = _guarded("forward", lambda: self.raw.forward(x if as_is else x.copy()))
        self._forwarded = x
        return _real("forward", y, as_is)

    def _write_forward(self, x: Array) -> None:
        if script := self.trial.script:
            script.call(script.spelling.forward, ["y"], **self._written, x=script.array("x", x))

    def call(self, method: str, *given: Array) -> None:
        """Call a method as it is, with arguments that it should refuse; what it raises is raised."""
        if script := self.trial.script:
            named = {name: script.array(name, array) for name, array in zip(("x", "dLdy"), given, strict=False)}
            results = ["y"] if method == "forward" else [f"dLd{name}" for name in self.trial.spec.gradients]
            script.call(getattr(script.spelling, method), results, **self._written, **named)
            script.lines[-1] += "  # should be refused"
        with np.errstate(all="ignore"):
            getattr(self.raw, method)(*given)

    def change(self, name: str, array: Array, *, in_place: bool) -> None:
        """Give a parameter other values, by assigning another array or by writing into the layer's own."""
        if script := self.trial.script:
            where = f"{self.name}.{name}" + "[...]" * in_place
            script.lines.append(f"{where} = {script.array(name, array)}" + ".copy()" * (not in_place))
        if in_place:
            self.parameter(name)[...] = array
        else:
            setattr(self.raw, name, array.copy())

    def backprop(self, x: Array, dLdy: Array, *, as_is: bool = False, straight: bool = False) -> dict[str, Array]:
        """Return the gradients of backprop(x, dLdy) by the argument that each belongs to.

        forward(x) comes first, as in training, unless `straight`: that a layer must not rely on it
        is for one property to say, not for all.
        """
        if not straight and self._forwarded is not x:
            if hasattr(self.raw, "forward_before"):  # a layer in another process is asked once for both
                self._write_forward(x)
                self.raw.forward_before(x if as_is else x.copy())
            else:
                self.forward(x, as_is=as_is)
        names = self.trial.spec.gradients
        if script := self.trial.script:
            given = {"x": script.array("x", x), "dLdy": script.array("dLdy", dLdy)}
            script.call(script.spelling.backprop, [f"dLd{name}" for name in names], **self._written, **given)
        arguments = (x, dLdy) if as_is else (x.copy(), dLdy.copy())
        returned = _guarded("backprop", lambda: self.raw.backprop(*arguments))
        expected = ", ".join(f"dLd{name}" for name in names)
        expected = f"({expected})" if len(names) > 1 else expected
        gradients = returned if isinstance(returned, tuple | list) else (returned,)
        if len(gradients) != len(names):
            raise PropertyFailed(f"backprop returned {_kind(returned)}, but should return {expected}")
        result = {
            name: _real(f"backprop, for dLd{name},", gradient, as_is)
            for name, gradient in zip(names, gradients, strict=True)
        }
        if self.trial.spec.parameter_gradients == "mean":
            result |= {name: _times(result[name], len(x)) for name in names if name != "x"}
        return result


def _guarded(name: str, call: Callable[[], Any]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return call()
    except PropertyFailed:
        raise
    except (Exception, SystemExit) as error:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise PropertyFailed(f"{name} raised {text} ({_where(error)})") from error


def _where(error: BaseException) -> str:
    """Return the file and line of the layer at which an error was raised, known from afar where it has `where`."""
    if where := getattr(error, "where", ""):
        return str(where)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    frame = (own if len(own) > 1 else frames)[-1]
    return f"{os.path.basename(frame.filename)}, line {frame.lineno}"


def _real(name: str, value: Any, as_is: bool) -> Array:
    if not isinstance(value, np.ndarray | np.generic):
        raise PropertyFailed(f"{name} returned {_kind(value)}, but should return a NumPy array")
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise PropertyFailed(f"{name} returned an array of {array.dtype}, but should return real numbers")
    return array if as_is else array.copy()


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
