"""Normalization layers whose eps is a constant of their library, as small as 1e-8."""

import inspect
from typing import Any

import pytest
from hypothesis import settings

from verification import SpecError, batch_normalization, check, group_normalization, layer_normalization
from verification.catalogue import SECTIONS

pytestmark = pytest.mark.usefixtures("verdict_only")

SECTION = {section.spec: section for section in SECTIONS}
READY = [batch_normalization, layer_normalization, group_normalization]
CONSTANTS = [1e-5, 1e-6, 1e-8]
THOROUGH = settings().max_examples > 100
"""By default each has the smallest of them; `thorough` takes all."""

WITH_CONSTANTS = [(ready, eps) for ready in READY for eps in CONSTANTS if THOROUGH or eps == 1e-8]


def with_a_constant(layer: Any, eps: float) -> Any:
    """The layer without a parameter eps: it has this one."""
    if "num_groups" in inspect.signature(layer).parameters:
        return lambda num_groups, num_features: layer(num_groups, num_features, eps)
    return lambda num_features: layer(num_features, eps)


@pytest.mark.parametrize(("ready", "eps"), WITH_CONSTANTS)
def test_a_right_layer_passes_at_any_constant(ready, eps):
    for seed, layer in enumerate(SECTION[ready].variants):
        for made in (layer, with_a_constant(layer, eps)):
            report = check(ready(made, eps=eps), examples=20 if THOROUGH else 4, seed=seed)
            assert not report.failures, report


@pytest.mark.parametrize(("ready", "eps"), [one for one in WITH_CONSTANTS if one[1] != 1e-6])
def test_a_wrong_layer_fails_at_any_constant(ready, eps):
    names = ["moments", "size_less_one", "eps_forgotten", "eps_outside", "variance_constant", "mean_constant"]
    bugs = [bug for bug in SECTION[ready].bugs if bug.name in names]
    assert len(bugs) == len(names)
    for bug in bugs:
        assert check(ready(with_a_constant(bug.layer, eps), eps=eps), examples=10 if THOROUGH else 4).failures, bug.name


def test_eps_is_passed_on_only_to_a_layer_that_takes_it():
    right = SECTION[layer_normalization].variants[0]
    assert "eps" in inspect.signature(right).parameters
    names = {check.__name__ for check in layer_normalization(right, eps=1e-5).properties}
    assert "is_invariant_to_scale_and_shift" in names
    fixed = {check.__name__ for check in layer_normalization(with_a_constant(right, 1e-5), eps=1e-5).properties}
    assert names ^ fixed == {"is_invariant_to_scale_and_shift", "is_invariant_to_shift"}


def test_another_constant_than_the_declared_one_is_found():
    right = SECTION[layer_normalization].variants[0]
    assert check(layer_normalization(with_a_constant(right, 1e-5), eps=1e-6), examples=20).failures


@pytest.mark.parametrize("eps", [0.0, -1e-5])
def test_eps_should_be_positive(eps):
    with pytest.raises(SpecError, match=f"eps should be positive, but it is {eps}"):
        layer_normalization(SECTION[layer_normalization].variants[0], eps=eps)
