"""Layers that live in a child process, as the suite sees them: objects with forward, backprop and parameters."""

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from itertools import count
from typing import Any

import numpy as np

from verification.case import Array
from verification.failure import Stopped
from verification.judge.process import Limits
from verification.judge.session import Budget, Once, Session, error_of, plain
from verification.layer import Distant

LOADING = 4
"""Calls of the full timeout that the file may take to load: an import may take long."""

ALONE = 12
"""Calls of the full timeout that the file may take to run by itself."""


class RemoteLayer(Distant):
    """A layer in the child: its calls and attributes go there."""

    def __init__(self, session: Session, number: int) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_number", number)
        weakref.finalize(self, session.free_layer, number)

    def forward(self, x: Array) -> Any:
        """Return forward(x)."""
        return self._now("forward", x)

    def backprop(self, x: Array, dLdy: Array) -> Any:
        """Return backprop(x, dLdy)."""
        return self._now("backprop", x, dLdy)

    def update_weights(self, dW: Array, db: Array) -> Any:
        """Add to the parameters, as the assignment's accuracy test does."""
        return self._now("update_weights", dW, db)

    def _now(self, method: str, *arrays: Array) -> Any:
        return self._session.now(method, "call", self._number, method, *arrays)

    def assign(self, name: str, array: Array) -> None:
        """Set an attribute to a copy of an array."""
        self._session.later("set", self._number, name, Once(array.copy()))

    def later(self, method: str, *arrays: Array, as_is: bool = False, own: bool = False) -> Callable[[], Any]:
        """Call a method before or with the next call; return what gives its result, a copy unless `own`."""
        session: Session = self._session
        return session.ask(method, "call" if own else "copy", self._number, method, *_given(arrays, as_is))

    def attempt(self, method: str, *arrays: Array) -> Callable[[], object]:
        """Call a method before or with the next call; return what raises what it raised, if it did."""
        asked = self._session.ask(method, "attempt", self._number, method, *_given(arrays, as_is=False))

        def attempted() -> None:
            content, _ = asked()
            if content["raised"]:
                raise error_of(content["raised"])

        return attempted

    def put_off(self, method: str, *arrays: Array, as_is: bool = False) -> None:
        """Call a method before the next call, with nothing to be known of its result."""
        self._session.later("call", self._number, method, *_given(arrays, as_is))

    def attributes(self, names: Sequence[str], *, own: bool = False) -> Callable[[], list[Any]]:
        """Return what gives attributes: copies of them as they are before the next call, unless `own`."""
        session: Session = self._session
        step = "get" if own else "copy_of"
        asked = [session.ask(f"reading {name}", step, self._number, name) for name in names]
        return lambda: session.held([one() for one in asked])

    def sharing(self, arrays: Sequence[Array]) -> Callable[[], list[tuple[int, int]]]:
        """Return what gives the pairs, by their places, that share memory in the child."""
        asked = self._session.ask("sharing memory", "sharing", *arrays)

        def pairs() -> list[tuple[int, int]]:
            content, _ = asked()
            return [(int(one), int(other)) for one, other in content["pairs"]]

        return pairs

    def settle(self) -> None:
        """Wait until all that was asked for has ended; raise Stopped if the child ends over it."""
        self._session.settle()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.attributes([name], own=True)()[0]

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.later("set", self._number, name, value)


def _given(arrays: Sequence[Array], as_is: bool) -> Sequence[Array | Once]:
    return arrays if as_is else [Once(array.copy()) for array in arrays]


@dataclass(frozen=True)
class Loaded:
    """What loading found: the classes wanted with parameters and methods, all classes, notes; or one error.

    kind    of an error: "syntax error", "empty file", or ""
    """

    found: Mapping[str, Mapping[str, Any]]
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    error: str = ""
    kind: str = ""


