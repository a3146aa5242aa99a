"""Groups wrong answers into causes, and looks for why, where and the smallest case of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from hypothesis.strategies import SearchStrategy

from verification.case import Case
from verification.cause import Cause, Counterexample
from verification.drawing import quiet, sample
from verification.explain.grid import RAISES, RIGHT, WRONG, Grid, axes_of, grid
from verification.explain.knobs import Mistake
from verification.explain.where import Where, holds_at, separate, sizes_of
from verification.explain.why import Why, by_its_look, explain
from verification.failure import NO_ARRAY, PropertyFailed
from verification.observe import NOT_ASKED, Answer, Row, ask, observe, tell
from verification.properties import of_gradients
from verification.search import Asking, search
from verification.spec import LayerSpec
from verification.trial import Trial

DRAWN, USUAL = 50, 40
"""Cases that are observed: anything small, and near what people use."""

MANY, NEAR = 6, 25
"""So many times as many are drawn to confirm conditions, of which so many on either side are asked."""

LARGE = 2500
"""Entries of a case above which it is left out: right answers entry by entry cost too much."""

OK = ("right", NOT_ASKED)

Line = tuple[str, str, int | None]
"""How a call ends without an array: raised or form, the type of the error, and the line."""


class Observed:
    """The rows of a layer; and fresh ones, asked for when something is to be confirmed."""

    def __init__(self, spec: LayerSpec) -> None:
        self.spec = spec
        self._sizes: dict[Case, Mapping[str, int]] = {}
        self._rows: dict[Case, Row] = {}  # of the many cases, those that were asked for

    @cached_property
    def rows(self) -> list[Row]:
        """Rows of the cases that suggest what is wrong."""
        return self._observe(0)

    @cached_property
    def fresh(self) -> list[Row]:
        """Rows of cases that did not suggest anything."""
        return self._observe(1)

    def _observe(self, seed: int) -> list[Row]:
        return observe(self.spec, self._cases(seed, 1))

    def _cases(self, seed: int, times: int) -> list[Case]:
        cases = [*sample(self.spec.cases, times * DRAWN, 2 * seed)]
        if self.spec.usual is not None:
            cases += sample(self.spec.usual, times * USUAL, 2 * seed + 1)
        cases = [case for case in cases if case.seed > 1 and _size(case) <= LARGE]
        return [case for case in cases if all(array.any() for array in case.arrays.values())]

    def sizes(self, row: Row) -> Mapping[str, int]:
        """Return the sizes of a row by name."""
        return self._sizes_of(row.case)

    def _sizes_of(self, case: Case) -> Mapping[str, int]:
        if case not in self._sizes:
            self._sizes[case] = sizes_of(self.spec, case)
        return self._sizes[case]

    def where(self, concerns: Callable[[Row], bool], is_wrong: Callable[[Row], bool]) -> Where | None:
        """Return what separates the rows that are wrong from the others that it concerns."""

        def confirmed(where: Where) -> bool:
            seen = set()
            for row in chain(self.fresh, self._near(where)):  # of which no more are asked after an exception
                if concerns(row):
                    if where.is_right_at(self.sizes(row)) == is_wrong(row):
                        return False
                    seen.add(is_wrong(row))
            return len(seen) == 2

        concerned = [row for row in self.rows if concerns(row)]
        return separate([self.sizes(row) for row in concerned], [is_wrong(row) for row in concerned], confirmed)

    def _near(self, where: Where) -> Iterator[Row]:
        """Yield rows of both sides of conditions, of sizes as different as there are."""
        sides: dict[bool, list[Case]] = {True: [], False: []}
        seen = set()
        for case in self._many:
            sizes = self._sizes_of(case)
            key = tuple(sizes.values())
            side = sides[all(holds_at(sizes, condition) for condition in where.conditions)]
            if key not in seen and len(side) < NEAR:
                seen.add(key)
                side.append(case)
        yield from map(self._row, [*sides[True], *sides[False]])

    def _row(self, case: Case) -> Row:
        if case not in self._rows:
            (self._rows[case],) = observe(self.spec, [case])
        return self._rows[case]

    def grid(self) -> Grid | None:
        """Return for which sizes the layer runs and is right, if it is a layer with such sizes.

        A pair of sizes that no row has is asked for once.
        """
        sizes = [self.sizes(row) for row in self.rows]
        axes = axes_of(sizes[0])
        if axes is None:
            return None
        more: dict[tuple[int, ...], tuple[Mapping[str, int], Case]] = {}
        for case in self._many:
            of_case = self._sizes_of(case)
            more.setdefault(tuple(of_case[name] for name in axes), (of_case, case))
        for of_row in sizes:
            more.pop(tuple(of_row[name] for name in axes), None)
        sizes += [of_case for of_case, _ in more.values()]
        rows = [*self.rows, *(self._row(case) for _, case in more.values())]
        return grid(axes, sizes, map(_outcome, rows))

    @cached_property
    def _many(self) -> list[Case]:
        return self._cases(2, MANY)


@dataclass(frozen=True, eq=False)
class Group:
    """Rows that are wrong in the same way: one array, or a call that raises or returns no array.

    arrays    the arrays that are wrong, the first of them in front
    """

    arrays: tuple[str, ...]
    is_wrong: Callable[[Row], bool]
    concerns: Callable[[Row], bool]
    kind: str
    knobs: tuple[Mistake, ...] = ()
    why: tuple[Why, ...] = ()
    where: Where | None = None
    line: int | None = None


def causes(observed: Observed, seed: int = 0) -> list[Cause]:
    """Return the causes of what is wrong with the plain answers of a layer, most telling first."""
    if not observed.rows:
        return []
    gradients = [f"dLd{name}" for name in observed.spec.gradients]
    groups = [
        *_of_a_call(observed, ["y"]),
        *(_of_a_call(observed, gradients) if gradients else []),
    ]
    groups = _told_once(observed, groups)
    return [_cause(observed, group, seed) for group in groups]


# Grouping


def _of_a_call(observed: Observed, arrays: list[str]) -> list[Group]:
    """Return the groups of forward (y) or of backprop (its gradients)."""
    raising = _raising(observed, arrays)
    groups: list[Group] = []
    for array in arrays:
        for group in _of_an_array(observed, array):
            whole = group
            for other in raising:
                if merged := _merged(observed, group, other):
                    raising.remove(other)
                    whole = merged
                    break
            groups.append(whole)
    return raising + groups


def _raising(observed: Observed, arrays: list[str]) -> list[Group]:
    """Return the groups of rows on which the call raises or returns no array: one, or one for each line."""
    first = arrays[0]

    def asked(row: Row) -> bool:
        return row.kind(first) != NOT_ASKED

    def fails(row: Row) -> bool:
        return _failure(row, first) is not None

    ends = dict.fromkeys(_key(failure) for row in observed.rows if (failure := _failure(row, first)))
    if not ends:
        return []
    line = next(iter(ends))[2] if len(ends) == 1 else None
    whole = Group(tuple(arrays), fails, asked, "raised", line=line)
    unfinished = _unfinished(observed, arrays, asked)
    if unfinished:
        return [replace(whole, why=unfinished)]
    if arrays == ["y"] and any(not fails(row) and row.kind("y") != "right" for row in observed.rows):
        return [whole]  # where it raises says nothing of where y is right
    if where := observed.where(asked, fails):
        return [replace(whole, where=where)]
    if len(ends) == 1 or all(fails(row) for row in observed.rows if asked(row)):
        return [whole]
    groups = []
    for end in ends:

        def fails_here(row: Row, end: Line = end) -> bool:
            failure = _failure(row, first)
            return failure is not None and _key(failure) == end

        def concerned(row: Row, end: Line = end) -> bool:
            failure = _failure(row, first)
            return asked(row) and (failure is None or _key(failure) == end)

        group = Group(tuple(arrays), fails_here, concerned, "raised", line=end[2])
        groups.append(replace(group, where=observed.where(concerned, fails_here)))
    known = [group for group in groups if group.where]
    return groups if len(known) == len(groups) else [whole]


def _unfinished(observed: Observed, arrays: list[str], asked: Callable[[Row], bool]) -> tuple[Why, ...]:
    """Return that a method is not written yet, if it never gives anything but None or NotImplementedError."""
    ends = [_failure(row, arrays[0]) for row in observed.rows if asked(row)]
    if not all(end and (end.error == "NotImplementedError" or end.kind == "nothing") for end in ends):
        return ()
    method = "forward" if arrays == ["y"] else "backprop"
    return (Why("unfinished", f"{method} is not written yet"),)


def _of_an_array(observed: Observed, array: str) -> Iterator[Group]:
    """Yield the groups of rows on which an array is given and wrong: one, or one of shapes and one of values."""

    def given(row: Row) -> bool:
        return _failure(row, array) is None and row.kind(array) != NOT_ASKED

    def wrong(row: Row) -> bool:
        return given(row) and row.kind(array) != "right"

    def wrong_shape(row: Row) -> bool:
        return given(row) and any(answer.kind == "shape" for answer in row.of(array))

    def wrong_values(row: Row) -> bool:
        return wrong(row) and not wrong_shape(row)

    kinds = {wrong_shape(row) for row in observed.rows if wrong(row)}
    if not kinds:
        return
    group = Group((array,), wrong, given, "shape" if kinds == {True} else "values")
    group = _known(observed, group)
    if group.why or group.where or len(kinds) == 1:
        yield group
        return
    of_shapes = _known(observed, Group((array,), wrong_shape, given, "shape"))
    of_values = _known(
        observed, Group((array,), wrong_values, lambda row: given(row) and not wrong_shape(row), "values")
    )
    if (of_shapes.why or of_shapes.where) and (of_values.why or of_values.where):
        yield from (of_values, of_shapes)
    else:
        yield group


def _known(observed: Observed, group: Group) -> Group:
    """Return the group with why and where, if they can be found."""
    (array, *_) = group.arrays

    def answers(rows: Sequence[Row]) -> list[Answer]:
        return [answer for row in rows if group.concerns(row) for answer in row.of(array)]

    here = answers(observed.rows)
    knobs = explain(observed.spec, array, here, lambda: answers(observed.fresh))
    why = tuple(Why(knob.family, knob.sentence) for knob in knobs) or by_its_look(array, here)
    return replace(group, knobs=knobs, why=why, where=observed.where(group.concerns, group.is_wrong))


def _merged(observed: Observed, group: Group, raising: Group) -> Group | None:
    """Return one group of an array that is wrong and a call that raises, if they have one cause.

    Either the mistake that explains the array leads to no result where the call raises; or only together they can be
    told from the rest, as of a file that fits one size.
    """
    if raising.where:
        return None
    (array, *_) = group.arrays
    if group.why:
        rows = [row for row in observed.rows if raising.is_wrong(row)]
        led_nowhere = all(any(knob.wrong(row.of(array)[0].trial) is None for knob in group.knobs) for row in rows)
        return replace(group, concerns=lambda row: row.kind(array) != NOT_ASKED) if led_nowhere else None
    if group.where:
        return None
    where = observed.where(lambda row: row.kind(array) != NOT_ASKED, lambda row: row.kind(array) not in OK)
    if where is None:
        return None
    arrays = (array, *(one for one in raising.arrays if one != array))
    return replace(raising, arrays=arrays, is_wrong=lambda row: row.kind(array) not in OK, where=where)


def _told_once(observed: Observed, groups: list[Group]) -> list[Group]:
    """Return the groups with those in one that have the same cause."""
    result: list[Group] = []
    y_is_wrong = [group for group in groups if group.arrays[0] == "y" and group.kind == "values"]
    for group in groups:
        array = group.arrays[0]
        same = [at for at, other in enumerate(result) if _same(other, group)]
        if same:
            result[same[0]] = replace(result[same[0]], arrays=(*result[same[0]].arrays, *group.arrays))
        elif array != "y" and group.kind == "values" and y_is_wrong and _follows_forward(observed, group):
            at = result.index(next(other for other in result if other.arrays[0] == "y" and other.kind == "values"))
            result[at] = replace(result[at], arrays=(*result[at].arrays, *group.arrays))
        else:
            result.append(group)
    return result


def _same(one: Group, other: Group) -> bool:
    """Return whether two groups have the same explanation, of different arrays, or raise at the same line."""

    def said(group: Group) -> list[str]:
        return [why.sentence.replace(group.arrays[0], "it") for why in group.why]

    if one.kind == other.kind == "raised":
        return one.line is not None and one.line == other.line
    return bool(one.why) and (one.why == other.why or (one.arrays[0] == "y" and said(one) == said(other)))


def _follows_forward(observed: Observed, group: Group) -> bool:
    """Return whether a wrong gradient is that of what forward computes, which is wrong: no mistake of its own."""
    (array, *_) = group.arrays
    rows = [row for row in observed.rows if group.is_wrong(row)][:12]
    return all(_is_gradient_of_forward(answers[array]) for row in rows for answers in row.answers[:1])


def _is_gradient_of_forward(answer: Answer) -> bool:
    """Return whether <dLdy, forward(x + v) - forward(x - v)> / 2 == <gradient, v> for the layer's own forward."""
    trial, name = answer.trial, answer.array.removeprefix("dLd")
    if answer.actual is None or answer.kind == "shape" or trial.spec.rtol:
        return False
    v = trial.whole(f"v for {name}", answer.actual.shape)
    unit = trial.unit
    change = np.zeros(trial.y.shape)
    for sign in (1.0, -1.0):
        at = {**trial.arguments, name: trial.arguments[name] + sign * unit * v}
        try:
            y = trial.layer(at).forward(at["x"])
        except PropertyFailed:
            return False
        if y.shape != change.shape:
            return False
        change = change + sign * y
    left, right = float(np.sum(trial.dLdy * change)) / (2 * unit), float(np.sum(answer.actual * v))
    return abs(left - right) <= trial.allowance(max(1.0, abs(left), abs(right)))


