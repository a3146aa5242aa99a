"""The verdict on one class of a file by a ready spec: `layerproof check FILE:CLASS --as SPEC --set NAME=VALUE`."""

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from verification import specs
from verification.checking import check
from verification.judge.process import Limits
from verification.judge.remote import Submission
from verification.judge.session import plain
from verification.judge.verdict import FileVerdict, LayerVerdict
from verification.spec import LayerSpec, SpecError

WORDS = {"true": True, "false": False, "int": int, "same": "same"}
"""Values of keywords that are no literals."""

RANGE = re.compile(r"range\((\d+), ?(\d+)\)")
"""A range of values to draw from, as in Python: without the last."""


def settings_of(given: Sequence[str]) -> dict[str, Any]:
    """Return the keywords of NAME=VALUE texts: numbers, words, pairs, lists and ranges; SpecError for anything else."""
    settings = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            settings[name] = _value(value)
        except (SyntaxError, ValueError):
            equals = ""
        if not equals or not name.isidentifier():
            raise SpecError(
                f"--set takes NAME=VALUE, not {text!r}: a number, as stride=1; height and width, as kernel_size=2,3;"
                " values to draw from, as 'batch=[2,4]' or 'batch=range(2,5)'; true, false or int"
            )
    return settings


def _value(text: str) -> Any:
    if found := RANGE.fullmatch(text):
        return range(int(found[1]), int(found[2]))
    return WORDS[text.lower()] if text.lower() in WORDS else ast.literal_eval(text)


def ready_spec(name: str) -> Callable[..., LayerSpec]:
    """Return the ready spec of this name; SpecError if there is none."""
    if name not in specs.__all__ or name == "elementwise":
        known = ", ".join(one for one in specs.__all__ if one != "elementwise")
        raise SpecError(f"--as takes a ready spec, not {name!r}: {known}")
    found: Callable[..., LayerSpec] = getattr(specs, name)
    return found


def judge_as(
    source: bytes,
    filename: str,
    class_name: str,
    ready: Callable[..., LayerSpec],
    settings: dict[str, Any],
    *,
    examples: int = 100,
    seed: int = 0,
    strict: bool = False,
    limits: Limits = Limits(),  # noqa: B008  frozen
    seconds: float,
    progress: Callable[[str], None] = lambda _doing: None,
) -> FileVerdict:
    """Check one class of a file in a child process. SpecError if it is not there, or the settings do not fit."""
    submission = Submission(source, filename, (class_name,), seed, limits)
    try:
        loaded = submission.loaded
        if class_name not in loaded.found:
            why = loaded.error or f"{filename} defines {', '.join(loaded.classes) or 'no class'}"
            raise SpecError("; ".join([f"there is no class {plain(class_name)}: {why}", *loaded.notes]))
        spec = ready(submission.make(class_name), **settings)
        with np.errstate(all="ignore"):
            report = check(spec, examples=examples, seed=seed, strict=strict, progress=progress, seconds=seconds)
    finally:
        submission.close()
    layer = LayerVerdict(report.name, class_name, report, "", {})
    output = plain(submission.output.decode(errors="replace"))
    return FileVerdict(filename, "", loaded.notes, (layer,), submission.isolation, output)
