"""The verdict on one file: the suite's on each layer, and the assignment's own test and points beside it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from verification.assignment.accuracy import TESTS, Accuracy
from verification.assignment.kinds import KINDS, Kind
from verification.assignment.own_test import OwnTest, changed, own_test
from verification.construction import misfit
from verification.failure import PropertyFailed, Stopped
from verification.judge.process import Limits
from verification.judge.remote import RemoteClass, Submission
from verification.judge.session import plain
from verification.report import Report, overall

SECONDS = 20.0
"""What the calls of a layer may take in all; a right layer needs one or two."""

TIES = "right but for ties"
"""What is said of a layer whose only mistake is one of OF_TIES: how it gives gradient to equal entries."""

OF_TIES = {"full-gradient-to-ties", "no-gradient-to-ties"}


@dataclass(frozen=True)
class LayerVerdict:
    """What became of one layer: a report, or a problem that kept it from being checked, in words.

    accuracies    by the name of the test: the result, or why there is none
    """

    name: str
    class_name: str
    report: Report | None
    problem: str
    accuracies: dict[str, Accuracy | str]

    @property
    def passed(self) -> bool:
        """Whether the layer is right."""
        return self.report is not None and self.report.passed

    @property
    def verdict(self) -> str:
        """passed, failed or undecided."""
        return self.report.verdict if self.report else "failed"

    @property
    def outcome(self) -> str:
        """The verdict in a few words: right, right but for ties, wrong, undecided, no class, or not judged."""
        if self.report is None:
            return "not judged" if self.class_name else "no class"
        if self.report.verdict != "failed":
            return "right" if self.report.passed else "undecided"
        found = [why.family for cause in self.report.mistakes for why in cause.why]
        ties = found and all(cause.why for cause in self.report.mistakes) and set(found) <= OF_TIES
        return TIES if ties else "wrong"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it: no times, so that the same seed gives the same text."""
        report: dict[str, Any] = (
            self.report.to_dict()
            if self.report
            else {"name": self.name, "verdict": "failed", "causes": [], "properties": []}
        )
        properties = [{key: item[key] for key in item if key != "seconds"} for item in report["properties"]]
        return {**report, "properties": properties, "class": self.class_name or None, "problem": self.problem or None}


@dataclass(frozen=True)
class FileVerdict:
    """The verdict on a file.

    problem         why nothing of it could be checked, in words; or ""
    kind            "syntax error" or "empty file" where that is why; or ""
    own             what the accuracy test in the file says, where it was asked
    notes           top-level statements that raised
    failed_imports  those of them that lacked what they import
    output          the first that it printed
    """

    file: str
    problem: str
    notes: tuple[str, ...]
    layers: tuple[LayerVerdict, ...]
    isolation: str
    output: str = field(default="", compare=False)
    kind: str = ""
    own: OwnTest = field(default_factory=OwnTest)
    failed_imports: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """passed if both layers are right, failed or undecided."""
        return overall(layer.verdict for layer in self.layers) if self.layers else "failed"

    @property
    def passed(self) -> bool:
        """Whether both layers are right."""
        return self.verdict == "passed"

    @property
    def outcome(self) -> str:
        """The verdict on the file in a few words; a failed import counts only if a layer is not right."""
        if self.passed:
            return "passed"
        return self.kind or ("failed import" if self.failed_imports else "failed")

    @property
    def outcomes(self) -> dict[str, str]:
        """The verdict on each layer in a few words, by its name; or what kept the whole file from being judged."""
        instead = self.kind or ("not judged" if self.problem else "")
        return {layer.name: instead or layer.outcome for layer in self.layers}

    @property
    def accuracies(self) -> dict[str, Accuracy | str]:
        """The four results of the assignment's test on the classes, or why there is none, by the name of the test."""
        return {test: result for layer in self.layers for test, result in layer.accuracies.items()}

    @property
    def better(self) -> dict[str, str]:
        """Of each test for which the file's own test gives more points: why it does not count, or "" if it does."""
        return {
            test: self.own.not_counted(test)
            for test, result in self.accuracies.items()
            if self.own.points(test) > _points(result)
        }

    @property
    def counted(self) -> dict[str, Accuracy | str]:
        """The results that are marked: those of the assignment's test, or of the file's own where that is better."""
        better = self.better
        return {
            test: self.own.results[test] if better.get(test) == "" else result
            for test, result in self.accuracies.items()
        }

    @property
    def points(self) -> dict[str, int]:
        """The points of section 7 for each accuracy: 4, 2 or 1; 1 for a layer that gives none."""
        return {test: _points(result) for test, result in self.counted.items()}

    def reason(self, test: str, digits: int = 4) -> str:
        """Return what a test's points are for, in words."""
        result = self.accuracies[test]
        ours = result.said(digits) if isinstance(result, Accuracy) else result
        if (why := self.better.get(test)) is None:
            return ours
        own = self.own.said(test)
        if why:
            return f"{ours}; by the file's own print {own}, which does not count: {why}"
        return f"{own} in the file's own test, by its own print; in the assignment's on its classes: {ours}"

    @property
    def to_look_at(self) -> tuple[str, ...]:
        """What whoever gives the mark should look at: where the accuracy test in the file says something else."""
        said = []
        for why in dict.fromkeys(self.better.values()):
            tests = ", ".join(TESTS[test] for test, other in self.better.items() if other == why)
            if why:
                said.append(f"look at it: its own print would give more points for {tests}, but does not count: {why}")
            else:
                said.append(f"look at it: the points for {tests} are for what its own test prints")
        if self.own.changed:
            said.append(f"the accuracy test in the file is not the assignment's: {', '.join(self.own.changed)}")
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        results = [
            {
                "test": test, "percent": result.shown if isinstance(result, Accuracy) else None,
                "problem": None if isinstance(result, Accuracy) else result, "points": self.points[test],
                "own": self.own.said(test) if self.own.points(test) else None,
                "own_counts": self.better.get(test) == "",
            }
            for test, result in self.accuracies.items()
        ]  # fmt: skip
        return {
            "file": self.file,
            "verdict": self.verdict,
            "problem": self.problem or None,
            "kind": self.kind or None,
            "outcome": self.outcome,
            "notes": list(self.notes),
            "to_look_at": list(self.to_look_at),
            "own_test_ended": self.own.ended or None,
            "layers": [{**layer.to_dict(), "outcome": self.outcomes[layer.name]} for layer in self.layers],
            "accuracy": results,
            "points": sum(self.points.values()),
            "isolation": self.isolation,
            "output": self.output,
        }


