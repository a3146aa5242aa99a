"""Restrictions: keywords of the ready specs, where(), no bias, no backprop. What is tried obeys them, and nothing else."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import verification
from verification import SpecError, check, convolution2d, dense, leaky_relu, max_pooling2d, relu, verify
from verification.adapters import functions
from verification.case import small, whole
from verification.catalogue import SECTIONS
from verification.construction import misfit, passed
from verification.drawing import sample
from verification.properties import properties
from verification.script import literal
from verification.strategies import ordered
from verification.trial import Trial

pytestmark = pytest.mark.usefixtures("verdict_only")

RIGHT: dict[str, Any] = {section.spec.__name__: section.variants[0] for section in SECTIONS}
THOROUGH = settings().max_examples > 100
DRAWN = 200 if THOROUGH else 12
RIGHT["softmax_cross_entropy"] = RIGHT["softmax_cross_entropy_mean"]


@pytest.fixture
def few(monkeypatch):
    """Look for a case that satisfies a condition among fewer."""
    monkeypatch.setattr("verification.spec.MANY", 150)


def x(case):
    return case.arrays["x"].shape


def setting(**expected):
    return lambda case: all(case.settings[name] == value for name, value in expected.items())


EACH_SPEC = [
    ("convolution", {"filter_width": 3, "batch": [1, 4]}, lambda c: setting(filter_width=3)(c) and x(c)[0] in (1, 4)),
    ("convolution", {"input_size": 7, "height": range(4, 7)}, lambda c: x(c)[2] == 7 and x(c)[3] in (4, 5, 6)),
    ("convolution", {"square": True}, lambda c: len({*x(c)[2:]}) == len({*c.arrays["W"].shape[2:]}) == 1),
    ("max_pooling", {"stride": 2, "pool_size": [2, 3]}, lambda c: setting(stride=2)(c) and c.settings["pool_size"] > 1),
    ("max_pooling", {"square": True, "channels": 5}, lambda c: x(c)[1] == 5 and x(c)[2] == x(c)[3]),
    ("convolution2d", {"stride": 1, "padding": 0, "groups": 1, "square": True, "batch": 1},
     lambda c: setting(stride=(1, 1), padding=(0, 0), groups=1)(c) and x(c)[0] == 1 and x(c)[2] == x(c)[3]
     and all(len({*c.settings[name]}) == 1 for name in ("kernel_size", "dilation"))),
    ("convolution2d", {"kernel_size": (3, 5), "in_channels": 4, "height": 12},
     lambda c: setting(kernel_size=(3, 5), in_channels=4)(c) and x(c)[1] == 4 and x(c)[2] == 12),
    ("transposed_convolution2d", {"stride": 2, "output_padding": 1}, setting(stride=(2, 2), output_padding=(1, 1))),
    ("transposed_convolution2d", {"out_channels": 4, "square": True},
     lambda c: setting(out_channels=4)(c) and x(c)[2] == x(c)[3]),
    ("max_pooling2d", {"kernel_size": [2, (3, 2)], "padding": 1},
     lambda c: c.settings["kernel_size"] in ((2, 2), (3, 2)) and setting(padding=(1, 1))(c)),
    ("max_pooling2d", {"square": True, "width": 6}, lambda c: x(c)[2] == x(c)[3] == 6),
    ("average_pooling2d", {"count_include_pad": False, "stride": [1, 3]},
     lambda c: setting(count_include_pad=False)(c) and {*c.settings["stride"]} <= {1, 3}),
    ("global_max_pooling", {"height": 7}, lambda c: x(c)[2] == 7),
    ("global_average_pooling", {"square": True, "batch": 5}, lambda c: x(c)[0] == 5 and x(c)[2] == x(c)[3]),
    ("dense", {"in_features": 8, "batch": range(2, 4)}, lambda c: x(c)[1] == 8 and x(c)[0] in (2, 3)),
    ("flatten", {"rank": 4, "channels": 2}, lambda c: len(x(c)) == 4 and x(c)[1] == 2),
    ("dropout", {"keep": 0.8, "rank": 2}, lambda c: len(x(c)) == 2 and setting(keep=0.8)(c)),
    ("relu", {"rank": [2, 4]}, lambda c: len(x(c)) in (2, 4)),
    ("leaky_relu", {"slope": 0.5}, setting(slope=0.5)),
    ("leaky_relu", {"slope": 0.01, "batch": 2}, lambda c: setting(slope=0.01)(c) and x(c)[0] == 2),
    ("elu", {"alpha": 1.0}, setting(alpha=1.0)),
    ("gelu", {"approximate": "tanh"}, setting(approximate="tanh")),
    *[(name, {"batch": 2, "rank": 3}, lambda c: len(x(c)) == 3 and x(c)[0] == 2)
      for name in ("sigmoid", "tanh", "softplus", "selu", "swish", "softsign", "mish", "hard_tanh",
                   "hard_sigmoid")],
    ("softmax", {"classes": 10}, lambda c: x(c)[1] == 10),
    ("softmax_cross_entropy", {"classes": [2, 10]}, lambda c: x(c)[1] in (2, 10)),
    ("batch_normalization", {"eps": 1e-5, "rank": 4, "num_features": 2},
     lambda c: len(x(c)) == 4 and x(c)[1] == 2 and setting(eps=1e-5)(c)),
    ("batch_normalization", {"batch": 1}, lambda c: x(c)[0] == 1),
    ("layer_normalization", {"num_features": 5, "eps": [1e-3, 1e-6]},
     lambda c: x(c)[-1] == 5 and c.settings["eps"] in (1e-3, 1e-6)),
    ("group_normalization", {"num_groups": 2, "num_features": 4}, setting(num_groups=2, num_features=4)),
    ("convolution1d", {"stride": 2, "padding": [0, 3], "in_channels": 4},
     lambda c: setting(stride=2, in_channels=4)(c) and c.settings["padding"] in (0, 3)),
    ("convolution1d", {"width": 9, "groups": 1}, lambda c: setting(groups=1)(c) and x(c)[2] == 9),
    ("convolution3d", {"kernel_size": (2, 1, 3), "depth": 4, "stride": 1},
     lambda c: setting(kernel_size=(2, 1, 3), stride=(1, 1, 1))(c) and x(c)[2] == 4),
    ("convolution3d", {"square": True, "out_channels": 2},
     lambda c: len({*x(c)[2:]}) == len({*c.settings["kernel_size"]}) == 1 and setting(out_channels=2)(c)),
    ("max_pooling1d", {"kernel_size": [2, 5], "width": 8}, lambda c: c.settings["kernel_size"] in (2, 5) and x(c)[2] == 8),
    ("max_pooling3d", {"stride": (1, 2, 2), "channels": 3}, lambda c: setting(stride=(1, 2, 2))(c) and x(c)[1] == 3),
    ("max_pooling3d", {"square": True, "width": 3}, lambda c: x(c)[2:] == (3, 3, 3)),
    ("average_pooling1d", {"count_include_pad": True, "batch": 3},
     lambda c: setting(count_include_pad=True)(c) and x(c)[0] == 3),
    ("average_pooling3d", {"kernel_size": 2, "height": range(3, 5)},
     lambda c: setting(kernel_size=(2, 2, 2))(c) and x(c)[3] in (3, 4)),
    ("upsampling2d", {"scale_factor": 4, "square": True}, lambda c: setting(scale_factor=4)(c) and x(c)[2] == x(c)[3]),
    ("pixel_shuffle", {"upscale_factor": [1, 2], "channels": 3},
     lambda c: x(c)[1] == 3 * c.settings["upscale_factor"] ** 2 and c.settings["upscale_factor"] < 3),
    ("zero_padding2d", {"top": 1, "left": [0, 3], "batch": 2},
     lambda c: setting(top=1)(c) and c.settings["left"] in (0, 3) and x(c)[0] == 2),
    ("embedding", {"num_embeddings": 9, "rank": 2, "steps": [2, 5]},
     lambda c: setting(num_embeddings=9)(c) and len(x(c)) == 2 and x(c)[1] in (2, 5)),
    *[(name, {"batch": 3, "features": range(2, 7)}, lambda c: x(c)[0] == 3 and 2 <= x(c)[1] < 7)
      for name in ("squared_error", "hinge", "binary_cross_entropy", "binary_cross_entropy_with_logits")],
    ("absolute_error", {"features": 8}, lambda c: x(c)[1] == 8),
    ("negative_log_likelihood", {"classes": 10, "batch": [2, 8, 16]}, lambda c: x(c)[1] == 10 and x(c)[0] in (2, 8, 16)),
    ("log_softmax", {"classes": 10}, lambda c: x(c)[1] == 10),
    *[(name, {"features": 6, "rank": 3}, lambda c: x(c)[2] == 6 and len(x(c)) == 3)
      for name in ("l1_normalization", "l2_normalization")],
    ("rms_normalization", {"eps": 1e-5, "steps": 4}, lambda c: setting(eps=1e-5)(c) and x(c)[1] == 4),
    *[(name, {"rank": 3, "height": [2, 5]}, lambda c: x(c)[2:] in ((2,), (5,))) for name in ("residual_add", "multiply")],
    ("attention", {"keys": 5, "values": 2}, lambda c: c.arrays["v"].shape[1:] == (5, 2)),
    *[(name, {"hidden_size": 5, "batch": 1}, lambda c: setting(hidden_size=5)(c) and x(c)[0] == 1)
      for name in ("rnn_cell", "gru_cell", "lstm_cell")],
    *[(name, {"steps": [1, 5], "input_size": 2}, lambda c: setting(input_size=2)(c) and x(c)[1] in (1, 5))
      for name in ("rnn", "gru", "lstm")],
    ("own_mask_dropout", {"keep": 0.8, "batch": 5}, lambda c: setting(keep=0.8)(c) and x(c)[0] == 5),
]  # fmt: skip

VARIANTS = {f"{name}_{reduction}" for name in ("squared_error", "softmax_cross_entropy")
            for reduction in ("mean", "sum", "none")}  # fmt: skip
"""Sections of one ready spec each, `reduction` aside."""


def test_each_ready_spec_stands_in_the_table():
    ready = {section.spec.__name__ for section in SECTIONS} - VARIANTS
    assert {name for name, *_ in EACH_SPEC} == {*ready, "softmax_cross_entropy"}


@pytest.mark.parametrize(("name", "only", "obeys"), EACH_SPEC)
def test_all_cases_obey_the_keywords(name, only, obeys):
    spec = getattr(verification, name)(RIGHT[name], **only)
    drawn = sample(spec.cases, DRAWN, 0)
    assert len(drawn) == DRAWN
    extremes = [] if spec.extremes is None else sample(spec.extremes, 200 if THOROUGH else 5, 0)
    realistic = [] if spec.realistic is None else [spec.realistic]
    assert realistic or spec.rtol or not spec.deterministic
    for case in [*drawn, *extremes, *realistic]:
        assert obeys(case), case
    # What is not restricted still differs.
    assert len({tuple((name, array.shape) for name, array in case.arrays.items()) for case in drawn}) > 2


@pytest.mark.parametrize(("name", "only"), [row[:2] for row in (EACH_SPEC if THOROUGH else EACH_SPEC[::6])])
def test_a_right_layer_passes_under_the_keywords_and_the_report_says_them(name, only):
    spec = getattr(verification, name)(RIGHT[name], **only)
    report = check(replace(spec, realistic=None), examples=2)
    assert report.passed, report
    said = ", ".join(f"{keyword}={value!r}" for keyword, value in only.items())
    assert report.restrictions == (f"Tried only where {said}",)
    assert f"Tried only where {said}\n" in str(report)


def test_a_spec_without_keywords_says_nothing_of_restrictions():
    report = check(dense(RIGHT["dense"]), examples=2)
    assert report.restrictions == ()
    assert "restrictions" not in report.to_dict()


class Plain:
    """A convolution that takes neither stride, padding, dilation nor groups."""

    W: Any
    b: Any

    def __init__(self, in_channels, out_channels, kernel_size):
        self.kernel_size = kernel_size

    def windows(self, x):
        return np.lib.stride_tricks.sliding_window_view(x, self.kernel_size, axis=(2, 3))

    def forward(self, x):
        return np.einsum("nchwij,fcij->nfhw", self.windows(x), self.W) + self.b[:, np.newaxis, np.newaxis]

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape, dLdy.dtype)
        for i, j in np.ndindex(self.W.shape[2:]):
            moved = np.s_[:, :, i : i + dLdy.shape[2], j : j + dLdy.shape[3]]
            dLdx[moved] += np.einsum("nfhw,fc->nchw", dLdy, self.W[:, :, i, j])
        return dLdx, np.einsum("nchwij,nfhw->fcij", self.windows(x), dLdy), dLdy.sum(axis=(0, 2, 3))


class Flipped(Plain):
    def backprop(self, x, dLdy):
        dLdx, dLdW, dLdb = Plain.backprop(self, x, dLdy)
        return dLdx, dLdW[..., ::-1, ::-1], dLdb


NEITHER = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}


def test_a_setting_that_is_fixed_is_passed_only_to_a_constructor_that_takes_it():
    report = check(convolution2d(Plain, **NEITHER), examples=20)
    assert report.passed, report
    said = "Not passed on, for lack of a parameter of that name: stride, padding, dilation, groups"
    assert report.restrictions[1] == said
    with pytest.raises(SpecError, match=r"takes \(in_channels, out_channels, kernel_size\), the suite calls it with"):
        check(convolution2d(Plain, stride=1, padding=0, dilation=1, groups=[1, 2]))


@pytest.mark.parametrize("more", [{}, {"square": True, "batch": 2}])
def test_a_planted_bug_is_found_under_a_restriction_and_the_script_makes_the_call_as_it_was(more):
    report = check(convolution2d(Flipped, **NEITHER, **more), examples=20)
    assert "backprop_is_the_adjoint" in {item.name for item in report.failures}
    found: Any = next(cause for cause in report.causes if cause.property_name == "backprop_is_the_adjoint")
    (made,) = [line for line in found.counterexample.script.splitlines() if "Flipped(" in line]
    assert made.startswith("layer = Flipped(in_channels=")
    assert "kernel_size=(" in made
    assert not any(f"{name}=" in made for name in NEITHER)


def leaky(x, slope):
    return np.where(x > 0, x, slope * x)


def leaky_gradient(x, dLdy, slope):
    return np.where(x > 0, dLdy, slope * dLdy)


def leaky_by_itself(x):
    return leaky(x, 0.01)


def leaky_gradient_by_itself(x, dLdy):
    return leaky_gradient(x, dLdy, 0.01)


@pytest.mark.parametrize("pair", [(leaky, leaky_gradient), (leaky_by_itself, leaky_gradient_by_itself)])
def test_an_adapted_function_gets_a_fixed_setting_if_it_takes_it(pair):
    assert check(leaky_relu(functions(*pair), slope=0.01), examples=10).passed
    assert not check(leaky_relu(functions(*pair), slope=0.02), examples=10).passed or pair[0] is leaky


class OneNumber(Plain):
    """A convolution with square filters, whose side is one number."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1):
        assert stride == 1
        super().__init__(in_channels, out_channels, (kernel_size, kernel_size))


