from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings

import mnist
from mnist.dataset import DATA
from verification.assignment import titles
from verification.assignment.titles import judge_titles, label, right_titles
from verification.failure import Stopped
from verification.judge.process import Limits

PATIENT = Limits(timeout=100)

FILES = """
import gzip
import os
import urllib.request

import numpy as np
import matplotlib.pyplot as plt

folder = './mnist-batches-py/'
parts = ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz', 't10k-images-idx3-ubyte.gz', 't10k-labels-idx1-ubyte.gz']
if not os.path.exists(folder):
    os.mkdir(folder)
    for part in parts:
        urllib.request.urlretrieve('http://mnist.invalid/' + part, folder + part)

def content(part, header):
    with gzip.open(folder + part) as f:
        return np.frombuffer(f.read(), np.uint8)[header:]

X_train = content(parts[0], 16).reshape(60000, 1, 28, 28).astype(np.float32)
y_train = content(parts[1], 8)
X_test = content(parts[2], 16).reshape(10000, 1, 28, 28)
y_test = content(parts[3], 8)
"""

KERAS = """
from keras.datasets import mnist
import numpy as np
import matplotlib.pyplot as plt

(X_train, y_train), (X_test, y_test) = mnist.load_data()
X_train, X_test = np.expand_dims(X_train, axis=1), np.expand_dims(X_test, axis=1)
"""

SHOWING = """
print(X_train.shape, y_train.shape, X_test.shape, y_test.shape)
which = np.random.randint(0, X_train.shape[0], (3,))
for i in range(3):
    ax = plt.subplot('1' + '3' + str(i))
    ax.imshow(np.squeeze(X_train[which[i]]), cmap='gray')
    # Q5
plt.show()
"""

TITLED = SHOWING.replace("# Q5", "ax.set_title('label: %d' % y_train[which[i]])")

WAYS = """
import matplotlib
matplotlib.use('TkAgg')
from tensorflow.keras.datasets import mnist
import sys
import numpy as np
import matplotlib.pyplot as plt

(X, y), _ = mnist.load_data()

def draw(ax):
    i = np.random.randint(60000)
    ax.imshow(X[i] / 127.5 - 1, cmap='gray')
    ax.set_title(y[i])

fig, axes = plt.subplots(1, 3)
for ax in axes:
    draw(ax)
plt.show()

fig = plt.figure()
draw(fig.add_subplot('130'))
draw(fig.add_subplot(131))
plt.show(block=False)
plt.close()

draw(plt.subplot('131'))
draw(plt.subplot(133))
plt.gcf().show()
plt.close()

draw(plt.gca())
plt.savefig('a.png')
plt.close()

plt.ion()
one, other = plt.figure(), plt.figure()
for at in (1, 2):
    draw(plt.subplot(1, 2, at))
    plt.pause(1000)
assert len(other.axes) == 2
plt.close('all')
plt.ioff()

ax = plt.gca()
for _ in range(2):
    draw(ax)
    plt.pause(1000)
plt.clf()
draw(plt.subplot(20, 20, 130))
plt.waitforbuttonpress()

for i in range(60000):
    print(i, y[i])
sys.exit(1)
"""


@pytest.fixture(scope="module")
def data():
    return mnist.load()


@pytest.mark.parametrize(
    "form",
    [
        "{}", "'{}'", "label: {}", "{}.0", "[{}]", "[{}.]", "np.uint8({})", "Label = {}, index {index}", "{} (image {i})",
        "Image {i}: {}", "y_train[{index}] = {}", "number_{}", "{word}", "this is a {word}!", "Image {i} is {word}", "${}$",
    ],
)  # fmt: skip
def test_a_title_that_names_the_label_is_right(form):
    shown = [
        (form.format(digit, i=i, index=41337 - 1000 * i, word=titles.WORDS[digit]), digit)
        for i, digit in enumerate((5, 0, 4, 9, 9, 1))
    ]
    assert right_titles(shown) == [True] * 6


@pytest.mark.parametrize(
    "text",
    ["0 1 2 3 4 5 6 7 8 9", "0123456789", f"one of {', '.join(titles.WORDS)}", "5", "55", "fivefold", "a digit", ""],
)
def test_a_title_that_is_the_same_for_every_digit_is_right_for_one_at_most(text):
    assert sum(right_titles([(text, 5), (text, 0), (text, 4)])) <= 1


