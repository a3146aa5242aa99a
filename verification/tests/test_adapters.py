"""Layers written to other conventions: right ones pass, wrong ones fail, and the script of a failure runs as it stands."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from verification import Case, LayerSpec, SpecError, check, convolution, relu, softmax_cross_entropy
from verification.adapters import adapted, functions, jax_function, torch_function, torch_module
from verification.case import whole
from verification.catalogue.convolution import Einsum
from verification.strategies import SEEDS, cases, numbers, real_arrays, shapes


def dense_case(n, inputs, outputs, scale, seed):
    shapes = {"x": (n, inputs), "W": (inputs, outputs), "b": (outputs,)}
    return Case({name: whole(name, seed, shape) for name, shape in shapes.items()}, {"scale": scale}, seed)


dense = LayerSpec(
    name="dense",
    make=object,
    cases=numbers(n=(1, 3), inputs=(1, 3), outputs=(1, 3), scale=(1, 3), seed=SEEDS).map(lambda n: dense_case(**n)),
    reference=lambda x, W, b, scale: scale * np.tensordot(x, W, 1) + b,
    parameters=("W", "b"),
    affine_in=("x", "W", "b"),
)
tanh = LayerSpec(
    name="tanh",
    make=object,
    cases=cases(x=real_arrays(shapes(2))),
    reference=lambda x: 1 - 2 / (np.exp(2 * x) + 1),
    rtol=1e-9,
    rtol_reason="tanh and its derivative err by rounding alone, a few units of 1e-16",
)


def verdict(spec, implementation, **names):
    """Return the report, once the script of each failure was run with these names."""
    report = check(replace(spec, make=implementation, realistic=None), examples=5)
    for cause in report.causes:
        lines = [line for line in cause.counterexample.script.splitlines() if not line.startswith(("from", "# "))]
        exec("\n".join(lines), dict(names))
    return report


def found(report, *properties):
    assert set(properties) <= {item.name for item in report.failures}, report
    return next(cause for cause in report.causes if cause.property_name == properties[0])


def dense_forward(x, W, b, scale):
    return scale * (x @ W) + b


def dense_backprop(x, dLdy, W, b, scale):
    return scale * dLdy @ W.T, scale * (x.T @ dLdy), dLdy.sum(axis=0)


def test_pure_functions():
    assert verdict(dense, functions(dense_forward, dense_backprop, ("W", "b"))).passed

    def wrong(x, dLdy, W, b, scale):
        return dLdy @ W.T, scale * (x.T @ dLdy), dLdy.sum(axis=0)

    report = verdict(dense, functions(dense_forward, wrong, ("W", "b")), dense_forward=dense_forward, wrong=wrong)
    failure = found(report, "backprop_is_the_adjoint")
    assert "dense_forward(x, W, b, scale=2)" in failure.counterexample.script
    assert failure.to_dict()["where"] == {"right": True, "conditions": ["scale == 1"]}


def test_a_function_that_does_not_take_its_settings_is_an_error_and_no_mistake_of_the_layer():
    def backprop(x, dLdy, W, b): ...

    with pytest.raises(SpecError, match=r"make: backprop takes \(x, dLdy, W, b\), .* with \(x, dLdy, W, b, scale\): "):
        verdict(dense, functions(dense_forward, backprop, ("W", "b")))


def test_pure_functions_with_a_cache():
    def forward(x, W, b, scale):
        return dense_forward(x, W, b, scale), (x, W, b, scale)

    def backward(dLdy, cache):
        x, *rest = cache
        return dense_backprop(x, dLdy, *rest)

    def wrong(dLdy, cache):
        dLdx, dLdW, dLdb = backward(dLdy, cache)
        return dLdx, dLdW, -dLdb

    assert verdict(dense, functions(forward, backward, ("W", "b"), cache=True)).passed
    report = verdict(dense, functions(forward, wrong, ("W", "b"), cache=True), forward=forward, wrong=wrong)
    assert found(report, "backprop_is_the_adjoint").why[0].family == "sign"


class Linear:
    """Other names, and gradients left in attributes."""

    def __init__(self, scale):
        self.scale = scale
        self.weight = self.bias = np.zeros(0)

    def __call__(self, x):
        self.seen = x
        return dense_forward(x, self.weight, self.bias, self.scale)

    def backward(self, dout):
        dx, self.dW, db = dense_backprop(self.seen, dout, self.weight, self.bias, self.scale)
        self.grads = {"b": db}
        return dx


class Accumulating(Linear):
    def backward(self, dout):
        before = getattr(self, "dW", 0)
        dx = super().backward(dout)
        self.dW = self.dW + before
        return dx


class KeptByBackprop(Linear):
    def backward(self, dout):
        self.first = getattr(self, "first", self.weight.copy())
        super().backward(dout)
        return self.scale * dout @ self.first.T


def test_what_backprop_keeps_is_found():
    names: Any = {"parameters": {"W": "weight", "b": "bias"}, "gradients": {"W": "dW", "b": "grads['b']"}}
    make = adapted(KeptByBackprop, forward="__call__", backprop="backward(dLdy)", **names)
    report = check(replace(dense, make=make), examples=20)
    assert [item.name for item in report.failures] == ["history_is_irrelevant"]
    assert report.causes[0].why[0].family == "keeps-state"


@pytest.mark.usefixtures("verdict_only")
@pytest.mark.parametrize("make", [Linear, Accumulating])
def test_methods_and_attributes_of_other_names(make):
    layer = adapted(
        make, forward="__call__", backprop="backward(dLdy)",
        parameters={"W": "weight", "b": "bias"}, gradients={"W": "dW", "b": "grads['b']"},
    )  # fmt: skip
    report = verdict(dense, layer, **{make.__name__: make})
    assert report.passed == (make is Linear)
    if make is Accumulating:
        found(report, "history_is_irrelevant")


class Averaging(Einsum):
    def backprop(self, x, dLdy):
        dLdx, dLdW, dLdb = super().backprop(x, dLdy)
        return dLdx, dLdW / max(1, len(x)), dLdb / max(1, len(x))


class WithoutInputGradient(Einsum):
    def backprop(self, x, dLdy):
        return super().backprop(x, dLdy)[1:]


@pytest.mark.usefixtures("verdict_only")
@pytest.mark.parametrize(
    ("layer", "declared", "right"),
    [
        (Averaging, {"parameter_gradients": "mean"}, True),
        (Averaging, {}, False),
        (Einsum, {"parameter_gradients": "mean"}, False),
        (WithoutInputGradient, {"gradients": ("W", "b")}, True),
    ],
)
def test_conventions_are_declared(layer, declared, right):
    spec = replace(convolution(layer), realistic=None, **declared)
    assert (not check(spec, examples=10).failures) == right


class WrongAverage(Averaging):
    def backprop(self, x, dLdy):
        dLdx, dLdW, dLdb = super().backprop(x, dLdy)
        return dLdx, dLdW + 0.25, dLdb / max(1, len(x))


def test_of_a_mean_over_the_batch_messages_show_what_the_layer_gave():
    spec = replace(convolution(WrongAverage, batch=4), parameter_gradients="mean")
    report = check(spec, examples=10)
    by_array = {cause.array: cause for cause in report.causes if cause.array}
    assert [entry.actual - entry.expected for entry in by_array["dLdW"].entries] == [0.25]
    assert by_array["dLdb"].headline == "dLdb is divided by the batch size twice: average over the batch once"
    (entry,) = by_array["dLdb"].entries
    assert (entry.actual, entry.expected) == (0.0625, 0.25)
    last = by_array["dLdb"].counterexample.script.splitlines()
    assert "print(dLdb)" in last


def test_only_arguments_have_gradients():
    with pytest.raises(ValueError, match=r"gradients .* \['V'\]"):
        replace(convolution(Einsum), gradients=("V",))


@pytest.mark.usefixtures("verdict_only")
def test_torch_modules_and_functions():
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install 'layerproof[torch]')")

    def make(filter_width, filter_height, input_size, in_ch_size, num_filters):
        return torch.nn.Conv2d(in_ch_size, num_filters, (filter_width, filter_height))

    report = verdict(convolution(Einsum), torch_module(make, {"W": "weight", "b": "bias"}), make=make)
    assert [item.name for item in report.failures] == ["bad_arguments_are_refused"]  # torch takes one image, of rank 3

    class WrongConv(torch.nn.Conv2d):
        def forward(self, x):
            return torch.nn.functional.conv2d(x, self.weight.flip(3), self.bias)

    def wrong(filter_width, filter_height, input_size, in_ch_size, num_filters):
        return WrongConv(in_ch_size, num_filters, (filter_width, filter_height))

    report = verdict(convolution(Einsum), torch_module(wrong, {"W": "weight", "b": "bias"}), wrong=wrong)
    found(report, "forward_matches_reference", "backprop_is_the_adjoint")

    class Tanh(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.tanh()

        @staticmethod
        def backward(ctx, dLdy):
            return dLdy * (1 - ctx.saved_tensors[0].tanh() ** 2)

    class WrongTanh(Tanh):
        @staticmethod
        def backward(ctx, dLdy):
            return dLdy * (1 - ctx.saved_tensors[0].tanh())

    class InPlace(Tanh):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x.clone())
            return x.mul_(2).div_(2).add_(1).sub_(1).tanh() + x.add_(1) * 0

    assert verdict(tanh, torch_function(Tanh.apply)).passed
    report = verdict(tanh, torch_function(WrongTanh.apply), WrongTanh=WrongTanh)
    assert "WrongTanh.apply(x_)" in found(report, "backprop_matches_directional_differences").counterexample.script
    found(verdict(tanh, torch_function(InPlace.apply), InPlace=InPlace), "arguments_are_left_alone")


@pytest.mark.usefixtures("verdict_only")
def test_torch_in_place_constants_and_a_forgotten_parameter():
    torch = pytest.importorskip("torch", reason="torch is not installed (pip install 'layerproof[torch]')")

    def loss(x, labels):
        return torch.nn.functional.cross_entropy(x, labels)

    spec = softmax_cross_entropy(torch_function(loss, constants=("labels",)))
    assert check(spec, examples=5).passed
    assert check(relu(torch_module(lambda: torch.nn.ReLU(inplace=False))), examples=5).passed
    report = check(relu(torch_module(lambda: torch.nn.ReLU(inplace=True))), examples=5)
    found(report, "arguments_are_left_alone")
    assert all("leaf" not in item.message for item in report.failures)
    report = check(replace(dense, make=torch_module(lambda scale: torch.nn.Linear(1, scale))), examples=1)
    message = found(report, "forward_matches_reference").message
    assert re.search(r"parameter W has no place .* name it in its `parameters`", message)


def test_jax_functions():
    jax = pytest.importorskip("jax", reason="jax is not installed (pip install 'layerproof[jax]')")
    numpy = jax.numpy

    def scaled(x, W, b, scale):
        return scale * x @ W + b

    report = check(replace(dense, make=jax_function(scaled, ("W", "b"))), examples=2)
    assert not report.failures, report

    @jax.custom_vjp
    def wrong(x):
        return numpy.tanh(x)

    wrong.defvjp(lambda x: (numpy.tanh(x), x), lambda x, dLdy: (dLdy * (1 - numpy.tanh(x)),))
    few = replace(tanh, cases=cases(x=real_arrays(shapes(1, max_side=2))))  # JAX compiles for each shape
    report = verdict(few, jax_function(wrong), wrong=wrong)
    assert "jax.vjp" in found(report, "backprop_matches_directional_differences").counterexample.script
