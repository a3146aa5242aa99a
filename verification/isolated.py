"""A layer in a fork of this interpreter: if it crashes, or does not return, this process goes on.

No sandbox: the fork may do what you may. Files that nobody trusts are for the command (judge/).
"""

import faulthandler
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import IO, Any

from verification.adapters.adapter import Adapted
from verification.adapters.layout import HeldAs
from verification.adapters.objects import AdaptedObject
from verification.answers import line_of
from verification.case import Array
from verification.failure import Crashed, PropertyFailed, Stopped
from verification.instance import Held, Instance
from verification.judge.child import worker
from verification.judge.process import Child, Limits, Running
from verification.judge.remote import RemoteLayer
from verification.judge.session import Budget, Session
from verification.spec import LayerSpec, SpecError

TIMEOUT = 10.0
"""Seconds that one call may take."""

INPUT = "input "
"""What the names of arrays begin with that a layer is made for, to tell them from its attributes."""

SEPARATOR = " of "


def isolated(spec: LayerSpec, timeout: float = TIMEOUT) -> LayerSpec:
    """Return the spec of the same layer in a fork of this process; OSError where processes cannot be forked.

    A call that ends the fork (a write out of bounds, os._exit) fails as one that raises does, and the next layer is
    made in a new fork. One that takes longer than `timeout` seconds ends what is being tried. Memory beyond 2 GiB
    above what this process has is refused, which raises MemoryError. SpecError for a layer whose module imports JAX,
    which waits in a fork for threads that are not there.
    """
    if not hasattr(os, "fork"):
        raise OSError("isolated=True needs os.fork, which this system does not have: leave it out, or use WSL")
    written = getattr(spec.make, "original", spec.make)
    if _uses_jax(written):
        raise SpecError(
            f"isolated=True forks this process, and JAX does not run in a fork: {written.__module__}, where"
            f" {getattr(written, '__name__', written)} is from, imports jax; leave isolated out"
        )
    return replace(spec, home=Forks(Limits(timeout=timeout)))


class Forks:
    """Makes layers in a fork, which is replaced when it has ended."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._budget = limits, Budget(limits.timeout, "try fewer examples")
        self._session: Session | None = None
        self._spec: LayerSpec | None = None

    def __call__(
        self, adapter: Adapted, spec: LayerSpec, settings: Mapping[str, Any], inputs: Mapping[str, Array]
    ) -> Instance:
        """Return a new layer; the fork knows the adapter and the spec, and gets the rest."""
        self._budget.check()
        if self._session is None or not self._session.child.alive or spec is not self._spec:
            self._session, self._spec = Session(Fork(self._limits, adapter, spec), self._budget), spec
        layer = IsolatedLayer(self._session, adapter.__name__, [dict(settings)], {})
        if isinstance(adapter, AdaptedObject):  # which is made for these arrays, and may find that it cannot be
            layer.attributes |= {f"{INPUT}{name}": array for name, array in inputs.items()}
            layer.settle()
        return layer


class IsolatedLayer(RemoteLayer):
    """A layer in the fork."""

    def settle(self) -> None:
        """Have it made now, not with the first call."""
        self._ask("making the layer", "nothing", [])

    def _ask(
        self, doing: str, step: str, arguments: Sequence[Any], given: Sequence[Array | Held] = ()
    ) -> tuple[Any, list[Array]]:
        try:
            return super()._ask(doing, step, arguments, given)
        except Stopped as stopped:
            if self.session.child.late:
                raise
            raise Crashed(str(stopped)) from None
        except Exception as error:
            if type(error).__name__ == SpecError.__name__:
                raise SpecError(str(error)) from None
            if type(error).__name__ == PropertyFailed.__name__:
                raise PropertyFailed(str(error)).about(*error.where.split(SEPARATOR)) from None  # type: ignore[attr-defined]
            raise


class Fork(Child):
    """The fork, as the judge's children are asked; it stays in the folder of this process."""

    needs_folder = False
    option = ""  # no command was given

    def __init__(self, limits: Limits, adapter: Adapted, spec: LayerSpec) -> None:
        self.worker = partial(_Worker, adapter, spec)
        super().__init__(replace(limits, sandbox=False))

    def _run(self, _wrapped: list[str], written: int, printed: int, _folder: str | None, /) -> Running:
        questions, asked = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python and of JAX: other threads of this process are not in the fork
            process = os.fork()
        if process:
            os.close(questions)
            return Forked(process, asked)
        try:
            os.setsid()
            faulthandler.disable()  # a crash is told by the parent
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            limit = _memory_now() + self.limits.memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            worker.serve(questions, written, self.worker(), [])
        finally:
            os._exit(0)


