"""Each option of `adapted`, and options together: a right layer passes; a wrong one is found, by a script that shows it."""

import contextlib
import io
import random
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from verification import (
    SpecError,
    adapted,
    check,
    convolution,
    convolution2d,
    dense,
    flatten,
    lstm_cell,
    max_pooling2d,
    own_mask_dropout,
    residual_add,
    squared_error,
)
from verification.adapters import functions, torch_module
from verification.adapters.layout import Layout
from verification.catalogue.conventions import ChannelsLast, NotTurned
from verification.catalogue.recurrent import LstmCell
from verification.drawing import quiet
from verification.properties import of_gradients, properties
from verification.script import Script
from verification.search import search
from verification.spec import LayerSpec
from verification.specs.dense import dense_case, product_gradient
from verification.trial import Trial

THOROUGH = settings().max_examples > 100

CHECKED_ELSEWHERE = {"bad_arguments_are_refused"}
"""What these layers do not do, since it would hide how short they are."""


def right(spec: LayerSpec) -> None:
    """Assert that a layer passes, hardening included."""
    report = check(replace(spec, realistic=None), examples=5 if THOROUGH else 3)
    assert {item.name for item in report.failures} <= CHECKED_ELSEWHERE, report


def shown(spec: LayerSpec, **names: Any) -> str:
    """Assert that a gradient is found wrong, and that the script shows what the failure says; return it."""
    item = next(item for item in properties(spec) if item.function is of_gradients(spec))
    outcome = search(spec, item, quiet(30 if THOROUGH else 10), seed=0)
    assert_shows(outcome.failure, outcome.script, names)
    return outcome.script


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
    W: Any
    b: Any

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
    __init__ = Built.__init__
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


AFTER: dict[str, Any] = {"backprop": "backward(dLdy)"}
PLACES: dict[str, Any] = {"gradients": {"W": "dW", "b": "db"}}
TURNED: dict[str, Any] = {"layout": {"W": "io -> oi", "b": "o -> 1o"}}
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


def test_a_right_small_case_is_no_proof_of_a_layout():
    """Smallest cases have sides of 1, which any order of axes fits: scripts are tried at sides that differ."""
    sides = {"n": 2, "c": 3, "h": 4, "w": 5, "1": 1}
    for text in (
        "nchw -> nhwc",
        "nchw -> whcn",
        "1n11 -> n",
        "nc -> 1cn1",
        "n -> 1n",
        "chw -> (whc)",
        "nchw -> n(hwc)",
    ):
        layout = Layout.read("W", text)
        array = np.random.default_rng(0).integers(0, 99, [sides[axis] for axis in layout.left]).astype(float)
        for given in (array, np.asfortranarray(array), np.repeat(array, 2, axis=-1)[..., ::2]):
            there = layout.stored(given)
            names: dict[str, Any] = {"np": np, "W": given}
            for line in layout.lines(given):
                exec(line.replace("{}", "W"), names)
            assert np.array_equal(names["W"], there), text
            assert names["W"].strides == there.strides or not given.flags.c_contiguous, text
            assert np.array_equal(layout.back("W", there, given.shape), given), text
            assert np.array_equal(eval(layout.back_text("W", given.shape), names), given), text
    more = Layout.read("x", "nc... -> n...c")
    for shape, turned in (((2, 3), (2, 3)), ((2, 3, 4, 5), (2, 4, 5, 3))):
        x = np.zeros(shape)
        assert more.there(x).shape == turned
        assert more.back("x", more.there(x)).shape == shape
        assert eval(more.back_text("x", shape), {"np": np, "x": more.there(x)}).shape == shape


class Writing(ChannelsLast):
    def forward(self, x):
        y = super().forward(x)
        x[:1, x.shape[2] :] += 1  # of an image that is wider than high, so that a script has to turn it
        return y


class WritingParameters(ChannelsLast):
    def backprop(self, x, dLdy):
        gradients = super().backprop(x, dLdy)
        self.W[self.W.shape[1] :] += 1
        return gradients


