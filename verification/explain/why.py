"""Finds the knobs that are turned: at most two, that predict what a layer gave for an array, exactly and everywhere.

A setting of the knobs explains an array if it gives what the layer gave for every case on which the layer gave
anything, those included on which the layer is right. Nothing is claimed otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from inspect import signature
from itertools import islice, permutations
from typing import Any

import numpy as np

from verification.case import Array, are_numbers_of
from verification.explain.general import general_mistakes
from verification.explain.knobs import FittedKnob, FormulaKnob, InputKnob, Mistake, OutputKnob, right
from verification.observe import Answer
from verification.spec import LayerSpec
from verification.trial import Trial

FEWEST = 3
"""Wrong answers from which on an explanation is looked for."""

FRESH, MOST_FRESH = 30, 300
"""Answers to cases that did not suggest an explanation, that it has to predict too; and the most of one lot."""

SUGGESTING = 4
"""Wrong answers of which one may suggest the number of a mistake that has one; others may be zeros."""

TELLING = 40
"""Entries of an array that tells much and is predicted quickly."""


@dataclass(frozen=True)
class Why:
    """A knob that is turned: the kind of mistake, and what is said of it."""

    family: str
    sentence: str

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {"family": self.family, "sentence": self.sentence}


def explain(
    spec: LayerSpec, array: str, answers: Sequence[Answer], fresh: Iterable[Iterable[Answer]]
) -> tuple[Mistake, ...]:
    """Return the knobs that explain an array, or nothing; `fresh` gives answers to other cases, a lot at a time."""
    given = [answer for answer in answers if answer.actual is not None]
    wrong = [answer for answer in given if answer.kind != "right"]
    if len(wrong) < FEWEST:
        return ()
    # What tells most comes first: an answer that is wrong and neither small nor slow to predict.
    wrong.sort(key=lambda answer: abs(answer.right.size - TELLING))
    ordered = [*wrong, *(answer for answer in given if answer.kind == "right")]
    confirming: list[Answer] = []
    lots = iter(fresh)
    for turned in _settings(spec, array):
        setting = _fitted(turned, wrong[:SUGGESTING])
        if setting and all(answer.is_like(predicted(setting, answer)) for answer in ordered):
            while len(confirming) < FRESH and (lot := next(lots, None)) is not None:
                confirming += islice((answer for answer in lot if answer.actual is not None), MOST_FRESH)
            if len(confirming) >= FRESH and all(answer.is_like(predicted(setting, answer)) for answer in confirming):
                return setting
    return ()


def _fitted(setting: tuple[Mistake, ...], answers: Sequence[Answer]) -> tuple[Mistake, ...]:
    """Return the setting with the number that the first answer suggests that does; nothing if none does."""
    *first, last = setting
    if not isinstance(last, FittedKnob):
        return setting
    with np.errstate(all="ignore"):
        for answer in answers:
            assert answer.actual is not None
            result = predicted(first, answer) if first else answer.right
            if knob := last.fitted(result, answer.actual, answer.trial):
                return (*first, knob)
    return ()


def predicted(setting: Sequence[Mistake], answer: Answer) -> Array | None:
    """Return what a layer gives where these knobs are turned, the first one first; None where they lead nowhere."""
    with np.errstate(all="ignore"):
        try:
            return _predicted(setting, answer)
        except (ValueError, IndexError):  # a reference that cannot be computed from what a knob makes of its inputs
            return None


def _predicted(setting: Sequence[Mistake], answer: Answer) -> Array | None:
    if len(setting) == 2 and all(isinstance(knob, FormulaKnob) for knob in setting):
        return _formula(setting)(answer.trial)
    state = _first_turned(setting[0], answer)
    for knob in setting[1:]:
        state = None if state is None else _turned(knob, answer, *state)
    if state is None:
        return None
    trial, result = state
    return _right(answer, trial) if result is None else result


@lru_cache(maxsize=1)  # settings that begin with one knob follow each other, and most of them fail on the same answer
def _first_turned(knob: Mistake, answer: Answer) -> tuple[Trial, Array | None] | None:
    return _turned(knob, answer, answer.trial, None)


def _turned(knob: Mistake, answer: Answer, trial: Trial, result: Array | None) -> tuple[Trial, Array | None] | None:
    """Return what the layer computes from, and its result if there is one, where this knob is turned too."""
    if isinstance(knob, InputKnob):
        return knob.before(trial) or trial, result
    if isinstance(knob, OutputKnob):
        before = _right(answer, trial) if result is None else result
        after = knob.after(before, trial)
        return trial, before if after is None else after
    result = knob.wrong(trial)
    if result is None and isinstance(knob, FormulaKnob):
        return None
    return trial, result


def leads_nowhere(setting: Sequence[Mistake], answer: Answer) -> bool:
    """Return whether a layer with these mistakes may give no array here, as where it reads beyond one."""
    with np.errstate(all="ignore"):
        trial = answer.trial
        for knob in setting:
            if isinstance(knob, InputKnob):
                trial = knob.before(trial) or trial
        if not any(isinstance(knob, FormulaKnob) for knob in setting):
            return False
        formula = _formula(setting)
        strict = {"strict": True} if "strict" in signature(formula).parameters else {}
        return formula(trial, **strict) is None


def _formula(setting: Sequence[Mistake]) -> Callable[..., Array | None]:
    """Return the formula that all these knobs turn parts of, with these turned."""
    knobs = [knob for knob in setting if isinstance(knob, FormulaKnob)]
    return partial(knobs[0].formula, **{name: part for knob in knobs for name, part in knob.parts.items()})


def _right(answer: Answer, trial: Trial) -> Array:
    """Return the right array for what the layer computes from."""
    return answer.right if trial is answer.trial else right(trial, answer.array)


def _settings(spec: LayerSpec, array: str) -> Iterator[tuple[Mistake, ...]]:
    """Yield the ways to turn one knob, then two: inputs before the formula, and that before results."""
    knobs = [knob for knob in (*spec.mistakes, *general_mistakes(spec)) if knob.array == array]
    yield from ((knob,) for knob in knobs)
    if spec.gradient is None:  # right answers cost too much
        return
    for (at, first), (after, second) in permutations(enumerate(knobs), 2):
        if (_stage(first), at) < (_stage(second), after) and _join(first, second):
            yield first, second


def _join(first: Mistake, second: Mistake) -> bool:
    """Return whether two mistakes are likely enough to be made at once."""
    if isinstance(first, FittedKnob):
        return False
    if _stage(first) == _stage(second) == 1 and not (isinstance(first, FormulaKnob) and first.joins(second)):
        return False
    return not (first.rare or second.rare) or (isinstance(second, OutputKnob) and not (first.rare and second.rare))


def _stage(knob: Mistake) -> int:
    return 0 if isinstance(knob, InputKnob) else 2 if isinstance(knob, OutputKnob) else 1


def by_its_look(array: str, answers: Sequence[Answer]) -> tuple[Why, ...]:
    """Return what the wrong answers have in common by themselves, where no knob explains them."""
    wrong = [answer for answer in answers if answer.actual is not None and answer.kind != "right"]
    if len(wrong) < FEWEST:
        return ()
    if all(map(_partly_written, wrong)):
        return (Why("uninitialised", f"entries of {array} are not numbers: some are never written"),)
    if place := _one_entry(wrong):
        return (Why("single-entry", f"only the {place} entry of {array} is wrong, in every case"),)
    if said := _rescaled(wrong, [answer for answer in answers if answer.kind == "right"]):
        return (Why("upstream-nonlinear", f"{array} is {said}"),)
    if wrong[0].trial.spec.dtype == np.float64 and all(map(_slightly_off, wrong)):
        return (Why("float32-inside", f"{array} is off by what float32 rounds away: keep to float64 throughout"),)
    return ()


def _partly_written(answer: Answer) -> bool:
    """Return whether what is wrong is not finite, and the rest is right."""
    if answer.actual is None or answer.actual.shape != answer.right.shape:
        return False
    finite = np.isfinite(answer.actual)
    mended = replace(answer, actual=np.where(finite, answer.actual, answer.right))
    return bool(finite.any() and not finite.all() and mended.is_like(answer.right))


def _one_entry(wrong: Sequence[Answer]) -> str:
    """Return "first" or "last" if nothing but that entry is wrong in any of these answers."""
    for name, place in (("first", 0), ("last", -1)):
        rest = [answer.right.copy() for answer in wrong]
        for predicted, answer in zip(rest, wrong, strict=True):
            if answer.actual is not None and answer.actual.shape == predicted.shape:
                predicted.flat[place] = answer.actual.flat[place]
        explained = all(answer.is_like(predicted) for answer, predicted in zip(wrong, rest, strict=True))
        if explained and max(predicted.size for predicted in rest) > 1:
            return name
    return ""


def _rescaled(wrong: Sequence[Answer], right: Sequence[Answer]) -> str:
    """Return by what each answer is the right one divided, if the size of dLdy or of the answer is that."""
    factors = [_factor(answer) for answer in wrong]
    known = [(factor, answer) for factor, answer in zip(factors, wrong, strict=True) if factor is not None]
    told = sum(np.count_nonzero(answer.right) > 1 for _, answer in known)
    if len(known) < len(wrong) or told < FEWEST or wrong[0].array == "y":
        return ""
    for name in ("dLdy", wrong[0].array):
        for size, words in ((np.linalg.norm, "norm"), (lambda a: abs(a).max(initial=0), "largest absolute value"),
                            (lambda a: abs(a).sum(), "sum of absolute values")):  # fmt: skip
            of = partial(_size, size, name)
            products = np.array([of(answer) * factor for factor, answer in known])
            to = float(products[0])
            if np.ptp(products) > 1e-4 * abs(products).max():
                continue
            off, fine = ([of(answer) for answer in some if answer.right.any()] for some in (wrong, right))
            if max(fine, default=0) <= to * (1 + 1e-4) and min(off) > to:
                what = "" if name == wrong[0].array else f"computed with {name} "
                return f"{what}scaled down to a {words} of {to:.4g}: a gradient is linear in dLdy"
            if not fine:
                limited = "" if abs(to - 1) < 1e-4 else f", times {to:.4g}"
                return f"computed with {name} divided by its {words}{limited}: a gradient is linear in dLdy"
    return ""


def _size(size: Callable[[Array], Any], name: str, answer: Answer) -> float:
    return float(size(answer.trial.dLdy.ravel() if name == "dLdy" else answer.right.ravel()))


def _factor(answer: Answer) -> float | None:
    """Return what the right answer is multiplied by, if the answer is that."""
    actual, right = answer.actual, answer.right
    if actual is None or actual.shape != right.shape or not right.any():
        return None
    at = np.unravel_index(np.argmax(abs(right)), right.shape)
    factor = float(actual[at] / right[at])
    return factor if factor > 0 and answer.is_like(factor * right) else None


def _slightly_off(answer: Answer) -> bool:
    if answer.actual is None or answer.actual.shape != answer.right.shape:
        return False
    slight = (abs(answer.actual - answer.right) <= 1e-5 * np.max(abs(answer.right))).all()
    return bool(slight and are_numbers_of(np.float32, answer.actual).all())
