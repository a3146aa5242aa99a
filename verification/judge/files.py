"""Files that appear whole or not at all."""

import os
import shutil
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, by way of another that takes its place when it is complete; OSError if that cannot be.

    What is no regular file (a pipe, a device) is written to as it is; a link to a file stays one.
    """
    data = content.encode() if isinstance(content, str) else content
    target = path if path.exists() and not path.is_file() else path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(data)
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
