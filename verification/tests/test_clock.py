"""The limit on the time of a layer's calls: by a clock of the test's own, never by the machine's."""

import numpy as np
import pytest

from verification import check, clock, relu


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
    assert not report.passed
    assert not report.failures
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


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_limit_that_is_no_time_is_refused(seconds):
    with pytest.raises(ValueError, match=f"seconds should be a number above 0, but it is {seconds}"):
        check(relu(ReLU), seconds=seconds)
