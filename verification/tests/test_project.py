"""The project as a whole: what a wheel holds, and which tests a name chooses."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[2]
PACKAGES = ("layers", "mnist", "verification")


@pytest.fixture(scope="module")
def shipped():
    """Return the paths that the wheel holds, as hatch chooses them."""
    wheel = pytest.importorskip(
        "hatchling.builders.wheel", reason='hatchling is not installed (pip install -e ".[dev]")'
    )
    return {file.distribution_path for file in wheel.WheelBuilder(str(ROOT)).recurse_included_files()}


def module(path):
    """Return the name by which a file of the project is imported."""
    return ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """Return the names that a file imports; `from a import b` counts as a and as a.b, for b may be a module."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))


def test_the_wheel_leaves_out_tests_benchmarks_and_planted_bugs(shipped):
    left_out = {"tests", "benchmarks", "catalogue", "conftest.py", "README.md", "FOUND.md"}
    assert not [path for path in shipped if left_out & set(Path(path).parts)]


def test_the_wheel_holds_all_that_runs_and_the_types(shipped):
    assert {path.split("/")[0] for path in shipped} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= shipped
    assert {"verification/judge/child/worker.py", "verification/show/page.html", "mnist/__main__.py"} <= shipped
    assert "mnist/data/train-images-idx3-ubyte.gz" in shipped


def test_nothing_in_the_wheel_imports_what_is_left_out(shipped):
    files = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    left_out = {module(path) for path in files - shipped}
    assert "verification.catalogue" in left_out
    assert not [(path, name) for path in files & shipped for name in imported(path) if name in left_out]


@pytest.mark.skipif(settings().max_examples <= 100, reason="takes long: --hypothesis-profile=thorough")
def test_the_name_of_the_data_set_chooses_its_tests_and_no_others():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-k", "mnist", "--assert=plain"]
    variables = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # which take longer to load than to list
    listed = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in listed.splitlines() if "::" in line} == {"mnist"}
