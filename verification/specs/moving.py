"""Layers that move entries of an image (c, h, w) and compute nothing: upsampling, pixel shuffle, padding with zeros.

Each is a table: for every entry of y the place in the image from which it comes, or OUTSIDE for a zero.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import Choices, Make, batch, counts, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial

OUTSIDE = -1
SQUARE = (("height", "width"),)
Sides = tuple[int, int, int]
Source = Callable[..., tuple[int, int, int] | None]
"""Called with the place (channel, row, column) of an entry of y, the sides of x and the settings, returns the place in
x from which it comes, or None for a zero."""


def upsampling2d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of upsampling to the nearest neighbour: x (n, c, h, w) -> y (n, c, s h, s w).

    implementation(scale_factor) makes the layer: the class itself or a function; scale_factor is the whole
    number s. Each entry of x becomes a square of s x s. Keywords restrict what is tried (`verification.choices`):
    scale_factor, batch, channels, height, width; square=True.
    """
    table = {
        "batch": batch(1, 2), "channels": side(1, 1, 2), "height": side(2, 1, 3), "width": side(3, 1, 3),
        "scale_factor": counts(1, 3),
    }  # fmt: skip
    choices = Choices("upsampling2d", only, table, SQUARE, make=implementation)

    def case(batch: int, channels: int, height: int, width: int, scale_factor: int, seed: int) -> Case:
        x = whole("x", seed, (batch, channels, height, width))
        return Case({"x": x}, {"scale_factor": scale_factor}, seed)

    return _moving(
        choices, implementation, case, {"batch": 4, "channels": 3, "height": 9, "width": 8, "scale_factor": 3},
        lambda sides, scale_factor: (sides[0], scale_factor * sides[1], scale_factor * sides[2]),
        lambda at, sides, scale_factor: (at[0], at[1] // scale_factor, at[2] // scale_factor),
        (
            ("axes-swapped", "is of x repeated as a whole (tile); each entry should be repeated (repeat)",
             lambda at, sides, scale_factor: (at[0], at[1] % sides[1], at[2] % sides[2])),
        ),
        (
            Mistake("wrong-operation", "y", "y has zeros between the entries of x; each should be repeated",
                    lambda t: t.y * _first_of_blocks(t)),
            Mistake("scaled", "dLdx", "dLdx is the mean of dLdy over each square; it should be the sum",
                    lambda t: t.gradient(t.dLdy)["x"] / t.case.settings["scale_factor"] ** 2),
            Mistake("not-accumulated", "dLdx", "dLdx takes dLdy at the first entry of each square; add up all of it",
                    lambda t: t.gradient(t.dLdy * _first_of_blocks(t))["x"]),
            Mistake("not-accumulated", "dLdx", "dLdx takes dLdy at the last entry of each square; add up all of it",
                    lambda t: t.gradient(t.dLdy * _first_of_blocks(t)[::-1, ::-1])["x"]),
        ),
    )  # fmt: skip


def pixel_shuffle(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of pixel shuffle: x (n, c r r, h, w) -> y (n, c, h r, w r).

    implementation(upscale_factor) makes the layer: the class itself or a function; upscale_factor is r.
    y[n, c, h r + i, w r + j] is x[n, c r r + i r + j, h, w].
    Keywords restrict what is tried (`verification.choices`): upscale_factor, batch, channels (of y), height and width
    (of x); square=True.
    Source: documentation of torch.nn.PixelShuffle, of Shi et al., Real-time single image and video (2016).
    """
    table = {
        "batch": batch(1, 2),
        "channels": counts(1, 2, of=lambda case: case.arrays["x"].shape[1] // case.settings["upscale_factor"] ** 2),
        "height": side(2, 1, 3), "width": side(3, 1, 4), "upscale_factor": counts(1, 3),
    }  # fmt: skip
    choices = Choices("pixel_shuffle", only, table, SQUARE, make=implementation)

    def case(batch: int, channels: int, height: int, width: int, upscale_factor: int, seed: int) -> Case:
        x = whole("x", seed, (batch, channels * upscale_factor**2, height, width))
        return Case({"x": x}, {"upscale_factor": upscale_factor}, seed)

    def source(at: Sides, _sides: Sides, upscale_factor: int) -> Sides:
        (channel, row, column), r = at, upscale_factor
        return channel * r * r + row % r * r + column % r, row // r, column // r

    return _moving(
        choices, implementation, case, {"batch": 4, "channels": 2, "height": 6, "width": 5, "upscale_factor": 2},
        lambda sides, upscale_factor: (
            sides[0] // upscale_factor**2, upscale_factor * sides[1], upscale_factor * sides[2]),
        source,
        (
            ("axes-swapped", "has rows and columns within each square swapped",
             lambda at, sides, upscale_factor: (
                 source((at[0], at[2], at[1]), sides, upscale_factor)[0], at[1] // upscale_factor,
                 at[2] // upscale_factor)),
            ("channels-mixed", "has the channels of y run fastest in x, as in TensorFlow's depth_to_space",
             lambda at, sides, upscale_factor: (
                 (at[1] % upscale_factor * upscale_factor + at[2] % upscale_factor)
                 * (sides[0] // upscale_factor**2) + at[0], at[1] // upscale_factor, at[2] // upscale_factor)),
            ("axes-swapped", "is reshaped, without the transpose that belongs before it",
             lambda at, sides, upscale_factor: _same_place(
                 at, (sides[0] // upscale_factor**2, upscale_factor * sides[1], upscale_factor * sides[2]), sides)),
            ("axes-swapped", "puts each of the r r channels in a block of its own, side by side",
             lambda at, sides, upscale_factor: (
                 at[0] * upscale_factor**2 + at[1] // sides[1] * upscale_factor + at[2] // sides[2],
                 at[1] % sides[1], at[2] % sides[2])),
        ),
    )  # fmt: skip


def zero_padding2d(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a frame of zeros: x (n, c, h, w) -> y (n, c, top + h + bottom, left + w + right).

    implementation(top, bottom, left, right) makes the layer: the class itself or a function.
    Keywords restrict what is tried (`verification.choices`): these four, batch, channels, height, width; square=True.
    """
    table = {
        "batch": batch(1, 2), "channels": side(1, 1, 2), "height": side(2, 1, 3), "width": side(3, 1, 3),
        **dict.fromkeys(("top", "bottom", "left", "right"), counts(0, 2, least=0)),
    }  # fmt: skip
    choices = Choices("zero_padding2d", only, table, SQUARE, make=implementation)

    def case(batch: int, channels: int, height: int, width: int, seed: int, **frame: int) -> Case:
        return Case({"x": whole("x", seed, (batch, channels, height, width))}, frame, seed)

    def source(at: Sides, sides: Sides, top: int, left: int, **_others: int) -> Sides | None:
        place = at[0], at[1] - top, at[2] - left
        return place if 0 <= place[1] < sides[1] and 0 <= place[2] < sides[2] else None

    def nearest(at: Sides, sides: Sides, top: int, left: int, **_others: int) -> Sides:
        return at[0], min(max(at[1] - top, 0), sides[1] - 1), min(max(at[2] - left, 0), sides[2] - 1)

    return _moving(
        choices, implementation, case,
        {"batch": 4, "channels": 3, "height": 9, "width": 8, "top": 1, "bottom": 3, "left": 0, "right": 2},
        lambda sides, top, bottom, left, right: (sides[0], top + sides[1] + bottom, left + sides[2] + right),
        source,
        (
            ("shifted", "has the padding before and after x the wrong way round",
             lambda at, sides, top, bottom, left, right: source(at, sides, bottom, right)),
            ("shifted", "has all the padding after x",
             lambda at, sides, top, bottom, left, right: source(at, sides, 0, 0)),
            ("shifted", "has all the padding before x",
             lambda at, sides, top, bottom, left, right: source(at, sides, top + bottom, left + right)),
            ("axes-swapped", "takes left for top, and top for left",
             lambda at, sides, top, bottom, left, right: source(at, sides, left, top)),
            ("padding-value", "has a frame that repeats the edge of x; it should be of zeros", nearest),
        ),
    )  # fmt: skip


def _moving(
    choices: Choices, make: Callable[..., Any], case: Make, realistic: dict[str, int],
    sides_of_y: Callable[..., Sides], source: Source, mistakes: tuple[tuple[str, str, Source], ...],
    more: tuple[Mistake, ...] = (),
) -> LayerSpec:  # fmt: skip
    """Return the spec; each mistake is another source, of y or of dLdx."""

    def table(x: Array, source: Source = source, **settings: Any) -> Array:
        """Return, for every entry of an image of y, its place in that of x, counted with the last index fastest."""
        sides: Any = x.shape[1:]
        places = np.full(sides_of_y(sides, **settings), OUTSIDE)
        for at in np.ndindex(places.shape):
            if (found := source(at, sides, **settings)) is not None:
                places[at] = np.ravel_multi_index(found, sides)
        return places

    def moved(x: Array, places: Array) -> Array:
        return np.array([np.append(image.ravel(), 0.0)[places] for image in x]).reshape(len(x), *places.shape)

    def moved_back(dLdy: Array, places: Array, shape: tuple[int, ...]) -> Array:
        """Return dLdx: what comes from an entry goes back to it."""
        dLdx = np.zeros((shape[0], int(np.prod(shape[1:])) + 1))  # the last one for the zeros
        for image, upstream in zip(dLdx, dLdy, strict=True):
            np.add.at(image, places, upstream)
        return dLdx[:, :-1].reshape(shape)

    def mistake(family: str, array: str, sentence: str, other: Source) -> Mistake:
        def wrong(trial: Trial) -> Array | None:
            try:
                places = table(trial.x, other, **trial.case.settings)
            except ValueError:  # beyond x: the layer has an index error
                return None
            return moved(trial.x, places) if array == "y" else moved_back(trial.dLdy, places, trial.x.shape)

        return Mistake(family, array, f"{array} {sentence}", wrong)

    def reference(x: Array, **settings: Any) -> Array:
        """Source: the definition, entry by entry."""
        return moved(x, table(x, **settings))

    def upstream(case: Case, axis: int) -> Array:
        return grown(reference(case.arrays["x"], **case.settings), axis)

    spec = LayerSpec(
        name=choices.spec,
        make=make,
        cases=choices.cases(case),
        reference=reference,
        affine_in=("x",),
        terms=lambda **_: 1,
        realistic=choices.realistic(case, **realistic),
        bad_arguments=(
            forward_of("forward, x of rank 3", lambda case: case.arrays["x"][0]),
            backprop_of("backprop, dLdy of the shape of a larger y", lambda case: upstream(case, 2)),
            backprop_of("backprop, dLdy of another batch size", lambda case: upstream(case, 0)),
        ),
        gradient=lambda dLdy, x, **settings: {"x": moved_back(dLdy, table(x, **settings), x.shape)},
        mistakes=(*(mistake(row[0], array, *row[1:]) for row in mistakes for array in ("y", "dLdx")), *more),
    )  # fmt: skip
    return choices.applied(spec)


def _same_place(at: Sides, sides_of_y: Sides, sides: Sides) -> Any:
    """Return the place in x that is counted as this one is in y, with the last index fastest."""
    return np.unravel_index(np.ravel_multi_index(at, sides_of_y), sides)


def _first_of_blocks(trial: Trial) -> Array:
    """Return 1 at the first entry of each square of y, (rows, columns), and 0 elsewhere."""
    s = trial.case.settings["scale_factor"]
    return np.kron(np.ones(trial.x.shape[2:]), np.outer(np.arange(s) == 0, np.arange(s) == 0))
