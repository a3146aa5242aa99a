"""`verify` gives Hypothesis tests: what Hypothesis offers works for them, and a failure reads as it does elsewhere."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import Verbosity, is_hypothesis_test, settings

import verification
from layers import nn_convolutional_layer
from verification import check, convolution, relu, verify
from verification.catalogue import SECTIONS

(RELU,) = [section for section in SECTIONS if section.spec is relu]
LAYERS = """
import numpy as np
from hypothesis import reproduce_failure
from verification import LayerSpec, verify
from verification.strategies import cases, shapes, whole_arrays

class Double:
    def forward(self, x):
        print("shape", x.shape)
        return 2 * x

    def backprop(self, x, dLdy):
        return 2 * dLdy

class Wide(Double):
    def backprop(self, x, dLdy):
        return 2 * dLdy if x.shape[1] < 3 else dLdy

def double(make):
    return LayerSpec(name="double it", make=make, cases=cases(x=whole_arrays(shapes(2))), reference=lambda x: x + x,
                     affine_in=("x",))
"""
ADJOINT = "required-backprop_is_the_adjoint"


def run_in(folder, code, *options, conftest=""):
    """Run pytest on test code in this folder, and return what it prints."""
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_it.py").write_text(LAYERS + code)
    # Other plugins that are installed take half of the time to load.
    plugins = ["-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"]
    command = [sys.executable, "-m", "pytest", *plugins, "test_it.py", *options]
    variables = {name: value for name, value in os.environ.items() if name != "CI"}
    variables |= {"COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def run(tmp_path):
    return partial(run_in, tmp_path)


PRINT_BLOB = "from hypothesis import settings\nsettings.register_profile('x', print_blob=True)"
FAILING = "test_double = verify(double(Wide))"


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """Runs a test that fails once more in its folder."""
    options = ("-k", ADJOINT, "--hypothesis-profile=x", "--hypothesis-show-statistics")
    return partial(run_in, tmp_path_factory.mktemp("failing"), FAILING, *options, conftest=PRINT_BLOB)


@pytest.fixture(scope="module")
def failed(again):
    """What pytest prints of it the first time."""
    return again()


@pytest.fixture(scope="module")
def statistics(tmp_path_factory):
    """What pytest prints of a test with its own number of examples, and of one with that of a profile."""
    code = "test_seven = verify(double(Double), examples=7)\ntest_few = verify(double(Double))"
    conftest = "from hypothesis import settings\nsettings.register_profile('few', max_examples=4)"
    options = ("--hypothesis-profile=few", "--hypothesis-show-statistics")
    said = run_in(tmp_path_factory.mktemp("passing"), code, *options, conftest=conftest)
    assert "28 passed" in said
    return {
        name: "".join(re.findall(rf"::test_{name}\[{ADJOINT}\]:\n(?:.*\S.*\n|\n(?=  ))*", said))
        for name in ("seven", "few")
    }


def test_an_item_is_a_hypothesis_test_and_its_statistics_are_shown(statistics):
    assert is_hypothesis_test(verify(convolution(nn_convolutional_layer)))
    assert "7 passing, 0 failing, and 0 invalid test cases" in statistics["seven"]


def test_statistics_say_what_was_tried(statistics):
    assert re.search(r"Events:\n(.*\n)*? +\* \d+\.\d+%, one image\n", statistics["seven"])


def test_the_profile_named_on_the_command_line_is_in_force(statistics):
    assert "4 passing, 0 failing, and 0 invalid test cases" in statistics["few"]
    assert "max_examples=4" in statistics["few"]


def test_a_seed_on_the_command_line_fixes_the_cases(run):
    def drawn(seed):
        said = run("test_double = verify(double(Double), examples=5)", "-k", ADJOINT, "-s", f"--hypothesis-seed={seed}")
        return re.findall(r"shape .*", said)

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_failure_shows_our_explanation_of_the_smallest_case_and_no_traceback(failed):
    shown = failed[failed.index("____ test_double") :]
    shown = shown[: shown.index("short test summary info")]
    assert shown.splitlines()[1] == "double it: backprop is the adjoint"
    assert "dLdx is wrong: right while x.shape[1] is at most 2; wrong otherwise" in shown
    assert "      dLdx[0, 2] = 1.0, but should be 2.0 (1 of 3 entries)" in shown
    assert "x = np.zeros((1, 3))" in shown  # the first shape at which it fails
    assert "dLdy = np.array([[0.0, 0.0, 1.0]])" in shown
    for noise in ("Traceback", "Falsifying", "pytest_items", "Draw 1", "data="):
        assert noise not in shown
    assert f"FAILED test_it.py::test_double[{ADJOINT}] - Failed: double it" in failed


def test_a_failing_case_is_tried_again_first_the_next_time(failed, again):
    assert "during reuse phase" not in failed
    said = again()
    reused = said[said.index("during reuse phase") :]
    assert re.search(r"0 passing, [1-9]\d* failing, and 0 invalid test cases", reused)


def test_a_failure_is_reproduced_by_the_blob_that_hypothesis_prints(failed, run):
    (blob,) = set(re.findall(r"@(reproduce_failure\(.*?\)) as a decorator", failed))
    said = run(f"test_double = {blob}(verify(double(Wide)))", "-k", ADJOINT, "-s")
    assert "dLdx[0, 2] = 1.0, but should be 2.0 (1 of 3 entries)" in said
    assert re.findall(r"shape \(.*\)", said)[0] == "shape (1, 3)"


IDENTITY = """
class Identity:
    def forward(self, x):
        return x

    def backprop(self, x, dLdy):
        return dLdy.copy()

