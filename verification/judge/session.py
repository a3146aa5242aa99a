"""A child process and what its answers mean: nothing of them is trusted.

The protocol stands in child/protocol.py.
"""

import builtins
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from verification.case import Array
from verification.failure import NotTried, Stopped
from verification.judge.process import Child

LOST = 6
"""Calls of the full timeout that a layer may lose before no more of it is tried."""

PATIENCE = 60
"""Calls of the full timeout that a layer may take in all."""


class Budget:
    """The seconds that a layer's calls have lost to the limits, and have taken in all."""

    def __init__(self, timeout: float, advice: str = "try fewer --examples, or a longer --timeout") -> None:
        self.timeout, self.advice = timeout, advice
        self.lost = self.taken = 0.0
        self.last = ""

    def lose(self, seconds: float, to: str) -> None:
        """Note seconds lost, and to what."""
        self.lost += seconds
        self.last = to

    def check(self) -> None:
        """Raise Stopped if there is nothing left."""
        if self.lost > LOST * self.timeout * 0.99:
            raise NotTried(f"not tried, since too much time was lost before: {self.last}")
        if self.taken > PATIENCE * self.timeout:
            raise NotTried(
                f"not tried, since the calls of this layer took {PATIENCE * self.timeout:g} s in all: {self.advice}"
            )


class Session:
    """A child process that is asked one thing at a time. What is no longer needed there is forgotten at the next."""

    def __init__(self, child: Child, budget: Budget) -> None:
        self.child, self.budget = child, budget
        self.forgotten: list[int] = []

    def ask(
        self,
        doing: str,
        step: str,
        *arguments: Any,
        arrays: Sequence[Array] = (),
        make: Sequence[Any] | None = None,
        timeout: float | None = None,
    ) -> tuple[Any, list[Array]]:
        """Have the child do a step; return its result as JSON and the arrays beside it, or raise what it raised.

        make       number, class, arguments and attributes of a layer that is made first
        doing      names the step in a finding
        Stopped if the child ends over it, or does not answer in time.
        """
        start = time.monotonic()
        forgotten, self.forgotten = self.forgotten, []
        question = {"do": step, "with": arguments, "make": make, "forget": forgotten}
        try:
            answer, returned = self.child.ask(question, arrays, doing, timeout)
            error, result = error_of(answer.get("raised")), answer.get("result")
            if error is not None and make and answer.get("made") is False:
                error.doing = doing = make[1]
        except Stopped as stopped:
            self.budget.lose(time.monotonic() - start, str(stopped))
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as strange:
            raise self.nonsense(doing, strange) from None
        finally:
            self.budget.taken += time.monotonic() - start
        if isinstance(error, MemoryError):
            self.budget.lose(time.monotonic() - start, f"{doing} takes more memory than the limit")
        if error is not None:
            raise error
        return result, returned

    def value(self, doing: str, result: Any, arrays: list[Array]) -> Any:
        """Return what a layer returned, from its description and the arrays beside it."""
        try:
            return _value_of(result, arrays)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as strange:
            raise self.nonsense(doing, strange) from None

    def nonsense(self, doing: str, strange: Exception) -> Stopped:
        """End the child, which gave no answer to what was asked, and return the finding."""
        self.child.stop()
        self.budget.last = f"{doing} gave an answer that makes no sense: {type(strange).__name__}"
        return Stopped(self.budget.last)


def _value_of(result: Any, arrays: list[Array]) -> Any:
    """Return what a layer returned, as far as it is numbers, arrays, or a tuple or list of these."""
    if result["kind"] not in ("tuple", "list"):
        return _item_of(result, arrays)
    items = [_item_of(item, arrays) for item in result["items"]]
    items += [None] * (min(int(result["length"]), 10**6) - len(items))
    return tuple(items) if result["kind"] == "tuple" else items


def _item_of(result: Any, arrays: list[Array]) -> Any:
    if result["kind"] == "array":
        return arrays.pop(0).copy()
    if result["kind"] == "other array":
        return np.empty(0, dtype=object)
    if result["kind"] == "number":
        return result["value"]
    text = plain(result["text"])
    return type(plain(result["type"]), (), {"__repr__": lambda _self: text})()


def plain(text: object) -> str:
    """Return a text of the child's with no character left that a terminal or a page might obey."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in str(text))


@lru_cache(maxsize=256)
def _type(name: str, base: str) -> type[Exception]:
    """Return the type of an error that is none of Python's own: the same each time, as Hypothesis expects."""
    return type(name, (_builtin(base) or Exception,), {})


def error_of(raised: Mapping[str, Any] | None) -> Any:
    """Return an error of the type that the child names, as far as it is one of Python's own; None if it names none."""
    if raised is None:
        return None
    name, message = plain(raised["type"]), plain(raised["message"])
    error: Any
    try:
        error = (_builtin(name) or _type(name, plain(raised["base"])))(message)
    except Exception:  # it wants other arguments
        error = _type(name, "Exception")(message)
    error.where = plain(raised["where"])
    return error


def said_of(raised: Mapping[str, Any], limit: int | None = None) -> str:
    """Return in words what a file raised, as the child names it; each part has at most `limit` characters."""
    kind, message, where = (plain(raised[part])[:limit] for part in ("type", "message", "where"))
    return f"it raised {kind}: {message}" + f" ({where})" * bool(where)


def _builtin(name: str) -> type[Exception] | None:
    known = getattr(builtins, name, None)
    return known if isinstance(known, type) and issubclass(known, Exception) else None
