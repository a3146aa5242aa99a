"""The file's own accuracy test, as it was handed in: run by itself, and read from what it prints.

What a file prints nobody vouches for. A percentage alone is not believed: what counts is what the rounds printed give,
and only if there are as many as in the assignment, of a test with its sizes. Even then whoever reads the marks is told.
"""

import re
from dataclasses import dataclass, field

from verification.assignment import accuracy
from verification.assignment.accuracy import POINTS, TESTS, Accuracy, band, of_rounds
from verification.judge.remote import Submission

CONSTANTS = {
    "batch_size": accuracy.BATCH, "input_size": accuracy.SIZE, "in_ch_size": accuracy.CHANNELS,
    "filter_width": accuracy.FILTER, "filter_height": accuracy.FILTER, "num_filters": accuracy.FILTERS,
    "std": 1.0, "dt": accuracy.STEP, "num_test": accuracy.ROUNDS, "stride": 2, "pool_size": 2,
}  # fmt: skip
"""What the assignment's test is made with, by the names that it has there."""

NUMBER = r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|[-+]?inf|nan)"
CHANGE = re.compile(rf"(exact|apprx) change[\s:=]+{NUMBER}\s*$", re.IGNORECASE)
RESULT = re.compile(rf"({'|'.join(TESTS.values())})[\s:=]+{NUMBER}\s*%", re.IGNORECASE)

ASSIGNED = re.compile(rf"^(\w+)[ \t]*=[ \t]*{NUMBER}[ \t]*(?:#.*)?\r?$", re.MULTILINE)


@dataclass(frozen=True)
class OwnTest:
    """What the file's own test says; nothing, if it was not run.

    results    what the rounds that it printed give, by the name of the test
    printed    the percentages that it printed, as text, by the name of the test
    changed    which of its constants are not the assignment's, in words
    ended      how the run ended, in words, if not well
    """

    results: dict[str, Accuracy] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    ended: str = ""

    def points(self, test: str) -> int:
        """Return the points that it would give, or 0 if it says nothing."""
        if test in self.results:
            return self.results[test].points
        return POINTS[band(float(self.printed[test]))] if test in self.printed else 0

    def said(self, test: str) -> str:
        """Return what it says of a test, in words."""
        return self.results[test].said() if test in self.results else f"{self.printed[test]} %"

    def not_counted(self, test: str) -> str:
        """Return why what it says of a test does not count, or ""."""
        if self.changed:
            return f"its test has other constants: {', '.join(self.changed)}"
        if test not in self.results:
            return "it prints no rounds that would give this"
        rounds = len(self.results[test].exact)
        fewer = rounds < accuracy.ROUNDS and self.results[test].complete
        return f"its test has {rounds} rounds, not {accuracy.ROUNDS}" if fewer else ""


def own_test(submission: Submission) -> OwnTest:
    """Run the file by itself, and return what its own test says."""
    lines, ended, late = submission.run_alone()
    return OwnTest(results(lines, late), printed(lines), changed(submission.source), ended)


def changed(source: bytes) -> tuple[str, ...]:
    """Return which constants of the test at module level are not the assignment's: "dt is 1e-05, not 0.001"."""
    found = [
        f"{name} is {float(text):g}, not {CONSTANTS[name]:g}"
        for name, text in ASSIGNED.findall(source.decode(errors="replace"))
        if name in CONSTANTS and float(text) != CONSTANTS[name]
    ]
    return tuple(dict.fromkeys(found))


def results(lines: list[str], late: bool) -> dict[str, Accuracy]:
    """Return what the rounds in these lines give, by the name of the test; `late`: the time was up."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    test, exact = "", None
    for line in lines:
        change = CHANGE.match(line.strip())
        if line.strip() in TESTS:
            test, exact = line.strip(), None
        elif change and change[1].lower() == "exact":
            exact = float(change[2])
        elif change and test and exact is not None:
            pairs.setdefault(test, []).append((exact, float(change[2])))
            exact = None
    return {test: of_rounds(test, rounds, not late or len(rounds) >= accuracy.ROUNDS) for test, rounds in pairs.items()}


def printed(lines: list[str]) -> dict[str, str]:
    """Return the percentages that these lines name, by the name of the test."""
    tests = {name: test for test, name in TESTS.items()}
    return {tests[match[1]]: match[2] for line in lines if (match := RESULT.match(line.strip())) and match[1] in tests}
