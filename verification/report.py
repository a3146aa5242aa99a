"""The verdict on one layer: frozen data. Text, page and JSON are views of it, and compute nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from verification.cause import Cause, PropertyReport
from verification.explain.grid import Grid
from verification.show.text import blocks, short, table

SCHEMA = 2
"""The version of the JSON: its keys, and what they mean."""


def overall(verdicts: Iterable[str]) -> str:
    """Return the verdict on several layers: failed if one is, else undecided if one is, else passed."""
    return min(verdicts, key=("failed", "undecided", "passed").index, default="passed")


@dataclass(frozen=True)
class Report:
    """The verdict on one layer. Hardening properties count towards it only where strict.

    tried         in a line, which kinds of cases the properties were judged on
    limited       why fewer examples were tried than asked for; "" if they were not
    restrictions  what the cases were restricted to, and what that excluded
    grid    for which sizes it runs and is right, of a layer that is wrong and has such sizes
    """

    name: str
    properties: tuple[PropertyReport, ...]
    causes: tuple[Cause, ...] = ()
    strict: bool = False
    restrictions: tuple[str, ...] = ()
    limited: str = field(default="", compare=False)
    tried: str = ""
    grid: Grid | None = field(default=None, compare=False)

    @property
    def failures(self) -> tuple[PropertyReport, ...]:
        """The properties that failed, whether they count or not."""
        return tuple(item for item in self.properties if item.verdict == "failed")

    @property
    def mistakes(self) -> tuple[Cause, ...]:
        """The causes that count."""
        return tuple(cause for cause in self.causes if cause.required or self.strict)

    @property
    def notes(self) -> tuple[Cause, ...]:
        """The causes that do not count: hardening."""
        return tuple(cause for cause in self.causes if not (cause.required or self.strict))

    @property
    def passed(self) -> bool:
        """Whether every property that counts holds, and was tried."""
        return self.verdict == "passed"

    def counts(self, item: PropertyReport) -> bool:
        """Return whether a failure of this property counts towards the verdict."""
        return self.strict or item.kind == "required"

    @property
    def verdict(self) -> str:
        """passed, failed, or undecided: no property that counts failed, but there was one that could not be tried."""
        if any(self.counts(item) for item in self.failures):
            return "failed"
        return "undecided" if any(item.undecided and self.counts(item) for item in self.properties) else "passed"

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of "layers" as the command's JSON has it."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            **({"restrictions": list(self.restrictions)} if self.restrictions else {}),
            "tried": self.tried,
            "causes": [cause.to_dict() for cause in self.causes],
            "properties": [item.to_dict() for item in self.properties],
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.verdict}", *self.restrictions, "", *blocks(self.mistakes)]
        lines += table(self.properties)
        lines += [f"  {said}" for said in (self.tried, self.limited) if said]
        return "\n".join([*lines, *short([(self.name, cause) for cause in self.notes])])
