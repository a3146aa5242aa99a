"""Axis orders: "nchw -> nhwc" says how the suite has the axes of an array, and how the layer has them.

A letter is an axis, 1 an axis of length 1 (b of the layer is (1, f): "f -> 1f"), (chw) are axes in one, the last
running fastest, and ... are all axes that are not named.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verification.case import Array
from verification.failure import PropertyFailed, name_of
from verification.instance import HeldHere, copied
from verification.spec import SpecError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The axes of an array in the suite (left), and in the layer (right), where one may be made of several or none."""

    name: str
    text: str
    left: tuple[str, ...]
    right: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, name: str, text: object) -> "Layout":
        """Read "nchw -> nhwc"; SpecError unless both sides have the same letters, each once."""
        otherwise = f"layout of {name} should be as in 'nchw -> nhwc': the suite's axes, then the layer's; but is"
        sides = text.replace(" ", "").split("->") if isinstance(text, str) else []
        if len(sides) != 2 or not re.fullmatch(r"(\.\.\.|[A-Za-z1])+", sides[0]):
            raise SpecError(f"{otherwise} {text!r}")
        if not re.fullmatch(r"(\.\.\.|[A-Za-z1]|\([A-Za-z]+\))+", sides[1]):
            raise SpecError(f"{otherwise} {text!r}")
        left = tuple(re.findall(r"\.\.\.|.", sides[0]))
        groups = re.findall(r"\.\.\.|\(\w+\)|.", sides[1])
        right = tuple(() if one == "1" else (one,) if one == "..." else tuple(one.strip("()")) for one in groups)
        here = [axis for axis in left if axis != "1"]
        there = [axis for group in right for axis in group]
        if sorted(here) != sorted(there) or len(set(here)) < len(here):
            raise SpecError(
                f"layout of {name} should have the same letters before and after the arrow, each once, but is {text!r}"
            )
        return cls(name, str(text), left, right)

    @property
    def joins(self) -> bool:
        """Whether some axes are joined in one, so that the shape is needed on the way back."""
        return any(len(group) > 1 for group in self.right)

    def fits(self, shape: Shape) -> bool:
        """Return whether an array of the suite of this shape has such axes."""
        axes = self._expanded(len(shape))
        return axes is not None and all(side == 1 for axis, side in zip(axes[0], shape, strict=True) if axis == "1")

    def there(self, array: Array) -> Array:
        """Return a view of an array as the layer has it; what has not these axes as it is, for the layer to refuse."""
        if not self.fits(array.shape):
            return array
        plain, order, shape = self._way(array.shape)
        return array.reshape(plain).transpose(order).reshape(shape)

    def stored(self, array: Array) -> Array:
        """Return it as the layer has it, in C order if it is so here: only what is odd here is to be odd there."""
        there = self.there(array)
        if array.flags.c_contiguous and not there.flags.c_contiguous:
            there = there.copy(order="C")
            there.setflags(write=array.flags.writeable)
        return there

    def back(self, name: str, array: Any, shape: Shape | None = None) -> Any:
        """Return a view of a result as the suite has it; PropertyFailed if it has not these axes."""
        if not isinstance(array, np.ndarray):
            return array
        here = shape if self.joins and shape is not None else self._shape_of(array)
        if here is None or not self.fits(here) or self._way(here)[2] != array.shape:
            axes = self.text.partition("->")[2].strip()
            said = f"{name_of(name)} has shape {array.shape}, but should have the axes {axes} that its layout says"
            raise PropertyFailed(said).about("shape", name)
        plain, order, _ = self._way(here)
        return array.reshape([plain[axis] for axis in order]).transpose(np.argsort(order)).reshape(here)

    def _shape_of(self, array: Array) -> Shape | None:
        """Return the shape here of an array there, where no axes are joined."""
        ndim = array.ndim + self.left.count("1") - self.right.count(())
        axes = self._expanded(ndim)
        if self.joins or axes is None or len(axes[1]) != array.ndim:
            return None
        sides = {group[0]: side for group, side in zip(axes[1], array.shape, strict=True) if group}
        return tuple(1 if axis == "1" else sides[axis] for axis in axes[0])

    def _expanded(self, ndim: int) -> tuple[list[str], list[tuple[str, ...]]] | None:
        """Return both sides with ... written out, for an array of so many axes here."""
        more = ndim - len(self.left) + 1 if "..." in self.left else 0
        if more < 0 or ("..." not in self.left and ndim != len(self.left)):
            return None
        names = [f"...{i}" for i in range(more)]
        left = [name for axis in self.left for name in (names if axis == "..." else [axis])]
        return left, [
            one for group in self.right for one in ([(name,) for name in names] if "..." in group else [group])
        ]

    def _way(self, shape: Shape) -> tuple[Shape, Shape, Shape]:
        """Return the shape without axes of 1, the order of its axes there, and the shape there."""
        axes = self._expanded(len(shape))
        assert axes is not None
        sides = {axis: side for axis, side in zip(axes[0], shape, strict=True) if axis != "1"}
        names = list(sides)
        order = tuple(names.index(axis) for group in axes[1] for axis in group)
        return tuple(sides.values()), order, tuple(math.prod(sides[axis] for axis in group) for group in axes[1])

    # In a script

    def lines(self, array: Array) -> list[str]:
        """Return the lines, in which {} stands for its variable, that bring an array into the layout of the layer."""
        if not self.fits(array.shape):
            return []
        plain, order, shape = self._way(array.shape)
        text = _transposed("{}" if plain == array.shape else _reshaped("{}", plain), order)
        moved = tuple(plain[axis] for axis in order)
        if moved != shape or (plain != array.shape and text.endswith(f".reshape{plain}")):
            text = _reshaped("{}" if sorted(order) == list(order) else text, shape)
        if text == "{}":
            return []
        if array.flags.c_contiguous and sorted(order) != list(order):
            text = f"np.ascontiguousarray({text})"
        axes = self.text.partition("->")[2].strip()
        more = [] if array.flags.writeable else ["{}.setflags(write=False)"]
        return [f"{{}} = {text}  # {axes}, as the layer has it", *more]

    def back_text(self, expression: str, shape: Shape | None) -> str:
        """Return the expression of a result, or of an array of the layer, in the axes of the suite.

        shape is that of the array in the suite; it counts where axes are joined, and its length where there are "...".
        """
        axes = self._expanded(len(self.left) if shape is None else len(shape))
        if axes is None or not (shape is None or self.fits(shape)):
            return expression
        left, right = axes
        names = [axis for axis in left if axis != "1"]
        order = [names.index(axis) for group in right for axis in group]
        if self.joins and shape is not None:
            plain, _, _ = self._way(shape)
            expression = _reshaped(expression, tuple(plain[axis] for axis in order))
        elif ones := tuple(i for i, group in enumerate(right) if not group):
            expression = f"np.squeeze({expression}, {ones})"
        expression = _transposed(expression, tuple(int(i) for i in np.argsort(order)))
        ones = tuple(i for i, axis in enumerate(left) if axis == "1")
        return f"np.expand_dims({expression}, {ones})" if ones else expression