def test_square_settings_are_passed_as_one_number_to_a_layer_that_takes_one():
    report = check(convolution2d(OneNumber, **NEITHER, square=int), examples=20)
    assert report.passed, report
    assert report.restrictions[0].endswith("groups=1, square=True")
    wrong = type("Wrong", (OneNumber,), {"backprop": Flipped.backprop, "__init__": OneNumber.__init__})
    found: Any = check(convolution2d(wrong, **NEITHER, square=int, kernel_size=2), examples=20).causes[0]
    assert "kernel_size=2, stride=1)" in found.counterexample.script


def in_order(channels, filters, k, s, p): ...


def with_a_momentum(channels, momentum=0.9): ...


def of_another_name(kernel_size, strides=1): ...


def of_anything(**settings): ...


SETTINGS = dict.fromkeys(["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation"], 1)


@pytest.mark.parametrize(
    ("make", "settings", "fixed", "kept"),
    [
        (Plain, SETTINGS, ["stride", "padding", "dilation"], 3),
        (Plain, SETTINGS, ["in_channels", "stride", "padding", "dilation"], 3),
        (in_order, SETTINGS, ["padding", "dilation"], 5),
        (in_order, SETTINGS, ["in_channels", "dilation"], 5),
        (with_a_momentum, {"num_features": 3, "eps": 1e-5}, ["eps"], 1),
        (of_anything, SETTINGS, ["stride"], 6),
        (lambda slope: None, {"slope": 0.5}, ["slope"], 1),
        (lambda: None, {"slope": 0.5}, ["slope"], 0),
        (lambda negative_slope: None, {"slope": 0.5}, ["slope"], 1),
    ],
)
def test_what_is_passed_to_a_constructor(make, settings, fixed, kept):
    assert list(passed(make, settings, tuple(fixed))) == list(settings)[:kept]
    assert not misfit(make, tuple(settings), tuple(fixed))