def test_one_place_must_be_right_for_all():
    assert right_titles([("5 of 1", 5), ("0 of 2", 0), ("3 of 4", 4)]) == [True, True, False]
    assert right_titles([("5", 5), ("", 0), ("4", 4)]) == [True, False, True]
    assert right_titles([]) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x.astype(float),
        lambda x: (x / 255).astype(np.float16),
        lambda x: x / np.float32(127.5) - 1,
        lambda x: (x - 33.3184) / 78.5675,
        lambda x: x[np.newaxis],
        lambda x: x[..., np.newaxis].astype(np.int64),
    ],
)
def test_the_label_is_found_by_the_image(change, data):
    assert [label(change(x[0])) for x in data.X_train[:9]] == data.y_train[:9].tolist()
    assert [label(change(x[0])) for x in data.X_test[-9:]] == data.y_test[-9:].tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.T,
        lambda x: 255 - x,
        lambda x: x > 127,
        lambda x: np.where(np.arange(784).reshape(28, 28) == x.argmax(), 200, x),
        lambda x: x * 0,
        lambda x: np.where(x, np.nan, 0),
        lambda x: np.where(x, np.inf, -1e308),
        lambda x: x.ravel(),
        lambda x: x[:27],
        lambda x: np.stack([x] * 4),
        lambda x: x * 1j,
    ],
)
def test_what_is_no_image_of_the_data_set_has_no_label(change, data):
    assert label(change(data.X_train[0, 0])) is None


def test_the_form_that_reads_files_is_marked_and_without_a_sandbox_it_may_spoil_a_copy_only():
    before = {path.name: path.stat().st_size for path in DATA.iterdir()}
    spoil = "for part in parts:\n    open(folder + part, 'wb').close()\n"
    verdict = judge_titles((FILES + TITLED + spoil).encode(), "hw4_mnist.py", 7, Limits(timeout=100, sandbox=False))
    assert {path.name: path.stat().st_size for path in DATA.iterdir()} == before
    assert (verdict.problem, verdict.notes, verdict.points) == ("", (), 4)
    assert [one.run for one in verdict.pictures] == [1, 1, 1, 2, 2, 2]
    assert all(one.right and one.title == f"label: {one.label}" for one in verdict.pictures)
    told = verdict.to_dict()
    assert told["pictures"][0] == {
        "run": 1,
        "title": f"label: {(digit := verdict.pictures[0].label)}",
        "label": digit,
        "right": True,
    }
    assert (told["problem"], told["points"]) == (None, 4)


def test_the_form_that_asks_keras_is_marked_and_without_titles_is_wrong():
    verdict = judge_titles((KERAS + SHOWING).encode(), "hw4_mnist.py", 0, PATIENT)
    assert (verdict.problem, verdict.points) == ("the pictures have no titles", 1)
    assert len(verdict.pictures) == 6
    assert all(one.label is not None for one in verdict.pictures)


@pytest.mark.skipif(settings().max_examples <= 100, reason="takes long: --hypothesis-profile=thorough")
def test_every_way_of_showing_counts():
    verdict = judge_titles(WAYS.encode(), "hw4_mnist.py", 0, PATIENT)
    assert (verdict.problem, verdict.points) == ("", 4)
    assert verdict.notes == (f"it raised SystemExit: 1 (hw4_mnist.py, line {len(WAYS.splitlines())})",)
    assert [one.run for one in verdict.pictures] == [1] * 13 + [2] * 13


FEW = """
import numpy as np, matplotlib.pyplot as plt
for values in [[[1, 2], [3, 4]]] * {}:
    plt.imshow(values); plt.pause(1)
"""


