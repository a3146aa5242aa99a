"""Runs what a submission defines, and not its accuracy test."""

import __future__

import ast
import builtins
import inspect
import symtable
import sys
from collections.abc import Collection, Sequence
from importlib.util import decode_source
from types import ModuleType
from typing import Any

DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
LOOPS = (ast.For, ast.While, ast.AsyncFor)


def run(source: bytes, filename: str, wanted: Collection[str]) -> tuple[dict[str, Any], list[str]]:
    """Run the module up to the last class wanted, and after it what defines something; return its names and notes.

    Each top-level statement on its own: one that raises becomes a note, and the next one runs all the same. Loops that
    define nothing (training, a test between the classes) are left out. SyntaxError (or ValueError, for null bytes) if
    the source is no Python.
    """
    text = _decoded(source)
    tree = ast.parse(text, filename)
    last = max((at for at, node in enumerate(tree.body) if _has_class(node, wanted)), default=-1)
    defined = {name for node in tree.body if isinstance(node, DEFINITIONS) for name in _bound(node)}
    needed = _globals_of_functions(text, filename) - defined - set(dir(builtins))
    module = ModuleType(filename.removesuffix(".py"))
    module.__file__ = filename
    sys.modules.setdefault(module.__name__, module)
    flags, notes = _flags(tree), []
    for at, node in enumerate(tree.body):
        left_out = isinstance(node, LOOPS) and not _has_class(node, wanted) and not _names(node) & needed
        if left_out or (at > last and not _defines(node, needed, wanted)):
            continue
        statement = ast.Module([node], type_ignores=[])
        try:
            exec(compile(statement, filename, "exec", flags, dont_inherit=True), module.__dict__)
        except BaseException as error:  # SystemExit too; the parent ends what does not end by itself
            what = ast.unparse(node).splitlines()[0][:80]
            notes.append(f"line {node.lineno}, `{what}`: {type(error).__name__}: {error}")
    return module.__dict__, notes


def _decoded(source: bytes) -> str:
    try:
        return decode_source(source)
    except (SyntaxError, UnicodeDecodeError):
        raise SyntaxError("it is not UTF-8, and its first two lines name no other encoding: save it as UTF-8") from None


def _flags(tree: ast.Module) -> int:
    """Return what the file's imports from __future__ mean to the compiler."""
    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
    return flags


def _has_class(node: ast.stmt, wanted: Collection[str]) -> bool:
    return any(isinstance(inner, ast.ClassDef) and inner.name in wanted for inner in ast.walk(node))


def _defines(node: ast.stmt, needed: Collection[str], wanted: Collection[str]) -> bool:
    """Return whether this statement, after the classes, defines what they may use."""
    if isinstance(node, DEFINITIONS):
        return True
    if isinstance(node, ast.If | ast.Try | ast.With):
        bodies = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
        bodies += [handler.body for handler in getattr(node, "handlers", [])]
        return all(isinstance(one, ast.Pass) or _defines(one, needed, wanted) for body in bodies for one in body)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        simple = isinstance(node.value, ast.Name | ast.Lambda)
        return simple or bool(_bound(node) & {*needed, *wanted}) or bool(_changed(node) & {*wanted})
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):  # setattr(nn_..., "backprop", ...)
        call = node.value
        return isinstance(call.func, ast.Name) and call.func.id == "setattr" and bool(_names(node) & {*wanted})
    return isinstance(node, LOOPS)  # one that has to do with what is needed


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _bound(node: ast.AST) -> set[str]:
    """Return the names that a statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)}


def _changed(node: ast.AST) -> set[str]:
    """Return the names of what a statement assigns attributes or items of."""
    stored = [inner for inner in ast.walk(node) if isinstance(inner, ast.Attribute | ast.Subscript)]
    return {name for inner in stored if isinstance(inner.ctx, ast.Store) for name in _names(inner.value)}


def _globals_of_functions(source: str, filename: str) -> set[str]:
    """Return the global names that functions and methods of the module refer to."""
    found: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        if table.get_type() == "function":
            found.update(symbol.get_name() for symbol in table.get_symbols() if symbol.is_global())
        for inner in table.get_children():
            visit(inner)

    visit(symtable.symtable(source, filename, "exec"))
    return found


def described(namespace: dict[str, Any], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return for each of these classes that is there what it takes and which methods it has."""
    found = {}
    for name in names:
        if callable(made := namespace.get(name)):
            found[name] = {
                "parameters": _parameters(made),
                "methods": [method for method in ("forward", "backprop") if callable(getattr(made, method, None))],
            }
    return found


def classes(namespace: dict[str, Any], filename: str) -> list[str]:
    """Return the names of all classes that the file defines."""
    own = filename.removesuffix(".py")
    return [name for name, value in namespace.items() if isinstance(value, type) and value.__module__ == own]


def _parameters(made: Any) -> list[tuple[str, int, bool]] | None:
    """Return name, kind and whether there is a default, of each parameter; None if that cannot be known."""
    try:
        given = inspect.signature(made).parameters.values()
        return [(one.name, int(one.kind), one.default is not inspect.Parameter.empty) for one in given]
    except Exception:
        return None