# One cause


def _cause(observed: Observed, group: Group, seed: int) -> Cause:
    """Return the cause of a group, with its smallest case."""
    spec, array = observed.spec, group.arrays[0]
    concerned = [row for row in observed.rows if group.concerns(row)]
    wrong = [row for row in concerned if group.is_wrong(row)]
    property_name = "forward_matches_reference" if array == "y" else of_gradients(spec).__name__
    item = Asking(_asking(group, array), "required", _cases(spec))
    outcome = search(spec, item, quiet(100), seed)
    if outcome.failure is None:
        smallest = min(wrong, key=lambda row: _size(row.case)).case
        outcome.fail(spec, item, smallest)
    failure = outcome.failure
    assert failure is not None
    kind, also = group.kind, group.arrays[1:]
    sentence = failure.message()
    if kind == "raised" and group.where is None and len(wrong) == len(concerned):
        sentence = _always(sentence)
    of_a_call = failure.kind in NO_ARRAY and array != "y"
    return Cause(
        array=None if of_a_call else array,
        kind="raised" if failure.kind in NO_ARRAY else failure.kind,
        property_name=property_name,
        message=sentence,
        also=() if of_a_call else also,
        why=group.why,
        where=group.where,
        line=failure.line,
        wrong=len(wrong),
        asked=len(concerned),
        counterexample=Counterexample.of(outcome.case, outcome.script) if outcome.case else None,
        entries=failure.entries,
        compared=failure.compared,
    )


