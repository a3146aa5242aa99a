"""The command that starts a child: with bubblewrap, which hides what the child has no business with, or without."""

import shutil
import sys
import sysconfig
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

WORKER = Path(__file__).parent / "child" / "worker.py"
BUBBLEWRAP = "bubblewrap: no network, nothing of this machine to be seen or written but Python"
LIMITS_ONLY = "limits only: files that you may read or write are open to it, and so is the judge's own memory"
INSIDE = "/tmp/submission"
SCRATCH = 64 << 20
"""Bytes that a submission may keep in files."""

OWN = ("layers", "mnist", "verification")
"""The import packages of this distribution."""

SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin",
    "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime",
)  # fmt: skip


def environment(folder: str) -> dict[str, str]:
    """Return all the environment that a child has."""
    # One thread, so that children side by side do not slow each other.
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "VECLIB", "NUMEXPR")}
    places = {"HOME": folder, "TMPDIR": folder, "PATH": "/usr/bin:/bin"}
    return {**places, "LANG": "C.UTF-8", "MPLBACKEND": "agg", **threads}


@lru_cache(maxsize=1)
def packages() -> tuple[str, ...]:
    """Return the directories from which NumPy and what submissions import are loaded."""
    found = [spec.origin for name in ("numpy", "scipy", "skimage", "matplotlib") if (spec := find_spec(name))]
    return tuple(dict.fromkeys(str(Path(origin).parents[1]) for origin in found if origin))


def bubblewrap(given: Mapping[str, str]) -> list[str] | None:
    """Return the command that runs another one in a sandbox, or None if bubblewrap is not installed.

    given    further files and directories that it may read, by the place where it finds them
    """
    program = shutil.which("bwrap")
    if not program:
        return None
    scheme = sysconfig.get_paths()
    python = [sys.prefix, sys.base_prefix, sys.exec_prefix, scheme["stdlib"], scheme["platstdlib"]]
    python += [str(Path(sys.executable).parent), str(Path(sys.executable).resolve().parents[1]), *packages()]
    visible = dict.fromkeys([*SYSTEM, *python])
    command = [program, "--unshare-all", "--unshare-user", "--cap-drop", "ALL", "--die-with-parent", "--new-session"]
    command += ["--dev", "/dev", "--remount-ro", "/dev", "--perms", "0755", "--size", str(SCRATCH), "--tmpfs", "/tmp"]
    command += ["--dir", INSIDE]
    for path in sorted(visible):  # a directory before what is in it
        if path not in ("/", "/tmp") and Path(path).exists():
            command += ["--ro-bind", path, path]
    for folder in packages():  # a submission has no use for this package: its layers are right
        for own in OWN:
            command += ["--tmpfs", str(Path(folder, own))] * Path(folder, own).exists()
    command += ["--ro-bind", str(WORKER.parent), str(WORKER.parent)]
    for place, path in given.items():
        command += ["--ro-bind", path, place]
    command += ["--remount-ro", "/", "--chdir", INSIDE, "--clearenv"]
    for name, value in environment(INSIDE).items():
        command += ["--setenv", name, value]
    return command
