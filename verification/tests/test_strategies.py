"""Strategies draw what they promise, reject nothing and shrink to what they promise."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from verification import Case
from verification.case import real, whole
from verification.specs.convolution import convolution_cases
from verification.specs.max_pooling import max_pooling_cases
from verification.strategies import (
    LAYOUTS,
    cases,
    layouts,
    numbers,
    real_arrays,
    shapes,
    spaced,
    spaced_arrays,
    tied_arrays,
    whole_arrays,
)

SMALLEST = settings(max_examples=1000, database=None)


def smallest(strategy, condition=lambda value: True):
    return find(strategy, condition, settings=SMALLEST)


@given(numbers(a=(1, 3), b=(-5, 5), c=(0, 2**32 - 1), d=(7, 7)))
def test_numbers_stay_within_their_bounds(drawn):
    assert list(drawn) == ["a", "b", "c", "d"]
    assert 1 <= drawn["a"] <= 3
    assert -5 <= drawn["b"] <= 5
    assert 0 <= drawn["c"] < 2**32
    assert drawn["d"] == 7


def test_numbers_reach_every_value_and_shrink_to_the_lower_bound():
    reached = set()

    @settings(max_examples=300, database=None)
    @given(numbers(a=(-2, 3)))
    def draw(drawn):
        reached.add(drawn["a"])

    draw()
    assert reached == {-2, -1, 0, 1, 2, 3}
    assert smallest(numbers(a=(1, 9), b=(2, 9)), lambda n: n["a"] > 4) == {"a": 5, "b": 2}
    with pytest.raises(ValueError, match="a should go from a lower to an upper bound"):
        numbers(a=(2, 1))


def test_shapes_shrink_side_by_side():
    assert smallest(shapes(3)) == (1, 1, 1)
    assert smallest(shapes(3), lambda shape: shape[1] > 2) == (1, 3, 1)
    assert smallest(shapes(2, min_side=2, max_side=4)) == (2, 2)


@given(whole_arrays(shapes(2)))
def test_whole_arrays_hold_whole_numbers(array):
    assert array.dtype == np.float64
    assert np.array_equal(array, np.rint(array))
    assert abs(array).max() <= 128


def test_arrays_shrink_to_zeros_then_ones():
    for strategy in (whole_arrays((2, 2)), tied_arrays((2, 2)), real_arrays((2, 2))):
        assert smallest(strategy).tolist() == [[0, 0], [0, 0]]
        assert smallest(strategy, np.any).tolist() == [[1, 1], [1, 1]]
    assert smallest(real_arrays((2,), low=3, high=4)).tolist() == [3, 3]


@given(real_arrays((4, 5), low=-1, high=3))
def test_real_arrays_stay_within_their_bounds(array):
    assert array.min() >= -1
    assert array.max() < 3


def test_real_arrays_refuse_an_empty_range():
    with pytest.raises(ValueError, match="low should be less than high"):
        real_arrays((2,), low=1, high=1)


def test_tied_arrays_tie_and_use_all_three_values():
    array = smallest(tied_arrays((3, 3)), lambda a: set(a.ravel()) == {-1, 0, 1})
    assert array.shape == (3, 3)


@given(spaced_arrays(shapes(3), gap=11))
def test_spaced_arrays_are_spaced(array):
    values = np.sort(array, axis=None)
    assert (np.diff(values) >= 11).all()
    assert abs(values).min() >= 5.5


@given(whole_arrays(shapes(2)))
def test_spacing_keeps_order_and_sign(array):
    result = spaced(array, 3)
    assert np.array_equal(result > 0, array >= 0)
    pairs = np.subtract.outer(array, array), np.subtract.outer(result, result)
    assert (pairs[0] * pairs[1] >= 0).all()


@given(whole_arrays((2, 3, 4)).flatmap(lambda a: st.tuples(st.just(a), layouts(a))))
def test_layouts_keep_the_values(pair):
    assert np.array_equal(*pair)


def test_layouts_are_what_they_are_called():
    array = np.arange(24.0).reshape(2, 3, 4)
    made = {name: layout(array) for name, layout in LAYOUTS.items()}
    assert made["in Fortran order"].flags.f_contiguous
    assert made["with negative strides"].strides[-1] < 0
    assert not made["as a slice of a larger array"].flags.contiguous
    assert not made["read-only"].flags.writeable
    assert made["with zero strides (broadcast)"].strides[-1] == 0


@given(cases(x=whole_arrays(shapes(2)), settings={"rate": st.just(3)}))
def test_cases_hold_arrays_and_settings(case):
    assert isinstance(case, Case)
    assert case.arrays["x"].ndim == 2
    assert case.settings == {"rate": 3}


@pytest.mark.parametrize("strategy", [convolution_cases(), max_pooling_cases()], ids=["convolution", "max_pooling"])
def test_every_drawn_case_is_valid(strategy):
    drawn = []

    @settings(max_examples=200, database=None)
    @given(strategy)
    def draw(case):
        drawn.append(case)

    draw()
    # Hypothesis calls the test once for each example and never again for one that was rejected.
    assert len(drawn) == 200
    for case in drawn:
        side = case.settings.get("pool_size")
        kernel = (side, side) if side else case.arrays["W"].shape[2:]
        assert all(extent >= k for extent, k in zip(case.arrays["x"].shape[2:], kernel, strict=True))


def test_cases_reach_every_kind_of_window():
    for condition in (
        lambda s, p: s < p,
        lambda s, p: s > p > 1,
        lambda s, p: s == p == 3,
    ):
        smallest(max_pooling_cases(), lambda c, want=condition: want(c.settings["stride"], c.settings["pool_size"]))
    smallest(convolution_cases(), lambda c: c.arrays["x"].shape[2:] == c.arrays["W"].shape[2:])


def test_values_are_the_same_on_every_machine():
    assert whole("x", 7, (6,)).tolist() == WHOLE
    assert [value.hex() for value in real("x", 7, (2,))] == REAL


WHOLE = [31.0, -60.0, -57.0, 81.0, 44.0, 84.0]
REAL = ["-0x1.4b50fdc460998p-4", "0x1.40850efc38fa8p+0"]