def test_a_parameter_that_may_be_the_fixed_setting_under_another_name_is_no_fit():
    assert "takes (kernel_size, strides)" in misfit(of_another_name, ("kernel_size", "stride"), ("stride",))


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ({"strides": 1}, "convolution2d has no keyword strides: it has batch, groups, kernel_size, stride, padding, dil"),
        ({"stride": 0}, "stride should be a whole number of at least 1, or a pair (height, width) of these, but it is 0"),
        ({"groups": (1, 3)}, "groups should be a whole number of at least 1, but it is (1, 3); from 1 to 3 is range(1, 4)"),
        ({"batch": []}, "batch should be a whole number of at least 1, but it is []; a list or range of such values draws"),
        ({"batch": True}, "batch should be a whole number of at least 1, but it is True"),
        ({"padding": [0, -1]}, "padding should be a whole number of at least 0, or a pair"),
        ({"square": 3}, "square should be True or False, but it is 3"),
        ({"bias": "no"}, "bias should be True or False, but it is 'no'"),
        ({"gradients": ("V",)}, "gradients should name arguments of the layer"),
    ],
)  # fmt: skip
def test_a_keyword_that_does_not_fit_is_refused(only, said):
    with pytest.raises(SpecError) as refused:
        convolution2d(Plain, **only)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "only", [{"stride": (1, 2), "square": True}, {"kernel_size": 1, "padding": 1}][: 2 if THOROUGH else 1]
)
def test_values_that_do_not_fit_together_are_refused(only, few):
    said = ", ".join(f"{name}={value!r}" for name, value in only.items())
    with pytest.raises(SpecError) as refused:
        check(max_pooling2d(RIGHT["max_pooling2d"], **only))
    assert str(refused.value).startswith(f"no case satisfies {said}")


