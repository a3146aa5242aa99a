"""The verdict on a file: the same as on its layers in this process, whatever else the file does."""

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from verification import check, named
from verification.assignment import accuracy
from verification.assignment.kinds import KINDS
from verification.case import Case
from verification.failure import Stopped
from verification.judge.process import Child, Limits
from verification.judge.remote import Submission
from verification.judge.verdict import FileVerdict, _accuracies, judge
from verification.properties import Collected, properties
from verification.spec import LayerSpec
from verification.trial import Trial

pytestmark = pytest.mark.usefixtures("verdict_only")

RIGHT = (Path(__file__).parent / "hw4_nn.py").read_text()
THOROUGH = settings().max_examples > 100
"""By default one bug stands for all; `thorough` takes all."""

PATIENT = Limits(timeout=60)
"""So that a slow machine changes nothing."""

BUGS = {
    "filter not flipped": ("self.W[:, :, ::-1, ::-1]", "self.W"),
    "overwrites x": (
        "def forward(self, x):\n        return np",
        "def forward(self, x):\n        x *= 2\n        return np",
    ),
    "uses the x of forward": (
        "def forward(self, x):\n        return np.einsum",
        "def forward(self, x):\n        self.x = x\n        return np.einsum",
    ),
    "adds to the parameters": (
        "        kw, kh = self.W.shape[2:]\n",
        "        kw, kh = self.W.shape[2:]\n        self.b += 1\n",
    ),
    "returns a view": ("        return dLdx, dLdW, dLdb", "        return x, dLdW, dLdb"),
    "float32 inside": (
        "windows(x, self.W.shape[2:]), self.W)",
        "windows(x, self.W.shape[2:]), self.W.astype(np.float32))",
    ),
    "ties counted fully": (
        "            p, q = np.unravel_index(window.argmax(), window.shape)\n            dLdx[n, c, i * step + p, j * step + q] += dLdy[n, c, i, j]",
        "            place = np.s_[n, c, i * step : i * step + size, j * step : j * step + size]\n            dLdx[place] += (window == window.max()) * dLdy[n, c, i, j]",
    ),
    "returns a buffer of the class": (
        "        return windows(x, (self.pool_size, self.pool_size), self.stride).max(axis=(4, 5))",
        "        y = windows(x, (self.pool_size, self.pool_size), self.stride).max(axis=(4, 5))\n"
        "        vars(np).setdefault('max buffers', {}).setdefault(y.shape, y)[...] = y\n"
        "        return vars(np)['max buffers'][y.shape]",
    ),
    "wrong at each 200th call": (
        "        return windows(x, (self.pool_size, self.pool_size), self.stride).max(axis=(4, 5))",
        "        np.max_calls = getattr(np, 'max_calls', 0) + 1\n"
        "        y = windows(x, (self.pool_size, self.pool_size), self.stride).max(axis=(4, 5))\n"
        "        return y + (np.max_calls % 200 == 199)",
    ),
    "raises": ("        dLdx = np.zeros(x.shape)\n", "        raise NotImplementedError('later')\n"),
}


@pytest.fixture(autouse=True)
def one_round_is_enough(monkeypatch):
    monkeypatch.setattr(accuracy, "ROUNDS", 1)


@pytest.fixture
def explained(monkeypatch):
    """Search the smallest case and what explains it, after all."""
    monkeypatch.undo()
    monkeypatch.setattr(accuracy, "ROUNDS", 1)


def changed(*pairs: tuple[str, str]) -> bytes:
    """Return the right submission with these replacements."""
    text = RIGHT
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def verdict(source: bytes, **options) -> FileVerdict:
    return judge(source, "hw4_nn.py", **{"examples": 2, "limits": PATIENT, **options})


def problems(found: FileVerdict) -> list[str]:
    return [layer.problem for layer in found.layers]


@pytest.mark.parametrize("name", BUGS if THOROUGH else ["uses the x of forward"])
def test_a_layer_in_a_child_gets_the_verdict_that_it_gets_here(name, explained, monkeypatch):
    monkeypatch.setattr(named, "_source", lambda _make: "")  # here that of a class, there that of the file
    source = changed(BUGS[name], ("raise SystemExit", "#"))
    here = ModuleType("hw4_nn")
    exec(compile(source, "hw4_nn.py", "exec"), here.__dict__)
    kind = KINDS["max" in name or "ties" in name or "raises" in name]
    expected = check(kind.spec(getattr(here, kind.classes[0])), examples=5)
    found = next(layer for layer in verdict(source, examples=5).layers if layer.name == kind.name).report
    assert found is not None
    assert [(item.name, item.verdict, item.message) for item in found.properties] == [
        (item.name, item.verdict, item.message) for item in expected.properties
    ]
    # But for their scripts: one imports the file, the other has the class.
    assert [replace(cause, counterexample=None) for cause in found.causes] == [
        replace(cause, counterexample=None) for cause in expected.causes
    ]


