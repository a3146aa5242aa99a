"""Every planted bug is caught by the property that must catch it; every correct layer passes them all."""

from random import randrange
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis.errors import FlakyFailure

from verification import catalogue, check, convolution, max_pooling
from verification.failure import PropertyFailed
from verification.properties import properties
from verification.search import search
from verification.trial import Trial

BUGS: list[tuple[Any, Any]] = [(convolution, bug) for bug in catalogue.CONVOLUTION_BUGS]
BUGS += [(max_pooling, bug) for bug in catalogue.MAX_POOLING_BUGS]
VARIANTS: list[tuple[Any, Any]] = [(convolution, layer) for layer in catalogue.CONVOLUTION_VARIANTS]
VARIANTS += [(max_pooling, layer) for layer in catalogue.MAX_POOLING_VARIANTS]
PROFILE = settings(max_examples=20, database=None)
ONE_OF_EACH = list({(ready, bug.caught_by): (ready, bug) for ready, bug in BUGS}.values())


def _name(value: Any) -> str:
    return str(getattr(value, "name", None) or value.__name__)


def _collected(spec: Any, bug: Any) -> Any:
    (collected,) = [item for item in properties(spec) if item.name == bug.caught_by]
    return collected


@pytest.mark.parametrize(("ready", "bug"), BUGS, ids=_name)
def test_planted_bug_is_caught(ready, bug):
    spec = ready(bug.layer)
    collected = _collected(spec, bug)

    @seed(0)
    @settings(PROFILE, phases=[Phase.generate], report_multiple_bugs=False)
    @given(collected.cases)
    def examples(case):
        collected.check(Trial(spec, case))

    with pytest.raises((PropertyFailed, FlakyFailure)):  # flaky: a layer that is not deterministic
        examples()


@pytest.mark.parametrize(("ready", "bug"), ONE_OF_EACH, ids=_name)
def test_smallest_case_is_small(ready, bug):
    spec = ready(bug.layer)
    collected = _collected(spec, bug)
    outcome = search(spec, collected, PROFILE, seed=0)
    assert outcome.failure is not None, bug.description
    assert outcome.case
    if collected.cases is spec.cases and bug.family != "non-deterministic":
        assert outcome.case.arrays["x"].size <= 12


@pytest.mark.parametrize("ready", [convolution, max_pooling])
def test_every_property_has_a_planted_bug(ready):
    variants = catalogue.CONVOLUTION_VARIANTS if ready is convolution else catalogue.MAX_POOLING_VARIANTS
    collected = {item.name for item in properties(ready(variants[0]))}
    assert collected == {bug.caught_by for spec, bug in BUGS if spec is ready}


@pytest.mark.parametrize(("ready", "layer"), VARIANTS, ids=lambda value: value.__name__)
def test_correct_layer_passes(ready, layer):
    spec = ready(layer)
    report = check(spec, examples=15, seed=randrange(2**32))
    assert not report.failures, report
