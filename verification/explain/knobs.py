"""Knobs: what a layer may do otherwise than it should. All at rest give the right answer; a mistake is a knob turned.

A knob turns what a layer computes from (the upstream gradient, the parameters), the formula itself, or its result; so
two knobs can be turned at once. Two knobs of one formula can be, too, if they turn different parts of it. The knobs of
every layer are in general.py; a spec adds those of its own kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

from verification.case import Array

if TYPE_CHECKING:
    from verification.trial import Trial

Wrong = Callable[["Trial"], Array | None]
Inputs = Callable[["Trial"], Mapping[str, Any] | None]
Output = Callable[[Array, "Trial"], Array | None]
Formula = Callable[..., Array | None]


@dataclass(frozen=True, eq=False)
class Mistake:
    """A knob that turns the formula of one array.

    family      the kind of mistake, as "filter-not-flipped"
    array       what it spoils: "y", or "dLdx", "dLdW", ... of a gradient
    sentence    what is said of a layer that makes it, and how to mend it
    wrong       called with a trial, returns the wrong array that the mistake gives; None where it does
                not apply, as to a case in which it would change nothing
    rare        whether it is looked for by itself, and together with a change of the result only
    """

    family: str
    array: str
    sentence: str
    wrong: Wrong
    rare: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, eq=False)
class InputKnob(Mistake):
    """A knob that turns what the layer computes from: `turn` returns other arrays by name, or None."""

    turn: Inputs = lambda _trial: None

    def before(self, trial: "Trial") -> "Trial | None":
        """Return the trial that the layer computes from."""
        turned = self.turn(trial)
        return None if turned is None else with_inputs(trial, turned)


@dataclass(frozen=True, eq=False)
class FormulaKnob(Mistake):
    """A knob that turns parts of a formula: `formula` is called with the trial, and with these by name.

    It returns None where it leads nowhere, so that the layer has to raise. Where it may, as with a window that reaches
    beyond x, it does so if it is called with strict=True, of formulas that take that.
    """

    formula: Formula = lambda _trial: None
    parts: Mapping[str, Any] = field(default_factory=dict)

    def joins(self, other: Mistake) -> bool:
        """Return whether another knob turns other parts of the same formula."""
        return (
            isinstance(other, FormulaKnob)
            and self.formula is other.formula
            and not self.parts.keys() & other.parts.keys()
        )


@dataclass(frozen=True, eq=False)
class OutputKnob(Mistake):
    """A knob that turns the result: `turn` is called with the result and the trial."""

    turn: Output = lambda _result, _trial: None

    def after(self, result: Array, trial: "Trial") -> Array | None:
        """Return what becomes of a result."""
        return self.turn(result, trial)


@dataclass(frozen=True, eq=False)
class FittedKnob(OutputKnob):
    """A knob of the result with a number in it, which one wrong answer suggests and all have to bear out.

    fit      called with the result, what the layer gave, and the trial; returns the number, or None
    turned   called with the number, the result and the trial
    The sentence has {} for the number.
    """

    fit: Callable[[Array, Array, "Trial"], float | None] = lambda _result, _actual, _trial: None
    turned: Callable[[float, Array, "Trial"], Array | None] = lambda _number, _result, _trial: None

    def fitted(self, result: Array | None, actual: Array, trial: "Trial") -> OutputKnob | None:
        """Return the knob with the number that makes the result what the layer gave."""
        if result is None or result.shape != actual.shape:
            return None
        number = self.fit(result, actual, trial)
        if number is None or not isfinite(number):
            return None
        said = self.sentence.format(f"{number:.6g}")
        return output_knob(self.family, self.array, said, partial(self.turned, float(f"{number:.12g}")))


def input_knob(family: str, array: str, sentence: str, turn: Inputs, rare: bool = False) -> InputKnob:
    """Return a knob that turns what the layer computes from."""

    def wrong(trial: "Trial") -> Array | None:
        turned = turn(trial)
        return None if turned is None else right(with_inputs(trial, turned), array)

    return InputKnob(family, array, sentence, wrong, turn, rare=rare)


def formula_knob(family: str, array: str, sentence: str, formula: Formula, **parts: Any) -> FormulaKnob:
    """Return a knob that turns these parts of a formula."""
    return FormulaKnob(family, array, sentence, lambda trial: formula(trial, **parts), formula, parts)


def output_knob(family: str, array: str, sentence: str, turn: Output, rare: bool = False) -> OutputKnob:
    """Return a knob that turns the result."""
    return OutputKnob(family, array, sentence, lambda trial: turn(right(trial, array), trial), turn, rare=rare)


def with_inputs(trial: "Trial", turned: Mapping[str, Any]) -> "Trial":
    """Return the trial with other arrays of these names."""
    case: Any = trial.case
    return type(trial)(trial.spec, replace(case, arrays={**trial.arguments, "dLdy": trial.dLdy, **turned}))


def right(trial: "Trial", array: str) -> Array:
    """Return the right y or gradient of a trial."""
    return trial.y if array == "y" else trial.right[array.removeprefix("dLd")]
