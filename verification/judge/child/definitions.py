"""Runs what a submission defines, and not its accuracy test."""

import ast
import inspect
import symtable
from collections.abc import Collection, Sequence
from importlib.util import decode_source
from typing import Any

DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def run(source: bytes, filename: str, wanted: Collection[str]) -> tuple[dict[str, Any], list[str]]:
    """Run the module up to the last class wanted, and after it what defines something; return its names and notes.

    Each top-level statement on its own: one that raises becomes a note, and the next one runs all the same.
    SyntaxError (or ValueError, for null bytes) if the source is no Python.
    """
    text = decode_source(source)
    tree = ast.parse(text, filename)
    last = max((at for at, node in enumerate(tree.body) if _has_class(node, wanted)), default=-1)
    needed = _globals_of_functions(text, filename)
    namespace: dict[str, Any] = {"__name__": filename.removesuffix(".py"), "__file__": filename}
    notes = []
    for at, node in enumerate(tree.body):
        if at > last and not _defines(node, needed):
            continue
        statement = ast.Module([node], type_ignores=[])
        try:
            exec(compile(statement, filename, "exec", dont_inherit=True), namespace)
        except BaseException as error:  # SystemExit too; the parent ends what does not end by itself
            what = ast.unparse(node).splitlines()[0][:80]
            notes.append(f"line {node.lineno}, `{what}`: {type(error).__name__}: {error}")
    return namespace, notes


def _has_class(node: ast.stmt, wanted: Collection[str]) -> bool:
    return any(isinstance(inner, ast.ClassDef) and inner.name in wanted for inner in ast.walk(node))


def _defines(node: ast.stmt, needed: Collection[str]) -> bool:
    """Return whether this statement, after the classes, defines what they may use."""
    if isinstance(node, DEFINITIONS):
        return True
    if isinstance(node, ast.Try):
        return all(isinstance(inner, DEFINITIONS) for inner in node.body)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id in needed for target in targets) or (
        isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Lambda)
    )


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
