"""`check(spec) -> Report`: verify a layer anywhere; the result is data."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import or_

import numpy as np
from hypothesis import strategies as st

from verification.adapters.adapter import Adapted
from verification.case import SMALL_VALUES, VALUES, Case
from verification.cause import Cause, Counterexample, PropertyReport
from verification.clock import SECONDS, Clock, TimeUp
from verification.construction import passed
from verification.declaration import examine, expect_spec
from verification.drawing import quiet, sample
from verification.explain.causes import Observed, causes, is_of_what_it_writes, why_at_ties
from verification.explain.grid import Grid
from verification.explain.meaning import meaning
from verification.explain.why import Why
from verification.failure import NO_ARRAY, TOO_COARSE, PropertyFailed, Stopped
from verification.isolated import TIMEOUT
from verification.isolated import isolated as in_a_fork
from verification.named import with_named_values
from verification.properties import Collected, of_gradients, properties
from verification.properties.hardening import results_share_no_memory
from verification.properties.history import history_is_irrelevant
from verification.properties.required import (
    arguments_are_left_alone,
    backprop_matches_directional_differences,
    forward_matches_reference,
    is_exact_at_a_realistic_size,
    memory_layout_is_irrelevant,
)
from verification.report import Report
from verification.search import Outcome, as_found, search, smallest, survey
from verification.spec import LayerSpec, Property
from verification.trial import Trial
from verification.tried import line

SAME_VALUES = (arguments_are_left_alone, history_is_irrelevant, memory_layout_is_irrelevant)
"""Properties that compare two answers to the same values: what they find is no plain answer that is wrong."""

NO_TIME = "no time was left"
"""Why a property was not tried."""

HOLDING = (history_is_irrelevant, memory_layout_is_irrelevant, results_share_no_memory)
"""Properties that give a layer arrays to keep: they say nothing of a layer that writes into its arguments."""


def check(
    spec: LayerSpec,
    examples: int = 100,
    seed: int = 0,
    strict: bool = False,
    progress: Callable[[str], None] = lambda _doing: None,
    seconds: float = SECONDS,
    isolated: bool = False,
) -> Report:
    """Try every property of the spec on `examples` cases each, and return what was found.

    The same seed gives the same report on every machine (but for the seconds). `progress` is called
    now and then with what is being done. A layer whose calls take more than `seconds` in all is tried on
    fewer examples, which the report says; one for which not every required property could be tried, and nothing
    wrong was found, is "undecided". An isolated layer runs in a fork of this process, so that a crash
    or an endless loop is a finding. ValueError unless examples is at least 1 and seconds above 0;
    SpecError if the declaration does not fit together.
    """
    if examples < 1:
        raise ValueError(f"examples should be at least 1, but it is {examples}")
    if not seconds > 0:
        raise ValueError(f"seconds should be a number above 0, but it is {seconds}")
    expect_spec(spec, "check")
    spec = replace(in_a_fork(spec, min(TIMEOUT, seconds)) if isolated else spec, clock=Clock(seconds))
    examine(spec)
    spec = with_named_values(spec)
    for limit in spec.restrictions:
        limit.drawn = limit.excluded = 0
    profile = quiet(examples)
    items = properties(spec)
    drawn = [item for item in items if item.cases is spec.cases]
    spec.clock.share = 0.5
    outcomes, known = survey(spec, drawn, profile, seed, progress)
    excluded = restricted(spec)
    # A large case takes long to simplify, and is of no use beside a small one.
    small = any(outcome.case and item.kind == "required" for item, outcome in outcomes.items())
    spec.clock.share = 0.75
    for item in items:
        if item not in outcomes:
            simplify = not (small and item.function is is_exact_at_a_realistic_size)
            outcomes[item] = search(spec, replace(item, known=known), profile, seed, simplify=simplify)
    outcomes = {item: outcomes[item] for item in items}
    spec.clock.share = 0.9
    explanation = explanation_of(spec, outcomes, progress)
    spec.clock.share = 1.0
    for item in drawn:
        if outcomes[item].failure or not outcomes[item].failed:
            continue
        if explanation.causes:
            found = as_found(spec, item, outcomes[item])
            if not _untold(explanation, item, found):
                outcomes[item] = found
                continue
        progress(f"searching the smallest case: {item.name.replace('_', ' ')}")
        outcomes[item] = smallest(spec, item, outcomes[item], profile, seed)
    return replace(report_on(spec, outcomes, strict, explanation), restrictions=excluded)


def restricted(spec: LayerSpec) -> tuple[str, ...]:
    """Return what the report says of the cases that were not tried, and of settings that the constructor lacks."""
    said = [limit.told() for limit in spec.restrictions]
    settings = sample(spec.cases, 1, 0)[0].settings if spec.fixed else {}
    kept, why = [*passed(spec.make, settings, spec.fixed)], "for lack of a parameter of that name"
    if isinstance(spec.make, Adapted) and spec.make.given:
        kept, why = (
            [name for name in settings if name not in spec.fixed or name in spec.make.given],
            "since arguments does not name them",
        )
    if lacking := [name for name in settings if name not in kept]:
        said.append(f"Not passed on, {why}: {', '.join(lacking)}")
    return tuple(said)


def check_at(spec: LayerSpec, case: Case) -> Report:
    """Check one case, of any size: one call of forward and one of backprop.

    Every entry of y is compared, and of an exact layer every gradient held against the reference by one inner product
    (`missed` says how likely an error is to escape it). Of a smooth one, every entry of each gradient is compared
    with that of the spec's formula; without a formula it is held against differences, which take more calls.
    SpecError if the case does not fit.
    """
    expect_spec(spec, "check_at")
    spec = replace(spec, realistic=case)
    examine(spec)
    cases = [case]
    asked = {is_exact_at_a_realistic_size}
    if spec.rtol:
        asked = {forward_matches_reference, backprop_matches_directional_differences}
        if not spec.gradient:
            cases = [replace(case, picked={**case.picked, "argument": name}) for name in spec.gradients]
    items = [replace(item, cases=st.sampled_from(cases)) for item in properties(spec) if item.function in asked]
    return report_on(spec, {item: search(spec, item, quiet(len(cases))) for item in items})


@dataclass(frozen=True)
class Explanation:
    """What explains that plain questions fail, of the layer of this spec.

    observed   what a layer gives, if its answers could be looked at
    grid       for which sizes the layer is right
    elsewhere  outcomes of properties that were tried once more, at sizes at which nothing raises
    """

    spec: LayerSpec
    causes: Sequence[Cause] = ()
    observed: Observed | None = None
    grid: Grid | None = None
    elsewhere: Mapping[Collected, Outcome] = field(default_factory=dict)

    @cached_property
    def at_ties(self) -> tuple[Why, ...]:
        """What explains gradients at ties: more than one property may ask."""
        return why_at_ties(self.spec)


def explanation_of(
    spec: LayerSpec,
    outcomes: Mapping[Collected, Outcome],
    progress: Callable[[str], None] = lambda _doing: None,
) -> Explanation:
    """Find the causes of what failed for plain questions, if anything did."""
    if not any(outcome.failed and item.plain and not outcome.stopped for item, outcome in outcomes.items()):
        return Explanation(spec)
    progress("looking for what explains the failures")
    observed = Observed(spec)
    try:
        found = causes(observed)
        grid = observed.grid() if found else None
        return Explanation(spec, found, observed, grid, _where_it_runs(observed, found, outcomes))
    except TimeUp:  # then what fails is shown as it was found
        return Explanation(spec)
    except Stopped as stopped:
        return Explanation(spec, [Cause(None, "ended", "", str(stopped))])


def report_on(
    spec: LayerSpec, outcomes: Mapping[Collected, Outcome], strict: bool = False, explanation: Explanation | None = None
) -> Report:
    """Return the report of these searches, with the causes of what failed."""
    explanation = explanation or explanation_of(spec, outcomes)
    outcomes = {**outcomes, **explanation.elsewhere}
    outcomes = {item: _alone(item, outcome, outcomes) for item, outcome in outcomes.items()}
    changes = [
        change
        for item, outcome in outcomes.items()
        if outcome.failure and (change := _untold(explanation, item, outcome))
    ]
    plain, changes = _with_what_is_written(explanation, changes)
    changes = _of_ties_once(spec, changes)
    verdicts = tuple(_report(spec, item, outcome) for item, outcome in outcomes.items())
    return Report(
        spec.name,
        verdicts,
        tuple(_told_once([*plain, *changes])),
        strict,
        limited=_limited(spec, outcomes),
        grid=explanation.grid,
        tried=_tried(outcomes),
    )


def _with_what_is_written(explanation: Explanation, changes: list[Cause]) -> tuple[Sequence[Cause], list[Cause]]:
    """Return the causes with a write into x or dLdy told with the array that it makes wrong, if it is one mistake."""
    plain, observed = explanation.causes, explanation.observed
    writing = [cause for cause in changes if cause.property_name == _name(arguments_are_left_alone)]
    if not observed or not writing or any(cause.kind in ("ended", "raised") for cause in plain):
        return plain, changes
    spoilt = [cause for cause in plain if is_of_what_it_writes(observed, cause)]
    if not spoilt:
        return plain, changes
    why = writing[0].why
    return (
        [replace(cause, why=(*cause.why, *why)) if cause in spoilt else cause for cause in plain],
        [cause for cause in changes if cause not in writing],
    )


def _of_ties_once(spec: LayerSpec, changes: list[Cause]) -> list[Cause]:
    """Return the causes, of those that nothing explains and that need equal entries the first."""
    names = {_name(function) for function in spec.properties}
    found = [cause for cause in changes if cause.property_name in names and cause.array == "dLdx" and not cause.why]
    return [cause for cause in changes if not spec.piecewise_linear or cause not in found[1:]]


def _tried(outcomes: Mapping[Collected, Outcome]) -> str:
    """Say what was tried: of each kind of case as many as some property was judged on."""
    most = reduce(or_, (outcome.tried for outcome in outcomes.values()), Counter[str]())
    return line(max((outcome.judged for outcome in outcomes.values()), default=0), most)


def _limited(spec: LayerSpec, outcomes: Mapping[Collected, Outcome]) -> str:
    """Say how many examples the time was enough for, where it was not enough for all."""
    if not spec.clock.limited:
        return ""
    tried = max(outcome.examples for outcome in outcomes.values())
    untried = sum(item.kind == "required" and not outcome.examples for item, outcome in outcomes.items())
    said = f"its calls took {spec.clock.taken:.0f} s, as long as they may, for {tried} example" + "s" * (tried != 1)
    return said + f": {untried} required properties were not tried" * bool(untried)


def _where_it_runs(
    observed: Observed, plain: Sequence[Cause], outcomes: Mapping[Collected, Outcome]
) -> dict[Collected, Outcome]:
    """Try properties that had nothing to judge on sizes at which nothing raises, if it is known which these are."""
    limits = [cause.where for cause in plain if cause.kind == "raised" and cause.where]
    unjudged = {item.function: item for item, outcome in outcomes.items() if not outcome.judged and not outcome.failed}
    cases = observed.cases_at(limits) if limits and unjudged else []
    if not cases:
        return {}
    spec = replace(observed.spec, cases=st.sampled_from(cases))
    asked = [item for item in properties(spec) if item.function in unjudged and item.cases is spec.cases]
    return {unjudged[item.function]: search(spec, item, quiet(len(cases))) for item in asked}


def _untold(explanation: Explanation, item: Collected, outcome: Outcome) -> Cause | None:
    """Return the cause of a property that fails; None if causes of plain answers tell it, with a smallest case."""
    plain = explanation.causes
    if item.plain and plain and not outcome.stopped:
        return None
    change = _cause(explanation, item, outcome)
    return None if any(_covers(explanation.spec, one, change) for one in plain) else change


def _covers(spec: LayerSpec, plain: Cause, change: Cause) -> bool:
    """Return whether a property may fail only since a plain answer is wrong, for the values that it tries.

    Not one that compares answers to the same values, nor one whose failure at ties is explained.
    """
    at_ties = spec.piecewise_linear and bool(change.why) and change.property_name in map(_name, spec.properties)
    if not change.required or change.kind == "ended" or change.property_name in map(_name, SAME_VALUES) or at_ties:
        return False
    if change.raised:
        return plain.kind == "raised"
    if plain.array == "y":  # other arrays may be wrong only where y is, and a property asks where they are right
        return change.array == "y"
    return change.array in ((plain.array, *plain.also) if plain.array else [f"dLd{name}" for name in spec.gradients])


def _name(function: Property) -> str:
    return function.__name__


def _alone(item: Collected, outcome: Outcome, outcomes: Mapping[Collected, Outcome]) -> Outcome:
    """Return the outcome; none, of a property that gives a layer arrays to keep where the layer writes into them.

    Nor of one that raises since it does: a float does not fit into an array of integers.
    """
    mutates = any(one.failure for other, one in outcomes.items() if other.function is arguments_are_left_alone)
    by_writing = item.function in HOLDING or (outcome.failure and outcome.failure.error == "UFuncTypeError")
    return Outcome(examples=outcome.examples) if mutates and by_writing else outcome


def _told_once(found: Iterable[Cause]) -> list[Cause]:
    """Return the causes, those that count first, of these what raises, then what is explained; each mistake once."""
    order = sorted(found, key=lambda cause: (not cause.required, cause.kind != "raised", not cause.why))
    told: dict[object, Cause] = {}
    for cause in order:
        again = cause.kind == "property" and any(
            _families(cause) & _families(one) or (cause.raised and not cause.why and _raises_at(cause, one))
            for one in told.values()
        )
        if not again:
            told.setdefault(cause.why or (cause.message if cause.kind == "ended" else id(cause)), cause)
    return list(told.values())


def _families(cause: Cause) -> set[str]:
    """Return the kinds of mistakes that explain a cause; numbers that are cut off are one kind, whatever cuts them."""
    families = {why.family for why in cause.why}
    return families | {"integer-truncation"} if "integer-result" in families else families


def _raises_at(cause: Cause, other: Cause) -> bool:
    return (other.kind == "raised" or other.raised) and other.line is not None and other.line == cause.line


def _cause(explanation: Explanation, item: Collected, outcome: Outcome) -> Cause:
    """Return the cause of a property that fails."""
    spec, failure = explanation.spec, outcome.failure
    assert failure is not None
    told = not outcome.stopped and not (failure.kind == "raised" and outcome.case and _raises(spec, outcome.case))
    why = meaning(item.name, failure) if told else ()
    if spec.dtype == np.float32:
        why = tuple(one for one in why if one.family != "float32-inside")
    if not why and spec.piecewise_linear and item.function in spec.properties and "dLdx" in failure.array:
        why = explanation.at_ties
    return Cause(
        array=failure.array or None,
        kind="ended" if outcome.stopped else "property",
        raised=failure.kind in NO_ARRAY,
        property_name=item.name,
        message=failure.message(),
        required=item.kind == "required",
        why=why,
        line=failure.line,
        wrong=1,
        asked=outcome.examples,
        counterexample=Counterexample.of(outcome.case, outcome.script) if outcome.case else None,
        entries=failure.entries,
        compared=failure.compared,
    )


def _raises(spec: LayerSpec, case: Case) -> bool:
    """Return whether plain calls raise in this case: then it is not what a property changes that raises."""
    trial = Trial(replace(spec, clock=Clock()), case)
    try:
        trial.layer().both(trial.x, trial.dLdy)
    except PropertyFailed as failure:
        return failure.kind == "raised"
    return False


def _report(spec: LayerSpec, item: Collected, outcome: Outcome) -> PropertyReport:
    """Return what became of a property."""

    def said(verdict: str, message: str = "") -> PropertyReport:
        examples = outcome.judged if verdict in ("passed", "note") else outcome.examples  # what it held for
        return PropertyReport(item.name, item.kind, verdict, examples, message, outcome.seconds)

    if outcome.failure:
        return said("failed", outcome.failure.message())
    if not outcome.examples and spec.clock.limited:
        return replace(said("not judged", NO_TIME), undecided=True)
    if why := outcome.why_not_judged:
        return replace(said("not judged", why), undecided=why == TOO_COARSE)
    if outcome.rounded:
        return said(
            "note",
            f"rounded in {outcome.rounded} of {outcome.examples} examples, by up to"
            f" {outcome.largest_rounding:.1e}, where a sum of products is exact: right, as an FFT is",
        )
    escaping = outcome.random and item.function is of_gradients(spec) and not spec.rtol
    values = VALUES if spec.dtype == np.float64 else SMALL_VALUES
    return said("passed", missed(outcome.random, values) if escaping else "")


def missed(examples: int, values: int = VALUES) -> str:
    """Say how likely it is that the adjoint identity held although a gradient is wrong.

    <dLdy, A v> - <dLdx, v> is a bilinear form in dLdy and v. If it is not zero everywhere, it is zero
    for entries drawn uniformly from 256 values with probability at most 2/256 (Schwartz, Zippel); from 16, 2/16.
    """
    exponent = examples * math.log10(2 / values)
    return (
        f"a gradient wrong for the shape and parameters of one example escaped it with probability at most"
        f" 2/{values}, one wrong in all {examples} random examples with at most 10^{exponent:.0f}"
    )
