"""Says which known mistake a failing layer makes, where exactly one or a few explain all that it gets wrong.

The layer is asked for y and the gradients of some drawn cases. A mistake explains a wrong array if it predicts
what the layer gave on every case, those included on which the layer is right. Otherwise nothing is claimed.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from verification.case import Array, Case
from verification.conditions import DRAWN, Separation, separation
from verification.drawing import sample
from verification.explain.knobs import Mistake, general_mistakes
from verification.failure import PropertyFailed
from verification.properties import Collected
from verification.search import UNSTEADY
from verification.spec import LayerSpec
from verification.trial import ROUNDING, Trial

LARGE = 400
"""Entries of a case above which it is left out: right answers entry by entry cost too much."""


@dataclass(frozen=True)
class Diagnosis:
    """A mistake that explains what a layer gets wrong."""

    family: str
    sentence: str

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {"family": self.family, "sentence": self.sentence}


@dataclass(frozen=True)
class Finding:
    """What is found of one failing property: the mistakes that explain it, and where it fails, if either is known."""

    diagnoses: tuple[Diagnosis, ...] = ()
    where: Separation | None = None


NOTHING = Finding()


@dataclass(frozen=True)
class Answer:
    """What the layer gave for one array of one case, or why it gave nothing, and what is right."""

    trial: Trial
    actual: Array | None
    right: Array
    error: str = ""

    def is_like(self, predicted: Array | None) -> bool:
        """Return whether the layer gave this, as exactly as the spec says."""
        if predicted is None or self.actual is None or self.actual.shape != predicted.shape:
            return False
        allowed = (self.trial.spec.rtol or ROUNDING) * max(1.0, float(np.max(abs(predicted), initial=0.0)))
        return bool((abs(self.actual - predicted) <= allowed).all())


Answers = dict[str, list[Answer]]

TIES = "dLdx at ties"
"""Mistakes of this array are looked for where entries of x are equal; there is more than one right answer."""


def diagnose(spec: LayerSpec, items: Sequence[Collected], failures: Sequence[PropertyFailed]) -> list[Finding]:
    """Return what is found of each of these failures, each of the property beside it."""
    draw = cache(partial(drawn, spec.cases))
    answers = observe(spec, draw(DRAWN, 0))
    found = {array: list(explain(spec, array, given)) for array, given in answers.items()}
    wrong = {
        array
        for array, given in answers.items()
        if array != TIES and not all(answer.is_like(answer.right) for answer in given)
    }
    answered = any(answer.actual is not None for answer in answers["y"])
    trials = [answer.trial for answer in answers["y"][:5]]
    result: list[Finding] = []
    for item, failure in zip(items, failures, strict=True):
        where = None
        if answered and item.cases is spec.cases:
            where = separation(spec, item, draw, dict.fromkeys(one.where for one in result if one.where))
        result.append(Finding(tuple(_of_one(item, failure, found, wrong, where, trials)), where))
    return result


def drawn(cases: SearchStrategy[Case], count: int, seed: int) -> list[Case]:
    """Return cases with random values, none of them all zeros, the same every time."""
    found = sample(cases, count, seed)
    return [case for case in found if case.seed > 1 and all(array.any() for array in case.arrays.values())]


def observe(spec: LayerSpec, cases: Iterable[Case]) -> Answers:
    """Ask the layer for y and its gradients, where they are smooth, and set what is right beside them."""
    answers: Answers = {array: [] for array in ("y", *(f"dLd{name}" for name in spec.gradients))}
    kinks_in_x = spec.piecewise_linear and "x" in spec.gradients
    answers |= {TIES: []} if kinks_in_x else {}
    for case in cases:
        if sum(array.size for array in case.arrays.values()) > LARGE:
            continue
        if kinks_in_x:
            trial = Trial(spec, case)
            answers[TIES].append(Answer(trial, _asked(trial)[1].get("x"), trial.right["x"]))
            # away from the kinks
            case = replace(case, arrays={**case.arrays, "x": trial.smooth_arguments(far=False)["x"]})
        trial = Trial(spec, case)
        y, gradients, error = _asked(trial)
        answers["y"].append(Answer(trial, y, trial.y, error))
        for name in spec.gradients:
            answers[f"dLd{name}"].append(Answer(trial, gradients.get(name), trial.right[name], error))
    return answers


def _asked(trial: Trial) -> tuple[Array | None, dict[str, Array], str]:
    """Return y, the gradients by argument, and what was wrong with a call that gave nothing."""
    y = None
    try:
        layer = trial.layer()
        y = layer.forward(trial.x)
        return y, layer.backprop(trial.x, trial.dLdy), ""
    except PropertyFailed as failure:
        return y, {}, failure.sentence


def explain(spec: LayerSpec, array: str, answers: list[Answer]) -> Iterator[Diagnosis]:
    """Yield the mistakes that predict every one of these answers; none if all are right or too few are wrong."""
    wrong = [answer for answer in answers if not answer.is_like(answer.right)]
    if len(wrong) < 3:
        return
    rest = [answer for answer in answers if answer.is_like(answer.right)]
    seen = set()
    for mistake in (*spec.mistakes, *general_mistakes(spec)):
        if mistake.array == array and mistake.family not in seen and _fits(mistake, wrong, rest):
            seen.add(mistake.family)
            yield Diagnosis(mistake.family, mistake.sentence)
    if seen:
        return
    if all(answer.actual is None for answer in answers):
        if UNFINISHED.search(answers[0].error):
            yield Diagnosis("unfinished", answers[0].error)
    elif all(answer.actual is not None and answer.actual.shape != answer.right.shape for answer in wrong):
        yield Diagnosis("wrong-shape", f"{array} comes in another shape than it should have: {_shapes(wrong[0])}")
    elif all(_partly_written(answer) for answer in wrong):
        yield Diagnosis("uninitialised", f"entries of {array} are not numbers: some are never written")
    elif place := _one_entry(wrong):
        yield Diagnosis("single-entry", f"only the {place} entry of {array} is wrong, in every case")
    elif all(_slightly_off(answer) for answer in wrong):
        yield Diagnosis("float32-inside", f"{array} is off by what float32 rounds away: keep to float64 throughout")
    elif factor := _factor(wrong, rest):
        yield Diagnosis("scaled", f"{array} is {factor} times what it should be")


def _fits(mistake: Mistake, wrong: list[Answer], rest: list[Answer]) -> bool:
    """Return whether the mistake predicts every wrong answer and, where it applies, every right one."""

    def predicted(answer: Answer) -> Array | None:
        with np.errstate(all="ignore"):
            return mistake.wrong(answer.trial)

    given = [answer for answer in wrong if answer.actual is not None]
    raised = [answer for answer in wrong if answer.actual is None]
    if len(given) < 3 or not all(answer.is_like(predicted(answer)) for answer in given):
        return False
    if not all(predicted(answer) is None for answer in raised):
        return False
    return all(
        prediction is None or answer.is_like(prediction) for answer in rest for prediction in [predicted(answer)]
    )


UNFINISHED = re.compile(r" (returned|raised NotImplementedError)\b")


def _shapes(answer: Answer) -> str:
    assert answer.actual is not None
    return f"{answer.actual.shape} where {answer.right.shape} is right"


def _partly_written(answer: Answer) -> bool:
    """Return whether what is wrong is not finite, and the rest is right."""
    if answer.actual is None or answer.actual.shape != answer.right.shape:
        return False
    finite = np.isfinite(answer.actual)
    mended = replace(answer, actual=np.where(finite, answer.actual, answer.right))
    return bool(finite.any() and not finite.all() and mended.is_like(answer.right))


def _one_entry(wrong: list[Answer]) -> str:
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


def _slightly_off(answer: Answer) -> bool:
    if answer.actual is None or answer.actual.shape != answer.right.shape:
        return False
    slight = (abs(answer.actual - answer.right) <= 1e-5 * np.max(abs(answer.right))).all()
    return bool(slight and np.array_equal(answer.actual, answer.actual.astype(np.float32)))


def _factor(wrong: list[Answer], rest: list[Answer]) -> str:
    """Return in words by which factor all answers are scaled, or nothing."""
    factors = []
    for answer in wrong:
        if answer.actual is None or answer.actual.shape != answer.right.shape or not answer.right.any():
            return ""
        factor = float(np.sum(answer.actual * answer.right) / np.sum(answer.right**2))
        if not answer.is_like(factor * answer.right) or not factor:
            return ""
        factors.append(factor)
    same = np.ptp(factors) <= 1e-9 * abs(factors[0])
    if same and all(answer.is_like(factors[0] * answer.right) for answer in rest):
        return f"{factors[0]:.6g}"
    trials = [answer.trial for answer in wrong]
    for what, quantity in QUANTITIES.items():
        if _always([quantity(trial) for trial in trials], factors):
            return what
    for name in trials[0].case.settings:
        if _always([trial.case.settings[name] for trial in trials], factors):
            return f"{name} (the constructor's argument)"
    return ""


def _always(values: list[Any], factors: list[float]) -> bool:
    return all(isinstance(value, int | float) for value in values) and np.allclose(values, factors, rtol=1e-9)


QUANTITIES: dict[str, Callable[[Trial], float]] = {
    "1 / (batch size)": lambda trial: 1 / max(1, len(trial.x)),
    "batch size": lambda trial: len(trial.x),
    "1 / (size of y)": lambda trial: 1 / trial.y.size,
    "size of y": lambda trial: trial.y.size,
    "1 / (batch size times positions in y)": lambda trial: 1 / (len(trial.x) * math.prod(trial.y.shape[2:])),
    "1 / (positions in y)": lambda trial: 1 / math.prod(trial.y.shape[2:]),
    "positions in y": lambda trial: math.prod(trial.y.shape[2:]),
    "1 / (entries of one image of y)": lambda trial: 1 / math.prod(trial.y.shape[1:]),
    "1 / (size of x)": lambda trial: 1 / trial.x.size,
    "size of x": lambda trial: trial.x.size,
    "entries of one filter": lambda trial: math.prod(trial.arguments["W"].shape[1:]) if "W" in trial.arguments else 0,
    "1 / (entries of one filter)": lambda trial: (
        1 / math.prod(trial.arguments["W"].shape[1:]) if "W" in trial.arguments else 0
    ),
    "pool size, squared": lambda trial: trial.case.settings.get("pool_size", 0) ** 2,
    "1 / (pool size, squared)": lambda trial: 1 / trial.case.settings.get("pool_size", np.inf) ** 2,
}


def _of_one(
    item: Collected, failure: PropertyFailed, found: dict[str, list[Diagnosis]], wrong: set[str],
    where: Separation | None, trials: Sequence[Trial],
) -> list[Diagnosis]:  # fmt: skip
    """Return what is found of the arrays that the failure is about; or what the property itself or the place says."""
    if failure is UNSTEADY:
        return [Diagnosis("non-deterministic", SAID["non-deterministic"])]
    named = [re.search(r"dLd\w+|\by\b", entry.array) for entry in failure.entries]
    arrays = list(dict.fromkeys(match.group() for match in named if match))
    if not set(arrays) & wrong:  # where backprop is right it is forward that is not
        arrays = sorted(wrong)
    known = list(dict.fromkeys(diagnosis for array in arrays for diagnosis in found.get(array, [])))
    if not wrong:
        known = found.get(TIES, [])
    placed = _by_place(where) if where and wrong else []
    if known:
        return placed if placed and all(diagnosis.family == "wrong-shape" for diagnosis in known) else known
    if item.name == "backprop_is_linear_in_the_upstream_gradient" and all(map(_linear_when_new, trials)):
        return [Diagnosis("keeps-state", SAID["keeps-state"])]
    family = ("" if wrong else ALONE.get(item.name, "")) or (IN_ANY_CASE.get(item.name, "") if failure.entries else "")
    if callable(family):
        family = family(failure)
    if family:
        return [Diagnosis(family, SAID[family])]
    return placed


def _linear_when_new(trial: Trial) -> bool:
    """Return whether two new layers give gradients that are linear in dLdy; what one layer gives twice may not be."""
    once, more = Answer(trial, None, trial.y), trial.layer
    try:
        gradients = more().backprop(trial.x, trial.dLdy)
        scaled = more().backprop(trial.x, np.asarray(-3 * trial.dLdy))
    except PropertyFailed:
        return False
    return all(replace(once, actual=scaled[name]).is_like(-3 * gradient) for name, gradient in gradients.items())


def _by_place(where: Separation) -> list[Diagnosis]:
    """Return what a condition under which the layer is right says of it by itself."""
    if not where.right:
        return []
    held = [condition.holds for condition in where.conditions]
    if any(re.fullmatch(r"(filter|kernel|pool|input)\w*(\[\d\])? is [2-9]", text) for text in held):
        return [Diagnosis("hard-coded-size", f"it is {where}: use the size that was asked for")]
    by_axis = [re.match(r"(\w+)\[0\] equals \1\[1\]", text) for text in held]
    if any(by_axis) or any(text.endswith("square") for text in held):
        sentence = f"it is {where}: width and height are mixed up, or one of them is used for both"
        return [Diagnosis("axes-swapped", sentence)]
    if any(re.match(r"padding.* is 0$", text) for text in held):
        return [Diagnosis("padding-ignored", f"it is {where}: padding is not taken into account")]
    if any(re.match(r"stride(?!.* is 1$)", text) for text in held):
        return [Diagnosis("hard-coded-stride", f"it is {where}: use the stride that was asked for")]
    return []


def _float32(failure: PropertyFailed) -> str:
    """Return float32-inside if all entries shown are off by a little, or a result has a smaller dtype."""
    if not failure.entries:
        return "float32-inside" if " arguments, but should be float" in failure.sentence else ""
    slight = [abs(e.actual - e.expected) <= 1e-3 * max(1.0, abs(e.expected)) for e in failure.entries]
    return "float32-inside" if all(slight) and all(np.float32(e.actual) == e.actual for e in failure.entries) else ""


def _truncated(failure: PropertyFailed) -> str:
    whole = [e.actual in (np.trunc(e.expected), np.floor(e.expected)) for e in failure.entries]
    return "integer-truncation" if whole and all(whole) else ""


def _extreme(failure: PropertyFailed) -> str:
    return "" if all(np.isfinite(e.actual) for e in failure.entries) else "overflow"


IN_ANY_CASE = {
    "backprop_is_linear_in_the_upstream_gradient": "upstream-nonlinear",
    "batch_items_are_independent": "batch-coupled",
}
"""What a property's failure means whatever else is wrong, where no mistake of the table fits."""

