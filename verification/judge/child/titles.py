"""Runs the script of question 5 (hw4_mnist.py) with MNIST in the place where it looks, and takes what it shows.

Whatever stands in for the screen, the network or an old matplotlib is here; what it all means, the parent decides.
"""

import gzip
import random
import shutil
import sys
import types
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = "mnist-batches-py"
"""Where one published form of the script reads its files; the other asks keras."""

SHOWN = 24
"""Pictures taken from a script, at most."""

SIZE, TEXT = 4 * 28 * 28, 200
"""Numbers in a picture and characters in a title, at most."""

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")
"""What Python calls a use of the network."""


class Screen:
    """Keeps each picture, and the title that it had when it was last to be seen."""

    def __init__(self) -> None:
        self.seen: dict[tuple[Any, bytes], tuple[Any, str]] = {}

    def look(self, figure: Any) -> None:
        """Take the pictures of a figure: of each axes the one on top."""
        for axes in figure.axes:
            if not axes.images:
                continue
            values = np.array(axes.images[-1].get_array())
            key = axes.images[-1], values.tobytes()
            if values.dtype.kind in "fiub" and values.size <= SIZE and (key in self.seen or len(self.seen) < SHOWN):
                title = " ".join(axes.get_title(loc=where) for where in ("left", "center", "right"))
                self.seen[key] = values, title.strip()[:TEXT]


def shown(source: bytes, filename: str, seed: int, data: str) -> tuple[list[Any], dict[str, Any], BaseException | None]:
    """Run the script without a screen; return the pictures that it shows, their titles, and what it raised.

    data    the directory of the four files, named as in the assignment, unless FOLDER is there already
    """
    try:
        code = compile(source, filename, "exec", dont_inherit=True)
    except BaseException as error:
        return [], {"titles": [], "network": False}, error
    if not Path(FOLDER).exists():
        shutil.copytree(data, FOLDER)  # a copy, since the script may write into it
    _offer_keras(Path(FOLDER).absolute())
    asked: list[str] = []
    sys.addaudithook(lambda event, _: asked.append(event) if event in NETWORK and not asked else None)
    screen, raised = Screen(), None
    look = _without_a_screen(screen)
    names = {"__name__": "__main__", "__file__": str(Path(filename).absolute())}
    np.random.seed(seed)
    random.seed(seed)
    try:
        exec(code, names)
    except BaseException as error:  # after it showed its pictures, maybe
        raised = error
    look()
    content = {"titles": [title for _, title in screen.seen.values()], "network": bool(asked)}
    return [values for values, _ in screen.seen.values()], content, raised


def _without_a_screen(screen: Screen) -> Any:
    """Have matplotlib show on this screen, whatever else is asked for; return what looks at all open figures."""
    import matplotlib as mpl
    from matplotlib import pyplot
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.figure import Figure

    pyplot.switch_backend("agg")

    def look() -> None:
        numbers = pyplot.get_fignums()
        for number in [*numbers, pyplot.gcf().number] if numbers else []:  # the current one last: it stays current
            screen.look(pyplot.figure(number))

    def show(*_given: object, block: bool | None = None, **_named: object) -> None:
        look()
        if block or (block is None and not pyplot.isinteractive()):
            pyplot.close("all")  # as the user would, for the script to go on

    save = Figure.savefig

    def savefig(figure: Any, *args: Any, **kwargs: Any) -> Any:
        screen.look(figure)
        return save(figure, *args, **kwargs)

    stand_ins: list[tuple[Any, str, Any]] = [
        (mpl, "use", lambda *_args, **_kwargs: None),
        (pyplot, "switch_backend", lambda *_args, **_kwargs: None),
        (pyplot, "show", show),
        (pyplot, "pause", lambda *_args, **_kwargs: look()),
        (pyplot, "subplot", _as_it_was(pyplot.subplot, 0)),
        (Figure, "add_subplot", _as_it_was(Figure.add_subplot, 1)),
        (Figure, "show", lambda figure, *_args, **_kwargs: screen.look(figure)),
        (Figure, "savefig", savefig),
        (FigureCanvasBase, "start_event_loop", lambda *_args, **_kwargs: None),  # no user to wait for
    ]
    for owner, name, function in stand_ins:
        setattr(owner, name, function)
    return look


def _as_it_was(subplot: Any, before: int) -> Any:
    """Return what takes a place as matplotlib did: '130' too, a text, and of a place 0, counted from 1, the last.

    before    arguments before the place
    """

    def accepting(*args: Any, **kwargs: Any) -> Any:
        place = str(args[-1]) if len(args) == before + 1 else ""
        if len(place) == 3 and place.isdecimal():
            rows, columns, at = map(int, place)
            args = (*args[:before], rows, columns, at or rows * columns)
        return subplot(*args, **kwargs)

    return accepting


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

    for root in (("keras",), ("tensorflow", "tensorflow.keras")):
        names = [*root, f"{root[-1]}.datasets", f"{root[-1]}.datasets.mnist"]
        modules = [types.ModuleType(name) for name in names]
        for module in modules:
            module.__path__ = []
            sys.modules[module.__name__] = module
        for package, module in pairwise(modules):
            setattr(package, module.__name__.rpartition(".")[2], module)
        modules[-1].load_data = load_data  # type: ignore[attr-defined]