def rare(case):
    """Holds of one case in fifty: of four batch sizes one, of 25 shapes of W two."""
    return len(case.arrays["x"]) == 2 and case.arrays["W"].shape in ((4, 5), (5, 4))


def test_a_rare_condition_gives_as_many_examples_and_the_same_report_for_the_same_seed():
    spec = dense(RIGHT["dense"]).where(rare)
    first, second = (check(spec, examples=8, seed=4) for _ in range(2))
    assert first == second
    assert first.passed
    assert {item.examples for item in first.properties} == {8}
    drawn = sample(spec.cases, 20, 0)
    assert len(drawn) == 20
    assert all(map(rare, drawn))
    assert spec.realistic is None
    (said,) = first.restrictions
    excluded, of = (int(word) for word in said.split() if word.isdecimal())
    assert said == f"where(rare) excluded {excluded} of {of} drawn cases"
    assert of - excluded == 8
    assert 50 < excluded < 3000
    assert json.loads(json.dumps(first.to_dict()))["restrictions"] == [said]


def test_where_finds_what_is_wrong_within_it_and_nothing_else():
    layer = RIGHT["dense"]
    Wrong = type("Wrong", (layer,), {"forward": lambda self, x: layer.forward(self, x) + (len(self.W) == 3)})
    wrong = check(dense(Wrong).where(lambda case: case.settings["in_features"] == 3), examples=10)
    assert not wrong.passed
    (said,) = wrong.restrictions
    assert said.startswith("where(<lambda at test_restriction.py:")
    right = check(dense(Wrong).where(lambda case: case.settings["in_features"] != 3), examples=30)
    assert right.passed, right
    assert right.restrictions


