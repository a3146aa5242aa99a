"""The page over all submissions of a folder: a table to sort, how the marks are distributed, what failed how often."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from verification.judge.page import ENVIRONMENT
from verification.judge.verdict import TIES


def overview(reports: Sequence[dict[str, Any]], pages: str) -> str:
    """Return the page of these reports, each a row of grades.csv with its `file`; `pages` is where their pages are."""
    points = [report["points"] for report in reports]
    failed = Counter(name for report in reports for name in report["failed"])
    at_most_ties = [{*report["outcomes"].values()} <= {"right", TIES} for report in reports]
    full = [report for report in reports if report["points"] == report["of"]]
    return ENVIRONMENT.get_template("overview.html").render(
        reports=reports,
        pages=pages,
        layers=list(reports[0]["outcomes"]),
        labels=[row["label"] for row in reports[0]["marks"]],
        colours={"passed": "passed", "right": "passed", TIES: "note"},
        of=reports[0]["of"],
        ties=sum(at_most_ties) - sum(report["verdict"] == "passed" for report in reports),
        full=len(full),
        unnoticed=sum(report["verdict"] != "passed" for report in full),
        marks={f"{at:g}": points.count(at) for at in sorted(set(points), reverse=True)},
        failed=dict(sorted(failed.items(), key=lambda one: ("(hardening)" in one[0], -one[1], one[0]))),
    )