def _always(sentence: str) -> str:
    return sentence


def _asking(group: Group, array: str) -> Callable[[Trial], None]:
    """Return the property that an array is right, which fails where this group is wrong."""

    def is_right(trial: Trial) -> None:
        answers = ask(trial)
        if not group.is_wrong(Row(trial.case, (answers,))):
            return
        tell(answers[array])

    return is_right


def _cases(spec: LayerSpec) -> SearchStrategy[Case]:
    return spec.cases if spec.usual is None else spec.cases | spec.usual


def _failure(row: Row, array: str) -> PropertyFailed | None:
    return next((answer.failure for answer in row.of(array) if answer.kind in NO_ARRAY), None)


def _outcome(row: Row) -> str:
    """Return what became of a case: whether a call raised, an array is wrong, or all is right."""
    kinds = {row.kind(array) for array in row.answers[0]}
    return RAISES if kinds & set(NO_ARRAY) else WRONG if kinds - set(OK) else RIGHT


def _key(failure: PropertyFailed) -> Line:
    return failure.kind, failure.error, failure.line


def _size(case: Case) -> int:
    return sum(array.size for array in case.arrays.values())


# Ties

TIES = "dLdx at ties"
"""Mistakes of this array are looked for where entries of x are equal; there is more than one right answer."""


def why_at_ties(spec: LayerSpec) -> tuple[Why, ...]:
    """Return what explains gradients at ties, of a layer that is right elsewhere."""

    def answers(seed: int) -> list[Answer]:
        found = []
        for case in sample(spec.cases, 2 * DRAWN, seed):
            trial = Trial(spec, case)
            try:
                actual = trial.layer().backprop(trial.x, trial.dLdy)["x"]
            except PropertyFailed:
                continue
            right = trial.right["x"]
            kind = "right" if np.array_equal(actual, right) else "values"
            found.append(Answer(trial, TIES, kind, right, actual))
        return found

    return tuple(Why(knob.family, knob.sentence) for knob in explain(spec, TIES, answers(0), lambda: answers(1)))