def test_the_simplest_case_that_hypothesis_repeats_is_excluded_once_or_twice():
    spec = relu(RIGHT["relu"]).where(lambda case: case.arrays["x"].any())
    (said,) = check(spec, examples=10).restrictions
    assert int(said.partition("excluded ")[2].split()[0]) < 10


def test_extreme_cases_obey_where_or_are_left_out(few):
    spec = max_pooling2d(RIGHT["max_pooling2d"])
    small = spec.where(lambda case: case.arrays["x"].size < 9)
    assert small.extremes is not None
    assert all(case.arrays["x"].size < 9 for case in sample(small.extremes, 10, 0))
    assert spec.where(lambda case: case.arrays["x"].min() > -1000).extremes is None
    twice = small.where(lambda case: case.settings["stride"][0] == 1)
    assert len(twice.restrictions) == 2
    assert all(c.arrays["x"].size < 9 and c.settings["stride"][0] == 1 for c in sample(twice.cases, 10, 0))


def test_a_condition_that_nothing_satisfies_or_that_raises_is_an_error_that_says_so(few):
    spec = relu(RIGHT["relu"])
    with pytest.raises(SpecError, match=r"no case satisfies where\(<lambda at test_restriction.py:\d+>\): of 1000"):
        check(spec.where(lambda case: case.arrays["x"].ndim == 7))
    with pytest.raises(SpecError, match=r"raised KeyError: 'slope', for the settings \{\} and x of shape"):
        spec.where(lambda case: case.settings["slope"] > 0)
    with pytest.raises(SpecError, match="where\\(\\) takes a function of a case"):
        spec.where(True)  # type: ignore[arg-type]


