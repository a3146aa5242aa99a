"""The script of a failure compiles, runs, and its last output shows what the message claims."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings

from verification import check, convolution, max_pooling
from verification.catalogue import SECTIONS
from verification.drawing import quiet
from verification.named import with_named_values
from verification.properties import properties
from verification.search import search
from verification.tests.scripts import assert_shows

THOROUGH = settings().max_examples > 100
"""By default one bug in sixty stands for all, and two whose scripts have been wrong; `thorough` takes all."""

ALL = [(section.spec, bug) for section in SECTIONS for bug in section.bugs]
WRONG_ONCE = [("binary_cross_entropy", "float32_forward"), ("own_mask_dropout", "own_mask_of_an_image")]
SOME = [
    (ready, bug)
    for i, (ready, bug) in enumerate(ALL)
    if THOROUGH or i % 60 == 1 or (ready.__name__, bug.name) in WRONG_ONCE
]
PROFILE = quiet(50)


@pytest.mark.parametrize(("ready", "bug"), SOME, ids=lambda value: getattr(value, "name", None) or value.__name__)
def test_the_script_of_a_planted_bug_shows_what_is_wrong(ready, bug):
    spec = with_named_values(ready(bug.layer))
    items = sorted(properties(spec), key=lambda item: item.name != bug.caught_by)
    outcomes = (search(spec, item, PROFILE, seed=0) for item in items if item.name == bug.caught_by or item.plain)
    outcome = next(outcome for outcome in outcomes if outcome.failure)
    if bug.family != "non-deterministic":
        assert_shows(outcome.failure, outcome.script, bug.layer.__name__, bug.layer)


def test_a_large_case_is_written_as_the_rule_that_makes_it():
    bug = next(bug for ready, bug in ALL if ready is max_pooling and bug.caught_by == "is_exact_at_a_realistic_size")
    spec = max_pooling(bug.layer)
    (item,) = [item for item in properties(spec) if item.name == bug.caught_by]
    outcome = search(spec, item, PROFILE, seed=0)
    assert outcome.failure
    assert outcome.case
    assert outcome.case.arrays["x"].size > 10_000
    assert len(outcome.script) < 2500
    assert_shows(outcome.failure, outcome.script, bug.layer.__name__, bug.layer)


SHOWN_BY_LARGE_VALUES = {"x_clipped", "float32_forward", "random_output"}


def test_a_value_that_has_to_be_large_is_as_small_as_it_can_be():
    clipped = next(bug.layer for of, bug in ALL if of is convolution and bug.name == "x_clipped")  # at 1000
    report = check(replace(convolution(clipped), realistic=None), examples=20)
    (cause,) = [cause for cause in report.causes if cause.array == "y"]
    assert cause.counterexample
    assert abs(cause.counterexample.arrays["x"]).max() == 1001


@pytest.mark.parametrize("ready", [max_pooling, convolution])
def test_values_of_counterexamples_are_small(ready):
    bugs = [bug for of, bug in ALL if of is ready and bug.name not in SHOWN_BY_LARGE_VALUES | {"random_tie"}]
    for bug in bugs[:: 1 if THOROUGH else 48]:
        # A case of a realistic size is shown as it was drawn.
        report = check(replace(ready(bug.layer), realistic=None), examples=20 if THOROUGH else 8)
        for cause in report.causes:
            if "rounding" not in cause.property_name and cause.counterexample:
                x = cause.counterexample.arrays["x"]
                assert x.size > 64 or np.max(abs(x), initial=0) <= x.size, (bug.name, cause.property_name)


@pytest.mark.usefixtures("undiagnosed")
def test_a_script_ends_with_the_call_that_raises():
    class Raising:
        def __init__(self, stride, pool_size):
            self.stride = stride

        def forward(self, x):
            raise KeyError(self.stride)

        def backprop(self, x, dLdy):
            return dLdy

    causes = [cause for cause in check(max_pooling(Raising), examples=5).causes if cause.counterexample]
    assert causes
    for cause in causes:
        assert cause.counterexample
        if cause.message.startswith("forward raised KeyError"):
            code = [line for line in cause.counterexample.script.splitlines() if not line.startswith("#")]
            assert code[-1] == "y = layer.forward(x)"
