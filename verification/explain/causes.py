"""Finds the causes of what is wrong with a layer: of each why, where and the smallest case."""

from collections.abc import Iterator, Sequence

import numpy as np

from verification.cause import Cause, Counterexample
from verification.drawing import quiet, sample
from verification.explain.fold import (
    folded,
    is_said_alike,
    is_the_gradient_of_forward,
    is_wrong_only_where_y_is,
    is_wrong_where_one_size_fits,
    raises_where_the_mistake_leads_nowhere,
)
from verification.explain.groups import Group, of_a_call, of_an_array
from verification.explain.knobs import right as right_of
from verification.explain.knobs import with_inputs
from verification.explain.observed import DRAWN, Observed, entries_of
from verification.explain.where import FEWEST
from verification.explain.why import Why, explain
from verification.failure import NO_ARRAY, PropertyFailed
from verification.observe import Answer, Row, ask, failure_of, tell
from verification.properties import Collected, of_gradients
from verification.search import search
from verification.spec import LayerSpec, Property
from verification.trial import Trial

__all__ = ["Observed", "causes", "is_of_what_it_writes", "why_at_ties"]

OF_A_CALL = (raises_where_the_mistake_leads_nowhere, is_wrong_where_one_size_fits)
OF_ALL = (is_said_alike, is_the_gradient_of_forward, is_wrong_only_where_y_is)


def causes(observed: Observed, seed: int = 0) -> list[Cause]:
    """Return the causes of what is wrong with the plain answers of a layer, most telling first."""
    if not observed.rows:
        return []
    groups = _of_a_call(observed, ("y",))
    for group in groups:
        if group.kind == "raised" and group.where:
            observed.ask_more(group.where)
    if observed.spec.gradients:
        groups += _of_a_call(observed, tuple(f"dLd{name}" for name in observed.spec.gradients))
    return [_cause(observed, group, seed) for group in folded(observed, groups, OF_ALL)]


def _of_a_call(observed: Observed, arrays: tuple[str, ...]) -> list[Group]:
    """Return the groups of forward (y) or of backprop (its gradients)."""
    found = [*of_a_call(observed, arrays), *(group for array in arrays for group in of_an_array(observed, array))]
    return folded(observed, found, OF_A_CALL)


def _cause(observed: Observed, group: Group, seed: int) -> Cause:
    """Return the cause of a group, with its smallest case."""
    spec = observed.spec
    concerned = [row for row in observed.rows if group.concerns(row)]
    wrong = [row for row in concerned if group.is_wrong(row)]
    if group.array != "y":  # a script calls forward first
        wrong = [row for row in wrong if failure_of(row, "y") is None] or wrong
    is_right = _is_right(group, forward_raises=failure_of(wrong[0], "y") is not None)
    cases = spec.cases if spec.usual is None else spec.cases | spec.usual
    item = Collected(is_right, "required", cases, plain=True)
    outcome = search(spec, item, quiet(100), seed)
    if outcome.failure is None:
        outcome.fail(spec, item, min(wrong, key=lambda row: entries_of(row.case)).case)
    failure = outcome.failure
    assert failure is not None
    of_a_call = failure.kind in NO_ARRAY and group.array != "y"
    return Cause(
        array=None if of_a_call else group.array,
        kind="raised" if failure.kind in NO_ARRAY else failure.kind,
        property_name="forward_matches_reference" if group.array == "y" else of_gradients(spec).__name__,
        message=failure.message(),
        also=() if of_a_call else group.arrays[1:],
        why=group.why,
        where=group.where,
        line=failure.line,
        wrong=sum(map(group.is_wrong, concerned)),
        asked=len(concerned),
        counterexample=Counterexample.of(outcome.case, outcome.script) if outcome.case else None,
        entries=failure.entries,
        compared=failure.compared,
    )


def _is_right(group: Group, forward_raises: bool) -> Property:
    """Return the property that an array is right, which fails where this group is wrong."""

    def is_right(trial: Trial) -> None:
        answers = ask(trial)
        row = Row(trial.case, (answers,))
        if group.is_wrong(row) and (group.array == "y" or forward_raises or failure_of(row, "y") is None):
            tell(answers[group.array])

    return is_right


# Ties

TIES = "dLdx at ties"
"""Mistakes of this array are looked for where entries of x are equal; there is more than one right answer."""


def why_at_ties(spec: LayerSpec) -> tuple[Why, ...]:
    """Return what explains gradients at ties, of cases of sizes at which the layer is right elsewhere."""

    def answers(seed: int) -> Iterator[Answer]:
        for case in sample(spec.cases, 2 * DRAWN, seed):
            trial = Trial(spec, case)
            try:
                if ask(trial)["dLdx"].kind != "right":
                    continue
                actual = trial.layer().backprop(trial.x, trial.dLdy)["x"]
            except PropertyFailed:
                continue
            right = trial.right["x"]
            yield Answer(trial, TIES, "right" if np.array_equal(actual, right) else "values", right, actual)

    here = list(answers(0))
    knobs = explain(spec, TIES, here, (answers(seed) for seed in (1, 2)))
    if not knobs and _shares_do_not_add_up(here):
        said = "where several entries are the largest, what they take is not dLdy in all: let one take it, or share it"
        return (Why("not-shared-at-ties", said),)
    return tuple(Why(knob.family, knob.sentence) for knob in knobs)


def _shares_do_not_add_up(answers: Sequence[Answer]) -> bool:
    """Return whether dLdx, which should have the sum of dLdy, has not, in a few of these answers."""
    sums = [(a.trial.dLdy.sum(), a.right.sum(), a.actual.sum()) for a in answers if a.actual is not None]
    return all(dLdy == right for dLdy, right, _ in sums) and sum(dLdy != actual for dLdy, _, actual in sums) >= FEWEST


# Arrays that are written into


def is_of_what_it_writes(observed: Observed, cause: Cause) -> bool:
    """Return whether a wrong array is right for x and dLdy as the layer leaves them, which writes into these."""
    if cause.kind != "values" or cause.array is None:
        return False
    found = [_right_for_what_is_left(answers[cause.array]) for row in observed.rows for answers in row.answers[:1]]
    told = [right for right in found[: 2 * DRAWN] if right is not None]
    return len(told) >= FEWEST and all(told)


def _right_for_what_is_left(answer: Answer) -> bool | None:
    """Return that of one answer; None where it is right, or nothing is written."""
    trial = answer.trial
    if answer.kind != "values":
        return None
    try:
        layer = trial.layer()
        held = {name: layer.hold(name, array.copy()) for name, array in (("x", trial.x), ("dLdy", trial.dLdy))}
        layer.forward(held["x"])
        if answer.array != "y":
            layer.backprop(held["x"], held["dLdy"])
        left = {name: array.read() for name, array in held.items()}
    except PropertyFailed:
        return None
    if np.array_equal(left["x"], trial.x) and np.array_equal(left["dLdy"], trial.dLdy):
        return False
    return answer.is_like(right_of(with_inputs(trial, left), answer.array))
