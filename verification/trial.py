"""One trial: a spec, a case, the layer made for it, and how its answers are judged.

Answers to whole numbers are exact, rounded (passes, with a note) or wrong; nothing lies between,
because the right answer is a whole number too and float64 is far finer than that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from verification.case import Array, Case, Option, are_numbers_of, pick, real, whole
from verification.differences import COARSE, STEPS, UNITS, Measured, derivative
from verification.failure import OUTSIDE, TOO_COARSE, Entry, NotJudged, PropertyFailed, array_of, entries
from verification.layer import Layer
from verification.outputs import Outputs, joined
from verification.script import Script
from verification.spec import LayerSpec, SpecError
from verification.strategies import ordered, spaced

ROUNDING = 1e-9
"""The error, relative to the largest entry, up to which an answer to whole numbers counts as rounded.

Arrays of n entries of at most 128 give sums below 2^14 n. Any stable float64 algorithm, an FFT
included, errs by a few log2(n) 2^-53 of that: below 1e-12 of the largest entry at the sizes drawn.
A wrong whole number is off by 1, more than 1e-9 of any entry below 10^9. So 1e-9 lies in a wide gap.
"""

ROUNDING_IN_FLOAT32 = 2.0**-19
"""The same for a layer in float32, of 32 units of 2^-24; but never more than 1/4, since a wrong number is off by 1."""

PLACE, HERE = "place of x", "among small whole numbers"
"""The choice where x lies, for a layer with kinks, and what the simplest cases choose."""


class Trial:
    """A case of a spec under test; the properties ask it for arrays, layers and verdicts.

    x, y, dLdy     the input, the right output and a drawn upstream gradient
    """

    def __init__(self, spec: LayerSpec, case: Case, script: Script | None = None) -> None:
        self.spec, self.case, self.script = spec, case, script
        self.arguments: dict[str, Array] = {
            name: case.arrays[name] for name in ("x", *spec.parameters, *spec.constants)
        }
        self.arguments |= {name: 0 * case.arrays[name] for name in spec.absent}
        self.drawn: dict[str, Array] = {}
        self.sequences: dict[str, tuple[Any, ...]] = {}
        self.chosen: dict[str, Any] = {}  # what the property that is asked now has picked, by name
        self.rounded: float = 0.0
        self.wrong: frozenset[str] = frozenset()  # arrays whose plain answers are wrong, which are not judged
        self.judged = False
        self.plain: frozenset[str] | None = None  # what is wrong with the plain answers, once they were asked for
        self.calls: list[dict[str, Any]] | None = None  # arrays of those that a property made, if they are to be kept
        self.means: list[tuple[Array, Array, int]] = []  # what a layer gave as a mean over n images: the sum, it, and n
        self.elsewhere: list[tuple[str, Case]] = []  # arrays whose plain answers are wrong, for cases of such calls
        self._y: Array | None = None
        self._right: dict[str, Measured] | None = None
        self._outputs: Outputs | None = None
        self._constant: dict[str, tuple[Mapping[str, Array], Array]] = {}  # c of y = A v + c, and where

    # Arrays

    @property
    def x(self) -> Array:
        """The input."""
        return self.arguments["x"]

    @property
    def y(self) -> Array:
        """The right output for x."""
        if self._y is None:
            self._y = self.reference()
        return self._y

    @property
    def outputs(self) -> Outputs:
        """The outputs, where there are several, and how long they are."""
        if self._outputs is None:
            names = self.spec.outputs
            self._outputs = Outputs(names, self.spec.reference(**self.arguments, **self.case.settings) if names else ())
        return self._outputs

    @property
    def dLdy(self) -> Array:  # noqa: N802  the field's name
        """An upstream gradient of whole numbers, now and then of large ones."""

        def drawn() -> Array:
            large = self.case.seed > 2 and self.spec.dtype == np.float64
            scale = self.pick("size of dLdy", [1.0] * 15 + [2.0**12]) if large else 1.0
            return np.asarray(scale * self.spec.whole("dLdy", self.case.seed, self.y.shape))

        return self._draw("dLdy", self.y.shape, drawn)

    @property
    def upstream(self) -> dict[str, Array]:
        """dLdy, or what it is of each of several outputs, by name."""
        return self.outputs.split(self.dLdy)

    @property
    def declares_dLdy(self) -> bool:  # noqa: N802
        """Whether the case fixes dLdy, whose form properties then keep."""
        return "dLdy" in self.case.arrays.keys() - self.case.drawn

    def whole(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return the array drawn under this name: whole numbers, uniform on -128 ... 127."""
        return self._draw(name, shape, lambda: self.spec.whole(name, self.case.seed, shape))

    def real(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return the array drawn under this name: numbers with all the bits of a float64."""
        return self._draw(name, shape, lambda: real(name, self.case.seed, shape))

    def _draw(self, name: str, shape: tuple[int, ...], draw: Callable[[], Array]) -> Array:
        if name not in self.drawn:
            given = self.case.arrays.get(name)
            if given is not None and given.shape != shape and name == "dLdy":
                raise SpecError(f"dLdy should have the shape of y, {shape}, but the case has {given.shape}")
            self.drawn[name] = draw() if given is None or given.shape != shape else given
        return self.drawn[name]

    @property
    def used(self) -> Case:
        """The case with all that was drawn for it so far, so that it stays while the case is made simpler."""
        drawn = self.case.drawn | (self.drawn.keys() - self.case.arrays.keys())
        picked = {**self.case.picked, **self.sequences}
        return replace(self.case, arrays={**self.case.arrays, **self.drawn}, drawn=drawn, picked=picked)

    def pick(self, name: str, options: Iterable[Option]) -> Option:
        """Return the option drawn under this name, each as likely, the same whenever the seed is the same."""
        known = name in self.case.picked
        chosen: Option = self.case.picked[name] if known else pick(name, self.case.seed, list(options))
        self.chosen[name] = chosen
        return chosen

    def sequence(self, name: str, drawn: tuple[Option, ...]) -> tuple[Option, ...]:
        """Return what is drawn under this name, or what is left of it where a case is made simpler."""
        chosen: tuple[Option, ...] = self.case.picked.get(name, drawn)
        self.sequences[name] = self.chosen[name] = chosen
        return chosen

    def smooth_arguments(self, *, far: bool = True) -> dict[str, Array]:
        """Return the arguments, x moved away from every kink if the layer has any.

        x holds small whole numbers, all different, none of them 0: steps of at most 128 units keep clear of
        the kinks. In some cases x is near 0, or (unless not `far`, for float32) far from it, where entries
        are nearly equal; all is exact.
        """
        if not self.spec.piecewise_linear:
            return self.arguments
        if self._place == HERE:
            return {**self.arguments, "x": ordered(self.x)}
        shift = 2.0**33 if far and self._place == "far" and self.spec.dtype == np.float64 else 0.0
        return {**self.arguments, "x": spaced(self.x, 258) * self.unit + shift}

    @property
    def unit(self) -> float:
        """Length of a step of 1: a power of 2, less than 1 for cases with kinks."""
        return {HERE: 2.0**-9, "near": 2.0**-40, "far": 1.0}[self._place] if self.spec.piecewise_linear else 1.0

    @property
    def _place(self) -> str:
        """Where x is moved, if the layer has kinks: one choice, since "near" and "far" at once would not be exact."""
        return self.pick(PLACE, [HERE, "near", "far"])

    # Layers and what is right for them

    def layer(self, parameters: Mapping[str, Array] | None = None) -> Layer:
        """Return a new layer, with the parameters of the case unless given here."""
        return Layer(self, {**self.arguments, **(parameters or {})})

    def other(self, parameters: Mapping[str, Array] | None = None, **settings: Any) -> Layer:
        """Return a layer with other settings; NotJudged if the spec is not for such layers."""
        changed = Trial(self.spec, self._within(settings=settings), self.script)
        changed.means = self.means
        return changed.layer(parameters)

    def allowed(self, x: Array) -> Array:
        """Return x, which differs from that of the case in its size; NotJudged if the spec is not for such an x."""
        self._within(x=x)
        return x

    def _within(self, settings: Mapping[str, Any] | None = None, x: Array | None = None) -> Case:
        arrays = {**self.case.arrays, "x": self.x if x is None else x}
        case = replace(self.case, arrays=arrays, settings={**self.case.settings, **(settings or {})})
        if not all(limit.holds(case) for limit in self.spec.restrictions):
            raise NotJudged(OUTSIDE)
        return case

    def reference(self, **arrays: Array) -> Array:
        """Return the right y, for the arguments of the case unless given here."""
        return joined(self.spec.reference(**{**self.arguments, **arrays}, **self.case.settings))

    def gradient(self, dLdy: Array, **changed: Any) -> dict[str, Array]:
        """Return the right gradients by argument, of the arguments and settings of the case unless changed."""
        return {name: gradient.value for name, gradient in self._gradient(dLdy, changed).items()}

    def _gradient(self, dLdy: Array, changed: Mapping[str, Any]) -> dict[str, Measured]:
        given = {**self.arguments, **self.case.settings, **changed}
        if self.spec.gradient:
            right = self.spec.gradient(**self.outputs.split(dLdy), **given)
            return {name: Measured(gradient) for name, gradient in right.items()}
        at = {name: given[name] for name in self.arguments}
        return {name: self.right_gradient(name, at, dLdy) for name in self.spec.gradients}

    @property
    def right(self) -> dict[str, Array]:
        """The right gradients for dLdy, by argument."""
        return {name: gradient.value for name, gradient in self._measured.items()}

    @property
    def _measured(self) -> dict[str, Measured]:
        if self._right is None:
            self._right = self._gradient(self.dLdy, {})
        return self._right

    def unsure(self, array: str) -> Array | float:
        """Return how far the right answer for an array may be off, where it is known from differences alone.

        It is infinite where they tell nothing.
        """
        by_formula = array == "y" or not self.spec.rtol or self.spec.gradient
        return 0.0 if by_formula else self._measured[array.removeprefix("dLd")].error

    def magnitude(self, **arrays: Array) -> Array:
        """Return a bound on the sum of the absolute values of the products in each entry of y."""
        bound = self.spec.magnitude or self.spec.reference
        absolute = {name: abs(array) for name, array in {**self.arguments, **arrays}.items()}
        return joined(bound(**absolute, **self.case.settings))

    def response(self, name: str, direction: Array, at: Mapping[str, Array]) -> Measured:
        """Return how the right y changes as the argument `name` moves along the direction: A v."""

        def y(step: float) -> Array:
            return self.reference(**{**at, name: at[name] + step * self.unit * direction})

        if name in self.spec.affine_in:
            known, constant = self._constant.get(name, (None, direction))
            if known is not at:
                constant = self.reference(**{**at, name: np.zeros(at[name].shape)})
                self._constant[name] = at, constant
            moved = self.reference(**{**at, name: direction})
            return Measured(moved - constant, UNITS * (abs(moved) + abs(constant)) if self.spec.rtol else 0.0)
        exact = not self.spec.rtol
        measured = slope([y(step) for step in steps(exact)], exact)
        return Measured(measured.value / self.unit, measured.error)

    # Verdicts

    def compare(
        self,
        name: str,
        actual: Array,
        expected: Array,
        because: str = "",
        label: str | None = None,
        shows: str = "",
        array: str = "",
        unsure: Array | float = 0.0,
    ) -> None:
        """Raise unless actual equals expected, exactly or as far as the spec says.

        The failure reads "{name} is wrong{because}" and lists wrong entries as label[index], where the label is y for
        "forward(x)", and the name for others. Where actual is not itself a result of the layer, `shows` is the
        expression of it: trial.expression(dLdx, "{}.sum()"), and `array` the array that it says something of. What is
        expected may be off by `unsure`; where that is infinite, nothing is judged.
        """
        array = array or array_of(name)
        if self.skips(array):
            return
        label = label or ("y" if name == "forward(x)" else name)
        shows = shows or self.expression(actual)
        self.expect_shape(name, actual, expected.shape, because, shows)
        if np.array_equal(actual, expected, equal_nan=True):
            return
        error = np.abs(actual - expected)
        largest = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
        wrong = ~(error <= self.allowance(largest) + unsure) & ~(np.isnan(actual) & np.isnan(expected))
        wrong &= ~np.isinf(unsure) & (actual != expected)  # infinity may be right
        if not wrong.any():
            if not self.spec.rtol:
                self.rounded = max(self.rounded, float(np.max(error)))
            return
        slight, less = "", {"float64": np.float32}.get(np.dtype(self.spec.dtype).name, np.float16)
        near = error[wrong] <= 1e-4 * np.abs(expected[wrong])
        if (near & are_numbers_of(less, actual[wrong])).all():  # nothing that is cut off or scaled
            slight = f", if only slightly: computed in less than {np.dtype(self.spec.dtype)}?"
        actual, expected = self.as_given(actual, expected)
        found = self.entries(label, actual, expected, wrong)
        raise PropertyFailed(
            f"{name} is wrong{because}{slight}", found, int(wrong.sum()), actual.size, (label, actual, expected),
            self.shown(shows, found),
        ).about("values", array)  # fmt: skip

    def entries(self, label: str, actual: Array, expected: Array, wrong: Array) -> list[Entry]:
        """Return the first entries where `wrong` is true, those of y or dLdy by the output that they are of."""
        found = entries(label, actual, expected, wrong)
        if not self.spec.outputs:
            return found
        return [Entry(*self.outputs.at(label, one.index), one.actual, one.expected) for one in found]

    def shown(self, expression: str, found: Sequence[Entry]) -> str:
        """Return the expression of a script for the output that the first of these entries is of; or as it is."""
        if not self.script or not found:
            return expression
        return self.script.parts.get(expression, {}).get(found[0].array, expression)

    def as_given(self, actual: Array, expected: Array) -> tuple[Array, Array]:
        """Return what the layer itself gave, where that is a mean over the batch, and what it should be."""
        mean, n = next(((mean, n) for total, mean, n in self.means if total is actual), (actual, 1))
        return mean, expected / n if n > 1 else expected

    def allowance(self, largest: float) -> float:
        """Return the error allowed to an array whose largest entry is this."""
        allowed = self._tolerance * largest
        return allowed if self.spec.dtype == np.float64 else min(allowed, 0.25)

    @property
    def _tolerance(self) -> float:
        return self.spec.rtol or (ROUNDING if self.spec.dtype == np.float64 else ROUNDING_IN_FLOAT32)

    def skips(self, array: str) -> bool:
        """Return whether an array is not judged, since its plain answer is wrong; note that something is, if it is."""
        self.judged |= array not in self.wrong
        return array in self.wrong

    def expect_shape(
        self, name: str, actual: Array, shape: tuple[int, ...], because: str = "", shows: str = ""
    ) -> Array:
        """Return the array; raise unless it has this shape, and is judged."""
        if actual.shape != shape:
            if array_of(name) in self.wrong:
                raise NotJudged
            shows = shows or self.expression(actual)
            raise PropertyFailed(
                f"{name} has shape {actual.shape}, but should have shape {shape}{because}",
                shows=shows and f"{shows}.shape",
            ).about("shape", array_of(name))
        return actual

    def expression(self, result: object, of: str = "{}") -> str:
        """Return the expression of a script that gives this very result, or what is made `of` it."""
        known = self.script.variable(result) if self.script else ""
        return of.format(known) if known else ""

    def nearly_whole(self, array: Array, of: float = 1.0) -> Array | None:
        """Return the array rounded to whole numbers, or None if it is further from them than rounding.

        It may be a difference of larger numbers, up to `of`, whose rounding it has in float32.
        """
        nearest = np.rint(array)
        error = float(np.max(abs(array - nearest), initial=0.0))
        largest = max(1.0, of if self.spec.dtype == np.float32 else 1.0, float(np.max(abs(nearest), initial=0.0)))
        if not error <= self.allowance(largest):  # not a number, too
            return None
        self.rounded = max(self.rounded, error)
        return nearest

    def whole_gradient(self, name: str, actual: Array, at: Mapping[str, Array], dLdy: Array) -> Array:
        """Return a gradient rounded to whole numbers; raise if it is further from them than rounding."""
        nearest = self.nearly_whole(actual)
        if nearest is not None:
            return nearest
        if not self._is_right(name, actual, at, dLdy):
            raise self.wrong_gradient(name, actual, at, dLdy) or _contradicts(name)
        return actual

    def _is_right(self, name: str, actual: Array, at: Mapping[str, Array], dLdy: Array) -> bool:
        """Return whether a gradient that is not of whole numbers is right, as an average's may be for a dLdy of 1."""
        if not self.spec.gradient:
            return False
        try:
            self.compare(f"dLd{name}", actual, self.gradient(dLdy, **at)[name])
        except PropertyFailed:
            return False
        return True

    def right_gradient(self, name: str, at: Mapping[str, Array], dLdy: Array) -> Measured:
        """Return the right gradient of <dLdy, y> with respect to one argument, entry by entry."""
        gradient, error, unit = (np.zeros(at[name].shape) for _ in range(3))
        for index in np.ndindex(unit.shape):
            unit[index] = 1.0
            change = self.response(name, unit, at)
            gradient[index], error[index] = np.sum(dLdy * change.value), np.sum(abs(dLdy) * change.error)
            unit[index] = 0.0
        largest = max(1.0, float(np.max(abs(gradient), initial=0.0, where=np.isfinite(gradient))))
        return Measured(gradient, np.where(error <= self._coarse * largest, error, np.inf))

    @property
    def _coarse(self) -> float:
        """The error of differences, relative to what they are compared with, from which on they tell nothing."""
        return max(self.spec.rtol, COARSE)

    def wrong_gradient(self, name: str, actual: Array, at: Mapping[str, Array], dLdy: Array) -> PropertyFailed | None:
        """Return the failure of a gradient that breaks an identity, with its wrong entries; None if it is right.

        Of an exact layer the entries only where a script is kept: to find them costs more than to know that there are
        some, which differences of a smooth layer do not tell.
        """
        if self.script is None and not self.spec.rtol:
            return PropertyFailed(f"dLd{name} is wrong").about("values", f"dLd{name}")
        if actual.size * self.y.size > 10**6:
            return self._one_wrong_entry(name, actual, at, dLdy)
        if self.spec.rtol and self.spec.gradient:
            right = Measured(self.gradient(dLdy, **at)[name])
        else:
            right = self.right_gradient(name, at, dLdy)
        try:
            self.compare(f"dLd{name}", actual, right.value, unsure=right.error)
        except PropertyFailed as failure:
            return failure
        return None

    def _one_wrong_entry(self, name: str, actual: Array, at: Mapping[str, Array], dLdy: Array) -> PropertyFailed | None:
        """Halve the array until one entry is left whose share of the adjoint identity is wrong."""
        whole_part = np.rint(actual)
        if not np.isfinite(actual).all():
            low = int(np.argmin(np.isfinite(actual)))
        elif not self.spec.rtol and not np.array_equal(actual, whole_part):
            low = int(np.argmax(abs(actual - whole_part)))
        else:
            direction = whole("halving", 2, (actual.size,)) + 129
            low, high = 0, actual.size

            def wrong(start: int, stop: int) -> bool:
                v = np.zeros(actual.shape)
                v.flat[start:stop] = direction[start:stop]
                change = self.response(name, v, at)
                with suppress(NotJudged):
                    return not self.same_inner_product((dLdy, change.value), (actual, v), change.error)
                return False

            if not wrong(low, high):
                return None
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if wrong(low, middle) else (middle, high)
        unit = np.zeros(actual.size)
        unit[low] = 1.0
        expected = float(np.sum(dLdy * self.response(name, unit.reshape(actual.shape), at).value))
        index = tuple(int(i) for i in np.unravel_index(low, actual.shape))
        given, right = self.as_given(actual, np.asarray(expected))
        entry = Entry(f"dLd{name}", index, float(given[index]), float(right))
        shows = self.expression(actual)
        failure = PropertyFailed(f"dLd{name} is wrong, here for one", [entry], 0, actual.size, shows=shows)
        return failure.about("values", f"dLd{name}")

    def same_inner_product(
        self, left: tuple[Array, Array], right: tuple[Array, Array], error: Array | float = 0.0
    ) -> bool:
        """Return whether <a, b> == <c, d> for (a, b) and (c, d), exactly where the spec is exact.

        b may be off by `error`; NotJudged where that is too much for the products to tell anything.
        """
        if not self.spec.rtol and all(np.array_equal(a, np.rint(a)) for a in (*left, *right)):
            return whole_product(*left) == whole_product(*right)
        here, there = left[0] * left[1], right[0] * right[1]
        size = max(1.0, float(np.sum(abs(here)) + np.sum(abs(there))))
        unsure = float(np.sum(abs(left[0]) * error))
        if not unsure <= self._coarse * size:
            raise NotJudged(TOO_COARSE)
        return bool(abs(np.sum(here) - np.sum(there)) <= self._tolerance * size + unsure)


def _contradicts(name: str) -> PropertyFailed:
    return PropertyFailed(f"dLd{name} is no whole number where it should be one")


def steps(exact: bool) -> tuple[float, ...]:
    """Return the steps of a difference: of 1 where that is exact."""
    return (1.0, -1.0) if exact else STEPS


def slope(y: Sequence[Array], exact: bool) -> Measured:
    """Return the derivative at 0, from y at these steps."""
    return Measured(np.asarray((y[0] - y[1]) / 2)) if exact else derivative(y)


def whole_product(a: Array, b: Array) -> int:
    """Return the inner product of two arrays of whole numbers, exact modulo 2^64."""
    return int(np.dot(a.ravel().astype(np.int64), b.ravel().astype(np.int64)))
