"""The command: what it prints, writes and returns."""

import json
import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from verification import command


@pytest.fixture
def layers(tmp_path, monkeypatch):
    """Let the command check other layers than this package's own."""

    def point(conv="", pool="", before=""):
        (tmp_path / "other_layers.py").write_text(
            f"{before}\nimport layers\nfrom verification.catalogue import convolution, max_pooling\n"
            f"(nn_convolutional_layer,) = [b.layer for b in convolution.BUGS if b.name == {conv!r}]"
            " or [layers.nn_convolutional_layer]\n"
            f"(nn_max_pooling_layer,) = [b.layer for b in max_pooling.BUGS if b.name == {pool!r}]"
            " or [layers.nn_max_pooling_layer]\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "other_layers", raising=False)
        monkeypatch.setattr(command, "LAYERS", "other_layers")

    return point


def run(*arguments):
    return CliRunner().invoke(command.cli, arguments)


def test_right_layers_pass():
    result = run("check", "--examples", "5")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith("passed: convolution passed, max_pooling passed; ")
    assert "\x1b" not in result.output
    assert "required" in result.output
    assert "hardening" in result.output


def test_a_wrong_layer_fails_and_is_explained(layers):
    layers(pool="window_transposed")
    result = run("check", "--examples", "5")
    assert result.exit_code == 1
    assert "max_pooling: 1 mistake\n\ndLdy goes to the place mirrored at the window's diagonal" in result.output
    assert re.search(r"^max_pooling +backprop matches directional differences .* failed *$", result.output, re.M)
    assert "  dLdx[0, 0, 0, 1] = 1.0, but should be 0.0" in result.output
    assert "\n        dLdx = layer.backprop(x, dLdy)\n        print(dLdx)\n" in result.output
    assert "failed: convolution passed, max_pooling failed" in result.output


@pytest.mark.usefixtures("verdict_only")
def test_hardening_is_reported_and_counts_with_strict(layers):
    layers(pool="empty_batch_fails")
    result = run("check", "--examples", "5")
    assert result.exit_code == 0
    note = "a batch without images is not provided for"
    said = f"Hardening, which does not count: 1 note\n  - max_pooling: {note} (an empty batch gives empty results)\n"
    assert said in result.output
    assert "mistake" not in result.output
    strict = run("check", "--examples", "5", "--strict")
    assert strict.exit_code == 1
    assert f"max_pooling: 1 mistake\n\n{note}\n" in strict.output
    assert "does not count" not in strict.output


@pytest.mark.usefixtures("verdict_only")
def test_json(tmp_path, layers):
    layers(pool="negated")
    file = tmp_path / "report.json"
    assert run("check", "--examples", "5", "--json", str(file)).exit_code == 1
    report = json.loads(file.read_text())
    assert (report["schema"], report["verdict"]) == (2, "failed")
    assert [(layer["name"], layer["verdict"]) for layer in report["layers"]] == [
        ("convolution", "passed"),
        ("max_pooling", "failed"),
    ]
    convolution, pooling = report["layers"]
    assert convolution["causes"] == []
    assert list(pooling) == ["name", "verdict", "tried", "causes", "properties"]
    assert {item["verdict"] for item in pooling["properties"]} == {"passed", "failed", "not judged"}
    assert set(pooling["properties"][0]) == {"name", "kind", "verdict", "examples", "seconds", "message"}
    cause = pooling["causes"][0]
    assert (cause["array"], cause["required"], cause["where"]) == ("dLdx", True, None)
    assert set(cause) == {
        "array", "kind", "property", "required", "message", "also", "why", "where", "line", "cases", "counterexample",
    }  # fmt: skip
    assert set(cause["cases"]) == {"wrong", "asked"}
    assert set(cause["counterexample"]) == {"settings", "arrays", "script"}
    assert os.listdir(tmp_path).count("report.json") == 1
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_what_cannot_run_exits_with_two(tmp_path, layers):
    file = tmp_path / "report.json"
    layers(before="raise ImportError('no such thing')")
    result = run("check", "--json", str(file))
    assert result.exit_code != 0
    assert "other_layers cannot be imported: ImportError: no such thing" in result.output
    assert json.loads(file.read_text()) == {"schema": 2, "verdict": "error", "layers": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "--json", "missing/report.json"], "missing/report.json: cannot be written: No such file"),
        (["check", "--examples", "0"], "0 is not in the range x>=1"),
        (["check", "--seed", "-1"], "-1 is not in the range x>=0"),
        (["check", "--fast"], "No such option"),
    ],
)
def test_errors_are_one_line_and_exit_status_two(arguments, said):
    script = "from verification.command import main; main()"
    result = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_nothing_is_left_in_the_folder_where_it_runs(tmp_path):
    script = "from verification.command import main; main()"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("HYPOTHESIS_STORAGE_DIRECTORY", None)
    (tmp_path / "here").mkdir()
    subprocess.run(
        [sys.executable, "-c", script, "check", "--examples", "1"],
        cwd=tmp_path / "here", env=environment, capture_output=True, check=True,
    )  # fmt: skip
    assert os.listdir(tmp_path / "here") == []


