"""Where a layer lives: in this process, or (judge/remote.py) in another one. Every call is one question and one answer.

Arrays are copied on the way to a layer and back. An array that is held is not: it stays where the layer lives, so
that a property can see what the layer writes into it, write into it between two calls, or ask what shares its memory.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from verification.case import Array


class Held(ABC):
    """An array that stays where the layer lives, from call to call."""

    @abstractmethod
    def read(self) -> Any:
        """Return a copy of it as it is now; what a layer returned may be no array."""

    @abstractmethod
    def write(self, values: Array, *, force: bool = False) -> None:
        """Write values into it, in place; ValueError if it is read-only, or cannot be made writeable to `force` it."""


class Instance(ABC):
    """A layer, as its methods are called and its attributes are read and set."""

    @abstractmethod
    def call(self, method: str, *given: Array | Held) -> Any:
        """Call a method; return a copy of its result, or raise what it raises."""

    @abstractmethod
    def call_and_hold(self, method: str, *given: Array | Held) -> Any:
        """Call a method; return its result with every array in it held."""

    @abstractmethod
    def get(self, name: str) -> Any:
        """Return a copy of an attribute."""

    @abstractmethod
    def get_held(self, name: str) -> Held:
        """Return an attribute, held."""

    @abstractmethod
    def set(self, name: str, value: Array | Held) -> None:
        """Set an attribute."""

    @abstractmethod
    def hold(self, array: Array) -> Held:
        """Hold this array, in its own memory layout: the layer may do with it what it likes."""

    @abstractmethod
    def sharing(self, held: Sequence[Held]) -> list[tuple[int, int]]:
        """Return the pairs of these arrays, by their places, that share memory."""


class HeldHere(Held):
    """An array that is held in this process."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def read(self) -> Any:
        """Return a copy of it as it is now."""
        return copied(self.array)

    def write(self, values: Array, *, force: bool = False) -> None:
        """Write values into it."""
        if force:  # a layer may have made it read-only
            self.array.setflags(write=True)
        self.array[...] = values


class Here(Instance):
    """A layer in this process."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def call(self, method: str, *given: Array | Held) -> Any:
        """Call a method; return a copy of its result."""
        return copied(self._call(method, given))

    def call_and_hold(self, method: str, *given: Array | Held) -> Any:
        """Call a method; return its result with every array in it held."""
        result = self._call(method, given)
        return tuple(map(HeldHere, result)) if isinstance(result, tuple | list) else HeldHere(result)

    def get(self, name: str) -> Any:
        """Return a copy of an attribute."""
        return copied(getattr(self.raw, name))

    def get_held(self, name: str) -> Held:
        """Return an attribute, held."""
        return HeldHere(getattr(self.raw, name))

    def set(self, name: str, value: Array | Held) -> None:
        """Set an attribute."""
        setattr(self.raw, name, _array(value))

    def hold(self, array: Array) -> Held:
        """Hold this array."""
        return HeldHere(array)

    def sharing(self, held: Sequence[Held]) -> list[tuple[int, int]]:
        """Return the pairs of these arrays that share memory."""
        arrays = [_array(one) for one in held]
        pairs = combinations(range(len(arrays)), 2)
        return [(one, other) for one, other in pairs if np.shares_memory(arrays[one], arrays[other])]

    def _call(self, method: str, given: Sequence[Array | Held]) -> Any:
        with np.errstate(all="ignore"):
            return getattr(self.raw, method)(*map(_array, given))


def _array(given: Array | Held) -> Any:
    return given.array if isinstance(given, HeldHere) else copied(given)


def memory_of(array: Array) -> Array:
    """Return the array whose memory a broadcast one shows, if it has the same shape; any other array itself."""
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    return root if 0 in array.strides and root.shape == array.shape else array


def copied(value: Any) -> Any:
    """Return a copy of an array, or of each array in a tuple or list; anything else as it is."""
    if isinstance(value, np.ndarray):
        return np.array(value, order="C")
    if isinstance(value, tuple | list):
        return tuple(map(copied, value)) if isinstance(value, tuple) else [*map(copied, value)]
    return value
