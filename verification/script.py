"""Writes the calls of a failing example as a script that needs NumPy and the layer, nothing else."""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.construction import listed
from verification.failure import PropertyFailed
from verification.instance import memory_of
from verification.strategies import ordered

LITERAL_ENTRIES = 64
"""An array with more entries than this is written by a rule, if there is one for it."""


def literal(array: Array, name: str = "", seed: int = 0) -> list[str]:
    """Return lines of which the first, after `name = `, gives this array; {} stands for its name.

    A large array that was drawn under this name with this seed is written as the draw.
    """
    plain = np.array(memory_of(array))  # the values alone, in C order
    dtype = "" if plain.dtype == np.float64 else f", dtype=np.{plain.dtype}"
    cast = f".astype(np.{plain.dtype})" * bool(dtype)
    filled = np.argwhere(plain)
    if plain.size == 0 or (plain.size > 1 and len(filled) == 0):
        lines = [f"np.zeros({plain.shape}{dtype})"]
    elif plain.size <= LITERAL_ENTRIES:
        lines = [f"np.array({_text(plain)}{dtype})"]
    elif len(filled) <= LITERAL_ENTRIES // 2:
        lines = [f"np.zeros({plain.shape}{dtype})"]
        lines += [f"{{}}[{', '.join(map(str, at))}] = {_text(plain[tuple(at)])}" for at in filled]
    elif len(set(steps := np.diff(plain.ravel().astype(float)))) == 1:
        lines = [f"({float(plain.flat[0])} + {float(steps[0])} * np.arange({plain.size})).reshape({plain.shape}){cast}"]
    elif np.array_equal(plain, drawn := whole(name, seed, plain.shape)):
        lines = [_drawn(name, seed, plain.shape) + cast]
    elif np.array_equal(plain, np.floor(drawn / 16)):
        lines = [f"np.floor({_drawn(name, seed, plain.shape)} / 16){cast}"]
    elif np.array_equal(plain, ordered(drawn)):
        lines = [_drawn(name, seed, plain.shape), "ranks = np.argsort(np.argsort({}, axis=None, kind='stable'))"]
        lines += ["ranks = (ranks - np.count_nonzero({} < 0)).reshape({}.shape)  # all different, in the same order"]
        lines += ["{} = np.where(ranks < 0, ranks, ranks + 1).astype(float)" + cast]
    else:
        lines = [f"np.array({_text(plain)}{dtype})"]
    return lines + _layout(array)


def _drawn(name: str, seed: int, shape: tuple[int, ...]) -> str:
    """Return the expression that draws whole numbers, as the suite does."""
    drawn = f'random.Random("{name}{seed}").randbytes({math.prod(shape)})'
    return f"np.frombuffer({drawn}, np.int8).reshape({shape}).astype(float)"


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


def importing(make: Callable[..., Any]) -> list[str]:
    """Return the lines that bring make into scope, as far as they can be known."""
    module, qualname = getattr(make, "__module__", "__main__"), getattr(make, "__qualname__", "")
    if module == "__main__" or not qualname.isidentifier():
        return [f"# {name(make)} is your own: define or import it here"]
    remark = [f"# {note}"] if (note := getattr(make, "import_note", "")) else []
    if not all(part.isidentifier() and not iskeyword(part) for part in module.split(".")):  # as 02_CNN_layer
        return ["from runpy import run_path", "", *remark, f"{qualname} = run_path({module + '.py'!r})[{qualname!r}]"]
    package = module.rpartition(".")[0]
    home = package if package and _exports(package, qualname, make) else module
    return [*remark, f"from {home} import {qualname}"]


def _exports(package: str, name: str, value: object) -> bool:
    return getattr(sys.modules.get(package), name, None) is value


def name(make: Callable[..., Any]) -> str:
    """Return what the script calls make."""
    known: str = getattr(make, "__name__", "") or type(make).__name__
    return known if known.isidentifier() else "make_layer"


@dataclass(frozen=True, eq=False)
class Spelling:
    """How the calls of a layer are written, one template each; an adapter has its own (`make.spelling`).

    They may name {layer}, {make}, {x}, {y}, {dLdy}, {gradients}, and {given}, all arguments; {settings}, with {comma}
    before them if there are any, and {values} without their names; parameters and gradients by name ({W}, {dLdW});
    and, of the parameter that is set, {array}, {name} and {attribute}: `names` says where it has another name.
    `originals` are to be imported besides the layer; `as_array` is what makes a NumPy array of a result that is none.
    """

    construct: str = "{layer} = {make}({settings})"
    parameter: str = "{layer}.{name} = {array}.copy()"
    forward: str = "{y} = {layer}.forward({given})"
    backprop: str = "{gradients} = {layer}.backprop({given})"
    imports: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    originals: tuple[Callable[..., Any], ...] = ()
    as_array: str = ""

    def constructing(self, settings: Mapping[str, Any], x: Array) -> str:  # noqa: ARG002  adapters need them
        """Return the template of the call that makes a layer for such an x."""
        return self.construct

    def assigning(self, name: str, *, copy: bool) -> str:  # noqa: ARG002  adapters need the name
        """Return the template that sets a parameter, to a copy of the array or to the array itself."""
        return self.parameter if copy else self.parameter.replace("{array}.copy()", "{array}")

    def is_argument(self, name: str) -> bool:  # noqa: ARG002
        """Say whether a parameter is no attribute, but an argument of each call."""
        return not self.parameter

    def calling(
        self,
        method: str,
        shapes: Mapping[str, tuple[int, ...] | None],  # noqa: ARG002
        *,
        as_returned: bool,  # noqa: ARG002
    ) -> str:
        """Return the template of a call; of its results (y, dLdx, ...) the shapes are given, as far as they are known.

        Without any, {gradients} stands for all that backprop returns. `as_returned` leaves results in the axes of
        the layer.
        """
        return self.forward if method == "forward" else self.backprop

    def array(self, name: str, array: Array) -> list[str]:  # noqa: ARG002
        """Return lines that change an array, {}, to what the layer takes."""
        return []

    def seen(self, name: str, expression: str, shape: tuple[int, ...]) -> str:  # noqa: ARG002
        """Return the expression of an array of the layer as the suite has it, in this shape."""
        return expression


