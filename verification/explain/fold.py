"""Folds groups into one where they have one cause, so that a mistake is told once."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from verification.explain.groups import Group
from verification.explain.observed import OK, Observed
from verification.explain.where import FEWEST
from verification.explain.why import leads_nowhere
from verification.failure import PropertyFailed
from verification.observe import NOT_ASKED, Answer

Rule = Callable[[Observed, Group, Group], Group | None]


def folded(observed: Observed, groups: Sequence[Group], rules: Sequence[Rule]) -> list[Group]:
    """Return the groups, each in an earlier one where a rule says that both have one cause: it returns the one."""
    result: list[Group] = []
    for group in groups:
        for at, earlier in enumerate(result):
            one = next((one for rule in rules if (one := rule(observed, earlier, group))), None)
            if one is not None:
                result[at] = one
                break
        else:
            result.append(group)
    return result


def raises_where_the_mistake_leads_nowhere(observed: Observed, raising: Group, group: Group) -> Group | None:
    """Fold where a known mistake of an array gives no array on every row on which the call raises."""
    if raising.kind != "raised" or group.array not in raising.arrays or not group.knobs:
        return None
    rows = filter(raising.is_wrong, observed.rows)
    if not all(any(leads_nowhere(group.knobs, answer) for answer in row.of(group.array)) for row in rows):
        return None
    one = _of_both(raising, group, arrays=group.arrays, kind=group.kind)
    return replace(one, where=observed.where(one.array, one.concerns, one.is_wrong))


def is_wrong_where_one_size_fits(observed: Observed, raising: Group, group: Group) -> Group | None:
    """Fold where fewer conditions tell both together from the rest than both apart, as of a file that fits one size."""
    if raising.kind != "raised" or group.array not in raising.arrays or raising.why or group.why:
        return None
    one = _of_both(raising, group, arrays=_joined(group, raising), kind=raising.kind)
    where = observed.where(one.array, one.concerns, one.is_wrong)
    apart = [len(part.where.conditions) for part in (raising, group) if part.where]
    return replace(one, where=where) if where and (len(apart) < 2 or len(where.conditions) < sum(apart)) else None


def _of_both(raising: Group, group: Group, arrays: tuple[str, ...], kind: str) -> Group:
    array = group.array
    return replace(
        group, arrays=arrays, kind=kind, lines=raising.lines if kind == "raised" else frozenset(),
        is_wrong=lambda row: row.kind(array) not in OK, concerns=lambda row: row.kind(array) != NOT_ASKED,
    )  # fmt: skip


def is_said_alike(_observed: Observed, one: Group, other: Group) -> Group | None:
    """Fold where the same is said of two arrays, or a call raises at lines at which the other does."""

    def said(group: Group, of: str) -> list[tuple[str, str]]:
        return [(why.family, why.sentence.replace(of, "it")) for why in group.why]

    if one.kind == other.kind == "raised" and not (one.why or other.why):
        alike = bool(other.lines) and None not in other.lines and other.lines <= one.lines
    else:
        same = one.why == other.why or said(one, one.array) == said(other, other.array)
        alike = one.array != other.array and bool(one.why) and same
    return replace(one, arrays=_joined(one, other)) if alike else None


def is_wrong_only_where_y_is(observed: Observed, y: Group, group: Group) -> Group | None:
    """Fold a gradient without an explanation of its own that is wrong on no row on which y is right."""
    if y.array != "y" or group.array == "y" or group.why:
        return None
    rows = [row for row in (*observed.rows, *observed.fresh) if group.concerns(row)]
    right = [row for row in rows if row.kind("y") == "right"]
    if len(right) < FEWEST or any(map(group.is_wrong, right)):
        return None
    return replace(y, arrays=_joined(y, group))


def is_the_gradient_of_forward(observed: Observed, y: Group, group: Group) -> Group | None:
    """Fold a wrong gradient that is right for what forward computes, which is wrong."""
    if y.array != "y" or y.kind != "values" or group.array == "y" or group.kind != "values":
        return None
    rows = [row for row in observed.rows if group.is_wrong(row)][:12]
    if not all(_is_gradient_of_forward(answers[group.array]) for row in rows for answers in row.answers[:1]):
        return None
    return replace(y, arrays=_joined(y, group))


def _joined(one: Group, other: Group) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one.arrays, *other.arrays)))


def _is_gradient_of_forward(answer: Answer) -> bool:
    """Return whether <dLdy, forward(x + v) - forward(x - v)> / 2 == <gradient, v> for the layer's own forward."""
    trial, name = answer.trial, answer.array.removeprefix("dLd")
    if answer.actual is None or answer.kind == "shape" or trial.spec.rtol:
        return False
    v = trial.whole(f"v for {name}", answer.actual.shape)
    change = np.zeros(trial.y.shape)
    for sign in (1.0, -1.0):
        at = {**trial.arguments, name: trial.arguments[name] + sign * trial.unit * v}
        try:
            y = trial.layer(at).forward(at["x"])
        except PropertyFailed:
            return False
        if y.shape != change.shape:
            return False
        change = change + sign * y
    left, right = float(np.sum(trial.dLdy * change)) / (2 * trial.unit), float(np.sum(answer.actual * v))
    return abs(left - right) <= trial.allowance(max(1.0, abs(left), abs(right)))
