"""What a trial draws from its seed: choices are independent, and the same on every machine."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from verification import Case, LayerSpec, check
from verification.case import pick, unusual
from verification.catalogue import SECTIONS
from verification.drawing import quiet, sample
from verification.properties import properties
from verification.search import search
from verification.strategies import cases, whole_arrays
from verification.trial import Trial

pytestmark = pytest.mark.usefixtures("undiagnosed")

THOROUGH = settings().max_examples > 100
"""By default a sixth of the ready specs stand for all; `thorough` takes all."""


class ScaledReLU:
    """x (n, c), W (c,), b (c,) -> W max(x, 0) + b."""

    W = b = np.zeros(0)

    def forward(self, x):
        return self.W * np.maximum(x, 0) + self.b

    def backprop(self, x, dLdy):
        positive = self.positive(x)
        return dLdy * self.W * positive, (dLdy * np.maximum(x, 0)).sum(axis=0), dLdy.sum(axis=0)

    def positive(self, x):
        return x > 0


scaled_relu = LayerSpec(
    name="scaled_relu",
    make=ScaledReLU,
    cases=cases(x=whole_arrays((2, 3)), W=whole_arrays((3,)), b=whole_arrays((3,))),
    reference=lambda x, W, b: W * np.where(x > 0, x, 0) + b,
    parameters=("W", "b"),
    affine_in=("W", "b"),
    piecewise_linear=True,
)


def test_a_right_layer_with_two_parameters_passes():
    assert check(scaled_relu, examples=30).passed


@pytest.mark.parametrize("wrong", [lambda x: x > 2.0**-20, lambda x: (x > 0) & (x < 2.0**30)], ids=["tiny", "huge"])
def test_x_is_moved_near_a_kink_and_far_from_zero_in_a_layer_with_two_parameters(wrong):
    class Wrong(ScaledReLU):
        def positive(self, x):
            return wrong(x)

    spec = replace(scaled_relu, make=Wrong)
    (item,) = [item for item in properties(spec) if item.name == "backprop_matches_directional_differences"]
    assert search(spec, item, quiet(100, shrink=False)).failure


def test_every_combination_of_choices_comes_up():
    arrays = {"x": np.ones((2, 3)), "W": np.ones(3), "b": np.ones(3)}
    seen: Counter[tuple[str, float, bool]] = Counter()
    for seed in range(2, 3602):
        trial = Trial(scaled_relu, Case(arrays, seed=seed))
        far = trial.smooth_arguments()["x"].min() > 2.0**32
        seen[trial.pick("argument", scaled_relu.gradients), trial.unit, bool(far)] += 1
    places = [(2.0**-9, False), (2.0**-40, False), (1.0, True)]
    assert set(seen) == {(name, *place) for name in "xWb" for place in places}
    assert min(seen.values()) > 300  # of 400 on average, with a standard deviation of 19


def outside_the_first_column(array):
    return array[..., 1:] if array.ndim > 1 else np.zeros(0)


def of_the_first_column(spec):
    """The same cases, each with a declared dLdy that is zero outside the first column."""

    def declared(case):
        dLdy = Trial(spec, case).dLdy.copy()
        outside_the_first_column(dLdy)[...] = 0.0
        return replace(case, arrays={**case.arrays, "dLdy": dLdy}, drawn=frozenset())

    extremes = spec.extremes.map(declared) if spec.extremes is not None else None
    return replace(spec, cases=spec.cases.map(declared), extremes=extremes, realistic=None, bad_arguments=())


@pytest.mark.parametrize("section", SECTIONS if THOROUGH else SECTIONS[::6], ids=lambda section: section.spec.__name__)
def test_a_declared_dLdy_keeps_its_form_in_every_property(section):
    right: Any = section.variants[0]
    sizes = []

    class Particular(right):  # type: ignore[misc]
        def backprop(self, *given):
            sizes.append(outside_the_first_column(given[-1]).size)
            if outside_the_first_column(given[-1]).any():
                raise ValueError("dLdy should be zero outside the first column")
            return super().backprop(*given)

    spec = of_the_first_column(section.spec(Particular))
    report = check(spec, examples=5)
    assert not report.failures, report
    assert max(sizes) > 0 or Trial(spec, sample(spec.cases, 1, 0)[0]).y.ndim < 2  # a loss has no columns


def test_a_declared_dLdy_keeps_its_form_in_the_smallest_case():
    class Wrong(ScaledReLU):
        def backprop(self, x, dLdy):
            if outside_the_first_column(dLdy).any() or (dLdy.size and not dLdy.any()):
                raise ValueError("dLdy should be zero outside the first column, and there alone")
            dLdx, dLdW, dLdb = super().backprop(x, dLdy)
            return dLdx, 2 * dLdW, dLdb

    spec = replace(scaled_relu, make=Wrong, cases=scaled_relu.cases.filter(lambda case: case.seed > 0))
    for failure in check(of_the_first_column(spec), examples=20).failures:
        assert failure
        assert "raised" not in failure.message


def test_a_dLdy_that_a_property_drew_is_not_taken_for_a_declared_one():
    arrays = {"x": np.ones((2, 3)), "W": np.ones(3), "b": np.ones(3)}
    trial = Trial(scaled_relu, Case(arrays, seed=7))
    drawn = trial.dLdy
    kept = Trial(scaled_relu, trial.used)
    assert kept.dLdy is drawn
    assert not kept.declares_dLdy
    assert Trial(scaled_relu, Case({**arrays, "dLdy": drawn}, seed=7)).declares_dLdy


def test_choices_are_the_same_on_every_machine():
    assert [pick("a", seed, "abcdefgh") for seed in range(8)] == list("cbedefgc")
    assert [pick("b", seed, "abcdefgh") for seed in range(8)] == list("caaechhg")


def test_one_case_in_eight_is_unusual_and_none_of_zeros_or_ones():
    kinds = Counter(unusual(seed, "large", "zero image") for seed in range(8003))
    assert [unusual(seed, *"abcdefgh") for seed in range(3)] == ["", "", ""]
    assert kinds["large"] == pytest.approx(1000, abs=150)
    assert kinds["zero image"] == pytest.approx(1000, abs=150)
    assert kinds[""] == pytest.approx(6003, abs=200)
