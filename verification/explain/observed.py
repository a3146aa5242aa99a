"""The cases on which a layer was asked: those that suggest an explanation, and fresh ones that have to bear it out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice

from verification.case import Case
from verification.drawing import sample
from verification.explain.grid import RAISES, RIGHT, WRONG, Grid, axes_of, grid
from verification.explain.where import Where, holds_at, separate, sizes_of
from verification.failure import NO_ARRAY
from verification.observe import NOT_ASKED, Row, observe
from verification.spec import LayerSpec

DRAWN, USUAL = 50, 40
"""Cases that are observed: anything small, and near what people use."""

MANY, NEAR = 6, 25
"""So many times as many are drawn to confirm conditions, of which so many on either side are asked."""

LARGE = 2500
"""Entries of a case above which it is left out: right answers entry by entry cost too much."""

TRIES = 12
"""Ways to separate that are held against fresh rows; the exceptions to one are among the rows that suggest the next."""

OK = ("right", NOT_ASKED)

Choice = Callable[[Row], bool]


class Observed:
    """The rows of a layer; and fresh ones, asked for when something is to be confirmed."""

    def __init__(self, spec: LayerSpec) -> None:
        self.spec = spec
        self._sizes: dict[Case, Mapping[str, int]] = {}
        self._rows: dict[Case, Row] = {}  # of the many cases, those that were asked for

    @cached_property
    def rows(self) -> list[Row]:
        """Rows of the cases that suggest what is wrong."""
        return observe(self.spec, self._cases(0, 1))

    @cached_property
    def fresh(self) -> list[Row]:
        """Rows of cases that did not suggest anything."""
        return observe(self.spec, self._cases(1, 1))

    def cases_at(self, limits: Sequence[Where]) -> list[Case]:
        """Return cases of sizes at which something is right, by all of these."""
        many = (case for case in self._many if all(limit.is_right_at(self._sizes_of(case)) for limit in limits))
        return list(islice(many, NEAR))

    def ask_more(self, where: Where) -> None:
        """Ask more cases of sizes at which something is right: what else is wrong comes to light there."""
        self.rows += map(self._row, self.cases_at([where]))

    def more(self) -> Iterator[Row]:
        """Yield rows of further cases, as long as they are asked for."""
        yield from map(self._row, self._many)

    def _cases(self, seed: int, times: int) -> list[Case]:
        cases = [*sample(self.spec.cases, times * DRAWN, 2 * seed)]
        if self.spec.usual is not None:
            cases += sample(self.spec.usual, times * USUAL, 2 * seed + 1)
        cases = [case for case in cases if case.seed > 1 and entries_of(case) <= LARGE]
        return [case for case in cases if all(array.any() for array in case.arrays.values())]

    @cached_property
    def _many(self) -> list[Case]:
        return self._cases(2, MANY)

    def _row(self, case: Case) -> Row:
        if case not in self._rows:
            (self._rows[case],) = observe(self.spec, [case])
        return self._rows[case]

    def sizes(self, row: Row) -> Mapping[str, int]:
        """Return the sizes of a row by name."""
        return self._sizes_of(row.case)

    def _sizes_of(self, case: Case) -> Mapping[str, int]:
        if case not in self._sizes:
            self._sizes[case] = sizes_of(self.spec, case)
        return self._sizes[case]

    def where(self, array: str, concerns: Choice, is_wrong: Choice) -> Where | None:
        """Return what separates the rows with a wrong array from the others that it concerns, on fresh rows too."""
        rows = [row for row in self.rows if concerns(row)]
        for _ in range(TRIES):
            where = separate([self.sizes(row) for row in rows], [is_wrong(row) for row in rows])
            if where is None:
                return None
            more = []
            for row in filter(concerns, chain(self.fresh, self._near(where))):
                more.append(row)
                if where.is_right_at(self.sizes(row)) == is_wrong(row):
                    rows.append(row)
                    break
            else:
                wrong = [row for row in (*rows, *more) if is_wrong(row)]
                sometimes = any(answer.kind == "right" for row in wrong for answer in row.of(array))
                if sometimes and not where.right and len(where.conditions) > 1:
                    return None  # a row that is right by chance asks for a condition that has nothing to do with it
                both = len(set(map(is_wrong, more))) == 2
                return replace(where, sometimes=sometimes) if both else None
        return None

    def _near(self, where: Where) -> Iterator[Row]:
        """Yield rows of both sides of conditions, of sizes as different as there are: first those that nearly hold."""

        def missed(case: Case) -> int:
            sizes = self._sizes_of(case)
            return sum(not holds_at(sizes, condition) for condition in where.conditions)

        different = {tuple(self._sizes_of(case).values()): case for case in self._many}.values()
        by_size = sorted(different, key=entries_of)  # a mistake that shows nowhere else may not show on a small case
        inside = [case for case in by_size if not missed(case)]
        outside = sorted((case for case in by_size if missed(case)), key=missed)
        for side in (inside, outside):
            yield from map(self._row, [*side[:NEAR], *side[NEAR :: 1 + len(side) // NEAR]])

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


def entries_of(case: Case) -> int:
    """Return the number of entries of all arrays of a case."""
    return sum(array.size for array in case.arrays.values())


def _outcome(row: Row) -> str:
    """Return what became of a case: whether a call raised, an array is wrong, or all is right."""
    kinds = {row.kind(array) for array in row.answers[0]}
    return RAISES if kinds & set(NO_ARRAY) else WRONG if kinds - set(OK) else RIGHT
