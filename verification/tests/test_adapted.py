"""Each option of `adapted`, and options together: a right layer passes; a wrong one is found, by a script that shows it."""

import contextlib
import io
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from verification import SpecError, adapted, check, convolution, convolution2d, dense, own_mask_dropout, relu
from verification.adapters import functions, torch_module
from verification.catalogue.convolution import Einsum
from verification.catalogue.dense import Product
from verification.spec import LayerSpec

CHECKED_ELSEWHERE = {"bad_arguments_are_refused"}
"""What these layers do not do, since it would hide how short they are."""


def right(spec: LayerSpec) -> None:
    """Assert that a layer passes, hardening included."""
    report = check(replace(spec, realistic=None), examples=25)
    assert {item.name for item in report.failures} <= CHECKED_ELSEWHERE, report


def shown(spec: LayerSpec, **names: Any) -> str:
    """Assert that a layer is found wrong, and that the script of each cause shows what it says; return the first."""
    report = check(replace(spec, realistic=None), examples=25)
    assert not report.passed, report
    for cause in report.causes:
        if cause.required:
            assert cause.counterexample
            assert_shows(cause, cause.counterexample.script, names)
    first = report.causes[0].counterexample
    assert first
    return first.script


def assert_shows(cause: Any, script: str, names: dict[str, Any]) -> None:
    """Run a script with these names, and assert that its last line shows the first entry that is said to be wrong."""
    assert cause.entries, cause
    lines = [line for line in script.splitlines() if not line.startswith(("from ", "#"))]
    last = re.fullmatch(r"print\((.*)\)", lines[-1])
    assert last, script
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile("\n".join(lines), "script", "exec"), names)
    value, entry = np.asarray(eval(last[1], names)), cause.entries[0]
    assert float(value[entry.index] if value.ndim else value) == entry.actual, script


class Linear:
    """The mathematics: W (in, out), b (out,). The mistake of wrong layers is that row 0 of dLdW is doubled."""

    mistake = 1.0

    def compute(self, x, W, b):
        return x @ W + b

    def gradients(self, x, dLdy, W):
        factors = np.where(np.arange(len(W)) == 0, self.mistake, 1.0)
        return dLdy @ W.T, x.T @ dLdy * factors[:, np.newaxis], dLdy.sum(axis=0)


class Turned(Linear):
    """The same for W (out, in), b (1, out)."""

    def compute(self, x, W, b):
        assert W.shape == (b.shape[1], x.shape[-1])
        return super().compute(x, W.T, b[0])

    def gradients(self, x, dLdy, W):
        dLdx, dLdW, dLdb = super().gradients(x, dLdy, W.T)
        return dLdx, dLdW.T, dLdb[np.newaxis]


class Named(Linear):
    def __init__(self, in_features, out_features): ...

    def __call__(self, x):
        return self.compute(x, self.params["W"], self.linear.bias)

    params: dict[str, Any] = property(lambda self: self.__dict__.setdefault("_params", {}))  # type: ignore[assignment]
    linear = property(lambda self: self)

    def back(self, dLdy, x):
        return self.gradients(x, dLdy, self.params["W"])


class Attributes(Linear):
    def __init__(self, in_features, out_features): ...

    def forward(self, x):
        self.x = x
        return self.compute(x, self.W, self.b)

    def backward(self, dLdy):
        dLdx, self.dW, self.db = self.gradients(self.x, dLdy, self.W)
        self.grads = {"W": self.dW}
        return dLdx

    def get_gradients(self):
        return [self.dW, self.db]


class Returned(Attributes):
    def backward(self, dLdy):
        return {"dx": super().backward(dLdy), "parameters": [self.dW, self.db]}


class Transposed(Turned, Attributes): ...


class Shaped(Attributes):
    """Made as in Keras."""

    def __init__(self, units, input_shape, seed):
        self.W, self.b, self.shape = np.zeros((*input_shape, units)), np.zeros(units), input_shape

    def forward(self, x):
        assert x.shape[1:] == self.shape
        return super().forward(x)


class Built(Attributes):
    """Makes its parameters at the first forward, or when it is built."""

    def __init__(self, units):
        self.units = units

    def build(self, input_shape):
        self.W, self.b = np.ones((*input_shape, self.units)), np.ones(self.units)

    def forward(self, x):
        if not hasattr(self, "W"):
            self.build(x.shape[1:])
        return super().forward(x)


class WithArrays(Attributes):
    def __init__(self, W, b):
        self.W, self.b = W, b


