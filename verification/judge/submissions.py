"""What was handed in: each file or sub-folder of a folder is a submission."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from verification.judge.session import plain

LARGEST = 1 << 20
"""Bytes that a file may have."""

LAYERS = re.compile(rb"^\s*class\s+nn_(convolutional_layer|max_?pool(ing)?_layer)\b", re.MULTILINE)


class NothingHandedInError(ValueError):
    """A folder without submissions."""


@dataclass(frozen=True)
class HandedIn:
    """One submission: its name, and the name and bytes of the two files, None for one that is not there.

    problems    what is wrong with the files themselves, in words
    """

    name: str
    layers: tuple[str, bytes] | None
    titles: tuple[str, bytes] | None
    problems: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of its report and page, without a suffix: of letters that every file system takes."""
        plain_name = re.sub(r"[^\w.\- ]", "_", self.name).encode()[:100].decode(errors="ignore")
        if plain_name == self.name:
            return plain_name
        return f"{plain_name}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"


def handed_in(folder: Path) -> list[HandedIn]:
    """Return the submissions in a folder, by name; if hw4_nn.py or hw4_mnist.py lies in it, it is one itself.

    NothingHandedInError if there is none.
    """
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__")))
    if _is_one(entries):
        return [_submission(plain(folder.resolve().name), _python_files(folder))]
    found = []
    for entry in entries:
        if entry.is_symlink():
            found.append(HandedIn(plain(entry.name), None, None, ("it is a link, which is not followed",)))
        elif entry.is_dir():
            found.append(_submission(plain(entry.name), _python_files(entry)))
        elif entry.suffix.lower() == ".py":
            stem = plain(entry.stem)
            found.append(_submission(f"{stem}.py" if (folder / entry.stem).exists() else stem, [entry]))
    if not found:
        raise NothingHandedInError(
            f"{folder} should have a Python file or a sub-folder for each submission, but has neither"
        )
    return found


def _is_one(entries: list[Path]) -> bool:
    """Return whether these are the files of one submission, and not a class beside the teacher's own."""
    named = any(entry.name.lower() in ("hw4_nn.py", "hw4_mnist.py") for entry in entries)
    return named and not any(_python_files(entry) for entry in entries if entry.is_dir() and not entry.is_symlink())


def ignored(folder: Path) -> list[str]:
    """Return the names of files in a folder that are no submission: archives, say, that nobody has unpacked."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return [plain(entry.name) for entry in entries if entry.is_file() and entry.suffix.lower() != ".py"]


def _python_files(folder: Path) -> list[Path]:
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".py"):
        hidden = any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
        if not hidden and not path.is_symlink() and path.is_file():
            found.append(path)
    return found


def _submission(name: str, paths: list[Path]) -> HandedIn:
    """Return the submission of these files: by their names, or by what is in them."""
    problems, sources = [], {}
    for path in paths:
        try:
            if (size := path.stat().st_size) > LARGEST:
                problems.append(f"{plain(path.name)} has {size} bytes, more than the {LARGEST} that are read")
            else:
                sources[path] = path.read_bytes()
        except OSError as error:
            problems.append(f"{plain(path.name)} cannot be read: {error.strerror}")
    layers = _one("hw4_nn.py", "with the classes", [path for path in sources if LAYERS.search(sources[path])],
                  list(sources), problems)  # fmt: skip
    rest = {path: source for path, source in sources.items() if path != layers}
    titles = _one("hw4_mnist.py", "about MNIST", [path for path in rest if b"mnist" in rest[path].lower()],
                  list(rest), problems)  # fmt: skip
    if not sources and not problems:
        problems.append("there is no Python file")
    elif layers is None and titles is None and len(sources) == 1:  # whatever it is, it was meant to be the layers
        layers = next(iter(sources))
    chosen = [(plain(path.name), sources[path]) if path else None for path in (layers, titles)]
    return HandedIn(name, chosen[0], chosen[1], tuple(problems))


def _one(name: str, what: str, likely: list[Path], every: list[Path], problems: list[str]) -> Path | None:
    """Return the file of this name, or else the only one that is likely to be meant."""
    named = [path for path in every if path.name.lower() == name]
    found = named or likely
    if len(found) > 1:
        problems.append(
            f"there are {len(found)} files {what}: {', '.join(plain('/'.join(path.parts[-2:])) for path in found)}"
        )
        return None
    return found[0] if found else None