def _transposed(expression: str, order: Sequence[int]) -> str:
    if list(order) == sorted(order):
        return expression
    return f"{expression}.T" if tuple(order) == (1, 0) else f"np.transpose({expression}, {tuple(order)})"


def _reshaped(expression: str, shape: Shape) -> str:
    return f"{expression}.reshape{shape}"


class HeldAs(HeldHere):
    """An array that is held as the layer has it, and read and written as the suite has it.

    What it is, and so its layout, is known once it is given to the layer.
    """

    def __init__(self, array: Any, name: str = "", layout: Layout | None = None, shape: Shape | None = None) -> None:
        super().__init__(array)
        self.name, self.layout, self.shape = name, layout, shape

    def give(self, name: str, layout: Layout | None) -> Any:
        """Return the array as the layer has it."""
        if layout is not None and self.layout is None:
            self.name, self.layout, self.shape = name, layout, self.array.shape
            self.array = layout.stored(self.array)
        return self.array

    def read(self) -> Any:
        """Return a copy of it as it is now."""
        return copied(self.array if self.layout is None else self.layout.back(self.name, self.array, self.shape))

    def write(self, values: Array, *, force: bool = False) -> None:
        """Write values into it."""
        super().write(values if self.layout is None else self.layout.there(values), force=force)
