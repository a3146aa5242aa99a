"""The properties of every layer. Each is a sentence, its docstring the equation; it raises where that is not so.

A property asks the trial for its arrays and layers, and never returns a verdict, prints or skips.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from hypothesis.strategies import SearchStrategy, just

from verification.case import Array, Case, whole
from verification.failure import PropertyFailed, entries
from verification.spec import LayerSpec, Property
from verification.strategies import LAYOUTS, spaced
from verification.trial import STEP, Layer, Trial, difference

# Required of every layer


def forward_matches_reference(trial: Trial) -> None:
    """forward(x) == reference(x, parameters)."""
    trial.compare("forward(x)", trial.layer().forward(trial.x), trial.y)


def backprop_matches_directional_differences(trial: Trial) -> None:
    """<dLdy, forward(x + v) - forward(x - v)> / 2 == <dLdx, v>, and so for each parameter."""
    at = trial.smooth_arguments()
    name = trial.pick(list(trial.spec.gradients))
    gradient = _gradients(trial, trial.layer(at), at["x"], trial.dLdy)[name]
    v = _direction(trial, name)

    def y(step: float) -> Array:
        moved = {**at, name: at[name] + step * trial.unit * v}
        return trial.expect_shape("forward(x)", trial.layer(moved).forward(moved["x"]), trial.y.shape)

    change = difference(y, exact=not trial.spec.rtol) / trial.unit
    if not trial.spec.rtol:
        change = trial.whole_numbers("the directional difference of forward", change)
        gradient = trial.whole_gradient(name, gradient, at, trial.dLdy)
    if not trial.same_inner_product((trial.dLdy, change), (gradient, v)):
        raise trial.wrong_gradient(name, gradient, at, trial.dLdy)


def backprop_is_the_adjoint(trial: Trial) -> None:
    """<dLdy, A v> == <dLdx, v>, where y = A x + c; and so for each parameter that y is affine in.

    A is that of the reference, so this holds backprop against what is right whatever forward does.
    """
    _hold_against_reference(trial, _gradients(trial, trial.layer(), trial.x, trial.dLdy), trial.arguments)


def backprop_is_linear_in_the_upstream_gradient(trial: Trial) -> None:
    """backprop(x, -3u) == -3 backprop(x, u).

    That backprop(x, u + v) == backprop(x, u) + backprop(x, v) follows from the identities above.
    """
    layer, u = trial.layer(), trial.dLdy
    once = _gradients(trial, layer, trial.x, u)
    for name, gradient in _gradients(trial, layer, trial.x, np.asarray(-3 * u)).items():
        because = " for dLdy = -3u: it is not -3 times that for u"
        trial.compare(f"dLd{name}", gradient, -3 * once[name], because)


def gradients_have_the_shapes_of_their_arguments(trial: Trial) -> None:
    """dLdx.shape == x.shape and dLdW.shape == W.shape, and so for each parameter."""
    _gradients(trial, trial.layer(), trial.x, trial.dLdy)


def arguments_are_left_alone(trial: Trial) -> None:
    """x, dLdy and the parameters are the same after forward and backprop as before."""
    layer, x, dLdy = trial.layer(), trial.x.copy(), trial.dLdy.copy()
    before = {name: layer.parameter(name).copy() for name in (*trial.spec.parameters, *trial.spec.constants)}

    def check(method: str) -> None:
        after = {"x": x, "dLdy": dLdy, **{name: layer.parameter(name) for name in before}}
        for name, array in {"x": trial.x, "dLdy": trial.dLdy, **before}.items():
            if not np.array_equal(after[name], array, equal_nan=True):
                raise _changed(method, name, after[name], array)

    layer.forward(x, as_is=True)
    check("forward")
    layer.backprop(x, dLdy, as_is=True)
    check("backprop")


def history_is_irrelevant(trial: Trial) -> None:
    """forward and backprop of a used layer == those of a new one, whatever it was used for.

    For other values of the same shape, another batch size, other parameters (assigned, or changed in
    place), an x changed in place; and where it was not used in between itself, another layer was.
    """
    used, then, x, dLdy = trial.layer(), dict(trial.arguments), trial.x.copy(), trial.dLdy
    names = trial.spec.parameters
    events = ["other values before", "other values in between", "another batch in between", "x changed in place"]
    event = trial.pick(events + ["other parameters before", "parameters changed in place"] * bool(names))
    used.forward(x, as_is=True)
    if event == "other values before":
        then["x"] = _another(trial, x)
    elif event == "other values in between":
        used.forward(_another(trial, x))
    elif event == "another batch in between":
        used.forward(np.concatenate([x, x]) if trial.spec.batch_independent else _another(trial, x))
    elif event == "x changed in place":
        x[...] = then["x"] = _another(trial, x)
    else:
        then |= {name: _another(trial, trial.arguments[name]) for name in names}
        for name in names:
            used.change(name, then[name], in_place=event == "parameters changed in place")
    if "in between" not in event:
        other = {name: _another(trial, trial.arguments[name]) for name in ("x", *names)}
        trial.layer(other).forward(other["x"])
    if event != "x changed in place":
        x = then["x"]
    because = f", not what a new layer gives, once the layer was used ({event})"
    new = trial.layer(then)
    expected = new.forward(then["x"]), new.backprop(then["x"], dLdy)
    for name, gradient in used.backprop(x, dLdy, straight=True, as_is=True).items():
        trial.compare(f"dLd{name}", gradient, expected[1][name], because)
    trial.compare("forward(x)", used.forward(x, as_is=True), expected[0], because)


def batch_items_are_independent(trial: Trial) -> None:
    """forward(x)[i] == forward(x[i:i+1])[0], and dLdx[i] alike."""
    x, u = trial.x, trial.dLdy
    if len(x) < 2:  # two different images, one of them the other turned around
        x, u = np.concatenate([x, x[..., ::-1]]), np.concatenate([u, u[..., ::-1]])
    layer, i = trial.layer(), trial.pick(list(range(len(x))))
    y, gradients = layer.forward(x), _gradients(trial, layer, x, u)
    alone, alone_u = x[i : i + 1], u[i : i + 1]
    because = f" for image {i} of {len(x)}: it should be what the image gives alone"
    trial.expect_shape("forward(x)", y, u.shape)
    trial.compare("forward(x)", y[i : i + 1], layer.forward(alone), because)
    if "x" in gradients:
        trial.compare("dLdx", gradients["x"][i : i + 1], layer.backprop(alone, alone_u)["x"], because)


def memory_layout_is_irrelevant(trial: Trial) -> None:
    """forward(x) and backprop(x, dLdy) depend on the values of x, dLdy and parameters, not on strides."""
    name = trial.pick(LAYOUTS)
    x, dLdy = LAYOUTS[name](trial.x), LAYOUTS[name](trial.dLdy)
    because = f" when the arrays are stored {name}"
    names = ("x", *trial.spec.parameters)
    plain = {argument: np.array(LAYOUTS[name](trial.arguments[argument])) for argument in names}
    layer, plain_dLdy = trial.layer(plain), np.array(dLdy)
    expected = layer.forward(plain["x"]), layer.backprop(plain["x"], plain_dLdy)
    layer = trial.layer({p: LAYOUTS[name](trial.arguments[p]) for p in trial.spec.parameters}, as_is=True)
    try:
        y = layer.forward(x, as_is=True)
        gradients = layer.backprop(x, dLdy, as_is=True)
    except PropertyFailed as failure:
        raise PropertyFailed(f"{failure.sentence}{because}") from failure
    trial.compare("forward(x)", y, expected[0], because)
    for argument, gradient in gradients.items():
        trial.compare(f"dLd{argument}", gradient, expected[1][argument], because)


def rounding_stays_within_the_bound(trial: Trial) -> None:
    """|forward(x) - y| <= 2 gamma_k magnitude(x, W, b), where gamma_k = k u / (1 - k u), u = 2^-53.

    The a-priori bound of a sum of k products in any order, once for the layer and once for the
    reference; the values use all bits of a float64. <dLdx, v> against <dLdy, A v> is bounded alike.
    """
    _rounding(trial, np.dtype(np.float64))


def is_exact_at_a_realistic_size(trial: Trial) -> None:
    """forward(x) == reference and <dLdy, A v> == <dLdx, v> at a size as in real use, one call of each."""
    at = trial.smooth_arguments()
    layer = trial.layer(at)
    trial.compare("forward(x)", layer.forward(at["x"]), trial.reference(**at))
    _hold_against_reference(trial, _gradients(trial, layer, at["x"], trial.dLdy), at)


def gradient_at_a_kink_lies_between_the_one_sided_derivatives(trial: Trial) -> None:
    """Of f'(k-) and f'(k+), min <= dLdx <= max where x is a kink k and dLdy is 1."""
    kink = trial.pick(list(trial.spec.kinks))
    x = np.full(trial.x.shape, kink)

    def one_sided(step: float) -> Array:
        y = [trial.reference(x=x + i * step) for i in range(3)]
        return np.asarray((4 * y[1] - 3 * y[0] - y[2]) / (2 * step))  # exact for pieces up to quadratic

    step = STEP if trial.spec.rtol else 1.0
    sides = np.sort([one_sided(step), one_sided(-step)], axis=0)
    slack = step**2 if trial.spec.rtol else 0.0  # the error of the formula: step^2 / 3 of the third derivative
    gradient = trial.expect_shape("dLdx", trial.layer().backprop(x, np.ones(x.shape))["x"], x.shape)
    between = np.clip(np.where(np.isnan(gradient), sides[0], gradient), sides[0] - slack, sides[1] + slack)
    trial.compare("dLdx", gradient, between, f" where x is {kink:g}, a kink: it should lie between {_range(sides)}")


def extremes_come_out_right(trial: Trial) -> None:
    """forward(x) == reference and backprop(x, dLdy) == the formula, all finite, at the limits of x."""
    layer = trial.layer()
    trial.compare("forward(x)", layer.forward(trial.x), trial.y, " at an extreme x")
    right = trial.gradient(trial.dLdy)
    for name, gradient in _gradients(trial, layer, trial.x, trial.dLdy).items():
        trial.compare(f"dLd{name}", gradient, right[name], " at an extreme x")


# Hardening: what a layer may get away without, until it is used in earnest


def results_share_no_memory(trial: Trial) -> None:
    """No result is a view of an argument, a parameter, another result or a buffer used again."""
    layer, x, dLdy = trial.layer(), trial.x.copy(), trial.dLdy.copy()
    results = {"forward(x)": layer.forward(x, as_is=True)}
    results |= {f"dLd{name}": g for name, g in layer.backprop(x, dLdy, as_is=True).items()}
    before = {name: result.copy() for name, result in results.items()}
    held = {"x": x, "dLdy": dLdy, **{name: layer.parameter(name) for name in trial.spec.parameters}}
    for name, result in results.items():
        for other, array in {**held, **results}.items():
            if other != name and np.shares_memory(result, array):
                raise PropertyFailed(f"{name} shares memory with {other}: changing one changes the other")
    layer.forward(_another(trial, x))
    layer.backprop(_another(trial, x), _another(trial, dLdy))
    for name, result in results.items():
        trial.compare(name, result, before[name], " after the next call: the layer returned a buffer it uses again")


def float32_in_stays_within_its_bound(trial: Trial) -> None:
    """Float32 x, dLdy and parameters give results within gamma_k of the exact ones, with u = 2^-24."""
    _rounding(trial, np.dtype(np.float32))


def integers_count_as_real_numbers(trial: Trial) -> None:
    """forward and backprop give for x of integers what they give for the same numbers as floats."""
    kind = trial.pick([np.int64, np.uint8, np.int32])
    x = spaced(trial.x, 2) if trial.spec.piecewise_linear else trial.x  # at ties they may choose differently
    if kind is np.uint8:
        x = x - x.min()
        kind = np.uint8 if x.max() < 256 else np.int64
    x = x.astype(np.int64).astype(kind)
    halves = {name: trial.arguments[name] + 0.5 for name in trial.spec.parameters}  # exact in float64, not whole
    layer, dLdy = trial.layer(halves), trial.dLdy + 0.5
    because = f" for x of {np.dtype(kind)}"
    as_float = x.astype(float)
    y, gradients = layer.forward(as_float), layer.backprop(as_float, dLdy)
    trial.compare("forward(x)", layer.forward(x), y, because)
    for name, gradient in layer.backprop(x, dLdy).items():
        trial.compare(f"dLd{name}", gradient, gradients[name], because)


def an_empty_batch_gives_empty_results(trial: Trial) -> None:
    """No images in: y and dLdx of no images out, and zero for each parameter."""
    layer, x, dLdy = trial.layer(), trial.x[:0], trial.dLdy[:0]
    trial.compare("forward(x)", layer.forward(x), dLdy.copy(), " for an empty batch")
    for name, gradient in layer.backprop(x, dLdy).items():
        zero = np.zeros(trial.arguments[name].shape)[: 0 if name == "x" else None]
        trial.compare(f"dLd{name}", gradient, zero, " for an empty batch")


def bad_arguments_are_refused(trial: Trial) -> None:
    """Each bad argument raises a ValueError or TypeError that names it or gives its shape."""
    for bad in trial.spec.bad_arguments:
        layer = trial.layer()
        try:
            bad.call(layer, trial.case)
        except (ValueError, TypeError) as error:
            if not re.search(rf"\b{bad.argument}\b|\(\d+,[^)]*\)|\d+\s*x\s*\d+", str(error)):
                raise PropertyFailed(
                    f'{bad.description}: the error should name {bad.argument} or its shape, but reads "{error}"'
                ) from error
        except Exception as error:
            raise PropertyFailed(
                f"{bad.description}: raised {type(error).__name__}: {error}, but should raise a ValueError"
                f" that names {bad.argument}, what was given and what was expected"
            ) from error
        else:
            raise PropertyFailed(
                f"{bad.description}: accepted, but should raise a ValueError that names {bad.argument},"
                " what was given and what was expected"
            )


@dataclass(frozen=True)
class Collected:
    """A property that applies to a spec, whether it is "required" or "hardening", and the cases to try."""

    check: Property
    kind: str
    cases: SearchStrategy[Case]

    @property
    def name(self) -> str:
        """The property's sentence."""
        return self.check.__name__


