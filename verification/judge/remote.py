"""Layers that live in a child process: each call is one question to it, and one answer."""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from itertools import count
from typing import Any

import numpy as np

from verification.case import Array
from verification.failure import Stopped
from verification.instance import Held, Instance, memory_of
from verification.judge.child.protocol import ITEMS
from verification.judge.process import Child, Limits
from verification.judge.session import Budget, Session, plain, said_of

LOADING = 4
"""Calls of the full timeout that the file may take to load: an import may take long."""

ALONE = 12
"""Calls of the full timeout that the file may take to run by itself."""


Place = int | list[Any] | None
"""Where the child finds an array: see child/protocol.py."""

_NUMBERS = count()
"""What layers and held arrays are called, in whatever child they are."""


class RemoteHeld(Held):
    """An array that is held in the child, under a number; it travels there with the first call that it is given to."""

    def __init__(self, session: Session, number: int, array: Array | None = None) -> None:
        self.session, self.number, self.array = session, number, array
        weakref.finalize(self, session.forgotten.append, number)

    def read(self) -> Any:
        """Return a copy of it as it is now."""
        if self.array is not None:
            return self.array.copy()
        return self.session.value("reading", *self.session.ask("reading", "read", self.number))

    def write(self, values: Array, *, force: bool = False) -> None:
        """Write values into it."""
        self.session.ask("writing", "write", self.number, force, arrays=[values])


class RemoteLayer(Instance):
    """A layer in the child, under a number; it is made there with the first call."""

    def __init__(self, session: Session, name: str, args: Sequence[Any], kwargs: Any) -> None:
        self.session, self.number = session, next(_NUMBERS)
        self.made, self.making = False, (name, args, kwargs)
        self.attributes: dict[str, Array | Held] = {}
        weakref.finalize(self, session.forgotten.append, self.number)

    def call(self, method: str, *given: Array | Held) -> Any:
        """Call a method; return a copy of its result."""
        return self._value(method, "call", [method], given)

    def call_and_hold(self, method: str, *given: Array | Held) -> Any:
        """Call a method; return its result with every array in it held."""
        numbers = [next(_NUMBERS) for _ in range(ITEMS)]
        items, _ = self._ask(method, "call_and_hold", [method, numbers], given)
        if items is None:
            return RemoteHeld(self.session, numbers[0])
        if not isinstance(items, int) or not 0 <= items <= ITEMS:
            raise self.session.nonsense(method, ValueError())
        return tuple(RemoteHeld(self.session, number) for number in numbers[:items])

    def get(self, name: str) -> Any:
        """Return a copy of an attribute."""
        return self._value(f"reading {name}", "get", [name])

    def get_held(self, name: str) -> Held:
        """Return an attribute, held."""
        held = next(_NUMBERS)
        self._ask(f"reading {name}", "get_held", [name, held])
        return RemoteHeld(self.session, held)

    def set(self, name: str, value: Array | Held) -> None:
        """Set an attribute."""
        if self.made:
            self._ask("setting a parameter", "set", [name], [value])
        else:
            self.attributes[name] = value

    def hold(self, array: Array) -> Held:
        """Hold this array, in its own memory layout."""
        return RemoteHeld(self.session, next(_NUMBERS), array)

    def sharing(self, held: Sequence[Held]) -> list[tuple[int, int]]:
        """Return the pairs of these arrays, by their places, that share memory."""
        pairs, _ = self._ask("sharing memory", "sharing", [], held)
        return [(int(one), int(other)) for one, other in pairs]

    def _ask(
        self, doing: str, step: str, arguments: Sequence[Any], given: Sequence[Array | Held] = ()
    ) -> tuple[Any, list[Array]]:
        """Have the child do a step with this layer, which it makes first if it has to."""
        make = None
        arrays: list[Array] = []
        if not self.made:
            attributes = {name: _place(value, arrays) for name, value in self.attributes.items()}
            make = [self.number, *self.making, attributes]
            self.made = True
        places = [_place(one, arrays) for one in given]
        return self.session.ask(doing, step, self.number, *arguments, places, arrays=arrays, make=make)

    def _value(self, doing: str, step: str, arguments: Sequence[Any], given: Sequence[Array | Held] = ()) -> Any:
        return self.session.value(doing, *self._ask(doing, step, arguments, given))

    # As the accuracy test calls a layer

    def forward(self, x: Array) -> Any:
        """Return forward(x)."""
        return self.call("forward", x)

    def backprop(self, x: Array, dLdy: Array) -> Any:
        """Return backprop(x, dLdy)."""
        return self.call("backprop", x, dLdy)

    def update_weights(self, dW: Array, db: Array) -> Any:
        """Add to the parameters."""
        return self.call("update_weights", dW, db)


def _place(given: Array | Held, arrays: list[Array]) -> Place:
    """Return the place of an array, after adding it to those that travel if it does."""
    if not isinstance(given, RemoteHeld):
        assert isinstance(given, np.ndarray)
        arrays.append(given)
        return None
    if given.array is None:
        return given.number
    array, given.array = given.array, None
    memory = memory_of(array)
    arrays.append(memory)
    strides = array.strides
    if memory is array and 0 in strides:  # a part of a broadcast array: its values travel, not the memory they are of
        strides = tuple(step * bool(own) for step, own in zip(np.empty(array.shape).strides, strides, strict=True))
    return [given.number, list(strides), array.flags.writeable]