class Viewing(ChannelsLast):
    def forward(self, x):
        self.y = getattr(self, "y", np.zeros(0))
        y = super().forward(x)
        self.y = self.y if self.y.shape == y.shape else y
        self.y[...] = y
        return self.y


class Assuming(ChannelsLast):
    def forward(self, x):
        flat = np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,)) if x.size else x
        return super().forward(flat.reshape(x.shape))


class Remembering(ChannelsLast):
    def forward(self, x):
        if getattr(self, "seen", None) is not x:
            self.seen, self.kept = x, super().forward(x)
        return self.kept.copy()


LAST: Any = {"layout": {"x": "ncwh -> nwhc", "W": "fcwh -> whcf", "b": "1f11 -> f"}}
CHANGES = {
    Writing: "arguments_are_left_alone", WritingParameters: "arguments_are_left_alone", Viewing: "results_share_no_memory", Assuming: "memory_layout_is_irrelevant",
    Remembering: "history_is_irrelevant",
}  # fmt: skip


def test_channels_last_with_its_parameters():
    right(convolution(adapted(ChannelsLast, **LAST)))
    report = check(replace(convolution(adapted(NotTurned, **LAST)), realistic=None), examples=5)
    (cause,) = [cause for cause in report.causes if cause.required]
    assert cause.why[0].family == "filter-not-flipped"
    assert "np.transpose(W, (2, 3, 1, 0))" in cause.counterexample.script
    assert_shows(cause, cause.counterexample.script, {"NotTurned": NotTurned})


@pytest.mark.usefixtures("verdict_only")
@pytest.mark.parametrize("make", CHANGES)
def test_memory_is_that_of_the_layer_and_not_of_the_adapter(make):
    report = check(replace(convolution(adapted(make, **LAST)), realistic=None), examples=12 if THOROUGH else 6)
    assert {item.name for item in report.failures} - CHECKED_ELSEWHERE == {CHANGES[make]}, report
    cause = next(cause for cause in report.causes if cause.property_name == CHANGES[make])
    if cause.entries:
        assert_shows(cause, cause.counterexample.script, {make.__name__: make})


class Checked(Attributes):
    def forward(self, x):
        if x.ndim != 2 or x.shape[1] != len(self.W):
            raise ValueError(f"x has shape {x.shape}")
        return super().forward(x)

    def backward(self, dLdy):
        if dLdy.shape != (len(self.x), len(self.b)):
            raise ValueError(f"dLdy has shape {dLdy.shape}")
        return super().backward(dLdy)


class OneChecked(OneVector):
    def forward(self, x):
        if x.shape != (len(self.W),):
            raise ValueError(f"x has shape {x.shape}")
        return super().forward(x)

    def backprop(self, x, dLdy):
        if dLdy.shape != (len(self.b),):
            raise ValueError(f"dLdy has shape {dLdy.shape}")
        return super().backprop(x, dLdy)


@pytest.mark.parametrize("layer", [adapted(Checked, **AFTER, **PLACES), adapted(OneChecked, one_image=True)])
def test_what_a_layer_refuses_is_refused_through_the_adapter(layer):
    (item,) = [item for item in properties(dense(layer)) if item.name == "bad_arguments_are_refused"]
    outcome = search(dense(layer), item, quiet(2), seed=0)
    assert outcome.failure is None, outcome.failure


def cached_forward(x, W, b, **_):
    return x @ W + b, (x, W)


def cached_backward(dLdy, cache):
    x, W = cache
    return dLdy @ W.T, x.T @ dLdy, dLdy.sum(axis=0)


class Caching(Attributes):
    def forward(self, x):
        self.cache = x.copy(), self.W.copy()
        return super().forward(x)

    def backward(self, dLdy):
        self.x, W = self.cache
        dLdx, self.dW, self.db = self.gradients(self.x, dLdy, W)
        return dLdx