class Submission:
    """A file that nobody trusts; layers of its classes are made in a child, which is replaced when it ends.

    source    the bytes of the file
    wanted    the names of classes that may be asked for
    """

    def __init__(self, source: bytes, filename: str, wanted: tuple[str, ...], seed: int, limits: Limits) -> None:
        self.source, self.filename, self.wanted, self.seed, self.limits = source, filename, wanted, seed, limits
        self.isolation = ""
        self.output = b""
        self._session: Session | None = None
        self._layers = count()
        self.new_budget()
        self.loaded = self._load()

    def new_budget(self) -> None:
        """Start counting the seconds lost and taken anew, as for each layer."""
        self._budget = Budget(self.limits.timeout)
        if self._session:
            self._session.budget = self._budget

    def make(self, name: str) -> "RemoteClass":
        """Return what makes layers of the class of this name."""
        return RemoteClass(self, name, self.loaded.found[name]["parameters"])

    def layer(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RemoteLayer:
        """Make a layer in the child, in a new one if the last has ended."""
        self._budget.check()
        if self._session is None or not self._session.child.alive:
            self._load()
        session = self._session
        assert session
        number = next(self._layers)
        session.later("new", number, name, list(args), kwargs)
        return RemoteLayer(session, number)

    def run_alone(self) -> tuple[list[str], str, bool]:
        """Run the whole file by itself in a new child; return the lines that its accuracy test printed.

        Besides, how the run ended, in words, if not well; and whether that was because its time was up.
        """
        session = Session(self.limits, Budget(self.limits.timeout))
        start, most = time.monotonic(), ALONE * self.limits.timeout
        step = ("run_alone", np.frombuffer(self.source, np.uint8), self.filename, self.seed % 2**32)
        ended, late = "", False
        try:
            content, _ = session.now("the file by itself", *step, timeout=most)
            if raised := content["raised"]:
                kind, message, where = (plain(raised[part]) for part in ("type", "message", "where"))
                ended = f"it raised {kind}: {message}" + f" ({where})" * bool(where)
        except Stopped as stop:
            ended, late = str(stop), time.monotonic() - start >= most
        except Exception:  # raised by what is no answer
            ended = "it gave an answer that makes no sense"
        finally:
            session.child.stop()
        return plain(session.child.output.decode(errors="replace")).splitlines(), ended, late

    def close(self) -> None:
        """End the child."""
        if self._session:
            self._session.child.stop()
            self.output = self.output or bytes(self._session.child.output)

    def _load(self) -> Loaded:
        self.close()
        session = self._session = Session(self.limits, self._budget)
        self.isolation = session.child.isolation
        if not self.source.strip():
            return Loaded({}, (), (), "the file is empty", "empty file")
        source = np.frombuffer(self.source, np.uint8)
        timeout = LOADING * self.limits.timeout
        load = ("load", source, self.filename, list(self.wanted), self.seed % 2**32)
        try:
            found, _ = session.now("loading the file", *load, timeout=timeout)
            if "error" in found:
                return Loaded({}, (), (), plain(found["error"]), "syntax error" * bool(found["syntax"]))
            if all(line.strip()[:1] in (b"", b"#") for line in self.source.splitlines()):
                return Loaded({}, (), (), "the file has comments only", "empty file")
            return Loaded(
                {
                    name: {"parameters": entry["parameters"], "methods": [*map(plain, entry["methods"])]}
                    for name, entry in found["found"].items()
                    if name in self.wanted
                },
                tuple(map(plain, found["classes"])),
                tuple(map(plain, found["notes"])),
            )
        except Stopped as stopped:
            return Loaded({}, (), (), str(stopped))
        except Exception as error:  # the classes are not described as the worker does it
            return Loaded({}, (), (), f"loading the file gave an answer that makes no sense: {type(error).__name__}")


class RemoteClass:
    """Makes layers in the child; to be given to a spec as the class itself would be."""

    def __init__(self, submission: Submission, name: str, parameters: Any) -> None:
        self._submission = submission
        self.__name__ = self.__qualname__ = name
        self.__module__ = submission.filename.removesuffix(".py")
        try:
            given = [Parameter(p, _KINDS[k], default=None if o else Parameter.empty) for p, k, o in parameters]
            self.__signature__ = Signature(given)
        except (TypeError, ValueError, IndexError):  # not known: by position
            self.__signature__ = Signature([Parameter("args", Parameter.VAR_POSITIONAL)])

    def __call__(self, *args: Any, **kwargs: Any) -> RemoteLayer:
        """Return a new layer."""
        return self._submission.layer(self.__name__, args, kwargs)


_KINDS = list(type(Parameter.VAR_POSITIONAL))  # type: ignore[call-overload]  # an enumeration, its type private
