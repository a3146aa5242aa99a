"""How calls and places are written in options: "backward(dLdy, lr=0.1)", "params['W']", "get_gradients()[0]"."""

import ast
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import CodeType
from typing import Any

from verification.spec import SpecError


@dataclass(frozen=True)
class Call:
    """A call of a method: its place in the layer, and an expression for each argument, by keyword or None.

    Of a method that is named alone the arguments are all that the suite gives, in its order.
    """

    option: str
    place: str
    arguments: tuple[tuple[str | None, ast.expr], ...] = ()
    alone: bool = False

    @classmethod
    def read(cls, option: str, text: object, example: str) -> "Call":
        """Read the name of a method, or a call such as "backward(dLdy)"."""
        expected = f'{option} should be the name of a method, or a call such as "{option}({example})", but is {text!r}'
        if not isinstance(text, str):
            raise SpecError(expected)
        call = cls._parsed(option, text if "(" in text else f"{text}()", expected)
        return call if "(" in text else replace(call, alone=True)

    def only(self, names: Collection[str]) -> "Call":
        """Return it; SpecError if it uses any other names."""
        if unknown := sorted(self.names - set(names)):
            raise SpecError(f"{self.option} may use {', '.join(names)}, but uses {', '.join(unknown)}")
        return self

    @classmethod
    def of_arguments(cls, option: str, text: object) -> "Call":
        """Read the arguments of a constructor, such as "out_channels, kernel_size, padding=0"."""
        expected = f"{option} should be written as in a call without *, as 'out_features, size=kernel_size[0]', but is"
        return cls._parsed(option, f"make({text})", f"{expected} {text!r}")

    @classmethod
    def _parsed(cls, option: str, text: str, otherwise: str) -> "Call":
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            raise SpecError(otherwise) from None
        if not isinstance(tree, ast.Call) or any(isinstance(node, ast.Starred) for node in tree.args):
            raise SpecError(otherwise)
        if any(isinstance(node, ast.Call) for node in ast.walk(tree.func)) or None in [k.arg for k in tree.keywords]:
            raise SpecError(otherwise)
        by_name = [(keyword.arg, keyword.value) for keyword in tree.keywords]
        return cls(option, ast.unparse(tree.func), (*((None, node) for node in tree.args), *by_name))

    @property
    def names(self) -> set[str]:
        """The names that its arguments use."""
        nodes = [node for _, argument in self.arguments for node in ast.walk(argument)]
        return {node.id for node in nodes if isinstance(node, ast.Name)}

    def values(self, names: Mapping[str, Any], given: Collection[Any] = ()) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments, by position and by keyword, for these values of the names, and all that is given."""
        if self.alone:
            return [*given], {}
        values = [(keyword, _evaluated(code, names)) for keyword, code in self._compiled]
        by_keyword = {keyword: value for keyword, value in values if keyword}
        return [value for keyword, value in values if not keyword], by_keyword

    @cached_property  # a layer is called many times
    def _compiled(self) -> list[tuple[str | None, CodeType]]:
        return [(keyword, _compiled(node)) for keyword, node in self.arguments]

    def text(self, names: Mapping[str, Any], *, copies: bool = False) -> str:
        """Return the arguments as a template: each name in braces (or a copy of it), unless its value is given here."""
        texts = [(keyword, _text(node, names, ".copy()" * copies)) for keyword, node in self.arguments]
        return ", ".join(f"{keyword}={text}" if keyword else text for keyword, text in texts)

    def of(self, layer: str, names: Mapping[str, Any]) -> str:
        """Return the call of the layer's method as a template."""
        method = layer if self.place == "__call__" else f"{layer}.{self.place}"
        return f"{method}({'{given}' if self.alone else self.text(names)})"


def _compiled(node: ast.expr) -> CodeType:
    return compile(ast.Expression(node), "<option>", "eval")


def _evaluated(code: CodeType, names: Mapping[str, Any]) -> Any:
    return eval(code, {"__builtins__": {}}, dict(names))


def _text(node: ast.expr, names: Mapping[str, Any], method: str) -> str:
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    if used and used <= set(names):
        return _escaped(repr(_evaluated(_compiled(node), names)))
    text = _escaped(ast.unparse(node))
    for name in used - set(names):
        text = re.sub(rf"\b{name}\b", f"{{{name}}}{method}", text)
    return text


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True)
class Place:
    """Where something stands in a layer: weight, linear.weight, params['W'], weights[0], get_gradients()['W'].

    A place that begins with `returned` is one in what backprop returned.
    """

    option: str
    text: str

    @classmethod
    def read(cls, option: str, text: object, *, settable: bool = False) -> "Place":
        """Read a place; SpecError if it is none, or cannot be set where it should be."""
        place = cls(option, text if isinstance(text, str) else "")
        try:
            node = place._node
        except SyntaxError:
            node = None
        if node is None or not _is_place(node) or (settable and isinstance(node, ast.Call)):
            called = "" if settable else ', or "get_gradients()[0]"'
            expected = f"""the place in the layer, such as "dW" or "params['W']"{called}"""
            raise SpecError(f"{option} should be {expected}, but is {text!r}")
        return place

    @cached_property
    def in_returned(self) -> bool:
        """Whether it is a place in what backprop returned."""
        return ast.unparse(_root(self._node)) == "returned"

    def of(self, layer: str) -> str:
        """Return the expression for it, as a template."""
        return _escaped(self.text) if self.in_returned else f"{layer}.{_escaped(self.text)}"

    def found(self, raw: Any, returned: Any = None) -> Any:
        """Return what stands there; LookupError if nothing does."""
        try:
            return _found(self._node, returned if self.in_returned else raw, raw)
        except (AttributeError, LookupError, TypeError) as error:
            where = "what backprop returned" if self.in_returned else type(raw).__name__
            raise LookupError(f"{self.option} is {self.text!r}, which {where} has not: {error}") from error

    def put(self, raw: Any, value: Any) -> None:
        """Put the value there."""
        match self._node:
            case ast.Attribute(holder, name):
                setattr(_found(holder, raw, raw), name, value)
            case ast.Subscript(holder, ast.Constant(key)):
                _found(holder, raw, raw)[key] = value
            case _:
                setattr(raw, self.text, value)

    @cached_property
    def _node(self) -> ast.expr:
        return ast.parse(self.text, mode="eval").body


def _is_place(node: ast.expr) -> bool:
    match node:
        case ast.Name():
            return True
        case ast.Attribute(holder) | ast.Subscript(holder, ast.Constant()) | ast.Call(holder, [], []):
            return _is_place(holder)
    return False


def _root(node: ast.expr) -> ast.expr:
    match node:
        case ast.Attribute(holder) | ast.Subscript(holder) | ast.Call(holder):
            return _root(holder)
    return node


def _found(node: ast.expr, root: Any, raw: Any) -> Any:
    match node:
        case ast.Attribute(holder, name):
            return getattr(_found(holder, root, raw), name)
        case ast.Subscript(holder, ast.Constant(key)):
            return _found(holder, root, raw)[key]
        case ast.Call(function):
            return _found(function, root, raw)()
        case ast.Name(name):
            return root if root is not raw else getattr(raw, name)
    raise TypeError(f"{ast.unparse(node)} is no place")
