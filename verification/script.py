"""Writes the calls of a failing example as a script that needs NumPy and the layer, nothing else."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from verification.case import Array, whole

LITERAL_ENTRIES = 64
"""An array with more entries than this is written by a rule, if there is one for it."""


def literal(array: Array, name: str = "", seed: int = 0) -> list[str]:
    """Return lines of which the first, after `name = `, gives this array; {} stands for its name.

    A large array that was drawn under this name with this seed is written as the draw.
    """
    plain = np.array(array)  # the values alone, in C order
    dtype = "" if plain.dtype == np.float64 else f", dtype=np.{plain.dtype}"
    filled = np.argwhere(plain)
    if plain.size == 0 or (plain.size > 1 and len(filled) == 0):
        lines = [f"np.zeros({plain.shape}{dtype})"]
    elif plain.size <= LITERAL_ENTRIES:
        lines = [f"np.array({_text(plain)}{dtype})"]
    elif len(filled) <= LITERAL_ENTRIES // 2:
        lines = [f"np.zeros({plain.shape}{dtype})"]
        lines += [f"{{}}[{', '.join(map(str, at))}] = {_text(plain[tuple(at)])}" for at in filled]
    elif len(set(steps := np.diff(plain.ravel().astype(float)))) == 1:
        lines = [f"({float(plain.flat[0])} + {float(steps[0])} * np.arange({plain.size})).reshape({plain.shape})"]
    elif np.array_equal(plain, whole(name, seed, plain.shape)):
        drawn = f'random.Random("{name}{seed}").randbytes({plain.size})'
        lines = [f"np.frombuffer({drawn}, np.int8).reshape({plain.shape}).astype(float)"]
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
        elif array.strides[-1] == array.itemsize:
            lines.append("{} = np.repeat({}, 2, axis=0)[::2]  # the same values, not contiguous")
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


def listed(make: Callable[..., Any], settings: Mapping[str, Any]) -> str:
    """Return the text of the arguments in the call that makes the layer."""
    args, kwargs = arguments(make, settings)
    return ", ".join([repr(value) for value in args] + [f"{key}={value!r}" for key, value in kwargs.items()])


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


@dataclass(frozen=True, eq=False)
class Spelling:
    """How the calls of a layer are written, one template each; an adapter has its own (`make.spelling`).

    They may name {layer}, {make}, {x}, {y}, {dLdy}, {gradients}; {settings}, with {comma} before them if there
    are any, and {values} without their names; parameters and gradients by name ({W}, {dLdW}); and, of the
    parameter that is set, {array}, {name} and {attribute}: `names` says where it has another name. `originals` are
    to be imported besides the layer.
    """

    construct: str = "{layer} = {make}({settings})"
    parameter: str = "{layer}.{name} = {array}.copy()"
    forward: str = "{y} = {layer}.forward({x})"
    backprop: str = "{gradients} = {layer}.backprop({x}, {dLdy})"
    imports: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    originals: tuple[Callable[..., Any], ...] = ()


class Script:
    """A script that grows by a call at a time."""

    def __init__(self, make: Callable[..., Any], seed: int) -> None:
        self.make, self.seed = getattr(make, "original", make), seed
        self.spelling: Spelling = getattr(make, "spelling", Spelling())
        self.lines: list[str] = []
        self.results: dict[str, int] = {}  # the variable of each result, and how many lines make it
        self._written: dict[tuple[str, ...], str] = {}
        self._count: dict[str, int] = {}

    def fresh(self, name: str) -> str:
        """Return name, or name2, name3, ... where it is taken."""
        self._count[name] = self._count.get(name, 0) + 1
        return name if self._count[name] == 1 else f"{name}{self._count[name]}"

    def array(self, name: str, array: Array) -> str:
        """Write the array as `name = ...`, unless one like it stands there, and return its name."""
        lines = literal(array, name, self.seed)
        key = (name, *lines)
        if key not in self._written:
            variable = self._written[key] = self.fresh(name)
            first, *rest = (line.replace("{}", variable) for line in lines)
            self.lines += [f"{variable} = {first}", *rest]
        return self._written[key]

    def write(self, template: str, **fields: str) -> None:
        """Write the lines of a template."""
        self.lines += template.format(**fields).splitlines()

    def call(self, template: str, results: list[str], **fields: str) -> None:
        """Write a call, by a template that names its results {y} or {gradients}."""
        variables = [self.fresh(name) for name in results]
        named = dict(zip(results, variables, strict=True))
        self.write(template, **fields, **named, gradients=", ".join(variables))
        self.results |= dict.fromkeys(variables, len(self.lines))

    def text(self, arrays: Sequence[str], closing: str) -> str:
        """Return the script up to the last result of these names, which it prints, and a closing comment."""
        last = [next((v for v in reversed(self.results) if v.rstrip("0123456789") == name), "") for name in arrays]
        shown = sorted({variable for variable in last if variable}, key=list(self.results).index)
        lines = self.lines[: self.results[shown[-1]] if shown else None]
        lines += [f"print({variable})" for variable in shown]
        if not shown and arrays:  # an argument that was changed
            lines += [f"print({arrays[0]})"]
        elif not shown and self.results:
            end = max(self.results.values())
            made = [f"{variable}.shape" for variable, line in self.results.items() if line == end]
            lines += [f"print({', '.join(made)})"]
        lines += [f"# {line}" for line in closing.splitlines()]
        imports = ["import random", ""] * any("random.Random(" in line for line in lines)
        imports += ["import numpy as np", *self.spelling.imports]
        made_by = [importing(made) for made in (self.make, *self.spelling.originals)]
        return "\n".join([*imports, *made_by, "", *lines]) + "\n"
