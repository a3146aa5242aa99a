"""Writes the calls of a failing example as a script that needs NumPy and the layer, nothing else."""

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from verification.case import Array

LITERAL_ENTRIES = 64
"""An array with more entries than this, nearly all zero, is written entry by entry."""


def literal(array: Array) -> list[str]:
    """Return lines of which the first, after `name = `, gives this array; {} stands for its name."""
    plain = np.array(array)  # the values alone, in C order
    dtype = "" if plain.dtype == np.float64 else f", dtype=np.{plain.dtype}"
    filled = np.argwhere(plain)
    if plain.size == 0 or (plain.size > 1 and not array.any()):
        lines = [f"np.zeros({plain.shape}{dtype})"]
    elif plain.size > LITERAL_ENTRIES and len(filled) <= LITERAL_ENTRIES // 2:
        lines = [f"np.zeros({plain.shape}{dtype})"]
        lines += [f"{{}}[{', '.join(map(str, at))}] = {_text(plain[tuple(at)])}" for at in filled]
    else:
        lines = [f"np.array({_text(plain)}{dtype})"]
    return lines + _layout(array)


def _text(array: Array) -> str:
    return repr(array.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")


def _layout(array: Array) -> list[str]:
    """Return the lines that bring an array in C order into the memory layout of this one."""
    lines = []
    if 0 in [stride for stride, side in zip(array.strides, array.shape, strict=True) if side > 1]:
        return ["{} = np.broadcast_to({}[..., :1], {}.shape)"]
    if array.size and not array.flags.c_contiguous:
        if array.flags.f_contiguous:
            lines.append("{} = np.asfortranarray({})")
        elif array.strides[-1] < 0:
            lines.append("{} = {}[..., ::-1].copy()[..., ::-1]  # the same values, negative strides")
        else:
            lines.append("{} = np.repeat({}, 2, axis=-1)[..., ::2]  # the same values, not contiguous")
    if not array.flags.writeable:
        lines.append("{}.setflags(write=False)")
    return lines


def arguments(make: Callable[..., Any], settings: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the settings as make takes them: by name, or in their order where its names differ."""
    if _takes(make, tuple(settings)):
        return (), dict(settings)
    return tuple(settings.values()), {}


@lru_cache(maxsize=64)
def _takes(make: Callable[..., Any], names: tuple[str, ...]) -> bool:
    try:
        inspect.signature(make).bind(**dict.fromkeys(names))
    except TypeError:
        return False
    except ValueError:  # no signature to be had, as for some built-in types
        pass
    return True


def constructor(make: Callable[..., Any], settings: Mapping[str, Any]) -> str:
    """Return the text of the call that makes the layer."""
    args, kwargs = arguments(make, settings)
    listed = [repr(value) for value in args] + [f"{key}={value!r}" for key, value in kwargs.items()]
    return f"{name(make)}({', '.join(listed)})"


def importing(make: Callable[..., Any]) -> str:
    """Return the line that brings make into scope, as far as it can be known."""
    module, qualname = getattr(make, "__module__", "__main__"), getattr(make, "__qualname__", "")
    if module == "__main__" or not qualname.isidentifier():
        return f"# {name(make)} is your own: define or import it here"
    package = module.rpartition(".")[0]
    return (
        f"from {package or module} import {qualname}"
        if package and _exports(package, qualname, make)
        else (f"from {module} import {qualname}")
    )


def _exports(package: str, name: str, value: object) -> bool:
    return getattr(sys.modules.get(package), name, None) is value


def name(make: Callable[..., Any]) -> str:
    """Return what the script calls make."""
    known: str = getattr(make, "__name__", "") or type(make).__name__
    return known if known.isidentifier() else "make_layer"


class Script:
    """A script that grows by a call at a time."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make
        self.lines: list[str] = []
        self._written: dict[tuple[str, ...], str] = {}
        self._count: dict[str, int] = {}
        self.results: list[tuple[Array, str]] = []

    def fresh(self, name: str) -> str:
        """Return name, or name2, name3, ... where it is taken."""
        self._count[name] = self._count.get(name, 0) + 1
        return name if self._count[name] == 1 else f"{name}{self._count[name]}"

    def array(self, name: str, array: Array) -> str:
        """Write the array as `name = ...`, unless one like it stands there, and return its name."""
        lines = literal(array)
        if known := self._written.get(tuple(lines)):
            return known
        name = self._written[tuple(lines)] = self.fresh(name)
        first, *rest = (line.replace("{}", name) for line in lines)
        self.lines += [f"{name} = {first}", *rest]
        return name

    def result(self, name: str, array: Array) -> str:
        """Return the variable that holds this result."""
        variable = self.fresh(name)
        self.results.append((array, variable))
        return variable

    def variable(self, array: Array) -> str | None:
        """Return the variable of a result, or None where the array is not one."""
        return next((name for known, name in self.results if known is array), None)

    def text(self, closing: list[str]) -> str:
        """Return the whole script."""
        return "\n".join(["import numpy as np", importing(self.make), "", *self.lines, *closing]) + "\n"
