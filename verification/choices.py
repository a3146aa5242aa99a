"""What a ready spec chooses from when it draws a case, and the keywords of a user that restrict it.

A spec names its choices, Choices("dense", given, {"batch": batch(1, 4), "in_features": counts(1, 5)}), and has a
function that makes a case of one value of each. A keyword of the name of a choice takes the place of what is drawn.

A keyword is one value, or a list or range of the values to draw from: stride=1, batch=[1, 8],
out_channels=range(1, 5). Where a setting has one for the height and one for the width, a value is one number for both
or a pair: kernel_size=(3, 5); over three axes a triple (depth, height, width). square=True makes these equal, of the
image too; square=int passes each of
these settings as one number as well. bias=False is for a layer that has none, gradients=() for one without backprop,
gradients=("W", "b") for one without dLdx, dtype=numpy.float32 for one that works in nothing else.

Sizes and counts that the source of a layer names are drawn too, and those just beside them, each once: `Choices.cases`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import combinations, islice, product
from numbers import Integral, Real
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Case
from verification.named import LEAST, named_by
from verification.spec import ALL, LayerSpec, Restriction, SpecError
from verification.strategies import SEEDS, numbers

Make = Callable[..., Case | None]
"""Makes a case of one value of each choice and a seed; None where they do not fit together."""

LARGEST_SIZE, LARGEST_X = 12, 2000
"""A larger number that a source names is no size to draw, nor is one with which x has more entries: too slow."""

MOST_NAMED = 24
"""So many of the sizes that a source names are drawn: a quarter of 100 examples at most."""

AXES = ("depth", "height", "width")
"""The last axes of x that a setting may have one value each for."""

TRIES = 30
"""So often other choices are tried for a named size with which they do not fit together."""


@dataclass(frozen=True)
class Choice:
    """One choice of a spec.

    drawn     the values drawn without a keyword; none where they then follow from other choices
    takes     whether the spec can do with a value; `expects` says with which, "" of a choice that is no keyword
    axes      how many there are: 2 for one for the height and one for the width, 3 for one for the depth too
    of        what a case has of it, if it is not the setting of this name
    loose     whether properties may change it where the constructor takes it: a constant of the layer
    size      whether it is a whole number that is also drawn where the source of the layer names it
    """

    drawn: Sequence[Any]
    takes: Callable[[Any], bool] = lambda _value: False
    expects: str = ""
    axes: int = 1
    of: Callable[[Case], Any] | None = None
    loose: bool = False
    size: bool = False


def counts(
    *drawn: int, least: int = 1, most: int | None = None, axes: int = 1, of: Callable[[Case], Any] | None = None
) -> Choice:
    """Return the choice of a whole number, drawn from a first to a last one; without these it follows from others."""

    def takes(value: Any) -> bool:
        return _is(Integral, value) and least <= value and (most is None or value <= most)

    upto = f"of at least {least}" if most is None else f"from {least} to {most}"
    return Choice(range(drawn[0], drawn[1] + 1) if drawn else (), takes, f"a whole number {upto}", axes, of, size=True)


def batch(*drawn: int) -> Choice:
    """Return the choice of the number of images in x."""
    return counts(*drawn, of=lambda case: len(case.arrays["x"]))


def powers(first: int, last: int, axis: int) -> Choice:
    """Return the choice of the length of an axis of x that is a power of 2, from that of a first to a last exponent."""

    def takes(value: Any) -> bool:
        return _is(Integral, value) and value > 0 and value & (value - 1) == 0

    drawn = [2**exponent for exponent in range(first, last + 1)]
    return Choice(drawn, takes, "a power of 2", of=lambda case: case.arrays["x"].shape[axis], size=True)


def side(axis: int, *drawn: int, array: str = "x") -> Choice:
    """Return the choice of the length of an axis of x, or of another array; None where it has no such axis."""
    return counts(*drawn, of=partial(length_of, array, axis))


def length_of(array: str, axis: int, case: Case) -> int | None:
    """Return the length of an axis of an array; None where it has no such axis."""
    shape = case.arrays[array].shape
    return shape[axis] if axis < len(shape) else None


def rank(first: int, last: int) -> Choice:
    """Return the choice of the number of axes of x."""
    return counts(first, last, least=first, most=last, of=lambda case: case.arrays["x"].ndim)


def reals(*drawn: float, most: float | None = None, loose: bool = False) -> Choice:
    """Return the choice of a positive number, a constant of the layer."""

    def takes(value: Any) -> bool:
        return _is(Real, value) and 0 < value <= (math.inf if most is None else most) and value != math.inf

    upto = "" if most is None else f", at most {most:g}"
    return Choice(drawn, takes, f"positive{upto}", loose=loose)


def one_of(*drawn: Any) -> Choice:
    """Return the choice of one of these."""
    return Choice(drawn, lambda value: value in drawn, " or ".join(map(repr, drawn)))


def inner(first: int, last: int, *, axes: int = 1) -> Choice:
    """Return a choice of a whole number that is no keyword."""
    return Choice(range(first, last + 1), axes=axes)


def _is(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


class Choices:
    """The choices of a spec by name, in the order in which they are drawn, and the keywords given for them.

    twins     pairs of choices that are equal where square=True is given, beside those by height and width
    has_bias  whether bias=False may be given
    make      makes the layer; sizes that its source names are drawn too

    SpecError for a keyword that the spec does not have, and for a value that it cannot do with.
    """

    def __init__(
        self, spec: str, given: Mapping[str, Any], choices: Mapping[str, Choice],
        twins: Sequence[tuple[str, str]] = (), *, has_bias: bool = False, make: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.spec, self.given, self.choices = spec, given, choices
        self.named = named_by(make, LARGEST_SIZE) if make else ()
        self.twins = [*twins, *combinations(AXES[-max(choice.axes for choice in choices.values()) :], 2)]
        keywords = [name for name, choice in choices.items() if choice.expects]
        flags = ["square"] * bool(self.twins) + ["bias"] * has_bias
        known = [*keywords, *flags, "gradients", "dtype"]
        for name in given:
            if name not in known:
                raise SpecError(f"{spec} has no keyword {name}: it has {', '.join(known)}")
        by_axis = [name for name, choice in choices.items() if choice.axes > 1]
        self.as_one = by_axis if given.get("square") is int else []
        for flag in flags:
            if not (isinstance(given.get(flag, True), bool) or (flag == "square" and self.as_one)):
                raise SpecError(f"{spec}: {flag} should be True or False, but it is {given[flag]!r}")
        self.only = {name: self._values(name, choices[name]) for name in keywords if name in given}
        self.square = bool(given.get("square"))
        said = [
            "square=True" if name == "square" else f"{name}={value!r}"
            for name, value in given.items()
            if name in keywords or (name == "square" and value)
        ]
        self.limit = Restriction(", ".join(said), self._obeys) if self.only or self.square else None

    def _values(self, name: str, choice: Choice) -> list[Any]:
        """Return the values of a keyword; with one for each axis all of them if one is."""
        given, axes = self.given[name], choice.axes
        values = list(given) if isinstance(given, list | range) else [given]

        def by_axis(value: Any) -> bool:
            return axes > 1 and isinstance(value, tuple) and len(value) == axes and all(map(choice.takes, value))

        if not values or not all(choice.takes(value) or by_axis(value) for value in values):
            pair = f", or a {('pair', 'triple')[axes - 2]} ({', '.join(AXES[-axes:])}) of these" if axes > 1 else ""
            instead = "a list or range of such values draws from them"
            if isinstance(given, tuple) and len(given) == 2 and all(_is(Integral, value) for value in given):
                instead = f"from {given[0]} to {given[1]} is range({given[0]}, {given[1] + 1})"
            raise SpecError(f"{self.spec}: {name} should be {choice.expects}{pair}, but it is {given!r}; {instead}")
        if any(map(by_axis, values)):
            return [value if isinstance(value, tuple) else (value,) * axes for value in values]
        return values

    # What is drawn

    def cases(self, make: Make, **inner: tuple[int, int]) -> st.SearchStrategy[Case]:
        """Cases that obey the keywords; a choice that is no keyword may have other bounds here.

        Where the source of the layer names sizes, some cases have one of them or one beside it.
        """
        if self.given or self.named:
            return self._cases(make, inner)
        choices = tuple((name, choice.axes, tuple(choice.drawn)) for name, choice in self.choices.items())
        return _unrestricted(Unrestricted(make, choices, tuple(inner.items()), self))

    def _cases(self, make: Make, inner: Mapping[str, tuple[int, int]]) -> st.SearchStrategy[Case]:
        drawn: dict[str, Sequence[Any]] = {}
        for name, choice in self.choices.items():
            values = self.only.get(name, choice.drawn)
            if name in inner:
                values = range(inner[name][0], inner[name][1] + 1)
            if len(values):
                drawn |= dict.fromkeys(_by_axis(name, choice.axes), values)
        places = {name: (0, len(values) - 1) for name, values in drawn.items()}

        def decode(at: dict[str, int], **named: int) -> Case | None:
            chosen: dict[str, Any] = {name: values[at[name]] for name, values in drawn.items()}
            for name, choice in self.choices.items():
                names = _by_axis(name, choice.axes)
                if choice.axes > 1 and names[0] in chosen:
                    values = tuple(map(chosen.pop, names))
                    chosen[name] = values[0] if isinstance(values[0], tuple) else values
            for name, value in named.items():
                axes = self.choices[name].axes
                chosen[name] = (value,) * axes if axes > 1 else value
            return self._made(make, chosen, at["seed"])

        def with_size(at: int) -> Case | None:
            """Return a case of the size in this place; None if nothing else fits together with it."""
            name, value, most = sizes[at]
            random = Random(f"{name}{value}{most}")
            for _ in range(TRIES):
                other = {other: random.randrange(min(most, len(values))) for other, values in drawn.items()}
                case = decode({**other, "seed": random.randrange(3, SEEDS[1])}, **{name: value})
                if case is not None and case.arrays["x"].size <= LARGEST_X and self._obeys(case, {name: [value]}):
                    return case
            return None

        cases: st.SearchStrategy[Any] = numbers(**places, seed=SEEDS).map(decode)
        if sizes := [*islice(self._named_sizes(), MOST_NAMED)]:
            # Of a place nothing else is drawn, so Hypothesis never draws it twice: soon each was drawn, and once.
            cases |= st.integers(0, len(sizes) - 1).map(with_size).filter(lambda case: case is not None)
        return self.limit.among(cases) if self.limit else cases

    def _named_sizes(self) -> Iterator[tuple[str, int, int]]:
        """Yield choices, numbers that the source names, then those beside, and how many values others may have.

        Not those drawn anyway. First a few values of the others, for a small counterexample, then any. 4 comes last,
        since in most sources it is the number of axes of x.
        """
        numbers = [[number for number in self.named if number > LEAST], [LEAST] * (LEAST in self.named)]
        for some, (beside, most) in product(numbers, [(0, 2), (0, 9), (1, 9), (-1, 9)]):
            for number, (name, choice) in product(some, self.choices.items()):
                value = number + beside
                if choice.size and name not in self.only and value not in choice.drawn and choice.takes(value):
                    yield name, value, most

    def realistic(self, make: Make, **values: Any) -> Case | None:
        """Return the case of these values, or of others where a keyword forbids them; None if those do not fit."""
        for name, allowed in self.only.items():
            axes = self.choices[name].axes
            one: Any = values.get(name, (0,) * axes if axes > 1 else 0)
            if axes > 1 and not isinstance(allowed[0], tuple):
                values[name] = tuple(side if side in allowed else allowed[-1] for side in one)
            else:
                values[name] = one if one in allowed else allowed[-1]
        case = self._made(make, values, 2)
        return case if case is not None and (self.limit is None or self.limit.holds(case)) else None

    def _made(self, make: Make, chosen: dict[str, Any], seed: int) -> Case | None:
        if self.square:
            for name, choice in self.choices.items():
                if choice.axes > 1 and name in chosen:
                    chosen[name] = (chosen[name][0],) * choice.axes
            for one, other in self.twins:
                first, second = (other, one) if other in self.only and one not in self.only else (one, other)
                if first in chosen:
                    chosen[second] = chosen[first]
        return make(**chosen, seed=seed)

    def _obeys(self, case: Case, named: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Return whether a case has the values of the keywords, and these, constants aside."""
        if self.square:
            by_axis = {name: one.axes for name, one in self.choices.items() if one.axes > 1 and name in case.settings}
            sides = case.arrays["x"].shape[-max([2, *by_axis.values()]) :]
            if any(len({*sizes}) > 1 for sizes in [sides, *(case.settings[name] for name in by_axis)]):
                return False
        for name, values in {**self.only, **(named or {})}.items():
            choice = self.choices[name]
            value: Any = choice.of(case) if choice.of else case.settings[name]
            if choice.loose or value in values:
                continue
            if not (choice.axes > 1 and all(side in values for side in value)):
                return False
        return True

    # The spec

    def applied(self, spec: LayerSpec) -> LayerSpec:
        """Return the spec with what the keywords say of its layer."""
        if self.given.get("bias") is False:
            kept = tuple(name for name in spec.parameters if name != "b")
            affine = tuple(name for name in spec.affine_in if name != "b")
            spec = replace(spec, parameters=kept, affine_in=affine, gradients=ALL, absent=("b",))
        if "gradients" in self.given:
            gradients = self.given["gradients"]
            spec = replace(spec, gradients=gradients, kinks=spec.kinks if "x" in gradients else ())
        dtype = self.given.get("dtype", np.float64)
        spec = spec.in_float32() if dtype is np.float32 else replace(spec, dtype=dtype)
        fixed = tuple(name for name, values in self.only.items() if len(values) == 1)
        limits = (self.limit,) if self.limit else ()
        sides = {**spec.sides, **{name: choice.of for name, choice in self.choices.items() if choice.of}}
        return replace(
            spec,
            sides=sides,
            fixed=fixed,
            as_one=tuple(self.as_one),
            restrictions=limits,
            usual=None if limits else spec.usual,
        )


@dataclass(frozen=True)
class Unrestricted:
    """All that cases depend on for which a user gave no keyword: these are equal where that is."""

    make: Make
    choices: tuple[tuple[str, int, tuple[Any, ...]], ...]
    inner: tuple[tuple[str, tuple[int, int]], ...]
    of: Choices = field(compare=False)


@lru_cache(maxsize=64)  # one object for all layers of a kind: what was drawn from it is kept
def _unrestricted(key: Unrestricted) -> st.SearchStrategy[Case]:
    return key.of._cases(key.make, dict(key.inner))


def _by_axis(name: str, axes: int) -> list[str]:
    return [f"{name}_{axis}" for axis in AXES[-axes:]] if axes > 1 else [name]
