"""A layer of several outputs: what is wrong is said of the output that is wrong, and the script shows it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from verification import LayerSpec, SpecError, check
from verification.declaration import examine
from verification.drawing import quiet
from verification.properties import properties
from verification.search import search
from verification.strategies import cases, whole_arrays
from verification.tests.scripts import assert_shows

pytestmark = pytest.mark.usefixtures("undiagnosed")


class Moments:
    """x (n, 3) -> x W (n, 2) and the sum of each row (n, 1)."""

    W: Any

    def forward(self, x):
        return x @ self.W, x.sum(axis=1, keepdims=True)

    def backprop(self, x, dLdy, dLdtotal):
        return dLdy @ self.W.T + dLdtotal, x.T @ dLdy


class WrongTotal(Moments):
    def forward(self, x):
        y, total = super().forward(x)
        return y, total + 1


class WrongUpstream(Moments):
    def backprop(self, x, dLdy, dLdtotal):
        dLdtotal[0] += 1
        return super().backprop(x, dLdy, dLdtotal - 1)


class ViewOfX(Moments):
    def forward(self, x):
        y, total = super().forward(x)
        x[:, :1] = total
        return y, x[:, :1]


class TotalTooLong(Moments):
    def forward(self, x):
        y, total = super().forward(x)
        return y, np.hstack([total, total])


class TotalOfTheFirst(Moments):
    def forward(self, x):
        y, total = super().forward(x)
        return y, total[:1]


class TotalAlone(Moments):
    def forward(self, x):
        return super().forward(x)[1]


class Remembers(Moments):
    before = 0.0

    def forward(self, x):
        y, total = super().forward(x)
        before, self.before = self.before, total[0, 0]
        return y, total + (before != 0)


def moments(layer: Any, **changed: Any) -> LayerSpec:
    spec = LayerSpec(
        name="moments",
        make=layer,
        cases=cases(x=whole_arrays((2, 3)), W=whole_arrays((3, 2))),
        reference=lambda x, W: (x @ W, np.array([[sum(row)] for row in x])),
        parameters=("W",),
        outputs=("y_1", "total"),
        affine_in=("x", "W"),
    )
    return replace(spec, **changed)


@pytest.mark.parametrize("isolated", [False, True])
def test_a_right_layer_of_two_outputs_passes(isolated):
    report = check(moments(Moments), examples=10, isolated=isolated)
    assert report.passed, report
    assert {item.verdict for item in report.properties} == {"passed"}, report


@pytest.mark.parametrize(
    ("layer", "prop", "said"),
    [
        (WrongTotal, "forward_matches_reference", "total[0, 0] = 1.0, but should be 0.0"),
        (WrongUpstream, "arguments_are_left_alone", "backprop changes dLdtotal\n  dLdtotal[0, 0] = "),
        (ViewOfX, "results_share_no_memory", "total shares memory with x"),
        (TotalTooLong, "forward_matches_reference", "total has shape (2, 2), but should have 1 along its last axis"),
        (TotalOfTheFirst, "forward_matches_reference", "total has shape (1, 1), but should differ from y_1, of shape (2, 2)"),
        (TotalAlone, "forward_matches_reference", "forward returned one array, but should return (y_1, total)"),
        (Remembers, "history_is_irrelevant", "after forward\n  total[0, 0] = "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_of_the_output_and_the_script_shows_it(layer, prop, said):
    spec = moments(layer)
    (item,) = [item for item in properties(spec) if item.name == prop]
    outcome = search(spec, item, quiet(20), seed=0)
    assert outcome.failure
    assert said in outcome.failure.message()
    assert "y_1, total = layer.forward(x" in outcome.script or layer is TotalAlone
    assert_shows(outcome.failure, outcome.script, layer.__name__, layer)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"outputs": ("W", "total")}, "outputs should have names of their own, but ['W'] are"),
        ({"outputs": ("a", "b", "c")}, "reference should return (a, b, c), as outputs says, but returned 2 items"),
        ({"reference": lambda x, W: x @ W}, "reference should return (y_1, total), as outputs says, but returned ndarray"),
        ({"reference": lambda x, W: (x @ W, x.sum(axis=1))}, "arrays of shapes (2, 2), (2,): they may differ in the last"),
        ({"gradient": lambda dLdy, x, W: {}}, "gradient should take dLdy_1, dLdtotal, x, W by these names"),
    ],
)  # fmt: skip
def test_outputs_that_do_not_fit_are_said(changed, said):
    with pytest.raises(SpecError) as raised:
        examine(moments(Moments, **changed))
    assert said in str(raised.value)