class Script:
    """A script that grows by a call at a time.

    copies    whether the script gives the layer copies of its arrays, as the suite does: needed only for a layer that
              writes into its arguments, which `copies_needed` tells afterwards
    """

    def __init__(self, make: Callable[..., Any], case: Case, *, copies: bool = False) -> None:
        self.make, self.case = getattr(make, "original", make), case
        self.spelling: Spelling = getattr(make, "spelling", Spelling())
        self.copies, self.copies_needed = copies, False
        self.lines: list[str] = []
        self._variables: dict[tuple[str, ...], str] = {}  # of arrays, by the lines that make them
        self._shapes: dict[str, tuple[int, ...]] = {}  # of the arrays, by variable, as the suite has them
        self._known: list[tuple[object, str]] = []  # results and held arrays, and what stands for them
        self._latest: dict[str, str] = {}  # the last variable of each result
        self._count: dict[str, int] = {}
        self._made: dict[str, int] = {}  # how many lines it takes to make each result
        self.parts: dict[str, Mapping[str, str]] = {}  # of an expression for several arrays: that of each
        self._refused = (0, 0)  # lines of the last call that should be refused
        self._again: Callable[[str], None] = lambda _variable: None
        self._as_returned: Callable[[], None] = lambda: None

    # Arrays

    def array(self, name: str, array: Array, *, fresh: bool = False) -> str:
        """Write the array as `name = ...`, unless one like it stands there, and return its variable.

        fresh    write it in any case, in a variable that no other array shares
        """
        lines = literal(array, name, self.case.seed) + self.spelling.array(name, array)
        key = (name, *lines)
        if key in self._variables and not fresh:
            return self._variables[key]
        variable = self._fresh(name)
        self._shapes[variable] = array.shape
        first, *rest = (line.replace("{}", variable) for line in lines)
        self.lines += [f"{variable} = {first}", *rest]
        if not fresh:
            self._variables[key] = variable
        return variable

    def given(self, name: str, array: Array) -> str:
        """Write the array, and a copy of it if the layer is to get one; return the variable that the layer gets."""
        variable = self.array(name, array)
        if not self.copies:
            return variable
        self.lines.append(f"{variable}_copy = {variable}.copy()")
        self._shapes[f"{variable}_copy"] = array.shape
        return f"{variable}_copy"

    def know(self, result: object, expression: str) -> None:
        """Note the expression that gives this very object in the script."""
        self._known.append((result, expression))

    def join(self, result: object, parts: Mapping[str, str]) -> None:
        """Note the expressions, by name, of the arrays of which this very object is the joined one."""
        expression = f"np.concatenate(({', '.join(parts.values())}), axis=-1)"
        self.parts[expression] = parts
        self.know(result, expression)

    def variable(self, result: object) -> str:
        """Return the expression that gives this very object, or "" if none is known."""
        return next((expression for known, expression in reversed(self._known) if known is result), "")

    def latest(self, name: str) -> str:
        """Return the last variable of a result: y2 for y."""
        return self._latest.get(name, "")

    def _fresh(self, name: str) -> str:
        self._count[name] = self._count.get(name, 0) + 1
        return name if self._count[name] == 1 else f"{name}{self._count[name]}"

    # The layer

    def construct(self, settings: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, str]:
        """Write the call that makes a layer, and return the fields of its templates.

        inputs are x and the parameters that the layer is made for.
        """
        by_name = ", ".join(f"{key}={value!r}" for key, value in settings.items())
        given = listed(self.make, settings) if self.spelling.construct else by_name
        fields = {
            "make": name(self.make),
            "layer": self._fresh("layer"),
            "settings": given,
            "comma": ", " * bool(given),
            "values": ", ".join(map(repr, settings.values())),
        }
        template = self.spelling.constructing(settings, inputs["x"])
        needed = {name: self.array(name, inputs[name]) for name in inputs if f"{{{name}}}" in template}
        self.lines += template.format(**fields, **needed).splitlines()
        return fields

    def assign(self, layer: dict[str, str], name: str, variable: str, *, copy: bool = True) -> None:
        """Write that a parameter is set, to a copy of the array or to the array itself."""
        layer[name] = variable
        attribute = self.spelling.names.get(name, name)
        fields = {**layer, "name": name, "attribute": attribute, "array": variable}
        self.lines += self.spelling.assigning(name, copy=copy).format(**fields).splitlines()

    def overwrite(self, layer: dict[str, str], name: str, values: Array) -> None:
        """Write that a layer's own parameter is written into."""
        layer[name] = variable = self.array(name, values)
        if self.spelling.is_argument(name):
            return
        template = self.spelling.parameter.replace(" = {array}.copy()", "[...] = {array}")
        fields = {**layer, "name": name, "attribute": self.spelling.names.get(name, name), "array": variable}
        self.lines += template.format(**fields).splitlines()

    def attribute(self, layer: dict[str, str], name: str) -> str:
        """Return the expression of a layer's own parameter, as the suite has it."""
        if self.spelling.is_argument(name):
            return self.seen(name, layer[name])
        return self.seen(name, f"{layer['layer']}.{self.spelling.names.get(name, name)}", layer[name])

    def seen(self, name: str, expression: str, variable: str = "") -> str:
        """Return the expression of an array, as the suite has it; its shape is that of a variable, or of the case."""
        shape = self._shapes.get(variable or expression, np.shape(self.case.arrays.get(name, ())))
        return self.spelling.seen(name, expression, shape)

    def write_into(self, held: object, name: str, values: Array) -> None:
        """Write that an array that is held is written into."""
        target, source = self.variable(held), self.array(name, values)
        self.lines.append(f"{target}[...] = {source}")

    def call(
        self, method: str, layer: dict[str, str], results: list[str], given: Mapping[str, str], *, refused: bool = False
    ) -> None:
        """Write a call whose results are called so: y, or dLdx, dLdW, ...

        One that should be `refused` becomes a comment when another follows, since it was.
        """
        fields = {**layer, **given, "given": ", ".join(given.values())}
        start, stop = self._refused
        self.lines[start:stop] = [f"# {line}" for line in self.lines[start:stop]]
        before = list(self.lines)
        shapes = {name: self._shapes.get(fields.get(name.removeprefix("dLd"), "")) for name in results}

        def written(variables: list[str], gradients: str, known: Mapping[str, Any], as_returned: bool = False) -> None:
            named = dict(zip(results, variables, strict=True))
            template = self.spelling.calling(method, known, as_returned=as_returned)
            together = {"y": gradients, "gradients": gradients}
            self.lines = before + template.format(**{**fields, **named, **together}).splitlines()

        variables = [self._fresh(result) for result in results]
        self._latest |= dict(zip(results, variables, strict=True))
        self._again = lambda variable: written([variable] * len(results), variable, {})
        self._as_returned = lambda: written(variables, ", ".join(variables), shapes, as_returned=True)
        written(variables, ", ".join(variables), shapes)
        self._refused = (len(before), len(self.lines)) if refused else (0, 0)
        if refused:
            self.lines[-1] += "  # should be refused"
        self._made |= dict.fromkeys(variables, len(self.lines))

    def keep_all(self) -> None:
        """Keep the lines after the last call too, whatever is shown: its results may change later."""
        self._made = {}

    def unnamed_result(self) -> str:
        """Write the last call again, with one variable for all that it returns, whatever that is; return it."""
        self._again("result")
        return "result"

    def as_returned(self, name: str) -> str:
        """Write the last call again, with its results in the axes of the layer; return the variable of one."""
        self._as_returned()
        return self.latest(name)

    # The whole

    def text(self, failure: PropertyFailed) -> str:
        """Return the script; the last line but the comments shows what the failure says."""
        shown = self._made.get(failure.shows.partition(".")[0])
        lines = self.lines[: shown if failure.written is None else failure.written]
        lines = [*lines, *_shown(failure), *(f"# {line}" for line in failure.message().splitlines())]
        imports = ["import random", ""] * any("random.Random(" in line for line in lines)
        imports += ["import numpy as np", *self.spelling.imports]
        imports += [line for made in (self.make, *self.spelling.originals) for line in importing(made)]
        return "\n".join([*imports, "", *lines]) + "\n"


def _shown(failure: PropertyFailed) -> list[str]:
    """Return the line that prints what is wrong; none where the last call raises."""
    if not failure.shows:
        return []
    large = failure.total > LITERAL_ENTRIES and failure.entries and failure.entries[0].index
    index = f"[{', '.join(map(str, failure.entries[0].index))}]" if large else ""
    return [f"print({failure.shows}{index})"]


class Unwritten:
    """What stands for a script where none is kept: it writes nothing, and knows no expression."""

    def construct(self, *_: object) -> dict[str, str]:
        """Return the fields of templates that nothing fills in."""
        return {}

    def _nothing(self, *_: object, **__: object) -> str:
        return ""

    array = given = know = variable = latest = attribute = seen = unnamed_result = _nothing
    assign = overwrite = write_into = call = keep_all = join = _nothing


UNWRITTEN = Unwritten()
