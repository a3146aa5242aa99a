"""Reports as text: short, each mistake once, and what says nothing in one line."""

import io

from rich.console import Console

from layers import nn_convolutional_layer
from verification import check, convolution, max_pooling
from verification.catalogue import max_pooling as catalogue
from verification.cause import Cause, Counterexample, PropertyReport
from verification.explain.where import Where
from verification.explain.why import Why
from verification.failure import ALREADY_WRONG
from verification.report import Report
from verification.show.printing import print_reports
from verification.show.text import blocks

SCRIPT = "import numpy as np\nprint(dLdx)\n# dLdx is wrong\n"
WHERE = Where(("filter_width == 3",), True)
MISTAKE = Cause(
    "dLdx", "values", "backprop_is_the_adjoint", "dLdx is wrong\n  dLdx[0] = 1.0, but should be 0.0 (1 of 1 entries)",
    why=(Why("padding", "the padding is 2 where filter - 1 belongs"),), where=WHERE, wrong=20, asked=40,
    counterexample=Counterexample({}, {}, SCRIPT),
)  # fmt: skip


def printed(*reports, capsys, terminal=False):
    print_reports(reports, 1.0, Console(file=io.StringIO(), force_terminal=terminal, width=100, highlight=False))
    return capsys.readouterr().out


def test_a_block_says_what_why_where_and_the_smallest_case():
    assert (
        "\n".join(blocks([MISTAKE]))
        == """the padding is 2 where filter - 1 belongs

    dLdx is right while filter_width is 3; wrong otherwise.
    dLdx is wrong
      dLdx[0] = 1.0, but should be 0.0 (1 of 1 entries)

    The smallest case found, without layerproof:

        import numpy as np
        print(dLdx)
"""
    )


def test_where_stands_in_for_why_and_nothing_is_said_twice():
    text = "\n".join(blocks([MISTAKE, Cause("dLdx", "values", "", MISTAKE.message, where=WHERE)]))
    assert text.startswith("1. the padding is 2")
    assert "\n2. dLdx is wrong: right while filter_width is 3; wrong otherwise\n\n      dLdx[0]" in text
    assert text.count("dLdx is wrong") == 2
    assert text.count("right while") == 2


def test_a_layer_with_one_mistake_has_less_than_45_lines(capsys):
    (layer,) = [bug.layer for bug in catalogue.BUGS if bug.name == "window_transposed"]
    report = check(max_pooling(layer), examples=5)
    assert len(report.mistakes) == 1
    assert str(report).count("\n") < 45
    right = check(convolution(nn_convolutional_layer), examples=1)
    lines = printed(right, report, capsys=capsys).splitlines()
    assert len([line for line in lines if not line.startswith("convolution")]) < 45
    assert any("print(dLdx)" in line for line in lines)


class Empty(nn_convolutional_layer):
    def forward(self, x):
        return out  # type: ignore[name-defined]  # noqa: F821


def test_what_is_said_of_a_layer_that_is_not_written_yet_is_short_and_names_the_line(capsys):
    report = check(convolution(Empty), examples=5)
    text = printed(report, capsys=capsys)
    (cause,) = report.mistakes
    assert cause.always
    assert f"convolution: 1 mistake\n\n{cause.headline}\n\n    On each of {cause.asked} cases.\n" in text
    assert "test_text.py, line" in cause.headline
    assert "The smallest case" not in text
    said = [line for line in text.splitlines() if not line.startswith(("layer ", "convolution  "))]
    assert len(said) < 15


def test_what_could_not_be_judged_is_one_line_and_hardening_one_list(capsys):
    items = [PropertyReport(name, "required", "not judged", 9, ALREADY_WRONG) for name in ("a_holds", "b_holds")]
    notes = [Cause("y", "property", f"{name}_holds", f"y is wrong in {name}", required=False) for name in "cd"]
    judged = PropertyReport("e_holds", "required", "passed", 9)
    reports = [Report(name, (judged, *items), tuple(notes[:at])) for at, name in enumerate(("one", "two", "three"))]
    for terminal in (False, True):
        text = printed(*reports, capsys=capsys, terminal=terminal)
        assert text.count("2 properties: what it judges") == 3
        assert "a holds" not in text
        assert text.count("Hardening, which does not count") == 1
        for line in ("- two: y is wrong in c (c holds)", "- three: y is wrong in c (c holds)",
                     "- three: y is wrong in d (d holds)"):  # fmt: skip
            assert f"\n  {line}\n" in text
    assert str(reports[2]).count("not judged") == 1
