"""`test_mine = verify(spec)`: the properties of a layer as pytest items, each of them a Hypothesis test."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, cached_property, partial
from traceback import format_exc
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from verification.case import Case
from verification.checking import report_on
from verification.clock import Clock
from verification.declaration import expect_spec, problem_of
from verification.failure import NotTried, PropertyFailed
from verification.isolated import isolated as in_a_fork
from verification.named import with_named_values
from verification.properties import Collected, properties
from verification.search import Outcome
from verification.show.text import blocks
from verification.spec import LayerSpec
from verification.trial import Trial
from verification.tried import tried


class HardeningWarning(UserWarning):
    """A hardening property does not hold, which fails nothing unless strict."""


def verify(
    spec: LayerSpec,
    examples: int | None = None,
    *,
    strict: bool = False,
    isolated: bool = False,
    seconds: float = float("inf"),
) -> Any:
    """Return a Hypothesis test with a pytest item for each property of the spec.

    The number of examples, the example database and the like are those of the Hypothesis profile in
    force, unless `examples` is given; only a deadline there is none. A hardening property that does not
    hold is a `HardeningWarning`, and with strict=True a failure; a property that has nothing to judge is
    skipped. An isolated layer runs in a fork of this process, so that a crash or an endless loop is a
    failure like any other. The `seconds` that the calls of a layer may take are shared out among the
    properties: a slow layer is tried on fewer examples, and what was tried on none is skipped.

    In a class of tests write `test_mine = staticmethod(verify(spec))`: pytest would leave out the first argument of
    a method. SpecError if it is given no spec.
    """
    expect_spec(spec, "verify")
    spec = with_named_values(in_a_fork(spec) if isolated else spec)
    items = properties(spec)
    outcomes = {item: Outcome() for item in items}
    specs = {item: replace(spec, clock=Clock(seconds / len(items))) for item in items}
    examined = cache(partial(problem_of, spec))
    failed: set[object] = set()
    warned: set[Collected] = set()
    profile = _profile(examples)

    @pytest.mark.parametrize("collected", [pytest.param(item, id=f"{item.kind}-{item.name}") for item in items])
    @profile
    @given(data=st.data())
    def test(collected: Collected, data: st.DataObject) -> None:
        __tracebackhide__ = True
        if problem := examined():
            pytest.fail(f"{spec.name}: {problem}", pytrace=False)
        case = data.draw(collected.cases)
        trial, outcome = Trial(specs[collected], case), outcomes[collected]
        before = outcome.judged
        try:
            outcome.count(trial, collected)
        except NotTried as reason:
            if not outcome.judged:
                pytest.skip(f"{spec.name}: undecided: {reason}")
        except PropertyFailed as failure:
            if collected.kind == "hardening" and not strict:
                if collected not in warned:
                    warned.add(collected)
                    warnings.warn(_warning(spec, collected, failure), HardeningWarning, stacklevel=1)
                return
            failed.add(_key(collected, case))
        # What failed once has failed, though it may pass when Hypothesis tries it again.
        if failed and _key(collected, case) in failed:
            raise Failed(spec, collected, trial.used)
        for kind in tried(trial) if outcome.judged > before else []:
            event(kind)
        if outcome.examples >= profile.max_examples and outcome.why_not_judged:
            pytest.skip(f"{spec.name}: not judged: {outcome.why_not_judged}")

    test.__doc__ = f"Properties of {spec.name}."
    return test


def _profile(examples: int | None) -> settings:
    """Return the profile in force, without what is of no use to a failure that explains itself."""
    profile = settings()
    return settings(
        max_examples=examples or profile.max_examples,
        phases=[phase for phase in profile.phases if phase != Phase.explain],
        deadline=None,
        # A rare condition of `where` rejects many, which is no fault.
        suppress_health_check=[*profile.suppress_health_check, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )


def _key(collected: Collected, case: Case) -> object:
    arrays = [(name, array.shape, array.tobytes()) for name, array in case.arrays.items()]
    return collected, case.seed, repr(case.settings), *arrays


def _warning(spec: LayerSpec, collected: Collected, failure: PropertyFailed) -> str:
    return (
        f"{spec.name}: {collected.name.replace('_', ' ')} (hardening)\n{failure.message()}\n"
        "verify(spec, strict=True) makes this a failure, and shows the smallest case"
    )


class Failed(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # mypy takes it for a variable
    """The failure of a property as pytest shows it, without a traceback.

    Hypothesis raises it for many cases on its way to the smallest; so a case is explained when it is shown.
    """

    __module__ = "builtins"  # as pytest has it for its own, so that its summary begins with the message

    def __init__(self, spec: LayerSpec, collected: Collected, case: Case) -> None:
        super().__init__(pytrace=False)
        self.spec, self.collected, self.case = spec, collected, case
        self.being_explained = False

    def __repr__(self) -> str:
        if self.being_explained:  # by a search whose own failures are shown with what was raised before them
            return self.collected.name
        blob = [note for note in getattr(self, "__notes__", []) if "reproduce_failure" in note]
        return "\n".join([self.explanation, *blob])

    __str__ = __repr__

    @cached_property
    def explanation(self) -> str:
        """What is wrong, why and where, and the script of the smallest case."""
        outcome, self.being_explained = Outcome(), True
        try:
            outcome.fail(self.spec, self.collected, self.case)
            # In a thread of its own: a search would replace the statistics of the item.
            with ThreadPoolExecutor(1) as thread:
                report = thread.submit(report_on, self.spec, {self.collected: outcome}).result()
        except Exception:  # which pytest would take for one of its own, and end
            return f"{self.spec.name}: {self.collected.name} fails, and so does its explanation\n{format_exc()}"
        finally:
            self.being_explained = False
        sentence = self.collected.name.replace("_", " ")
        limits = [f"({limit.sentence})" for limit in self.spec.restrictions]
        return "\n".join([f"{self.spec.name}: {sentence}", *limits, *blocks(report.causes)])
