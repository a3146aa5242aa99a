"""Files that attack the judge, each with what must be observed: none passes wrongly, hangs, crashes, or leaves anything.

Only those that do not end have a short timeout; so a slow machine changes no outcome.
"""

import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from verification import checking
from verification.assignment.accuracy import Accuracy
from verification.judge import sandbox, session, verdict
from verification.judge.process import Child, Limits, SandboxError
from verification.properties import properties

THOROUGH = settings().max_examples > 100
"""By default one file in fifteen stands for all; `thorough` takes all."""

HOSTILE = Path(__file__).parent / "hostile"
OUTSIDE = b"/nonexistent/outside"  # in the files: the directory of the test's own that they attack

RIGHT = b"""
import numpy as np

class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride, self.pool_size = stride, pool_size

    def windows(self, x):
        s, p = self.stride, self.pool_size
        for i in range((x.shape[2] - p) // s + 1):
            for j in range((x.shape[3] - p) // s + 1):
                yield i, j, np.s_[:, :, i * s : i * s + p, j * s : j * s + p]

    def forward(self, x):
        s, p = self.stride, self.pool_size
        y = np.zeros((*x.shape[:2], (x.shape[2] - p) // s + 1, (x.shape[3] - p) // s + 1))
        for i, j, window in self.windows(x):
            y[:, :, i, j] = x[window].max(axis=(2, 3))
        return y

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for i, j, window in self.windows(x):
            flat = x[window].reshape(*x.shape[:2], x[window][0, 0].size)
            first = np.arange(flat.shape[2]) == flat.argmax(axis=2)[..., None]
            dLdx[window] += (first * dLdy[:, :, i, j, None]).reshape(x[window].shape)
        return dLdx
"""


FORWARD, BACKPROP = "is_exact_at_a_realistic_size", "backprop_matches_directional_differences"


@dataclass(frozen=True)
class Seen:
    """What must be observed of a file.

    text      a regular expression found in what the verdict says
    tried     whether the file gets to its end, and prints that it did
    ends      whether its calls end by themselves
    only      the property that is tried, beside one of forward; all where it is ""
    passes    whether it is right as seen from outside
    open      what it may get where there is no sandbox
    """

    text: str = "is wrong|but should have shape"
    tried: bool = False
    ends: bool = True
    only: str = FORWARD
    passes: bool = False
    open: str = "nothing"


LOOKED, STRANGE = Seen(tried=True), Seen("makes no sense|before it was asked")
WRONG_OR_ENDED = Seen("is wrong|should have shape|ended its process")
LATE = Seen("did not return within", ends=False)