def properties(spec: LayerSpec) -> tuple[Collected, ...]:
    """Return the properties that apply to the spec; one that cannot apply is not among them."""
    exact, images = not spec.rtol, spec.batch_independent
    table: list[tuple[Property, str, bool]] = [
        (forward_matches_reference, "required", True),
        (backprop_matches_directional_differences, "required", True),
        (backprop_is_the_adjoint, "required", bool(spec.affine_in)),
        (backprop_is_linear_in_the_upstream_gradient, "required", True),
        (gradients_have_the_shapes_of_their_arguments, "required", True),
        (arguments_are_left_alone, "required", True),
        (history_is_irrelevant, "required", True),
        (batch_items_are_independent, "required", images),
        (memory_layout_is_irrelevant, "required", True),
        (rounding_stays_within_the_bound, "required", exact),
        (is_exact_at_a_realistic_size, "required", exact and spec.realistic is not None),
        *((own, "required", True) for own in spec.properties),
        (gradient_at_a_kink_lies_between_the_one_sided_derivatives, "required", bool(spec.kinks)),
        (extremes_come_out_right, "required", spec.extremes is not None),
        (results_share_no_memory, "hardening", True),
        (float32_in_stays_within_its_bound, "hardening", exact),
        (integers_count_as_real_numbers, "hardening", exact),
        (an_empty_batch_gives_empty_results, "hardening", images),
        (bad_arguments_are_refused, "hardening", bool(spec.bad_arguments)),
    ]
    own_cases: dict[Property, SearchStrategy[Case]] = {}
    if spec.realistic:
        own_cases[is_exact_at_a_realistic_size] = just(spec.realistic)
    if spec.extremes is not None:
        own_cases[extremes_come_out_right] = spec.extremes
    return tuple(Collected(check, kind, own_cases.get(check, spec.cases)) for check, kind, applies in table if applies)


