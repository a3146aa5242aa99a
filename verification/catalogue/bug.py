"""What the catalogue says of a planted bug."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bug:
    """One small change of a correct layer.

    family is the kind of mistake; caught_by the property that must fail (others may fail too).
    """

    name: str
    family: str
    caught_by: str
    description: str
    layer: Callable[..., Any]


def change(base: type, name: str, **methods: Any) -> type:
    """Return a subclass of base with these methods in place of its own."""
    return type(name, (base,), methods)
