"""Upsampling, pixel shuffle and padding with zeros: correct layers and planted bugs."""

from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.any_layer import ADJOINT, FORWARD, everywhere, row
from verification.catalogue.bug import Bug, Section
from verification.specs.moving import pixel_shuffle, upsampling2d, zero_padding2d


class Moving:
    """What the layers below share: x is an image, and dLdy has the shape of y."""

    def move(self, x: Array) -> Array:
        """x -> y, a new array."""
        raise NotImplementedError

    def move_back(self, dLdy: Array, shape: tuple[int, ...]) -> Array:
        """dLdy -> dLdx, a new array."""
        raise NotImplementedError

    def forward(self, x: Array) -> Array:
        """x (n, c, h, w) -> y."""
        if x.ndim != 4:
            raise ValueError(f"x should be (n, c, h, w), but its shape is {x.shape}")
        return self.move(x)

    def backprop(self, x: Array, dLdy: Array) -> Array:
        """x, dLdy -> dLdx."""
        if dLdy.shape != (shape := self.move(x).shape):
            raise ValueError(f"dLdy should have the shape of y, {shape}, but its shape is {dLdy.shape}")
        return self.move_back(dLdy, x.shape)


class Repeat(Moving):
    """A correct upsampling: repeat along both axes; sums over squares."""

    def __init__(self, scale_factor: int) -> None:
        self.s = scale_factor

    def move(self, x: Array) -> Array:
        """Repeat."""
        return x.repeat(self.s, axis=2).repeat(self.s, axis=3)

    def move_back(self, dLdy: Array, shape: tuple[int, ...]) -> Array:
        """Add up each square."""
        return np.asarray(dLdy.reshape(*shape[:2], shape[2], self.s, shape[3], self.s).sum(axis=(3, 5)))


class Kronecker(Repeat):
    """A correct upsampling: the Kronecker product with ones; strided slices, added up."""

    def move(self, x: Array) -> Array:
        """Multiply with ones."""
        return np.asfortranarray(
            np.kron(x, np.ones((1, 1, self.s, self.s), x.dtype)) if x.size else Repeat.move(self, x)
        )

    def move_back(self, dLdy: Array, shape: tuple[int, ...]) -> Array:
        """Add slices."""
        dLdx = np.zeros(shape, dLdy.dtype)
        for i, j in np.ndindex(self.s, self.s):
            dLdx += dLdy[:, :, i :: self.s, j :: self.s]
        return dLdx


class Shuffle(Moving):
    """A correct pixel shuffle: reshape, transpose, reshape."""

    order = (0, 1, 4, 2, 5, 3)

    def __init__(self, upscale_factor: int) -> None:
        self.r = upscale_factor

    def move(self, x: Array) -> Array:
        """Split the channels into (c, r, r)."""
        n, channels, h, w = x.shape
        c, r = channels // self.r**2, self.r
        return x.reshape(n, c, r, r, h, w).transpose(self.order).reshape(n, c, h * r, w * r).copy()

    def move_back(self, dLdy: Array, shape: tuple[int, ...]) -> Array:
        """Undo it."""
        n, channels, h, w = shape
        c, r = channels // self.r**2, self.r
        split = dLdy.reshape(n, c, h, r, w, r)
        return split.transpose(0, 1, 3, 5, 2, 4).reshape(shape).copy()


