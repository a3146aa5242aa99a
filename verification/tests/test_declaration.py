"""Declarations as people write them: what they say holds, whatever the layer does, and what does not fit is said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from verification import (
    Case,
    LayerSpec,
    SpecError,
    batch_normalization,
    check,
    check_at,
    convolution,
    convolution2d,
    dense,
    elementwise,
    group_normalization,
    layer_normalization,
    relu,
    transposed_convolution2d,
    verify,
)
from verification.catalogue import SECTIONS
from verification.declaration import examine
from verification.strategies import cases, real_arrays, shapes, whole_arrays

THOROUGH = settings().max_examples > 100
"""By default one spec stands for all; `thorough` takes all."""

READY = [
    dense,
    convolution,
    convolution2d,
    transposed_convolution2d,
    batch_normalization,
    layer_normalization,
    group_normalization,
]
VARIANTS = {section.spec: section.variants[0] for section in SECTIONS}


class Tanh:
    def forward(self, x):
        return np.tanh(x)

    def backprop(self, x, dLdy):
        return dLdy * (1 - np.tanh(x) ** 2)


class WrongTanh(Tanh):
    def backprop(self, x, dLdy):
        return dLdy * (1 - np.tanh(x))


tanh = LayerSpec(
    name="tanh",
    make=Tanh,
    cases=cases(x=real_arrays(shapes(2))),
    reference=lambda x: 1 - 2 / (np.exp(2 * x) + 1),
    rtol=1e-9,
    rtol_reason="tanh and its derivative err by rounding alone, a few units of 1e-16",
)


@pytest.mark.parametrize("ready", READY if THOROUGH else READY[:1])
def test_a_layer_without_dLdx_is_verified_and_what_it_gets_wrong_is_explained(ready):
    right: Any = VARIANTS[ready]

    class First(right):  # type: ignore[misc]
        def backprop(self, x, dLdy):
            return super().backprop(x, dLdy)[1:]

    class Averaged(First):
        def backprop(self, x, dLdy):
            first, second = super().backprop(x, dLdy)
            return first / len(x), second

    spec = replace(ready(First), realistic=None, gradients=ready(First).parameters)
    assert check(spec, examples=8).passed
    report = check(replace(spec, make=Averaged), examples=8)
    sentences = [why.sentence for cause in report.causes for why in cause.why]
    assert any("batch size" in sentence for sentence in sentences), report


def test_a_name_may_be_any_text():
    assert check(replace(tanh, name="my tanh (2nd)"), examples=3).passed
    report = check(replace(tanh, name="my tanh (2nd)", make=WrongTanh), examples=10)
    assert str(report).startswith("my tanh (2nd): failed")


class Dense:
    W = b = np.zeros(0)

    def forward(self, x):
        return x @ self.W + self.b

    def backprop(self, x, dLdy):
        return dLdy @ self.W.T, x.T @ dLdy, dLdy.sum(axis=0)


def not_to_be_made(**settings):
    raise AssertionError("the layer was called before its declaration was found wanting")


dense3 = LayerSpec(
    name="dense of 3 features",
    make=Dense,
    cases=cases(x=whole_arrays((4, 3)), W=whole_arrays((3, 2)), b=whole_arrays((2,))),
    reference=lambda x, W, b: np.tensordot(x, W, 1) + b,
    parameters=("W", "b"),
    affine_in=("x", "W", "b"),
)
rectified = LayerSpec(
    name="relu",
    make=Dense,
    cases=cases(x=whole_arrays(shapes(2))),
    reference=lambda x: np.maximum(x, 0),
    piecewise_linear=True,
    kinks=(0.0,),
)


@st.composite
def of_one_seed(draw):
    return Case({"x": draw(real_arrays(shapes(2)))})


def missing_names(inputs, W, b):
    return inputs @ W + b


UNFIT = {
    "no W": (
        dense3,
        {"cases": cases(x=whole_arrays((4, 3)), b=whole_arrays((2,)))},
        ["cases should give an array W, which parameters names", "gives x, b", "cases(W=...)"],
    ),
    "no x": (tanh, {"cases": cases(y=real_arrays((2,)))}, ["cases should give an array x", "gives y"]),
    "other names": (
        dense3,
        {"reference": missing_names},
        ["reference should take x, W, b by these names", "reference(inputs, W, b)", "missing a required argument"],
    ),
    "a setting that reference does not take": (
        dense3,
        {"cases": cases({"rate": st.just(1)}, x=whole_arrays((4, 3)), W=whole_arrays((3, 2)), b=whole_arrays((2,)))},
        ["reference should take x, W, b, rate by these names", "unexpected keyword argument 'rate'"],
    ),
    "shapes that do not fit": (
        dense3,
        {"cases": cases(x=whole_arrays((4, 3)), W=whole_arrays((4, 2)), b=whole_arrays((2,)))},
        ["reference should work for every case, but raised ValueError", "x of shape (4, 3), W of shape (4, 2)"],
    ),
    "relu as affine": (
        rectified,
        {"piecewise_linear": False, "affine_in": ("x",), "kinks": ()},
        ["affine_in names x, so reference should be affine in it", "piecewise_linear"],
    ),
    "a square as affine in W": (
        dense3,
        {"reference": lambda x, W, b: x @ W**2 + b},
        ["affine_in names W, so reference should be affine in it", "leave W out of affine_in"],
    ),
    "a square as piecewise linear": (
        rectified,
        {"reference": lambda x: np.maximum(x, 0) ** 2},
        ["piecewise_linear is declared, so reference should be linear", "rtol and rtol_reason"],
    ),
    "not a strategy": (tanh, {"cases": of_one_seed}, ["cases should be a strategy of cases", "cases=of_one_seed()"]),
    "not cases": (tanh, {"cases": real_arrays((2,))}, ["cases should give Case objects", "gives ndarray"]),
    "an array for a strategy": (
        tanh,
        {"cases": cases(x=np.zeros(3))},
        ["cases cannot be drawn", "x", "Expected a SearchStrategy"],
    ),
    "a list for an array": (
        tanh,
        {"cases": cases(x=st.just([1.0]))},
        ["cases should give NumPy arrays, but x is list [1.0]"],
    ),
    "integers": (
        tanh,
        {"cases": cases(x=whole_arrays((2,)).map(lambda x: x.astype(int)))},
        ["cases should give float64 arrays, but x is int64"],
    ),
    "fractions where exact": (
        dense3,
        {"cases": cases(x=real_arrays((4, 3)), W=whole_arrays((3, 2)), b=whole_arrays((2,)))},
        ["cases should give whole numbers, since rtol is 0", "x has", "whole_arrays"],
    ),
    "one seed for all": (tanh, {"cases": of_one_seed()}, ["cases should give each case a seed", "all have 2"]),
    "a reference that returns a list": (
        tanh,
        {"reference": lambda x: x.tolist()},
        ["reference should return an array of real numbers, but returned list"],
    ),
    "a batch that is one": (
        tanh,
        {"reference": lambda x: x - x.mean(axis=0), "cases": cases(x=real_arrays((4, 3)))},
        ["reference should give for one image alone what it gives for it in a batch", "batch_independent=False"],
    ),
    "a loss": (
        tanh,
        {"reference": lambda x: (x**2).sum()},
        ["reference should give a row of y for each image of x", "y has shape ()", "batch_independent=False"],
    ),
    "terms": (dense3, {"terms": lambda **_: 2.5}, ["terms should return the number of products", "float 2.5"]),
    "magnitude": (
        dense3,
        {"magnitude": lambda **_: np.zeros(3)},
        ["magnitude should return a bound of the shape of y, (4, 2), not (3,)"],
    ),
    "names of a gradient": (
        dense3,
        {"gradient": lambda dLdy, x, W, b: {"x": dLdy @ W.T, "W": x.T @ dLdy}},
        ["gradient should return that of b too, but returned those of x, W"],
    ),
    "shape of a gradient": (
        dense3,
        {"gradient": lambda dLdy, x, W, b: {"x": dLdy @ W.T, "W": (x.T @ dLdy).T, "b": dLdy.sum(0)}},
        ["gradient should give for W the shape of W, (3, 2), but gave (2, 3)"],
    ),
    "a gradient of something else": (
        dense3,
        {"gradient": lambda dLdy, x, W, b: {"x": dLdy @ W.T, "W": x.T @ dLdy, "b": dLdy.mean(0)}},
        ["gradient should be that of reference, but for b"],
    ),
    "a wrong gradient of a smooth layer": (
        tanh,
        {"gradient": lambda dLdy, x: {"x": dLdy * (1 - np.tanh(x))}},
        ["gradient should be that of reference, but for x"],
    ),
    "a gradient without dLdy": (
        tanh,
        {"gradient": lambda x: {"x": x}},
        ["gradient should take dLdy, x by these names", "unexpected keyword argument 'dLdy'"],
    ),
    "dLdy of another shape": (
        dense3,
        {"cases": cases(x=whole_arrays((4, 3)), W=whole_arrays((3, 2)), b=whole_arrays((2,)), dLdy=whole_arrays((2,)))},
        ["cases should give a dLdy of the shape of y, (4, 2), but gives one of shape (2,)"],
    ),
    "kinks of a maximum over rows": (
        rectified,
        {"reference": lambda x: x.max(axis=1)},
        ["kinks are of a layer that acts entry by entry", "y has shape"],
    ),
    "extremes without W": (
        dense3,
        {"extremes": cases(x=whole_arrays((4, 3)))},
        ["extremes should give an array W, which parameters names"],
    ),
    "realistic without b": (
        dense3,
        {"realistic": Case({"x": np.zeros((4, 3)), "W": np.zeros((3, 2))})},
        ["realistic should give an array b"],
    ),
}


@pytest.mark.parametrize(("spec", "changed", "said"), UNFIT.values(), ids=list(UNFIT))
def test_what_does_not_fit_is_said_before_the_layer_is_called(spec, changed, said):
    examine(spec)
    with pytest.raises(SpecError) as raised:
        check(replace(spec, make=not_to_be_made, **changed))
    assert [part for part in said if part not in str(raised.value)] == []


@pytest.mark.parametrize(
    ("spec", "changed", "said"),
    [
        (tanh, {"parameters": "gamma"}, "parameters should be a tuple of names, but is the text 'gamma'"),
        (tanh, {"parameters": ("x",)}, "parameters and constants should not name x"),
        (tanh, {"affine_in": ("w",)}, r"affine_in should name arguments .* but has \['w'\]"),
        (tanh, {"gradients": ("w",)}, r"gradients should name arguments .* but has \['w'\]"),
        (replace(dense3, gradients=("W", "b")), {"kinks": (0.0,)}, "kinks are of dLdx, which gradients should name"),
        (tanh, {"rtol": -1.0}, "rtol should be at least 0"),
        (tanh, {"rtol_reason": ""}, "rtol_reason"),
        (tanh, {"piecewise_linear": True}, "checked exactly"),
        (tanh, {"extremes": tanh.cases}, "extremes should come with a gradient"),
    ],
)
def test_fields_that_contradict_each_other_are_named(spec, changed, said):
    with pytest.raises(SpecError, match=said):
        replace(spec, **changed)


def test_names_may_be_a_list():
    names: Any = ["W", "b"]
    assert replace(dense3, parameters=names).parameters == ("W", "b")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.spec.__name__)
def test_ready_declarations_hold(section):
    examine(section.spec(not_to_be_made))


def test_a_case_by_hand_is_examined_too():
    with pytest.raises(SpecError, match="realistic should give an array W"):
        check_at(replace(dense3, make=not_to_be_made), Case({"x": np.zeros((4, 3))}))


def test_an_item_of_verify_fails_with_what_does_not_fit():
    spec = replace(dense3, make=not_to_be_made, reference=missing_names)
    item = next(iter(verify(spec).pytestmark)).args[1][0].values[0]
    with pytest.raises(
        pytest.fail.Exception, match="dense of 3 features: reference should take x, W, b by these names"
    ):
        verify(spec)(item)


class Power:
    def __init__(self, power):
        self.power = power

    def forward(self, x):
        return x**self.power

    def backprop(self, x, dLdy):
        return dLdy * self.power * x ** (self.power - 1)


def cube(x, power):
    return x**power


def slope_of_cube(x, power):
    return power * x ** (power - 1)


wrongly: Any = {"check": check, "verify": verify, "check_at": check_at, "elementwise": elementwise, "replace": replace}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: wrongly["check"](Tanh), r"check takes a spec, .* but was given Tanh: write check\(relu\(Tanh\)\)"),
        (
            lambda: wrongly["verify"](Tanh()),
            r"verify takes a spec, .* but was given Tanh: write verify\(relu\(Tanh\)\)",
        ),
        (
            lambda: wrongly["check"](relu),
            r"check takes a spec, but was given the function relu: call it, check\(relu\(MyLayer\)\)",
        ),
        (lambda: wrongly["check_at"](Tanh, Case({"x": np.zeros(1)})), r"check_at takes a spec, .* but was given Tanh"),
        (lambda: wrongly["replace"](tanh, kinks=0), r"kinks should be a tuple of numbers, but is 0: write \(0,\)"),
        (
            lambda: wrongly["elementwise"](Tanh, np.tanh, np.tanh, kinks=1.5),
            r"kinks should be .* is 1.5: write \(1.5,\)",
        ),
        (
            lambda: wrongly["elementwise"](Power, cube, slope_of_cube),
            r"f should take x, .* f\(x, power\): .* settings={",
        ),
        (lambda: wrongly["elementwise"](Power, np.exp, slope_of_cube), r"derivative should take x, .* settings={"),
        (
            lambda: wrongly["elementwise"](Power, cube, slope_of_cube, settings={"power": 3}),
            r"settings should give .* power.* 3: write \(3,\)",
        ),
    ],
)
def test_what_a_spec_or_a_field_is_taken_for_is_said(call, said):
    with pytest.raises(SpecError, match=said):
        call()
    assert check(elementwise(Power, cube, slope_of_cube, settings={"power": (2, 3)}), examples=3).passed


@pytest.mark.parametrize("formula", [True, False])
def test_one_case_of_a_smooth_layer_is_checked_at_any_size(formula):
    class Product:
        W = np.zeros(0)

        def forward(self, x):
            return np.tanh(x * self.W)

        def backprop(self, x, dLdy):
            u = dLdy / np.cosh(x * self.W) ** 2
            return u * self.W, (u * x).sum(axis=0)

    class Wrong(Product):
        def backprop(self, x, dLdy):
            dLdx, dLdW = super().backprop(x, dLdy)
            return dLdx, dLdW * (1 + 1e-5)

    def gradient(dLdy, x, W):
        u = dLdy * (1 - np.tanh(x * W) ** 2)
        return {"x": u * W, "W": np.sum(u * x, axis=0)}

    drawn = shapes(2).flatmap(lambda s: cases(x=real_arrays(s), W=real_arrays(s[1:])))
    spec = replace(
        tanh, make=Product, parameters=("W",), gradients=("x", "W"), cases=drawn, reference=lambda x, W: np.tanh(x * W),
        gradient=gradient if formula else None,
    )  # fmt: skip
    case = Case({"x": np.linspace(-1, 1, 48).reshape(16, 3), "W": np.array([1.0, -0.5, 0.25])})
    assert check_at(spec, case).passed
    (failure,) = check_at(replace(spec, make=Wrong), case).failures
    assert failure.name == "backprop_matches_directional_differences"
    assert failure.message.startswith("dLdW is wrong")


def test_gradients_of_parameters_are_sums_or_means():
    other: Any = "avg"
    with pytest.raises(SpecError, match="parameter_gradients should be 'sum' or 'mean', but is 'avg'"):
        replace(dense(object), parameter_gradients=other)