# What several of them need


def _gradients(trial: Trial, layer: Layer, x: Array, dLdy: Array) -> dict[str, Array]:
    gradients = layer.backprop(x, dLdy)
    for name, gradient in gradients.items():
        trial.expect_shape(f"dLd{name}", gradient, x.shape if name == "x" else trial.arguments[name].shape)
    return gradients


def _hold_against_reference(trial: Trial, gradients: dict[str, Array], at: Mapping[str, Array]) -> None:
    """Raise unless <dLdy, A v> == <dLdx, v>, where A v is how the reference changes along v."""
    for name in _exact_in(trial.spec):
        gradient, v = gradients[name], _direction(trial, name)
        if not trial.spec.rtol:
            gradient = trial.whole_gradient(name, gradient, at, trial.dLdy)
        if not trial.same_inner_product((trial.dLdy, trial.response(name, v, at)), (gradient, v)):
            raise trial.wrong_gradient(name, gradient, at, trial.dLdy)


def _exact_in(spec: LayerSpec) -> list[str]:
    """Return the arguments in which the layer is affine or piecewise linear, of those whose gradients it returns."""
    return [name for name in spec.affine_in or ("x",) if name in spec.gradients]


def _direction(trial: Trial, name: str) -> Array:
    v = trial.whole(f"v for {name}", trial.arguments[name].shape)
    return v / 128 if trial.spec.rtol else v


