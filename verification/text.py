"""Causes and properties as lines of text."""

from collections.abc import Iterable, Sequence

from verification.cause import Cause, PropertyReport


def blocks(causes: Sequence[Cause]) -> list[str]:
    """Return a block of lines for each cause: what, why, where, the smallest case as a script."""
    lines = []
    for number, cause in enumerate(causes, 1):
        lines += [f"{number}. " + cause.headline if len(causes) > 1 else cause.headline, ""]
        lines += [f"    {line}" if line else "" for line in _body(cause)]
        lines.append("")
    return lines


def _body(cause: Cause) -> list[str]:
    lines = []
    said = cause.headline
    if cause.also:
        lines.append(f"Wrong for the same reason: {', '.join(cause.also)}.")
    if cause.where and str(cause.where) not in said:
        array = cause.array or "It"
        lines.append(f"{array} is {cause.where}.")
    message = cause.message.splitlines()
    lines += message[1:] if message and said.startswith(message[0]) else message
    if cause.counterexample:
        lines += ["", "The smallest case found, without layerproof:", ""]
        lines += [f"    {line}" if line else "" for line in _without_comments(cause.counterexample.script)]
    return lines


def _without_comments(script: str) -> list[str]:
    """Return the lines of a script but for the comments at its end, which the block says already."""
    lines = script.rstrip().splitlines()
    while lines and lines[-1].startswith("#"):
        lines.pop()
    return lines


def table(properties: Iterable[PropertyReport]) -> list[str]:
    """Return a line for each property."""
    return [f"  {item.verdict:<10} {item.sentence} ({item.examples} examples)" for item in properties]


def short(notes: Sequence[Cause]) -> list[str]:
    """Return hardening as one short list."""
    if not notes:
        return []
    count = f"{len(notes)} note" + "s" * (len(notes) > 1)
    lines = ["", f"Hardening, which does not count: {count}"]
    for cause in notes:
        where = f" ({cause.property_name.replace('_', ' ')})"
        lines.append(f"  - {cause.headline}{where}")
    return lines