def test_accuracy():
    result = run("accuracy", "--seed", "4")
    assert result.exit_code == 0
    assert result.output.endswith("points 4 + 4 + 4 + 4 = 16 of 16\n")
    assert run("accuracy", "--seed", "4").output == result.output


def test_json_through_a_link_keeps_the_link(tmp_path, layers):
    layers()
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    assert run("check", "--examples", "2", "--json", str(tmp_path / "link.json")).exit_code == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["verdict"] == "passed"


def test_one_case_of_any_shape(layers):
    layers()
    result = run("check", "--shape", "2,3,9,7")
    assert result.exit_code == 0
    assert result.output.count("is exact at a realistic size") == 2
    layers(pool="negated")
    assert run("check", "--shape", "2,3,9,7").exit_code == 1
    assert "four numbers" in run("check", "--shape", "2,3,9").output


OWN_LAYERS = """
import numpy as np

class Dense:
    def __init__(self, in_features, out_features):
        pass

    def forward(self, x):
        return x @ self.W

    def backprop(self, x, dLdy):
        return dLdy @ self.W.T, x.T @ dLdy / SCALE

SCALE = 1
"""


def test_a_class_of_a_file_is_checked_by_a_ready_spec(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN_LAYERS)
    command = ["check", f"{file}:Dense", "--as", "dense", "--set", "bias=false", "--examples", "5"]
    result = run(*command, "--json", str(tmp_path / "right.json"))
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "right.json").read_text())["layers"][0]["name"] == "dense"
    file.write_text(f"import a_toolbox\n{OWN_LAYERS.replace('SCALE = 1', 'SCALE = 2')}")
    result = run(*command, "--set", "batch=range(1,3)", "--html", str(tmp_path / "wrong.html"))
    assert result.exit_code == 1
    assert "line 1, `import a_toolbox`: ModuleNotFoundError" in result.output
    assert "dLdW is half of what it should be" in result.output
    page = (tmp_path / "wrong.html").read_text()
    for said in ("dLdW is half of what it should be", "Tried only where batch=range(1, 3)", "import a_toolbox"):
        assert said in page
    assert "Points" not in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["own.py:Dens", "--as", "dense"], "there is no class Dens: own.py defines Dense"),
        (["own.py", "--as", "dense"], "--as takes FILE:CLASS, as my_layers.py:Conv, not own.py"),
        (["own.py:Dense", "--as", "danse"], "--as takes a ready spec, not 'danse': absolute_error, "),
        (["own.py:Dense"], "own.py:Dense is a class of a file: name its ready spec too, as --as convolution2d"),
        (["own.py:Dense", "--as", "dense", "--set", "batch"], "--set takes NAME=VALUE, not 'batch': a number, as "),
        (["own.py:Dense", "--as", "dense", "--set", "batch=2,3"], "it is (2, 3); from 2 to 3 is range(2, 4)"),
        (["own.py:Dense", "--as", "dense", "--set", "batches=2"], "dense has no keyword batches: it has batch, "),
        (["own.py", "--set", "batch=2"], "--set is for keywords of a ready spec"),
    ],
)
def test_what_does_not_fit_a_ready_spec_is_an_error(tmp_path, monkeypatch, arguments, said):
    (tmp_path / "own.py").write_text(OWN_LAYERS)
    monkeypatch.chdir(tmp_path)
    result = run("check", *arguments)
    assert result.exit_code in (1, 2)  # of which main() makes 2
    assert said in result.output
