"""What is given points, and how many: section 7 of the assignment unless a rubric file says otherwise."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from verification.assignment.accuracy import POINTS, TESTS, Accuracy
from verification.assignment.kinds import KINDS
from verification.assignment.titles import TitlesVerdict
from verification.judge.verdict import FileVerdict
from verification.properties import properties


class RubricError(ValueError):
    """A rubric file that cannot be used; the message says why."""


@dataclass(frozen=True)
class Row:
    """One line of a mark: what it is for, the points, the most there are, and the reason."""

    label: str
    points: float
    of: float
    reason: str


@dataclass(frozen=True)
class Rubric:
    """Points by what they are for. A rubric file is TOML with tables [accuracy], [titles] and [properties].

    accuracy     above_90, from_50_to_90 and below_50 (or no result), for each of the four accuracies
    titles       right and wrong, for question 5
    properties   for each property that holds, by its name with underscores: 0 unless given; of both layers, or of
                 one as "convolution.history_is_irrelevant"
    """

    accuracy: Mapping[str, float] = field(default_factory=lambda: dict(POINTS))
    titles: Mapping[str, float] = field(default_factory=lambda: {"right": 4, "wrong": 1})
    properties: Mapping[str, float] = field(default_factory=dict)

    def rows(self, layers: FileVerdict | None, titles: TitlesVerdict | None) -> list[Row]:
        """Return the mark of a submission, line by line; a file that is not there has 0 points."""
        missing = "not handed in"
        rows = []
        for test, name in TESTS.items():
            result = layers.counted[test] if layers else missing
            reason = layers.reason(test) if layers else missing
            band = result.band if isinstance(result, Accuracy) else "below_50"
            points = self.accuracy[band] if layers else 0
            rows.append(Row(name, points, self.accuracy["above_90"], reason))
        right = titles is not None and not titles.problem
        points = self.titles["right" if right else "wrong"] if titles else 0
        reason = (titles.problem or "all titles are right") if titles else missing
        rows.append(Row("titles of MNIST images", points, self.titles["right"], reason))
        for layer, name in _all_properties():
            weight = self.properties.get(f"{layer}.{name}", self.properties.get(name, 0))
            if weight:
                verdict = _verdict(layers, layer, name) if layers else missing
                points = weight if verdict in ("passed", "note") else 0
                rows.append(Row(f"{layer}: {name.replace('_', ' ')}", points, weight, verdict))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def read_rubric(path: Path) -> Rubric:
    """Read a rubric file; RubricError names what is wrong in it."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RubricError(f"{path}: {error}") from None
    names = {name for pair in _all_properties() for name in (pair[1], ".".join(pair))}
    default = Rubric()
    known = {one.name: set(getattr(default, one.name)) or names for one in fields(Rubric)}
    for table, entries in given.items():
        if table not in known or not isinstance(entries, dict):
            raise RubricError(f"{path}: {table} should be one of the tables {', '.join(f'[{name}]' for name in known)}")
        flat = {**entries}
        for layer in [name for name in entries if isinstance(entries[name], dict)]:  # convolution.name without quotes
            flat |= {f"{layer}.{name}": points for name, points in flat.pop(layer).items()}
        for name, points in flat.items():
            if name not in known[table]:
                raise RubricError(f"{path}: [{table}] has no {name}; it has {', '.join(sorted(known[table]))}")
            if isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < float("inf"):
                raise RubricError(f"{path}: {name} should be a number of points from 0, but is {points!r}")
        given[table] = flat
    return Rubric(**{name: {**getattr(default, name), **given.get(name, {})} for name in known})


def _all_properties() -> list[tuple[str, str]]:
    return [(kind.name, item.name) for kind in KINDS for item in properties(kind.spec(object))]


def _verdict(layers: FileVerdict, layer: str, name: str) -> str:
    for found in layers.layers:
        if found.name == layer and found.report:
            return next(item.verdict for item in found.report.properties if item.name == name)
    return "not checked"
