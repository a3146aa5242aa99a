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
from verification.judge.child.titles import FOLDER, TEXT
from verification.judge.process import Child, Limits
from verification.judge.session import Budget, Session, plain, said_of

PICTURES, RUNNING = 3, 12
"""Pictures that a run shows, at least, and calls of the full timeout that it may take, since it reads all of MNIST."""

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


def judge_titles(source: bytes, filename: str, seed: int = 0, limits: Limits = Limits()) -> TitlesVerdict:  # noqa: B008  frozen
    """Run a script twice in a child process, and compare its titles with the labels of the very pictures shown."""
    labelled: list[tuple[int, str, int | None]] = []
    images, notes, problem, isolation = [], [], "", ""
    for run in (1, 2):
        isolation, shown, ended = _run(source, filename, 2 * seed + run, limits)
        labelled += [(run, title, label(image)) for title, image in shown]
        images.append([image.tobytes() for _, image in shown])
        known = sum(digit is not None for at, _, digit in labelled if at == run)
        if known < len(shown):
            notes.append(f"{len(shown) - known} of the {len(shown)} pictures of run {run} are none of MNIST's")
        if known < PICTURES:
            problem = f"run {run} shows {known or 'none'} of MNIST's pictures, but should show {PICTURES}"
            problem += ended and f": {ended}"
            break
        notes += [ended] if ended else []
    if images[1:] == images[:1]:
        notes.append("both runs show the same pictures: they are not drawn at random")
    right = iter(right_titles([(title, digit) for _, title, digit in labelled if digit is not None]))
    pictures = tuple(Picture(*one, right=one[2] is not None and next(right)) for one in labelled)
    return TitlesVerdict(filename, pictures, problem or _wrong(pictures), tuple(dict.fromkeys(notes)), isolation)


def right_titles(shown: Sequence[tuple[str, int]]) -> list[bool]:
    """Return for each title and label whether the one names the other: in the place that is right for most titles.

    A place is counted among a title's numbers, from the first or from the last. So "5 (image 2)" and "Image 2: five"
    name a label if all titles are like this, and a list of the ten digits does not.
    """
    pattern = rf"\d+|(?<![a-z])(?:{'|'.join(WORDS)})(?![a-z])"
    found = [re.findall(pattern, title.lower()) for title, _ in shown]
    numbers = [[WORDS.index(one) if one in WORDS else int(one) for one in title] for title in found]
    most = max(map(len, numbers), default=0)
    places = [*range(most), *range(-most, 0)]
    both = [(title, digit) for title, (_, digit) in zip(numbers, shown, strict=True)]
    right = [[-len(title) <= at < len(title) and title[at] == digit for title, digit in both] for at in places]
    return max(right, key=sum, default=[False] * len(shown))


def label(image: Array) -> int | None:
    """Return the label of the MNIST image that this is, in whatever linear scale, or None if it is none."""
    if image.dtype.kind not in "fiub" or image.squeeze().shape != (28, 28):
        return None
    images, inked, labels = _mnist()
    with np.errstate(all="ignore"):  # whatever numbers it has
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


def _run(source: bytes, filename: str, seed: int, limits: Limits) -> tuple[str, list[tuple[str, Array]], str]:
    """Return how the script is kept apart, the titles and pictures that it shows, and how else it ended than well."""
    child = Child(replace(limits, given={f"{sandbox.INSIDE}/{FOLDER}": str(DATA)}))
    session = Session(child, Budget(limits.timeout))
    arguments = filename, seed % 2**32, str(DATA)
    shown, ended = [], []
    try:
        script = np.frombuffer(source, np.uint8)
        content, images = session.ask(
            "the script", "titles", *arguments, arrays=[script], timeout=RUNNING * limits.timeout
        )
        if content["network"]:
            ended.append("it asked for the network, and there is none here")
        if raised := content["raised"]:
            ended.append(said_of(raised, TEXT))
        shown = [(plain(title)[:TEXT], image) for title, image in zip(content["titles"], images, strict=True)]
    except Stopped as stopped:
        ended = [str(stopped)]
    except Exception as error:  # raised by the child's own code, or by what is no answer of it
        ended = [plain(f"it could not be run: {type(error).__name__}: {error}")[:TEXT]]
    finally:
        session.child.stop()
    return session.child.isolation, shown, "; ".join(ended)


def _wrong(pictures: Sequence[Picture]) -> str:
    known = [one for one in pictures if one.label is not None]
    wrong = [f"in run {one.run} a {one.label} has {one.title!r}" for one in known if not one.right]
    if not any(one.title for one in known):
        return "the pictures have no titles"
    return f"{len(wrong)} of {len(known)} titles do not name the digit shown: {wrong[0]}" if wrong else ""
