"""Prints reports for people: a table, then what failed. Plain text where the output is not a terminal."""

import os
import sys
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from verification.checking import Report, failure_text

STYLES = {"passed": "green", "failed": "bold red", "note": "yellow"}


def print_reports(reports: Sequence[Report], seconds: float, console: Console | None = None) -> None:
    """Print the table of all layers and properties, notes, failures and the verdict, in one piece."""
    console = console or Console(highlight=False)
    with console.capture() as captured:
        _print(reports, seconds, console)
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough; 141 is what the shell calls that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _print(reports: Sequence[Report], seconds: float, console: Console) -> None:
    if not console.is_terminal:
        console.width = 1000  # lines of a file or a pipe are not folded
    console.print(table(reports, plain=not console.is_terminal))
    for report in reports:
        for item in report.properties:
            if item.verdict != "failed" and item.message:
                console.print(f"{report.name}: {item.sentence}: {item.message}.", style="dim", markup=False)
    for report in reports:
        said: dict[str, str] = {}
        for item in report.failures:
            counts = report.strict or item.kind == "required"
            aside = "" if counts else " (hardening: counts with --strict only)"
            console.print(f"\n[{STYLES['failed']}]FAILED {report.name}: {item.sentence}[/]{aside}")
            text = failure_text(item).rstrip() if counts else item.message
            if item.message in said:
                text = f"{item.message.splitlines()[0]}, as above: {said[item.message]}"
            said.setdefault(item.message, item.sentence)
            console.print(text, markup=False, soft_wrap=True)
    verdict = "passed" if all(report.passed for report in reports) else "failed"
    parts = [f"{report.name} {report.verdict}" for report in reports]
    examples = sum(item.examples for report in reports for item in report.properties)
    console.print(
        f"\n[{STYLES[verdict]}]{verdict}[/]: {escape(', '.join(parts))}; {examples} examples in {seconds:.1f} s"
    )


def table(reports: Sequence[Report], plain: bool) -> Table:
    """Return the table layers x properties with examples, time and verdict; plain has a layer in every line."""
    result = Table(box=None, pad_edge=False) if plain else Table(box=SIMPLE)
    for header in ("layer", "property", "kind") if plain else ("property",):
        result.add_column(header, no_wrap=plain, ratio=None if plain else 1)
    result.add_column("examples", justify="right")
    result.add_column("seconds", justify="right")
    result.add_column("verdict")
    for report in reports:
        if not plain:
            result.add_row(f"[bold]{escape(report.name)}[/]", "", "", "")
        for item in report.properties:
            name = item.sentence
            kind = " [dim](hardening)[/]" if item.kind == "hardening" else ""
            first = (escape(report.name), name, item.kind) if plain else (f"  {name}{kind}",)
            verdict = f"[{STYLES[item.verdict]}]{item.verdict}[/]"
            result.add_row(*first, str(item.examples), f"{item.seconds:.2f}", verdict)
        result.add_section()
    return result
