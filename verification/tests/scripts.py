"""Runs the script of a failure, and holds what it shows against what the message claims."""

import contextlib
import io
import re
from typing import Any

import numpy as np


def run(script: str, name: str, made: Any) -> tuple[Any, Exception | None]:
    """Run a script; return what its last line prints, if it prints, and what it raises, if it does."""
    lines = [line for line in script.splitlines() if not (name in line and "import" in line)]
    code = [line for line in lines if line and not line.startswith("#")]
    last = re.fullmatch(r"print\((.*)\)", code[-1])
    names: dict[str, Any] = {name: made}
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        before = "\n".join(lines[: lines.index(code[-1])])
        exec(compile(before, "script", "exec"), names)  # what raises is the last line
        try:
            exec(compile(code[-1], "script", "exec"), names)
        except Exception as error:
            return None, error
        return (eval(last[1], names) if last else None), None


def assert_shows(item: Any, script: str, name: str, made: Any) -> None:
    """Assert that what a script shows is what a failure says."""
    shown, error = run(script, name, made)
    message = item.message() if callable(item.message) else item.message
    if item.entries:
        assert error is None, (error, script)
        entry = item.entries[0]
        value = float(np.asarray(shown)[entry.index] if np.ndim(shown) else shown)
        assert value == entry.actual or (np.isnan(value) and np.isnan(entry.actual)), script
    elif "has shape" in message:
        assert error is None, (error, script)
        assert str(shown) == re.findall(r"\(\d*,?[^)]*\)", message.partition("has shape")[2])[0], script
    elif " raised " in message and not re.search("should raise|error should name", message):
        assert error is not None, script
        assert type(error).__name__ in message
        assert str(error).splitlines()[:1] == [] or str(error).splitlines()[0] in message
    elif "error should name" in message:
        assert error is not None, script
    elif "the same calls fail once" not in message and "should raise" not in message:
        assert error is None, (error, script)
        assert shown is not None or "returned None" in message, script
