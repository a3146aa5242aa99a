"""The limit on the time of a layer's calls: by a clock of the test's own, never by the machine's."""

import html
import json

import numpy as np
import pytest

from verification import check, clock, command, relu, verify
from verification.judge.verdict import FileVerdict, LayerVerdict
from verification.report import overall
from verification.show.page import page
from verification.show.printing import print_file


class ReLU:
    def forward(self, x):
        return np.maximum(x, 0)

    def backprop(self, x, dLdy):
        return dLdy * (x > 0)


class OneSecondACall:
    """A clock by which every call takes a second."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 0.5
        return self.now


def test_a_slow_layer_is_tried_on_fewer_examples_and_the_report_says_so(monkeypatch):
    monkeypatch.setattr(clock, "time", OneSecondACall())
    report = check(relu(ReLU), seconds=400)
    forward = report.properties[0]
    assert report.passed
    assert 0 < forward.examples < 100
    assert report.limited.endswith(f"s, as long as they may, for {forward.examples} examples")
    assert report.limited in str(report)
    assert check(relu(ReLU), examples=5, seconds=10**6).limited == ""


def test_a_layer_whose_time_was_up_before_all_was_tried_has_not_passed(monkeypatch):
    monkeypatch.setattr(clock, "time", OneSecondACall())
    report = check(relu(ReLU), seconds=8)
    assert not report.failures
    assert report.verdict == report.to_dict()["verdict"] == "undecided"
    assert str(report).startswith("relu: undecided\n")
    assert not report.passed
    assert "required properties were not tried" in report.limited
    assert "no time was left" in {item.message for item in report.properties if item.verdict == "not judged"}


def test_what_fails_is_shown_with_its_case_even_if_no_time_is_left(monkeypatch):
    class Doubled(ReLU):
        def forward(self, x):
            return 2 * super().forward(x)

    monkeypatch.setattr(clock, "time", OneSecondACall())
    (cause,) = [cause for cause in check(relu(Doubled), seconds=30).mistakes if cause.array == "y"]
    assert cause.counterexample
    assert "y = layer.forward(x)" in cause.counterexample.script
    assert cause.message.startswith("forward(x) is wrong")


def test_a_layer_of_a_file_that_was_too_slow_is_undecided_wherever_it_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(clock, "time", OneSecondACall())
    slow, right = check(relu(ReLU), seconds=8), check(relu(ReLU), examples=1, seconds=10**6)
    layers = [LayerVerdict(name, "ReLU", report, "", {}) for name, report in {"slow": slow, "right": right}.items()]
    verdict = FileVerdict("file.py", "", (), tuple(layers), "none")
    assert verdict.to_dict()["verdict"] == verdict.verdict == "undecided"
    assert verdict.outcomes == {"slow": "undecided", "right": "right"}
    shown = page(verdict)
    assert '<span class="badge note">? undecided</span> <bdi>file.py</bdi>' in shown
    assert f"Nothing wrong was found, but not everything could be tried: {slow.limited}." in html.unescape(shown)
    print_file(verdict, 1.0)
    assert "undecided: file.py: slow undecided, right passed" in capsys.readouterr().out
    monkeypatch.setattr(command, "_check_layers", lambda *_: (verdict.verdict, {"layers": []}))
    with pytest.raises(SystemExit) as ended:
        command.check.main(["--json", str(tmp_path / "it.json")], standalone_mode=False)
    assert ended.value.code == 3
    assert json.loads((tmp_path / "it.json").read_text())["verdict"] == "undecided"


def test_a_verdict_on_several_is_the_worst():
    assert [overall(verdicts) for verdicts in (["passed"], ["passed", "undecided"], ["undecided", "failed"])] == [
        "passed", "undecided", "failed",
    ]  # fmt: skip


def test_verify_skips_what_there_is_no_time_for(monkeypatch):
    monkeypatch.setattr(clock, "time", OneSecondACall())
    test = verify(relu(ReLU), examples=5, seconds=4)
    (items,) = [mark.args[1] for mark in test.pytestmark if mark.name == "parametrize"]
    differences = next(item.values[0] for item in items if "differences" in item.id)
    with pytest.raises(pytest.skip.Exception, match=r"relu: undecided: not tried: the calls of this layer took \d+ s"):
        test(collected=differences)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_limit_that_is_no_time_is_refused(seconds):
    with pytest.raises(ValueError, match=f"seconds should be a number above 0, but it is {seconds}"):
        check(relu(ReLU), seconds=seconds)
