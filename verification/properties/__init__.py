"""The properties of every layer. Each is a sentence, its docstring the equation; it raises where that is not so.

A property asks the trial for its arrays and layers, and never returns a verdict, prints or skips.
"""

from dataclasses import dataclass

from hypothesis.strategies import SearchStrategy, just

from verification.case import Case
from verification.properties.hardening import (
    an_empty_batch_gives_empty_results,
    bad_arguments_are_refused,
    integers_count_as_real_numbers,
    results_share_no_memory,
)
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
    history_is_irrelevant,
    is_exact_at_a_realistic_size,
    memory_layout_is_irrelevant,
)
from verification.properties.rounding import (
    float32_in_stays_within_its_bound,
    rounding_stays_within_the_bound,
)
from verification.spec import LayerSpec, Property
from verification.trial import Trial


@dataclass(frozen=True)
class Collected:
    """A property that applies to a spec, whether it is "required" or "hardening", and the cases to try."""

    function: Property
    kind: str
    cases: SearchStrategy[Case]

    @property
    def name(self) -> str:
        """The property's sentence."""
        return self.function.__name__

    def check(self, trial: Trial) -> None:
        """Try it; raise PropertyFailed if it does not hold."""
        self.function(trial)


def properties(spec: LayerSpec) -> tuple[Collected, ...]:
    """Return the properties that apply to the spec; one that cannot apply is not among them."""
    exact, images = not spec.rtol, spec.batch_independent
    table: list[tuple[Property, str, bool]] = [
        (forward_matches_reference, "required", True),
        (backprop_matches_directional_differences, "required", True),
        (backprop_is_the_adjoint, "required", bool(spec.affine_in)),
        (backprop_is_linear_in_the_upstream_gradient, "required", True),
        (gradients_have_the_shapes_of_their_arguments, "required", True),
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
        (float32_in_stays_within_its_bound, "hardening", exact),
        (integers_count_as_real_numbers, "hardening", exact),
        (an_empty_batch_gives_empty_results, "hardening", images),
        (bad_arguments_are_refused, "hardening", bool(spec.bad_arguments)),
    ]
    own_cases: dict[Property, SearchStrategy[Case]] = {}
    if spec.realistic:
        own_cases[is_exact_at_a_realistic_size] = just(spec.realistic)
    if spec.extremes is not None:
        own_cases[extremes_come_out_right] = spec.extremes
    return tuple(
        Collected(function, kind, own_cases.get(function, spec.cases)) for function, kind, applies in table if applies
    )