class OneVector(Linear):
    """x (in,) -> y (out,)."""

    def __init__(self, in_features, out_features): ...

    def forward(self, x):
        assert x.ndim == 1
        return self.compute(x, self.W, self.b)

    def backprop(self, x, dLdy):
        dLdx, dLdW, dLdb = self.gradients(x[np.newaxis], dLdy[np.newaxis], self.W)
        return dLdx[0], dLdW, dLdb


class OneVectorAfterForward(OneVector):
    def forward(self, x):
        self.x = x
        return super().forward(x)

    def backward(self, dLdy):
        return self.backprop(self.x, dLdy)


class OneBuilt(OneVectorAfterForward):
    __init__ = Built.__init__  # type: ignore[assignment]
    build = Built.build


class Flags(Attributes):
    def forward(self, x, training=False, *, scale=2):
        return super().forward(x) * scale if training else 0 * x

    def backward(self, dLdy, mode="no", *, options=None):
        assert mode == "yes"
        assert options == {"a": [1]}
        return super().backward(dLdy)


class Descending(Linear):
    """Its gradients show in an update alone."""

    def __init__(self, in_features, out_features): ...

    def forward(self, x):
        self.x = x
        return self.compute(x, self.W, self.b)

    def backward(self, dLdy, lr):
        dLdx, dLdW, dLdb = self.gradients(self.x, dLdy, self.W)
        self.W -= lr * dLdW
        self.b = self.b - lr * dLdb
        return dLdx


class DescendingTurned(Turned, Descending): ...


class WithArraysTurned(Turned, WithArrays): ...


AFTER = {"backprop": "backward(dLdy)"}
PLACES = {"gradients": {"W": "dW", "b": "db"}}
TURNED = {"layout": {"W": "io -> oi", "b": "o -> 1o"}}
OPTIONS: dict[str, tuple[type, dict[str, Any]]] = {
    "names": (
        Named,
        {"forward": "__call__", "backprop": "back(dLdy, x)", "parameters": {"W": "params['W']", "b": "linear.bias"}},
    ),
    "attributes": (Attributes, {**AFTER, **PLACES}),
    "dictionary": (Attributes, {**AFTER, "gradients": {"W": "grads['W']", "b": "db"}}),
    "method": (Attributes, {**AFTER, "gradients": {"b": "get_gradients()[1]", "W": "get_gradients()[0]"}}),
    "returned": (Returned, {**AFTER, "gradients": {
        "x": "returned['dx']", "W": "returned['parameters'][0]", "b": "returned['parameters'][1]"}}),
    "layout": (Transposed, {**AFTER, **PLACES, **TURNED}),
    "input shape": (
        Shaped, {**AFTER, **PLACES, "arguments": "units=out_features, input_shape=input_shape, seed=(1, 2)"},
    ),
    "built by forward": (Built, {**AFTER, **PLACES, "arguments": "out_features", "build": "forward(x)"}),
    "built by a shape": (Built, {**AFTER, **PLACES, "arguments": "out_features", "build": "build(input_shape)"}),
    "made with arrays": (WithArrays, {**AFTER, **PLACES, "arguments": "W, b"}),
    "one image": (OneVector, {"one_image": True}),
    "update": (Descending, {"backprop": "backward(dLdy, learning_rate)", "learning_rate": 0.5}),
    "further arguments": (Flags, {
        **PLACES, "forward": "forward(x, training=True, scale=1)",
        "backprop": "backward(dLdy, 'yes', options={'a': [1]})"}),
    # together
    "one image after forward": (OneVectorAfterForward, {**AFTER, "one_image": True}),
    "built, one image": (
        OneBuilt, {**AFTER, "one_image": True, "arguments": "out_features", "build": "build(input_shape)"},
    ),
    "update, layout": (
        DescendingTurned, {"backprop": "backward(dLdy, lr=learning_rate)", "learning_rate": 2, **TURNED},
    ),
    "arrays, layout, method": (
        WithArraysTurned,
        {**AFTER, **TURNED, "arguments": "W=W, b=b",
         "gradients": {"W": "get_gradients()[0]", "b": "get_gradients()[1]"}},
    ),
}  # fmt: skip


@pytest.mark.usefixtures("verdict_only")
@pytest.mark.parametrize(("make", "options"), OPTIONS.values(), ids=OPTIONS)
def test_options(make, options):
    right(dense(adapted(make, **options)))
    mistaken = type(make.__name__, (make,), {"mistake": 2.0})
    shown(dense(adapted(mistaken, **options)), **{make.__name__: mistaken})
