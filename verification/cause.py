"""What was found: the causes of what is wrong, and what became of each property. Frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from verification.case import Array, Case
from verification.explain.where import Where
from verification.explain.why import Why
from verification.failure import Entry


@dataclass(frozen=True)
class Counterexample:
    """The smallest case found: the constructor's arguments, the arrays, and a script of the calls."""

    settings: dict[str, Any]
    arrays: dict[str, Array] = field(compare=False)
    script: str

    @classmethod
    def of(cls, case: Case, script: str) -> "Counterexample":
        """Return the counterexample of a case."""
        return cls(dict(case.settings), dict(case.arrays), script)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; of more than 1000 entries the shape alone, since the script makes them."""
        arrays = {
            name: array.tolist() if array.size <= 1000 else {"shape": array.shape}
            for name, array in self.arrays.items()
        }
        return {"settings": self.settings, "arrays": arrays, "script": self.script}


@dataclass(frozen=True)
class Cause:
    """One mistake: what is wrong, why, where, and the smallest case.

    array       the array that is wrong: y, dLdx, ...; None of what is wrong with a call, or with a property
    kind        values, shape, raised, ended or property
    property_name    the property that fails
    required    whether it counts towards the verdict, strict or not
    also        other arrays that are wrong for the same reason
    wrong, asked    cases
    raised      whether a call raised where a property failed
    entries, compared    of wrong values: the first of them; and name, array, and what it should be
    """

    array: str | None
    kind: str
    property_name: str
    message: str
    required: bool = True
    also: tuple[str, ...] = ()
    why: tuple[Why, ...] = ()
    where: Where | None = None
    line: int | None = None
    wrong: int = 0
    asked: int = 0
    counterexample: Counterexample | None = None
    raised: bool = False
    entries: tuple[Entry, ...] = ()
    compared: tuple[str, Array, Array] | None = field(default=None, compare=False)

    @property
    def always(self) -> bool:
        """Whether a call raised on every case: the line says all, and a smallest case nothing more."""
        return self.kind == "raised" and self.wrong == self.asked > 0

    @property
    def headline(self) -> str:
        """What is said of it in one line: the mistake, if it is known, or else what is wrong."""
        if self.why:
            return " Besides, ".join(why.sentence for why in self.why)
        # The shapes themselves are those of the smallest case.
        first = f"{self.array} has the wrong shape" if self.kind == "shape" else self.message.partition("\n")[0]
        if not self.where:
            return first
        return f"{first}: it {self.where_said}" if self.kind == "raised" else f"{first}: {self.where_said}"

    @property
    def where_said(self) -> str:
        """Where it is right, in words: of a call that raises, where it runs."""
        words = ("runs", "raises") if self.kind == "raised" else ("right", "wrong")
        return self.where.said(*words) if self.where else ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "array": self.array,
            "kind": self.kind,
            "property": self.property_name,
            "required": self.required,
            "message": self.message,
            "also": list(self.also),
            "why": [why.to_dict() for why in self.why],
            "where": self.where.to_dict() if self.where else None,
            "line": self.line,
            "cases": {"wrong": self.wrong, "asked": self.asked},
            "counterexample": self.counterexample.to_dict() if self.counterexample else None,
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Cause":
        """Return the cause that JSON has, without its smallest case."""
        where = found["where"]
        return cls(
            found["array"], found["kind"], found["property"], found["message"], found["required"],
            tuple(found["also"]), tuple(Why(**why) for why in found["why"]),
            Where(tuple(where["conditions"]), where["right"], where.get("sometimes", False)) if where else None,
            found["line"], found["cases"]["wrong"], found["cases"]["asked"],
        )  # fmt: skip


@dataclass(frozen=True)
class PropertyReport:
    """What became of one property: passed, failed, "note" (passed, with something to know) or "not judged".

    undecided   whether it was not judged for a reason that leaves the verdict on the layer open
    """

    name: str
    kind: str
    verdict: str
    examples: int
    message: str = ""
    seconds: float = field(default=0.0, compare=False)
    undecided: bool = False

    @property
    def sentence(self) -> str:
        """The property's name as a sentence."""
        return self.name.replace("_", " ")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "verdict": self.verdict,
            "examples": self.examples,
            "seconds": round(self.seconds, 3),
            "message": self.message,
        }
