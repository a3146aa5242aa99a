"""Every planted bug is caught by the property that must catch it; every correct layer passes them all."""

from random import randrange
from typing import Any

import pytest
from hypothesis import settings

from verification import catalogue, check, convolution, max_pooling
from verification.properties import properties
from verification.search import search

BUGS: list[tuple[Any, Any]] = [(convolution, bug) for bug in catalogue.CONVOLUTION_BUGS]
BUGS += [(max_pooling, bug) for bug in catalogue.MAX_POOLING_BUGS]
VARIANTS: list[tuple[Any, Any]] = [(convolution, layer) for layer in catalogue.CONVOLUTION_VARIANTS]
VARIANTS += [(max_pooling, layer) for layer in catalogue.MAX_POOLING_VARIANTS]
PROFILE = settings(max_examples=100, database=None)


@pytest.mark.parametrize(("ready", "bug"), BUGS, ids=lambda value: getattr(value, "name", None) or value.__name__)
def test_planted_bug_is_caught(ready, bug):
    spec = ready(bug.layer)
    (collected,) = [item for item in properties(spec) if item.name == bug.caught_by]
    outcome = search(spec, collected, PROFILE, seed=0)
    assert outcome.failure is not None, bug.description
    assert outcome.examples <= 20
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
