"""The verdict on one file as an HTML page that needs nothing else: no network, no other file.

Nothing of the submission is markup: the template escapes all text, and the page's Content-Security-Policy permits
its own style and its one script by their hashes, pictures that are part of it, and nothing else.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import jinja2

from verification.assignment.accuracy import TESTS
from verification.assignment.rubric import Row
from verification.cause import Cause
from verification.judge.verdict import FileVerdict, LayerVerdict
from verification.show.pictures import Picture, pictures


def page(verdict: FileVerdict, rows: Sequence[Row] = (), problems: Sequence[str] = ()) -> str:
    """Return the page of a verdict: the same for the same verdict, and valid UTF-8 whatever the file is called.

    rows        the lines of the mark; those of the four accuracies unless given
    problems    what else is to be known of the submission
    """
    text = ENVIRONMENT.get_template("page.html").render(
        verdict=verdict, rows=rows or of_accuracies(verdict), problems=problems, said=said(verdict)
    )
    return text.encode(errors="backslashreplace").decode()


def of_accuracies(verdict: FileVerdict) -> list[Row]:
    """Return the points of section 7 for the four accuracies, line by line."""
    return [Row(TESTS[test], points, 4, verdict.reason(test, 2)) for test, points in verdict.points.items()]


def said(verdict: FileVerdict) -> str:
    """Say what the assignment's accuracy test alone would have said of the file."""
    if verdict.problem:
        return "The assignment's test alone could not run either."
    lost = ", ".join(TESTS[test] for test, points in verdict.points.items() if points < 4)
    if "" in verdict.better.values():
        return "The points are those of the file's own test, where the assignment's gives less" + (
            f"; both find fault with {lost}." if lost else "."
        )
    if lost:
        return f"The assignment's test alone would find fault with {lost}."
    if verdict.verdict == "undecided":
        return "The assignment's test alone would say that nothing is wrong."
    right = "The assignment's test alone would say the same: nothing is wrong."
    return right if verdict.passed else "The assignment's test alone would not have noticed: full points."


def headline(layer: LayerVerdict) -> str:
    """Say in a sentence what is wrong with a layer, or that nothing is."""
    if layer.report is None:
        return layer.problem
    nothing = "Every required property holds."
    if layer.verdict == "undecided":
        nothing = f"Nothing wrong was found, but not everything could be tried: {layer.report.limited}."
    return [*(cause.headline for cause in layer.report.mistakes), nothing][0]


def facts_of(cause: Cause) -> dict[str, str]:
    """Return what is known of a cause beside its headline: what else is wrong, where, and at which line."""
    facts = {}
    if cause.also:
        facts["Wrong for the same reason"] = ", ".join(cause.also)
    if cause.where and cause.where_said not in cause.headline:
        is_so = "the call" if cause.kind == "raised" else f"{cause.array or 'the call'} is"
        facts["Where"] = f"{is_so} {cause.where_said}"
    if cause.line and f"line {cause.line}" not in cause.message:
        facts["Line"] = str(cause.line)
    return facts


def drawn(cause: Cause) -> tuple[Picture, ...]:
    """Return the pictures of what is wrong."""
    return pictures(*cause.compared) if cause.compared else ()


def sha256(text: str) -> str:
    """Return how a Content-Security-Policy names this style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
ENVIRONMENT.globals.update(drawn=drawn, facts_of=facts_of, headline=headline, sha256=sha256)
