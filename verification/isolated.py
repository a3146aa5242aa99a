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
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import update_wrapper
from itertools import count
from typing import IO, Any

from verification.adapters.objects import AdaptedObject
from verification.case import Array
from verification.failure import Crashed, Stopped
from verification.instance import Held
from verification.judge.child import worker
from verification.judge.process import Child, Limits, Running
from verification.judge.remote import RemoteLayer
from verification.judge.session import Budget, Session
from verification.layer import line_of
from verification.spec import LayerSpec, SpecError

TIMEOUT = 10.0
"""Seconds that one call may take."""

LAYER = "layer"
"""What the fork calls the one that makes layers."""


def isolated(spec: LayerSpec, timeout: float = TIMEOUT) -> LayerSpec:
    """Return the spec of the same layer in a fork of this process; OSError where processes cannot be forked.

    A call that ends the fork (a write out of bounds, os._exit) fails as one that raises does, and the next layer is
    made in a new fork. One that takes longer than `timeout` seconds ends what is being tried. Memory beyond 2 GiB
    above what this process has is refused, which raises MemoryError. SpecError for a layer that `adapted` has made, and
    for one whose module imports JAX, which waits in a fork for threads that are not there.
    """
    if not hasattr(os, "fork"):
        raise OSError("isolated=True needs os.fork, which this system does not have: leave it out, or use WSL")
    if isinstance(spec.make, AdaptedObject):
        raise SpecError(
            f"isolated is for a class or function, not for what adapted() has made of {spec.make.__name__}: leave"
            " one of the two out"
        )
    written = getattr(spec.make, "original", spec.make)
    if _uses_jax(written):
        raise SpecError(
            f"isolated=True forks this process, and JAX does not run in a fork: {written.__module__}, where"
            f" {getattr(written, '__name__', written)} is from, imports jax; leave isolated out"
        )
    return replace(spec, make=IsolatedMake(spec.make, Limits(timeout=timeout)))


class IsolatedMake:
    """Makes layers in a fork, which is replaced when it has ended; everything else is as of what it stands for."""

    def __init__(self, make: Callable[..., Any], limits: Limits) -> None:
        update_wrapper(self, make, updated=())
        self._limits, self._budget = limits, Budget(limits.timeout, "try fewer examples")
        self._numbers = count()
        self._session: Session | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["__wrapped__"], name)

    def __call__(self, *args: Any, **kwargs: Any) -> RemoteLayer:
        """Return a new layer."""
        self._budget.check()
        if self._session is None or not self._session.child.alive:
            self._session = Session(Fork(self._limits, make=self.__wrapped__), self._budget)
        return IsolatedLayer(self._session, self._numbers, LAYER, list(args), kwargs)


class IsolatedLayer(RemoteLayer):
    """A layer in the fork."""

    def _ask(
        self, doing: str, step: str, arguments: Sequence[Any], given: Sequence[Array | Held] = ()
    ) -> tuple[Any, list[Array]]:
        try:
            return super()._ask(doing, step, arguments, given)
        except Stopped as stopped:
            if self.session.child.late:
                raise
            raise Crashed(str(stopped)) from None


class Fork(Child):
    """The fork, as the judge's children are asked."""

    option = ""  # no command was given

    def __init__(self, limits: Limits, make: Callable[..., Any]) -> None:
        self.make = make
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
            worker.serve(questions, written, _Worker(self.make), [])
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
    def __init__(self, make: Callable[..., Any]) -> None:
        super().__init__()

        def made(*args: Any, **kwargs: Any) -> Any:
            return make(*map(_tupled, args), **{name: _tupled(value) for name, value in kwargs.items()})

        self.namespace = {LAYER: made}

    def where(self, error: BaseException) -> str:
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
