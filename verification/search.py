"""Tries properties on drawn cases, and searches for the smallest case on which one fails.

Hypothesis draws the cases and shrinks their sizes; then entry by entry, each value that may be 0, or else 1 or -1,
becomes so, and what has to be larger as small as it can be. A seed gives the same result anywhere, if time suffices.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import seed as seeded
from hypothesis.errors import FlakyFailure

from verification.case import Array, Case, indices
from verification.clock import Clock, TimeUp
from verification.failure import ALREADY_WRONG, NotJudged, NotTried, PropertyFailed, Stopped
from verification.observe import ask, tell
from verification.properties import Collected
from verification.script import LITERAL_ENTRIES, Script
from verification.spec import LayerSpec
from verification.trial import HERE, PLACE, Trial
from verification.tried import tried

FEW = 4
"""Large entries, at most, that are made smaller one by one."""

UNSTEADY = PropertyFailed(
    "the same calls fail once and pass once: the layer is not deterministic, or its instances share state"
)
UNSTEADY.unsteady = True


@dataclass
class Outcome:
    """What was found: the examples run, those with random values, how many rounded, the smallest failure.

    Of the examples that were judged those are telling that have random values: all zeros tell hardly anything.
    """

    examples: int = 0
    judged: int = 0
    telling: int = 0
    random: int = 0
    rounded: int = 0
    largest_rounding: float = 0.0
    seconds: float = 0.0
    failure: PropertyFailed | None = None
    stopped: bool = False
    case: Case | None = None
    script: str = ""
    wrong: frozenset[str] = frozenset()
    """Arrays whose plain answers were wrong for any example."""
    unjudged: str = ""
    """Why the last example that was not judged was not, unless the plain answers are wrong."""
    tried: Counter[str] = field(default_factory=Counter)
    """Of the examples that were judged, what they were like."""
    noted: str = ""
    """The array that is wrong for `case`, if another property has found that."""

    @property
    def why_not_judged(self) -> str:
        """Why nothing, or nothing telling, was judged; "" if something was."""
        if self.telling or (self.judged and not self.unjudged):
            return ""
        return self.unjudged or ALREADY_WRONG

    def count(self, trial: Trial, item: Collected) -> None:
        """Try the property on one more example; raise PropertyFailed if it does not hold."""
        trial.rounded = 0.0
        trial.chosen.clear()
        try:
            item.check(trial)
            self.judged += 1
            self.telling += trial.case.seed > 1
            self.tried.update(tried(trial))
        except NotJudged as reason:
            self.unjudged = str(reason)
        except TimeUp:
            self.examples -= 1
            raise
        finally:
            self.examples += 1
            self.random += trial.case.seed > 1
            self.rounded += trial.rounded > 0
            self.largest_rounding = max(self.largest_rounding, trial.rounded)

    def fail(self, spec: LayerSpec, item: Collected, case: Case, *, simplify: bool = True) -> None:
        """End the search with a case that failed, made as simple as it can be unless not `simplify`."""
        try:
            self.case = simplest(spec, item, case) if simplify and spec.deterministic else case
            self.failure, self.script = explain(spec, item, self.case)
            # What raised it holds all arrays on the way, which a layer in another process would be asked about.
            self.failure.__traceback__ = self.failure.__context__ = self.failure.__cause__ = None
        except Stopped as stopped:
            self.stop(spec, item, case, stopped)

    def stop(self, spec: LayerSpec, item: Collected, case: Case, stopped: Stopped) -> None:
        """End the search with a case on which the layer's process ended: it is not made any smaller."""
        self.failure, self.stopped = PropertyFailed(str(stopped)), True
        if isinstance(stopped, NotTried):
            return
        spec = replace(spec, clock=Clock())
        for at in [_here(case), case] if spec.piecewise_linear else [case]:
            self.case, script = at, Script(spec.make, at)
            self.script = script.text(self.failure)
            try:
                item.check(Trial(spec, at, script))
            except Stopped:
                self.script = script.text(self.failure)
                break
            except (PropertyFailed, NotJudged):
                pass


