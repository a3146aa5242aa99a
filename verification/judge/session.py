"""A child process and the arrays that both sides know.

Such an array has a number, and is kept the same on both sides at every call: what the child writes into an argument,
or into an array that it returned before, arrives here, and what is written here arrives there. Arrays given `Once` and
copies of results are not: nobody looks at them again.
"""

import builtins
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from typing import Any

import numpy as np

from verification.case import Array
from verification.failure import FailedBeside, NotTried, Stopped, reshaped
from verification.judge.process import Child, Limits
from verification.layer import raised

LOST = 6
"""Calls of the full timeout that a layer may lose before no more of it is tried."""

PATIENCE = 60
"""Calls of the full timeout that a layer may take in all."""

MANY_STEPS = 32
"""Steps that wait, from which on they are sent: the child works while more are prepared here."""

METHODS = ("forward", "backprop", "update_weights")
"""Methods that are called."""

CALLS = ("call", "copy", "attempt")
"""Steps that call one."""

OTHER_STEPS = {
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


@dataclass(frozen=True)
class Once:
    """An array that the child gets for one question, and that is not kept the same on both sides."""

    array: Array


class Asked:
    """A step whose result is asked for; a call gives it, or raises what kept it from coming."""

    def __init__(self, session: "Session", at: int, doing: str) -> None:
        self._session, self.at, self.doing = session, at, doing
        self.answer: Callable[[], Any] | None = None

    def __call__(self) -> Any:
        """Return the result: of a question that is sent now, unless it was sent before."""
        while self.answer is None:
            self._session.go_on()
        return self.answer()


@dataclass(frozen=True)
class Question:
    """Steps that were sent: what each does, the results asked for, and the arrays known, which are kept meanwhile."""

    doing: list[str]
    asked: list[Asked]
    arrays: list[Array]

    def fail(self, problem: Callable[[], BaseException]) -> None:
        """Have all that was asked for raise this."""
        for one in self.asked:
            one.answer = partial(_raise, problem)


class Session:
    """A child process, and the arrays and layers in it."""

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self.child, self.budget = Child(limits), budget
        self._numbers = count(2, 2)
        self._arrays: dict[int, weakref.ref[Array]] = {}  # by number
        self._known: dict[int, bytes] = {}  # the values as the child has them
        self._of: dict[int, int] = {}  # number by id
        self._gone: list[tuple[int, int]] = []  # number and id of arrays that are no more, noted at any time
        self._freed: list[int] = []
        self._freed_layers: list[int] = []
        self._steps: list[list[Any]] = []  # not sent yet
        self._asked: list[Asked] = []  # steps among these
        self._held: list[Array] = []  # what these steps need
        self._given: list[int] = []
        self._once: dict[int, Array] = {}  # that these steps need, and nobody after
        self._question: Question | None = None  # sent, not yet answered

    def later(self, *step: Any) -> None:
        """Have the child do a step before the next that is asked for."""
        self._steps.append([self._sent(one) if isinstance(one, np.ndarray | Once) else one for one in step])

    def ask(self, doing: str, *step: Any) -> Asked:
        """Have the child do a step before, or with, the next that is asked for; return what gives its result."""
        self.later(*step)
        asked = Asked(self, len(self._steps) - 1, doing)
        self._asked.append(asked)
        if len(self._steps) >= MANY_STEPS:
            self.go_on()
        return asked

    def now(self, doing: str, *step: Any, timeout: float | None = None) -> Any:
        """Have the child do a step, and return its result or raise what it raised."""
        asked = self.ask(doing, *step)
        self.go_on(timeout)
        return asked()

    def go_on(self, timeout: float | None = None) -> None:
        """Keep the results of the question that was sent, if one was; then send the steps that wait, if any do."""
        if self._question:
            self._receive(self._question)
        if self._steps:
            self._send(timeout)

    def settle(self) -> None:
        """Wait until there is nothing left to be sent or received; raise Stopped if the child ends over it."""
        alive = self.child.alive
        while self._question or self._steps:
            self.go_on()
        if alive and not self.child.alive:
            raise Stopped(self.budget.last)

    def _send(self, timeout: float | None) -> None:
        """Send the steps that wait, and do not wait for their results."""
        self._sweep()
        arrays = {number: array for number in self._arrays if (array := self._array(number)) is not None}
        for number, array in arrays.items():
            if number not in self._given and array.tobytes() != self._known[number]:
                self._given.append(number)
        given = [number for number in self._given if number in arrays]
        message = {
            "steps": self._steps, "asked": [one.at for one in self._asked],
            "freed": self._freed, "freed_layers": self._freed_layers,
            "given": [[number, list(arrays[number].strides), arrays[number].flags.writeable] for number in given],
            "once": list(self._once),
        }  # fmt: skip
        sent = [*(arrays[number] for number in given), *self._once.values()]
        doing = [step[2] if step[0] in ("new", *CALLS) else OTHER_STEPS.get(step[0], "") for step in self._steps]
        for one in self._asked:
            doing[one.at] = one.doing
        self._question = Question(doing, self._asked, list(arrays.values()))
        self._steps, self._asked, self._held = [], [], []
        self._freed, self._freed_layers, self._given, self._once = [], [], [], {}
        for number in given:
            self._known[number] = arrays[number].tobytes()
        self.child.send(message, sent, doing, timeout)

    def _receive(self, question: Question) -> None:
        """Wait for the results of a question, and keep them, or what is raised in their place."""
        start, problem = time.monotonic(), ""
        try:
            self._results(*self.child.answer(), question)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as strange:
            self.child.stop()
            problem = f"{question.doing[-1]} gave an answer that makes no sense: {type(strange).__name__}"
        except Stopped as stopped:
            problem = str(stopped)
            self.budget.lost += time.monotonic() - start
        if problem:
            self.budget.last = problem
            question.fail(lambda: Stopped(problem))
        self.budget.taken += time.monotonic() - start
        self._question = None

    def held(self, values: list[Any]) -> list[Any]:
        """Return values that may be written into, and dropped: the child is told all the same."""
        self._held += values
        return values

    def free_layer(self, number: int) -> None:
        """Let the child drop a layer, with the next question."""
        self._freed_layers.append(number)

    def _array(self, number: int) -> Array | None:
        reference = self._arrays.get(number)
        return reference() if reference else None

    def _number(self, array: Array) -> int | None:
        number = self._of.get(id(array))
        return number if number is not None and self._array(number) is array else None

    def _sweep(self) -> None:
        """Forget the arrays that are no more."""
        while self._gone:
            number, identity = self._gone.pop()
            if self._arrays.pop(number, None) is None:
                continue
            del self._known[number]
            if self._of.get(identity) == number:
                del self._of[identity]
            self._freed.append(number)

    def _sent(self, array: "Array | Once") -> int:
        """Return the number of an array, which the child gets with the next question if it is new."""
        if isinstance(array, Once):
            self._once[number := next(self._numbers)] = array.array
            return number
        self._held.append(array)
        if (known := self._number(array)) is not None:
            return known
        self._know(number := next(self._numbers), array)
        self._given.append(number)
        return number

    def _know(self, number: int, array: Array) -> None:
        gone = number, id(array)
        self._arrays[number] = weakref.ref(array, lambda _: self._gone.append(gone))
        self._of[id(array)] = number
        self._known[number] = array.tobytes()

    def _results(self, answer: dict[str, Any], returned: list[Array], question: Question) -> None:
        """Write what changed into the arrays here, and keep the results, or what is raised in their place."""
        doing, problem = question.doing, ""
        for number in answer["changed"]:
            values = returned.pop(0)
            if (array := self._array(number)) is None:
                continue
            if (array.shape, array.dtype) != (values.shape, values.dtype):
                calls = " or ".join(name for name in dict.fromkeys(doing) if name in METHODS) or doing[-1]
                problem = reshaped(calls, "an array", array, values)
                self._gone.append((number, id(array)))  # it cannot be kept the same on both sides
                continue
            if array.flags.writeable:
                array[...] = values
            self._known[number] = values.tobytes()
        error: dict[str, Any] = answer.get("raised") or {}
        at = error["at"] if error else len(doing)
        done = [one for one in question.asked if one.at < at]
        for one, result in zip(done, answer["results"], strict=True):
            one.answer = partial(_identity, self._result(result, returned))
        for one in question.asked[len(done) :]:
            own = partial(error_of, error)
            beside = partial(FailedBeside, raised(doing[at], own()).sentence)
            one.answer = partial(_raise, own if one.at == at else beside)
        if problem:
            question.fail(lambda: FailedBeside(problem))

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
        if "number" not in item:
            return returned.pop(0).copy()
        number = int(item["number"])
        if (known := self._array(number)) is not None:
            return known
        array = returned.pop(0).copy()
        array.setflags(write=item.get("writeable", True) is not False)
        self._know(number, array)
        return array


def _identity(result: Any) -> Any:
    return result


def _raise(error: Callable[[], BaseException]) -> None:
    raise error()  # a new one each time: its traceback holds arrays


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
