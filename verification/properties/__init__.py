"""The properties of every layer. Each is a sentence, its docstring the equation; it raises where that is not so.

A property asks the trial for its arrays and layers, and never returns a verdict, prints or skips.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy, just

from verification.adapters.adapter import Adapted
from verification.case import Case, indices
from verification.failure import NO_ARRAY, NotJudged, PropertyFailed
from verification.observe import Answers, ask, redrawn
from verification.properties.hardening import (
    an_empty_batch_gives_empty_results,
    bad_arguments_are_refused,
    integers_count_as_real_numbers,
    results_share_no_memory,
)
from verification.properties.history import history_is_irrelevant
from verification.properties.required import (
    arguments_are_left_alone,
    backprop_is_linear_in_the_upstream_gradient,
    backprop_is_the_adjoint,
    backprop_matches_directional_differences,
    batch_items_are_independent,
    extremes_come_out_right,
    forward_matches_reference,
    gradient_at_a_kink_lies_between_the_one_sided_derivatives,
    gradients_have_the_shapes_of_their_arguments,
    is_exact_at_a_realistic_size,
    memory_layout_is_irrelevant,
)
from verification.properties.rounding import (
    float32_in_stays_within_its_bound,
    rounding_stays_within_the_bound,
)
from verification.spec import LayerSpec, Property
from verification.trial import Trial

PLAIN = (
    forward_matches_reference,
    backprop_matches_directional_differences,
    backprop_is_the_adjoint,
    gradients_have_the_shapes_of_their_arguments,
)
"""Plain questions. Every other property changes one thing, and judges only arrays whose plain answers are right."""

OTHER_VALUES = (
    rounding_stays_within_the_bound,
    float32_in_stays_within_its_bound,
    is_exact_at_a_realistic_size,
    gradient_at_a_kink_lies_between_the_one_sided_derivatives,
    extremes_come_out_right,
    an_empty_batch_gives_empty_results,
)
"""Properties that change the values, or how many there are, and know the right answers for these."""


@dataclass(frozen=True)
class Collected:
    """A property that applies to a spec, whether it is "required" or "hardening", and the cases to try."""

    function: Property
    kind: str
    cases: SearchStrategy[Case]
    plain: bool
    """Whether it asks plain questions."""
    known: frozenset[str] = frozenset()
    """For a property that has cases of its own: the arrays that are known to be wrong, which it does not judge."""

    @property
    def name(self) -> str:
        """The property's sentence."""
        return self.function.__name__

    def check(self, trial: Trial) -> None:
        """Try it; raise PropertyFailed if it does not hold, NotJudged if the case has nothing to judge."""
        if self.plain or not trial.spec.deterministic:
            trial.wrong, trial.calls = frozenset(), None
            self.function(trial)
            return
        own_cases = self.cases is not trial.spec.cases
        trial.wrong, trial.judged = self.known if own_cases else wrong_arrays(trial), False
        trial.calls = None if self.function in OTHER_VALUES else []
        try:
            self.function(trial)
        except NotJudged as reason:
            if not (reason.args and trial.judged):  # a part of it was judged
                raise
        except PropertyFailed as failure:
            if failure.kind in NO_ARRAY and trial.wrong & {"forward", "backprop"}:
                raise NotJudged from None
            if case := _wrong_anyway(trial, failure, own_cases):
                trial.elsewhere.append((failure.array, case))
                raise NotJudged from None
            raise
        if trial.wrong and not trial.judged:
            raise NotJudged


def wrong_arrays(trial: Trial) -> frozenset[str]:
    """Return the arrays whose plain answers are wrong for the case, and the methods that raise for it."""
    if trial.plain is None:
        trial.plain = wrong_in(ask(Trial(trial.spec, trial.case)))
    return trial.plain


def wrong_in(answers: Answers) -> frozenset[str]:
    """Return the arrays among these answers that are wrong, and the methods that gave none."""
    wrong = {array for array, answer in answers.items() if answer.kind != "right"}
    methods = {"forward" if array == "y" else "backprop" for array in wrong if answers[array].actual is None}
    return frozenset(wrong | methods)


