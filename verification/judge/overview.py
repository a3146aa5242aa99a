"""The page over all submissions of a folder: a table to sort, how the marks are distributed, what failed how often."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from verification.judge.page import ENVIRONMENT


def overview(reports: Sequence[dict[str, Any]], pages: str) -> str:
    """Return the page of these reports, each a row of grades.csv with its `file`; `pages` is where their pages are."""
    points = [report["points"] for report in reports]
    failed = Counter(name for report in reports for name in report["failed"])
    full = [report for report in reports if report["points"] == report["of"]]
    return ENVIRONMENT.get_template("overview.html").render(
        reports=reports,
        pages=pages,
        labels=[row["label"] for row in reports[0]["marks"]],
        of=reports[0]["of"],
        full=len(full),
        unnoticed=sum(report["verdict"] != "passed" for report in full),
        marks={f"{at:g}": points.count(at) for at in sorted(set(points), reverse=True)},
        failed=dict(sorted(failed.items(), key=lambda one: ("(hardening)" in one[0], -one[1], one[0]))),
    )
