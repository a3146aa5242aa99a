"""Constructors: by name, in their order, named in the script all the same, or not to be called."""

import pytest

from verification import SpecError, check, convolution
from verification.construction import arguments, listed, misfit

SETTINGS = {"filter_width": 3, "filter_height": 2, "input_size": 5, "in_ch_size": 1, "num_filters": 4}


def by_name(input_size, filter_width, filter_height, in_ch_size, num_filters, std=1.0): ...


def in_order(f_height, f_width, input_size, in_ch_size, out_ch_size, std=1.0): ...


def without_input_size(filter_width, filter_height, in_ch_size, num_filters): ...


def of_another_convention(in_channels, out_channels, kernel_size, stride, pad): ...


def of_anything(*args): ...


def test_a_constructor_is_called_by_name_or_in_order():
    assert arguments(by_name, SETTINGS) == ((), SETTINGS)
    assert arguments(in_order, SETTINGS) == ((3, 2, 5, 1, 4), {})
    assert arguments(of_anything, SETTINGS) == ((3, 2, 5, 1, 4), {})


def test_the_script_names_arguments_as_the_constructor_does():
    assert listed(in_order, SETTINGS) == "f_height=3, f_width=2, input_size=5, in_ch_size=1, out_ch_size=4"
    assert listed(of_anything, SETTINGS) == "3, 2, 5, 1, 4"
    assert listed(by_name, SETTINGS).startswith("filter_width=3, filter_height=2")


def test_a_constructor_of_another_convention_is_a_misfit():
    for fits in (by_name, in_order, of_anything, dict):
        assert not misfit(fits, tuple(SETTINGS))
    suite = "the suite calls it with (filter_width, filter_height, input_size, in_ch_size, num_filters)"
    taken = "its constructor takes (filter_width, filter_height, in_ch_size, num_filters), "
    assert misfit(without_input_size, tuple(SETTINGS)) == taken + suite
    assert misfit(of_another_convention, tuple(SETTINGS)).startswith("its constructor takes (in_channels, ")
    assert not misfit(of_another_convention, ("in_channels", "out_channels", "kernel_size", "stride", "pad"))


def test_a_misfit_is_said_before_anything_is_called():
    with pytest.raises(SpecError, match=r"make: its constructor takes \(filter_width, .*give a function of these"):
        check(convolution(without_input_size))