def _another(trial: Trial, array: Array) -> Array:
    """Return other values of the same kind and shape: the entries in reverse order."""
    if trial.spec.rtol:
        return array[(slice(None, None, -1),) * array.ndim].copy()
    return whole("another", trial.case.seed + 2, array.shape)


def _range(sides: Array) -> str:
    return f"{sides[0].flat[0]:g} and {sides[1].flat[0]:g}"


def _changed(method: str, name: str, after: Array, before: Array) -> PropertyFailed:
    different = after != before
    return PropertyFailed(
        f"{method} changes {name}", entries(name, after, before, different), int(different.sum()), before.size
    )


def _rounding(trial: Trial, dtype: np.dtype[np.floating]) -> None:
    """Hold forward and backprop, for arguments of this dtype, against bounds in its unit roundoff."""
    given = {
        name: trial.real(f"{name} of all bits", array.shape).astype(dtype)
        for name, array in trial.arguments.items()
        if name not in trial.spec.constants
    }
    exact = {name: array.astype(float) for name, array in given.items()}
    layer, magnitude = trial.layer(given), trial.magnitude(**exact)
    y = trial.expect_shape("forward(x)", layer.forward(given["x"]), trial.y.shape)
    k = trial.spec.terms(**given, **trial.case.settings) if trial.spec.terms else _size(given)
    _within(trial, "forward(x)", dtype, y, trial.reference(**exact), k, magnitude)

    if trial.spec.piecewise_linear:  # where no kink is near; these are whole numbers, exact in either dtype
        exact = trial.smooth_arguments(far=dtype == np.float64)
        given = {name: array.astype(dtype) for name, array in exact.items()}
        layer = trial.layer(given)
    dLdy = trial.real("dLdy of all bits", trial.y.shape).astype(dtype)
    upstream = dLdy.astype(float)
    gradients = _gradients(trial, layer, given["x"], dLdy)
    for name in _exact_in(trial.spec):
        v = trial.whole(f"v for {name}", given[name].shape)
        _within(
            trial, f"dLd{name}", dtype, gradients[name],
            np.sum(upstream * trial.response(name, v, exact)), _size(given) + dLdy.size,
            np.sum(abs(upstream) * trial.magnitude(**{**exact, name: v})), along=v,
            entrywise=partial(trial.right_gradient, name, exact, upstream),
        )  # fmt: skip