@pytest.mark.parametrize(
    "make", [adapted(Caching, **AFTER, **PLACES), functions(cached_forward, cached_backward, ("W", "b"), cache=True)]
)
def test_forward_comes_right_before_a_backprop_without_x_whatever_was_between(make):
    spec = dense(make)
    case = dense_case(3, 2, 2, seed=5)
    names: dict[str, Any] = {"np": np, "random": random, "Caching": Caching}
    names |= {"cached_forward": cached_forward, "cached_backward": cached_backward}

    def changed(layer, x):
        layer.write(x, "x", 2 * case.arrays["x"])

    def assigned(layer, x):
        layer.assign("W", 2 * case.arrays["W"])

    def overwritten(layer, x):
        layer.overwrite("W", 2 * case.arrays["W"])

    def used(layer, x):
        layer.forward(2 * case.arrays["x"])

    for between in (changed, assigned, overwritten, used):
        script = Script(make, case)
        trial = Trial(spec, case, script)
        layer = trial.layer()
        x = layer.hold("x", case.arrays["x"].copy())
        layer.forward(x)
        between(layer, x)
        got = layer.backprop(x, trial.dLdy, straight=True)
        at = {"x": x.read(), **layer.parameters()}
        for name, gradient in product_gradient(trial.dLdy, **at).items():
            assert np.array_equal(got[name], gradient), between
        exec("\n".join(script.lines), names)
        assert np.array_equal(names[script.latest("dLdW")], got["W"]), "\n".join(script.lines)


def test_an_update_is_judged_but_for_the_rounding_of_the_change():
    make = adapted(Descending, backprop="backward(dLdy, learning_rate)", learning_rate=1e-3)
    spec = dense(make)
    for name in ("rounding_stays_within_the_bound", "float32_in_stays_within_its_bound"):
        (item,) = [item for item in properties(spec) if item.name == name]
        assert search(spec, item, quiet(100), seed=0).failure is None
    assert make.spelling.assigning("W", copy=False).endswith(".copy()")


def test_what_other_adapters_made_takes_layouts_and_one_image():
    def forward(x, W, b, **_):
        assert x.ndim == 1
        return W @ x + b, (x, W)

    def backward(dLdy, cache):
        x, W = cache
        return W.T @ dLdy, np.outer(dLdy, x), dLdy

    def wrong(dLdy, cache):
        dLdx, dLdW, dLdb = backward(dLdy, cache)
        return dLdx, dLdW, 2 * dLdb

    options: Any = {"one_image": True, "layout": {"W": "io -> oi"}}
    right(dense(adapted(functions(forward, backward, ("W", "b"), cache=True), **options)))
    layer = adapted(functions(forward, wrong, ("W", "b"), cache=True), **options)
    assert "y, cache = forward(image, W, b" in shown(dense(layer), forward=forward, wrong=wrong)

    torch = pytest.importorskip("torch", reason="torch is not installed (pip install 'layerproof[torch]')")

    class Last(torch.nn.Conv2d):
        def forward(self, x):
            return super().forward(x.movedim(-1, 1)).movedim(1, -1)

    class Biased(Last):
        def forward(self, x):
            return super().forward(x) + self.bias

    def made(make):
        return lambda filter_width, filter_height, input_size, in_ch_size, num_filters: make(
            in_ch_size, num_filters, (filter_width, filter_height)
        )

    for make in (Last, Biased):
        layer = adapted(torch_module(made(make), {"W": "weight", "b": "bias"}), layout={"x": "ncwh -> nwhc"})
        if make is Last:
            right(convolution(layer))
        else:
            (item, *_) = properties(convolution(layer))
            outcome = search(convolution(layer), item, quiet(10), seed=0)
            assert_shows(outcome.failure, outcome.script, {"make_layer": made(make)})


class Dropout:
    """As in many books: the rate that is dropped, a flag for training, and a mask of its own."""

    def __init__(self, rate):
        self.rate = rate

    def forward(self, x, train):
        self.mask = np.random.random(x.shape) >= self.rate if train else 1.0
        return x * self.mask / (1 - self.rate)

    def backward(self, dout):
        return dout * self.mask / (1 - self.rate)


