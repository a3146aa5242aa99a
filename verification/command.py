"""The command `layerproof`. Exit status: 0 passed, 1 failed, 2 could not run, 3 undecided."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verification.judge.files import write_whole

if TYPE_CHECKING:
    from verification.judge.process import Limits

LAYERS = "layers"
"""The module that is checked where no file is given: a name, because the suite imports no layers."""


class Shape(click.ParamType[tuple[int, ...]]):
    """Four whole numbers: images, channels, width, height."""

    name = "N,C,W,H"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers, or say what is wrong with them."""
        try:
            shape = tuple(int(part) for part in value.split(","))
        except ValueError:
            shape = ()
        if len(shape) != 4 or min(shape) < 1:
            self.fail(f"{value!r} should be four numbers of at least 1, such as 8,64,56,56", param, ctx)
        return shape


STATUS = {"passed": 0, "failed": 1, "undecided": 3}  # 2 is said of what could not run

OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.group()
@click.version_option(package_name="layerproof")
def cli() -> None:
    """Verify hand-written neural-network layers, exactly."""


EXAMPLES = click.option(
    "--examples", type=click.IntRange(1), default=100, show_default=True, help="Cases for each property."
)
SEED = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Other cases; the same for the same seed."
)
TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="Seconds for one call.",
)
SECONDS = click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=20,
    show_default=True,
    help="Seconds for all calls of one layer: a slower one is tried on fewer examples.",
)
SANDBOX = click.option("--require-sandbox", is_flag=True, help="Refuse to run a file without bubblewrap.")


@cli.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@EXAMPLES
@SEED
@TIMEOUT
@SECONDS
@click.option("--strict", is_flag=True, help="Require the hardening properties too.")
@click.option("--conv", default="", metavar="NAME", help="The class of the convolution, if it has a name of its own.")
@click.option("--pool", default="", metavar="NAME", help="The class of the max-pooling, if it has a name of its own.")
@click.option("--as", "as_spec", default="", metavar="SPEC", help="Check FILE:CLASS by this ready spec: convolution2d.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
              help="A keyword of that spec: stride=1; kernel_size=2,3 is a pair, height and width; 'batch=[2,4]' and"
              " 'batch=range(2,5)' are values to draw from; bias=false, square=int.")  # fmt: skip
@click.option("--accuracy", is_flag=True, help="Print the assignment's accuracy test of each file in full.")
@click.option(
    "--shape",
    type=Shape(),
    help="Check one case of this shape of x exactly, however large, instead: 3x3 filters, as many as channels;"
    " 2x2 pools.",
)
@click.option("--json", "json_file", type=OUTPUT, help="Write the report to this file as JSON.")
@click.option("--html", "html_file", type=OUTPUT, help="Write the report on one FILE to this file as a page.")
@SANDBOX
def check(
    files: tuple[Path, ...], examples: int, seed: int, timeout: float, seconds: float, strict: bool, conv: str,
    pool: str, as_spec: str, settings: tuple[str, ...], accuracy: bool, shape: tuple[int, ...] | None,
    json_file: Path | None, html_file: Path | None, require_sandbox: bool,
) -> None:  # fmt: skip
    """Verify the convolution and the max-pooling layer of each FILE, or of this package if there is none.

    A FILE is run in a process of its own, with limits and in a sandbox where bubblewrap works. Prints each
    mistake: what is wrong, why, where, and a script of the smallest case; then a table of the properties, and what
    the assignment's accuracy test gives. Exit status: 0 passed, 1 failed, 2 could not run, 3 undecided (nothing
    wrong was found, but there was no time to try every required property).
    """
    if html_file and len(files) != 1:
        raise click.UsageError("--html takes one FILE; `layerproof grade` writes a page for each of many")
    if not files and (conv or pool or accuracy or require_sandbox):
        raise click.UsageError("--conv, --pool, --accuracy and --require-sandbox need a FILE")
    if settings and not as_spec:
        raise click.UsageError("--set is for keywords of a ready spec: name it, as --as convolution2d")
    if as_spec and (len(files) != 1 or conv or pool or accuracy or shape):
        raise click.UsageError("--as takes one FILE:CLASS, and none of --conv, --pool, --accuracy, --shape")
    for path in () if as_spec else files:
        file, colon, name = str(path).rpartition(":")
        if colon and name.isidentifier() and Path(file).is_file():
            raise click.UsageError(f"{path} is a class of a file: name its ready spec too, as --as convolution2d")
        if not path.is_file():
            raise click.BadParameter(f"File {str(path)!r} does not exist.", param_hint="'[FILES]...'")
    from verification.report import SCHEMA

    for path in filter(None, (json_file, html_file)):
        if not path.exists() or path.is_file():
            empty = {"schema": SCHEMA, "verdict": "error", "files" if files else "layers": []}
            _write(path, json.dumps(empty) + "\n" if path == json_file else "")  # say so now if that is impossible
    from verification.judge.process import Limits

    limits = Limits(timeout=timeout, sandbox=True if require_sandbox else None)
    options: dict[str, Any] = {"examples": examples, "seed": seed, "strict": strict, "seconds": seconds}
    if as_spec:
        verdict, content = _check_as(str(files[0]), as_spec, settings, options, limits, html_file)
    elif files:
        options |= {"conv": conv, "pool": pool, "shape": shape}
        verdict, content = _check_files(files, options, limits, accuracy, html_file)
    else:
        verdict, content = _check_layers(examples, seed, strict, shape, seconds)
    if json_file:
        head = {"schema": SCHEMA, "verdict": verdict}
        _write(json_file, json.dumps(head | content, indent=1, allow_nan=False) + "\n")
    sys.exit(STATUS[verdict])


