"""The one declaration: what a layer is, which cases are valid for it, and what is right for them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from verification.case import Array, Case, small, whole
from verification.clock import Clock
from verification.drawing import sample

if TYPE_CHECKING:
    from verification.adapters.adapter import Adapted
    from verification.explain.knobs import Mistake
    from verification.instance import Instance
    from verification.trial import Trial


class SpecError(ValueError):
    """A declaration does not fit: the field, what was given, what is expected and what to do."""


def numbers(field: str, given: Any) -> tuple[float, ...]:
    """Return the numbers of a field as a tuple; SpecError unless they are several numbers."""
    try:
        return tuple(map(float, given))
    except (TypeError, ValueError):
        one = f": write ({given!r},)" if isinstance(given, int | float) else ""
        raise SpecError(f"{field} should be a tuple of numbers, but is {given!r}{one}") from None


Property = Callable[["Trial"], None]
"""A function named as a sentence whose docstring is its equation. It raises where that is not so."""


@dataclass(frozen=True)
class BadArgument:
    """A call that a layer should refuse with a ValueError or TypeError.

    `call(layer, case)` makes it, as `layer.attempt("forward", x)`; `argument` names what is wrong with it ("x",
    "dLdy"), and the error's message should say so, or give the shape that is wrong.
    """

    description: str
    argument: str
    call: Callable[[Any, Case], None]


ALL = ("x, then the parameters",)
"""The gradients that backprop returns, unless they are given."""

DRAWS, MANY = 200, 1000
"""So often a case is drawn again until a restriction holds. Where it holds of none of so many, there is none."""


class Restriction:
    """What limits the cases that are tried: a sentence for the report, and the condition.

    `counted` says how many of the cases drawn it excluded: what a keyword excludes is hardly drawn at all.
    """

    def __init__(self, sentence: str, condition: Callable[[Case], Any], *, counted: bool = False) -> None:
        self.sentence, self.counted = sentence, counted
        self.condition = condition
        self.source: st.SearchStrategy[Any] | None = None
        self.drawn = self.excluded = 0  # of the cases of the spec, not of its usual or extreme ones

    def holds(self, case: Case) -> bool:
        """Return whether a case may be tried. SpecError if the condition raises."""
        try:
            return bool(self.condition(case))
        except Exception as error:
            raise SpecError(
                f"{self.sentence} should say of every case whether it is to be tried, but raised"
                f" {type(error).__name__}: {error}, for the settings {dict(case.settings)} and x of shape"
                f" {case.arrays['x'].shape}"
            ) from error

    def among(self, cases: st.SearchStrategy[Any]) -> st.SearchStrategy[Case]:
        """Return those of the cases for which it holds; None, of what makes no case, is no case.

        One that does not hold is drawn again, within the same example, so that Hypothesis hardly rejects any.
        """
        self.source = cases if self.source is None else self.source

        @st.composite
        def satisfying(draw: st.DrawFn) -> Case:
            before = None
            for _ in range(DRAWS):
                case = draw(cases)
                right = case is not None and self.holds(case)
                self.drawn, self.excluded = self.drawn + 1, self.excluded + (not right)
                if right:
                    return case  # type: ignore[no-any-return]
                if case is not None and before is not None and _same(case, before):
                    break  # Hypothesis draws one and the same, the simplest
                before = case
            return reject()

        return satisfying()

    def possible(self, cases: st.SearchStrategy[Case] | None) -> st.SearchStrategy[Case] | None:
        """Return those of the cases for which it holds, or None if there are none."""
        if cases is None:
            return None
        other = Restriction(self.sentence, self.condition)
        those = other.among(cases)
        return those if other.is_possible() else None

    def is_possible(self) -> bool:
        """Return whether it holds of any case, of those that are drawn without it."""
        assert self.source is not None
        return any(case is not None and self.holds(case) for n in (10, 100, MANY) for case in sample(self.source, n, n))

    def told(self) -> str:
        """Return what the report says of it."""
        if not self.counted:
            return f"Tried only where {self.sentence}"
        return f"{self.sentence} excluded {self.excluded} of {self.drawn} drawn cases"


def _named(condition: Callable[[Case], Any]) -> str:
    """Return the name of a function, and where it stands if it is a lambda."""
    name: str = getattr(condition, "__name__", type(condition).__name__)
    code: Any = getattr(condition, "__code__", None)
    return f"<lambda at {os.path.basename(code.co_filename)}:{code.co_firstlineno}>" if name == "<lambda>" else name


def _same(one: Case, other: Case) -> bool:
    return one.seed == other.seed and repr(one.settings) == repr(other.settings)


Home = Callable[["Adapted", "LayerSpec", Mapping[str, Any], Mapping[str, Array]], "Instance"]
"""Makes a layer, called with an adapter, the spec, the settings, and x and the parameters by name."""


def here(adapter: "Adapted", spec: "LayerSpec", settings: Mapping[str, Any], inputs: Mapping[str, Array]) -> "Instance":
    """Return a layer in this process."""
    return adapter.layer(spec, settings, inputs)


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """A layer to verify. Frozen: `dataclasses.replace(spec, make=...)` makes a variant.

    A SpecError says what does not fit: here, or before the layer is first called.

    name        what reports call it
    make        called with the settings of a case, by name (or in their order, where its parameters
                have other names), returns the layer: an object with `forward(x) -> y`,
                `backprop(x, dLdy) -> dLdx` or `(dLdx, dLd<parameter>, ...)`, and its parameters as
                attributes, which are then set to the arrays of the case
    cases       a strategy of valid cases; see `verification.strategies.cases`
    reference   called with the arrays and settings of a case, by name, returns the right y
    parameters  names of the parameters
    inputs      those of the parameters and constants that are no attributes but are given to forward and backprop
                after x, in this order: forward(x, h) and backprop(x, h, dLdy) for ("h",)
    outputs     names of what forward returns, if it is several arrays: ("y", "c") for forward(x) -> (y, c) and
                backprop(x, dLdy, dLdc). reference and magnitude return a tuple of them then, and gradient is called
                with dLdy and dLdc. Their shapes may differ in the last axis only
    constants   names of arrays that are set like parameters and have no gradient: a mask, labels
    gradients   the arguments whose gradients backprop returns, in this order: ("W", "b") for a first
                layer that has no dLdx, () for one that has no backprop; x and then the parameters unless
                given. Only without dLdx may x be of integers, as of words in a table: the layer gets them
                as they are
    parameter_gradients  "sum" over the batch, or "mean": the layer divides them by the batch size
    affine_in   the arrays ("x", "W", ...) in each of which y is affine, with whole-number
                coefficients: checked exactly, tolerance zero, on whole numbers
    piecewise_linear  y is piecewise linear in x, with kinks where two entries of x are equal or one
                is zero: checked exactly, at points where no kink is near
    rtol        0 for the exact layers above; for any other the error allowed to y and the gradients,
                relative to their largest entry (at least 1); `rtol_reason` says why that much
    batch_independent  y[i] depends on x[i] alone
    deterministic  the same calls give the same results; False for a layer that draws random numbers of its own: of
                it only `properties` are asked, what they hold for any draw, and the reference is y on average
    terms       called like reference, returns how many products an entry of y sums; bounds rounding
    magnitude   called like reference on absolute values, returns a bound on the sum of the absolute
                products; the reference itself unless coefficients of the layer's own may be negative
    sides       what the lengths of the axes of x are called, in order, each with what it is of a case, or None
    usual       a strategy of small cases near what people use, where many layers are right that are not elsewhere
    realistic   one case of a size as in real use, to be checked exactly too
    bad_arguments     calls that the layer should refuse
    properties  further properties of this layer, as required as the general ones
    kinks       values of x at which the derivative jumps, of a layer that acts entry by entry; there
                any gradient between the one-sided derivatives is right
    avoid       values of x to which no failing case is simplified: the layer is not smooth there
    extremes    a strategy of cases at the limits (large, tiny, equal entries) that must come out right too
    gradient    called with dLdy, the arrays and the settings by name, returns {argument: its gradient},
                by a formula: for extremes, to tell which mistake a wrong gradient is, and for a layer that has an rtol
                in place of differences, which are near only where y changes slowly
    mistakes    further mistakes to recognize, beside those of every layer
    conditions  called with a case, returns {condition: whether it holds}, for "right while ...", beside
                those of every layer
    fixed       names of settings that are constants of the layer: passed on only to a `make` that has
                parameters of these names
    as_one      names of settings that are pairs and are passed on as one number, for square windows
    dtype       numpy.float64, or numpy.float32 for a layer that works in that only: it is given arrays of this
                dtype. `in_float32` draws whole numbers so small that float32 is exact
    absent      names of parameters that the layer does not have, and that count as zero: ("b",)
    restrictions  what limits the cases: `where` adds one
    clock       counts the time of the layer's calls; set by check(seconds=...)
    home        makes layers where they are to live, from an adapter; set by check(isolated=True)
    """

    name: str
    make: Callable[..., Any]
    cases: st.SearchStrategy[Case]
    reference: Callable[..., Array | tuple[Array, ...]]
    parameters: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ALL
    parameter_gradients: Literal["sum", "mean"] = "sum"
    affine_in: tuple[str, ...] = ()
    piecewise_linear: bool = False
    rtol: float = 0.0
    rtol_reason: str = ""
    batch_independent: bool = True
    deterministic: bool = True
    terms: Callable[..., int] | None = None
    magnitude: Callable[..., Array | tuple[Array, ...]] | None = None
    usual: st.SearchStrategy[Case] | None = None
    sides: Mapping[str, Callable[[Case], int | None]] = field(default_factory=dict)
    realistic: Case | None = None
    bad_arguments: tuple[BadArgument, ...] = ()
    properties: tuple[Property, ...] = ()
    kinks: tuple[float, ...] = ()
    avoid: tuple[float, ...] = ()
    extremes: st.SearchStrategy[Case] | None = None
    gradient: Callable[..., Mapping[str, Array]] | None = None
    mistakes: tuple["Mistake", ...] = ()
    conditions: Callable[[Case], Mapping[str, bool]] | None = None
    fixed: tuple[str, ...] = ()
    as_one: tuple[str, ...] = ()
    dtype: type[np.floating] = np.float64
    absent: tuple[str, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    clock: Clock = field(default_factory=Clock, compare=False, repr=False)
    home: "Home" = field(default=here, compare=False, repr=False)

    def where(self, condition: Callable[[Case], Any]) -> "LayerSpec":
        """Return the spec of the cases for which condition(case) is true, the extreme and the realistic ones included.

        `spec.where(lambda case: case.arrays["x"].shape[2] % 2 == 0)`. Those that it excludes are drawn again, and the
        report counts them. Usual, extreme and realistic cases are left out if it holds of none. SpecError if the
        condition raises; and when the spec is checked, if no case satisfies it.
        """
        if not callable(condition):
            raise SpecError(
                f"where() takes a function of a case that says whether it is to be tried, not {condition!r}"
            )
        limit = Restriction(f"where({_named(condition)})", condition, counted=True)
        return replace(
            self,
            cases=limit.among(self.cases),
            usual=limit.possible(self.usual),
            extremes=limit.possible(self.extremes),
            realistic=self.realistic if self.realistic is not None and limit.holds(self.realistic) else None,
            restrictions=(*self.restrictions, limit),
        )

    def in_float32(self) -> "LayerSpec":
        """Return the spec of a layer that works in float32 only, with whole numbers of which float32 holds all sums.

        SpecError unless rtol is 0: the tolerance of a smooth layer is for float64.
        """
        if self.rtol:
            raise SpecError(f"dtype=numpy.float32 is for layers that are checked exactly, but {self.name} has an rtol")

        def reduced(case: Case) -> Case:
            arrays = {name: a if name in self.constants else small(a) for name, a in case.arrays.items()}
            return replace(case, arrays=arrays)

        def within(case: Case) -> Case:
            """Return an extreme case: 2^200 is beyond float32, 2^100 is not."""
            x = case.arrays["x"]
            return replace(case, arrays={**case.arrays, "x": x / 2.0**100}) if np.max(abs(x)) > 2.0**120 else case

        return replace(
            self,
            dtype=np.float32,
            cases=self.cases.map(reduced),
            usual=None if self.usual is None else self.usual.map(reduced),
            extremes=None if self.extremes is None else self.extremes.map(within),
            realistic=None if self.realistic is None else reduced(self.realistic),
        )

    @property
    def of_backprop(self) -> tuple[str, ...]:
        """What backprop is called with."""
        return ("x", *self.inputs, *(f"dLd{name}" for name in self.outputs or ("y",)))

    def whole(self, name: str, seed: int, shape: tuple[int, ...]) -> Array:
        """Return the whole numbers drawn under this name, small for a layer in float32."""
        drawn = whole(name, seed, shape)
        return small(drawn) if self.dtype == np.float32 else drawn

    def given(self, array: Array) -> Array:
        """Return an array of float64 in the dtype that the layer works in; any other as it is."""
        return array.astype(self.dtype) if array.dtype == np.float64 != self.dtype else array

    def __post_init__(self) -> None:
        tuples = ("parameters", "inputs", "outputs", "constants", "gradients", "affine_in", "fixed", "as_one", "absent")
        for which in tuples:
            names = getattr(self, which)
            if isinstance(names, str):
                raise SpecError(f"{which} should be a tuple of names, but is the text {names!r}: write ({names!r},)")
            object.__setattr__(self, which, tuple(names))
        if self.parameter_gradients not in ("sum", "mean"):
            raise SpecError(f"parameter_gradients should be 'sum' or 'mean', but is {self.parameter_gradients!r}")
        if "x" in (*self.parameters, *self.constants):
            raise SpecError("parameters and constants should not name x, the input: leave it out")
        known = (*self.parameters, *self.constants)
        if unknown := [name for name in self.inputs if name not in known]:
            raise SpecError(
                f"inputs should be among the parameters and constants, {known}, but has {unknown}: name them there"
            )
        if taken := [name for name in self.outputs if name in ("x", *known)]:
            raise SpecError(
                f"outputs should have names of their own, but {taken} are inputs, parameters or constants: say"
                f" {taken[0]}_next"
            )
        arguments = ("x", *self.parameters)
        if self.gradients == ALL:
            object.__setattr__(self, "gradients", arguments)
        if unknown := [name for name in self.gradients if name not in arguments]:
            raise SpecError(f"gradients should name arguments of the layer, {arguments}, but has {unknown}")
        if unknown := [name for name in self.affine_in if name not in arguments]:
            raise SpecError(f"affine_in should name arguments of the layer, {arguments}, but has {unknown}")
        object.__setattr__(self, "kinks", numbers("kinks", self.kinks))
        object.__setattr__(self, "avoid", numbers("avoid", self.avoid))
        if self.kinks and "x" not in self.gradients:
            raise SpecError(f"kinks are of dLdx, which gradients should name then, but they are {self.gradients}")
        if self.dtype not in (np.float64, np.float32):
            raise SpecError(f"dtype should be numpy.float64 or numpy.float32, but it is {self.dtype!r}")
        if self.rtol < 0:
            raise SpecError(f"rtol should be at least 0, but it is {self.rtol}")
        if self.rtol and not self.rtol_reason:
            raise SpecError(f"rtol={self.rtol} should come with an rtol_reason that says why that much")
        if self.rtol and self.piecewise_linear:
            raise SpecError("a piecewise-linear layer is checked exactly; leave rtol at 0")
        if self.rtol and self.extremes is not None and self.gradient is None:
            raise SpecError("extremes should come with a gradient by a formula: differences are of no use there")
        exact = set(self.affine_in) | ({"x"} if self.piecewise_linear else set())
        if not self.rtol and (missing := [name for name in self.gradients if name not in exact]):
            raise SpecError(
                f"{self.name}: with rtol=0 the layer should be affine in every argument, or piecewise linear"
                f" in x, but nothing is said of {missing}; name them in affine_in, or give rtol and rtol_reason"
            )