class NotScaled(Dropout):
    def backward(self, dout):
        return dout * self.mask


def test_dropout_with_a_mask_of_its_own():
    options: Any = {"arguments": "1 - keep", "forward": "forward(x, train=True)", "backprop": "backward(dLdy)"}
    assert check(own_mask_dropout(adapted(Dropout, **options)), examples=5).passed
    before = np.random.get_state(legacy=False)["state"]["key"].copy()
    report = check(own_mask_dropout(adapted(NotScaled, **options)), examples=5)
    (cause,) = report.causes
    assert cause.property_name == "backprop_has_the_mask_of_forward"
    assert np.array_equal(before, np.random.get_state(legacy=False)["state"]["key"])
    assert_shows(cause, cause.counterexample.script, {"NotScaled": NotScaled})
    report = check(own_mask_dropout(adapted(Dropout, **options), scaled=False), examples=5)
    assert {"every_entry_is_dropped_or_kept", "backprop_has_the_mask_of_forward"} == {
        item.name for item in report.failures
    }


class SometimesNotScaled(NotScaled):
    random = np.random.default_rng(0)

    def forward(self, x, train):
        self.mask = self.random.random(x.shape) >= self.rate
        return x * self.mask / (1 - self.rate)

    def backward(self, dout):
        return super().backward(dout) / (1 - self.rate * (self.random.random() < 0.5))


def test_a_layer_that_draws_is_not_called_random():
    options: Any = {"arguments": "1 - keep", "forward": "forward(x, train=True)", "backprop": "backward(dLdy)"}
    for make in (SometimesNotScaled, type("Never", (SometimesNotScaled,), {"backward": NotScaled.backward})):
        (cause,) = check(own_mask_dropout(adapted(make, **options)), examples=20).causes
        assert cause.message.startswith("dLdx is wrong: it should be dLdy / keep")
        assert np.count_nonzero(cause.counterexample.arrays["x"]) > 200


ERRORS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no call": (dense, {"forward": "forward(x"}, r"forward should be the name of a method, or a call .* 'forward\(x'"),
    "another name": (dense, {"backprop": "backward(dout)"}, "backprop may use x, dLdy, W, b, but uses dout"),
    "no method": (dense, {"backprop": "back"}, "backprop should be a method of Attributes, but it has no back: it has backward"),
    "no place": (dense, {"gradients": {"W": "dW +"}}, r"gradients\['W'\] should be the place in the layer"),
    "not settable": (dense, {"parameters": {"W": "weight()"}}, r"parameters\['W'\] should be the place"),
    "no dictionary": (dense, {"gradients": "dW"}, "gradients should be a dictionary"),
    "unknown gradient": (dense, {"gradients": {"V": "dV"}}, "gradients should name arguments .* x, W, b, but names V"),
    "some returned": (dense, {"gradients": {"W": "returned[0]"}}, "but has none for x, b: add it"),
    "unknown parameter": (dense, {"parameters": {"V": "v"}}, "parameters should name those of dense, W, b, but names V"),
    "no arrow": (dense, {"layout": {"x": "nhwc"}}, "layout of x should be as in 'nchw -> nhwc': .* but is 'nhwc'"),
    "other letters": (dense, {"layout": {"W": "io -> of"}}, "layout of W should have the same letters"),
    "other axes": (dense, {"layout": {"W": "fchw -> hwcf"}}, r"'fchw' does not fit the shape \(\d, \d\) of W"),
    "unknown array": (dense, {"layout": {"V": "io -> oi"}}, "layout should name arrays of the layer, x, W, b, y, but names V"),
    "fewer axes": (flatten, {"layout": {"x": "nc... -> n...c"}, "arguments": "1, 2"}, "layout of y should name all its axes"),
    "joined y": (dense, {"layout": {"x": "ni -> (ni)"}}, "layout of y cannot join axes"),
    "unknown setting": (dense, {"arguments": "units"}, "arguments may use in_features, .* but uses units"),
    "no arguments": (dense, {"arguments": "a b"}, "arguments should be written as in a call"),
    "a star": (dense, {"arguments": "*in_features"}, r"arguments should be written as in a call without \*"),
    "no rate": (dense, {"learning_rate": 0}, "learning_rate should be a number of at least 0.001, but is 0"),
    "nothing to tell": (dense, {"learning_rate": 1, **PLACES}, "learning_rate is for gradients of parameters"),
    "all images": (own_mask_dropout, {"one_image": True, "arguments": "keep, 1"}, "one_image=True does not fit dropout with a mask of its own"),
    "constructor": (convolution2d, {}, 'make: its constructor takes .* say how it is called, as arguments="in_channels'),
}  # fmt: skip


