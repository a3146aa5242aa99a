"""`check(spec) -> Report`: verify a layer anywhere; the result is data."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from verification.case import VALUES, Array, Case
from verification.declaration import examine
from verification.diagnosis import NOTHING, Finding, diagnose
from verification.drawing import quiet
from verification.failure import Entry, Stopped
from verification.properties import Collected, properties
from verification.properties.required import (
    backprop_is_the_adjoint,
    backprop_matches_directional_differences,
    is_exact_at_a_realistic_size,
)
from verification.search import Outcome, search, survey
from verification.spec import LayerSpec


@dataclass(frozen=True)
class Counterexample:
    """The smallest case found: the constructor's arguments, the arrays, and a script of the calls."""

    settings: dict[str, Any]
    arrays: dict[str, Array] = field(compare=False)
    script: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; of more than 1000 entries the shape alone, since the script makes them."""
        arrays = {
            name: array.tolist() if array.size <= 1000 else {"shape": array.shape}
            for name, array in self.arrays.items()
        }
        return {"settings": self.settings, "arrays": arrays, "script": self.script}


@dataclass(frozen=True)
class PropertyReport:
    """What became of one property: "passed", "failed", or "note" (passed, with something to know).

    compared    of a failure: the name of the array that is wrong, the array, and what it should be, where known
    """

    name: str
    kind: str
    verdict: str
    examples: int
    message: str = ""
    counterexample: Counterexample | None = None
    entries: tuple[Entry, ...] = ()
    finding: Finding = NOTHING
    compared: tuple[str, Array, Array] | None = field(default=None, compare=False)
    seconds: float = field(default=0.0, compare=False)

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
            "counterexample": self.counterexample and self.counterexample.to_dict(),
            "entries": [entry.to_dict() for entry in self.entries],
            "diagnosis": [diagnosis.to_dict() for diagnosis in self.finding.diagnoses] or None,
            "conditions": str(self.finding.where) if self.finding.where else None,
        }


@dataclass(frozen=True)
class Report:
    """The verdict on one layer. Hardening properties count towards it only where strict."""

    name: str
    properties: tuple[PropertyReport, ...]
    strict: bool = False

    @property
    def failures(self) -> tuple[PropertyReport, ...]:
        """The properties that failed, whether they count or not."""
        return tuple(report for report in self.properties if report.verdict == "failed")

    @property
    def passed(self) -> bool:
        """Whether every property that counts holds."""
        return not any(self.counts(report) for report in self.failures)

    def counts(self, report: PropertyReport) -> bool:
        """Return whether a failure of this property counts towards the verdict."""
        return self.strict or report.kind == "required"

    @property
    def verdict(self) -> str:
        """passed or failed."""
        return "passed" if self.passed else "failed"

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of "layers" as the command's JSON has it."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "properties": [report.to_dict() for report in self.properties],
        }

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.verdict}"]
        lines += [f"  {r.verdict:7}{r.name} ({r.examples} examples)" for r in self.properties]
        lines += [f"\n{report.sentence}\n{failure_text(report)}" for report in self.failures]
        return "\n".join(lines)


def check(
    spec: LayerSpec,
    examples: int = 100,
    seed: int = 0,
    strict: bool = False,
    progress: Callable[[str], None] = lambda _doing: None,
) -> Report:
    """Try every property of the spec on `examples` cases each, and return what was found.

    The same seed gives the same report on every machine (but for the seconds). `progress` is called
    now and then with what is being done. ValueError unless examples is at least 1; SpecError if the
    declaration does not fit together.
    """
    if examples < 1:
        raise ValueError(f"examples should be at least 1, but it is {examples}")
    examine(spec)
    profile = quiet(examples)
    items = properties(spec)
    drawn = [item for item in items if item.cases is spec.cases]
    outcomes = dict(zip(drawn, survey(spec, drawn, profile, seed, progress), strict=True))
    # A large case takes long to simplify, and is of no use beside a small one.
    small = any(outcome.failure and item.kind == "required" for item, outcome in outcomes.items())
    for item in items:
        if item not in outcomes:
            simplify = not (small and item.function is is_exact_at_a_realistic_size)
            outcomes[item] = search(spec, item, profile, seed, simplify=simplify)
    return Report(spec.name, tuple(report_on(spec, {item: outcomes[item] for item in items}, progress)), strict)


def check_at(spec: LayerSpec, case: Case) -> Report:
    """Check one case exactly, of any size: one call of forward and one of backprop.

    Every entry of y is compared, and every gradient held against the reference by one inner product
    (`missed` says how likely an error is to escape it). ValueError for a layer that is not exact.
    """
    spec = replace(spec, realistic=case)
    examine(spec)
    items = [item for item in properties(spec) if item.function is is_exact_at_a_realistic_size]
    if not items:
        raise ValueError(f"{spec.name} has rtol {spec.rtol}: only layers with rtol 0 are checked exactly")
    profile = quiet(1)
    return Report(spec.name, tuple(report_on(spec, {item: search(spec, item, profile) for item in items})))


def report_on(
    spec: LayerSpec, outcomes: Mapping[Collected, Outcome], progress: Callable[[str], None] = lambda _doing: None
) -> list[PropertyReport]:
    """Return the reports of these searches, with what is found of those that failed."""
    failed = {item: outcome.failure for item, outcome in outcomes.items() if outcome.failure and not outcome.stopped}
    findings: dict[Collected, Finding] = {}
    if failed:
        progress("looking for what explains the failures")
        with suppress(Stopped):
            findings = dict(zip(failed, diagnose(spec, list(failed), list(failed.values())), strict=True))
    return [_report(spec, item, outcome, findings.get(item, NOTHING)) for item, outcome in outcomes.items()]


def _report(spec: LayerSpec, collected: Collected, outcome: Outcome, finding: Finding) -> PropertyReport:
    common: dict[str, Any] = {
        "name": collected.name, "kind": collected.kind, "examples": outcome.examples,
        "seconds": outcome.seconds,
    }  # fmt: skip
    if outcome.failure:
        case, counterexample = outcome.case, None
        if case:
            counterexample = Counterexample(dict(case.settings), dict(case.arrays), outcome.script)
        return PropertyReport(
            verdict="failed", message=outcome.failure.message(), counterexample=counterexample,
            entries=outcome.failure.entries, finding=finding, compared=outcome.failure.compared, **common,
        )  # fmt: skip
    if outcome.rounded:
        message = (
            f"rounded in {outcome.rounded} of {outcome.examples} examples, by up to"
            f" {outcome.largest_rounding:.1e}, where a sum of products is exact: right, as an FFT is"
        )
        return PropertyReport(verdict="note", message=message, **common)
    identity = backprop_is_the_adjoint if spec.affine_in else backprop_matches_directional_differences
    message = missed(outcome.random) if outcome.random and collected.function is identity and not spec.rtol else ""
    return PropertyReport(verdict="passed", message=message, **common)


def missed(examples: int) -> str:
    """Say how likely it is that the adjoint identity held although a gradient is wrong.

    <dLdy, A v> - <dLdx, v> is a bilinear form in dLdy and v. If it is not zero everywhere, it is zero
    for entries drawn uniformly from 256 values with probability at most 2/256 (Schwartz, Zippel).
    """
    exponent = examples * math.log10(2 / VALUES)
    return (
        f"a gradient wrong for the shape and parameters of one example escaped it with probability at most"
        f" 2/{VALUES}, one wrong in all {examples} random examples with at most 10^{exponent:.0f}"
    )


def failure_text(report: PropertyReport) -> str:
    """Return what a failure says: what is wrong and where, what explains it, and the script that reproduces it."""
    text = report.message
    known = [diagnosis.sentence for diagnosis in report.finding.diagnoses]
    if known:
        text += "\n\nWhy: " + "\n  or: ".join(known)
    if report.finding.where and not any(str(report.finding.where) in sentence for sentence in known):
        text += f"\n\nWhere: {report.finding.where}"
    if report.counterexample:
        text += "\n\nThe smallest case found, without layerproof:\n\n" + "".join(
            f"    {line}\n" if line else "\n" for line in report.counterexample.script.splitlines()
        )
    return text