class OneImage(Plain):
    """It works for one image at a time only, and with stride 2 only."""

    def __init__(self, in_channels, out_channels, kernel_size, stride):
        super().__init__(in_channels, out_channels, kernel_size)
        assert stride == (2, 2)

    def windows(self, x):
        assert len(x) == 1
        return super().windows(x)

    def forward(self, x):
        return super().forward(x)[:, :, ::2, ::2].copy()

    def backprop(self, x, dLdy):
        apart = np.zeros((*dLdy.shape[:2], *(np.subtract(x.shape, self.W.shape) + 1)[2:]), dLdy.dtype)
        apart[:, :, ::2, ::2] = dLdy
        return super().backprop(x, apart)


def test_a_property_that_needs_what_is_excluded_is_not_judged():
    report = check(convolution2d(OneImage, **{**NEITHER, "stride": 2}, batch=1), examples=10)
    assert report.passed, report
    needs = {item.name: item.message for item in report.properties if item.verdict == "not judged"}
    assert {*needs.values()} == {"needs what the restriction excludes"}
    assert {"batch_items_are_independent", "stride_picks_from_the_output_of_stride_1"} <= {*needs}
    assert "not judged stride picks from the output of stride 1: needs what the restriction excludes" in str(report)


def test_a_slope_that_is_not_exact_is_checked_all_the_same():
    assert check(leaky_relu(RIGHT["leaky_relu"], slope=0.01), examples=20).passed
    wrong = check(leaky_relu(lambda slope: RIGHT["leaky_relu"](0.02), slope=0.01), examples=20)
    assert "forward_matches_reference" in {item.name for item in wrong.failures}


def without_bias(name):
    """The right layer, whose b is zero and no parameter."""
    base = RIGHT[name]

    class Biasless:
        W: Any

        def __init__(self, **settings):
            self.raw = base(**settings)
            self.raw.b = 0 * np.asarray(self.raw.b if hasattr(self.raw, "b") else 0.0)

        def __setattr__(self, name, value):
            if name == "b":
                raise AttributeError("there is no b")
            object.__setattr__(self, name, value)

        def run(self, method, *given):
            shape = (1, -1, 1, 1) if name == "convolution" else (-1,)
            filters = len(self.W) if "convolution" in name else self.W.shape[1]
            vars(self.raw).update({key: value for key, value in vars(self).items() if key != "raw"})
            self.raw.b = np.zeros(filters).reshape(shape)
            return getattr(self.raw, method)(*given)

        def forward(self, x, *states):
            return self.run("forward", x, *states)

        def backprop(self, x, *given):
            return self.run("backprop", x, *given)[:-1]

    return Biasless


