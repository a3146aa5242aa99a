"""The page over all submissions of a folder: a table to sort, who made which mistake, how the marks are distributed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from verification.cause import Cause
from verification.judge.verdict import TIES
from verification.show.page import ENVIRONMENT

UNKNOWN = "not explained"
"""What the title of a mistake begins with of which neither why nor where is known."""


@dataclass(frozen=True)
class Group:
    """The submissions that have one mistake: what is said of it, what is wrong, and a link for each name."""

    title: str
    about: str
    links: dict[str, str] = field(default_factory=dict)


def overview(reports: Sequence[dict[str, Any]], pages: str) -> str:
    """Return the page of these reports, each a row of grades.csv with its `file`; `pages` is where their pages are."""
    points = [report["points"] for report in reports]
    at_most_ties = [{*report["outcomes"].values()} <= {"right", TIES} for report in reports]
    full = [report for report in reports if report["points"] == report["of"]]
    return ENVIRONMENT.get_template("overview.html").render(
        reports=reports,
        pages=pages,
        layers=list(reports[0]["outcomes"]),
        labels=[row["label"] for row in reports[0]["marks"]],
        colours={"passed": "passed", "right": "passed", TIES: "note", "undecided": "note"},
        of=reports[0]["of"],
        ties=sum(at_most_ties) - sum(report["verdict"] == "passed" for report in reports),
        full=len(full),
        unnoticed=sum(report["verdict"] == "failed" for report in full),
        marks={f"{at:g}": points.count(at) for at in sorted(set(points), reverse=True)},
        groups=groups(reports, pages),
    )


def groups(reports: Sequence[dict[str, Any]], pages: str) -> list[Group]:
    """Return the submissions by what is wrong with them, the most frequent mistake first."""
    found: dict[tuple[str, str], Group] = {}
    for report in reports:
        page = f"{pages}/{quote(report['file'])}.html"
        for layer, causes in report["causes"].items():
            for number, cause in enumerate(causes, 1):
                key = title(layer, cause), about(layer, cause)
                group = found.setdefault(key, Group(*key))
                group.links.setdefault(report["name"], f"{page}#{layer}-{number}")
    return sorted(found.values(), key=lambda group: (-len(group.links), UNKNOWN in group.title, group.title))


def title(layer: str, cause: Cause) -> str:
    """Say what the mistake is, in words that are the same for all who made it."""
    if cause.why:
        return cause.headline
    if cause.where:
        return f"{wrong(cause)}: {'it ' * (cause.kind == 'raised')}{cause.where_said}"
    return f"{UNKNOWN}: {wrong(cause)} in {layer.replace('_', ' ')}"


def about(layer: str, cause: Cause) -> str:
    """Say of which layer the mistake is, and of which array, unless the title says so."""
    name = layer.replace("_", " ")
    if not (cause.why or cause.where):
        return ""
    return f"{name}, {wrong(cause)}" if cause.why and cause.kind != "property" else name


def wrong(cause: Cause) -> str:
    """Say what is wrong, without a number."""
    if cause.kind == "raised":
        return "a call raises" + ", whatever the case" * cause.always
    if cause.kind == "ended":
        return "a call ends the process, or takes too long"
    if cause.kind == "property":
        return f"{cause.property_name.replace('_', ' ')}: this does not hold" + f" of {cause.array}" * bool(cause.array)
    return f"{cause.array or 'a result'} " + ("has the wrong shape" if cause.kind == "shape" else "is wrong")
