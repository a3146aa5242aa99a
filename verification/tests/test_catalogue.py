"""Every planted bug is caught by the property that must catch it, and named; every correct layer passes them all."""

from contextlib import suppress
from dataclasses import replace
from random import randrange
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis.errors import FlakyFailure

from verification import check, convolution, max_pooling
from verification.catalogue import SECTIONS
from verification.catalogue.named import BUGS as BUGS_AT_A_NUMBER
from verification.drawing import quiet
from verification.failure import NotJudged, PropertyFailed
from verification.named import named_by, with_named_values
from verification.properties import Collected, properties
from verification.search import search
from verification.spec import LayerSpec
from verification.trial import Trial

ALL: list[tuple[Any, Any]] = [(section.spec, bug) for section in SECTIONS for bug in section.bugs]
THOROUGH = settings().max_examples > 100
"""By default one layer, and a bug in twenty, stand for those that are not the assignment's, of which it takes every
second bug; `thorough` takes all."""

BUGS = [
    (ready, bug)
    for i, (ready, bug) in enumerate(ALL)
    if THOROUGH or i % (2 if ready in (convolution, max_pooling) else 20) == 0
]
VARIANTS = [
    (section.spec, layer)
    for section in SECTIONS
    for layer in section.variants
    if THOROUGH or section.spec in (convolution, max_pooling) or layer is section.variants[0]
]
EACH_PROPERTY = list({bug.caught_by: (ready, bug) for ready, bug in ALL}.values())


def _name(value: Any) -> str:
    return str(getattr(value, "name", None) or value.__name__)


def _items(spec: LayerSpec, bug: Any) -> list[Collected]:
    """The property that must catch a bug, and plain questions: where these find it the property has nothing to judge."""
    return sorted(
        (item for item in properties(spec) if item.name == bug.caught_by or item.plain),
        key=lambda item: item.name != bug.caught_by,
    )


@pytest.mark.parametrize(("ready", "bug"), BUGS, ids=_name)
def test_planted_bug_is_caught(ready, bug):
    spec = with_named_values(ready(bug.layer))
    items = _items(spec, bug)

    @seed(0)
    @quiet(50, shrink=False)
    @given(items[0].cases)
    def examples(case):
        for item in items:
            with suppress(NotJudged):
                item.check(Trial(spec, case))

    with pytest.raises((PropertyFailed, FlakyFailure)):  # flaky: a layer that is not deterministic
        examples()


@pytest.mark.parametrize(("ready", "bug"), EACH_PROPERTY if THOROUGH else EACH_PROPERTY[::8], ids=_name)
def test_smallest_case_is_small(ready, bug):
    spec = ready(bug.layer)
    tried = ((item, search(spec, item, quiet(50), seed=0)) for item in _items(spec, bug))
    item, found = next((item, outcome) for item, outcome in tried if outcome.failure)
    assert found.case
    if item.cases is spec.cases:
        most = 64 if named_by(bug.layer) else 12  # a size that the source names is not always given up
        assert bug.family == "non-deterministic" or not spec.deterministic or found.case.arrays["x"].size <= most


OTHERWISE = {"channels_weighted", "upstream_clipped"}  # only where they are wrong is said
EACH_FAMILY = {bug.family: (ready, bug) for ready, bug in reversed(ALL) if bug.name not in OTHERWISE}
NAMED = [
    "filter-not-flipped", "filter-flipped", "axes-swapped", "channels-mixed", "shifted", "border-missing", "sign",
    "scaled", "upstream-ignored", "upstream-nonlinear", "batch-not-summed", "batch-averaged", "not-accumulated",
    "hard-coded-stride", "bias-missing", "bias-not-summed", "zero-start", "wrong-operation",
    "full-gradient-to-ties", "no-gradient-to-ties", "padding-value", "mutates-argument", "keeps-state",
    "assumes-layout", "float32-inside", "integer-truncation", "non-deterministic",
    "shares-memory", "empty-batch", "accepts-bad-arguments", "uninitialised", "single-entry",
]  # fmt: skip


@pytest.mark.parametrize("family", NAMED if THOROUGH else NAMED[::16])
def test_the_mistake_is_named_and_told_once(family):
    ready, bug = EACH_FAMILY[family]
    report = check(replace(ready(bug.layer), realistic=None), examples=50 if THOROUGH else 10, strict=True)
    assert family in {why.family for cause in report.causes for why in cause.why}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.spec.__name__)
def test_every_property_has_a_planted_bug(section):
    own = {check.__name__ for check in section.spec(section.variants[0]).properties}
    assert own <= {bug.caught_by for bug in section.bugs}
    collected = {item.name for item in properties(section.spec(section.variants[0]))}
    assert collected <= {bug.caught_by for _, bug in ALL} | own


@pytest.mark.parametrize(("ready", "layer"), VARIANTS, ids=_name)
def test_correct_layer_passes(ready, layer):
    spec = ready(layer)
    report = check(replace(spec, realistic=None), examples=5 if THOROUGH else 3, seed=randrange(2**32))
    assert not report.failures, report


@pytest.mark.parametrize(
    "section", [s for s in SECTIONS if s.spec(s.variants[0]).realistic], ids=lambda s: s.spec.__name__
)
def test_correct_layer_passes_at_a_realistic_size(section):
    for layer in section.variants[: 2 if THOROUGH else 1]:
        spec = section.spec(layer)
        assert spec.realistic
        (item,) = [item for item in properties(spec) if item.name == "is_exact_at_a_realistic_size"]
        item.check(Trial(spec, spec.realistic))


@pytest.mark.parametrize(
    "section", [s for s in SECTIONS if s.spec(s.variants[0]).gradient], ids=lambda s: s.spec.__name__
)
def test_the_gradient_of_a_spec_is_that_of_its_reference(section):
    spec = section.spec(section.variants[0])
    compared = 0

    @seed(0)
    @quiet(8, shrink=False)
    @given(spec.cases)
    def examples(case):
        nonlocal compared
        trial = Trial(spec, case)
        at = trial.smooth_arguments(far=False) if spec.piecewise_linear else trial.arguments
        x = {"x": at["x"]}
        for name, gradient in trial.gradient(trial.dLdy, **x).items():
            if gradient.size <= 40:
                compared += 1
                trial.compare(f"dLd{name}", gradient, trial.right_gradient(name, at, trial.dLdy).value)

    examples()
    assert compared


NUMBERS = [(ready, bug) for ready, bugs in BUGS_AT_A_NUMBER.items() for bug in bugs]


@pytest.mark.usefixtures("verdict_only")
@pytest.mark.parametrize(("ready", "bug"), NUMBERS if THOROUGH else NUMBERS[6:7], ids=_name)
def test_a_bug_at_a_number_that_the_source_names_is_found_for_each_seed(ready, bug):
    spec = replace(ready(bug.layer), realistic=None)
    for start in range(20 if THOROUGH else 1):
        assert bug.caught_by in {item.name for item in check(spec, seed=start).failures}