@pytest.mark.parametrize(
    ("source", "limits", "said"),
    [
        ("%matplotlib inline", PATIENT, "it raised SyntaxError: invalid syntax (hw4_mnist.py, line 1)"),
        ("import urllib.request as r\nr.urlopen('http://mnist.invalid/')", PATIENT, "it asked for the network, and there is none here; it raised URLError"),
        ("while True: pass", Limits(timeout=0.02), "the script did not return within 0.24 s (--timeout)"),
        ("import os; os._exit(0)", PATIENT, "the script ended its process with exit status 0: os._exit, or the like"),
        (FEW.format(40), PATIENT, ""),
    ],
    ids=["no Python", "network", "endless", "exit", "other pictures"],
)  # fmt: skip
def test_a_script_that_shows_too_little_is_told_why(source, limits, said):
    verdict = judge_titles(source.encode(), "hw4_mnist.py", 0, limits)
    expected = "run 1 shows none of MNIST's pictures, but should show 3"
    assert verdict.problem.startswith(f"{expected}: {said}" if said else expected)
    assert verdict.points == 1
    if not said:
        assert verdict.notes == ("24 of the 24 pictures of run 1 are none of MNIST's",)


@pytest.fixture
def child(monkeypatch):
    """Return what has a child give these answers, the last again and again."""

    def answering(*answers):
        left = list(answers)

        def ask(*_args, **_kwargs):
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        process = SimpleNamespace(isolation="none", stop=lambda: None)
        monkeypatch.setattr(titles, "Session", lambda *_: SimpleNamespace(child=process, ask=ask))
        return judge_titles(b"", "hw4_mnist.py")

    return answering


def answer(images, texts, raised=None, network=False):
    return {"titles": texts, "raised": raised, "network": network}, list(images)


def test_right_titles_give_four_points_and_what_else_happened_is_noted(child, data):
    late = {"type": "ValueError", "message": "too \x1b late", "where": "hw4_mnist.py, line 9"}
    images = [*data.X_train[:3, 0], np.eye(28)]
    verdict = child(answer(images, [5, "\x1b0", 4, 1], late, network=True), answer(images, ["5", "\x1b0", "4", "1"]))
    assert (verdict.problem, verdict.points, verdict.isolation) == ("", 4, "none")
    assert verdict.notes == (
        "1 of the 4 pictures of run 1 are none of MNIST's",
        "it asked for the network, and there is none here; it raised ValueError: too \\x1b late (hw4_mnist.py, line 9)",
        "1 of the 4 pictures of run 2 are none of MNIST's",
        "both runs show the same pictures: they are not drawn at random",
    )
    assert [(one.title, one.label, one.right) for one in verdict.pictures[:4]] == [
        ("5", 5, True), ("\\x1b0", 0, True), ("4", 4, True), ("1", None, False),
    ]  # fmt: skip


def test_wrong_titles_are_named(child, data):
    verdict = child(answer(data.X_train[:3, 0], ["5", "0", "4"]), answer(data.X_train[3:6, 0], ["5", "9", "4"]))
    assert verdict.problem == "2 of 6 titles do not name the digit shown: in run 2 a 1 has '5'"
    assert (verdict.notes, verdict.points) == ((), 1)


def test_a_picture_too_few_is_said(child, data):
    verdict = child(answer(data.X_train[:3, 0], ["5", "0", "4"]), answer(data.X_train[:2, 0], ["5", "0"]))
    assert verdict.problem == "run 2 shows 2 of MNIST's pictures, but should show 3"
    assert len(verdict.pictures) == 5
    assert verdict.points == 1


IMAGE = np.zeros((28, 28))


@pytest.mark.parametrize(
    "strange",
    [
        None,
        ({}, []),
        ([], []),
        ({"titles": ["5"], "raised": None, "network": False}, []),
        ({"titles": 5, "raised": None, "network": False}, []),
        ({"titles": [], "raised": "ValueError", "network": False}, []),
        ({"titles": [[]] * 3, "raised": None, "network": 0}, [IMAGE] * 3),
        ({"titles": ["5"] * 3, "raised": {"type": 1, "message": {}, "where": "\x1b[2J" * 10**4}, "network": "no"}, [IMAGE.astype("c8")] * 3),
        Stopped("the script is gone"),
        ZeroDivisionError("\x1b"),
    ],
)  # fmt: skip
def test_whatever_the_child_answers_gives_a_verdict(strange, child):
    verdict = child(strange)
    assert verdict.points == 1
    assert verdict.problem.startswith("run 1 shows none of MNIST's pictures, but should show 3")
    assert len(verdict.problem) < 1000
    assert "\x1b" not in verdict.problem
