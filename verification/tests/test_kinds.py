"""Kinds of layers beside images in, images out: any activation, integers, targets, several inputs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from verification import (
    LayerSpec,
    SpecError,
    check,
    elementwise,
    embedding,
    hard_sigmoid,
    l1_normalization,
    multiply,
    rms_normalization,
    squared_error,
)
from verification.catalogue.activations import HardSigmoid
from verification.catalogue.embedding import AddAt
from verification.catalogue.joining import Multiply
from verification.catalogue.norms import L1, Rms
from verification.strategies import cases, real_arrays

pytestmark = pytest.mark.usefixtures("undiagnosed")


class Scaled:
    """x, and twice x from 1 on."""

    def __init__(self, factor=2.0):
        self.factor = factor

    def forward(self, x):
        return np.where(x > 1, self.factor * x - self.factor + 1, x)

    def backprop(self, x, dLdy):
        return dLdy * np.where(x > 1, self.factor, 1)


class BothAtTheKink(Scaled):
    def backprop(self, x, dLdy):
        return dLdy * (1.0 * (x <= 1) + self.factor * (x >= 1))


def scaled(layer):
    return elementwise(
        layer,
        lambda x, factor: np.maximum(x, factor * x - factor + 1),
        lambda x, factor: np.where(x > 1, factor, 1),
        kinks=(1.0,),
        settings={"factor": (2.0, 3.0)},
    )


def test_an_activation_may_have_its_kink_anywhere():
    assert check(scaled(Scaled), examples=15).passed
    (failed,) = [item for item in check(scaled(BothAtTheKink), examples=15).failures if item.kind == "required"]
    assert failed.name == "gradient_at_a_kink_lies_between_the_one_sided_derivatives"


def test_only_a_kink_at_zero_is_exact():
    with pytest.raises(SpecError, match=r"linear is for an f whose only kink is 0, but kinks are \(1.0,\)"):
        elementwise(Scaled, np.abs, np.sign, linear=True, kinks=(1.0,))


def test_a_hard_sigmoid_has_the_slope_that_is_declared():
    class OfAFifth(HardSigmoid):
        def value(self, x):
            return np.clip(0.2 * x + 0.5, 0, 1)

        def derivative(self, x):
            return 0.2 * (abs(x) < 2.5)

    assert check(hard_sigmoid(OfAFifth, slope=0.2), examples=10).passed
    assert not check(hard_sigmoid(OfAFifth), examples=10).passed


reduction: Any = "average"


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda: hard_sigmoid(HardSigmoid, slope=0), "slope should be positive, but it is 0"),
        (lambda: rms_normalization(Rms, eps=-1.0), "eps should be positive, but it is -1.0"),
        (lambda: squared_error(Multiply, reduction), "reduction should be one of mean, sum, none"),
        (
            lambda: replace(multiply(Multiply), inputs=("k",)),
            r"inputs should be among the parameters and constants, \('h',\)",
        ),
    ],
)
def test_what_does_not_fit_is_said(declare, said):
    with pytest.raises(SpecError, match=said):
        declare()


def test_integers_stay_integers_in_the_script_of_a_failure():
    class AddedOnce(AddAt):
        def table_gradient(self, x, dLdy):
            dLdW = np.zeros(self.W.shape)
            dLdW[x] += dLdy
            return dLdW

    report = check(embedding(AddedOnce), examples=20)
    cause = report.causes[0]
    assert cause.counterexample
    assert cause.counterexample.arrays["x"].dtype == np.int64
    assert "dtype=np.int64" in cause.counterexample.script


def test_only_x_without_a_gradient_is_of_integers():
    spec = replace(embedding(AddAt), gradients=("x", "W"), affine_in=("x", "W"))
    with pytest.raises(SpecError, match="cases should give float64 arrays, but x is int64"):
        check(spec)


def test_no_case_is_simplified_to_where_the_layer_is_not_smooth():
    class OfTheSum(L1):
        def norm(self, x):
            return abs(x.sum(axis=-1, keepdims=True))

    report = check(l1_normalization(OfTheSum), examples=20)
    assert not report.passed
    assert all(cause.counterexample.arrays["x"].all() for cause in report.causes if cause.counterexample)


class Gate:
    """x sigmoid(h), which returns its gradients in the order of its inputs."""

    def forward(self, x, h):
        return x / (1 + np.exp(-h))

    def backprop(self, x, h, dLdy):
        y, s = self.forward(x, h), 1 / (1 + np.exp(-h))
        return dLdy * s, dLdy * y * (1 - s)


class ClearsH(Gate):
    def forward(self, x, h):
        y = super().forward(x, h)
        h[...] = 0
        return y


gate = LayerSpec(
    name="gate",
    make=Gate,
    cases=cases(x=real_arrays((2, 3)), h=real_arrays((2, 3))),
    reference=lambda x, h: x * (1 + np.tanh(h / 2)) / 2,
    parameters=("h",),
    inputs=("h",),
    rtol=1e-9,
    rtol_reason="four-point differences with step 2^-9 are good to 1e-10 for derivatives below 100",
    batch_independent=False,
)


def test_a_layer_of_two_inputs_is_declared_in_a_few_lines():
    assert check(gate, examples=10).passed
    failed = [failure.name for failure in check(replace(gate, make=ClearsH), examples=10).failures]
    assert "arguments_are_left_alone" in failed


def test_the_script_of_a_failure_gives_the_layer_all_its_inputs():
    class Wrong(Gate):
        def backprop(self, x, h, dLdy):
            return super().backprop(x, h, dLdy)[0], dLdy * x

    report = check(replace(gate, make=Wrong), examples=10)
    assert report.causes[0].counterexample
    script = report.causes[0].counterexample.script
    assert "y = layer.forward(x, h)" in script
    assert "dLdx, dLdh = layer.backprop(x, h, dLdy)" in script
    printed: list[Any] = []
    exec(script, {"make_layer": Wrong, "Wrong": Wrong, "print": printed.append})
    assert len(printed) == 1


def test_a_function_may_take_x_by_position_only():
    class Exponential:
        def forward(self, x):
            return np.exp(x)

        def backprop(self, x, dLdy):
            return dLdy * np.exp(x)

    assert check(elementwise(Exponential, np.exp, np.exp, limits=(20.0, -20.0)), examples=5).passed
