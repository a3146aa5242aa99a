"""Titles, the figure that shows them, and the command that draws it."""

import os
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from click.testing import CliRunner

from mnist import Dataset, figure, load, titles
from mnist.__main__ import main


@pytest.fixture(scope="module")
def mnist():
    return load()


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    mpl.use("agg")


def test_titles_of_known_images(mnist):
    assert titles(mnist, range(5)) == ["5", "0", "4", "1", "9"]
    assert titles(mnist, [0, 9999], split="test") == ["7", "6"]
    assert titles(mnist, []) == []


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_figures_titles_are_the_labels_of_the_very_images_shown(mnist, split):
    indices = [0, 1, 17, 9999, 123, 123, 4, 5, 6, 7, 8, 42]
    drawn = figure(mnist, indices, split)
    images, labels = (mnist.X_train, mnist.y_train) if split == "train" else (mnist.X_test, mnist.y_test)
    assert len(drawn.axes) == len(indices)
    for axes in drawn.axes:
        (shown,) = axes.images
        at = np.flatnonzero((images == shown.get_array()).all(axis=(1, 2, 3)))
        assert len(at) >= 1
        assert axes.get_title() == str(labels[at[0]])
    assert [axes.get_title() for axes in drawn.axes] == [str(labels[i]) for i in indices]
    assert [axes.get_xlabel() for axes in drawn.axes] == [f"{split} {i}" for i in indices]


def test_titles_do_not_overlap(mnist):
    drawn = figure(mnist, range(12))
    drawn.canvas.draw()
    boxes = [axes.title.get_window_extent() for axes in drawn.axes] + [axes.get_window_extent() for axes in drawn.axes]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if a.overlaps(b)]


@pytest.mark.parametrize(
    ("indices", "split", "error", "said"),
    [
        ([60000], "train", IndexError, "index should be from 0 to 59999 in the train split, but it is 60000"),
        ([10000], "test", IndexError, "from 0 to 9999 in the test split"),
        ([-1], "train", IndexError, "but it is -1"),
        ([0.5], "train", TypeError, "whole number, but it is 0.5"),
        ([0], "valid", ValueError, "split should be one of train, test, but it is 'valid'"),
    ],
)
def test_bad_choices_are_named(mnist, indices, split, error, said):
    for function in (titles, figure):
        with pytest.raises(error) as raised:
            function(mnist, indices, split)
        assert said in str(raised.value)


def test_images_of_other_sizes(tmp_path):
    small = Dataset(*(np.zeros(shape, np.uint8) for shape in [(2, 1, 3, 5), (2,), (1, 1, 3, 5), (1,)]))
    figure(small, [0, 1]).savefig(tmp_path / "small.png")


@pytest.fixture
def run(mnist, monkeypatch):
    """Run the command on the data set that is loaded already, unless another is asked for."""
    monkeypatch.setattr("mnist.__main__.load", lambda directory: mnist if directory is None else load(directory))
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_the_command_prints_labels_and_the_path_of_the_picture(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("--index", "0", "1", "2")
    assert result.exit_code == 0, result.output
    *labels, path = result.output.splitlines()
    assert labels == ["train image 0: 5", "train image 1: 0", "train image 2: 4"]
    assert path == str(tmp_path / "mnist-train-0-1-2.png")
    with open(path, "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    assert os.listdir(tmp_path) == ["mnist-train-0-1-2.png"]


def test_the_command_chooses_at_random_and_repeats_with_a_seed(run, tmp_path):
    file = str(tmp_path / "out.png")
    first = run("--seed", "3", "--split", "test", "--count", "5", "--output", file)
    assert first.exit_code == 0, first.output
    assert len(first.output.splitlines()) == 6
    assert run("--seed", "3", "--split", "test", "--count", "5", "--output", file).output == first.output
    assert len(run("--output", file).output.splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--index", "60000"], "index should be from 0 to 59999"),
        (["--split", "valid"], "'valid' is not one of 'train', 'test'"),
        (["--count", "0"], "0 is not in the range"),
        (["7"], "to show image 7: --index 7"),
        (["--index", "1", "--count", "2"], "leave out --count and --seed"),
        (["--output", "missing/out.png"], "missing/out.png: cannot be written: No such file or directory"),
        (["--output", "out.docx"], "out.docx"),
        (["--data", "missing"], "missing: there is no such directory"),
    ],
)
def test_the_command_says_what_is_wrong(run, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code != 0
    assert said in result.output
    assert "Traceback" not in result.output
    assert os.listdir(tmp_path) == []


def test_without_a_screen_python_m_mnist_writes_a_picture(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")}
    result = subprocess.run(
        [sys.executable, "-m", "mnist", "--seed", "1"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert os.path.exists(result.stdout.splitlines()[-1])