def survey(
    spec: LayerSpec, items: Sequence[Collected], profile: settings, seed: int, progress: Callable[[str], None]
) -> list[Outcome]:
    """Try all these properties on the same drawn cases, and return the first case on which each of them fails.

    Much faster than a search for each, since a case is drawn, and its right answer found, only once.
    """
    outcomes = [Outcome() for _ in items]

    def run(case: Case) -> None:
        if spec.clock.up:
            return
        trial = Trial(spec, case)
        progress(f"example {max(outcome.examples for outcome in outcomes) + 1} of {profile.max_examples}")
        for item, outcome in zip(items, outcomes, strict=True):
            if outcome.case is not None or outcome.failure is not None:
                continue
            start = time.perf_counter()
            try:
                outcome.count(trial, item)
            except PropertyFailed:
                outcome.case = case
            except TimeUp:
                break
            except Stopped as stopped:
                outcome.stop(spec, item, case, stopped)
            outcome.seconds += time.perf_counter() - start
        _note_wrong_answers(items, outcomes, trial)

    seeded(seed)(profile(given(items[0].cases)(run)))()
    return outcomes


def smallest(spec: LayerSpec, item: Collected, first: Outcome, profile: settings, seed: int) -> Outcome:
    """Return what a survey found for a property, with the smallest case on which it fails in place of the first."""
    assert first.case
    found = search(spec, item, profile, seed)
    if found.failure is None:  # it fails only for a call that another property made, or after others have run
        asked = Asking(_plainly(first.noted), item.kind, item.cases) if first.noted else item
        found.fail(spec, asked, first.case)
    return replace(found, examples=first.examples, wrong=first.wrong)


def _note_wrong_answers(items: Sequence[Collected], outcomes: Sequence[Outcome], trial: Trial) -> None:
    """Have plain questions fail whose answers were found wrong while other properties were tried: none is lost."""
    wrong = [*((array, trial.case) for array in sorted(trial.plain or ())), *trial.elsewhere]
    for array, case in wrong:
        for item, outcome in zip(items, outcomes, strict=True):
            if not item.plain:
                continue
            outcome.wrong |= {array}
            of_forward = array in ("y", "forward")
            if of_forward == (item.name == "forward_matches_reference"):
                if not outcome.case and not outcome.failure:
                    outcome.case, outcome.noted = case, array
                break


class Asking(Collected):
    """Asks a plain question."""

    def check(self, trial: Trial) -> None:
        """Raise PropertyFailed where the answer is wrong."""
        self.function(trial)


def _plainly(array: str) -> Callable[[Trial], None]:
    """Return the property that an array, or what a method returns, is right."""

    def is_right(trial: Trial) -> None:
        answers = ask(trial)
        of_method = {"forward": ["y"], "backprop": [name for name in answers if name != "y"]}
        for name in of_method.get(array, [array]):
            tell(answers[name])

    return is_right


def search(
    spec: LayerSpec, collected: Collected, profile: settings, seed: int = 0, *, simplify: bool = True
) -> Outcome:
    """Run the property on drawn cases until one fails, made as simple as it can be, or all examples have passed."""
    outcome = Outcome()
    start = time.perf_counter()
    failed: list[Case] = []
    tried: list[Case] = []

    def run(case: Case) -> None:
        trial = Trial(spec, case)
        tried[:] = [case]
        try:
            (Outcome() if failed else outcome).count(trial, collected)
        except PropertyFailed:
            failed.append(trial.used)
            raise

    try:
        seeded(seed)(profile(given(collected.cases)(run)))()
    except PropertyFailed:
        outcome.fail(spec, collected, failed[-1], simplify=simplify)
    except Stopped as stopped:
        if failed:
            outcome.fail(spec, collected, failed[-1], simplify=simplify)
        elif not isinstance(stopped, TimeUp):
            outcome.stop(spec, collected, tried[-1], stopped)
    except FlakyFailure:
        outcome.case = failed[-1]
        outcome.failure, outcome.script = UNSTEADY, explain(spec, collected, outcome.case)[1]
    outcome.seconds = time.perf_counter() - start
    return outcome