ALONE: dict[str, str | Callable[[PropertyFailed], str]] = {
    "arguments_are_left_alone": "mutates-argument",
    "history_is_irrelevant": "keeps-state",
    "memory_layout_is_irrelevant": "assumes-layout",
    "results_share_no_memory": "shares-memory",
    "rounding_stays_within_the_bound": _float32,
    "float32_in_stays_within_its_bound": _float32,
    "integers_count_as_real_numbers": _truncated,
    "an_empty_batch_gives_empty_results": "empty-batch",
    "bad_arguments_are_refused": lambda failure: "accepts-bad-arguments" * ("accepted" in failure.sentence),
    "extremes_come_out_right": _extreme,
    "is_exact_at_a_realistic_size": "hard-coded-size",
}
"""What a property's failure means where the layer is right on whole numbers, fresh, one call after the other."""

SAID = {
    "mutates-argument": "it writes into an array that was passed to it: work on a copy",
    "keeps-state": "it remembers something from an earlier call: use only x, dLdy and the parameters as they are now",
    "assumes-layout": "it takes an array for contiguous: use its values by index, or np.ascontiguousarray first",
    "shares-memory": "it returns a view of an argument or of a buffer that it uses again: return a copy",
    "float32-inside": "it computes in less than float64: leave out the cast",
    "integer-truncation": "fractions are cut off: results take the integer dtype of x; make them floats",
    "empty-batch": "a batch without images is not provided for",
    "accepts-bad-arguments": "the shapes of arguments are not checked",
    "overflow": "an intermediate result is not finite: it overflows, or something is divided by zero",
    "non-deterministic": "the same calls give other results: it draws random numbers, or shares state",
    "batch-coupled": "what one image gives depends on the other images of the batch",
    "upstream-nonlinear": "the gradient is not linear in dLdy: dLdy may only be multiplied and added up",
    "hard-coded-size": "it is right on small cases and wrong on a large one: a size, or a range, is fixed or limited",
}
