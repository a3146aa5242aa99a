"""Differences of smooth functions: right layers are not blamed, wrong ones are, and what differences cannot tell is said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from verification import LayerSpec, SpecError, check, elementwise
from verification.differences import STEPS, derivative
from verification.failure import TOO_COARSE
from verification.strategies import cases, real_arrays, shapes

pytestmark = pytest.mark.usefixtures("undiagnosed")

FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "x^8": (lambda x: x**8, lambda x: 8 * x**7),
    "nearly |x|": (lambda x: np.sqrt(x * x + 0.01), lambda x: x / np.sqrt(x * x + 0.01)),
    "sin(20 x)": (lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x)),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(np.clip(x, -300, 300)) ** 2),
    "x^3": (lambda x: x**3, lambda x: 3 * x**2),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: np.exp(-np.logaddexp(0, -x))),
}
BY_NAME = pytest.mark.parametrize("name", FUNCTIONS)


def layer(f, derivative, factor=1.0):
    class Layer:
        def forward(self, x):
            return f(x)

        def backprop(self, x, dLdy):
            return dLdy * derivative(x) * factor

    return Layer


def own(make, f):
    reason = "f and its derivative err by rounding alone"
    x = real_arrays(shapes(2, max_side=3))
    return LayerSpec(name="own", make=make, cases=cases(x=x), reference=lambda x: f(x), rtol=1e-9, rtol_reason=reason)


def judged(report):
    return next((p.examples, p.message) for p in report.properties if "differences" in p.name)


@BY_NAME
def test_a_right_layer_is_not_blamed(name):
    f, d = FUNCTIONS[name]
    for spec in (elementwise(layer(f, d), f, d), own(layer(f, d), f)):
        report = check(spec, examples=25)
        assert report.passed, report
        assert judged(report) == (25, "")


@BY_NAME
def test_a_gradient_that_is_wrong_by_a_factor_of_1_00001_is_found(name):
    f, d = FUNCTIONS[name]
    wrong = layer(f, d, 1 + 1e-5)
    for spec in (elementwise(wrong, f, d), own(wrong, f)):
        report = check(spec, examples=25)
        assert "backprop_matches_directional_differences" in {item.name for item in report.failures}


@BY_NAME
def test_a_derivative_that_is_not_that_of_f_is_refused_with_two_numbers_that_differ(name):
    f, d = FUNCTIONS[name]
    with pytest.raises(SpecError, match=r"gradient should be that of reference") as error:
        check(elementwise(layer(f, d), f, lambda x: d(x) * (1 + 1e-7)), examples=1)
    words = str(error.value).replace(",", "").split(" is ")
    one, other = words[1].split()[0], words[2].split()[0]
    assert one != other
    assert float(one) == pytest.approx(float(other), rel=1e-4)


def test_where_y_changes_too_fast_nothing_is_judged_and_no_right_layer_is_blamed():
    f, d = (lambda x: np.sin(1e4 * x), lambda x: 1e4 * np.cos(1e4 * x))
    spec = replace(own(layer(f, d), f), cases=cases(x=real_arrays((2, 3), low=1.0)))
    for factor in (1.0, 2.0):
        report = check(replace(spec, make=layer(f, d, factor)), examples=20)
        assert report.verdict == "undecided", report
        item = next(item for item in report.properties if "differences" in item.name)
        assert (item.verdict, item.message) == ("not judged", TOO_COARSE)
    by_formula = replace(spec, make=layer(f, d, 1.001), gradient=lambda dLdy, x: {"x": dLdy * d(x)})
    assert not check(by_formula, examples=20).passed


def test_forward_that_is_wrong_only_beside_x_is_found_where_the_gradient_cannot_be_judged():
    f, d = np.sin, np.cos

    class Jumps:
        def forward(self, x):
            return f(x) + np.sign(x * 128 - np.rint(x * 128))

        def backprop(self, x, dLdy):
            return dLdy * d(x)

    report = check(own(Jumps, f), examples=10)
    assert any(": backprop is not its gradient" in item.message for item in report.failures)


def test_infinity_is_right_where_it_should_be():
    f, d = (lambda x: np.cbrt(x - 1), lambda x: 1 / (3 * np.cbrt(x - 1) ** 2))
    with np.errstate(divide="ignore"):
        report = check(own(layer(f, d), f), examples=10)
    assert report.passed, report


def test_the_error_of_a_derivative_is_bounded_by_its_estimate():
    x = np.linspace(-2, 2, 401)[:, np.newaxis] + np.sqrt(2) / 100
    for name, (f, d) in FUNCTIONS.items():
        measured = derivative([f(x + step) for step in STEPS])
        assert (abs(measured.value - d(x)) <= measured.error).all(), name
        assert (measured.error < 1e-7 * np.maximum(1, abs(d(x)))).all(), name


def test_a_gradient_at_a_kink_is_held_against_derivatives_that_are_as_exact_as_needed():
    f, d = (lambda x: np.exp(12 * abs(x)), lambda x: 12 * np.sign(x) * np.exp(12 * abs(x)))

    class Right:
        def forward(self, x):
            return f(x)

        def backprop(self, x, dLdy):
            return dLdy * np.where(x < 0, d(x), 12 * np.exp(12 * abs(x)))

    class Beyond(Right):
        def backprop(self, x, dLdy):
            return dLdy * np.where(x == 0, 12.1, super().backprop(x, 1.0))

    def spec(make):
        return elementwise(make, f, d, kinks=(0,), limits=())

    assert check(spec(Right), examples=20).passed
    failures = [item.name for item in check(spec(Beyond), examples=20).failures if item.kind == "required"]
    assert failures == ["gradient_at_a_kink_lies_between_the_one_sided_derivatives"]
