"""How a layer is made: the settings of a case as its constructor takes them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

OTHER_MEANINGS = {"kernel", "kernel_size", "ksize", "k_size", "pad", "padding", "stride", "strides", "dilation"}
"""Names of parameters that mean something else than what stands in their place, where a spec has no such setting."""


def arguments(make: Callable[..., Any], settings: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the settings as make takes them: by name, or in their order where its names differ."""
    if _names_by_position(make, tuple(settings)) is None:
        return (), dict(settings)
    return tuple(settings.values()), {}


def passed(
    make: Callable[..., Any], settings: Mapping[str, Any], fixed: tuple[str, ...], as_one: tuple[str, ...] = ()
) -> Mapping[str, Any]:  # fmt: skip
    """Return the settings that make is called with: of those that are fixed, only the ones that it takes.

    Of pairs that are to be passed `as_one` number only the first.
    """
    kept = _passed(make, tuple(settings), fixed) if fixed else tuple(settings)
    return {name: settings[name][0] if name in as_one else settings[name] for name in kept}


@lru_cache(maxsize=64)
def _passed(make: Callable[..., Any], names: tuple[str, ...], fixed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the settings that are passed on: by name, or in their order where make has other names.

    A fixed setting is passed in its order only where there is a parameter for it that has no default: one of
    another name that has may mean anything.
    """
    taken = _signature(_called(make))
    if taken is None or not set(fixed) & set(names):
        return names
    by_name = tuple(name for name in names if name not in fixed or takes(make, name))
    if hasattr(make, "original") or _binds_by_name(make, by_name):
        return by_name
    places = [one for one in taken.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    endless = any(one.kind == one.VAR_POSITIONAL for one in taken.values())
    in_order = names
    while in_order and in_order[-1] in fixed and in_order[-1] not in taken:
        if endless or (len(in_order) <= len(places) and places[len(in_order) - 1].default is inspect.Parameter.empty):
            break
        in_order = in_order[:-1]
    return by_name if len(by_name) == len(places) < len(in_order) else in_order


def takes(make: Callable[..., Any], name: str) -> bool:
    """Return whether what makes the layer, or is adapted to it, takes a parameter of this name."""
    taken = _signature(_called(make))
    if taken is None or name in taken:
        return True
    return not hasattr(make, "original") and any(one.kind == one.VAR_KEYWORD for one in taken.values())


def _called(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return what gets the settings: make, what is adapted, or of a torch.autograd.Function its forward."""
    original: Any = getattr(make, "original", make)
    spelling = getattr(make, "spelling", None)
    return original.forward if isinstance(original, type) and spelling and not spelling.construct else original  # type: ignore[attr-defined,no-any-return]


def listed(make: Callable[..., Any], settings: Mapping[str, Any]) -> str:
    """Return the text of the arguments in the call that makes the layer, by the names that its constructor has."""
    names = _names_by_position(make, tuple(settings)) or tuple(settings)
    if not all(names):  # a positional argument may not follow one that is named
        return ", ".join(map(repr, settings.values()))
    return ", ".join(f"{name}={value!r}" for name, value in zip(names, settings.values(), strict=True))


def misfit(make: Callable[..., Any], names: tuple[str, ...], fixed: tuple[str, ...] = ()) -> str:
    """Say how a constructor differs from the call that the suite makes with settings of these names; "" if it fits."""
    taken = _parameters(make)
    called = _passed(make, names, fixed)
    foreign = OTHER_MEANINGS.intersection(taken or ()) - set(names)
    if taken is None or (_binds_by_name(make, called) and (called == names or not foreign)):
        return ""
    if _names_by_position(make, called) and not foreign:
        return ""
    rest = [name for name in names if name not in called]
    more = f", and would with {', '.join(rest)} if it took parameters of these names" * bool(rest)
    return f"its constructor takes ({', '.join(taken)}), the suite calls it with ({', '.join(called)}){more}"


def method_misfit(make: Callable[..., Any], method: str, given: Sequence[str]) -> str:
    """Say how a method of the layers that are made differs from the call that the suite makes; "" if it fits."""
    try:
        taken = inspect.signature(getattr(make, method))
        names = [name for name in taken.parameters if name != "self"]
        taken.bind(*["self"] * ("self" in taken.parameters), *given)
    except (AttributeError, ValueError):  # no class, or nothing is known of it
        return ""
    except TypeError:
        return f"{method} takes ({', '.join(names)}), the suite calls it with ({', '.join(given)})"
    return ""


def _parameters(make: Callable[..., Any]) -> list[str] | None:
    taken = _signature(make)
    return None if taken is None else list(taken)


def _signature(make: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(make).parameters
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