TABLE = {
    # It does not end
    "endless_loop_in_forward": LATE,
    "endless_loop_on_import": LATE,
    "endless_loop_in_backprop": Seen("did not return within", ends=False, only=BACKPROP),
    "error_whose_text_never_ends": LATE,
    "holds_the_interpreter_lock": LATE,
    "ignores_every_signal": LATE,
    "stops_itself": LATE,
    "answers_a_byte_at_a_time": LATE,
    "sleeps_just_under_the_timeout": Seen("not tried|did not return within", ends=False, only=""),
    "threads_that_never_end": LOOKED,
    # It ends its process, or others
    "sys_exit_on_import": Seen("SystemExit: 0"),
    "os_exit_on_import": Seen("loading the file ended its process with exit status 0"),
    "os_exit_in_forward": Seen("forward ended its process with exit status 0"),
    "segmentation_fault": Seen("killed by signal 11", only=BACKPROP),
    "kills_itself": Seen("killed by signal 9"),
    "kills_its_group": Seen("killed by signal 9"),
    "endless_recursion": Seen("RecursionError|ended its process"),
    # It takes what there is
    "memory_bomb": Seen("MemoryError"),
    "fork_bomb": LOOKED,
    "thread_bomb": LOOKED,
    "prints_a_gigabyte": LOOKED,
    "raises_a_huge_message": Seen("(Huge){100}"),
    "fills_the_disk": Seen(tried=True, open="128 MB or more"),
    "keeps_memory_in_the_kernel": LOOKED,
    "leaves_a_key": LOOKED,
    "lifts_its_limits": LOOKED,
    "defines_a_million_names": Seen("more than the 1048576|should have shape"),
    # Its pipes
    "closes_every_pipe": Seen("ended its process|closed the pipe|did not return within", ends=False),
    "closes_its_output": LOOKED,
    "replaces_standard_output": WRONG_OR_ENDED,
    "writes_noise_into_every_pipe": Seen("something else than an answer"),
    "announces_a_huge_frame": Seen("a frame of 9223372036854775808 bytes"),
    "answers_before_it_is_asked": Seen("answered before it was asked"),
    "forges_a_verdict": STRANGE,
    "sends_a_pickle": Seen("no .npy array"),
    "sends_shapes_that_overflow": Seen("an array of shape"),
    "sends_a_header_nested_deeply": Seen("something else than an answer|recursion"),
    "describes_a_class_that_is_none": STRANGE,
    "describes_strange_parameters": STRANGE,
    "changes_what_it_was_given": Seen(r"changes x in place: it had shape .* and has shape \(2,\)|complex128", only=""),
    "agrees_with_itself_in_the_judge": WRONG_OR_ENDED,
    "counts_its_results_strangely": Seen("makes no sense", only=""),
    "answers_in_strange_json": Seen("makes no sense|ended its process|should return"),
    "raises_strange_errors": Seen("raised|ended its process"),
    # It changes the code around it
    "replaces_functions_of_numpy": WRONG_OR_ENDED,
    "replaces_methods_of_arrays": WRONG_OR_ENDED,
    "replaces_builtins_and_json": WRONG_OR_ENDED,
    "replaces_modules_of_the_judge": Seen("there is no class nn_max_pooling_layer"),
    # It looks around
    "imports_right_layers": Seen("there is no class|ModuleNotFoundError|ImportError"),
    "reads_the_files_of_the_package": Seen(tried=True, open=".*"),
    "looks_into_the_callers_frames": LOOKED,
    "reads_the_environment": Seen(tried=True, open=".*"),
    "reads_other_files": Seen(tried=True, open=".*"),
    "uses_the_network": LOOKED,
    "finds_files_left_open": LOOKED,
    "leaves_links_and_deep_folders": LOOKED,
    "moves_its_folder_away": LOOKED,
    "goes_on_when_it_is_over": LOOKED,
    # What it returns
    "returns_a_list": Seen("returned a list of"),
    "returns_none": Seen("returned None"),
    "returns_complex_numbers": Seen("an array of complex128"),
    "returns_nan": Seen("= nan, but should be"),
    "returns_objects": Seen("an array of object"),
    "returns_text": Seen("an array of "),
    "returns_small_integers": Seen(only=""),
    "returns_numbers_beyond_all_bounds": Seen(only=""),
    "returns_a_huge_array": Seen("ended its process|has shape|returned|raised|something else"),
    "returns_an_array_equal_to_anything": Seen(),
    "returns_things_that_cannot_be_described": Seen("ended its process|should return"),
    "returns_views_of_its_input": Seen("shares memory with x", only="", passes=True),
    "changes_what_it_returned": Seen("a buffer it uses again", only="", passes=True),
    "changes_its_arguments": Seen("forward changes x", only=""),
    "changes_results_from_a_thread": Seen("is wrong|not deterministic"),
    "is_right_every_other_time": Seen("raised ValueError|not deterministic", only=""),
    "knows_the_test": Seen(only=""),
    # What it says, and is
    "script_and_escape_codes": Seen(r"\\x1b\]0;owned"),
    "shows_escape_codes_as_its_classes": Seen(r"the file defines \\x1b\[2J<script>"),
    "class_that_answers_to_everything": Seen("should return"),
    "parameters_that_raise": Seen("KeyError|constructor|parameter|W", only=""),
    "parameters_that_are_no_arrays": Seen("returned|W|shape", only=""),
    "lets_no_parameter_be_set": Seen(),
}

SANDBOX_ONLY = {"reads_the_memory_of_its_parent": LOOKED, "writes_outside_its_folder": LOOKED}
"""Where there is no sandbox these are open, and said to be."""

