"""The one declaration: what a layer is, which cases are valid for it, and what is right for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hypothesis import strategies as st

from verification.case import Array, Case
from verification.clock import Clock

if TYPE_CHECKING:
    from verification.explain.knobs import Mistake
    from verification.trial import Trial


class SpecError(ValueError):
    """A declaration does not fit: the field, what was given, what is expected and what to do."""


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
    inputs      those of the parameters that are no attributes but are given to forward and backprop after x,
                in this order: forward(x, h) and backprop(x, h, dLdy) for ("h",)
    constants   names of arrays that are set like parameters and have no gradient: a mask, labels
    gradients   the arguments whose gradients backprop returns, in this order: ("W", "b") for a first
                layer that has no dLdx; x and then the parameters unless given. Only without dLdx may x
                be of integers, as of words in a table: the layer gets them as they are
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
    usual       a strategy of small cases near what people use, where many layers are right that are not elsewhere
    realistic   one case of a size as in real use, to be checked exactly too
    bad_arguments     calls that the layer should refuse
    properties  further properties of this layer, as required as the general ones
    kinks       values of x at which the derivative jumps, of a layer that acts entry by entry; there
                any gradient between the one-sided derivatives is right
    avoid       values of x to which no failing case is simplified: the layer is not smooth there
    extremes    a strategy of cases at the limits (large, tiny, equal entries) that must come out right too
    gradient    called with dLdy, the arrays and the settings by name, returns {argument: its gradient},
                by a formula: for extremes, and to tell which mistake a wrong gradient is
    mistakes    further mistakes to recognize, beside those of every layer
    conditions  called with a case, returns {condition: whether it holds}, for "right while ...", beside
                those of every layer
    clock       counts the time of the layer's calls; set by check(seconds=...)
    """

    name: str
    make: Callable[..., Any]
    cases: st.SearchStrategy[Case]
    reference: Callable[..., Array]
    parameters: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()
    parameter_gradients: Literal["sum", "mean"] = "sum"
    affine_in: tuple[str, ...] = ()
    piecewise_linear: bool = False
    rtol: float = 0.0
    rtol_reason: str = ""
    batch_independent: bool = True
    deterministic: bool = True
    terms: Callable[..., int] | None = None
    magnitude: Callable[..., Array] | None = None
    usual: st.SearchStrategy[Case] | None = None
    realistic: Case | None = None
    bad_arguments: tuple[BadArgument, ...] = ()
    properties: tuple[Property, ...] = ()
    kinks: tuple[float, ...] = ()
    avoid: tuple[float, ...] = ()
    extremes: st.SearchStrategy[Case] | None = None
    gradient: Callable[..., Mapping[str, Array]] | None = None
    mistakes: tuple["Mistake", ...] = ()
    conditions: Callable[[Case], Mapping[str, bool]] | None = None
    clock: Clock = field(default_factory=Clock, compare=False, repr=False)

    def __post_init__(self) -> None:
        for which in ("parameters", "inputs", "constants", "gradients", "affine_in"):
            names = getattr(self, which)
            if isinstance(names, str):
                raise SpecError(f"{which} should be a tuple of names, but is the text {names!r}: write ({names!r},)")
            object.__setattr__(self, which, tuple(names))
        if "x" in (*self.parameters, *self.constants):
            raise SpecError("parameters and constants should not name x, the input: leave it out")
        if unknown := [name for name in self.inputs if name not in self.parameters]:
            raise SpecError(
                f"inputs should be among the parameters, {self.parameters}, but has {unknown}: name them there"
            )
        arguments = ("x", *self.parameters)
        if not self.gradients:
            object.__setattr__(self, "gradients", arguments)
        if unknown := [name for name in self.gradients if name not in arguments]:
            raise SpecError(f"gradients should name arguments of the layer, {arguments}, but has {unknown}")
        if unknown := [name for name in self.affine_in if name not in arguments]:
            raise SpecError(f"affine_in should name arguments of the layer, {arguments}, but has {unknown}")
        if self.kinks and "x" not in self.gradients:
            raise SpecError(f"kinks are of dLdx, which gradients should name then, but they are {self.gradients}")
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
