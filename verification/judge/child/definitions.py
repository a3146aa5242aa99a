"""Runs what a submission defines, and not its accuracy test; or, to see what that prints, the whole file.

The names that functions use as globals are there, as they are when the file runs by itself. Up to the last class
wanted all statements run, and of loops what binds such names; after it, of all statements what binds such names, the
names that this reads, and so on. So `pool_size = 2` runs, and `for i in range(20)` leaves 19 in i, but the test inside
it does not run. A loop of which even so a part uses the layers has one round: names that it binds are as in the first.
"""

import __future__

import ast
import builtins
import copy
import inspect
import io
import re
import symtable
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import redirect_stdout
from importlib.util import decode_source
from types import ModuleType
from typing import Any, NamedTuple

IMPORTS = (ast.Import, ast.ImportFrom)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
LOOPS = (ast.For, ast.While, ast.AsyncFor)
BRANCHES = (ast.If, ast.With, ast.Try, ast.ExceptHandler)
BODIES = ("body", "orelse", "finalbody", "handlers")

OF_THE_TEST = re.compile(r"dLd[xWb] test|exact change|apprx change|(conv|maxpool) layer dLd")
"""How lines begin that the accuracy test prints."""


class Note(NamedTuple):
    """What is said of a statement that raised, and whether it lacked what it imports."""

    text: str
    of_import: bool


def run(source: bytes, filename: str, wanted: Collection[str]) -> tuple[dict[str, Any], list[Note]]:
    """Run what the module defines, as said above; return its names and notes.

    Each top-level statement on its own: one that raises becomes a note, and the next one runs all the same, unless it
    only lacks a name that was left out. SyntaxError (or ValueError, for null bytes) if the source is no Python.
    """
    text = _decoded(source)
    tree = ast.parse(text, filename)
    kept = _kept(tree, _globals_of_functions(text, filename) - set(dir(builtins)), wanted)
    left_out = _bound(tree) - {name for _, part in kept for name in _bound(part)}
    module = ModuleType(filename.removesuffix(".py"))
    module.__file__ = filename
    sys.modules.setdefault(module.__name__, module)
    flags, notes = _flags(tree), list[Note]()
    for node, part in kept:
        statement = ast.fix_missing_locations(ast.Module([part], type_ignores=[]))
        try:
            exec(compile(statement, filename, "exec", flags, dont_inherit=True), module.__dict__)
        except BaseException as error:  # SystemExit too; the parent ends what does not end by itself
            if isinstance(error, NameError) and error.name in left_out:
                continue
            what = ast.unparse(node).splitlines()[0][:80]
            said = f"line {node.lineno}, `{what}`: {type(error).__name__}: {error}"
            notes.append(Note(said, isinstance(error, ImportError)))
    return module.__dict__, notes


def run_alone(source: bytes, filename: str) -> BaseException | None:
    """Run the whole file as Python does; print only what its accuracy test prints; return what it raised."""
    try:
        with redirect_stdout(OnlyTheTest(sys.stdout)):
            exec(compile(source, filename, "exec", dont_inherit=True), {"__name__": "__main__", "__file__": filename})
    except BaseException as error:
        return error
    return None


class OnlyTheTest(io.TextIOBase):
    """Lets through the lines of the accuracy test, at once, and drops whatever else is printed."""

    def __init__(self, through: Any) -> None:
        self.through, self.rest = through, ""

    def write(self, text: str) -> int:
        """Write the lines that are complete."""
        *lines, self.rest = (self.rest[-1000:] + text).split("\n")
        for line in lines:
            if OF_THE_TEST.match(line):
                print(line[:200], file=self.through, flush=True)
        return len(text)


