"""Verifies hand-written neural-network layers: exactly, and says which entry is wrong."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verification.case import Case
    from verification.checking import Report, check, check_at
    from verification.pytest_items import verify
    from verification.spec import BadArgument, LayerSpec
    from verification.specs import convolution, max_pooling

__all__ = [
    "BadArgument",
    "Case",
    "LayerSpec",
    "Report",
    "check",
    "check_at",
    "convolution",
    "max_pooling",
    "verify",
]

_HOMES = {
    "BadArgument": "spec",
    "Case": "case",
    "LayerSpec": "spec",
    "Report": "checking",
    "check": "checking",
    "check_at": "checking",
    "convolution": "specs",
    "max_pooling": "specs",
    "verify": "pytest_items",
}


def __getattr__(name: str) -> Any:
    # Imported when first used, so that `layerproof --help` does not wait for SciPy and Hypothesis.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"verification.{_HOMES[name]}"), name)
    return value