def test_the_accuracy_does_not_depend_on_what_was_drawn_before():
    convolution = KINDS[0]
    (name,) = convolution.classes
    submission = Submission(RIGHT.encode(), "hw4_nn.py", (name,), 0, PATIENT)
    first, second = (_accuracies(submission.make(name), convolution, 0) for _ in range(2))
    submission.close()
    assert first == second


def test_a_right_file_passes_and_its_accuracy_test_does_not_run():
    found = verdict(RIGHT.encode())
    assert found.passed
    assert not found.notes
    assert "the accuracy test runs" not in found.output
    assert list(found.points.values()) == [4, 4, 4, 4]


def test_the_same_seed_gives_the_same_report(explained):
    source = changed(BUGS["ties counted fully"])
    one, other = (json.dumps(verdict(source, seed=3, examples=1).to_dict()) for _ in range(2))
    assert one == other


SIGNATURES = ["f_height, f_width, input_size, in_ch_size, out_ch_size, std=1.0", "a, b, c, d, e",
              "Wx_size, Wy_size, input_size, in_ch_size, out_ch_size, std=1.0"]  # fmt: skip


@pytest.mark.parametrize("signature", SIGNATURES if THOROUGH else SIGNATURES[:1])
def test_constructors_take_their_arguments_by_name_or_in_order(signature):
    first, second, _, channels, filters = (name.strip() for name in signature.split(",")[:5])
    source = changed(
        ("filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0", signature),
        (
            "std, (num_filters, in_ch_size, filter_width, filter_height)",
            f"1, ({filters}, {channels}, {first}, {second})",
        ),
        ("(1, num_filters, 1, 1)", f"(1, {filters}, 1, 1)"),
    )
    assert verdict(source).passed


def test_other_names_of_the_classes():
    source = changed(("nn_max_pooling_layer", "nn_maxpool_layer"), ("nn_convolutional_layer", "Conv"))
    found = verdict(source)
    assert problems(found) == [
        "there is no class nn_convolutional_layer; the file defines Conv: name it with --conv",
        "",
    ]
    assert found.layers[1].passed
    assert verdict(source, conv="Conv").passed


ODD = {
    "a missing import": (b"import no_such_module\n", "line 1, `import no_such_module`: ModuleNotFoundError"),
    "an error before the classes": (
        b"print('early')\nopen('/nowhere')\n",
        "line 2, `open('/nowhere')`: FileNotFoundError",
    ),
    "a way out": (b"import sys\nsys.exit(3)\n", "line 2, `sys.exit(3)`: SystemExit: 3"),
}


@pytest.mark.parametrize("name", ODD if THOROUGH else ["a way out"])
def test_what_raises_at_module_level_is_a_note_and_the_layers_count(name):
    lines, note = ODD[name]
    found = verdict(lines + RIGHT.encode())
    assert found.passed
    assert len(found.notes) == 1
    assert found.notes[0].startswith(note)


BELOW = [
    "SCALE = 1.0",
    "SCALE, OTHER = 1.0, 2.0",
    "try:\n    import no_such_module\n    SCALE = 2.0\nexcept ImportError:\n    SCALE = 1.0",
    "if True:\n    def one():\n        return 1.0\nSCALE = one()",
    "SCALE = 0.0\nfor _ in range(4):\n    SCALE += 0.25",
]


@pytest.mark.parametrize("lines", BELOW if THOROUGH else BELOW[:1])
def test_what_methods_need_from_below_the_classes_is_defined(lines):
    source = RIGHT.replace(" + self.b\n", " + SCALE * self.b\n").encode() + b"\n" + lines.encode()
    assert verdict(source).passed


def test_a_method_put_in_from_below_is_the_one_that_counts():
    wrong = "\n\ndef zeros(self, x, dLdy):\n    return 0 * x\n\nsetattr(nn_max_pooling_layer, 'backprop', zeros)\n"
    assert not verdict(RIGHT.encode() + wrong.encode()).layers[1].passed


def test_a_file_is_a_module_like_any_other():
    head = "from __future__ import annotations\nimport dataclasses, pickle, sys\n"
    source = head + RIGHT.replace(
        "    def forward(self, x):\n        return np",
        "    def forward(self, x: Unknown) -> nn_convolutional_layer:\n"
        "        assert pickle.loads(pickle.dumps(sys.modules[__name__].Size(1))).side == 1\n        return np",
    ).replace("class nn_max", '@dataclasses.dataclass\nclass Size:\n    side: "int"\n\n\nclass nn_max')
    assert verdict(source.encode()).passed


def test_a_loop_between_the_classes_is_left_out():
    source = RIGHT.replace("class nn_max", "count = 0\nwhile True:\n    count += 1\n\n\nclass nn_max").encode()
    found = verdict(source)
    assert found.passed
    assert not found.notes