def _within(
    trial: Trial, name: str, dtype: np.dtype[np.floating], actual: Array, right: Array, k: int,
    magnitude: Array, along: Array | None = None, entrywise: Callable[[], Array] | None = None,
) -> None:  # fmt: skip
    """Raise unless actual is as near to right as sums of k products are.

    Of a gradient only the inner product with `along` is known; `entrywise` finds all of it, to show.
    """
    if actual.dtype.kind == "f" and actual.dtype.itemsize < dtype.itemsize:
        raise PropertyFailed(f"{name} is {actual.dtype} for {dtype} arguments, but should be {dtype}")
    error = np.asarray(abs((actual if along is None else np.sum(actual * along)) - right))
    if (error <= 2 * _gamma(k, dtype) * magnitude).all():
        return
    # An FFT or Winograd's method errs by the largest entry, not by each: stable, and noted.
    allowed = STABLE[dtype.name]
    if (error <= allowed * np.max(magnitude)).all():
        if dtype == np.float64:
            trial.rounded = max(trial.rounded, float(np.max(error)))
        return
    slight = np.max(error) <= 1e-2 * np.max(magnitude)
    said = "by far more than rounding"
    if slight:
        said = f"by more than rounding in {dtype} can explain: computed in less?"
    if entrywise and trial.script is None:
        raise PropertyFailed(f"{name} is wrong, {said}")
    expected = entrywise() if entrywise else right
    wrong = ~(abs(actual - expected) <= allowed * max(1.0, float(np.max(abs(expected)))))
    label = "y" if name == "forward(x)" else name
    found = entries(label, actual, expected, wrong)
    raise PropertyFailed(f"{name} is wrong, {said}", found, int(wrong.sum()), wrong.size)


STABLE = {"float64": 1e-9, "float32": 1e-4}
"""Errors relative to the largest entry: far above those of a stable algorithm in this dtype (2^-53 or 2^-24
times a few log2(n)), far below those of the next coarser one (2^-24 or 2^-11)."""


def _gamma(k: int, dtype: np.dtype[np.floating]) -> float:
    unit = float(np.finfo(dtype).eps) / 2
    return k * unit / (1 - k * unit)


def _size(arrays: dict[str, Array]) -> int:
    return sum(array.size for array in arrays.values())
