"""What a call of a layer gives: an array, of the form that it should have, or an error that becomes a finding."""

import os
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from verification.case import Array
from verification.failure import Crashed, PropertyFailed

_FOLDER = os.path.dirname(__file__)
_ON_THE_WAY = ("answers.py", "layer.py", "instance.py", "isolated.py", f"adapters{os.sep}", f"judge{os.sep}")
_OURS = tuple(os.path.join(_FOLDER, name) for name in _ON_THE_WAY)
"""Files, and folders of files, whose lines are on the way to a layer."""


def guarded(name: str, call: Callable[[], Any]) -> Any:
    """Return what a call returns; PropertyFailed if it raises."""
    try:
        with np.errstate(all="ignore"):
            return call()
    except PropertyFailed:
        raise
    except (Exception, SystemExit) as error:
        raise raised(name, error) from error


def raised(name: str, error: BaseException) -> PropertyFailed:
    """Return the failure of a call that raised: its name, the error and, if it is known, the line of the layer."""
    name = getattr(error, "doing", name)  # what was asked for along with the call, in another process
    if isinstance(error, Crashed):
        return PropertyFailed(str(error)).about("raised", error=type(error).__name__)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    file, line = line_of(error)
    where = f" ({file}, line {line})" if line else ""
    return PropertyFailed(f"{name} raised {text}{where}").about("raised", error=type(error).__name__, line=line)


def line_of(error: BaseException) -> tuple[str, int | None]:
    """Return the file and line of the layer at which an error was raised, if there is such a line."""
    if hasattr(error, "where"):  # from another process
        file, _, line = str(error.where).rpartition(", line ")
        return file, int(line) if line.isdecimal() else None
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OURS)]
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return (os.path.basename(own[-1].filename), own[-1].lineno) if own else ("", None)


def real(what: str, value: Any, shown: Callable[[], str], dtype: type[np.floating] = np.float64) -> Array:
    """Return what a call returned; PropertyFailed unless it is an array of real numbers.

    shown    returns the expression of a script that gives it
    dtype    in which the layer works: what is computed from results in float32 is not to be rounded once more
    """
    if not isinstance(value, np.ndarray | np.generic):
        said = f"{what} returned {kind(value)}, but should return a NumPy array"
        raise PropertyFailed(said, shows=shown()).about("nothing" if value is None else "form")
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        said = f"{what} returned an array of {array.dtype}, but should return real numbers"
        raise PropertyFailed(said, shows=shown()).about("form")
    return array.astype(float) if array.dtype == np.float32 == dtype else array


def kind(value: Any) -> str:
    """Say what a value is that is not what it should be."""
    if value is None:
        return "None"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.ndarray):
        return "one array"
    return f"{type(value).__name__} {value!r:.40}"
