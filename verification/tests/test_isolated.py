"""A layer in a fork: what would end this process, or never end, is a finding."""

import ctypes
import os
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from verification import SpecError, adapted, check, checking, convolution2d, dense, relu
from verification.catalogue.convolution_nd import BUGS
from verification.isolated import isolated
from verification.properties import properties

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
    pytest.mark.usefixtures("undiagnosed"),
    pytest.mark.forks,
]


THOROUGH = settings().max_examples > 100


class ReLU:
    def forward(self, x):
        return np.maximum(x, 0)

    def backprop(self, x, dLdy):
        return dLdy * (x > 0)


SMALL = 5  # not in the class, whose numbers are tried as sizes


class WritesOutOfBounds(ReLU):
    def forward(self, x):
        if x.size > SMALL:
            ctypes.string_at(0)
        return super().forward(x)


class Exits(ReLU):
    def backprop(self, x, dLdy):
        os._exit(3)


class TakesAllMemory(ReLU):
    def forward(self, x):
        return np.maximum(x, np.zeros(1 << 34)[0])


class NeverReturns(ReLU):
    def backprop(self, x, dLdy):
        while x.size > 2:
            pass
        return super().backprop(x, dLdy)


@pytest.fixture(autouse=True)
def plain_questions_are_enough(monkeypatch):
    """Ask plain questions only: each crash takes a fork, and `thorough` takes all of them."""
    if not THOROUGH:
        monkeypatch.setattr(checking, "properties", lambda spec: [item for item in properties(spec) if item.plain])


def the_mistake(layer, **options):
    spec = replace(relu(layer), extremes=None, realistic=None)
    cause = next(iter(check(spec, examples=5 if THOROUGH else 3, isolated=True, **options).mistakes))
    assert not cause.why
    return cause


def test_a_crash_is_a_finding_with_its_smallest_case():
    cause = the_mistake(WritesOutOfBounds)
    assert cause.message == "forward ended its process: killed by signal 11 (segmentation fault)"
    assert 6 <= cause.counterexample.arrays["x"].size <= 12
    assert cause.counterexample.script.splitlines()[-2:] == ["y = layer.forward(x)", f"# {cause.message}"]


def test_a_layer_that_ends_the_process_is_a_finding():
    assert the_mistake(Exits).message == "backprop ended its process with exit status 3: os._exit, or the like"


def test_a_layer_that_takes_all_memory_is_a_finding():
    assert the_mistake(TakesAllMemory).message.startswith("forward raised MemoryError: Unable to allocate 128. GiB")


def test_a_call_that_does_not_return_is_a_finding():
    spec = replace(isolated(relu(NeverReturns), timeout=1), extremes=None, realistic=None)
    (cause,) = check(spec, examples=20 if THOROUGH else 5, seconds=2).mistakes
    assert cause.counterexample
    assert cause.kind == "ended"
    assert not cause.why
    assert cause.message == "backprop did not return within 1 s"
    assert "dLdx = layer.backprop(x, dLdy)" in cause.counterexample.script


def test_the_report_is_the_same_as_without_a_fork():
    bug = next(bug for bug in BUGS if "stride" in bug.name)
    spec = replace(convolution2d(bug.layer), extremes=None, realistic=None)
    examples = 20 if THOROUGH else 5
    here, there = check(spec, examples=examples), check(spec, examples=examples, isolated=True)
    assert [cause.to_dict() for cause in there.causes] == [cause.to_dict() for cause in here.causes]
    assert [(item.name, item.verdict) for item in there.properties] == [
        (item.name, item.verdict) for item in here.properties
    ]


def test_settings_keep_their_types():
    class Convolution:
        def __init__(self, in_channels, out_channels, kernel_size, **others):
            assert isinstance(kernel_size, tuple), kernel_size
            raise ValueError("made with a tuple")

    cause = next(iter(check(convolution2d(Convolution), examples=5, isolated=True).causes))
    assert "made with a tuple" in cause.message


class Channels:
    """x W + b with b (1, f), by another name; its gradients are in attributes."""

    W: Any

    def __init__(self, units):
        assert isinstance(units, int)

    def build(self, input_shape):
        self.bias = np.zeros((1, input_shape[-1]))

    def call(self, x):
        self.x = x
        return x @ self.W + self.bias

    def back(self, dLdy):
        self.dW, self.db = self.x.T @ dLdy, dLdy.sum(axis=0, keepdims=True)
        return dLdy @ self.W.T


class CrashesForTwo(Channels):
    def back(self, dLdy):
        return ctypes.string_at(0) if len(dLdy) == 2 else super().back(dLdy)


class WithoutAnAxis(Channels):
    def back(self, dLdy):
        dLdx = super().back(dLdy)
        self.db = self.db[0]
        return dLdx


class Doubles(Channels):
    def back(self, dLdy):
        dLdx = super().back(dLdy)
        self.W *= 2
        return dLdx


OPTIONS: dict[str, Any] = {
    "arguments": "out_features", "build": "build(input_shape)", "forward": "call", "backprop": "back(dLdy)",
    "parameters": {"b": "bias"}, "gradients": {"W": "dW", "b": "db"}, "layout": {"b": "o -> 1o"},
}  # fmt: skip


@pytest.mark.parametrize("layer", [Channels, CrashesForTwo, WithoutAnAxis, *[Doubles] * THOROUGH])
def test_what_adapted_has_made_runs_in_a_fork(layer, monkeypatch):
    monkeypatch.setattr(checking, "properties", properties)
    spec = replace(dense(adapted(layer, **OPTIONS)), realistic=None)
    there = check(spec, examples=5 if THOROUGH else 2, isolated=True)
    messages = [cause.message for cause in there.causes]
    if layer is CrashesForTwo:
        assert "backprop ended its process: killed by signal 11 (segmentation fault)" in messages
        return
    here = check(spec, examples=5 if THOROUGH else 2)
    assert [cause.to_dict() for cause in there.causes] == [cause.to_dict() for cause in here.causes]
    assert there.passed == (layer is Channels)


class CrashesWhenBuilt(Channels):
    def build(self, input_shape):
        ctypes.string_at(0)


def test_a_crash_of_the_constructor_is_a_finding():
    spec = replace(dense(adapted(CrashesWhenBuilt, **OPTIONS)), realistic=None)
    causes = check(spec, examples=1, isolated=True).causes
    assert causes[0].message.endswith("ended its process: killed by signal 11 (segmentation fault)")


def test_an_option_that_does_not_fit_is_said_of_a_layer_in_a_fork():
    with pytest.raises(SpecError, match="backprop should be a method of Channels, but it has no backward: it has"):
        check(dense(adapted(Channels, **{**OPTIONS, "backprop": "backward(dLdy)"})), isolated=True)
    with pytest.raises(SpecError, match="layout should name arrays of the layer"):
        check(dense(adapted(Channels, **{**OPTIONS, "layout": {"V": "io -> oi"}})), isolated=True)


def test_jax_does_not_run_in_a_fork_and_is_refused(monkeypatch):
    monkeypatch.setitem(globals(), "jnp", ModuleType("jax.numpy"))
    with pytest.raises(SpecError, match=r"JAX does not run in a fork: verification\.tests\.test_isolated, where ReLU"):
        check(relu(ReLU), isolated=True)


def test_a_call_may_take_no_longer_than_all_of_them():
    spec = replace(relu(NeverReturns), extremes=None, realistic=None)
    messages = {cause.message for cause in check(spec, examples=3, seconds=0.5, isolated=True).mistakes}
    assert "backprop did not return within 0.5 s" in messages
