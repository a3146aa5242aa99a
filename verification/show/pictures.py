"""Heat maps of an array that is wrong: what it should be, what it is, and the difference, however large or odd."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from verification.case import Array
from verification.trial import ROUNDING

SIDE, TILES, ENTRIES = 32, 9, 400
"""Of a large array, pictures show this many rows and columns of one slice, or more slices of so many entries in all."""

WIDTH = 300
"""Pixels in which the slices of a picture stand side by side: two or three such pictures fit on a line."""

NUMBERED = 64
"""A picture of more entries than this shows no numbers."""

INK = "#010203"
"""Stands in a drawing for the colour of text, which is not the same in the light and in the dark."""

THEME = ":root{--ink:#1d2127}@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee}}"
MINUS = "\N{MINUS SIGN}"
ABOVE, BELOW, NO_NUMBER = (0.93, 0.45, 0.05), (0.15, 0.48, 0.95), (0.5, 0.5, 0.5, 0.6)


@dataclass(frozen=True)
class Picture:
    """A drawing of an array: its caption, the SVG as a data URI, its width in pixels, and the same in words.

    legend    what its colours and frames mean, and how much of the array it shows
    """

    caption: str
    source: str
    width: int
    words: str
    legend: str


def pictures(name: str, actual: Array, expected: Array) -> tuple[Picture, ...]:
    """Draw what an array should be, what it is, and the difference; nothing if there is nothing to compare."""
    if actual.shape != expected.shape or not actual.size or actual.dtype.kind not in "biuf":
        return ()
    actual, expected = (np.atleast_2d(array.astype(float)) for array in (actual, expected))
    with np.errstate(all="ignore"):
        same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
        difference = np.where(same, 0.0, actual - expected)
        allowed = ROUNDING * max(1.0, float(np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0)))
        wrong = ~(np.abs(difference) <= allowed)
    if not wrong.any():
        wrong = difference != 0
    tiles = _tiles(wrong)
    scale = max(_largest(expected, tiles), _largest(actual, tiles))
    legend = _legend(actual.shape, tiles)

    def picture(caption: str, array: Array, scale: float, framed: Array | None = None) -> Picture:
        return Picture(
            caption, *_drawing(array, framed, tiles, scale), _words(caption, array, int(wrong.sum())), legend
        )

    return (
        picture(f"{name} should be", expected, scale),
        picture(f"{name} is", actual, scale, wrong),
        picture("difference", difference, _largest(difference, tiles)),
    )


Tile = tuple[Any, ...]
"""The index of a part of an array: numbers, then a slice of rows and a slice of columns."""


def _tiles(wrong: Array) -> list[Tile]:
    """Choose what is shown: slices with wrong entries before others, and of each the part around the first."""
    *lead, height, width = wrong.shape
    rows, columns = min(height, SIDE), min(width, SIDE)
    slices = wrong.reshape(-1, height, width)
    count = max(1, min(TILES, ENTRIES // (rows * columns)))
    chosen = np.sort(np.argsort(~slices.any(axis=(1, 2)), kind="stable")[:count])
    tiles = []
    for i in chosen:
        row, column = np.unravel_index(slices[i].argmax(), (height, width))
        top = int(np.clip(row - rows // 2, 0, height - rows))
        left = int(np.clip(column - columns // 2, 0, width - columns))
        index = (int(k) for k in np.unravel_index(i, lead)) if lead else ()
        tiles.append((*index, slice(top, top + rows), slice(left, left + columns)))
    return tiles


def _size(tile: Tile) -> tuple[int, int]:
    rows, columns = tile[-2:]
    return rows.stop - rows.start, columns.stop - columns.start


def _numbered(tiles: list[Tile]) -> bool:
    rows, columns = _size(tiles[0])
    return rows * columns * len(tiles) <= NUMBERED and columns <= 6


def _legend(shape: tuple[int, ...], tiles: list[Tile]) -> str:
    slices = int(np.prod(shape[:-2]))
    legend = "Orange is above zero, blue below, the stronger the further."
    if _numbered(tiles):
        legend += " What is wrong has a frame."
    if len(tiles) < slices:
        legend += f" Shown: {len(tiles)} of {slices} slices."
    if shape[-2:] != _size(tiles[0]):
        legend += f" Of {shape[-2]} x {shape[-1]} entries, those around the first that is wrong."
    return legend


def _largest(array: Array, tiles: list[Tile]) -> float:
    shown = np.array([array[tile] for tile in tiles])
    return float(np.max(np.abs(shown[np.isfinite(shown)]), initial=0.0)) or 1.0


def _words(caption: str, array: Array, wrong: int) -> str:
    if array.size > NUMBERED:
        return f"{caption}: an array of shape {array.shape}, {wrong} entries of which are wrong"
    return f"{caption}: {array.tolist()}"


def _drawing(array: Array, framed: Array | None, tiles: list[Tile], scale: float) -> tuple[str, int]:
    """Return the heat map as a data URI, and its width; entries that are framed have a line around them."""
    rows, columns = _size(tiles[0])
    numbers = _numbered(tiles)
    w, h = (44, 32) if numbers else (14, 14) if columns <= 16 else (8, 8)
    left, top, gap = 24, 34 if tiles[0][:-2] else 18, 8
    across = max(1, min(len(tiles), WIDTH // (left + columns * w + gap)))
    width, height = across * (left + columns * w + gap), -(-len(tiles) // across) * (top + rows * h + gap)
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    axes.axis("off")

    def write(x: float, y: float, text: str, size: int = 10, **how: Any) -> None:
        axes.text(x, y, text, color=INK, fontsize=size, va="center", **how)

    for k, tile in enumerate(tiles):
        *index, of_rows, of_columns = tile
        part = array[tile]
        x = left + k % across * (left + columns * w + gap)
        y = top + k // across * (top + rows * h + gap)
        right, bottom = x + columns * w, y + rows * h
        axes.imshow(_colours(part, scale), extent=(x, right, bottom, y), interpolation="none", aspect="auto")
        axes.hlines(np.arange(y, bottom + 1, h), x, right, color=INK, alpha=0.3, linewidth=0.6)
        axes.vlines(np.arange(x, right + 1, w), y, bottom, color=INK, alpha=0.3, linewidth=0.6)
        if index:
            write(x, y - 25, f"[{', '.join(map(str, index))}]", size=11)
        for j in range(columns) if numbers else sorted({0, columns - 1}):
            write(x + (j + 0.5) * w, y - 9, str(of_columns.start + j), ha="center", alpha=0.7)
        for i in range(rows) if numbers else sorted({0, rows - 1}):
            write(x - 5, y + (i + 0.5) * h, str(of_rows.start + i), ha="right", alpha=0.7)
        for i, j in np.ndindex(part.shape) if numbers else ():
            text = short(float(part[i, j]))
            write(x + (j + 0.5) * w, y + (i + 0.5) * h, text, size=13 if len(text) < 6 else 10, ha="center")
            if framed is not None and framed[tile][i, j]:
                axes.plot(*_box(x + j * w, y + i * h, w, h), color=INK, linewidth=2)
    return _svg(figure), width


def _box(x: float, y: float, w: float, h: float) -> tuple[list[float], list[float]]:
    return [x + 2, x + w - 2, x + w - 2, x + 2, x + 2], [y + 2, y + 2, y + h - 2, y + h - 2, y + 2]


def _colours(part: Array, scale: float) -> Array:
    """Return colours (rows, columns, 4): one above zero, one below, the stronger the further; zero has none."""
    size = np.clip(np.abs(part / scale), 0, 1)
    colours = np.zeros((*part.shape, 4))
    colours[..., :3] = np.where((part > 0)[..., np.newaxis], ABOVE, BELOW)
    colours[..., 3] = np.where(part == 0, 0, 0.12 + 0.5 * size)
    colours[np.isnan(part)] = NO_NUMBER
    return colours


def short(value: float) -> str:
    """Return a number in about seven characters."""
    if abs(value) < 1e6 and value == int(value):
        return str(int(value)).replace("-", MINUS)
    return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e").replace("-", MINUS)


def _svg(figure: Figure) -> str:
    """Return the figure as a data URI, the same bytes for the same figure: no date, and no random names."""
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "layerproof", "svg.fonttype": "none", "image.composite_image": False}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue().replace(INK, "var(--ink)").replace("<style", f"<style>{THEME}</style><style", 1)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
