"""What the catalogue says of a layer: correct ways to write it, and planted bugs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from verification.spec import LayerSpec


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


@dataclass(frozen=True)
class Section:
    """A ready spec, correct layers that it must pass, and planted bugs that it must catch."""

    spec: Callable[[Callable[..., Any]], LayerSpec]
    variants: tuple[Callable[..., Any], ...]
    bugs: tuple[Bug, ...]


def change(base: type, name: str, **methods: Any) -> type:
    """Return a subclass of base with these methods in place of its own."""
    return type(name, (base,), methods)
