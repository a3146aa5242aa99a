"""Asks a layer plain questions, case by case, to the end: whether y is right, and each gradient.

Plain is: a new layer, arrays of float64 in C order, forward(x), then backprop(x, dLdy). What one answer is does not
keep the others from being asked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from verification.case import Array, Case, indices
from verification.failure import NO_ARRAY, PropertyFailed, name_of
from verification.spec import LayerSpec
from verification.trial import HERE, PLACE, Trial

REDRAWS = 2
"""How often the values of a case are drawn again: where a layer is wrong, its answer may still be right by chance."""

NOT_ASKED = "not asked"
"""The kind of a gradient where forward has raised before, and backprop did so too: it may need what forward keeps."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a layer gave for one array.

    kind       right, values or shape if it is wrong in these, raised or form if there is no array, or not asked
    actual     the array, where there is one
    failure    why there is none
    trial      the case, with the right answers
    """

    trial: Trial
    array: str
    kind: str
    right: Array
    actual: Array | None = None
    failure: PropertyFailed | None = None

    def is_like(self, predicted: Array | None) -> bool:
        """Return whether the layer gave this, as exactly as the spec says."""
        if predicted is None or self.actual is None or self.actual.shape != predicted.shape:
            return False
        if np.array_equal(self.actual, predicted):
            return True
        largest = max(1.0, float(np.max(abs(predicted), initial=0.0, where=np.isfinite(predicted))))
        with np.errstate(invalid="ignore"):  # infinity less infinity
            unsure = self.trial.unsure(self.array)
            near = (abs(self.actual - predicted) <= self.trial.allowance(largest) + unsure) | np.isinf(unsure)
        same = (self.actual == predicted) | (np.isnan(predicted) & np.isnan(self.actual))
        return bool((near | same).all())


Answers = Mapping[str, Answer]
"""By array: y, dLdx, ..."""


@dataclass(frozen=True, eq=False)
class Row:
    """The answers for one case, and for the same case with other values."""

    case: Case
    answers: tuple[Answers, ...]

    def of(self, array: str) -> list[Answer]:
        """Return the answers for one array."""
        return [answers[array] for answers in self.answers]

    def kind(self, array: str) -> str:
        """Return what is wrong with an array, if anything is for any of the values."""
        kinds = [answer.kind for answer in self.of(array)]
        return next((kind for kind in kinds if kind != "right"), "right")


def failure_of(row: Row, array: str) -> PropertyFailed | None:
    """Return why there is no such array for any of the values of a case, if there is none."""
    return next((answer.failure for answer in row.of(array) if answer.kind in NO_ARRAY), None)


def ask(trial: Trial) -> Answers:
    """Ask for y and each gradient of a case."""
    spec = trial.spec
    if spec.piecewise_linear:  # away from the kinks, where the gradient is one array and no other
        smooth = {**trial.case.arrays, "x": trial.smooth_arguments()["x"], "dLdy": trial.dLdy}
        trial = Trial(spec, replace(trial.case, arrays=smooth), trial.script)
    layer, forward_raised = None, False
    try:
        layer = trial.layer()
        answers = {"y": _judged(trial, "y", layer.forward(trial.x), trial.y)}
    except PropertyFailed as failure:
        answers = {"y": Answer(trial, "y", failure.kind, trial.y, failure=failure)}
        forward_raised = True
    arrays = [f"dLd{name}" for name in spec.gradients]
    right = dict(zip(arrays, (trial.right[name] for name in spec.gradients), strict=True))
    try:
        layer = layer or trial.layer()
        returned = layer.backprop(trial.x, trial.dLdy, straight=True)
    except PropertyFailed as failure:
        kind = NOT_ASKED if forward_raised else failure.kind
        return answers | {array: Answer(trial, array, kind, right[array], failure=failure) for array in arrays}
    for name, array in zip(spec.gradients, arrays, strict=True):
        answers[array] = _judged(trial, array, returned[name], right[array])
    return answers


def observe(spec: LayerSpec, cases: Iterable[Case]) -> list[Row]:
    """Ask for each of these cases, and for others of the same sizes."""
    rows = []
    for case in cases:
        case = replace(case, picked={PLACE: HERE})
        variants = [case, *(redrawn(spec, case, i) for i in range(REDRAWS) if not spec.rtol and not spec.constants)]
        rows.append(Row(case, tuple(ask(Trial(spec, variant)) for variant in variants)))
    return rows


def _judged(trial: Trial, array: str, actual: Array, right: Array) -> Answer:
    answer = Answer(trial, array, "right", right, actual)
    if actual.shape != right.shape:
        return replace(answer, kind="shape")
    return answer if answer.is_like(right) else replace(answer, kind="values")


def tell(answer: Answer) -> None:
    """Raise PropertyFailed if the answer is wrong."""
    if answer.failure is not None:
        raise answer.failure
    assert answer.actual is not None
    shown = answer.trial.expression(answer.actual)
    if answer.kind != "right":
        unsure = answer.trial.unsure(answer.array)
        answer.trial.compare(name_of(answer.array), answer.actual, answer.right, shows=shown, unsure=unsure)


def redrawn(spec: LayerSpec, case: Case, i: int) -> Case:
    """Return a case with other whole numbers in arrays of the same shapes."""
    seed = case.seed + 7 * i + 3
    arrays = {
        name: array if indices(array) else spec.whole(name, seed, array.shape)
        for name, array in case.arrays.items()
        if name not in case.drawn
    }
    return replace(case, arrays=arrays, seed=seed)