@pytest.mark.parametrize(("ready", "options", "message"), ERRORS.values(), ids=ERRORS)
def test_an_option_that_does_not_fit_is_an_error(ready, options, message):
    with pytest.raises(SpecError, match=message):
        check(ready(adapted(Attributes, **{**AFTER, **options})), examples=1)


def test_what_an_adapter_made_takes_few_options():
    with pytest.raises(SpecError, match="takes layout and one_image, but not backprop"):
        adapted(functions(len, len), backprop="backward")
    with pytest.raises(SpecError, match="make should be a class or function"):
        adapted(3)  # type: ignore[arg-type]


class Squares:
    """Max-pooling by squares that touch, without backprop."""

    def __init__(self, kernel_size):
        self.sides = kernel_size

    def __call__(self, x):
        (n, c, h, w), (k, m) = x.shape, self.sides
        tiles = x[:, :, : h // k * k, : w // m * m].reshape(n, c, h // k, k, w // m, m)
        return tiles.max(axis=(3, 5))


def test_settings_that_are_fixed_and_a_backprop_that_nothing_asks_for_need_no_option():
    squares = {"kernel_size": (2, 2), "stride": 2, "padding": 0, "gradients": ()}
    report = check(max_pooling2d(adapted(Squares, forward="__call__"), **squares), examples=3)
    assert report.passed, report
    assert report.restrictions[1] == "Not passed on, for lack of a parameter of that name: stride, padding"
    of_one = adapted(Squares, arguments="(stride[0], stride[1])", forward="__call__")
    report = check(max_pooling2d(of_one, **squares), examples=3)
    assert report.passed, report
    assert report.restrictions[1] == "Not passed on, since arguments does not name them: kernel_size, padding"


def test_a_place_that_is_not_there_is_named():
    layer = adapted(Attributes, backprop="backward(dLdy)", gradients={"W": "dw", "b": "db"})
    (item,) = [item for item in properties(dense(layer)) if item.name == "backprop_is_the_adjoint"]
    failure = search(dense(layer), item, quiet(1), seed=0).failure
    assert "gradients['W'] is 'dw', which Attributes has not" in failure.message()


class First(Attributes):
    """A first layer, whose backprop returns nothing."""

    def backward(self, dLdy):
        super().backward(dLdy)


class NotWritten(Attributes):
    def backward(self, dLdy): ...


@pytest.mark.usefixtures("verdict_only")
def test_nothing_is_returned_by_a_first_layer_and_by_one_that_is_not_written():
    right(replace(dense(adapted(First, **AFTER, **PLACES)), gradients=("W", "b")))
    report = check(dense(adapted(NotWritten, **AFTER, **PLACES)), examples=2)
    assert "backprop returned None, but should return (dLdx, dLdW, dLdb)" in str(report)


def test_a_gradient_without_an_axis_that_the_layout_says_is_found():
    class Lost(Transposed):
        def gradients(self, x, dLdy, W):
            dLdx, dLdW, dLdb = super().gradients(x, dLdy, W)
            return dLdx, dLdW, dLdb[0]

    options: Any = {**AFTER, **PLACES, **TURNED}
    item = next(item for item in properties(dense(object)) if item.name == "backprop_is_the_adjoint")
    outcome = search(dense(adapted(Lost, **options)), item, quiet(3), seed=0)
    assert outcome.failure
    assert "dLdb has shape (1,), but should have the axes 1o that its layout says" in outcome.failure.message()
    assert "print(dLdb.shape)" in outcome.script
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(outcome.script, {"Lost": Lost})
    assert printed.getvalue() == "(1,)\n"


class Loss:
    """The mean squared error of x against targets, which forward is given, and its gradient for a dLdy of 1."""

    def forward(self, prediction, target):
        self.difference = prediction - target
        return np.mean(self.difference**2)

    def backward(self):
        return 2 * self.difference / self.difference.size

    def backprop(self, prediction, target, dLdy):
        return 2 * dLdy * (prediction - target) / prediction.size


class LossByTheBatch(Loss):
    def backward(self):
        return 2 * self.difference / len(self.difference)


class LossThatWrites(Loss):
    def forward(self, prediction, target):
        y = super().forward(prediction, target)
        target += 1
        return y


TARGETS: Any = {"forward": "forward(x, targets)", "backprop": "backward()"}


def test_a_loss_may_take_its_targets_as_an_argument_and_no_upstream_gradient():
    right(squared_error(adapted(Loss, **TARGETS)))
    right(squared_error(adapted(Loss, forward="forward(x, target=targets)", backprop="backprop(x, targets, dLdy)")))
    script = shown(squared_error(adapted(LossByTheBatch, **TARGETS)), LossByTheBatch=LossByTheBatch)
    assert "layer.forward(x, targets)" in script
    assert "dLdx = layer.backward()\ndLdx = dLdy * dLdx" in script
    (item,) = [item for item in properties(squared_error(Loss)) if item.name == "arguments_are_left_alone"]
    outcome = search(squared_error(adapted(LossThatWrites, **TARGETS)), item, quiet(3), seed=0)
    assert outcome.failure
    assert outcome.failure.sentence == "forward changes targets"
    assert_shows(outcome.failure, outcome.script, {"LossThatWrites": LossThatWrites})


def test_constants_may_be_among_the_inputs():
    right(replace(squared_error(Loss), inputs=("targets",)))


def test_arguments_that_do_not_fit_are_said():
    with pytest.raises(
        SpecError, match=r'takes \(prediction, target\), .* adapted\(Loss, forward="forward\(x, targets\)"'
    ):
        check(squared_error(Loss), examples=1)
    with pytest.raises(SpecError, match=r'backprop should take dLdy, .* write "backward\(dLdy\)"'):
        check(squared_error(adapted(Loss, **TARGETS), reduction="none"), examples=1)
    with pytest.raises(SpecError, match="forward may use x, targets, but uses target"):
        check(squared_error(adapted(Loss, forward="forward(x, target)")), examples=1)
    with pytest.raises(SpecError, match="one_image=True is for layers of one input and one output"):
        check(replace(residual_add(adapted(Loss, one_image=True)), batch_independent=True), examples=1)


class TorchLike(LstmCell):
    """A cell as of torch: states in a tuple, W (4 k, d)."""

    mistake = 1.0
    weight: Any

    def __call__(self, x, states):
        self.given = (x, *states)
        self.W = self.weight.T
        return super().forward(x, *states)

    def backward(self, upstream):
        dLdx, dLdh, dLdc, dLdW, *others = super().backprop(*self.given, upstream[0], self.mistake * upstream[1])
        return dLdx, dLdh, dLdc, dLdW.T, *others


def test_states_may_be_in_a_tuple_and_other_options_combine_with_them():
    options: Any = {
        "forward": "__call__(x, (h, c))", "backprop": "backward((dLdh_next, dLdc_next))",
        "parameters": {"W": "weight"}, "layout": {"W": "io -> oi"},
    }  # fmt: skip
    right(lstm_cell(adapted(TorchLike, **options)))
    mistaken = type("TorchLike", (TorchLike,), {"mistake": 2.0})
    script = shown(lstm_cell(adapted(mistaken, **options)), TorchLike=mistaken)
    assert "h_next, c_next = layer(x, (h, c))" in script
