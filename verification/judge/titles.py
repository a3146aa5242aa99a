"""The mark of question 5: whether the titles that hw4_mnist.py puts over its pictures name the digits in them.

The script runs twice in a child, with different seeds. A picture's label is found here, by the picture.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

import mnist
from mnist.dataset import DATA
from verification.case import Array
from verification.failure import Stopped
from verification.judge import sandbox
from verification.judge.child.titles import FOLDER, TITLE
from verification.judge.process import Limits
from verification.judge.remote import Budget, Session, plain

PICTURES = 3
"""Pictures that the assignment's script shows."""

RUNNING = 12
"""Calls of the full timeout that the script may take: it reads all of MNIST."""

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Picture:
    """What was shown in a run (1 or 2): title, label (None: it is not MNIST's), and whether the one names the other."""

    run: int
    title: str
    label: int | None
    right: bool


@dataclass(frozen=True)
class TitlesVerdict:
    """The verdict on a script: what it showed, why it is not right, in words, or "", and what else is to be said."""

    file: str
    pictures: tuple[Picture, ...]
    problem: str
    notes: tuple[str, ...]
    isolation: str

    @property
    def points(self) -> int:
        """The points of section 7: 4, or 1 for wrong answers."""
        return 1 if self.problem else 4

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "problem": self.problem or None, "points": self.points}


@dataclass(frozen=True)
class _Run:
    """What a child says of a run, its types and sizes checked."""

    shown: tuple[tuple[str, Array], ...] = ()
    ended: str = ""
    isolation: str = ""


def judge_titles(
    source: bytes,
    filename: str,
    seed: int = 0,
    limits: Limits = Limits(),  # noqa: B008  frozen
) -> TitlesVerdict:
    """Run a script twice in a child process, and compare its titles with the labels of the very pictures shown."""
    runs = [_run(source, filename, 2 * seed, limits)]
    if len(runs[0].shown) >= PICTURES:
        runs.append(_run(source, filename, 2 * seed + 1, limits))
    shown = [(number, title, label(image)) for number, run in enumerate(runs, 1) for title, image in run.shown]
    known = [(number, title, digit) for number, title, digit in shown if digit is not None]
    right = iter(right_titles([title for _, title, _ in known], [digit for *_, digit in known]))
    pictures = tuple(Picture(*one, right=one[2] is not None and next(right)) for one in shown)
    problem = next(filter(None, (_too_few(pictures, at, run) for at, run in enumerate(runs, 1))), "") or _wrong(
        pictures
    )
    notes = [] if problem else [run.ended for run in runs if run.ended]
    if strange := sum(one.label is None for one in pictures):
        notes.append(f"{strange} of the {len(pictures)} pictures shown are none of MNIST's")
    first, *second = [[image.tobytes() for _, image in run.shown] for run in runs]
    if second == [first]:
        notes.append("both runs show the same pictures: they are not drawn at random")
    return TitlesVerdict(filename, pictures, problem, tuple(dict.fromkeys(notes)), runs[0].isolation)


def right_titles(titles: Sequence[str], labels: Sequence[int]) -> list[bool]:
    """Return which titles name their labels: at the one place among a title's numbers, the same for all, that fits best.

    A place is counted from the start or from the end; so "5 (image 2)" and "Image 2: five" do, and all ten digits do not.
    """
    text = "|".join(WORDS)
    found = [re.findall(rf"\d+|(?<![a-z])(?:{text})(?![a-z])", title.lower()) for title in titles]
    numbers = [[WORDS.index(one) if one in WORDS else int(one) for one in title] for title in found]
    most = max(map(len, numbers), default=0)
    fits = [
        [-len(all_) <= place < len(all_) and all_[place] == digit for all_, digit in zip(numbers, labels, strict=True)]
        for place in (*range(most), *range(-most, 0))
    ]
    return max(fits, key=sum, default=[False] * len(titles))


def label(image: Array) -> int | None:
    """Return the label of the MNIST image that this is, in whatever linear scale, or None if it is none."""
    if image.dtype.kind not in "fiub" or image.size != 28 * 28 or image.squeeze().shape != (28, 28):
        return None
    images, inked, labels = _mnist()
    with np.errstate(all="ignore"):
        values = image.astype(np.float64).ravel()
        scaled = (values - values.min()) / np.ptp(values)
    for at in np.flatnonzero((inked == np.packbits(scaled > 0)).all(axis=1)):
        if np.abs(scaled - images[at] / images[at].max()).max() < 0.5 / 255:  # half a level of gray
            return int(labels[at])
    return None


@lru_cache(maxsize=1)
def _mnist() -> tuple[Array, Array, Array]:
    """Return the images (70000, 784), which of their pixels are not black, a bit each (70000, 98), and the labels."""
    data = mnist.load()
    images = np.concatenate([data.X_train, data.X_test]).reshape(-1, 28 * 28)
    return images, np.packbits(images > 0, axis=1), np.concatenate([data.y_train, data.y_test])


def _run(source: bytes, filename: str, seed: int, limits: Limits) -> _Run:
    session = Session(replace(limits, given={f"{sandbox.INSIDE}/{FOLDER}": str(DATA)}), Budget(limits.timeout))
    step = ("titles", np.frombuffer(source, np.uint8), filename, seed % 2**32, str(DATA))
    isolation = session.child.isolation
    try:
        content, images = session.now("the script", *step, timeout=RUNNING * limits.timeout)
        shown = tuple(zip((plain(title)[:TITLE] for title in content["titles"]), images, strict=True))
        raised = content["raised"]
        ended = " ".join(plain(raised[part]) for part in ("type", "message", "where")) if raised else ""
        network = "it asked for the network, and there is none here" if content["network"] else ""
    except Stopped as stopped:
        return _Run((), str(stopped), isolation)
    except Exception as error:
        return _Run((), f"{type(error).__name__}: {error}", isolation)
    finally:
        session.child.stop()
    return _Run(shown, "; ".join(filter(None, (ended, network))), isolation)