@dataclass(frozen=True)
class Loaded:
    """What loading found: the classes wanted with parameters and methods, all classes, notes; or one error.

    kind            of an error: "syntax error", "empty file", or ""
    runs            whether importing the file runs more than definitions
    failed_imports  those of the notes that are of an import
    """

    found: Mapping[str, Mapping[str, Any]]
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    error: str = ""
    kind: str = ""
    runs: bool = False
    failed_imports: tuple[str, ...] = ()


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
        self.new_budget()
        self.loaded = self._load()

    def new_budget(self) -> None:
        """Start counting the seconds lost and taken anew, as for each layer."""
        self._budget = Budget(self.limits.timeout)
        if self._session:
            self._session.budget = self._budget

    def make(self, name: str) -> "RemoteClass":
        """Return what makes layers of the class of this name."""
        found = self.loaded.found[name]
        return RemoteClass(self, name, found["parameters"], found["backprop"])

    def layer(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RemoteLayer:
        """Make a layer in the child, in a new one if the last has ended."""
        self._budget.check()
        if self._session is None or not self._session.child.alive:
            self._load()
        session = self._session
        assert session
        return RemoteLayer(session, name, list(args), kwargs)

    def seed_again(self) -> None:
        """Set the random state of the child, of a new one if the last has ended."""
        if self._session is None or not self._session.child.alive:
            self._load()
        assert self._session
        self._session.ask("seeding", "seed", self.seed % 2**32)

    def run_alone(self) -> tuple[list[str], str, bool]:
        """Run the whole file by itself in a new child; return the lines that its accuracy test printed.

        Besides, how the run ended, in words, if not well; and whether that was because its time was up.
        """
        session = Session(Child(self.limits), Budget(self.limits.timeout))
        arguments, source = (self.filename, self.seed % 2**32), np.frombuffer(self.source, np.uint8)
        timeout = ALONE * self.limits.timeout
        ended = ""
        try:
            content, _ = session.ask("the file by itself", "run_alone", *arguments, arrays=[source], timeout=timeout)
            if raised := content["raised"]:
                ended = said_of(raised)
        except Stopped as stop:
            ended = str(stop)
        except Exception:  # raised by what is no answer
            ended = "it gave an answer that makes no sense"
        finally:
            session.child.stop()
        return plain(session.child.output.decode(errors="replace")).splitlines(), ended, session.child.late

    def close(self) -> None:
        """End the child."""
        if self._session:
            self._session.child.stop()
            self.output = self.output or bytes(self._session.child.output)

    def _load(self) -> Loaded:
        self.close()
        session = self._session = Session(Child(self.limits), self._budget)
        self.isolation = session.child.isolation
        if not self.source.strip():
            return Loaded({}, (), (), "the file is empty", "empty file")
        source = np.frombuffer(self.source, np.uint8)
        arguments = self.filename, list(self.wanted), self.seed % 2**32
        timeout = LOADING * self.limits.timeout
        try:
            found, _ = session.ask("loading the file", "load", *arguments, arrays=[source], timeout=timeout)
            if "error" in found:
                return Loaded({}, (), (), plain(found["error"]), "syntax error" * bool(found["syntax"]))
            if all(line.strip()[:1] in (b"", b"#") for line in self.source.splitlines()):
                return Loaded({}, (), (), "the file has comments only", "empty file")
            return Loaded(
                {
                    name: {
                        "parameters": entry["parameters"],
                        "backprop": entry.get("backprop"),
                        "methods": [*map(plain, entry["methods"])],
                    }
                    for name, entry in found["found"].items()
                    if name in self.wanted
                },
                tuple(map(plain, found["classes"])),
                tuple(map(plain, found["notes"])),
                runs=found["runs"] is True,
                failed_imports=tuple(map(plain, found["failed_imports"])),
            )
        except Stopped as stopped:
            return Loaded({}, (), (), str(stopped))
        except Exception as error:  # the classes are not described as the worker does it
            return Loaded({}, (), (), f"loading the file gave an answer that makes no sense: {type(error).__name__}")


class RemoteClass:
    """Makes layers in the child; to be given to a spec as the class itself would be."""

    def __init__(self, submission: Submission, name: str, parameters: Any, backprop: Any) -> None:
        self._submission = submission
        self.__name__ = self.__qualname__ = name
        self.source = submission.source.decode(errors="replace")
        self.__module__ = submission.filename.removesuffix(".py")
        if submission.loaded.runs:
            self.import_note = f"importing {submission.filename} runs its own test at module level"
        self.__signature__ = _signature(parameters)
        self.backprop = Described(_signature(backprop))

    def __call__(self, *args: Any, **kwargs: Any) -> RemoteLayer:
        """Return a new layer."""
        return self._submission.layer(self.__name__, args, kwargs)

    def seed_again(self) -> None:
        """Have layers draw the same from now on, whatever was drawn before; Stopped if the child ends over it."""
        self._submission.seed_again()


class Described:
    """A method of the class, which is there to be asked what it takes."""

    def __init__(self, signature: Signature) -> None:
        self.__signature__ = signature

    def __call__(self, *_given: Any) -> None:
        """Raise: layers are called, not classes."""
        raise TypeError("a method of a class in another process is called on a layer")


def _signature(parameters: Any) -> Signature:
    try:
        given = [Parameter(p, _KINDS[k], default=None if o else Parameter.empty) for p, k, o in parameters]
        return Signature(given)
    except (TypeError, ValueError, IndexError):  # not known: by position
        return Signature([Parameter("args", Parameter.VAR_POSITIONAL)])


_KINDS = list(type(Parameter.VAR_POSITIONAL))  # type: ignore[call-overload]  # an enumeration, its type private
