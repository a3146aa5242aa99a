"""The command `layerproof`. Exit status: 0 passed, 1 failed, 2 could not run."""

import json
import os
import shutil
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from verification.case import Case
    from verification.checking import Report
    from verification.spec import LayerSpec

LAYERS = "layers"
"""The module that is checked: this package's own layers. A name, because the suite imports no layers."""

CONVOLUTION = ("nn_convolutional_layer",)
MAX_POOLING = ("nn_max_pooling_layer", "nn_maxpool_layer")


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


@click.group()
@click.version_option(package_name="layerproof")
def cli() -> None:
    """Verify hand-written neural-network layers, exactly."""


@cli.command()
@click.option("--examples", type=click.IntRange(1), default=100, show_default=True, help="Cases for each property.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Other cases; the same for the same seed."
)
@click.option("--strict", is_flag=True, help="Require the hardening properties too.")
@click.option(
    "--shape",
    type=Shape(),
    help="Check one case of this shape of x exactly, however large, instead: 3x3 filters, as many as channels;"
    " 2x2 pools.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to this file as JSON.",
)
def check(examples: int, seed: int, strict: bool, shape: tuple[int, ...] | None, json_file: Path | None) -> None:
    """Verify the convolution and max-pooling layers of this package.

    Prints a table of the properties, then for each that failed the wrong entries, the smallest case
    and a script that reproduces it.
    """
    from rich.console import Console

    from verification.checking import check as run
    from verification.checking import check_at
    from verification.printing import print_reports

    if json_file and (not json_file.exists() or json_file.is_file()):
        _write_json(json_file, {"schema": 1, "verdict": "error", "layers": []})  # say so now if that is impossible
    start = time.perf_counter()
    specs = _specs(LAYERS)
    errors = Console(stderr=True)
    reports: list[Report] = []
    with errors.status("") as status:
        for spec in specs:

            def show(doing: str, layer: str = spec.name) -> None:
                if errors.is_terminal:
                    status.update(f"{layer}: {doing}")

            if shape:
                show(f"one case of shape {shape}")
                reports.append(check_at(spec, _case(spec, shape, seed)))
            else:
                reports.append(run(spec, examples=examples, seed=seed, strict=strict, progress=show))
    passed = all(report.passed for report in reports)
    if json_file:
        layers = [report.to_dict() for report in reports]
        _write_json(json_file, {"schema": 1, "verdict": "passed" if passed else "failed", "layers": layers})
    print_reports(reports, time.perf_counter() - start)
    sys.exit(0 if passed else 1)


@cli.command()
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Other random numbers.")
def accuracy(seed: int) -> None:
    """Run the assignment's own accuracy test on the layers of this package, and count the points."""
    from verification.accuracy import accuracy as run
    from verification.accuracy import text

    module = _module(LAYERS)
    try:
        results = run(_find(module, CONVOLUTION), _find(module, MAX_POOLING), seed)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise click.ClickException(
            f"the accuracy test cannot run on {module.__name__}: {type(error).__name__}: {error};"
            " `layerproof check` says more"
        ) from error
    click.echo(text(results))
    sys.exit(0 if all(result.points == 4 for result in results) else 1)


def main() -> None:
    """Run the command; every error is one line on standard error and exit status 2."""
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


def _specs(name: str) -> "list[LayerSpec]":
    from verification.specs import convolution, max_pooling

    module = _module(name)
    return [convolution(_find(module, CONVOLUTION)), max_pooling(_find(module, MAX_POOLING))]


def _case(spec: "LayerSpec", shape: tuple[int, ...], seed: int) -> "Case":
    """Return the case of this shape of x for one of the two layers."""
    from verification.specs.convolution import case as convolution_case
    from verification.specs.max_pooling import case as max_pooling_case

    n, c, w, h = shape
    if spec.name == "convolution":
        kw, kh = min(3, w), min(3, h)
        return convolution_case(n, c, c, kw, kh, w - kw, h - kh, seed + 2)
    pool = min(2, w, h)
    return max_pooling_case(n, c, pool, pool, w - pool, h - pool, 0, seed + 2)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the file whole or not at all; what is no regular file (a pipe, a device) is written to as it is."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    target = path if path.exists() and not path.is_file() else path.resolve()  # a link to a file stays one
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        partial.write_text(text, encoding="utf-8")
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if partial.is_file():
            partial.unlink()