@pytest.mark.parametrize(
    "name", ["lstm", "dense", "convolution", "convolution2d", "convolution1d"][: 5 if THOROUGH else 2]
)
def test_a_layer_without_a_bias_passes_and_one_that_adds_something_does_not(name):
    ready, layer = getattr(verification, name), without_bias(name)
    report = check(ready(layer, bias=False), examples=10)
    assert report.passed, report
    assert "dLdb" not in str(report)
    added = type("Added", (layer,), {"forward": lambda self, *given: layer.forward(self, *given) + 1})
    assert not check(ready(added, bias=False), examples=5).passed
    scaled = type("Scaled", (layer,), {"backprop": lambda *given: [2 * array for array in layer.backprop(*given)]})
    assert not check(ready(scaled, bias=False), examples=5).passed


def test_bias_is_a_keyword_of_layers_with_a_bias():
    with pytest.raises(SpecError, match="relu has no keyword bias: it has rank, batch, gradients"):
        relu(RIGHT["relu"], bias=False)


@pytest.mark.parametrize(
    "name",
    ["dense", "convolution", "max_pooling", "relu", "elu", "layer_normalization", "dropout"][:: 1 if THOROUGH else 3],
)
def test_a_layer_without_backprop_is_checked_forward_only(name):
    base = RIGHT[name]

    ready, forward_only = getattr(verification, name), type("Forward", (base,), {"backprop": None})
    report = check(ready(forward_only, gradients=()), examples=5)
    assert report.passed, report
    judged = {item.name for item in report.properties if item.verdict != "not judged"}
    assert {"forward_matches_reference", "arguments_are_left_alone", "history_is_irrelevant"} <= judged
    assert not {name for name in judged if name.startswith(("backprop", "gradient"))}
    wrong = type("Wrong", (forward_only,), {"forward": lambda self, x: base.forward(self, x) * 2})
    assert not check(ready(wrong, gradients=()), examples=5).passed


def test_a_wrong_forward_without_backprop_is_explained(monkeypatch):
    monkeypatch.undo()  # with its explanation
    layer = RIGHT["dense"]
    twice = type("Twice", (layer,), {"forward": lambda self, x: layer.forward(self, x) + self.b, "backprop": None})
    (cause,) = check(dense(twice, gradients=()), examples=20).mistakes
    assert cause.headline == "y has the bias added twice"


def test_the_gradients_may_leave_out_that_of_x():
    layer = RIGHT["dense"]
    first = type("First", (layer,), {"backprop": lambda self, x, u: layer.backprop(self, x, u)[1:]})
    assert check(dense(first, gradients=("W", "b")), examples=10).passed


@pytest.mark.filterwarnings("ignore::verification.HardeningWarning")
def test_verify_takes_a_rare_condition_without_a_health_check(monkeypatch):
    monkeypatch.setattr(
        "verification.spec.DRAWS", 1
    )  # so that what is excluded is rejected, as where it is rarer still
    spec = dense(RIGHT["dense"]).where(lambda case: case.arrays["x"].sum() % 50 == 1)
    verify(spec, examples=5)(collected=properties(spec)[0])


def in_float32(layer, names=("W", "b")):
    """The layer, which takes and gives nothing but float32."""

    def forward(self, x):
        assert {x.dtype, *(getattr(self, name).dtype for name in names)} == {np.dtype(np.float32)}
        return np.asarray(layer.forward(self, x), np.float32)

    def backprop(self, x, dLdy):
        assert x.dtype == dLdy.dtype == np.float32
        returned = layer.backprop(self, x, dLdy)
        return tuple(np.float32(one) for one in returned) if isinstance(returned, tuple) else np.float32(returned)

    return type("InFloat32", (layer,), {"forward": forward, "backprop": backprop})


EXACT = ["convolution", "max_pooling", "average_pooling2d", "global_average_pooling", "leaky_relu", "dropout"]


