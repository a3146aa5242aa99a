"""A child process: started with limits, asked with a deadline, and ended with all that it started."""

import contextlib
import fcntl
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar, Protocol

from verification.case import Array
from verification.failure import Stopped
from verification.judge import sandbox
from verification.judge.child import protocol

OUTPUT = 64 << 10
"""Bytes kept of what a child prints."""

ANSWER = 64 << 20
"""Bytes that the arrays of an answer may have, beside 64 times those of the question."""

THREADS = 64
"""Threads that a child may have in a sandbox; without one, all of the user's count."""

START = 30.0
"""Seconds a child may take to start, before it meets the submission."""


@dataclass(frozen=True)
class Limits:
    """What a child may use: seconds for one call and of processor time in all, bytes of address space."""

    timeout: float = 5.0
    memory: int = 2 << 30
    seconds: int = 600
    sandbox: bool | None = None
    """Whether bubblewrap is used: True, or nothing runs; False, never; None, where it works."""
    given: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Files and directories that it may read in the sandbox, by the place where it finds them."""


class SandboxError(RuntimeError):
    """A sandbox was required, and there is none."""


class Running(Protocol):
    """A process that was started, as subprocess has it."""

    pid: int
    stdin: IO[bytes] | None

    def wait(self, timeout: float | None = None) -> int: ...  # noqa: D102
    def kill(self) -> None: ...  # noqa: D102


class Child:
    """One child process.

    isolation    how it is kept apart, in words
    output       the first that it printed
    late         whether it was ended for taking too long
    """

    option: ClassVar[str] = " (--timeout)"
    """What a finding says of how to allow more time."""

    needs_folder: ClassVar[bool] = True
    """Whether it works in an empty folder of its own, where no sandbox gives it one."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.isolation, self.output, self.late = limits, "", bytearray(), False
        self._process: Running | None = None
        self._pending, self._waiting = memoryview(b""), False
        wrapped = sandbox.bubblewrap(limits.given) if limits.sandbox is not False else None
        if wrapped and self._start(wrapped):
            return
        if limits.sandbox:
            why = "it does not work here" if wrapped else "it is not installed (Debian's package bubblewrap)"
            raise SandboxError(f"a sandbox is required, and needs bubblewrap: {why}")
        if not self._start([]):
            raise SandboxError(f"the child process does not start: {self.output.decode(errors='replace')[-500:]}")

    def ask(
        self, question: Mapping[str, Any], arrays: Sequence[Array], doing: str, timeout: float | None = None
    ) -> tuple[dict[str, Any], list[Array]]:
        """Return the answer to a question; raise Stopped, with the child gone, if there is none.

        doing      what the child does, for the finding: "forward"
        timeout    seconds that it may take
        """
        if self._process is None:
            raise Stopped(f"{doing}: the process of the layer has ended before")
        nonce = secrets.token_hex(16)
        limit = ANSWER + 64 * sum(array.nbytes for array in arrays)
        seconds = self.limits.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        self._pending = memoryview(protocol.pack({**question, "nonce": nonce}, arrays))
        try:
            with contextlib.suppress(OSError):  # the child is gone, as the answer will say
                self._write()
            header, returned = protocol.read(lambda count: self._exactly(count, deadline), limit)
        except protocol.FrameError as error:
            self.stop()
            raise Stopped(f"{doing} wrote something else than an answer to the judge: {error}") from None
        except TimeoutError:
            self.late = True
            self.stop()
            raise Stopped(f"{doing} did not return within {seconds:g} s{self.option}") from None
        except (EOFError, OSError):
            raise Stopped(self._end(doing)) from None
        if header.get("nonce") != nonce:
            self.stop()
            raise Stopped(f"{doing} was answered before it was asked: the answer is to another question")
        return header, returned

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process is not None

    def stop(self) -> None:
        """End the process and all that it started, and remove its files."""
        if self._process is not None:
            self._drain()
            self._end_all()
            self._process = None

    # Starting

    def _start(self, wrapped: list[str]) -> bool:
        """Start the child and wait for its first word; return whether it came."""
        folder = tempfile.mkdtemp(prefix="layerproof-") if self.needs_folder and not wrapped else None
        answers, written = os.pipe()
        output, printed = os.pipe()
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(answers, fcntl.F_SETPIPE_SZ, 1 << 20)
        process = self._run(wrapped, written, printed, folder)
        assert process.stdin
        self._process = process
        self._end_all = weakref.finalize(self, _end_all, process, (answers, output), folder)
        for end in (written, printed):
            os.close(end)
        self._questions, self._answers, self._output = process.stdin.fileno(), answers, output
        for end in (self._questions, answers, output):
            os.set_blocking(end, False)
        self._poll = select.poll()
        for end in (answers, output):
            self._poll.register(end, select.POLLIN)
        try:
            deadline = time.monotonic() + START
            header, _ = protocol.read(lambda count: self._exactly(count, deadline), 0)
        except (EOFError, OSError, TimeoutError, protocol.FrameError):
            self.stop()
            return False
        self.isolation = sandbox.BUBBLEWRAP if wrapped else sandbox.LIMITS_ONLY
        if missing := header.get("missing"):
            self.isolation += f"; not limited here: {', '.join(missing)}"
        return True

    def _run(self, wrapped: list[str], written: int, printed: int, folder: str | None, /) -> Running:
        """Start the process: its answers go to `written`, its prints to `printed`."""
        threads = THREADS if wrapped else 64 * THREADS
        given = (written, self.limits.memory, self.limits.seconds, threads)
        arguments = [*map(str, given), *sandbox.packages()]
        return subprocess.Popen(
            [*wrapped, sys.executable, "-I", str(sandbox.WORKER), *arguments],
            stdin=subprocess.PIPE, stdout=printed, stderr=printed, pass_fds=(written,),
            start_new_session=True, cwd=folder or "/", env=sandbox.environment(folder or sandbox.INSIDE),
        )  # fmt: skip

    # Reading and writing

    def _exactly(self, count: int, deadline: float) -> bytearray:
        """Return the next bytes of the answer, while writing what is left of the question; TimeoutError if too late."""
        data = bytearray(count)
        rest = memoryview(data)
        while rest:
            if self._pending:
                self._write()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            ready = [end for end, _ in self._poll.poll(left * 1000)]
            if self._output in ready:
                self._drain()
            if self._answers not in ready:
                continue
            got = os.readv(self._answers, [rest])
            if not got:
                raise EOFError
            rest = rest[got:]
        return data

    def _write(self) -> None:
        """Write of the question what the pipe takes; have poll say when it takes more."""
        with contextlib.suppress(BlockingIOError):
            self._pending = self._pending[os.write(self._questions, self._pending[: 1 << 20]) :]
        if self._pending:
            self._poll.register(self._questions, select.POLLOUT)
        elif self._waiting:
            self._poll.unregister(self._questions)
        self._waiting = bool(self._pending)

    def _drain(self) -> None:
        """Read what the child printed, and keep the first of it."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                part = os.read(self._output, 1 << 16)
                if not part:
                    with contextlib.suppress(KeyError):  # met before
                        self._poll.unregister(self._output)
                    break
                self.output += part[: OUTPUT - len(self.output)]

    def _end(self, doing: str) -> str:
        """Say how the child ended that no longer answers."""
        process = self._process
        assert process
        try:
            status = process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.stop()
            return f"{doing} closed the pipe to the judge"
        self.stop()
        number = -status if status < 0 else status - 128  # bubblewrap, like a shell, adds 128 to a signal's number
        if number in signal.valid_signals():
            what = signal.strsignal(number) or ""
            return f"{doing} ended its process: killed by signal {number} ({what.lower()})"
        return f"{doing} ended its process with exit status {status}: os._exit, or the like"


def _end_all(process: Running, ends: Sequence[int], folder: str | None) -> None:
    """Kill the process and its group, which is of its own, and remove its folder."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    assert process.stdin
    with contextlib.suppress(OSError):
        process.stdin.close()
    for end in ends:
        os.close(end)
    if folder:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except RecursionError:  # folders in folders in folders
            subprocess.run(["rm", "-rf", folder], check=False)
