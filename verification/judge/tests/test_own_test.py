"""The accuracy test in the file: when its points count, and that whoever gives the mark is told of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from verification.assignment import accuracy
from verification.assignment.accuracy import TESTS, Accuracy, convolution_accuracy
from verification.assignment.own_test import OwnTest, changed, printed, results
from verification.assignment.rubric import Rubric
from verification.failure import NotTried
from verification.judge.process import Limits
from verification.judge.remote import Submission
from verification.judge.verdict import FileVerdict, judge
from verification.show.page import page

pytestmark = pytest.mark.usefixtures("verdict_only")

HERE = Path(__file__).parent
RIGHT = (HERE / "hw4_nn.py").read_text()
CLASSES = RIGHT[: RIGHT.index("layer = nn_convolutional_layer")]
TEST = (HERE / "accuracy_part.txt").read_text()

OTHER_CLASSES = CLASSES.replace("input_size, in_ch_size, num_filters, std=1e0", "in_ch_size, num_filters, std=1e0")
OTHER_TEST = TEST.replace("input_size, in_ch_size, num_filters, std)\n\n", "in_ch_size, num_filters, std)\n\n")
"""A constructor without input_size: right beside its own test, and unknown to the assignment's."""

FORGED = "\nprint('accuracy results')\n" + "".join(f"print('{name} 100 %')\n" for name in TESTS.values())


def verdict(source: str) -> FileVerdict:
    return judge(source.encode(), "hw4_nn.py", examples=1, limits=Limits(timeout=60))


def test_a_file_that_is_right_by_its_own_test_has_the_points_and_both_results_are_said():
    assert OTHER_TEST != TEST
    found = verdict(OTHER_CLASSES + OTHER_TEST)
    assert list(found.points.values()) == [4, 4, 4, 4]
    own, *_ = Rubric().rows(found, None)
    assert own.points == 4
    said, _, rest = own.reason.partition(
        " % in the file's own test, by its own print; in the assignment's on its classes: "
    )
    assert float(said) > 99.9
    assert rest.startswith("ValueError: operands could not be broadcast")
    (look,) = found.to_look_at
    assert (
        look
        == "look at it: the points for conv layer dLdx, conv layer dLdW, conv layer dLdb are for what its own test prints"
    )
    assert look in page(found)
    assert "The points are those of the file&#39;s own test, where the assignment&#39;s gives less." in page(found)
    assert found.to_dict()["accuracy"][0]["own_counts"]
    assert not found.to_dict()["accuracy"][3]["own_counts"]


OTHERS = [
    (FORGED, "it prints no rounds that would give this"),
    (OTHER_TEST.replace("num_test = 20", "num_test = 1"), "its test has other constants: num_test is 1, not 20"),
    (OTHER_TEST.replace("    # dLdW", "    import os; os._exit(0)\n    # dLdW"), "its test has 1 rounds, not 20"),
    (OTHER_TEST.replace("range(num_test)", "range(2)"), "its test has 2 rounds, not 20"),
    (OTHER_TEST.replace("dt = 1e-3", "dt = 1e-5"), "its test has other constants: dt is 1e-05, not 0.001"),
]
"""The last two say what two before them say, and take more rounds: `thorough` takes them."""


@pytest.mark.parametrize(("test", "why"), OTHERS if settings().max_examples > 100 else OTHERS[:-2])
def test_what_another_test_prints_is_said_and_does_not_count(test, why):
    found = verdict(OTHER_CLASSES + test)
    assert list(found.points.values()) == [1, 1, 1, 4]
    assert found.reason("dLdx test").endswith(f" %, which does not count: {why}")
    assert found.to_look_at[0].startswith("look at it: its own print would give more points for conv layer dLdx")
    assert found.to_look_at[0] in page(found)


def test_a_file_with_all_points_is_not_run_by_itself_and_a_changed_test_is_said(monkeypatch):
    monkeypatch.setattr(accuracy, "ROUNDS", 1)
    monkeypatch.setattr(Submission, "run_alone", None)
    found = verdict(CLASSES + TEST.replace("batch_size = 8", "batch_size = 1"))
    assert found.passed
    assert found.to_look_at == ("the accuracy test in the file is not the assignment's: batch_size is 1, not 8",)
    assert not verdict(CLASSES + TEST).to_look_at


def test_only_constants_of_the_test_itself_are_compared():
    assert changed(TEST.encode()) == ()
    assert changed(
        b"dt=1e-4 # small\r\nstd = 1\n    stride = 5\nfilter_height = filter_width\nsteps = 3\ndt = .0001\n"
    ) == ("dt is 0.0001, not 0.001",)


def test_rounds_are_read_and_not_what_is_said_of_them():
    lines = ["dLdx test", "exact change 2.0", "x 3", "apprx change -1.5", "apprx change 9", "dLdW test", "exact change nan",
             "conv layer dLdx 100.0 %", "conv layer dLdW: 7.5%", "conv layer dLdb 1 2"]  # fmt: skip
    assert results(lines, late=False) == {"dLdx test": Accuracy("dLdx test", (2.0,), (-1.5,))}
    assert printed(lines) == {"dLdx test": "100.0", "dLdW test": "7.5"}


def test_rounds_for_which_there_was_time_count():
    lines = ["dLdx test", "exact change 2.0", "apprx change 2.0"]
    own = OwnTest(results(lines, late=True))
    assert own.not_counted("dLdx test") == ""
    assert own.said("dLdx test") == "100.0000 % in the 1 rounds of 20 for which there was time"
    assert replace(own, changed=("dt is 1, not 0.001",)).not_counted("dLdx test")


def test_a_layer_that_is_too_slow_for_twenty_rounds_is_marked_by_those_it_has_done():
    names: dict[str, type] = {}
    exec(CLASSES, names)
    made = []

    def make(*given):
        made.append(given)
        if len(made) > 2:
            raise NotTried("the time is up")
        return names["nn_convolutional_layer"](*given)

    first, *_ = convolution_accuracy(make)
    assert first.points == 4
    assert first.said(1) == "100.0 % in the 2 rounds of 20 for which there was time"
    with pytest.raises(NotTried):
        convolution_accuracy(make)
