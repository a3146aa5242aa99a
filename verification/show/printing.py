"""Prints reports for people: a block for each mistake, a table of the properties, hardening as a list.

Plain text where the output is not a terminal.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from verification.assignment.accuracy import TESTS, Accuracy, text
from verification.report import Report, overall
from verification.show.text import blocks, not_judged, short, split

if TYPE_CHECKING:
    from verification.judge.verdict import FileVerdict

STYLES = {"passed": "green", "failed": "bold red", "undecided": "yellow", "note": "yellow", "not judged": "dim"}


def print_reports(reports: Sequence[Report], seconds: float, console: Console | None = None) -> None:
    """Print the mistakes, the table of all layers and properties, hardening and the verdict, in one piece."""
    _in_one_piece(console, lambda console: _print(console, reports, seconds))


def print_file(
    verdict: "FileVerdict", seconds: float, *, accuracy: bool = False, console: Console | None = None
) -> None:
    """Print the verdict on a file: what kept it from running, if anything, its layers, and its points."""
    _in_one_piece(console, lambda console: _print_file(console, verdict, seconds, accuracy))


def print_notes(verdict: "FileVerdict", console: Console | None = None) -> None:
    """Print how a file was run, and which of its statements raised."""
    _in_one_piece(console, lambda console: _print_notes(console, verdict))


def _in_one_piece(console: Console | None, write: Callable[[Console], None]) -> None:
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = 1000  # lines of a file or a pipe are not folded
    with console.capture() as captured:
        write(console)
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough; 141 is what the shell calls that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _print_file(console: Console, verdict: "FileVerdict", seconds: float, accuracy: bool) -> None:
    console.rule(escape(verdict.file), align="left", style="dim") if console.is_terminal else console.print(
        verdict.file, markup=False
    )
    _print_notes(console, verdict)
    for problem in dict.fromkeys(filter(None, [verdict.problem, *(layer.problem for layer in verdict.layers)])):
        console.print(problem, style=STYLES["failed"], markup=False, soft_wrap=True)
    _print(console, [layer.report for layer in verdict.layers if layer.report], None)

    console.print("\nThe assignment's accuracy test:")
    before: Accuracy | str = ""
    for test, result in verdict.accuracies.items():
        reason = verdict.reason(test, 6)
        if isinstance(result, str) and test not in verdict.better:
            reason = f"no result: {'as above' if result == before else reason}"
        before = result
        console.print(f"  {TESTS[test]}: {reason}, {verdict.points[test]} of 4 points", markup=False, soft_wrap=True)
    for note in verdict.to_look_at:
        console.print(f"  {note}", style=STYLES["note"], markup=False, soft_wrap=True)
    points = sum(verdict.points.values())
    alone = "nothing wrong" if points == 4 * len(verdict.points) else "a mistake"
    console.print(f"  {points} of {4 * len(verdict.points)} points: this test alone finds {alone}", markup=False)
    results = [result for result in verdict.accuracies.values() if isinstance(result, Accuracy)]
    if accuracy and results:
        console.print(f"\n{text(tuple(results))}", markup=False, soft_wrap=True)
    if verdict.output:
        lines = verdict.output.count("\n")
        console.print(f"\nIt printed {lines} lines, not shown here; --json and --html keep the first.", style="dim")

    word = verdict.verdict
    parts = [f"{layer.name} {layer.verdict}" for layer in verdict.layers]
    console.print(
        f"\n[{STYLES[word]}]{word}[/]: {escape(verdict.file)}: {escape(', '.join(parts))}, in {seconds:.1f} s\n"
    )


def _print_notes(console: Console, verdict: "FileVerdict") -> None:
    console.print(f"isolation: {verdict.isolation}", style="dim", markup=False)
    for note in verdict.notes:
        console.print(f"{note}; the rest of the file was run all the same", style=STYLES["note"], markup=False)


def _print(console: Console, reports: Sequence[Report], seconds: float | None) -> None:
    """Print mistakes, table and hardening; and the verdict, unless seconds is None."""
    for report in reports:
        for line in report.restrictions:
            console.print(f"{report.name}: {line}", markup=False, soft_wrap=True)
        if not report.mistakes:
            continue
        count = f"{len(report.mistakes)} mistake" + "s" * (len(report.mistakes) > 1)
        console.print(f"\n[{STYLES['failed']}]{report.name}: {count}[/]\n")
        console.print("\n".join(blocks(report.mistakes)).rstrip(), markup=False, soft_wrap=True)
    if reports:
        console.print()
        console.print(table(reports, plain=not console.is_terminal, times=seconds is not None))
    for report in reports:
        if report.tried:
            console.print(f"{report.name}: {report.tried}.", style="dim", markup=False, soft_wrap=True)
        if report.limited:
            console.print(f"{report.name}: {report.limited} (--seconds).", style=STYLES["note"], markup=False)
    for line in short([(report.name, cause) for report in reports for cause in report.notes]):
        console.print(line, markup=False, soft_wrap=True)
    for report in reports:
        for item in report.properties:
            if item.verdict in ("passed", "note") and item.message:
                console.print(f"{report.name}: {item.sentence}: {item.message}.", style="dim", markup=False)
    if seconds is None:
        return
    verdict = overall(report.verdict for report in reports)
    parts = [f"{report.name} {report.verdict}" for report in reports]
    examples = sum(item.examples for report in reports for item in report.properties)
    console.print(
        f"\n[{STYLES[verdict]}]{verdict}[/]: {escape(', '.join(parts))}; {examples} examples in {seconds:.1f} s"
    )


def table(reports: Sequence[Report], plain: bool, times: bool) -> Table:
    """Return the table layers x properties with examples, times and verdict; plain has a layer in every line.

    No times where a layer is in another process, which is asked by all properties at once.
    """
    result = Table(box=None, pad_edge=False) if plain else Table(box=SIMPLE)
    for header in ("layer", "property", "kind") if plain else ("property",):
        result.add_column(header, no_wrap=plain, ratio=None if plain else 1)
    result.add_column("examples", justify="right")
    if times:
        result.add_column("seconds", justify="right")
    result.add_column("verdict")
    for report in reports:
        if not plain:
            result.add_row(f"[bold]{escape(report.name)}[/]")
        judged, others = split(report.properties)
        for item in judged:
            name = item.sentence
            kind = " [dim](hardening)[/]" if item.kind == "hardening" else ""
            first = (escape(report.name), name, item.kind) if plain else (f"  {name}{kind}",)
            verdict = f"[{STYLES[item.verdict]}]{item.verdict}[/]"
            result.add_row(*first, str(item.examples), *[f"{item.seconds:.2f}"] * times, verdict)
        for line in not_judged(others):
            first = (escape(report.name), line, "") if plain else (f"  {line}",)
            result.add_row(*first, *[""] * (1 + times), f"[{STYLES['not judged']}]not judged[/]")
        result.add_section()
    return result