def _check_files(
    files: tuple[Path, ...], options: dict[str, Any], limits: "Limits", accuracy: bool, html_file: Path | None
) -> tuple[str, dict[str, Any]]:
    """Judge each file and print what is found; return the verdict on all, and the JSON."""
    from verification.judge.process import SandboxError
    from verification.judge.verdict import judge
    from verification.report import overall
    from verification.show.printing import print_file

    verdicts = []
    for path in files:
        start = time.perf_counter()
        try:
            with _status(path.name) as show:
                verdict = judge(path.read_bytes(), path.name, limits=limits, progress=show, **options)
        except (OSError, SandboxError) as error:
            raise click.ClickException(f"{path}: {error}") from None
        print_file(verdict, time.perf_counter() - start, accuracy=accuracy)
        verdicts.append(verdict)
        if html_file:
            from verification.show.page import page

            _write(html_file, page(verdict))
    return overall(verdict.verdict for verdict in verdicts), {"files": [verdict.to_dict() for verdict in verdicts]}


def _check_layers(
    examples: int, seed: int, strict: bool, shape: tuple[int, ...] | None, seconds: float
) -> tuple[str, dict[str, Any]]:
    """Check this package's own layers and print what is found; return the verdict on them, and the JSON."""
    from verification.assignment.kinds import KINDS
    from verification.report import overall
    from verification.show.printing import print_reports

    start = time.perf_counter()
    reports = []
    module = _module(LAYERS)
    for kind in KINDS:
        with _status(kind.name) as show:
            reports.append(kind.check(_find(module, kind.classes), examples, seed, strict, shape, show, seconds))
    print_reports(reports, time.perf_counter() - start)
    return overall(report.verdict for report in reports), {"layers": [report.to_dict() for report in reports]}


