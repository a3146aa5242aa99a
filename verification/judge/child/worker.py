"""The child: reads questions from standard input, does what they ask with the submission's layers, writes answers.

Started as `python -I worker.py ANSWERS MEMORY SECONDS THREADS PATH...`: a file descriptor for the answers, the limits,
and where packages are. It has no right answer and no verdict: whatever the submission does to it, it can only answer.

What it is asked and what it answers stands in protocol.py.
"""

import importlib.util
import os
import random
import re
import sys
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verification.judge.child import definitions, limits, protocol, titles
else:

    def _beside(name):
        """Load a file of this folder, which is no package here and not on the path."""
        spec = importlib.util.spec_from_file_location(f"_judge_{name}", Path(__file__).with_name(f"{name}.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    definitions, limits, protocol, titles = map(_beside, ("definitions", "limits", "protocol", "titles"))

TEXT = 2000
"""Characters of a text, of an error or of what is no array, that an answer holds."""


class Worker:
    """The submission's layers, and arrays that are held, by number."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self.kept: dict[int, Any] = {}
        self.given: Iterator[Any] = iter(())  # arrays of the question
        self.returned: list[Any] = []  # arrays of the answer

    def answer(self, question: dict[str, Any], given: list[Any]) -> tuple[dict[str, Any], list[Any]]:
        """Do the step of a question; return the answer and its arrays."""
        self.given, self.returned, made = iter(given), [], False
        for number in question["forget"]:
            self.kept.pop(number, None)
        try:
            with np.errstate(all="ignore"):  # as the suite does where there is no child
                if question["make"]:
                    self.make(*question["make"])
                made = True
                result = getattr(self, f"do_{question['do']}")(*question["with"])
        except BaseException as error:  # SystemExit and KeyboardInterrupt are the submission's too
            return {"nonce": question["nonce"], "raised": self.raised(error), "made": made}, []
        return {"nonce": question["nonce"], "result": result}, self.returned

    def make(self, number: int, name: str, args: list[Any], kwargs: dict[str, Any], attributes: dict[str, Any]) -> None:
        """Make a layer, and set its attributes."""
        layer = self.kept[number] = self.namespace[name](*args, **kwargs)
        for attribute, place in attributes.items():
            setattr(layer, attribute, self.found(place))

    def found(self, place: Any) -> Any:
        """Return the array at a place; one that travels is a copy, the submission's own."""
        if isinstance(place, int):
            return self.kept[place]
        if place is None:
            return next(self.given).copy()
        number, strides, writeable = place
        array = self.kept[number] = _laid_out(next(self.given), strides)
        array.setflags(write=writeable)
        return array

    def described(self, value: Any) -> dict[str, Any]:
        """Return the JSON for what a layer returned; its arrays go with the answer."""
        if isinstance(value, tuple | list):
            items = [self.item(item) for item in value[: protocol.ITEMS]]
            return {"kind": "tuple" if isinstance(value, tuple) else "list", "items": items, "length": len(value)}
        return self.item(value)

    def item(self, value: Any) -> dict[str, Any]:
        """Return the JSON for one value."""
        if isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            if array.dtype.kind not in "fiubc":
                return {"kind": "other array"}
            self.returned.append(array)
            return {"kind": "array"}
        if value is None or isinstance(value, bool | int | float):
            return {"kind": "number", "value": value if value is None or abs(value) < 2**63 else float("inf")}
        return {"kind": "other", "type": _text(type(value), lambda kind: kind.__name__), "text": _text(value)}

    # The steps

    def do_seed(self, seed: int) -> None:
        """Set the random state that layers draw from."""
        np.random.seed(seed)
        random.seed(seed)

    def do_load(self, filename: str, wanted: list[str], seed: int) -> dict[str, Any]:
        """Run the submission's definitions; say which of the classes wanted are there."""
        self.do_seed(seed)
        try:
            source = next(self.given).tobytes()
            self.namespace, notes = definitions.run(source, filename, wanted)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            hint = ""
            if str(getattr(error, "text", "") or "").lstrip()[:1] in ("%", "!"):
                hint = ": a notebook's command; export the notebook as Python, or take the line out"
            syntax = isinstance(error, SyntaxError | ValueError)
            return {"error": f"{type(error).__name__}: {error}{hint}"[:TEXT], "syntax": syntax}
        return {
            "notes": [note.text[:TEXT] for note in notes[:20]],
            "failed_imports": [note.text[:TEXT] for note in notes if note.of_import][:20],
            "found": definitions.described(self.namespace, wanted),
            "classes": definitions.classes(self.namespace, filename)[:50],
            "runs": definitions.runs_something(source),
        }

    def do_run_alone(self, filename: str, seed: int) -> dict[str, Any]:
        """Run the whole file by itself; return what it raised. It prints what its accuracy test prints."""
        self.do_seed(seed)
        raised = definitions.run_alone(next(self.given).tobytes(), filename)
        return {"raised": None if raised is None else self.raised(raised)}

    def do_call(self, number: int, method: str, places: list[Any]) -> dict[str, Any]:
        """Call a method."""
        return self.described(getattr(self.kept[number], method)(*map(self.found, places)))

    def do_call_and_hold(self, number: int, method: str, numbers: list[int], places: list[Any]) -> int | None:
        """Call a method, and hold each item of what it returns."""
        result = getattr(self.kept[number], method)(*map(self.found, places))
        if isinstance(result, tuple | list):
            self.kept |= dict(zip(numbers, result, strict=False))
            return min(len(result), protocol.ITEMS)
        self.kept[numbers[0]] = result
        return None

    def do_get(self, number: int, name: str, _places: list[Any]) -> dict[str, Any]:
        """Return an attribute."""
        return self.described(getattr(self.kept[number], name))

    def do_get_held(self, number: int, name: str, held: int, _places: list[Any]) -> None:
        """Hold an attribute."""
        self.kept[held] = getattr(self.kept[number], name)

    def do_set(self, number: int, name: str, places: list[Any]) -> None:
        """Set an attribute."""
        setattr(self.kept[number], name, *map(self.found, places))

    def do_sharing(self, _number: int, places: list[Any]) -> list[tuple[int, int]]:
        """Return the pairs of these arrays that share memory."""
        arrays = [*map(self.found, places)]
        return [pair for pair in combinations(range(len(arrays)), 2) if _share(*(arrays[place] for place in pair))]

    def do_read(self, number: int) -> dict[str, Any]:
        """Return an array that is held."""
        return self.described(self.kept[number])

    def do_write(self, number: int, force: bool) -> None:
        """Write into an array that is held."""
        if force:
            self.kept[number].setflags(write=True)
        self.kept[number][...] = next(self.given)

    def do_titles(self, filename: str, seed: int, data: str) -> dict[str, Any]:
        """Run the script of question 5; return the images that it shows, and their titles."""
        images, content, raised = titles.shown(next(self.given).tobytes(), filename, seed, data)
        self.returned = images
        return {**content, "raised": None if raised is None else self.raised(raised)}

    # What is raised

    def raised(self, error: BaseException) -> dict[str, Any]:
        """Return an error as the parent has it: type, message, and where it was raised."""
        base = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
        text, where = _text(error, str), self.where(error)
        return {"type": type(error).__name__[:TEXT], "base": base, "message": text, "where": where[:TEXT]}

    def where(self, error: BaseException) -> str:
        """Return the last line of the submission on the way to an error."""
        where, traceback = "", error.__traceback__
        while traceback:
            code = traceback.tb_frame.f_code
            if os.sep not in code.co_filename and not code.co_filename.startswith("<"):
                where = f"{code.co_filename}, line {traceback.tb_lineno}"
            traceback = traceback.tb_next
        return where


def _laid_out(values: Any, strides: list[int]) -> Any:
    """Return a copy of an array with these strides, in memory of its own."""
    if values.size == 0 or list(values.strides) == strides:
        return values.copy()
    if 0 in strides:  # broadcast: it shows a part of these values
        return np.lib.stride_tricks.as_strided(values.copy(), values.shape, strides)
    reach = [(side - 1) * stride for side, stride in zip(values.shape, strides, strict=True)] * (values.size > 0)
    start = -sum(step for step in reach if step < 0)
    memory = np.zeros(sum(map(abs, reach)) + values.itemsize, np.uint8)
    array = np.ndarray(values.shape, values.dtype, memory, start, strides)
    array[...] = values
    return array


def _share(one: Any, other: Any) -> bool:
    try:
        return np.shares_memory(one, other, max_work=10**5)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _text(value: Any, write: Any = repr) -> str:
    try:
        return re.sub(r" at 0x[0-9a-f]+", "", write(value)[:TEXT])
    except BaseException as error:
        return f"(no text: {type(error).__name__})"


def main() -> None:
    """Confine this process, and answer questions."""
    answers, memory, seconds, threads = map(int, sys.argv[1:5])
    sys.path += [path for path in sys.argv[5:] if path not in sys.path]
    questions = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv[1:] = []
    sys.modules |= dict.fromkeys(("layers", "mnist", "verification"))  # type: ignore[arg-type]  # not to be imported
    missing = limits.confine(memory, seconds, threads)
    serve(questions, answers, Worker(), missing)


def serve(questions: int, answers: int, worker: Worker, missing: list[str]) -> None:
    """Say that the child has started, and which limits are missing; then answer questions until there are no more."""

    def exactly(count: int) -> bytearray:
        data = bytearray(count)
        rest = memoryview(data)
        while rest:
            got = os.readv(questions, [rest])
            if not got:
                os._exit(0)
            rest = rest[got:]
        return data

    def send(message: bytes) -> None:
        view = memoryview(message)
        while view:
            view = view[os.write(answers, view) :]

    send(protocol.pack({"missing": missing}))
    while True:
        question, given = protocol.read(exactly, sys.maxsize)
        answer, arrays = worker.answer(question, given)
        with suppress(Exception):  # closed, or replaced
            sys.stdout.flush()
        send(protocol.pack(answer, arrays))


if __name__ == "__main__":
    main()
