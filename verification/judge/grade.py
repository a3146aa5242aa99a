"""Marks a folder of submissions: each in a process of its own, on this machine or on a cluster.

What is done is kept in the files that it leads to, each written whole; so whatever ends a run, the next one goes on.
"""

import csv
import hashlib
import io
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from verification.assignment.kinds import KINDS
from verification.assignment.rubric import Rubric
from verification.assignment.titles import judge_titles
from verification.cause import Cause
from verification.judge.child.limits import end_with_parent
from verification.judge.files import write_whole
from verification.judge.process import Limits
from verification.judge.submissions import HandedIn, handed_in
from verification.judge.verdict import SECONDS, FileVerdict, judge
from verification.report import SCHEMA
from verification.show.overview import overview, title
from verification.show.page import page

PAGES = "submissions"
"""The sub-folder of the result that holds the JSON and the page of each submission."""

ATTEMPTS = 3
"""How often a submission is tried whose marking ends the process that marks it."""

_ALONE = Lock()
"""Hypothesis and NumPy's random numbers belong to the whole process; a cluster's worker may have several threads."""


class NoSuchCauseError(Exception):
    """No submission that was marked has such a cause."""


@dataclass(frozen=True)
class Options:
    """How submissions are marked."""

    rubric: Rubric = field(default_factory=Rubric)
    examples: int = 100
    seed: int = 0
    strict: bool = False
    limits: Limits = field(default_factory=Limits)
    seconds: float = SECONDS

    def digest(self, submission: HandedIn) -> str:
        """Return what tells whether a submission was marked in this way before."""
        options: list[Any] = [version("layerproof"), SCHEMA, asdict(self.limits), self.rubric.to_dict()]
        options += [self.examples, self.seed, self.strict, self.seconds]
        hashed = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
        hashed.update(repr((submission.layers, submission.titles, submission.problems)).encode())
        return hashed.hexdigest()


@dataclass(frozen=True)
class Marked:
    """A submission's JSON and page."""

    report: str
    page: str


def mark(submission: HandedIn, options: Options) -> Marked:
    """Judge one submission and count its points. The same submission and options give the same bytes."""
    with _ALONE:
        layers = titles = None
        if submission.layers:
            name, source = submission.layers
            layers = judge(
                source, name, examples=options.examples, seed=options.seed, strict=options.strict,
                limits=options.limits, seconds=options.seconds,
            )  # fmt: skip
        if submission.titles:
            name, source = submission.titles
            titles = judge_titles(source, name, options.seed, options.limits)
    rows = options.rubric.rows(layers, titles)
    report = {
        "schema": SCHEMA,
        "name": submission.name,
        "digest": options.digest(submission),
        "points": sum(row.points for row in rows),
        "of": sum(row.of for row in rows),
        "verdict": layers.verdict if layers else "missing",
        "problems": [*submission.problems, *_problems(layers)],
        "marks": [asdict(row) for row in rows],
        "layers": layers.to_dict() if layers else None,
        "titles": titles.to_dict() if titles else None,
    }
    shown = layers or FileVerdict("", "hw4_nn.py was not handed in", (), (), "nothing was run")
    shown = replace(shown, file=": ".join(filter(None, (submission.name, shown.file))))
    return Marked(json.dumps(report, indent=1, allow_nan=False) + "\n", page(shown, rows, submission.problems))


def _problems(layers: FileVerdict | None) -> list[str]:
    """Return what is to be known of a file beside its layers; of failed imports, if a layer is not right."""
    if layers is None:
        return []
    imports = () if layers.passed else layers.failed_imports
    return [*filter(None, [layers.problem]), *imports, *layers.to_look_at]


