"""Reports: the verdict, the numbers it rests on, what a failure says, and that its script reproduces it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from layers import nn_convolutional_layer, nn_max_pooling_layer
from verification import Case, check, convolution, global_average_pooling, max_pooling, relu, softmax
from verification.case import whole
from verification.catalogue.convolution import BUGS as CONVOLUTION_BUGS
from verification.catalogue.convolution import FFT, Einsum
from verification.catalogue.max_pooling import BUGS as MAX_POOLING_BUGS
from verification.drawing import quiet
from verification.failure import Entry, PropertyFailed
from verification.properties import properties
from verification.search import run_again, search
from verification.trial import Trial

pytestmark = pytest.mark.usefixtures("undiagnosed")

BUGS = {
    convolution: {bug.name: bug for bug in CONVOLUTION_BUGS},
    max_pooling: {bug.name: bug for bug in MAX_POOLING_BUGS},
}


def reports_of(bug_name, ready=convolution, examples=8, seed=0):
    # A failure at a realistic size takes seconds to simplify; one test below is about it.
    report = check(replace(ready(BUGS[ready][bug_name].layer), realistic=None), examples=examples, seed=seed)
    return report, {item.name: item for item in report.properties}


def cause_of(report, property_name):
    return next(cause for cause in report.causes if cause.property_name == property_name)


def test_a_right_layer_passes_with_all_its_examples():
    report = check(convolution(nn_convolutional_layer), examples=7)
    assert report.passed
    assert report.verdict == "passed"
    assert {item.examples for item in report.properties} == {1, 7}
    assert {item.verdict for item in report.properties} == {"passed"}


def test_the_report_states_the_chance_of_having_missed_a_wrong_gradient():
    for spec, name in [
        (convolution(nn_convolutional_layer), "backprop_is_the_adjoint"),
        (max_pooling(nn_max_pooling_layer), "backprop_matches_directional_differences"),
    ]:
        (item,) = [item for item in check(replace(spec, realistic=None), examples=11).properties if item.name == name]
        assert "at most 2/256" in item.message
        assert "in all 10 random examples with at most 10^-21" in item.message  # (1/128)^10


def test_the_same_seed_gives_the_same_report_and_another_seed_other_cases():
    first, second = (reports_of("channels_mixed", seed=3, examples=5)[0] for _ in range(2))
    assert first == second
    seen: list[list[tuple[int, ...]]] = []

    def make(**settings):
        seen[-1].append(tuple(settings.values()))
        return nn_convolutional_layer(**settings)

    for seed in (1, 1, 2):
        seen.append([])
        check(replace(convolution(make), realistic=None), seed=seed, examples=3)
    assert seen[0] == seen[1] != seen[2]


def test_a_failure_names_the_entry_and_shows_the_smallest_case():
    report, items = reports_of("filter_not_flipped")
    assert not report.passed
    assert items["backprop_is_the_adjoint"].verdict == "failed"
    found = cause_of(report, "backprop_is_the_adjoint")
    assert found.message.splitlines()[0] == "dLdx is wrong"
    assert found.entries[0] == Entry("dLdx", (0, 0, 0, 0), 1.0, 0.0)
    assert str(found.entries[0]) == "dLdx[0, 0, 0, 0] = 1.0, but should be 0.0"
    assert found.counterexample.arrays["x"].shape == (1, 1, 1, 2)
    assert items["forward_matches_reference"].verdict == "passed"
    assert "failed     backprop is the adjoint" in str(report)


def test_one_wrong_entry_at_a_real_size_is_named():
    spec = convolution(BUGS[convolution]["dLdW_slightly_off"].layer)
    (item,) = [item for item in properties(spec) if item.name == "is_exact_at_a_realistic_size"]
    assert spec.realistic
    failure, _ = run_again(spec, item, spec.realistic)
    (entry,) = failure.entries
    assert entry.index == (7, 2, 2, 2)
    assert entry.expected == np.rint(entry.expected)
    assert entry.actual / entry.expected - 1 == pytest.approx(1e-6)


@pytest.mark.parametrize("ready", [convolution, max_pooling])
def test_hardening_counts_only_where_strict(ready):
    report, items = reports_of("buffer_returned", ready)
    assert items["results_share_no_memory"].kind == "hardening"
    assert items["results_share_no_memory"].verdict == "failed"
    # history_is_irrelevant copies what it compares, so reusing a buffer is no other failure.
    assert report.passed
    assert not replace(report, strict=True).passed


def test_rounding_is_noted_and_passes():
    report = check(convolution(FFT), examples=8)
    assert report.passed
    notes = [item for item in report.properties if item.verdict == "note"]
    assert "forward_matches_reference" in [item.name for item in notes]
    assert "rounded in" in notes[0].message


def test_what_is_not_an_array_is_said_plainly():
    for returned, said in [
        (None, "forward returned None, but should return a NumPy array"),
        ([[1.0]], "forward returned a list of 1, but should return a NumPy array"),
        (np.array([1j]), "forward returned an array of complex128, but should return real numbers"),
        (np.array([None]), "forward returned an array of object, but should return real numbers"),
        (np.zeros(3), "forward(x) has shape (3,), but should have shape (1, 1, 1, 1)"),
    ]:

        class Layer(Einsum):
            def forward(self, x, returned=returned):
                return returned

        spec = replace(convolution(Layer), realistic=None)
        items = {item.name: item for item in check(spec, examples=2).properties}
        assert items["forward_matches_reference"].message == said


def test_what_a_layer_raises_is_said_with_its_line():
    class Layer(Einsum):
        def forward(self, x):
            return x.no_such_thing

    items = {item.name: item for item in check(replace(convolution(Layer), realistic=None), examples=3).properties}
    message = items["forward_matches_reference"].message
    assert message.startswith("forward raised AttributeError: 'numpy.ndarray' object has no attribute")
    assert "(test_check.py, line" in message


def test_a_constructor_that_raises_is_a_failure():
    class Layer(Einsum):
        def __init__(self, *args):
            raise RuntimeError("no memory")

    report = check(convolution(Layer), examples=5)
    assert report.properties[0].message.startswith("Layer raised RuntimeError: no memory")


def test_a_layer_that_is_not_deterministic_is_called_so():
    spec = max_pooling(BUGS[max_pooling]["random_tie"].layer)
    (item,) = [item for item in properties(spec) if item.name == "history_is_irrelevant"]
    failure = search(spec, item, quiet(20, shrink=False), seed=0).failure
    assert failure
    assert "not deterministic" in failure.message()


def test_a_layer_that_is_wrong_now_and_then_fails():
    calls = count()

    class Tired(nn_max_pooling_layer):
        def forward(self, x):
            # A prime: 30 calls to an example, some of whose results nobody looks at, must not keep step with it.
            return super().forward(x) + (next(calls) % 41 == 40)

    report = check(replace(max_pooling(Tired), realistic=None), examples=20)
    assert not report.passed
    assert any("not deterministic" in item.message for item in report.failures)


def test_results_of_integers_are_called_so():
    class Whole(nn_max_pooling_layer):
        def backprop(self, x, dLdy):
            return super().backprop(x, dLdy).astype(int)

    report = check(replace(max_pooling(Whole), realistic=None), examples=5)
    assert [cause.why[0].family for cause in report.causes if cause.required] == ["integer-result"]


@pytest.mark.parametrize("seed", range(3 if settings().max_examples > 100 else 1))
def test_a_layer_wrong_between_whole_numbers_is_not_called_random(seed):
    class Whole(nn_max_pooling_layer):
        def forward(self, x):
            return np.trunc(super().forward(x))

    report = check(replace(max_pooling(Whole), realistic=None), examples=10, seed=seed)
    assert not report.passed
    assert not any("not deterministic" in failure.message for failure in report.failures)


def test_a_layer_that_shares_what_it_remembers_fails():
    last: dict[str, np.ndarray] = {}

    class Sharing(nn_max_pooling_layer):
        def forward(self, x):
            last["x"] = x
            return super().forward(x)

        def backprop(self, x, dLdy):
            return super().backprop(last["x"], dLdy)

    report = check(replace(max_pooling(Sharing), realistic=None), examples=8)
    assert "history_is_irrelevant" in [item.name for item in report.failures]


def test_a_large_case_is_shown_where_no_small_one_fails():
    spec = max_pooling(BUGS[max_pooling]["four_images"].layer)
    (cause,) = check(spec, examples=5).mistakes
    assert cause.counterexample
    assert cause.counterexample.arrays["x"].size > 10_000


def test_a_case_by_hand_fixes_everything_that_is_given():
    x, W, b = np.ones((1, 1, 2, 1)), np.full((1, 1, 2, 1), 3.0), np.zeros((1, 1, 1, 1))
    sizes = {"filter_width": 2, "filter_height": 1, "input_size": 2, "in_ch_size": 1, "num_filters": 1}
    case = Case({"x": x, "W": W, "b": b, "dLdy": np.full((1, 1, 1, 1), 5.0)}, sizes)
    report = check(replace(convolution(nn_convolutional_layer), cases=st.just(case)))
    assert report.passed
    assert {item.examples for item in report.properties} == {1}
    wrong = replace(convolution(BUGS[convolution]["sign_of_dLdW"].layer), cases=st.just(case), realistic=None)
    assert cause_of(check(wrong), "backprop_is_the_adjoint").entries


def test_examples_should_be_positive():
    with pytest.raises(ValueError, match="examples should be at least 1, but it is 0"):
        check(convolution(nn_convolutional_layer), examples=0)


def test_the_report_is_json():
    report, _ = reports_of("edge_not_a_number", examples=5)
    text = json.dumps(report.to_dict(), allow_nan=False)
    layer = json.loads(text)
    assert list(layer) == ["name", "verdict", "tried", "causes", "properties"]
    (item,) = [one for one in layer["properties"] if one["name"] == "forward_matches_reference"]
    assert list(item) == ["name", "kind", "verdict", "examples", "seconds", "message"]
    (cause,) = [one for one in layer["causes"] if one["property"] == "forward_matches_reference"]
    assert list(cause) == [
        "array", "kind", "property", "required", "message", "also", "why", "where", "line", "cases", "counterexample",
    ]  # fmt: skip
    assert "y[0, 0, 0, 0] = nan, but should be 0.0" in cause["message"]
    assert cause["counterexample"]["settings"]["filter_width"] == 1


SHOWN = [
    (convolution, "filter_not_flipped", "backprop_is_the_adjoint", "dLdx"),
    (convolution, "remembers_batch_size", "history_is_irrelevant", "dLdb2"),
    (max_pooling, "all_to_every_tie", "gradient_is_a_subgradient", "dLdx.sum(axis=(2, 3))"),
]
"""By default one stands for all, beside those of test_script.py; `thorough` takes all."""


@pytest.mark.parametrize(
    ("ready", "bug", "property_name", "printed"), SHOWN if settings().max_examples > 100 else SHOWN[:1]
)
def test_the_script_reproduces_the_failure_without_this_package(ready, bug, property_name, printed, tmp_path):
    spec = ready(BUGS[ready][bug].layer)
    (item,) = [item for item in properties(spec) if item.name == property_name]
    outcome = search(spec, item, quiet(100), seed=0)
    assert outcome.failure
    script = outcome.script
    assert "verification" not in script.replace(f"from {BUGS[ready][bug].layer.__module__} import {bug}", "")
    assert f"print({printed})" in script
    # The planted bugs are classes without a name in their module, so the script says so; give it one.
    (tmp_path / "planted.py").write_text(
        f"from verification.catalogue.{ready.__name__} import BUGS\n"
        f"({bug},) = [b.layer for b in BUGS if b.name == {bug!r}]\n"
    )
    lines = [
        f"from planted import {bug}" if bug in line and ("import" in line) else line for line in script.splitlines()
    ]
    if outcome.failure.entries[0].array in ("y", "dLdx", "dLdW", "dLdb"):
        entry = outcome.failure.entries[0]
        lines.append(f"assert {printed}[{', '.join(map(str, entry.index))}] == {entry.actual}")
    subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, check=True, capture_output=True)


def test_a_message_lists_the_first_entries_and_counts_them_all():
    failure = PropertyFailed("dLdW is wrong", [Entry("dLdW", (2, 0, 1, 1), 3.0, 5.0)], 4, 18)
    assert str(failure) == "dLdW is wrong\n  dLdW[2, 0, 1, 1] = 3.0, but should be 5.0 (4 of 18 entries)"


def test_only_examples_that_were_judged_are_counted():
    class Softmax:
        def forward(self, x):
            e = np.exp(x - x.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        def backprop(self, x, dLdy):
            y = self.forward(x)
            return y * (1 - y) * dLdy  # right where there is one class, and where dLdy is zero

    items = {item.name: item for item in check(softmax(Softmax), examples=40).properties}
    assert items["forward_matches_reference"].examples == 40
    assert items["gradient_is_orthogonal_to_ones"].verdict == "passed"
    assert 0 < items["gradient_is_orthogonal_to_ones"].examples < 20


def test_a_report_says_in_a_line_what_was_tried():
    report = check(max_pooling(nn_max_pooling_layer, batch=[1, 2]), examples=40)
    found = re.fullmatch(
        r"tried 40 cases: (\d+) of one image, (\d+) with equal entries in x, (\d+) with windows that overlap,"
        r" (\d+) with gaps between windows, 6 of 6 memory layouts, 3 types of integers, up to 12 calls before",
        report.tried,
    )
    assert found
    assert all(0 < int(count) <= 40 for count in found.groups())
    assert report.tried == report.to_dict()["tried"]
    assert f"\n  {report.tried}" in str(report)
    of_one = check(max_pooling(nn_max_pooling_layer, batch=1, pool_size=2, stride=2), examples=40).tried
    assert of_one.startswith("tried 40 cases: 40 of one image, ")
    assert "overlap" not in of_one
    assert "gaps" not in of_one


def test_what_was_not_judged_was_not_tried():
    class Wrong(nn_max_pooling_layer):
        def forward(self, x):
            return 2 * super().forward(x) + 1

        def backprop(self, x, dLdy):
            return 2 * super().backprop(x, dLdy) + 1

    assert "memory layouts" not in check(max_pooling(Wrong), examples=5).tried


@pytest.mark.parametrize(("dtype", "right"), [(np.float32, True), (np.float16, False)])
def test_bytes_may_be_taken_to_float32_whose_rounding_is_bounded(dtype, right):
    class Average:
        def forward(self, x):
            x = x.astype(dtype) if x.dtype == np.uint8 else x
            return np.asarray(x.sum(axis=(2, 3)) / (x.shape[2] * x.shape[3])).astype(np.promote_types(x.dtype, "f4"))

        def backprop(self, x, dLdy):
            return dLdy[:, :, None, None] * np.ones(x.shape) / (x.shape[2] * x.shape[3])

    spec = global_average_pooling(Average)
    (item,) = [item for item in properties(spec) if item.name == "integers_count_as_real_numbers"]

    def judged(seed):
        x = whole("x", seed, (1, 1, 3, 2)) + 128
        trial = Trial(spec, Case({"x": x}, seed=seed, picked={"kind of integer": np.uint8}))
        try:
            item.function(trial)
        except PropertyFailed as failure:
            return failure.sentence
        return ""

    said = {judged(seed) for seed in range(3, 40)} - {""}
    by_more = "forward(x) for x of uint8 is wrong, by more than rounding in float32 can explain: computed in less?"
    assert said == (set() if right else {by_more})


def test_numbers_that_no_float32_holds_are_wrong_without_a_warning():
    class ReLU:
        def forward(self, x):
            return np.maximum(x, 0) + 2.0**600 * (x > 4)

        def backprop(self, x, dLdy):
            return dLdy * (x > 0)

    assert not check(relu(ReLU), examples=20).passed
