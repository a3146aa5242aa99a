"""Tries properties on drawn cases, and searches for the smallest case on which one fails.

A survey draws cases and tries all properties on each. For a property that failed a search draws them again, with
Hypothesis, which shrinks the sizes of the case; simplest.py then shrinks its entries. A seed gives the same result
anywhere, if time suffices.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import seed as seeded
from hypothesis.errors import FlakyFailure

from verification.case import Case
from verification.clock import Clock, TimeUp
from verification.failure import ALREADY_WRONG, Crashed, NotJudged, NotTried, PropertyFailed, Stopped
from verification.observe import ask, tell
from verification.properties import Collected
from verification.script import Script
from verification.simplest import here, most_tries, simplest
from verification.spec import LayerSpec, Property
from verification.trial import Trial
from verification.tried import tried

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

    @property
    def failed(self) -> bool:
        """Whether it failed; it may be that only the case is known so far."""
        return self.case is not None or self.failure is not None

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
            self.failure, self.script = run_again(spec, item, self.case)
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
        for at in [here(case), case] if spec.piecewise_linear else [case]:
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
) -> tuple[dict[Collected, Outcome], frozenset[str]]:
    """Try all these properties on the same drawn cases; find the first case on which each of them fails.

    Return what was found, and the arrays whose plain answers were wrong for any case. Much faster than a search for
    each property, since a case is drawn, and its right answer found, only once.
    """
    outcomes = {item: Outcome() for item in items}
    wrong: set[str] = set()

    def run(case: Case) -> None:
        if spec.clock.up:
            return
        trial = Trial(spec, case)
        progress(f"example {max(outcome.examples for outcome in outcomes.values()) + 1} of {profile.max_examples}")
        for item, outcome in outcomes.items():
            if outcome.failed:
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
        for array, at in [*((array, case) for array in sorted(trial.plain or ())), *trial.elsewhere]:
            wrong.add(array)
            _note(outcomes, array, at)

    seeded(seed)(profile(given(items[0].cases)(run)))()
    return outcomes, frozenset(wrong)


def _note(outcomes: Mapping[Collected, Outcome], array: str, case: Case) -> None:
    """Have a plain question fail whose answer was found wrong while another property was tried: none is lost."""
    of_forward = array in ("y", "forward")
    for item, outcome in outcomes.items():
        if item.plain and of_forward == (item.name == "forward_matches_reference"):
            if not outcome.failed:
                outcome.case, outcome.noted = case, array
            return


def smallest(spec: LayerSpec, item: Collected, first: Outcome, profile: settings, seed: int) -> Outcome:
    """Return what a survey found for a property, with the smallest case on which it fails in place of the first."""
    assert first.case
    found = search(spec, item, profile, seed)
    if found.failure is None:  # it fails only for a call that another property made, or after others have run
        found.fail(spec, _asked(item, first), first.case)
    return replace(found, examples=first.examples)


def as_found(spec: LayerSpec, item: Collected, first: Outcome) -> Outcome:
    """Return what a survey found for a property, with its failure on the first case on which it fails."""
    assert first.case
    trial = Trial(replace(spec, clock=Clock()), first.case)
    try:
        return replace(first, failure=_failure(_asked(item, first), trial) or UNSTEADY)
    except Stopped as stopped:
        return replace(first, failure=PropertyFailed(str(stopped)))


def _asked(item: Collected, first: Outcome) -> Collected:
    """Return the property that failed in a survey: the plain question, where another property found it wrong."""
    return replace(item, function=_is_right(first.noted)) if first.noted else item


def _is_right(array: str) -> Property:
    """Return the property that an array, or what a method returns, is right."""

    def is_right(trial: Trial) -> None:
        answers = ask(trial)
        of_method = {"forward": ["y"], "backprop": [name for name in answers if name != "y"]}
        for name in of_method.get(array, [array]):
            tell(answers[name])

    return is_right


def search(spec: LayerSpec, item: Collected, profile: settings, seed: int = 0, *, simplify: bool = True) -> Outcome:
    """Run the property on drawn cases until one fails, made as simple as it can be, or all examples have passed."""
    outcome = Outcome()
    start = time.perf_counter()
    failed: list[Case] = []
    tried: list[Case] = []

    def run(case: Case) -> None:
        trial = Trial(spec, case)
        tried[:] = [case]
        try:
            (Outcome() if failed else outcome).count(trial, item)
        except PropertyFailed:
            failed.append(trial.used)
            raise

    try:
        seeded(seed)(profile(given(item.cases)(run)))()
    except PropertyFailed:
        outcome.fail(spec, item, failed[-1], simplify=simplify)
    except Stopped as stopped:
        if failed:
            outcome.fail(spec, item, failed[-1], simplify=simplify)
        elif not isinstance(stopped, TimeUp):
            outcome.stop(spec, item, tried[-1], stopped)
    except FlakyFailure:
        outcome.case = failed[-1]
        outcome.failure, outcome.script = UNSTEADY, run_again(spec, item, outcome.case)[1]
    outcome.seconds = time.perf_counter() - start
    return outcome


def run_again(spec: LayerSpec, item: Collected, case: Case) -> tuple[PropertyFailed, str]:
    """Run a failing case again, and return its failure and a script of the calls that were made."""
    steady = not spec.deterministic or _fails_every_time(spec, item, case)
    spec = replace(spec, clock=Clock())  # what was found is shown, even if no time is left
    for _ in range(1 if spec.deterministic else 20):  # a layer may draw what it does right
        script = Script(spec.make, case)
        failure = _failure(item, Trial(spec, case, script))
        if failure:
            break
    if script.copies_needed:
        script = Script(spec.make, case, copies=True)
        failure = _failure(item, Trial(spec, case, script))
    if failure is None or not steady:
        failure = UNSTEADY
    return failure, script.text(failure)


def _fails_every_time(spec: LayerSpec, item: Collected, case: Case) -> bool:
    with suppress(TimeUp):
        first = _failure(item, Trial(spec, case))
        crashes = first is not None and first.error == Crashed.__name__  # each time takes another process
        tries = 3 if crashes else max(3, min(20, most_tries(case) // 50))
        return bool(first) and all(_failure(item, Trial(spec, case)) for _ in range(tries - 1))
    return True


def _failure(item: Collected, trial: Trial) -> PropertyFailed | None:
    try:
        item.check(trial)
    except PropertyFailed as failure:
        return failure
    except NotJudged:
        pass
    return None