def simplest(spec: LayerSpec, collected: Collected, case: Case) -> Case:
    """Return the case with as few calls and as many entries 0 as can be, of the others as many 1 or -1, the rest small.

    For an exact layer any whole number is a valid entry; for others only what lies between the
    least and the largest entry drawn is known to be.
    """
    left = _tries(case)

    def fails(name: str, array: Array) -> bool | None:
        return fails_at(replace(case, arrays={**case.arrays, name: array}))

    def fails_at(case: Case) -> bool | None:
        nonlocal left
        left -= 1
        if left < 0:
            return None
        try:
            collected.check(Trial(spec, case))
        except PropertyFailed:
            return True
        except NotJudged:
            return False
        except Stopped:  # no time is left; or this one does not end, where others do: it is simple enough as it is
            left = 0
            return None
        return False

    if spec.piecewise_linear and fails_at(here := _here(case)):
        case = here
    for name, sequence in case.picked.items():
        for at in reversed(range(len(sequence) if isinstance(sequence, tuple) else 0)):
            left_out = case.picked[name][:at] + case.picked[name][at + 1 :]
            shorter = replace(case, picked={**case.picked, name: left_out})
            case = shorter if fails_at(shorter) else case
    # A layer is not given directions; constants (labels, a mask), indices and a declared dLdy may have no other values.
    fixed = {*spec.constants, *(["dLdy"] if Trial(spec, case).declares_dLdy else [])}
    fixed |= {name for name, array in case.arrays.items() if name.startswith("v for ") or indices(array)}
    shown = [name for name in case.arrays if name not in fixed]
    for name in sorted(shown, key=lambda name: name in ("x", *spec.parameters)):
        array = drawn = case.arrays[name]
        free = not spec.rtol or name not in ("x", *spec.parameters)
        for value in (0.0, 1.0, -1.0):
            if array.size and (
                free or (array.min() <= value <= array.max() and value not in (*spec.kinks, *spec.avoid))
            ):
                array = _filled(array, value, partial(fails, name))
                if array.size > LITERAL_ENTRIES and np.count_nonzero(array) > LITERAL_ENTRIES // 2:
                    array = drawn  # which a script can draw, where it would have to list this one
                case = replace(case, arrays={**case.arrays, name: array})
        if free:
            case = replace(case, arrays={**case.arrays, name: _lowered(array, partial(fails, name))})
    return case


def _here(case: Case) -> Case:
    """Return the case with x of small numbers, of a layer that has kinks."""
    return replace(case, picked={**case.picked, PLACE: HERE})


def _tries(case: Case) -> int:
    """Return how often a case may be tried again: fewer times for a large one."""
    return max(10, min(1000, 5 * 10**6 // (1 + sum(array.size for array in case.arrays.values()))))


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


def _lowered(array: Array, still_fails: Callable[[Array], bool | None]) -> Array:
    """Return the array with the few entries that have to be beyond 1 as near to it as they can be."""
    large = np.flatnonzero(abs(array) > 1)
    for at in large if len(large) <= FEW else ():
        passes, failing = 1.0, float(abs(array.flat[at]))
        while failing - passes > 1:
            middle = (passes + failing) // 2
            changed = array.copy()
            changed.flat[at] = np.copysign(middle, array.flat[at])
            fails = still_fails(changed)
            if fails is None:
                return array
            if fails:
                array, failing = changed, middle
            else:
                passes = middle
    return array


def explain(spec: LayerSpec, collected: Collected, case: Case) -> tuple[PropertyFailed, str]:
    """Run a failing case again, and return its failure and a script of the calls that were made."""
    steady = not spec.deterministic or _fails_every_time(spec, collected, case)
    spec = replace(spec, clock=Clock())  # what was found is shown, even if no time is left
    for _ in range(1 if spec.deterministic else 20):  # a layer may draw what it does right
        script = Script(spec.make, case)
        failure = _failure(collected, Trial(spec, case, script))
        if failure:
            break
    if script.copies_needed:
        script = Script(spec.make, case, copies=True)
        failure = _failure(collected, Trial(spec, case, script))
    if failure is None or not steady:
        failure = UNSTEADY
    return failure, script.text(failure)


def _fails_every_time(spec: LayerSpec, collected: Collected, case: Case) -> bool:
    tries = max(3, min(20, _tries(case) // 50))
    with suppress(TimeUp):
        return all(_failure(collected, Trial(spec, case)) for _ in range(tries))
    return True


def _failure(collected: Collected, trial: Trial) -> PropertyFailed | None:
    try:
        collected.check(trial)
    except PropertyFailed as failure:
        return failure
    except NotJudged:
        pass
    return None