ON_THE_JUDGE = {"kills_its_parent": LOOKED, "has_the_kernel_signal_its_parent": LOOKED, "slows_its_parent": LOOKED}
"""These run in a judge that has a process of its own."""

FALLBACK = (
    "endless_loop_in_forward", "ignores_every_signal", "os_exit_on_import", "os_exit_in_forward", "kills_its_group",
    "memory_bomb", "fork_bomb", "closes_every_pipe", "closes_its_output", "announces_a_huge_frame", "sends_a_pickle",
    "keeps_memory_in_the_kernel", "leaves_a_key", "uses_the_network", "imports_right_layers", "leaves_links_and_deep_folders",
    "looks_into_the_callers_frames", "goes_on_when_it_is_over", "finds_files_left_open",
)  # fmt: skip


@functools.lru_cache
def sandboxed():
    """Return why bubblewrap cannot be used here, or ""."""
    try:
        Child(Limits(sandbox=True)).stop()
    except SandboxError as error:
        return str(error)
    return ""


def processes(marker):
    """Return the processes that have the marker in their environment or their command."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            text = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
            if marker in text and int(place.name) != os.getpid():
                found.append(int(place.name))
        except OSError:
            continue
    return found


@pytest.fixture
def around(tmp_path, monkeypatch):
    """Where a file is judged: marked processes, one place for temporary files, a directory and a server to attack."""
    outside, temporary = tmp_path / "outside", tmp_path / "temporary"
    for folder in (outside, temporary):
        folder.mkdir()
    (outside / "other_submission.py").write_text("another's work")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("LAYERPROOF_SECRET", "of the judge")
    marker = f"{os.getpid()}-{time.monotonic_ns()}"
    given = sandbox.environment
    monkeypatch.setattr(sandbox, "environment", lambda folder: {**given(folder), "LAYERPROOF_MARKER": marker})
    yield outside
    deadline = time.monotonic() + 20
    while (left := processes(marker.encode())) and time.monotonic() < deadline:  # the kernel takes its time
        time.sleep(0.01)
    for process in left:
        os.kill(process, signal.SIGKILL)
    kept = os.listdir(temporary)
    if kept:  # maybe too deep for pytest to remove
        subprocess.run(["rm", "-rf", str(temporary)], check=True)
    assert not left, "processes are left"
    assert not kept, "files are left"
    assert [file.name for file in outside.iterdir()] == ["other_submission.py"]
    assert (outside / "other_submission.py").read_text() == "another's work"


def judged(name, seen, sandbox, outside, monkeypatch, port=0):
    """Judge the file by two properties, unless all are asked for, and without explanations."""
    monkeypatch.setattr(checking, "causes", lambda spec: [])
    monkeypatch.setattr(verdict, "_accuracies", lambda make, kind, seed: dict.fromkeys(kind.tests, "not run"))
    if seen.only:
        few = "forward_matches_reference", seen.only
        monkeypatch.setattr(checking, "properties", lambda spec: [one for one in properties(spec) if one.name in few])
    if not seen.ends:
        monkeypatch.setattr(session, "LOST", 1)
        monkeypatch.setattr(session, "PATIENCE", 5)
    source = (HOSTILE / f"{name}.py").read_bytes().replace(OUTSIDE, bytes(outside))
    source = source.replace(b"PORT = 65535", b"PORT = %d" % port)
    limits = Limits(timeout=60 if seen.ends else 0.2, sandbox=sandbox)
    return verdict.judge(source, "hw4_nn.py", examples=1, limits=limits)


def hold(seen, result, allowed="nothing"):
    """Assert that this was observed."""
    said = [result.problem, *result.notes, *(layer.problem for layer in result.layers)]
    said += [one.message for layer in result.layers if layer.report for one in layer.report.failures]
    convolution, pooling = result.layers
    assert pooling.passed is seen.passes
    assert not convolution.passed
    assert re.search(seen.text, "\n".join(said)), said
    assert "could not be judged" not in "".join(said)
    assert ("tried" in result.output.splitlines()) >= seen.tried, result.output
    got = re.findall(r"^got: (.*)", result.output, re.MULTILINE)
    assert not [one for one in got if not re.match(allowed, one)]
    assert len(result.output) <= 4 * (64 << 10)
    text = json.dumps(result.to_dict(), ensure_ascii=False)
    assert not [one for one in "".join([text, *said, result.output]) if not one.isprintable() and one != "\n"]


@pytest.mark.parametrize("name", [*TABLE, *SANDBOX_ONLY][:: 1 if THOROUGH else 15])
def test_in_the_sandbox(name, around, monkeypatch):
    if why := sandboxed():
        pytest.skip(why)
    seen = {**TABLE, **SANDBOX_ONLY}[name]
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        hold(seen, judged(name, seen, True, around, monkeypatch, server.getsockname()[1]))
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="without a sandbox only Linux keeps a file apart")
@pytest.mark.parametrize("name", FALLBACK[:: 1 if THOROUGH else 10])
def test_without_a_sandbox(name, around, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        result = judged(name, TABLE[name], False, around, monkeypatch, server.getsockname()[1])
        hold(TABLE[name], result, TABLE[name].open)
        with pytest.raises(BlockingIOError):
            server.accept()


SCRIPT = """
import os, sys
from pathlib import Path
from verification import checking
from verification.judge.process import Limits
from verification.judge.verdict import judge
have = lambda: (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0), os.sched_getscheduler(0))
before = have()
every = checking.properties
checking.properties = lambda spec: every(spec)[:1]
checking.causes = lambda spec: []
for name in sys.argv[2:]:
    limits = Limits(timeout=60, sandbox=sys.argv[1] == "True")
    result = judge(Path(name).read_bytes(), "hw4_nn.py", examples=1, limits=limits)
    print(Path(name).stem, result.passed, "tried" in result.output, have() == before, flush=True)
