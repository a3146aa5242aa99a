"""The assignment's own accuracy test (its Figure 3) and the points of its section 7.

Twenty rounds at one size, with all-ones upstream gradients for dLdx and dLdW: weak on purpose of
nobody, and kept as it is, because it is what the marks are given for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verification.failure import NotTried

ROUNDS, STEP = 20, 1e-3
BATCH, SIZE, CHANNELS, FILTER, FILTERS = 8, 32, 3, 3, 8
SHAPE = (BATCH, CHANNELS, SIZE, SIZE)
Changes = list[tuple[float, float]]
"""Pairs (exact change, apprx change) of the loss, both divided by STEP."""

TESTS = {
    "dLdx test": "conv layer dLdx",
    "dLdW test": "conv layer dLdW",
    "dLdb test": "conv layer dLdb",
    "dLdx test for pooling": "maxpool layer dLdx",
}
"""What the four blocks and their accuracies are called."""

POINTS = {"above_90": 4, "from_50_to_90": 2, "below_50": 1}
"""The points of section 7 for each."""


@dataclass(frozen=True)
class Accuracy:
    """One of the four: the changes of the loss in each round, measured (exact) and from backprop (apprx).

    complete    False if the time was up before the last round
    """

    test: str
    exact: tuple[float, ...]
    apprx: tuple[float, ...]
    complete: bool = True

    @property
    def percent(self) -> float:
        """100 - mean(|apprx - exact| / |exact|) * 100."""
        exact, apprx = np.array(self.exact), np.array(self.apprx)
        with np.errstate(all="ignore"):
            return float(100 - np.mean(np.abs(apprx - exact) / np.abs(exact)) * 100)

    @property
    def shown(self) -> float | str:
        """The percentage as JSON has it: text where it is no finite number."""
        return self.percent if np.isfinite(self.percent) else str(self.percent)

    def said(self, digits: int = 4) -> str:
        """Return the percentage as text, and how many rounds it is of where the time was up before the last."""
        rounds = "" if self.complete else f" in the {len(self.exact)} rounds of {ROUNDS} for which there was time"
        return f"{self.percent:.{digits}f} %{rounds}"

    @property
    def band(self) -> str:
        """What points are given for: above_90, from_50_to_90, or below_50 (also if it is no number)."""
        return band(self.percent)

    @property
    def points(self) -> int:
        """4 above 90 %, 2 from 50 to 90 %, 1 below 50 %."""
        return POINTS[self.band]


def band(percent: float) -> str:
    """Return what points are given for an accuracy: the name of its band in POINTS."""
    return "above_90" if percent > 90 else "from_50_to_90" if percent >= 50 else "below_50"


def accuracy(convolution: Callable[..., Any], max_pooling: Callable[..., Any], seed: int = 0) -> tuple[Accuracy, ...]:
    """Run the accuracy test on classes (or functions) that make the two layers; repeatable by its seed.

    Seeds numpy.random for the constructor's draws too, and restores its state afterwards.
    """
    return (*convolution_accuracy(convolution, seed), *max_pooling_accuracy(max_pooling, seed))


def convolution_accuracy(make: Callable[..., Any], seed: int = 0) -> tuple[Accuracy, ...]:
    """Run the three tests of the convolution, as accuracy() does."""
    return _rounds(list(TESTS)[:3], lambda random: _convolution_round(make, random), seed)


def max_pooling_accuracy(make: Callable[..., Any], seed: int = 0) -> tuple[Accuracy, ...]:
    """Run the one test of max-pooling, as accuracy() does."""
    return _rounds(list(TESTS)[3:], lambda random: _max_pooling_round(make, random), seed)


def _rounds(tests: list[str], one_round: Callable[[np.random.RandomState], Changes], seed: int) -> tuple[Accuracy, ...]:
    random = np.random.RandomState(seed % 2**32)
    state = np.random.get_state()
    rounds: list[Changes] = []
    try:
        np.random.seed(seed % 2**32)
        while len(rounds) < ROUNDS:
            rounds.append(one_round(random))
    except NotTried:  # a slow layer is no wrong one
        if not rounds:
            raise
    finally:
        np.random.set_state(state)
    complete = len(rounds) == ROUNDS
    return tuple(of_rounds(test, pairs, complete) for test, pairs in zip(tests, zip(*rounds, strict=True), strict=True))


def of_rounds(test: str, pairs: Sequence[tuple[float, float]], complete: bool) -> Accuracy:
    """Return the accuracy of these pairs (exact, apprx)."""
    return Accuracy(test, tuple(exact for exact, _ in pairs), tuple(apprx for _, apprx in pairs), complete)


def text(accuracies: tuple[Accuracy, ...]) -> str:
    """Return what the assignment prints: the changes of the last round, the accuracies; then the points."""
    lines = []
    for result in accuracies:
        lines += [result.test, f"exact change {result.exact[-1]}", f"apprx change {result.apprx[-1]}"]
    lines += ["accuracy results", *(f"{TESTS[result.test]} {result.percent} %" for result in accuracies)]
    points = [result.points for result in accuracies]
    lines += [f"points {' + '.join(map(str, points))} = {sum(points)} of 16"]
    return "\n".join(lines)


def _convolution_round(make: Callable[..., Any], random: np.random.RandomState) -> Changes:
    """Return the three pairs of one round."""
    layer = make(FILTER, FILTER, SIZE, CHANNELS, FILTERS)
    changes = []

    x, move = random.standard_normal(SHAPE), random.standard_normal(SHAPE)
    y = layer.forward(x)
    dLdx, _, _ = layer.backprop(x, np.ones_like(y))
    changes.append((np.sum(layer.forward(x + STEP * move) - y) / STEP, np.sum(move * dLdx)))

    move = random.standard_normal((FILTERS, CHANNELS, FILTER, FILTER))
    y = layer.forward(x)
    _, dLdW, _ = layer.backprop(x, np.ones_like(y))
    layer.update_weights(STEP * move, np.zeros((1, FILTERS, 1, 1)))
    changes.append((np.sum(layer.forward(x) - y) / STEP, np.sum(move * dLdW)))

    move = random.standard_normal((1, FILTERS, 1, 1))
    y = layer.forward(x)
    dLdy = random.standard_normal(y.shape)
    _, _, dLdb = layer.backprop(x, dLdy)
    layer.update_weights(np.zeros((FILTERS, CHANNELS, FILTER, FILTER)), STEP * move)
    changes.append((np.sum(dLdy * (layer.forward(x) - y)) / STEP, np.sum(move * dLdb)))
    return [(float(exact), float(apprx)) for exact, apprx in changes]


def _max_pooling_round(make: Callable[..., Any], random: np.random.RandomState) -> Changes:
    """Return the pair of one round."""
    pooling = make(2, 2)
    x = np.arange(1.0, np.prod(SHAPE) + 1).reshape(SHAPE)
    move = random.standard_normal(SHAPE)
    y = pooling.forward(x)
    dLdy = random.normal(scale=10, size=y.shape)
    dLdx = pooling.backprop(x, dLdy)
    return [(float(np.sum(dLdy * (pooling.forward(x + STEP * move) - y)) / STEP), float(np.sum(move * dLdx)))]
