"""Causes and properties as lines of text."""

from collections.abc import Iterable, Sequence

from verification.cause import Cause, PropertyReport
from verification.failure import ALREADY_WRONG


def blocks(causes: Sequence[Cause]) -> list[str]:
    """Return a block of lines for each cause: what, why, where, the smallest case as a script."""
    lines = []
    for number, cause in enumerate(causes, 1):
        lines += [f"{number}. " + cause.headline if len(causes) > 1 else cause.headline, ""]
        lines += [f"    {line}" if line else "" for line in _body(cause)]
        lines.append("")
    return lines


def _body(cause: Cause) -> list[str]:
    message = cause.message.splitlines()
    lines = []
    if cause.also:
        lines.append(f"Wrong for the same reason: {', '.join(cause.also)}.")
    if cause.where and cause.where_said not in cause.headline:
        is_so = "The call" if cause.kind == "raised" else f"{cause.array or 'The call'} is"
        lines.append(f"{is_so} {cause.where_said}.")
    lines += message[1:] if cause.headline.startswith(message[0]) else message
    if cause.always:
        return [*lines, f"On each of {cause.asked} cases."]
    if cause.counterexample:
        lines += [""] if lines else []
        lines += ["The smallest case found, without layerproof:", ""]
        lines += [f"    {line}" if line else "" for line in _without_comments(cause.counterexample.script)]
    return lines


def _without_comments(script: str) -> list[str]:
    """Return the lines of a script but for the comments at its end, which the block says already."""
    lines = script.rstrip().splitlines()
    while lines and lines[-1].startswith("#"):
        lines.pop()
    return lines


def table(properties: Iterable[PropertyReport]) -> list[str]:
    """Return a line for each property; those that could not be judged, which say nothing, are one line."""
    judged, others = split(properties)
    lines = [f"  {item.verdict:<10} {item.sentence} ({item.examples} examples)" for item in judged]
    return [*lines, *(f"  not judged {line}" for line in not_judged(others))]


def split(properties: Iterable[PropertyReport]) -> tuple[list[PropertyReport], list[PropertyReport]]:
    """Return the properties that were judged, and the others."""
    judged: list[PropertyReport] = []
    others: list[PropertyReport] = []
    for item in properties:
        (others if item.verdict == "not judged" else judged).append(item)
    return judged, others


def not_judged(others: Sequence[PropertyReport]) -> list[str]:
    """Return a line for each property that could not be judged; one for all that need what is wrong."""
    needy = [item for item in others if item.message == ALREADY_WRONG]
    lines = [f"{item.sentence}: {item.message}" for item in others if item not in needy or len(needy) == 1]
    return lines if len(needy) < 2 else [*lines, f"{len(needy)} properties: {ALREADY_WRONG}"]


def short(notes: Sequence[tuple[str, Cause]]) -> list[str]:
    """Return hardening as one short list: causes, each with the name of its layer."""
    if not notes:
        return []
    lines = ["", f"Hardening, which does not count: {len(notes)} note" + "s" * (len(notes) > 1)]
    for layer, cause in notes:
        lines.append(f"  - {layer}: {cause.headline} ({cause.property_name.replace('_', ' ')})")
    return lines