class ShuffleBySlices(Shuffle):
    """A correct pixel shuffle: every r-th row and column at a time."""

    def move(self, x: Array) -> Array:
        """Write slices."""
        n, channels, h, w = x.shape
        y = np.zeros((n, channels // self.r**2, h * self.r, w * self.r), x.dtype, order="F")
        for i, j in np.ndindex(self.r, self.r):
            y[:, :, i :: self.r, j :: self.r] = x[:, i * self.r + j :: self.r**2]
        return y

    def move_back(self, dLdy: Array, shape: tuple[int, ...]) -> Array:
        """Read slices."""
        dLdx = np.zeros(shape, dLdy.dtype, order="F")
        for i, j in np.ndindex(self.r, self.r):
            dLdx[:, i * self.r + j :: self.r**2] = dLdy[:, :, i :: self.r, j :: self.r]
        return dLdx


class Pad(Moving):
    """A correct padding: np.pad and a slice."""

    def __init__(self, top: int, bottom: int, left: int, right: int) -> None:
        self.frame = ((0, 0), (0, 0), (top, bottom), (left, right))

    def move(self, x: Array) -> Array:
        """Pad."""
        return np.pad(x, self.frame)

    def move_back(self, dLdy: Array, shape: tuple[int, ...]) -> Array:
        """Cut out."""
        (top, _), (left, _) = self.frame[2:]
        return dLdy[:, :, top : top + shape[2], left : left + shape[3]].copy()


class PadByMatrices(Pad):
    """A correct padding: a product with a matrix of zeros and ones for rows and one for columns."""

    def matrices(self, shape: tuple[int, ...], dtype: Any) -> tuple[Array, Array]:
        """Return (rows of y, rows of x) and the same for columns."""
        (top, bottom), (left, right) = self.frame[2:]
        h, w = shape[2:]
        return np.eye(top + h + bottom, h, -top, dtype), np.eye(left + w + right, w, -left, dtype)

    def move(self, x: Array) -> Array:
        """Multiply."""
        rows, columns = self.matrices(x.shape, np.result_type(x, np.float32))
        return np.asarray(rows @ x @ columns.T)

    def move_back(self, dLdy: Array, shape: tuple[int, ...]) -> Array:
        """Multiply with the transposed."""
        rows, columns = self.matrices(shape, np.result_type(dLdy, np.float32))
        return np.asarray(rows.T @ dLdy @ columns)


def _bugs(base: Any, *own: tuple[str, str, str, str, dict[str, Any]]) -> tuple[Bug, ...]:
    return (
        *everywhere(base, exact=True, by_x=False),
        row(base, "three_images", "hard-coded-size", "is_exact_at_a_realistic_size", "dLdx of images after the third is lost",
            backprop=lambda self, x, u: base.backprop(self, x, u) * (np.arange(len(u)) < 3)[:, None, None, None]),
        *(row(base, *texts, **methods) for *texts, methods in own),
    )  # fmt: skip


UPSAMPLING_BUGS = _bugs(
    Repeat,
    ("tiled", "axes-swapped", FORWARD, "x is repeated as a whole",
     {"move": lambda self, x: np.tile(x, (1, 1, self.s, self.s))}),
    ("zeros_between", "wrong-operation", FORWARD, "zeros are put between the entries",
     {"move": lambda self, x: Repeat.move(self, x) * np.kron(np.ones(x.shape[2:]), np.eye(self.s)[:1].T * np.eye(self.s)[:1])}),
    ("wide_only", "wrong-shape", FORWARD, "only columns are repeated", {"move": lambda self, x: x.repeat(self.s, axis=3)}),
    ("gradient_averaged", "scaled", ADJOINT, "dLdx is the mean over each square",
     {"move_back": lambda self, u, shape: Repeat.move_back(self, u, shape) / self.s**2}),
    ("gradient_of_the_first", "not-accumulated", ADJOINT, "dLdx takes the first entry of each square",
     {"move_back": lambda self, u, shape: u[:, :, :: self.s, :: self.s].copy()}),
    ("gradient_of_the_last", "not-accumulated", ADJOINT, "dLdx is assigned entry by entry",
     {"move_back": lambda self, u, shape: u[:, :, self.s - 1 :: self.s, self.s - 1 :: self.s].copy()}),
)  # fmt: skip

SHUFFLE_BUGS = _bugs(
    Shuffle,
    ("rows_and_columns_swapped", "axes-swapped", FORWARD, "rows and columns within a square are swapped",
     {"order": (0, 1, 4, 3, 5, 2)}),
    ("only_reshaped", "axes-swapped", FORWARD, "y is reshaped without a transpose",
     {"move": lambda self, x: x.reshape(len(x), x.shape[1] // self.r**2, x.shape[2] * self.r, x.shape[3] * self.r).copy()}),
    ("channels_fastest", "channels-mixed", FORWARD, "the channels of y run fastest in x",
     {"move": lambda self, x: Shuffle.move(self, np.concatenate(
         [x[:, c :: x.shape[1] // self.r**2] for c in range(x.shape[1] // self.r**2)], axis=1))}),
    ("gradient_swapped", "axes-swapped", ADJOINT, "dLdx has rows and columns within a square swapped",
     {"move_back": lambda self, u, shape: u.reshape(*u.shape[:2], shape[2], self.r, shape[3], self.r).transpose(
         0, 1, 5, 3, 2, 4).reshape(shape).copy()}),
    ("gradient_only_reshaped", "axes-swapped", ADJOINT, "dLdx is reshaped without a transpose",
     {"move_back": lambda self, u, shape: u.reshape(shape).copy()}),
)  # fmt: skip

PADDING_BUGS = _bugs(
    Pad,
    ("the_wrong_way_round", "shifted", FORWARD, "what belongs before x comes after it",
     {"move": lambda self, x: np.pad(x, [pair[::-1] for pair in self.frame])}),
    ("edge_repeated", "padding-value", FORWARD, "the frame repeats the edge of x",
     {"move": lambda self, x: np.pad(x, self.frame, mode="edge" if x.size else "constant")}),
    ("top_on_all_sides", "wrong-shape", FORWARD, "top is used for all sides",
     {"move": lambda self, x: np.pad(x, ((0, 0), (0, 0), self.frame[2][:1] * 2, self.frame[2][:1] * 2))}),
    ("gradient_cut_at_the_corner", "shifted", ADJOINT, "dLdx is cut from the corner of dLdy",
     {"move_back": lambda self, u, shape: u[:, :, : shape[2], : shape[3]].copy()}),
    ("gradient_not_cut", "wrong-shape", "gradients_have_the_shapes_of_their_arguments", "dLdx is dLdy",
     {"move_back": lambda self, u, shape: u.copy()}),
)  # fmt: skip

SECTIONS = (
    Section(upsampling2d, (Repeat, Kronecker), UPSAMPLING_BUGS),
    Section(pixel_shuffle, (Shuffle, ShuffleBySlices), SHUFFLE_BUGS),
    Section(zero_padding2d, (Pad, PadByMatrices), PADDING_BUGS),
)