def grade(
    folder: Path,
    out: Path,
    options: Options,
    *,
    jobs: int = 1,
    scheduler: str = "",
    gradescope: bool = False,
    only: str = "",
    progress: Callable[[int, int, str], None] = lambda _done, _all, _name: None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Mark every submission in a folder that was not marked before, and write the files; return marks and failures.

    With `only`, those alone are marked again that have a cause with this text in its headline; the others stay as they
    are, and who was not marked before is left out. NoSuchCauseError if there is none.

    The marks are the rows of grades.csv; the failures name submissions that could not be marked. `progress` is called
    with how many are done, how many there are, and the name of the last one. OSError if a file cannot be written.
    """
    submissions = handed_in(folder)
    (out / PAGES).mkdir(parents=True, exist_ok=True)
    if only:
        submissions = [one for one in submissions if _headlines(out, one) is not None]
        left = [one for one in submissions if any(only.lower() in said.lower() for said in _headlines(out, one) or ())]
        if not left:
            raise NoSuchCauseError(
                f"none of the {len(submissions)} submissions marked in {out} has {only!r} in a cause"
            )
    else:
        left = [one for one in submissions if not _is_marked(out, one, options)]
    done = len(submissions) - len(left)
    progress(done, len(submissions), "")
    failed = []
    for submission, marked in _marked(left, options, jobs, scheduler):
        if marked is None:
            failed.append(submission.name)
            continue
        write_whole(_file(out, submission, ".html"), marked.page)
        write_whole(_file(out, submission, ".json"), marked.report)  # the last, since it says that all is there
        done += 1
        progress(done, len(submissions), submission.name)
    reports = [_report(_file(out, one, ".json"), options.strict) for one in submissions if one.name not in failed]
    _write_overview(out, reports, gradescope)
    return reports, failed


def _file(out: Path, submission: HandedIn, suffix: str) -> Path:
    return out / PAGES / f"{submission.file}{suffix}"


def _is_marked(out: Path, submission: HandedIn, options: Options) -> bool:
    try:
        report = json.loads(_file(out, submission, ".json").read_text(encoding="utf-8"))
        return bool(report["digest"] == options.digest(submission)) and _file(out, submission, ".html").exists()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _headlines(out: Path, submission: HandedIn) -> list[str] | None:
    """Return what was said of a submission's causes, if it was marked before."""
    try:
        report = json.loads(_file(out, submission, ".json").read_text(encoding="utf-8"))
        layers = (report["layers"] or {}).get("layers", [])
        return [Cause.from_dict(cause).headline for layer in layers for cause in layer["causes"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _report(path: Path, strict: bool) -> dict[str, Any]:
    """Return what the files over all need of a report; the causes are those that count."""
    report = json.loads(path.read_text(encoding="utf-8"))
    file = report["layers"] or {}
    layers = file.get("layers", [])
    outcomes = {kind.name: "missing" for kind in KINDS} | {layer["name"]: layer["outcome"] for layer in layers}
    found = {layer["name"]: [Cause.from_dict(cause) for cause in layer["causes"]] for layer in layers}
    causes = {name: [cause for cause in found[name] if cause.required or strict] for name in found}
    return {key: report[key] for key in ("name", "points", "of", "verdict", "problems", "marks")} | {
        "outcome": file.get("outcome") or report["verdict"],
        "outcomes": outcomes,
        "causes": causes,
        "file": path.stem,
    }


# Where the work is done


def _marked(
    submissions: Sequence[HandedIn], options: Options, jobs: int, scheduler: str
) -> Iterator[tuple[HandedIn, Marked | None]]:
    """Mark submissions side by side, in whatever order they are done; None for one that cannot be marked."""
    attempts = dict.fromkeys(submissions, 0)
    while attempts:
        waiting, running = list(attempts), dict[Future[Marked], HandedIn]()
        with _executor(jobs, scheduler) as (executor, room), suppress(BrokenProcessPool):
            while waiting or running:
                while waiting and len(running) < room:
                    submission = waiting.pop(0)
                    running[executor.submit(mark, submission, options)] = submission
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    marked = future.result()
                    submission = running.pop(future)
                    del attempts[submission]
                    yield submission, marked
        for submission in running.values():  # one of them ended the process that marked it; each is tried again
            attempts[submission] += 1
            if attempts[submission] == ATTEMPTS:
                del attempts[submission]
                yield submission, None
        jobs = 1  # so that the next time it is the one to blame


@contextmanager
def _executor(jobs: int, scheduler: str) -> Iterator[tuple[Executor, int]]:
    """Give what runs calls side by side, on this machine or on a Dask cluster, and how many to hand it at once."""
    if scheduler:
        from distributed import Client

        with Client(scheduler, timeout=10) as client:
            threads = sum(client.nthreads().values())
            yield client.get_executor(pure=False, retries=ATTEMPTS), 2 * max(threads, jobs)
        return
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=(os.getpid(),))
    try:
        yield executor, jobs
        executor.shutdown()
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        raise


def _prepare(parent: int) -> None:
    """Leave Ctrl-C to the process that waits for this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    if os.getppid() != parent:  # it ended before
        os._exit(1)


# What is written over all


def _write_overview(out: Path, reports: Sequence[dict[str, Any]], gradescope: bool) -> None:
    file = io.StringIO()
    labels = list(dict.fromkeys(row["label"] for report in reports for row in report["marks"]))
    writer = csv.writer(file)
    names = [kind.name for kind in KINDS]
    causes = [f"{name} causes" for name in names]
    writer.writerow(["name", "points", "of", "verdict", *names, *labels, *causes, "problems"])
    for report in reports:
        points = {row["label"]: row["points"] for row in report["marks"]}
        cells = [report["name"], report["points"], report["of"], report["outcome"], *report["outcomes"].values()]
        cells += [points[label] for label in labels]
        cells += ["; ".join(title(name, cause) for cause in report["causes"].get(name, ())) for name in names]
        cells.append("; ".join(report["problems"]))
        writer.writerow([_cell(cell) for cell in cells])
    write_whole(out / "grades.csv", file.getvalue())
    write_whole(out / "index.html", overview(reports, PAGES))
    if gradescope:
        for report in reports:
            single = out / "results.json"
            path = single if len(reports) == 1 else out / PAGES / f"{report['file']}.results.json"
            write_whole(path, json.dumps(_gradescope(report), indent=1) + "\n")


def _cell(value: Any) -> Any:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def _gradescope(report: dict[str, Any]) -> dict[str, Any]:
    """Return what Gradescope reads: the points of each line, and what the suite says."""
    tests = [
        {"name": row["label"], "score": row["points"], "max_score": row["of"], "output": row["reason"]}
        for row in report["marks"]
    ]
    said = [*report["problems"], f"the suite's own verdict: {report['outcome']}"]
    said += [f"{name}: {outcome}" for name, outcome in report["outcomes"].items()]
    said += [f"{name}: {cause.headline}" for name, causes in report["causes"].items() for cause in causes]
    return {"score": report["points"], "output": "\n".join(said), "tests": tests}


def default_jobs() -> int:
    """Return the number of processors that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return multiprocessing.cpu_count()