def _wrong_anyway(trial: Trial, failure: PropertyFailed, own_cases: bool) -> Case | None:
    """Return a case of a call that the property made which is wrong when it is made plainly too.

    Where the property changes the values, that is a case of the same sizes with other whole numbers.
    """
    cases: Iterable[Case]
    if trial.calls is not None:
        cases = filter(None, (_asked_plainly(trial, arrays) for arrays in trial.calls))
    else:
        few = 0 if own_cases or trial.spec.rtol or trial.spec.constants else 3
        cases = [redrawn(trial.spec, trial.case, i) for i in range(few)]
    for case in cases:
        try:
            wrong = wrong_in(ask(Trial(trial.spec, case)))
        except (ValueError, IndexError, TypeError):  # no valid case
            continue
        if failure.array in wrong or (failure.kind in NO_ARRAY and wrong):
            return case
    return None


def _asked_plainly(trial: Trial, arrays: Mapping[str, Any]) -> Case | None:
    """Return the case of a call with these arrays; None where a layer made complex numbers of one."""
    plain = {name: np.array(array) for name, array in {**trial.case.arrays, **arrays}.items()}
    if any(array.dtype.kind == "c" for array in plain.values()):
        return None
    kinds = {"x": np.int64} if indices(trial.x) else {}
    plain = {
        name: array if name in trial.spec.constants else array.astype(kinds.get(name, float))
        for name, array in plain.items()
    }
    return replace(trial.case, arrays=plain)


def of_gradients(spec: LayerSpec) -> Property:
    """Return the property that holds every gradient of the spec against what is right."""
    return backprop_is_the_adjoint if spec.affine_in else backprop_matches_directional_differences


def properties(spec: LayerSpec) -> tuple[Collected, ...]:
    """Return the properties that apply to the spec; one that cannot apply is not among them."""
    if not spec.deterministic:
        own = (*spec.properties, arguments_are_left_alone)
        return tuple(Collected(function, "required", spec.cases, plain=False) for function in own)
    exact, images, gradients = not spec.rtol, spec.batch_independent, bool(spec.gradients)
    batches = not (isinstance(spec.make, Adapted) and spec.make.one_image)
    table: list[tuple[Property, str, bool]] = [
        (forward_matches_reference, "required", True),
        (backprop_matches_directional_differences, "required", gradients),
        (backprop_is_the_adjoint, "required", gradients and bool(spec.affine_in)),
        (backprop_is_linear_in_the_upstream_gradient, "required", gradients),
        (gradients_have_the_shapes_of_their_arguments, "required", gradients),
        (arguments_are_left_alone, "required", True),
        (history_is_irrelevant, "required", True),
        (batch_items_are_independent, "required", images),
        (memory_layout_is_irrelevant, "required", True),
        (rounding_stays_within_the_bound, "required", exact),
        (is_exact_at_a_realistic_size, "required", exact and spec.realistic is not None),
        *((own, "required", True) for own in spec.properties),
        (gradient_at_a_kink_lies_between_the_one_sided_derivatives, "required", bool(spec.kinks)),
        (extremes_come_out_right, "required", spec.extremes is not None),
        (results_share_no_memory, "hardening", True),
        (float32_in_stays_within_its_bound, "hardening", exact and spec.dtype == np.float64),
        (integers_count_as_real_numbers, "hardening", exact and spec.dtype == np.float64),
        (an_empty_batch_gives_empty_results, "hardening", images and batches),
        (bad_arguments_are_refused, "hardening", bool(spec.bad_arguments)),
    ]
    own_cases: dict[Property, SearchStrategy[Case]] = {}
    if spec.realistic:
        own_cases[is_exact_at_a_realistic_size] = just(spec.realistic)
    if spec.extremes is not None:
        own_cases[extremes_come_out_right] = spec.extremes
    return tuple(
        Collected(function, kind, own_cases.get(function, spec.cases), plain=function in PLAIN)
        for function, kind, applies in table
        if applies
    )
