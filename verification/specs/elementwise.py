"""A layer that applies a function to every entry of x alone: x (n, ...) of rank 1 to 4 -> y of the same shape."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, one_of, rank, reals, side
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec, SpecError, numbers
from verification.specs.refused import backprop_of, grown
from verification.trial import Trial

RTOL = 1e-9
RTOL_REASON = (
    "the layer and the formula err by rounding alone: an operation by 1.1e-16 of its result, and of the gradient by up"
    " to 1000 times that where terms of it cancel (GELU near its minimum)"
)
Derivative = Callable[..., Array]
Values = dict[str, tuple[Any, ...]]
Table = tuple[tuple[str, str, str, Callable[..., Any]], ...]

LIMITS = (1000.0, -1000.0, 750.0, -750.0, 710.0, -710.0, 40.0, -40.0, 20.0, -20.0, 1e-8, -1e-8, 1 / 3)
"""Beyond 745 and 709.8 exp(-x) is 0 and exp(x) infinite; from 37 on 1 + exp(-x) is 1; at 1e-8 exp(x) - 1 cancels;
1/3 has all bits of a float64, where x is otherwise exact in float32."""


def elementwise(
    implementation: Callable[..., Any], f: Derivative, derivative: Derivative, *, kinks: Sequence[float] = (),
    name: str = "elementwise", settings: Values | None = None, linear: bool = False, rtol: float = RTOL,
    rtol_reason: str = RTOL_REASON, limits: Sequence[float] = LIMITS, mistakes: Table = (), **only: Any,
) -> LayerSpec:  # fmt: skip
    """Return the spec of a layer that applies a function to each entry: x (n, ...) of rank 1 to 4 -> f(x).

    implementation makes the layer: the class itself or a function. It is called with one value of each of
    the `settings`, {name: values}, and so are f(x, **settings) and derivative(x, **settings), which take
    arrays. x is from -4 to 4, and at the `limits`, where forward and backprop should be right too. dLdx is held
    against the derivative, which is held against differences of f before.

    kinks       values of x at which a derivative of f jumps, but not f itself; there any gradient between
                the one-sided derivatives is right
    linear      f is linear on either side of 0, and its slopes are multiples of 1/4: it is checked exactly
    rtol        the error allowed otherwise, relative to the largest entry, and `rtol_reason` why that much
    mistakes    of people who write this layer: rows of a family ("sign"), the array ("y", "dLdx"), what is
                said of it, and what the mistake makes of dLdy and x: lambda u, x, **settings: ...
    only        keywords that restrict what is tried (`verification.choices`): the settings, rank and batch

    SpecError for a derivative that is not that of f, when the layer is checked; and for kinks elsewhere than at 0 of
    an f that is linear on either side of it.
    """
    own, kinks = dict(settings or {}), numbers("kinks", kinks) or (0.0,) * linear
    for key, values in own.items():
        if not isinstance(values, tuple | list) or not values:
            raise SpecError(
                f"settings should give a tuple of values for {key}, but gives {values!r}: write ({values!r},)"
            )
    _takes_settings("f", f, own)
    _takes_settings("derivative", derivative, own)
    choices = _choices(name, only, own, implementation)
    common: dict[str, Any] = {
        "name": name,
        "make": implementation,
        "reference": lambda x, **given: f(x, **given),  # which may take x by position only, as np.exp does
        "kinks": kinks,
        "bad_arguments": BAD_ARGUMENTS,
        "gradient": lambda dLdy, x, **given: {"x": dLdy * derivative(x, **given)},
        "mistakes": _mistakes(mistakes, f, derivative),
    }
    if linear:
        if kinks != (0.0,):
            raise SpecError(f"linear is for an f whose only kink is 0, but kinks are {kinks}: leave one of the two out")
        first = {key: values[0] for key, values in own.items()}
        spec = LayerSpec(
            **common,
            cases=choices.cases(_of(whole_case)),
            piecewise_linear=True,
            terms=lambda **_: 1,
            magnitude=lambda x, **_: abs(x),
            realistic=choices.realistic(_of(whole_case), rank=4, batch=4, side1=8, side2=16, side3=16, **first),
            properties=(is_positively_homogeneous, entries_are_independent),
        )
        return choices.applied(spec)
    far = np.array([limit for limit in limits if limit not in kinks])
    spec = LayerSpec(
        **common,
        cases=choices.cases(_of(partial(smooth_case, kinks=kinks))),
        rtol=rtol,
        rtol_reason=rtol_reason,
        properties=(entries_are_independent,),
        extremes=choices.cases(_of(partial(extreme_case, limits=far))) if len(far) else None,
    )
    return choices.applied(spec)


def _takes_settings(field: str, function: Derivative, settings: Values) -> None:
    """Raise SpecError unless a function can be called with x and the settings, by their names."""
    try:
        signature = inspect.signature(function)
        signature.bind("x", **dict.fromkeys(settings))
    except ValueError:  # none to be had, as of some ufuncs
        return
    except TypeError as error:
        given = ", ".join(["x", *settings])
        raise SpecError(
            f"{field} should take {given}, but is declared as {field}{signature}: {error}; what it takes besides x are"
            ' settings, which the layer is made with too: settings={"alpha": (0.5, 1.0)}'
        ) from error


def is_positively_homogeneous(trial: Trial) -> None:
    """forward(4 x) == 4 forward(x)."""
    layer = trial.layer()
    y = trial.expect_shape("forward(x)", layer.forward(trial.x), trial.x.shape)
    trial.compare("forward(x)", layer.forward(4 * trial.x), 4 * y, " for 4 x: it is not 4 forward(x)")


def entries_are_independent(trial: Trial) -> None:
    """forward and backprop of all entries turned around == those of x, turned around."""
    layer, x, u = trial.layer(), trial.x, trial.dLdy
    because = " when the entries of x are put in reverse order: so should those of the result be"
    y = trial.expect_shape("forward(x)", layer.forward(x), x.shape)
    trial.compare("forward(x)", layer.forward(_turned(x)), _turned(y), because)
    if trial.declares_dLdy:
        return  # which would have another form
    dLdx = trial.expect_shape("dLdx", layer.backprop(x, u)["x"], x.shape)
    trial.compare("dLdx", layer.backprop(_turned(x), _turned(u))["x"], _turned(dLdx), because)


def _turned(array: Array) -> Array:
    return np.asarray(array.ravel()[::-1].reshape(array.shape))


def whole_case(rank: int, sides: tuple[int, ...], settings: dict[str, Any], seed: int) -> Case:
    """Return a case of whole numbers.

    dLdy and directions are multiples of 4, so that slopes of 1/2 and 1/4 leave whole numbers.
    """
    shape = sides[:rank]
    arrays = {"x": whole("x", seed, shape)}
    if settings:
        arrays |= {"dLdy": 4 * whole("dLdy", seed, shape), "v for x": 4 * np.floor(whole("v", seed, shape) / 4)}
        if seed < 2:
            arrays["v for x"] = 4 * whole("v", seed, shape)
    return Case(arrays, settings, seed, frozenset(arrays) - {"x"})


def smooth_case(
    rank: int, sides: tuple[int, ...], settings: dict[str, Any], seed: int, kinks: tuple[float, ...] = ()
) -> Case:
    """Return a case of x from -4 to 4, of which no entry is nearer than 1/64 to a kink: no step leads across one."""
    # Odd multiples of 1/64: none is nearer than 1/64 to 0, or than 1/200 to -0.7518, where GELU is smallest.
    simple, grid = _off(np.array([0.0, 1.0, -1.0, 0.5, -0.5]), kinks), _off(np.arange(-127.5, 128) / 32, kinks)
    drawn = whole("x", seed, sides[:rank]).astype(int)
    x = grid[(drawn + 128) % len(grid)] if seed >= 2 else (*simple, *grid)[seed] + np.zeros(drawn.shape)
    return Case({"x": x}, settings, seed)


def extreme_case(
    rank: int, sides: tuple[int, ...], settings: dict[str, Any], seed: int, limits: Array
) -> Case:  # fmt: skip
    """Return a case of x at these limits."""
    return Case({"x": limits[whole("x", seed, sides[:rank]).astype(int) % len(limits)]}, settings, seed)


def _off(values: Array, kinks: tuple[float, ...]) -> Array:
    """Return the values that are no nearer than 1/64 to a kink."""
    return values[[all(abs(value - kink) >= 1 / 64 for kink in kinks) for value in values]]


def _choices(name: str, only: Mapping[str, Any], settings: Values, make: Callable[..., Any]) -> Choices:
    """Return the choices: rank 1 to 4, sides from 1 to 3 and any of these settings."""
    sides = {"batch": batch(1, 3), **{f"side{i}": replace(side(i, 1, 3), expects="") for i in (1, 2, 3)}}
    own = {
        key: one_of(*values) if isinstance(values[0], str) else reals(*values, most=16)
        for key, values in settings.items()
    }
    return Choices(name, only, {"rank": rank(1, 4), **sides, **own}, make=make)


def _of(case: Callable[..., Case]) -> Callable[..., Case]:
    """Return the function that makes a case of a rank, four sides, settings and a seed."""

    def made(rank: int, batch: int, side1: int, side2: int, side3: int, seed: int, **settings: Any) -> Case:
        return case(rank, (batch, side1, side2, side3), settings, seed)

    return made


def _mistakes(own: Table, value: Derivative, derivative: Derivative) -> tuple[Mistake, ...]:
    """Return the rows for mistakes of the layer's own, and of every activation."""
    table: Table = (
        *own,
        ("wrong-formula", "dLdx", "has the derivative at y; it should be at x",
         lambda u, x, **given: u * derivative(value(x, **given), **given)),
        ("wrong-operation", "y", "is the derivative, not the value", lambda u, x, **given: derivative(x, **given)),
    )  # fmt: skip

    def wrong(form: Callable[..., Any]) -> Callable[[Trial], Array | None]:
        return lambda t: None if (w := form(t.dLdy, t.x, **t.case.settings)) is None else np.asarray(w)

    return tuple(Mistake(family, array, f"{array} {sentence}", wrong(form)) for family, array, sentence, form in table)


BAD_ARGUMENTS = (
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
    backprop_of("backprop, dLdy of a rank more", lambda case: case.arrays["x"][np.newaxis]),
)  # fmt: skip