"""


@pytest.mark.parametrize("in_sandbox", [False, True] if THOROUGH else [False])
def test_attacks_on_the_judge(in_sandbox, around):
    if in_sandbox and (why := sandboxed()):
        pytest.skip(why)
    names = list(ON_THE_JUDGE)[: None if THOROUGH else 1]
    files = [str(HOSTILE / f"{name}.py") for name in names]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(in_sandbox), *files],
        start_new_session=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stdout.splitlines() == [f"{name} False True True" for name in names], run.stderr
    assert run.returncode == 0


@pytest.mark.parametrize("name", ["replaces_methods_of_arrays", "os_exit_in_forward"][: 2 if THOROUGH else 1])
def test_a_right_layer_passes_right_after(name, around, monkeypatch):
    seen = TABLE[name]
    with monkeypatch.context() as patched:
        judged(name, seen, None, around, patched)
    _, pooling = verdict.judge(RIGHT, "hw4_nn.py", examples=1, limits=Limits(timeout=60)).layers
    assert pooling.passed
    (accuracy,) = pooling.accuracies.values()
    assert isinstance(accuracy, Accuracy)
    assert accuracy.percent > 99.9


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"class nn_max_pooling_layer:\n\x00", "null bytes"),
        (b"# coding: no-such\n", "SyntaxError"),
        (b"\xff\xfe\xff", "SyntaxError|UnicodeDecodeError"),
        (b"x = " + b"(" * 5000, "SyntaxError|MemoryError|RecursionError"),
        (b"x = " + b"-" * 20000 + b"1", "SyntaxError|MemoryError|RecursionError|ended its process|no class"),
        (b"", "the file is empty"),
    ],
)
def test_files_that_are_no_python(source, said, around):
    result = verdict.judge(source, "hw4_nn.py", examples=1, limits=Limits(timeout=60))
    assert not result.passed
    assert re.search(said, result.layers[1].problem)


def test_every_file_is_in_the_table():
    names = [file.stem for file in HOSTILE.glob("*.py")]
    assert sorted(names) == sorted([*TABLE, *SANDBOX_ONLY, *ON_THE_JUDGE])
    for name in names:
        assert re.match(r'""".+? Observed.*?: .+"""\n', (HOSTILE / f"{name}.py").read_text()), name