def runs_something(source: bytes) -> bool:
    """Return whether importing the file does more than to define: loops or calls at module level."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return False
    calls = [node for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    return bool(calls) or any(isinstance(node, LOOPS) for node in body)


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


# What is run of a file


def _kept(tree: ast.Module, needed: set[str], wanted: Collection[str]) -> list[tuple[ast.stmt, ast.stmt]]:
    """Return the top-level statements of which anything is run, each with that part of it."""
    body = [inner for node in tree.body for inner in _as_a_script(node)]
    last = max((at for at, node in enumerate(body) if _has_class(node, wanted)), default=-1)
    imported = {name for node in ast.walk(tree) if isinstance(node, IMPORTS) for name in _bound(node)}
    layers = _using(tree, wanted)
    bases = [base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
    needed = needed.union(wanted, *map(_names, bases))
    while True:
        parts = Parts(needed, imported, layers)
        kept = [(at, node, part) for at, node in enumerate(body) if (part := parts.of(node, whole=at <= last))]
        more = {name for at, node, part in kept if at > last or isinstance(node, LOOPS) for name in _read(part)}
        if more <= needed:
            return [(node, part) for _, node, part in kept]
        needed |= more


class Parts:
    """Takes statements apart.

    needed      names; what binds them is kept, and what changes them unless they are imported
    layers      names of the layers, and of all that is made of them
    """

    def __init__(self, needed: set[str], imported: set[str], layers: set[str]) -> None:
        self.needed, self.own, self.layers = needed, needed - imported, layers

    def of(self, node: Any, *, whole: bool = False, in_loop: bool = False) -> Any:
        """Return what is to be run of a statement, or None; `whole`: all of it, but for loops."""
        is_loop = isinstance(node, LOOPS)
        kept = (whole or (in_loop and _leaves(node))) and not is_loop
        if not kept and not any(map(self._matters, _walk(node))):
            return None
        if not isinstance(node, (*LOOPS, *BRANCHES)):
            return node
        part = copy.copy(node)
        # What is tried, and whether it raises, decides what its handlers bind.
        whole = isinstance(node, ast.Try | ast.ExceptHandler) or (whole and not is_loop)
        for name in BODIES:
            if inside := getattr(node, name, []):
                parts = [self.of(inner, whole=whole, in_loop=is_loop or in_loop) for inner in inside]
                setattr(part, name, [one for one in parts if one] or [ast.Pass()])
        if is_loop and _names(part) & self.layers:
            part.body.append(ast.Break())
        return part

    def _matters(self, node: ast.AST) -> bool:
        """Return whether this binds, changes or defines what is needed."""
        if isinstance(node, DEFINITIONS):
            return True
        if isinstance(node, IMPORTS):
            return bool(_bound(node) & {*self.needed, "*"})
        if isinstance(node, ast.Name):
            return isinstance(node.ctx, ast.Store) and node.id in self.needed
        if isinstance(node, ast.Attribute | ast.Subscript):
            return isinstance(node.ctx, ast.Store) and bool(_names(node.value) & self.own)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            if isinstance(call.func, ast.Name):  # setattr(nn_..., "backprop", ...)
                return call.func.id == "setattr" and bool(_names(node) & self.own)
            return isinstance(call.func, ast.Attribute) and bool(_names(call.func) & self.own)  # found.append(...)
        return False


def _leaves(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Break | ast.Continue) for inner in _walk(node))


def _as_a_script(node: ast.stmt) -> list[ast.stmt]:
    """Return what runs in place of a statement where the file is a script: of `if __name__ == "__main__":` the body."""
    tests = ("__name__ == '__main__'", "'__main__' == __name__")
    return node.body if isinstance(node, ast.If) and ast.unparse(node.test) in tests else [node]


def _has_class(node: ast.stmt, wanted: Collection[str]) -> bool:
    return any(isinstance(inner, ast.ClassDef) and inner.name in wanted for inner in ast.walk(node))


def _using(tree: ast.Module, wanted: Collection[str]) -> set[str]:
    """Return the names wanted, and the names bound by statements that use them, or use these, and so on."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    simple = [node for node in statements if not isinstance(node, (*LOOPS, *BRANCHES))]
    using = {*wanted}
    while True:
        more = {name for node in simple if _free(node) & using for name in _bound(node)}
        if more <= using:
            return using
        using |= more


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a statement that run when it does: not the bodies of functions."""
    left = [node]
    while left:
        yield (node := left.pop())
        for name, value in ast.iter_fields(node):
            if not (name == "body" and isinstance(node, FUNCTIONS)):
                inside = value if isinstance(value, list) else [value]
                left += [inner for inner in inside if isinstance(inner, ast.AST)]


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _free(node: ast.AST) -> set[str]:
    """Return the names that a statement uses; of a definition those that are not its own."""
    if not isinstance(node, DEFINITIONS):
        return _names(node)
    given = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
    own = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)}
    return _names(node) - given - own


def _read(node: ast.AST) -> set[str]:
    """Return the names that a statement reads when it runs."""
    return {inner.id for inner in _walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load)}


def _bound(node: ast.AST) -> set[str]:
    """Return the names that a statement binds when it runs."""
    found = set()
    for inner in _walk(node):
        if isinstance(inner, DEFINITIONS):
            found.add(inner.name)
        elif isinstance(inner, ast.alias):
            found.add((inner.asname or inner.name).partition(".")[0])
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            found.add(inner.id)
    return found


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
    """Return for each of these classes what it and its backprop take, and which methods it has."""
    found = {}
    for name in names:
        if callable(made := namespace.get(name)):
            found[name] = {
                "parameters": _parameters(made),
                "backprop": _parameters(getattr(made, "backprop", None)),
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
