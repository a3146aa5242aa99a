"""Groups rows that are wrong in the same way: a call that raises, or an array that is given and wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from verification.construction import method_misfit
from verification.explain.knobs import Mistake
from verification.explain.observed import Choice, Observed
from verification.explain.where import Where
from verification.explain.why import Why, by_its_look, explain
from verification.failure import PropertyFailed
from verification.observe import NOT_ASKED, Answer, Row, failure_of

End = tuple[str, str, int | None]
"""How a call ends without an array: raised or form, the type of the error, and the line."""


@dataclass(frozen=True, eq=False)
class Group:
    """Rows that are wrong in the same way: one array, or a call that raises or returns no array.

    arrays    the arrays that are wrong, the first of them in front
    concerns  which rows say something of it, of which those are wrong that `is_wrong`
    knobs     those that explain it
    lines     of the layer at which the call raises
    """

    arrays: tuple[str, ...]
    is_wrong: Choice
    concerns: Choice
    kind: str
    knobs: tuple[Mistake, ...] = ()
    why: tuple[Why, ...] = ()
    where: Where | None = None
    lines: frozenset[int | None] = frozenset()

    @property
    def array(self) -> str:
        """The first array that is wrong."""
        return self.arrays[0]


# A call that raises


def of_a_call(observed: Observed, arrays: tuple[str, ...]) -> list[Group]:
    """Return the groups of rows on which the call that gives these arrays gives none: one, or one for each line."""
    first = arrays[0]
    ends = dict.fromkeys(_end(failure) for row in observed.rows if (failure := failure_of(row, first)))
    if not ends:
        return []
    whole = replace(_that_ends(arrays), lines=frozenset(line for _, _, line in ends))
    if why := _not_called(observed, arrays):
        return [replace(whole, why=why)]
    elsewhere_wrong = any(row.kind(first) != "right" for row in observed.rows if not whole.is_wrong(row))
    if first == "y" and elsewhere_wrong:
        return [whole]  # where it raises says nothing of where y is right
    if where := observed.where(whole.array, whole.concerns, whole.is_wrong):
        return [replace(whole, where=where)]
    if len(ends) == 1 or all(map(whole.is_wrong, filter(whole.concerns, observed.rows))):
        return [whole]
    parts = [_that_ends(arrays, end) for end in ends]
    parts = [replace(part, where=observed.where(part.array, part.concerns, part.is_wrong)) for part in parts]
    return parts if all(part.where for part in parts) else [whole]


def _that_ends(arrays: tuple[str, ...], end: End | None = None) -> Group:
    """Return the group of rows on which a call gives no array; of those alone that end in one way, if it is given."""

    def ends(row: Row) -> bool:
        failure = failure_of(row, arrays[0])
        return failure is not None and end in (None, _end(failure))

    def concerned(row: Row) -> bool:
        return row.kind(arrays[0]) != NOT_ASKED and (ends(row) or failure_of(row, arrays[0]) is None or end is None)

    return Group(arrays, ends, concerned, "raised", lines=frozenset({end[2]} if end else ()))


def _end(failure: PropertyFailed) -> End:
    return failure.kind, failure.error, failure.line


def _not_called(observed: Observed, arrays: tuple[str, ...]) -> tuple[Why, ...]:
    """Return that a method takes other arguments, or is not written yet, if it never gives an array for that reason."""
    spec = observed.spec
    ends = [failure_of(row, arrays[0]) for row in observed.rows if row.kind(arrays[0]) != NOT_ASKED]
    if arrays != ("y",) and all(ends) and (said := method_misfit(spec.make, "backprop", spec.of_backprop)):
        return (Why("other-convention", said),)
    if all(end and (end.error == "NotImplementedError" or end.kind == "nothing") for end in ends):
        return (Why("unfinished", f"{'forward' if arrays == ('y',) else 'backprop'} is not written yet"),)
    return ()


# An array that is wrong


def of_an_array(observed: Observed, array: str) -> Iterator[Group]:
    """Yield the groups of rows on which an array is given and wrong: one, or one of shapes and one of values."""

    def given(row: Row) -> bool:
        return failure_of(row, array) is None and row.kind(array) != NOT_ASKED

    def wrong(row: Row) -> bool:
        return given(row) and row.kind(array) != "right"

    def wrong_shape(row: Row) -> bool:
        return given(row) and any(answer.kind == "shape" for answer in row.of(array))

    kinds = {wrong_shape(row) for row in observed.rows if wrong(row)}
    if not kinds:
        return
    group = _known(observed, Group((array,), wrong, given, "shape" if kinds == {True} else "values"))
    if len(kinds) == 2 and not group.why and not group.where:
        shapes = Group((array,), wrong_shape, given, "shape")
        values = Group(
            (array,), lambda row: wrong(row) and not wrong_shape(row), lambda row: given(row) and not wrong_shape(row),
            "values",
        )  # fmt: skip
        parts = [_known(observed, values), _known(observed, shapes)]
        if all(part.why or part.where for part in parts):
            yield from parts
            return
    yield group


def _known(observed: Observed, group: Group) -> Group:
    """Return the group with why and where, if they can be found."""

    def answers(rows: Iterable[Row]) -> Iterator[Answer]:
        return (answer for row in rows if group.concerns(row) for answer in row.of(group.array))

    here = list(answers(observed.rows))
    fresh = (answers(rows()) for rows in (lambda: observed.fresh, observed.more))
    knobs = explain(observed.spec, group.array, here, fresh)
    why = tuple(Why(knob.family, knob.sentence) for knob in knobs) or by_its_look(group.array, here)
    return replace(group, knobs=knobs, why=why, where=observed.where(group.array, group.concerns, group.is_wrong))
