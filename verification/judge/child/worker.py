"""The child: reads requests from standard input, runs them on the submission's layers, writes answers to a pipe.

Started as `python -I worker.py ANSWERS PROGRESS MEMORY SECONDS THREADS PATH...`: two file descriptors, for answers and
for a byte at the start of each step; the limits; and where packages are. It has no right answer and no verdict:
whatever the submission does to it, it can only answer.
"""

import importlib.util
import os
import random
import re
import select
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from verification.judge.child import definitions, frames, limits, titles
else:

    def _beside(name):
        """Load a file of this folder, which is no package here and not on the path."""
        spec = importlib.util.spec_from_file_location(f"_judge_{name}", Path(__file__).with_name(f"{name}.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    definitions, frames, limits, titles = map(_beside, ("definitions", "frames", "limits", "titles"))

TEXT = 2000
"""Characters of a text, of an error or of what is no array, that an answer holds."""

PASSING = ("copy", "copy_of")
"""Steps whose results the parent keeps as they are: nobody here writes into them."""

ITEMS = 16
"""Items of a result that an answer holds."""


@dataclass
class Plain:
    """The result of a step of our own: JSON, and arrays beside it."""

    content: dict[str, Any]
    arrays: list[Any]


class Worker:
    """The submission's layers, and the arrays that parent and child both know, by their numbers.

    Arrays that the parent gives for one request only, and results in passing, are not among them.
    """

    def __init__(self, progress: int) -> None:
        self.progress = progress
        self.namespace: dict[str, Any] = {}
        self.layers: dict[int, Any] = {}
        self.arrays: dict[int, Any] = {}
        self.known: dict[int, Any] = {}  # values, shape and dtype of each array as the parent has them
        self.numbers: dict[int, int] = {}  # of these arrays, by their id
        self.own = 0

    def answer(self, request: dict[str, Any], given: list[Any]) -> tuple[dict[str, Any], list[Any]]:
        """Run the steps of a request and return the answers to those that it asks for."""
        answer: dict[str, Any] = {"nonce": request["nonce"]}
        results: list[Any] = []
        known, once, steps = request.get("given", ()), request.get("once", ()), request["steps"]
        try:
            for (number, strides, writeable), values in zip(known, given[: len(known)], strict=True):
                self.take(number, values, strides, writeable)
            for number, values in zip(once, given[len(known) :], strict=True):
                self.arrays[number] = values.copy()
            for step, *arguments in steps:
                with suppress(OSError):  # full, or closed by the submission
                    os.write(self.progress, b".")
                with np.errstate(all="ignore"):  # as the suite does where there is no child
                    results.append(getattr(self, f"do_{step}")(*arguments))
        except BaseException as error:  # SystemExit and KeyboardInterrupt are the submission's too
            answer["raised"] = {**_raised(error), "at": len(results)}
        for number in (*once, *request.get("freed", ())):
            self.arrays.pop(number, None)
            self.known.pop(number, None)
        for number in request.get("freed_layers", ()):
            self.layers.pop(number, None)
        changed = [number for number, array in self.arrays.items() if _state(array) != self.known[number]]
        sent = [self.arrays[number] for number in changed]
        answer["changed"] = changed
        self.numbers = {id(array): number for number, array in self.arrays.items()}
        answer["results"] = [
            self.result(results[at], sent, steps[at][0] in PASSING) for at in request["asked"] if at < len(results)
        ]
        for number in changed:
            self.known[number] = _state(self.arrays[number])
        return answer, sent

    def take(self, number: int, values: Any, strides: list[int], writeable: bool) -> None:
        """Make an array with this memory layout; or write its values into the one of this number."""
        array = self.arrays.get(number)
        if array is not None:
            with suppress(ValueError):  # a view of the submission's own memory
                array.setflags(write=True)
            array[...] = values
        elif list(values.strides) == strides:
            array = values.copy()
        else:
            reach = [(side - 1) * stride for side, stride in zip(values.shape, strides, strict=True)]
            if values.size == 0:
                reach = []
            start = -sum(step for step in reach if step < 0)
            memory = np.zeros(sum(map(abs, reach)) + values.itemsize, np.uint8)
            array = np.ndarray(values.shape, values.dtype, memory, start, strides)
            array[...] = values
        array.setflags(write=writeable)
        self.arrays[number] = array
        self.known[number] = _state(array)

    def result(self, value: Any, sent: list[Any], passing: bool) -> Any:
        """Return the JSON for a result; append arrays that the parent does not have."""
        if isinstance(value, Plain):
            for array in value.arrays:
                self.item(array, sent, True)
            return value.content
        if isinstance(value, tuple | list):
            items = [self.item(item, sent, passing) for item in value[:ITEMS]]
            return {"kind": type(value).__name__, "items": items, "length": len(value)}
        return self.item(value, sent, passing)

    def item(self, value: Any, sent: list[Any], passing: bool) -> Any:
        """Return the JSON for one value."""
        if isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            if array.dtype.kind not in "fiubc":
                return {"kind": "array", "of": str(array.dtype)[:TEXT]}
            if passing:
                sent.append(array)
                return {"kind": "array"}
            if (number := self.numbers.get(id(array))) is not None:
                return {"kind": "array", "number": number}
            self.own -= 1
            self.numbers[id(array)] = self.own
            self.arrays[self.own], self.known[self.own] = array, _state(array)
            sent.append(array)
            return {"kind": "array", "number": self.own, "writeable": array.flags.writeable}
        if value is None or isinstance(value, bool | int | float):
            return {"kind": "number", "value": value if value is None or abs(value) < 2**63 else float("inf")}
        return {"kind": "other", "type": type(value).__name__[:TEXT], "text": _text(value)}

    # The steps

    def do_load(self, source: int, filename: str, wanted: list[str], seed: int) -> Plain:
        """Run the submission's definitions; say which of the classes wanted are there."""
        np.random.seed(seed)
        random.seed(seed)
        try:
            self.namespace, notes = definitions.run(self.arrays[source].tobytes(), filename, wanted)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            hint = ""
            if str(getattr(error, "text", "") or "").lstrip()[:1] in ("%", "!"):
                hint = ": a notebook's command; export the notebook as Python, or take the line out"
            syntax = isinstance(error, SyntaxError | ValueError)
            return Plain({"error": f"{type(error).__name__}: {error}{hint}"[:TEXT], "syntax": syntax}, [])
        content = {
            "notes": [note[:TEXT] for note in notes[:20]],
            "found": definitions.described(self.namespace, wanted),
            "classes": definitions.classes(self.namespace, filename)[:50],
        }
        return Plain(content, [])

    def do_run_alone(self, source: int, filename: str, seed: int) -> Plain:
        """Run the whole file by itself; return what it raised. It prints what its accuracy test prints."""
        np.random.seed(seed)
        random.seed(seed)
        raised = definitions.run_alone(self.arrays[source].tobytes(), filename)
        return Plain({"raised": None if raised is None else _raised(raised)}, [])

    def do_new(self, number: int, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Make a layer."""
        self.layers[number] = self.namespace[name](*args, **kwargs)

    def do_set(self, number: int, name: str, array: int) -> None:
        """Set a parameter."""
        setattr(self.layers[number], name, self.arrays[array])

    def do_get(self, number: int, name: str) -> Any:
        """Return a parameter."""
        return getattr(self.layers[number], name)

    def do_copy_of(self, number: int, name: str) -> Any:
        """Return a parameter as it is now, before the next step."""
        return _copied(self.do_get(number, name))

    def do_call(self, number: int, method: str, *arrays: int) -> Any:
        """Call a method."""
        return getattr(self.layers[number], method)(*(self.arrays[array] for array in arrays))

    def do_copy(self, number: int, method: str, *arrays: int) -> Any:
        """Call a method, and return its result as it is now, before the next step."""
        result = self.do_call(number, method, *arrays)
        if not isinstance(result, tuple | list):
            return _copied(result)
        kind = list if isinstance(result, list) else tuple
        return kind([*map(_copied, result[:ITEMS]), *result[ITEMS:]])

    def do_attempt(self, number: int, method: str, *arrays: int) -> Plain:
        """Call a method that should raise; return what it raised."""
        try:
            self.do_call(number, method, *arrays)
        except BaseException as error:
            return Plain({"raised": _raised(error)}, [])
        return Plain({"raised": None}, [])

    def do_sharing(self, *numbers: int) -> Plain:
        """Return the pairs of these arrays, by their places, that share memory."""
        arrays = [self.arrays[number] for number in numbers]
        pairs = combinations(range(len(arrays)), 2)
        return Plain({"pairs": [pair for pair in pairs if _share(*(arrays[place] for place in pair))]}, [])

    def do_titles(self, source: int, filename: str, seed: int, data: str) -> Plain:
        """Run the script of question 5; return the images that it shows, and their titles."""
        images, content, raised = titles.shown(self.arrays[source].tobytes(), filename, seed, data)
        return Plain({**content, "raised": None if raised is None else _raised(raised)}, images)


def _state(array: Any) -> tuple[bytes, tuple[int, ...], Any]:
    return array.tobytes(), array.shape, array.dtype


def _share(one: Any, other: Any) -> bool:
    try:
        return np.shares_memory(one, other, max_work=10**5)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _copied(value: Any) -> Any:
    return np.array(value, subok=False) if issubclass(type(value), np.ndarray) else value


def _raised(error: BaseException) -> dict[str, Any]:
    """Return an error as the parent has it: type, message, and the last line of the submission on the way to it."""
    where, traceback = "", error.__traceback__
    while traceback:
        code = traceback.tb_frame.f_code
        if os.sep not in code.co_filename and not code.co_filename.startswith("<"):
            where = f"{code.co_filename}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    base = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return {"type": type(error).__name__[:TEXT], "base": base, "message": _text(error, str), "where": where[:TEXT]}


def _text(value: Any, write: Any = repr) -> str:
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", write(value)[:TEXT])
    except BaseException as error:
        return f"(no text: {type(error).__name__})"


def main() -> None:
    """Answer requests until there are no more."""
    answers, progress, memory, seconds, threads = map(int, sys.argv[1:6])
    sys.path += [path for path in sys.argv[6:] if path not in sys.path]
    requests = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv[1:] = []
    sys.modules |= dict.fromkeys(("layers", "mnist", "verification"))  # type: ignore[arg-type]  # not to be imported
    missing = limits.confine(memory, seconds, threads)
    worker = Worker(progress)

    os.set_blocking(requests, False)
    os.set_blocking(progress, False)
    come = select.poll()
    come.register(requests, select.POLLIN)

    def exactly(count: int) -> bytearray:
        data = bytearray(count)
        rest = memoryview(data)
        while rest:
            got = frames.at_once(requests, rest)
            if got is None:
                come.poll()
            elif not got:
                os._exit(0)
            else:
                rest = rest[got:]
        return data

    def send(message: bytes) -> None:
        view = memoryview(message)
        while view:
            view = view[os.write(answers, view) :]

    send(frames.pack({"missing": missing}))
    while True:
        request, given = frames.read(exactly, sys.maxsize)
        answer, arrays = worker.answer(request, given)
        with suppress(Exception):  # closed, or replaced
            sys.stdout.flush()
        send(frames.pack(answer, arrays))


if __name__ == "__main__":
    main()
