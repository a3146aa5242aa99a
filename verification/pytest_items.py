"""`test_mine = verify(spec)`: the properties of a layer as pytest items."""

from collections.abc import Callable

import pytest
from hypothesis import settings

from verification.checking import failure_text, report_on
from verification.properties import Collected, properties
from verification.search import search
from verification.spec import LayerSpec


def verify(spec: LayerSpec, examples: int | None = None) -> Callable[[Collected], None]:
    """Return a pytest function with one item for each property of the spec.

    The number of examples and the example database are those of the Hypothesis profile in force,
    unless `examples` is given. Hardening properties are items too: deselect them with
    `-k "not hardening"`.
    """
    items = [pytest.param(item, id=f"{item.kind}-{item.name}") for item in properties(spec)]

    @pytest.mark.parametrize("collected", items)
    def test(collected: Collected) -> None:
        __tracebackhide__ = True
        profile = settings(max_examples=examples) if examples else settings()
        outcome = search(spec, collected, profile)
        if outcome.failure:
            (report,) = report_on(spec, {collected: outcome})
            pytest.fail(f"{spec.name}: {report.sentence}\n{failure_text(report)}", pytrace=False)

    test.__doc__ = f"Properties of {spec.name}."
    return test