class Forked:
    """What Child needs to know of a process."""

    def __init__(self, pid: int, questions: int) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = open(questions, "wb", buffering=0)  # noqa: SIM115  the child's, to its end
        self.status: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return how the process ended, as subprocess does."""
        end = time.monotonic() + (timeout or 60)
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise subprocess.TimeoutExpired("fork", timeout or 60)
            else:
                time.sleep(0.001)
        return self.status

    def kill(self) -> None:
        """End it."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)


class _Worker(worker.Worker):
    """The layers of the fork, and arrays that are held, as they are without one (instance.py)."""

    def __init__(self, adapter: Adapted, spec: LayerSpec) -> None:
        super().__init__()
        self.adapter, self.spec = adapter, spec

    def make(
        self, number: int, _name: str, args: list[Any], _kwargs: dict[str, Any], attributes: dict[str, Any]
    ) -> None:  # fmt: skip
        """Make a layer for the inputs among the attributes, and set the others."""
        arrays = {name: self.found(place) for name, place in attributes.items()}
        inputs = {name.removeprefix(INPUT): array for name, array in arrays.items() if name.startswith(INPUT)}
        settings = {name: _tupled(value) for name, value in args[0].items()}
        layer = self.kept[number] = self.adapter.layer(self.spec, settings, inputs)
        for name, array in arrays.items():
            if not name.startswith(INPUT):
                layer.set(name, array)

    def found(self, place: Any) -> Any:
        """Return the array at a place; what is held, as such."""
        found = super().found(place)
        if isinstance(place, list):
            found = self.kept[place[0]] = HeldAs(found)
        return found

    def do_nothing(self, _number: int, _places: list[Any]) -> None:
        """Do no more than to make the layer."""

    def do_call(self, number: int, method: str, places: list[Any]) -> dict[str, Any]:
        """Call a method."""
        return self.described(self.kept[number].call(method, *map(self.found, places)))

    def do_call_and_hold(self, number: int, method: str, numbers: list[int], places: list[Any]) -> int | None:
        """Call a method, and hold each item of what it returns."""
        result = self.kept[number].call_and_hold(method, *map(self.found, places))
        items = result if isinstance(result, tuple) else (result,)
        self.kept |= dict(zip(numbers, items, strict=False))
        return min(len(items), len(numbers)) if isinstance(result, tuple) else None

    def do_get(self, number: int, name: str, _places: list[Any]) -> dict[str, Any]:
        """Return an attribute."""
        return self.described(self.kept[number].get(name))

    def do_get_held(self, number: int, name: str, held: int, _places: list[Any]) -> None:
        """Hold an attribute."""
        self.kept[held] = self.kept[number].get_held(name)

    def do_set(self, number: int, name: str, places: list[Any]) -> None:
        """Set an attribute."""
        self.kept[number].set(name, *map(self.found, places))

    def do_sharing(self, number: int, places: list[Any]) -> list[tuple[int, int]]:
        """Return the pairs of these arrays that share memory."""
        pairs: list[tuple[int, int]] = self.kept[number].sharing([*map(self.found, places)])
        return pairs

    def do_read(self, number: int) -> dict[str, Any]:
        """Return an array that is held."""
        return self.described(self.kept[number].read())

    def do_write(self, number: int, force: bool) -> None:
        """Write into an array that is held."""
        self.kept[number].write(next(self.given), force=force)

    def raised(self, error: BaseException) -> dict[str, Any]:
        """Return an error as the parent has it; of a result without the axes of its layout, which result it is."""
        described = super().raised(error)
        if isinstance(error, PropertyFailed):
            described["where"] = SEPARATOR.join([error.kind, error.array])
        return described

    def where(self, error: BaseException) -> str:
        """Return the line of the layer at which an error was raised."""
        file, line = line_of(error)
        return f"{file}, line {line}" if line else ""


def _tupled(value: Any) -> Any:
    """Return a setting as it was before it travelled as JSON, which has no tuples."""
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _uses_jax(make: Callable[..., Any]) -> bool:
    """Say whether JAX, or something of it, is a name of the module that `make` is from."""
    names = vars(sys.modules[make.__module__]).values() if getattr(make, "__module__", None) in sys.modules else ()
    origins = (getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in names)
    return any(str(origin).split(".")[0] in ("jax", "jaxlib") for origin in origins)


def _memory_now() -> int:
    """Return the bytes of address space of this process; 0 if that is not known."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 40
