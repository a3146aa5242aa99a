"""What was tried: which kinds of cases were judged, and what properties chose to ask of them. A line of a report.

In pytest's statistics it stands as Hypothesis events.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from verification.properties.history import CALLS
from verification.strategies import LAYOUTS
from verification.trial import Trial

LARGE = 10**5
"""Entries of x from which on no equal ones are looked for, which takes long."""

LAYOUT, INTEGERS = "layout", "kind of integer"
"""Choices of properties that are told, as is that of CALLS, by the names they are drawn under."""

OF_CASES = {
    "one image": "of one image",
    "equal entries": "with equal entries in x",
    "overlap": "with windows that overlap",
    "gaps": "with gaps between windows",
}
"""Kinds of cases, and how the report has them."""


def tried(trial: Trial) -> list[str]:
    """Return what is to be counted of a case, and of what a property has just chosen for it."""
    said = [kind for kind, holds in _kinds(trial).items() if holds]
    for name in (LAYOUT, INTEGERS):
        if name in trial.chosen:
            chosen = trial.chosen[name]
            said.append(f"{name}: {chosen.__name__ if isinstance(chosen, type) else chosen}")
    if CALLS in trial.chosen:
        said.append(f"{CALLS}: {len(trial.chosen[CALLS]):>2}")
    return said


def _kinds(trial: Trial) -> dict[str, bool]:
    x, settings = trial.x, trial.case.settings
    window, stride = np.asarray(settings.get("kernel_size", settings.get("pool_size", ()))), settings.get("stride", ())
    known = "stride" in settings and window.size > 0
    return {
        "one image": x.ndim > 0 and len(x) == 1,
        "equal entries": x.size < LARGE and len(np.unique(x)) < x.size,
        "overlap": known and bool((window > stride).any()),
        "gaps": known and bool((window < stride).any()),
    }


def line(cases: int, counts: Mapping[str, int]) -> str:
    """Return what was tried, in a line."""
    parts = [f"{counts[kind]} {words}" for kind, words in OF_CASES.items() if kind in counts]
    by_name = Counter(told.partition(": ")[0] for told in counts)
    if LAYOUT in by_name:
        parts.append(f"{by_name[LAYOUT]} of {len(LAYOUTS)} memory layouts")
    if INTEGERS in by_name:
        parts.append(f"{by_name[INTEGERS]} types of integers")
    if CALLS in by_name:
        most = max(int(told.rpartition(" ")[2]) for told in counts if told.startswith(CALLS))
        parts.append(f"up to {most} calls before")
    return f"tried {cases} case" + "s" * (cases != 1) + ": " * bool(parts) + ", ".join(parts)