@pytest.mark.parametrize("name", EXACT[:: 1 if THOROUGH else 3])
def test_a_right_layer_in_float32_passes(name):
    layer = in_float32(RIGHT[name], ("W", "b") if name == "convolution" else ())
    report = check(getattr(verification, name)(layer, dtype=np.float32), examples=15, strict=True)
    assert not report.failures, report


def test_float32_holds_all_sums_of_what_is_drawn():
    for name in (*EXACT, "dense", "convolution2d", "transposed_convolution2d", "max_pooling2d", "flatten", "relu"):
        spec = getattr(verification, name)(RIGHT[name], dtype=np.float32)
        assert spec.realistic
        for case in [*sample(spec.cases, 30 if THOROUGH else 8, 0), spec.realistic]:
            trial = Trial(spec, case)
            largest = {name: abs(array) + 2 * abs(trial.whole(f"v for {name}", array.shape))
                       for name, array in trial.arguments.items() if name not in spec.constants}  # fmt: skip
            sums = [trial.reference(**largest), *trial.gradient(3 * abs(trial.dLdy), **largest).values()]
            assert max(float(np.max(abs(array))) for array in sums) < 2**24
            for array in trial.smooth_arguments().values():
                assert np.array_equal(array.astype(np.float32), array)
            x = trial.smooth_arguments()["x"] + trial.unit * trial.whole("v for x", trial.x.shape)
            assert np.array_equal(x.astype(np.float32), x)


def off_by_a_little(layer, error):
    """Its dLdW has one entry that is off by this part of it."""

    def backprop(self, x, dLdy):
        dLdx, dLdW, dLdb = layer.backprop(self, x, dLdy)
        dLdW.flat[0] *= np.float32(1 + error)
        return dLdx, dLdW, dLdb

    return type("Off", (layer,), {"backprop": backprop})


@pytest.mark.parametrize("name", ["dense", "convolution", "convolution2d"][: 3 if THOROUGH else 1])
def test_an_error_of_one_part_in_ten_to_the_fifth_is_found_in_float32(name):
    layer = off_by_a_little(in_float32(RIGHT[name]), 1e-5)
    report = check(getattr(verification, name)(layer, dtype=np.float32), examples=60)
    found = {item.name for item in report.failures}
    assert {"backprop_is_the_adjoint", "backprop_matches_directional_differences"} & found
    assert "float64" not in str(report)


def test_float16_inside_is_found_in_float32_and_the_script_is_in_float32():
    right = RIGHT["dense"]
    half = {"forward": lambda self, x: right.forward(self, x.astype(np.float16)).astype(np.float32)}
    report = check(dense(type("Half", (in_float32(right),), half), dtype=np.float32), examples=20)
    assert "rounding_stays_within_the_bound" in {item.name for item in report.failures}
    wrong = {"forward": lambda self, x: right.forward(self, x) + np.float32(1)}
    report = check(dense(type("More", (in_float32(right),), wrong), dtype=np.float32), examples=5)
    found: Any = next(cause for cause in report.causes if cause.property_name == "forward_matches_reference")
    arrays = [line for line in found.counterexample.script.splitlines() if line.startswith(("W = ", "x = ", "b = "))]
    assert len(arrays) == 3
    assert all("dtype=np.float32" in line for line in arrays)


def test_a_large_array_in_float32_is_written_by_its_rule():
    for array in (small(whole("x", 7, (9, 9))), ordered(whole("x", 7, (9, 9))), whole("x", 7, (9, 9))):
        lines = [line.replace("{}", "x") for line in literal(array.astype(np.float32), "x", 7)]
        assert len("".join(lines)) < 400
        made: dict[str, Any] = {}
        exec("\n".join(["import random", "import numpy as np", f"x = {lines[0]}", *lines[1:]]), made)
        assert made["x"].dtype == np.float32
        assert np.array_equal(made["x"], array)


def test_float32_is_for_layers_that_are_checked_exactly():
    with pytest.raises(SpecError, match="is for layers that are checked exactly, but tanh has an rtol"):
        verification.tanh(RIGHT["tanh"], dtype=np.float32)
    with pytest.raises(SpecError, match=r"dtype should be numpy\.float64 or numpy\.float32, but it is 'half'"):
        dense(RIGHT["dense"], dtype="half")
