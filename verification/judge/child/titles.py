"""Runs the script of question 5 (hw4_mnist.py) with MNIST in the place where it looks, and takes what it shows."""

import gzip
import random
import sys
import types
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = "mnist-batches-py"
"""Where one published form of the script reads its files; the other asks keras."""

SHOWN = 24
"""Images taken from a script, at most."""


def shown(source: bytes, filename: str, seed: int, data: str) -> tuple[list[Any], dict[str, Any]]:
    """Run the script without a screen; return the images that it shows, and their titles and what it raised.

    data    the directory of the four files, named as in the assignment
    """
    import matplotlib as mpl

    mpl.use("agg", force=True)
    from matplotlib import pyplot

    np.random.seed(seed)
    random.seed(seed)
    if not Path(FOLDER).exists():
        Path(FOLDER).symlink_to(data)
    _offer_keras(Path(data))
    found: list[tuple[Any, str]] = []

    def take(*_given: object, **_named: object) -> None:
        for number in pyplot.get_fignums():
            for axes in pyplot.figure(number).axes:
                if axes.images and len(found) < SHOWN:
                    title = " ".join(axes.get_title(loc=where) for where in ("left", "center", "right"))
                    found.append((np.array(axes.images[0].get_array()), title.strip()[:200]))
        pyplot.close("all")

    pyplot.show = take
    pyplot.subplot = _from_zero(pyplot.subplot)
    raised = None
    try:
        exec(compile(source, filename, "exec", dont_inherit=True), {"__name__": "__main__", "__file__": filename})
    except BaseException as error:
        raised = f"{type(error).__name__}: {error}"[:2000]
    take()
    found = [one for one in found if one[0].dtype.kind in "fiub" and one[0].size <= 28 * 28 * 4]
    return [image for image, _ in found], {"titles": [title for _, title in found], "raised": raised}


def _from_zero(subplot: Any) -> Any:
    """Return pyplot.subplot as it was when the assignment was written: places such as 130 counted from 0."""
    shift = 0

    def shifted(*args: Any, **kwargs: Any) -> Any:
        nonlocal shift
        if len(args) == 1 and str(args[0]).isdigit() and len(str(args[0])) == 3:
            rows, columns, at = map(int, str(args[0]))
            shift = 1 if at == 0 else shift
            return subplot(rows, columns, at + shift, **kwargs)
        return subplot(*args, **kwargs)

    return shifted


def _offer_keras(data: Path) -> None:
    """Put keras.datasets.mnist where an import finds it, with load_data() and nothing else."""

    def read(name: str, start: int, *shape: int) -> Any:
        with gzip.open(data / name) as file:
            return np.frombuffer(file.read(), np.uint8)[start:].reshape(shape).copy()

    def load_data(path: str = "mnist.npz") -> Any:
        del path
        return tuple(
            (
                read(f"{part}-images-idx3-ubyte.gz", 16, -1, 28, 28),
                read(f"{part}-labels-idx1-ubyte.gz", 8, -1),
            )
            for part in ("train", "t10k")
        )

    for root in ("keras", "tensorflow.keras"):
        names = [root, f"{root}.datasets", f"{root}.datasets.mnist"]
        if root != "keras":
            names.insert(0, "tensorflow")
        modules = [types.ModuleType(name) for name in names]
        for module, name in zip(modules, names, strict=True):
            module.__path__ = []
            sys.modules[name] = module
        for package, module in pairwise(modules):
            setattr(package, module.__name__.rpartition(".")[2], module)
        modules[-1].load_data = load_data  # type: ignore[attr-defined]
