"""Searches for a case on which a property fails, and for the smallest one.

Hypothesis draws the cases and shrinks their sizes; then entry by entry, each value that may be 0,
or else 1 or -1, becomes so. Nothing here depends on the clock, so a seed gives the same result anywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import FlakyFailure

from verification.case import Array, Case
from verification.failure import PropertyFailed
from verification.properties import Collected
from verification.script import Script
from verification.spec import LayerSpec
from verification.trial import Trial

SIMPLIFICATIONS = 1000
"""How many simpler cases are tried at most for a small layer; fewer for a large one."""

UNSTEADY = PropertyFailed(
    "the same calls fail once and pass once: the layer is not deterministic, or its instances share state"
)


@dataclass
class Outcome:
    """What a search found: the examples run, those with random values, the largest rounding, a failure."""

    examples: int = 0
    random: int = 0
    rounded: int = 0
    largest_rounding: float = 0.0
    failure: PropertyFailed | None = None
    case: Case | None = None
    script: str = ""


def search(spec: LayerSpec, collected: Collected, profile: settings, seed: int | None = None) -> Outcome:
    """Run the property on drawn cases until one fails or all examples have passed."""
    outcome = Outcome()
    failed: list[Case] = []

    def run(case: Case) -> None:
        trial = Trial(spec, case)
        if not failed:
            outcome.examples += 1
            outcome.random += case.seed > 1
        try:
            collected.check(trial)
        except PropertyFailed:
            failed.append(Case({**case.arrays, **trial.drawn}, case.settings, case.seed))
            raise
        if not failed and trial.rounded:
            outcome.rounded += 1
            outcome.largest_rounding = max(outcome.largest_rounding, trial.rounded)

    # The example database tells tests apart by their names.
    run.__name__ = run.__qualname__ = f"{spec.name}_{collected.name}"
    test: Any = settings(
        profile, deadline=None, print_blob=False, report_multiple_bugs=False, verbosity=Verbosity.quiet,
        phases=[phase for phase in profile.phases if phase != Phase.explain],
    )(given(collected.cases)(run))  # fmt: skip
    test.hypothesis.inner_test._hypothesis_internal_add_digest = run.__name__.encode()
    try:
        (seeded(seed)(test) if seed is not None else test)()
    except PropertyFailed:
        outcome.case = simplest(spec, collected, failed[-1])
        outcome.failure, outcome.script = explain(spec, collected, outcome.case)
    except FlakyFailure:
        outcome.case = failed[-1]
        outcome.failure, outcome.script = UNSTEADY, explain(spec, collected, outcome.case)[1]
    return outcome


def simplest(spec: LayerSpec, collected: Collected, case: Case) -> Case:
    """Return the case with as many entries as possible 0, and of the others as many as possible 1 or -1.

    For an exact layer any whole number is a valid entry; for others only what lies between the
    least and the largest entry drawn is known to be.
    """
    left = SIMPLIFICATIONS
    cost = 1 + sum(array.size for array in case.arrays.values()) // 200

    def fails(name: str, array: Array) -> bool | None:
        nonlocal left
        left -= cost
        if left < 0:
            return None
        try:
            collected.check(Trial(spec, replace(case, arrays={**case.arrays, name: array})))
        except PropertyFailed:
            return True
        return False

    for name in sorted(case.arrays, key=lambda name: name in ("x", *spec.parameters)):
        array = case.arrays[name]
        free = not spec.rtol or name not in ("x", *spec.parameters)
        for value in (0.0, 1.0, -1.0):
            if array.size and (free or array.min() <= value <= array.max()):
                array = _filled(array, value, partial(fails, name))
                case = replace(case, arrays={**case.arrays, name: array})
    return case


def _filled(array: Array, value: float, still_fails: Callable[[Array], bool | None]) -> Array:
    """Return the array with the value in as many entries as possible, halving what is too much.

    Stops where still_fails answers None: no more tries are left.
    """
    parts = [np.flatnonzero((abs(array) != 1) & (array != 0) if value else array)]
    while parts:
        part = parts.pop()
        if len(part) == 0:
            continue
        changed = array.copy()
        changed.flat[part] = value
        fails = still_fails(changed)
        if fails is None:
            break
        if fails:
            array = changed
        elif len(part) > 1:
            parts += [part[len(part) // 2 :], part[: len(part) // 2]]
    return array


def explain(spec: LayerSpec, collected: Collected, case: Case) -> tuple[PropertyFailed, str]:
    """Run a failing case once more, and return its failure and a script of the calls that were made."""
    script = Script(spec.make)
    for _ in range(3):
        try:
            collected.check(Trial(spec, case))
        except PropertyFailed:
            continue
        return UNSTEADY, script.text([f"# {UNSTEADY.sentence}"])
    try:
        collected.check(Trial(spec, case, script))
    except PropertyFailed as failure:
        closing = [f"# {line}" for line in failure.message().splitlines()]
        if script.results:
            closing = [
                *dict.fromkeys(f"print({_printed(script, entry.array)})" for entry in failure.entries),
                *closing,
            ]
        return failure, script.text(closing)
    return UNSTEADY, script.text([f"# {UNSTEADY.sentence}"])


def _printed(script: Script, name: str) -> str:
    """Return the variable of the last result of this name."""
    made = [variable for _, variable in script.results if variable.rstrip("0123456789") == name.split(".")[0]]
    return made[-1] if made else script.results[-1][1]
