"""How a layer is made: the settings of a case as its constructor takes them."""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

OTHER_MEANINGS = {"kernel", "kernel_size", "ksize", "k_size", "pad", "padding", "stride", "strides", "dilation"}
"""Names of parameters that mean something else than what stands in their place, where a spec has no such setting."""


def arguments(make: Callable[..., Any], settings: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the settings as make takes them: by name, or in their order where its names differ."""
    if _names_by_position(make, tuple(settings)) is None:
        return (), dict(settings)
    return tuple(settings.values()), {}


def listed(make: Callable[..., Any], settings: Mapping[str, Any]) -> str:
    """Return the text of the arguments in the call that makes the layer, by the names that its constructor has."""
    names = _names_by_position(make, tuple(settings)) or tuple(settings)
    return ", ".join(
        f"{name}={value!r}" if name else repr(value) for name, value in zip(names, settings.values(), strict=True)
    )


def misfit(make: Callable[..., Any], names: tuple[str, ...]) -> str:
    """Say how a constructor differs from the call that the suite makes with settings of these names; "" if it fits."""
    taken = _parameters(make)
    if taken is None or _binds_by_name(make, names):
        return ""
    foreign = OTHER_MEANINGS.intersection(taken) - set(names)
    if _names_by_position(make, names) and not foreign:
        return ""
    return f"its constructor takes ({', '.join(taken)}), the suite calls it with ({', '.join(names)})"


def backprop_misfit(make: Callable[..., Any]) -> str:
    """Say how the backprop of the layers that are made differs from the call that the suite makes; "" if it fits."""
    try:
        taken = inspect.signature(make.backprop)  # type: ignore[attr-defined]
        names = [name for name in taken.parameters if name != "self"]
        taken.bind(*["self"] * ("self" in taken.parameters), "x", "dLdy")
    except (AttributeError, ValueError):  # no class, or nothing is known of it
        return ""
    except TypeError:
        return f"backprop takes ({', '.join(names)}), the suite calls it with (x, dLdy)"
    return ""


def _parameters(make: Callable[..., Any]) -> list[str] | None:
    try:
        return list(inspect.signature(make).parameters)
    except (TypeError, ValueError):  # no signature to be had, as for some built-in types
        return None


def _binds_by_name(make: Callable[..., Any], names: tuple[str, ...]) -> bool:
    try:
        inspect.signature(make).bind(**dict.fromkeys(names))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


@lru_cache(maxsize=64)
def _names_by_position(make: Callable[..., Any], names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what the constructor calls the arguments that it gets in this order; () if it does not take so many.

    None where it takes them by these names.
    """
    if _parameters(make) is None or _binds_by_name(make, names):
        return None
    try:
        bound = inspect.signature(make).bind(*names).arguments
    except TypeError:
        return ()
    by_value = {value: name for name, value in bound.items() if isinstance(value, str)}
    return tuple(by_value.get(name, "") for name in names)