def judge(
    source: bytes,
    filename: str,
    *,
    conv: str = "",
    pool: str = "",
    examples: int = 100,
    seed: int = 0,
    strict: bool = False,
    shape: tuple[int, ...] | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
    seconds: float = SECONDS,
    progress: Callable[[str], None] = lambda _doing: None,
) -> FileVerdict:
    """Check the layers of a file in a child process. The same seed gives the same verdict.

    filename     what the file is called in messages, and what scripts import it by
    conv, pool   names of the classes, where they are not the assignment's
    seconds      what the calls of a layer may take in all, beside the accuracy tests
    shape        check one case of this shape of x (n, c, w, h) instead, exactly
    """
    both = [kind.named(name) if name else kind for kind, name in zip(KINDS, (conv, pool), strict=True)]
    wanted = tuple(name for kind in both for name in kind.classes)
    submission = Submission(source, filename, wanted, seed, limits)
    try:
        loaded = submission.loaded

        def run(kind: Kind, make: RemoteClass) -> Report:
            def show(doing: str) -> None:
                progress(f"{kind.name}: {doing}")

            return kind.check(make, examples, seed, strict, shape, show, seconds)

        found = [_layer(submission, kind, run, seed) for kind in both]
        own = OwnTest(changed=changed(source))
        full = all(_points(result) == 4 for layer in found for result in layer.accuracies.values())
        if not full and not loaded.kind:
            progress("the accuracy test in the file")
            own = own_test(submission)
    finally:
        submission.close()
    output = plain(submission.output.decode(errors="replace"))
    return FileVerdict(
        filename, loaded.error, loaded.notes, tuple(found), submission.isolation, output, loaded.kind, own,
        loaded.failed_imports,
    )  # fmt: skip


def _points(result: Accuracy | str) -> int:
    return result.points if isinstance(result, Accuracy) else 1


def _layer(submission: Submission, kind: Kind, run: Callable[[Kind, RemoteClass], Report], seed: int) -> LayerVerdict:
    """Check one layer of a file, and run its accuracy tests."""
    found = submission.loaded.found
    name = next((name for name in kind.classes if name in found), "")
    problem = ""
    if not name:
        problem = submission.loaded.error or _missing(submission, kind)
    elif missing := [method for method in ("forward", "backprop") if method not in found[name]["methods"]]:
        problem = f"{name} has no method {' and no method '.join(missing)}"
    if problem:
        return LayerVerdict(kind.name, name, None, problem, dict.fromkeys(kind.tests, problem))
    make = submission.make(name)
    if said := misfit(make, tuple(kind.case((1, 1, 3, 3), seed).settings)):
        return LayerVerdict(kind.name, name, None, f"{name}: {said}", _accuracies(make, kind, seed))
    submission.new_budget()
    try:
        with np.errstate(all="ignore"):
            report = run(kind, make)
    except Exception as error:  # a layer may give what nobody thought of, but may not end the judge
        problem = f"{name} could not be judged: {_said(error)}"
        return LayerVerdict(kind.name, name, None, problem, dict.fromkeys(kind.tests, problem))
    submission.new_budget()
    return LayerVerdict(kind.name, name, report, "", _accuracies(make, kind, seed))


def _missing(submission: Submission, kind: Kind) -> str:
    known = [name for kind in KINDS for name in kind.classes]
    there = [name for name in submission.loaded.classes if name not in known]
    problem = f"there is no class {' or '.join(kind.classes)}"
    return f"{problem}; the file defines {', '.join(there)}: name it with {kind.option}" if there else problem


def _accuracies(make: RemoteClass, kind: Kind, seed: int) -> dict[str, Accuracy | str]:
    try:
        make.seed_again()
        results = kind.accuracy(make, seed)
    except Stopped as stopped:
        return dict.fromkeys(kind.tests, str(stopped))
    except Exception as error:  # whatever the layer raises, or its answers lead to
        return dict.fromkeys(kind.tests, _said(error))
    return dict(zip(kind.tests, results, strict=True))


def _said(error: Exception) -> str:
    """Return an error in words; of one of our own only what it says."""
    return error.sentence if isinstance(error, PropertyFailed) else f"{type(error).__name__}: {error}"