def _check_as(
    target: str, as_spec: str, settings: tuple[str, ...], options: dict[str, Any], limits: "Limits",
    html_file: Path | None,
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """Check a class of a file by a ready spec and print what is found; return the verdict on it, and the JSON."""
    from verification.judge.process import SandboxError
    from verification.judge.ready import judge_as, ready_spec, settings_of
    from verification.show.printing import print_notes, print_reports
    from verification.spec import SpecError

    file, colon, name = target.rpartition(":")
    if not colon or not name.isidentifier():
        raise click.UsageError(f"--as takes FILE:CLASS, as my_layers.py:Conv, not {target}")
    start, path = time.perf_counter(), Path(file)
    try:
        with _status(path.name) as show:
            ready, given = ready_spec(as_spec), settings_of(settings)
            source = path.read_bytes()
            verdict = judge_as(source, path.name, name, ready, given, limits=limits, progress=show, **options)
    except (OSError, SandboxError, SpecError) as error:
        raise click.ClickException(f"{target}: {error}") from None
    print_notes(verdict)
    reports = [layer.report for layer in verdict.layers if layer.report]
    print_reports(reports, time.perf_counter() - start)
    if html_file:
        from verification.show.page import page

        _write(html_file, page(verdict))
    return verdict.verdict, {"layers": [report.to_dict() for report in reports]}


@contextmanager
def _status(name: str) -> Iterator[Callable[[str], None]]:
    """Show on the terminal what is being done, as long as this lasts."""
    from rich.console import Console
    from rich.markup import escape

    errors = Console(stderr=True)
    with errors.status("") as status:
        yield lambda doing: status.update(escape(f"{name}: {doing}")) if errors.is_terminal else None


@cli.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where the marks go.")
@click.option("--rubric", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Other points, in TOML.")
@EXAMPLES
@SEED
@TIMEOUT
@SECONDS
@click.option("--strict", is_flag=True, help="Let the hardening properties count in the suite's verdict.")
@click.option("--jobs", type=click.IntRange(1), help="Submissions at once (as many as there are processors).")
@click.option("--scheduler", default="", metavar="tcp://HOST:PORT", help="Hand the submissions to this Dask cluster.")
@click.option("--only", default="", metavar="CAUSE", help="Mark again those alone that have this text in a cause.")
@click.option("--gradescope", is_flag=True, help="Write results.json as Gradescope reads it.")
@SANDBOX
def grade(
    folder: Path, out: Path, rubric: Path | None, examples: int, seed: int, timeout: float, seconds: float,
    strict: bool, jobs: int | None, scheduler: str, only: str, gradescope: bool, require_sandbox: bool,
) -> None:  # fmt: skip
    """Mark each submission in FOLDER: a file, or a sub-folder with hw4_nn.py and hw4_mnist.py.

    Writes a page and a JSON for each into OUT/submissions, and OUT/index.html and OUT/grades.csv over all. What was
    marked before, in the same way, is not marked again: after an interruption, the same command goes on.
    """
    from verification.assignment.rubric import Rubric, RubricError, read_rubric
    from verification.judge.grade import NoSuchCauseError, Options, default_jobs
    from verification.judge.grade import grade as run
    from verification.judge.process import Limits, SandboxError
    from verification.judge.submissions import NothingHandedInError, ignored

    try:
        if scheduler and not find_spec("distributed"):
            raise click.UsageError('--scheduler needs Dask: pip install "layerproof[cluster]"')
        limits = Limits(timeout=timeout, sandbox=True if require_sandbox else None)
        options = Options(read_rubric(rubric) if rubric else Rubric(), examples, seed, strict, limits, seconds)
        with _progress() as show:
            reports, failed = run(
                folder, out, options, jobs=jobs or default_jobs(), scheduler=scheduler, gradescope=gradescope,
                only=only, progress=show,
            )  # fmt: skip
    except (RubricError, SandboxError, NothingHandedInError, NoSuchCauseError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error}; what was marked is kept: the same command goes on from there") from None
    if left_out := ignored(folder):
        click.echo(f"not marked, since they are no Python files: {', '.join(left_out)}", err=True)
    click.echo(f"{len(reports)} submissions marked: {out / 'index.html'}, {out / 'grades.csv'}")
    if failed:
        raise click.ClickException(
            f"{len(failed)} could not be marked, since they ended the process that marks them: {', '.join(failed)}"
        )


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """Show on the terminal how far it is, and how long it will take."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn()]  # fmt: skip
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task("marking")
        yield lambda done, of, name: bar.update(task, completed=done, total=of, description=escape(name) or "marking")


@cli.command()
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Other random numbers.")
def accuracy(seed: int) -> None:
    """Run the assignment's own accuracy test on the layers of this package, and count the points."""
    from verification.assignment.accuracy import accuracy as run
    from verification.assignment.accuracy import text
    from verification.assignment.kinds import KINDS

    module = _module(LAYERS)
    try:
        convolution, max_pooling = (_find(module, kind.classes) for kind in KINDS)
        results = run(convolution, max_pooling, seed)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise click.ClickException(
            f"the accuracy test cannot run on {module.__name__}: {type(error).__name__}: {error};"
            " `layerproof check` says more"
        ) from error
    click.echo(text(results))
    sys.exit(0 if all(result.points == 4 for result in results) else 1)


def main() -> None:
    """Run the command; every error is one line on standard error and exit status 2."""
    # Where Hypothesis keeps what it found in sources: not in a folder beside the file that is checked.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "layerproof"
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache))
    try:
        try:
            cli(standalone_mode=False)
        finally:
            sys.stdout.flush()
    except OSError as error:
        print(f"Error: the output cannot be written: {error.strerror or error}", file=sys.stderr)
        os._exit(2)  # not sys.exit, which would try to write the rest
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except Exception as error:
        raise click.ClickException(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _find(module: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if hasattr(module, name):
            return getattr(module, name)
    raise click.ClickException(f"{module.__name__} should have a class {' or '.join(names)}, but has neither")


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    try:
        write_whole(path, text)
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror or error}") from None
