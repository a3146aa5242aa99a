"""Layers that are not linear: a spec of a few lines, rtol with a reason, and bugs that are found."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from verification import LayerSpec, check, verify
from verification.drawing import quiet
from verification.properties import properties
from verification.search import search
from verification.strategies import cases, real_arrays, shapes, whole_arrays

pytestmark = pytest.mark.usefixtures("undiagnosed")


class Tanh:
    def forward(self, x):
        return np.tanh(x)

    def backprop(self, x, dLdy):
        return dLdy * (1 - np.tanh(x) ** 2)


class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backprop(self, x, dLdy):
        y = self.forward(x)
        return y * (dLdy - (dLdy * y).sum(axis=1, keepdims=True))


tanh = LayerSpec(
    name="tanh",
    make=Tanh,
    cases=cases(x=real_arrays(shapes(2))),
    reference=lambda x: 1 - 2 / (np.exp(2 * x) + 1),
    rtol=1e-9,
    rtol_reason="tanh and its derivative err by rounding alone, a few units of 1e-16",
)
softmax = LayerSpec(
    name="softmax",
    make=Softmax,
    cases=cases(x=real_arrays(shapes(2))),
    reference=lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True),
    rtol=1e-9,
    rtol_reason="as for tanh; the logits drawn are at most 4, so exp loses nothing",
)
test_tanh = verify(tanh, examples=20)
test_softmax = verify(softmax, examples=20)


class Changed:
    def __init__(self, layer, forward=None, backprop=None):
        self.forward = forward or layer.forward
        self.backprop = backprop or layer.backprop


@pytest.mark.parametrize(
    ("spec", "layer", "caught"),
    [
        (tanh, Changed(Tanh(), backprop=lambda x, u: u * (1 - np.tanh(x))), "directional_differences"),
        (tanh, Changed(Tanh(), backprop=lambda x, u: u * (1 - np.tanh(x) ** 2) * (1 + 1e-6)), "differences"),
        (tanh, Changed(Tanh(), forward=lambda x: np.tanh(x.astype(np.float32)).astype(float)), "reference"),
        (softmax, Changed(Softmax(), backprop=lambda x, u: Softmax().forward(x) * u), "differences"),
        (softmax, Changed(Softmax(), forward=lambda x: np.exp(x) / np.exp(x).sum()), "batch_items"),
    ],
)
def test_bugs_of_smooth_layers_are_found(spec, layer, caught):
    report = check(replace(spec, make=lambda: layer), examples=30)
    failed = [item for item in report.failures if caught in item.name or item.name == "forward_matches_reference"]
    assert failed, report
    assert all(cause.entries for cause in report.causes if cause.property_name == failed[0].name)


def test_a_tolerance_needs_a_reason():
    with pytest.raises(ValueError, match="rtol_reason"):
        replace(tanh, rtol_reason="")


def test_exactness_needs_linearity():
    with pytest.raises(ValueError, match=r"nothing is said of \['x'\]"):
        replace(tanh, rtol=0)


def test_only_arguments_can_be_affine():
    with pytest.raises(ValueError, match=r"affine_in .* \['w'\]"):
        replace(tanh, affine_in=("w",))


def test_a_dense_layer_is_checked_exactly():
    class Dense:
        W = b = np.zeros(0)

        def __init__(self, bias):
            self.bias = bias

        def forward(self, x):
            return x @ self.W + self.bias * self.b

        def backprop(self, x, dLdy):
            return dLdy @ self.W.T, x.T @ dLdy, self.bias * dLdy.sum(axis=0)

    dense = LayerSpec(
        name="dense",
        make=Dense,
        cases=shapes(3).flatmap(
            lambda s: cases(
                {"bias": st.integers(1, 3)},
                x=whole_arrays(s[:2]),
                W=whole_arrays(s[1:]),
                b=whole_arrays(s[2:]),
            )
        ),
        reference=lambda x, W, b, bias: np.tensordot(x, W, 1) + bias * b,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
    )
    report = check(dense, examples=10)
    assert report.passed, report

    class Averaged(Dense):
        def backprop(self, x, dLdy):
            dLdx, dLdW, dLdb = super().backprop(x, dLdy)
            return dLdx, dLdW / len(x), dLdb

    spec = replace(dense, make=Averaged)
    (item,) = [item for item in properties(spec) if item.name == "backprop_is_the_adjoint"]
    found = search(spec, item, quiet(10))
    assert found.case
    assert found.failure
    assert found.case.arrays["x"].tolist() == [[0.0], [1.0]]
    assert found.failure.message() == "dLdW is wrong\n  dLdW[0, 0] = 0.5, but should be 1.0 (1 of 1 entries)"
