"""Marks of a folder: what counts as a submission, how points are given, and that nothing is lost or done twice."""

import csv
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from hypothesis import settings

from verification import checking, failure
from verification.assignment import accuracy
from verification.assignment.accuracy import TESTS, Accuracy
from verification.assignment.kinds import KINDS
from verification.assignment.rubric import Rubric, RubricError, read_rubric
from verification.assignment.titles import TitlesVerdict
from verification.cause import Cause, PropertyReport
from verification.command import cli
from verification.explain.where import Where
from verification.explain.why import Why
from verification.judge import grade as module
from verification.judge import remote, session
from verification.judge.files import write_whole
from verification.judge.grade import NoSuchCauseError, Options, grade
from verification.judge.process import Limits
from verification.judge.submissions import LARGEST, NothingHandedInError, handed_in
from verification.judge.verdict import FileVerdict, LayerVerdict
from verification.properties import properties
from verification.report import Report
from verification.show.overview import groups

RIGHT = (Path(__file__).parent / "hw4_nn.py").read_text()
THOROUGH = pytest.mark.skipif(settings().max_examples <= 100, reason="takes long: --hypothesis-profile=thorough")
QUICK = Options(examples=1, limits=Limits(timeout=60))


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def unfinished(folder: Path, count: int) -> Path:
    """Put submissions that take no time: none of them is Python."""
    return put(folder, {f"student {at:02}.py": f"def f{at}(:\n" for at in range(count)})


@contextmanager
def in_this_process():
    """Mark without other processes than the children, to save the time that those take to start."""

    class Here(Executor):
        def submit(self, call, /, *args, **named):
            future: Future[Any] = Future()
            future.set_result(call(*args, **named))
            return future

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_executor", lambda jobs, scheduler: nullcontext((Here(), 1)))
        yield


@pytest.fixture
def here():
    with in_this_process():
        yield


def words(text: str) -> str:
    """Return what a page says, without its markup, style and script."""
    text = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# What is handed in


def test_files_and_sub_folders_are_submissions(tmp_path):
    put(tmp_path, {
        "ada.py": "class nn_convolutional_layer: ...",
        "bob/hw4_nn.py": "", "bob/hw4_mnist.py": "", "bob/__MACOSX/hw4_nn.py": "no",
        "cyd/deep/layers.py": "class nn_maxpool_layer: ...", "cyd/deep/pictures.py": "from keras.datasets import mnist",
        "dan/notes.txt": "", "eve/a.py": "class nn_max_pooling_layer: ...", "eve/b.py": "class nn_max_pooling_layer: ...",
        ".hidden.py": "", "readme.txt": "", "fay.py": "x" * (LARGEST + 1), "gus.py": "nothing",
    })  # fmt: skip
    (tmp_path / "zoe.py").symlink_to("/etc/hostname")
    found = {one.name: one for one in handed_in(tmp_path)}
    names = {name: [file and file[0] for file in (one.layers, one.titles)] for name, one in found.items()}
    assert names == {
        "ada": ["ada.py", None], "bob": ["hw4_nn.py", "hw4_mnist.py"], "cyd": ["layers.py", "pictures.py"],
        "dan": [None, None], "eve": [None, None], "fay": [None, None], "gus": ["gus.py", None], "zoe.py": [None, None],
    }  # fmt: skip
    said = {name: "; ".join(one.problems) for name, one in found.items() if one.problems}
    assert set(said) == {"dan", "eve", "fay", "zoe.py"}
    assert said["dan"] == "there is no Python file"
    assert said["eve"] == "there are 2 files with the classes: eve/a.py, eve/b.py"
    assert "a link" in said["zoe.py"]


def test_a_folder_with_the_files_themselves_is_one_submission(tmp_path):
    put(tmp_path / "ada", {"hw4_nn.py": "", "hw4_mnist.py": ""})
    assert [one.name for one in handed_in(tmp_path / "ada")] == ["ada"]


