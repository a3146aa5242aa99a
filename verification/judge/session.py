"""A child process and the arrays that both sides know.

Such an array has a number, and is kept the same on both sides at every call: what the child writes into an argument,
or into an array that it returned before, arrives here, and what is written here arrives there.
"""

import builtins
import gc
import time
import weakref
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np

from verification.case import Array
from verification.failure import NotTried, PropertyFailed, Stopped
from verification.judge.process import Child, Limits

LOST = 6
"""Calls of the full timeout that a layer may lose before no more of it is tried."""

PATIENCE = 60
"""Calls of the full timeout that a layer may take in all."""

MANY, LOOKS = 64, 30000
"""Arrays that are known, and times that one was looked at, from which on a search for garbage takes less time."""

METHODS = ("forward", "backprop", "update_weights")
"""Methods that are called."""

CALLS = ("call", "copy", "attempt")
"""Steps that call one."""

OTHER_STEPS = {
    "new": "the constructor",
    "set": "setting a parameter",
    "get": "reading a parameter",
    "copy_of": "reading a parameter",
}
"""Steps that do not, as a finding names them."""


class Budget:
    """The seconds that a layer's calls have lost to the timeout, and have taken in all."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.lost = self.taken = 0.0
        self.last = ""

    def check(self) -> None:
        """Raise Stopped if there is nothing left."""
        if self.lost > LOST * self.timeout * 0.99:
            raise NotTried(f"not tried, since too much time was lost before: {self.last}")
        if self.taken > PATIENCE * self.timeout:
            raise NotTried(
                f"not tried, since the calls of this layer took {PATIENCE * self.timeout:g} s in all: try fewer"
                " --examples, or a longer --timeout"
            )


class Asked:
    """A step whose result is asked for; a call gives it, or raises what kept it from coming."""

    def __init__(self, session: "Session", at: int, doing: str) -> None:
        self._session, self.at, self.doing = session, at, doing
        self.results: list[Any] = []

    def __call__(self) -> Any:
        """Return the result: of a question that is sent now, unless it was sent for another."""
        if not self.results:
            self._session.send()
        if not self.results:
            raise Stopped(f"{self.doing}: not known, since a call beside it did not end well")
        return self.results[0]


class Session:
    """A child process, and the arrays and layers in it."""

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self.child, self.budget = Child(limits), budget
        self._numbers = count(2, 2)
        self._looks = 0
        self._arrays: dict[int, weakref.ref[Array]] = {}  # by number
        self._known: dict[int, bytes] = {}  # the values as the child has them
        self._of: dict[int, int] = {}  # number by id
        self._gone: list[tuple[int, int]] = []  # number and id of arrays that are no more, noted at any time
        self._freed: list[int] = []
        self._overlaps: set[frozenset[int]] | None = None  # arrays that share memory, if asked since the last call
        self._freed_layers: list[int] = []
        self._steps: list[list[Any]] = []  # not sent yet
        self._asked: list[Asked] = []  # steps among these
        self._held: list[Array] = []  # what these steps need
        self._given: list[int] = []

    def later(self, *step: Any) -> None:
        """Have the child do a step before the next that is asked for."""
        self._steps.append([self._sent(one) if isinstance(one, np.ndarray) else one for one in step])
        self._held += [one for one in step if isinstance(one, np.ndarray)]

    def ask(self, doing: str, *step: Any) -> Asked:
        """Have the child do a step before, or with, the next that is asked for; return what gives its result."""
        self.later(*step)
        self._asked.append(Asked(self, len(self._steps) - 1, doing))
        return self._asked[-1]

    def now(self, doing: str, *step: Any, timeout: float | None = None) -> Any:
        """Have the child do a step, and return its result or raise what it raised."""
        asked = self.ask(doing, *step)
        self.send(timeout)
        return asked()

    def send(self, timeout: float | None = None) -> None:
        """Have the child do all steps that wait, and keep their results; raise what the one that is asked for raised.

        PropertyFailed, which names the step, for what another raised, or one of several that are asked for.
        """
        self._sweep()
        for number, known in self._known.items():
            array = self._array(number)
            if number not in self._given and array is not None and array.tobytes() != known:
                self._given.append(number)
        arrays = [array for number in self._given if (array := self._array(number)) is not None]
        question = {
            "steps": self._steps, "asked": [one.at for one in self._asked],
            "freed": self._freed, "freed_layers": self._freed_layers,
            "given": [[self._of[id(array)], list(array.strides), array.flags.writeable] for array in arrays],
        }  # fmt: skip
        steps, asked, self._steps, self._asked = self._steps, self._asked, [], []
        self._freed, self._freed_layers, self._given = [], [], []
        doing = [step[2] if step[0] in CALLS else OTHER_STEPS.get(step[0], "") for step in steps]
        for one in asked:
            doing[one.at] = one.doing
        self._overlaps = None
        for array in arrays:
            self._known[self._of[id(array)]] = array.tobytes()
        start = time.monotonic()
        try:
            answer, returned = self.child.ask(question, arrays, doing, timeout)
            error = self._results(answer, returned, doing, asked)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as strange:
            self.child.stop()
            raise Stopped(f"{doing[-1]} gave an answer that makes no sense: {type(strange).__name__}") from None
        except Stopped as stopped:
            self.budget.lost += time.monotonic() - start
            self.budget.last = str(stopped)
            raise
        finally:
            self.budget.taken += time.monotonic() - start
            self._held = []
        try:
            if error:
                raise error
        finally:
            del error  # which holds this frame, and with it the arrays

    def attributes(self, layer: int, names: Sequence[str]) -> list[Any]:
        """Return attributes of a layer; an array may be written into, and the child's is changed too."""
        values = [one() for one in [self.ask(f"reading {name}", "get", layer, name) for name in names]]
        self._held += values
        return values

    def free_layer(self, number: int) -> None:
        """Let the child drop a layer, with the next question."""
        self._freed_layers.append(number)

    def share_memory(self, one: Array, other: Array) -> bool:
        """Return whether the arrays share memory in the child."""
        if self._overlaps is None:
            if len(self._arrays) > MANY:  # each is held against each
                gc.collect()
            found, _ = self.now("sharing memory", "overlaps")
            self._overlaps = {frozenset(map(int, pair)) for pair in found["pairs"]}
        return one is other or frozenset((self._number(one), self._number(other))) in self._overlaps

    def _array(self, number: int) -> Array | None:
        reference = self._arrays.get(number)
        return reference() if reference else None

    def _number(self, array: Array) -> int | None:
        number = self._of.get(id(array))
        return number if number is not None and self._array(number) is array else None

    def _sweep(self) -> None:
        """Forget the arrays that are no more, also those that only the tracebacks of old failures hold."""
        self._looks += len(self._arrays)
        if len(self._arrays) > MANY and self._looks > LOOKS:
            gc.collect()
            self._looks = 0
        while self._gone:
            number, identity = self._gone.pop()
            if self._arrays.pop(number, None) is None:
                continue
            del self._known[number]
            if self._of.get(identity) == number:
                del self._of[identity]
            self._freed.append(number)

    def _sent(self, array: Array) -> int:
        """Return the number of an array, which the child gets with the next question if it is new."""
        number = self._number(array)
        if number is None:
            number = next(self._numbers)
            self._know(number, array)
            self._given.append(number)
        return number

    def _know(self, number: int, array: Array) -> None:
        gone = number, id(array)
        self._arrays[number] = weakref.ref(array, lambda _: self._gone.append(gone))
        self._of[id(array)] = number
        self._known[number] = array.tobytes()

    def _results(
        self, answer: dict[str, Any], returned: list[Array], doing: list[str], asked: list[Asked]
    ) -> Exception | None:
        """Write what changed into the arrays here, and keep the results or return the error that was raised."""
        failure = None
        for number in answer["changed"]:
            values = returned.pop(0)
            if (array := self._array(number)) is None:
                continue
            if (array.shape, array.dtype) != (values.shape, values.dtype):
                was, is_now = (f"shape {one.shape} and {one.dtype}" for one in (array, values))
                calls = " or ".join(name for name in dict.fromkeys(doing) if name in METHODS) or doing[-1]
                failure = PropertyFailed(f"{calls} changes an array in place: it had {was}, and has {is_now}")
                self._gone.append((number, id(array)))  # it cannot be kept the same on both sides
                continue
            if array.flags.writeable:
                array[...] = values
            self._known[number] = values.tobytes()
        if raised := answer.get("raised"):
            error: Exception = error_of(raised)
            what = doing[raised["at"]]
            if [raised["at"]] != [one.at for one in asked]:
                where = getattr(error, "where", "")
                error = PropertyFailed(f"{what} raised {type(error).__name__}: {error}" + f" ({where})" * bool(where))
            return failure or error
        for one, result in zip(asked, answer["results"], strict=True):
            one.results.append(self._result(result, returned))
        return failure

    def _result(self, result: Any, returned: list[Array]) -> Any:
        items = result.get("items") if isinstance(result, dict) else None
        if items is None:
            return self._item(result, returned)
        made = [self._item(item, returned) for item in items]
        made += [None] * (min(int(result["length"]), 10**6) - len(made))
        return tuple(made) if result["kind"] == "tuple" else made

    def _item(self, item: Any, returned: list[Array]) -> Any:
        if "kind" not in item:  # the answer to a step of our own
            return item, returned
        if item["kind"] == "number":
            return item["value"]
        if item["kind"] == "other":
            name, text = plain(item["type"]), plain(item["text"])
            return type(name, (), {"__repr__": lambda _self: text})()
        if "of" in item:
            return np.empty(0, dtype=object)
        number = int(item["number"])
        if (known := self._array(number)) is not None:
            return known
        array = returned.pop(0).copy()
        array.setflags(write=item.get("writeable", True) is not False)
        self._know(number, array)
        return array


def plain(text: object) -> str:
    """Return a text of the child's with no character left that a terminal or a page might obey."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in str(text))


@lru_cache(maxsize=256)
def _type(name: str, base: str) -> type[Exception]:
    """Return the type of an error that is none of Python's own: the same each time, as Hypothesis expects."""
    return type(name, (_builtin(base) or Exception,), {})


def error_of(raised: Mapping[str, Any]) -> Any:
    """Return an error of the type that the child names, as far as it is one of Python's own."""
    name, message = plain(raised["type"]), plain(raised["message"])
    error: Any
    try:
        error = (_builtin(name) or _type(name, plain(raised["base"])))(message)
    except Exception:  # it wants other arguments
        error = _type(name, "Exception")(message)
    error.where = plain(raised["where"])
    return error


def _builtin(name: str) -> type[Exception] | None:
    known = getattr(builtins, name, None)
    return known if isinstance(known, type) and issubclass(known, Exception) else None