def test_an_error_of_the_layers_own_is_the_same_each_time():
    source = changed(
        ("        dLdx = np.zeros(x.shape)\n", "        raise Odd('strange')\n"),
        ("class nn_max", "class Odd(Exception):\n    pass\n\n\nclass nn_max"),
    )
    failed = verdict(source).layers[1].report
    assert failed is not None
    messages = {item.message.partition(" (")[0] for item in failed.failures if "forward" not in item.name}
    assert "backprop raised Odd: strange" in messages
    assert not any("same calls" in message for message in messages)


def test_a_shape_that_is_changed_in_place_is_found():
    source = changed(
        ("        dLdx = np.zeros(x.shape)\n", "        dLdx = np.zeros(x.shape)\n        dLdy.dtype = int\n")
    )
    report = verdict(source).layers[1].report
    assert report is not None
    messages = {item.name: item.message for item in report.failures}
    assert messages["arguments_are_left_alone"].startswith("backprop changes")
    assert "in place: it had shape" in messages["arguments_are_left_alone"]


def test_an_x_changes_in_place_only_after_the_calls_before():
    source = changed((
        "def forward(self, x):\n        return np",
        "def forward(self, x):\n        if x is not getattr(self, 'seen', None):\n"
        "            self.seen, self.y = x, self.made(x)\n        return self.y.copy()\n\n"
        "    def made(self, x):\n        return np",
    ))  # fmt: skip
    report = verdict(source, examples=10).layers[0].report
    assert report is not None
    (failure,) = [item for item in report.failures if item.kind == "required"]
    assert failure.message.startswith("forward(x) is wrong, not what a new layer gives")
    assert "x changed in place" in failure.message.splitlines()[0]


def in_a_child(source: bytes, timeout: float = 60) -> tuple[LayerSpec, Case, dict[str, Collected]]:
    """Return the spec of the convolution in a file, a case, and the properties that are tried on all cases."""
    kind = KINDS[0]
    spec = kind.spec(Submission(source, "hw4_nn.py", kind.classes, 0, Limits(timeout=timeout)).make(kind.classes[0]))
    return spec, kind.case((2, 3, 5, 5), 3), {item.name: item for item in properties(spec) if item.cases is spec.cases}


def test_a_call_is_one_question_and_a_layer_is_made_along_with_its_first(monkeypatch):
    asked = []
    ask = Child.ask

    def counted(child, question, *rest):
        asked.append(question["do"])
        return ask(child, question, *rest)

    monkeypatch.setattr(Child, "ask", counted)
    spec, case, items = in_a_child(RIGHT.encode())
    asked.clear()
    items["forward_matches_reference"].check(Trial(spec, case))
    trial = Trial(spec, case)
    trial.plain = frozenset()  # its plain answers are known to be right
    items["backprop_is_linear_in_the_upstream_gradient"].check(trial)
    assert asked == ["call"] + ["call"] * 4  # forward and backprop of two layers


def test_a_call_that_hangs_is_not_held_against_the_next_property():
    hangs = ("        kw, kh = self.W.shape[2:]\n", "        while True:\n            pass\n")
    spec, case, items = in_a_child(changed(hangs), timeout=1)
    with pytest.raises(Stopped, match=r"backprop did not return within 1 s"):
        items["backprop_is_the_adjoint"].check(Trial(spec, case))
    items["forward_matches_reference"].check(Trial(spec, case))


def test_what_is_missing_is_said_and_the_other_layer_is_checked():
    no_method = verdict(
        changed(("def backprop(self, x, dLdy):\n        kw", "def backwards(self, x, dLdy):\n        kw"))
    )
    assert problems(no_method) == ["nn_convolutional_layer has no method backprop", ""]
    assert no_method.layers[1].passed
    no_class = verdict(RIGHT[: RIGHT.index("class nn_max")].encode() + RIGHT[RIGHT.index("def windows") :].encode())
    assert problems(no_class) == ["", "there is no class nn_max_pooling_layer or nn_maxpool_layer"]
    assert no_class.layers[0].passed
    assert not no_class.passed


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"def f(:\n", "SyntaxError"),
        (b"%matplotlib inline\n", "a notebook's command"),
        (b"x = 1\0", "null bytes"),
        (b"\xff\xfe", "encoding"),
        (b"", "the file is empty"),
        (b"\r\n# later\n", "the file has comments only"),
    ],
)
def test_what_is_no_python_is_said_plainly(source, said):
    found = verdict(source)
    assert not found.passed
    assert all(said in problem for problem in problems(found))


def test_a_layer_that_prints_and_one_that_draws_random_numbers():
    source = changed(
        (
            "def forward(self, x):\n        return np",
            "def forward(self, x):\n        print('x is', x.shape)\n        return np",
        )
    )
    found = verdict(source)
    assert found.passed
    assert found.output.startswith("x is (")


def test_one_case_of_any_shape():
    found = verdict(RIGHT.encode(), shape=(2, 3, 20, 11))
    assert found.passed
    assert [len(layer.report.properties) for layer in found.layers if layer.report] == [1, 1]
