"""What the failure of a property means where the plain answers are right: only one thing was changed."""

from collections.abc import Callable

import numpy as np

from verification.case import are_numbers_of
from verification.explain.why import Why
from verification.failure import PropertyFailed


def meaning(property_name: str, failure: PropertyFailed) -> tuple[Why, ...]:
    """Return the mistake that the failure of a property shows, if it is known."""
    if failure.unsteady:
        return (Why("non-deterministic", SAID["non-deterministic"]),)
    family = FAMILIES.get(property_name, "")
    if callable(family):
        family = family(failure)
    return (Why(family, SAID[family]),) if family else ()


def _float32(failure: PropertyFailed) -> str:
    """Return float32-inside if all entries shown are off by a little, or a result has a smaller dtype."""
    if failure.kind == "integers":
        return "integer-result"
    if not failure.entries:
        return "float32-inside" if failure.kind == "dtype" else ""
    slight = [abs(e.actual - e.expected) <= 1e-3 * max(1.0, abs(e.expected)) for e in failure.entries]
    return (
        "float32-inside"
        if all(slight) and are_numbers_of(np.float32, [e.actual for e in failure.entries]).all()
        else ""
    )


def _slight(failure: PropertyFailed) -> str:
    """Return the same of what is right on small numbers, and so no plain answer that is wrong."""
    rounded = [abs(e.actual) >= 2**24 or e.actual != np.rint(e.actual) for e in failure.entries]
    return _float32(failure) if rounded and all(rounded) else ""


def _truncated(failure: PropertyFailed) -> str:
    whole = [e.actual in (np.trunc(e.expected), np.floor(e.expected)) for e in failure.entries]
    return "integer-truncation" if whole and all(whole) else ""


def _extreme(failure: PropertyFailed) -> str:
    return "" if all(np.isfinite(e.actual) for e in failure.entries) else "overflow"


FAMILIES: dict[str, str | Callable[[PropertyFailed], str]] = {
    "arguments_are_left_alone": lambda failure: (
        "changes-parameter" if failure.kind == "own parameter" else "mutates-argument"
    ),
    "backprop_is_linear_in_the_upstream_gradient": "keeps-state",
    "backprop_matches_directional_differences": _slight,
    "batch_items_are_independent": "batch-coupled",
    "history_is_irrelevant": "keeps-state",
    "memory_layout_is_irrelevant": "assumes-layout",
    "results_share_no_memory": "shares-memory",
    "rounding_stays_within_the_bound": _float32,
    "y_has_the_digits_of_float64": _float32,
    "float32_in_stays_within_its_bound": _float32,
    "integers_count_as_real_numbers": _truncated,
    "an_empty_batch_gives_empty_results": "empty-batch",
    "bad_arguments_are_refused": lambda failure: "accepts-bad-arguments" * (failure.kind == "accepted"),
    "extremes_come_out_right": _extreme,
    "is_exact_at_a_realistic_size": "hard-coded-size",
}
"""By property."""

SAID = {
    "mutates-argument": "it writes into an array that was passed to it: work on a copy",
    "changes-parameter": "it changes its own parameter, which only an update may do: compute with a copy",
    "keeps-state": "it remembers something from an earlier call: use only x, dLdy and the parameters as they are now",
    "assumes-layout": "it takes an array for contiguous: use its values by index, or np.ascontiguousarray first",
    "shares-memory": "it returns a view of an argument or of a buffer that it uses again: return a copy",
    "float32-inside": "it computes in less than float64: leave out the cast",
    "integer-result": "fractions are cut off: a result is made as an array of integers; make it one of floats",
    "integer-truncation": "fractions are cut off: results take the integer dtype of x; make them floats",
    "empty-batch": "a batch without images is not provided for",
    "accepts-bad-arguments": "the shapes of arguments are not checked",
    "overflow": "an intermediate result is not finite: it overflows, or something is divided by zero",
    "non-deterministic": "the same calls give other results: it draws random numbers, or shares state",
    "batch-coupled": "what one image gives depends on the other images of the batch",
    "upstream-nonlinear": "the gradient is not linear in dLdy: dLdy may only be multiplied and added up",
    "hard-coded-size": "it is right on small cases and wrong on a large one: a size, or a range, is fixed or limited",
}