def test_names_become_files_that_every_system_takes(tmp_path):
    put(tmp_path, {"=cmd|' /C calc'.py": "", "a\nb.py": "", "ünï.py": "", "ada.py": "", "ada/hw4_nn.py": ""})
    files = {one.name: one.file for one in handed_in(tmp_path)}
    assert len(set(files.values())) == 5
    assert all(re.fullmatch(r"[\w.\- ]+", file) for file in files.values())
    assert files["ünï"] == "ünï"


def test_an_empty_folder_is_no_class(tmp_path):
    with pytest.raises(NothingHandedInError, match="a Python file or a sub-folder"):
        handed_in(tmp_path)


# Points


def test_a_rubric_changes_points_and_weights(tmp_path):
    path = tmp_path / "rubric.toml"
    path.write_text(
        "[accuracy]\nabove_90 = 2.5\n[properties]\nhistory_is_irrelevant = 1\nconvolution.is_equivariant_to_shifts = 3"
    )
    rubric = read_rubric(path)
    rows = rubric.rows(None, None)
    assert [(row.points, row.of) for row in rows] == [(0, 2.5)] * 4 + [(0, 4), (0, 1), (0, 3), (0, 1)]
    assert rubric.accuracy == {"above_90": 2.5, "from_50_to_90": 2, "below_50": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[acuracy]", "acuracy should be one of the tables"), ("accuracy = 3", "should be one of the tables"),
        ("[titles]\nwrnog = 1", "has no wrnog; it has right, wrong"), ("[titles]\nright = -1", "from 0, but is -1"),
        ("[titles]\nright = true", "but is True"), ("[titles]\nright = inf", "but is inf"), ("[", "rubric.toml"),
        ("[properties]\nis_right = 1", "has no is_right"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_rubric_is_named(tmp_path, text, said):
    path = tmp_path / "rubric.toml"
    path.write_text(text)
    with pytest.raises(RubricError, match=re.escape(said)):
        read_rubric(path)


def of_percent(*percents: float) -> FileVerdict:
    """Return a verdict with these accuracies, and reports of which one property failed."""
    results = [Accuracy(test, (1.0,), (percent / 100,)) for test, percent in zip(TESTS, percents, strict=True)]
    layers = []
    for kind in KINDS:
        items = [
            PropertyReport(item.name, item.kind, "failed" if item.name == "backprop_is_the_adjoint" else "passed", 1)
            for item in properties(kind.spec(object))
        ]
        accuracies: dict[str, Accuracy | str] = {result.test: result for result in results if result.test in kind.tests}
        layers.append(LayerVerdict(kind.name, "", Report(kind.name, tuple(items)), "", accuracies))
    return FileVerdict("hw4_nn.py", "", (), tuple(layers), "")


def test_section_7():
    def points(layers, titles, **weights):
        return [row.points for row in Rubric(properties=weights).rows(layers, titles)]

    right, wrong = (TitlesVerdict("hw4_mnist.py", (), problem, (), "") for problem in ("", "no title"))
    assert points(of_percent(100, 90.1, 99, 91), right) == [4, 4, 4, 4, 4]
    assert points(of_percent(90, 50, 49.9, float("nan")), wrong) == [2, 2, 1, 1, 1]
    assert points(None, None) == [0, 0, 0, 0, 0]
    given: dict[str, float] = {"backprop_is_the_adjoint": 2.0, "history_is_irrelevant": 0.5}
    assert points(of_percent(0, 0, 0, 0), None, **given) == [1, 1, 1, 1, 0, 0, 0.5, 0.5]


@pytest.mark.usefixtures("verdict_only")
def test_marks_of_a_folder(tmp_path, here, monkeypatch):
    monkeypatch.setattr(accuracy, "ROUNDS", 1)
    lacks = RIGHT.replace("import numpy as np", "import nunpy as np"), f"import a_toolbox\n{RIGHT}"
    files = {"ada.py": RIGHT, "bea.py": lacks[0], "cem.py": lacks[1], "eve.py": "def f(", "fay.py": ""}
    put(tmp_path / "in", {**files, "zoe/hw4_mnist.py": "("})
    reports, failed = grade(tmp_path / "in", tmp_path / "out", QUICK)
    assert not failed
    points = {report["name"]: [row["points"] for row in report["marks"]] for report in reports}
    right, wrong = [4, 4, 4, 4, 0], [1, 1, 1, 1, 0]
    assert points == {
        "ada": right, "bea": wrong, "cem": right, "eve": wrong, "fay": wrong, "zoe": [0, 0, 0, 0, 1],
    }  # fmt: skip
    rows = list(csv.reader((tmp_path / "out" / "grades.csv").read_text().splitlines()))
    assert [row[:6] for row in rows] == [
        ["name", "points", "of", "verdict", "convolution", "max_pooling"],
        ["ada", "16", "20", "passed", "right", "right"],
        ["bea", "4", "20", "failed import", "wrong", "wrong"],
        ["cem", "16", "20", "passed", "right", "right"],  # nothing of it is used
        ["eve", "4", "20", "syntax error", "syntax error", "syntax error"],
        ["fay", "4", "20", "empty file", "empty file", "empty file"],
        ["zoe", "1", "20", "missing", "missing", "missing"],
    ]
    assert rows[0][-3:] == ["convolution causes", "max_pooling causes", "problems"]
    assert rows[1][-3:] == ["", "", ""]
    assert rows[2][-1] == "line 3, `import nunpy as np`: ModuleNotFoundError: No module named 'nunpy'"
    assert rows[3][-1] == ""
    assert "SyntaxError: '(' was never closed (eve.py, line 1)" in rows[4][-1]
    assert rows[5][-1] == "the file is empty"
    shown = words((tmp_path / "out" / "index.html").read_text())
    assert (
        "bea line 3, `import nunpy as np`: ModuleNotFoundError: No module named 'nunpy' 4 of 20 failed import" in shown
    )
    assert "eve SyntaxError: '(' was never closed (eve.py, line 1) 4 of 20 syntax error syntax error" in shown
    assert "fay the file is empty 4 of 20 empty file empty file empty file" in shown


NOT_FLIPPED = RIGHT.replace("self.W[:, :, ::-1, ::-1]", "self.W")
NOTHING = RIGHT.replace("        dLdx = np.zeros(x.shape)\n", "        raise NotImplementedError\n")


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A folder of submissions and what they were marked with, to read; and the reports."""
    folder = tmp_path_factory.mktemp("marked")
    put(
        folder / "in",
        {"ada.py": RIGHT, "bob.py": NOT_FLIPPED, "cyd & co.py": f"# mine\n{NOT_FLIPPED}", "eve.py": NOTHING},
    )
    with in_this_process(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy, "ROUNDS", 1)
        reports, _ = grade(folder / "in", folder / "out", replace(QUICK, examples=3))
    return folder, reports


def test_who_made_the_same_mistake_stands_together(marked):
    tmp_path, reports = marked
    why = "dLdx is the right gradient computed with the filter not flipped"
    group = next(one for one in groups(reports, "pages") if one.title.startswith(why))
    file = quote(next(one.file for one in handed_in(tmp_path / "in") if one.name == "cyd & co"))
    assert group.links == {
        "bob": "pages/bob.html#convolution-1", "cyd & co": f"pages/{file}.html#convolution-1",
    }  # fmt: skip
    text = (tmp_path / "out" / "index.html").read_text()
    assert f"2 submissions: {group.title} convolution, dLdx is wrong bob , cyd & co" in words(text)
    assert "1 submission: backprop is not written yet" in words(text)
    rows = csv.DictReader((tmp_path / "out" / "grades.csv").read_text().splitlines())
    (row,) = [row for row in rows if row["name"] == "bob"]
    assert group.title in row["convolution causes"]
    assert row["max_pooling causes"] == ""
    page = (tmp_path / "out" / "submissions" / "bob.html").read_text()
    assert 'id="convolution-1"' in page


def test_a_submission_is_counted_once_in_a_group_and_hardening_only_where_strict(tmp_path):
    unknown = Cause("dLdx", "values", "backprop_is_the_adjoint", "dLdx is wrong\n  dLdx[0] = 1.0, but should be 0.0")
    known = replace(unknown, why=(Why("padding", "padding of 2 where filter - 1 belongs"),))
    here = replace(unknown, where=Where(("filter_width == 3",), True))
    zero = replace(known, why=(Why("zero", "zero everywhere"),))
    found = {"ada": [unknown, unknown], "bob": [known, here], "cyd": [here, known], "dan": [zero]}
    reports = [{"name": name, "file": name, "causes": {"convolution": found[name]}} for name in found]
    assert [(group.title, group.about, group.links) for group in groups(reports, "p")] == [
        ("dLdx is wrong: right while filter_width is 3; wrong otherwise", "convolution",
         {"bob": "p/bob.html#convolution-2", "cyd": "p/cyd.html#convolution-1"}),
        ("padding of 2 where filter - 1 belongs", "convolution, dLdx is wrong",
         {"bob": "p/bob.html#convolution-1", "cyd": "p/cyd.html#convolution-2"}),
        ("zero everywhere", "convolution, dLdx is wrong", {"dan": "p/dan.html#convolution-1"}),
        ("not explained: dLdx is wrong in convolution", "", {"ada": "p/ada.html#convolution-1"}),
    ]  # fmt: skip
    aside = replace(known, required=False)
    layer = {"name": "convolution", "outcome": "right", "causes": [aside.to_dict()]}
    stored = {"name": "ada", "points": 1, "of": 2, "verdict": "passed", "problems": [], "marks": []}
    path = tmp_path / "ada.json"
    path.write_text(json.dumps({**stored, "layers": {"layers": [layer]}}))
    assert module._report(path, strict=False)["causes"] == {"convolution": []}
    assert module._report(path, strict=True)["causes"] == {"convolution": [aside]}


def test_only_those_with_a_cause_are_marked_again(marked, tmp_path, here, monkeypatch):
    monkeypatch.setattr(accuracy, "ROUNDS", 1)
    shutil.copytree(marked[0], tmp_path, dirs_exist_ok=True)
    options, out = replace(QUICK, examples=3), tmp_path / "out"
    put(tmp_path / "in", {"new.py": "("})
    before = content(out)
    asked: list[list[str]] = []
    mark = module._marked
    monkeypatch.setattr(module, "_marked", lambda left, *rest: _noted(asked, left, mark(left, *rest)))
    reports, _ = grade(tmp_path / "in", out, replace(options, examples=4), only="NOT written yet")
    assert asked == [["eve"]]
    assert [report["name"] for report in reports] == ["ada", "bob", "cyd & co", "eve"]
    after = content(out)
    changed = {name for name in before if after[name] != before[name]}
    assert "submissions/eve.json" in changed
    assert not [name for name in changed if "ada" in name or "bob" in name or "cyd" in name]
    with pytest.raises(NoSuchCauseError, match=r"none of the 4 submissions marked in .* has 'padding' in a cause"):
        grade(tmp_path / "in", out, options, only="padding")
    result = CliRunner().invoke(cli, ["grade", str(tmp_path / "in"), "--out", str(out), "--only", "padding"])
    assert result.exit_code == 1
    assert "has 'padding' in a cause" in result.output


RIGHT_TIES = {"right but for ties": ("full-gradient-to-ties", "no-gradient-to-ties"), "wrong": ("wrong-operation",)}


@pytest.mark.parametrize("outcome", RIGHT_TIES)
def test_a_layer_that_is_right_but_for_ties_is_told_from_a_wrong_one(outcome):
    properties = (
        PropertyReport("gradient_is_a_subgradient", "required", "failed", 1),
        PropertyReport("float32", "hardening", "failed", 1),
    )
    hardening = Cause("y", "property", "float32", "y is wrong", required=False)

    def caused(*families: str) -> Cause:
        why = tuple(Why(family, "why") for family in families)
        return Cause("dLdx", "property", "gradient_is_a_subgradient", "dLdx is wrong", why=why)

    def told(properties: tuple[PropertyReport, ...], *causes: Cause) -> str:
        report = Report("max_pooling", properties, (*causes, hardening))
        return LayerVerdict("max_pooling", "", report, "", {}).outcome

    for family in RIGHT_TIES[outcome]:
        assert told(properties, caused(family)) == outcome
        assert told(properties, caused(family), caused()) == "wrong"
        assert told(properties, caused(family, "transposed")) == "wrong"
    assert told(properties) == "wrong"
    assert told(properties[1:]) == "right"


def test_the_overview_has_a_verdict_for_each_layer(tmp_path, here, monkeypatch):
    monkeypatch.setattr(accuracy, "ROUNDS", 1)
    first, last = "            p, q = np.unravel", "] += dLdy[n, c, i, j]\n"
    start, end = RIGHT.index(first), RIGHT.index(last) + len(last)
    all_ties = "            dLdx[n, c, i * step : i * step + size, j * step : j * step + size] += (\n" \
               "                window == window.max()) * dLdy[n, c, i, j]\n"  # fmt: skip
    put(tmp_path / "in", {"ada.py": RIGHT[:start] + all_ties + RIGHT[end:], "eve.py": "x = 1"})
    reports, _ = grade(tmp_path / "in", tmp_path / "out", replace(QUICK, examples=5))
    assert [report["outcomes"] for report in reports] == [
        {"convolution": "right", "max_pooling": "right but for ties"},
        {"convolution": "no class", "max_pooling": "no class"},
    ]
    text = (tmp_path / "out" / "index.html").read_text()
    assert '<td class="note">right but for ties</td>' in text
    for head in ("points", *TESTS.values()):
        assert f'<th scope="col" class="number"><button type="button">{head}</button></th>' in text
    assert "2 submissions, 0 of them right, 1 right but for ties;" in words(text)


def test_no_name_of_the_suites_own_exceptions_reaches_a_reader(tmp_path, here, monkeypatch):
    monkeypatch.setattr(accuracy, "ROUNDS", 1)
    monkeypatch.setattr(session, "LOST", 1)
    monkeypatch.setattr(remote, "ALONE", 2)
    if settings().max_examples <= 100:  # each property starts some children; `thorough` tries all
        monkeypatch.setattr(checking, "properties", lambda spec: properties(spec)[::4])
    own = [
        name for name, value in vars(failure).items() if isinstance(value, type) and issubclass(value, BaseException)
    ]
    assert {"Stopped", "PropertyFailed"} <= {*own}
    head = "    def __init__(self, stride, pool_size):\n"
    lines = {
        "raises": "raise ValueError('no')", "ends": "import os; os._exit(3)", "hangs": "import time; time.sleep(60)",
    }  # fmt: skip
    files = {f"{name}.py": RIGHT.replace(head, f"{head}        {line}\n") for name, line in lines.items()}
    files["wants_more.py"] = RIGHT.replace("filter_height, input_size, in_ch_size", "filter_height, in_ch_size")
    put(tmp_path / "in", files)
    grade(tmp_path / "in", tmp_path / "out", Options(examples=1, limits=Limits(timeout=0.5)), gradescope=True)
    result = CliRunner().invoke(cli, ["check", str(tmp_path / "in" / "raises.py"), "--examples", "1"])
    read = [text.decode() for text in content(tmp_path / "out").values()]
    assert len(read) == 2 + 3 * len(files)
    found = re.findall(rf"\b(?:{'|'.join(own)})\b", "\n".join([*read, result.output]))
    assert not found


# Files


def test_no_cell_is_a_formula_and_no_name_is_markup(tmp_path, here):
    unfinished(tmp_path / "in", 1)
    put(tmp_path / "in", {"=1+1<b>.py": "("})
    grade(tmp_path / "in", tmp_path / "out", QUICK)
    assert "'=1+1<b>" in (tmp_path / "out" / "grades.csv").read_text()
    assert "<b>" not in (tmp_path / "out" / "index.html").read_text()


def test_gradescope_reads_the_points_of_one_submission(tmp_path, here):
    put(tmp_path / "in", {"hw4_nn.py": "("})
    grade(tmp_path / "in", tmp_path / "out", QUICK, gradescope=True)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["score"] == sum(test["score"] for test in results["tests"]) == 4
    assert results["tests"][0] == {
        "name": "conv layer dLdx",
        "score": 1,
        "max_score": 4,
        "output": results["tests"][0]["output"],
    }


def test_what_was_marked_is_not_marked_again_unless_it_changed(tmp_path, here, monkeypatch):
    unfinished(tmp_path / "in", 3)
    grade(tmp_path / "in", tmp_path / "out", QUICK)
    before = content(tmp_path / "out")
    asked: list[list[str]] = []
    marked = module._marked
    monkeypatch.setattr(module, "_marked", lambda left, *rest: _noted(asked, left, marked(left, *rest)))
    grade(tmp_path / "in", tmp_path / "out", QUICK)
    assert content(tmp_path / "out") == before
    put(tmp_path / "in", {"student 01.py": "def g(:"})
    (tmp_path / "out" / "submissions" / "student 02.html").unlink()
    grade(tmp_path / "in", tmp_path / "out", QUICK)
    assert asked == [[], ["student 01", "student 02"]]


def test_a_full_disk_leaves_nothing_half_written_and_the_next_run_goes_on(tmp_path, here, monkeypatch):
    unfinished(tmp_path / "in", 4)
    grade(tmp_path / "in", tmp_path / "whole", QUICK)
    write = write_whole
    left = [3]

    def full(path, text):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(module, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        grade(tmp_path / "in", tmp_path / "out", QUICK)
    assert len(content(tmp_path / "out")) == 3
    monkeypatch.setattr(module, "write_whole", write)
    grade(tmp_path / "in", tmp_path / "out", QUICK)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@THOROUGH
def test_whatever_ends_a_run_the_next_one_goes_on_to_the_same_bytes(tmp_path):
    unfinished(tmp_path / "in", 6)
    options = ["--examples", "1", "--jobs", "2", "--out", str(tmp_path / "out")]
    program = "from verification.command import main; main()"
    command = [sys.executable, "-c", program, "grade", str(tmp_path / "in"), *options]
    for number in (signal.SIGKILL, signal.SIGINT):
        before = len(list(tmp_path.rglob("*.json")))
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        while running.poll() is None and len(list(tmp_path.rglob("*.json"))) == before:
            time.sleep(0.01)
        running.send_signal(number)
        _, errors = running.communicate(timeout=300)
        if number == signal.SIGINT and running.returncode:
            assert (running.returncode, errors.strip()) == (130, b"interrupted")
    kept = content(tmp_path / "out")
    with in_this_process():
        grade(tmp_path / "in", tmp_path / "whole", Options(examples=1))
        grade(tmp_path / "in", tmp_path / "out", Options(examples=1))
    whole = content(tmp_path / "whole")
    assert all(kept[name] == text for name, text in whole.items() if name in kept)
    assert content(tmp_path / "out") == whole


@THOROUGH
def test_a_submission_that_ends_the_judge_is_named_and_the_others_are_marked(tmp_path, monkeypatch):
    unfinished(tmp_path / "in", 3)
    monkeypatch.setattr(module, "mark", _dies)
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    reports, failed = grade(tmp_path / "in", tmp_path / "out", QUICK, jobs=1)
    assert failed == ["student 01"]
    assert [report["name"] for report in reports] == ["student 00", "student 02"]


def _noted(asked, left, marked):
    asked.append([one.name for one in left])
    return marked


def _dies(submission, options):
    if submission.name == "student 01":
        os.kill(os.getpid(), signal.SIGKILL)
    return module.mark(submission, options)


def test_the_command(tmp_path, here):
    put(unfinished(tmp_path / "in", 2), {"late.zip": ""})
    out = tmp_path / "out"
    result = CliRunner().invoke(cli, ["grade", str(tmp_path / "in"), "--out", str(out), "--examples", "1"])
    assert result.exit_code == 0, result.output
    assert "not marked, since they are no Python files: late.zip" in result.stderr
    assert result.stdout == f"2 submissions marked: {out / 'index.html'}, {out / 'grades.csv'}\n"
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(cli, ["grade", str(tmp_path / "empty"), "--out", str(out)])
    assert result.exit_code == 1
    assert "should have a Python file or a sub-folder" in result.output