identity = LayerSpec(name="identity", make=Identity, cases=cases(x=whole_arrays(shapes(2))), reference=lambda x: x + 0,
                     affine_in=("x",))
"""


TRIPLED = """
class Tripled(Double):
    def forward(self, x):
        return x + 1

    def backprop(self, x, dLdy):
        return dLdy + 1

test_tripled = verify(double(Tripled), examples=5)
"""


@pytest.fixture(scope="module")
def aside(tmp_path_factory):
    """What pytest prints of a layer with a hardening failure, and of one that cannot be judged."""
    tests = "test_identity = verify(identity, examples=5)\ntest_strict = verify(identity, examples=5, strict=True)"
    chosen = "identity or strict or memory_layout or forward_matches"
    return run_in(tmp_path_factory.mktemp("aside"), IDENTITY + tests + TRIPLED, "-rsf", "-k", chosen)


def test_hardening_warns_and_fails_only_where_strict(aside):
    said = aside
    assert re.search(
        r"\b2 failed, \d+ passed, 1 skipped, \d+ deselected, 1 warning in", said
    )  # the other one is of Tripled
    assert said.count("FAILED test_it.py::test_strict[") == 1
    assert "HardeningWarning: identity: results share no memory (hardening)" in said
    assert "forward(x) shares memory with x: changing one changes the other" in said
    assert "The smallest case found, without layerproof" in said


@pytest.fixture
def other_default():
    """A host project that has replaced Hypothesis's default profile by a strange one."""
    ours, name = settings.get_profile("default"), settings.get_current_profile_name()

    def replace_it():
        settings.register_profile(
            "default", derandomize=True, max_examples=3, phases=(), verbosity=Verbosity.debug, database=None
        )
        settings.load_profile("default")

    yield replace_it
    settings.register_profile("default", ours)
    settings.load_profile(name)


def test_a_report_is_the_same_whatever_the_profile_of_the_host_project(other_default, capsys):
    specs = [relu(RELU.bugs[0].layer), replace(convolution(nn_convolutional_layer), realistic=None)]
    before = [check(spec, examples=10) for spec in specs]
    other_default()
    assert settings().max_examples == 3
    assert [check(spec, examples=10) for spec in specs] == before
    assert capsys.readouterr().out == ""


def test_no_name_of_hypothesis_is_used_that_is_its_own():
    for path in Path(verification.__file__).parent.rglob("*.py"):
        if "tests" not in path.parts:
            source = path.read_text()
            assert not re.search(r"_hypothesis_|hypothesis\.internal|\.hypothesis\.inner", source), path
            assert "get_profile" not in source, path


def test_what_cannot_be_judged_is_skipped_with_its_reason(aside):
    assert aside.count("FAILED test_it.py::test_tripled[required-forward_matches_reference]") == 1
    assert aside.count("SKIPPED") == 1
    assert "double it: not judged: what it judges is wrong already when asked plainly" in aside


def test_in_a_class_of_tests_it_is_a_static_method(run):
    said = run("class TestIt:\n    test_double = staticmethod(verify(double(Double), examples=2))")
    assert "14 passed" in said
