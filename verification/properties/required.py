"""Properties required of every layer."""

from collections.abc import Callable, Iterator

import numpy as np

from verification.case import Array
from verification.failure import PropertyFailed, entries, reshaped
from verification.properties.shared import (
    another,
    both_later,
    direction,
    gradients,
    gradients_later,
    hold_against_reference,
)
from verification.strategies import LAYOUTS
from verification.trial import STEP, Trial, slope, steps


def forward_matches_reference(trial: Trial) -> Iterator[None]:
    """forward(x) == reference(x, parameters)."""
    y = trial.layer().forward_later(trial.x)
    yield
    trial.compare("forward(x)", y(), trial.y)


def backprop_matches_directional_differences(trial: Trial) -> Iterator[None]:
    """<dLdy, forward(x + v) - forward(x - v)> / 2 == <dLdx, v>, and so for each parameter."""
    name = trial.pick("argument", trial.spec.gradients)
    # A parameter needs no distance from kinks, which are in x: y is affine in it anywhere.
    at, unit = (trial.smooth_arguments(), trial.unit) if name == "x" else (trial.arguments, 1.0)
    v = direction(trial, name)
    returned = gradients_later(trial, trial.layer(at), at["x"], trial.dLdy)

    def y(step: float) -> Callable[[], Array]:
        moved = {**at, name: at[name] + step * unit * v}
        return trial.layer(moved).forward_later(moved["x"])

    exact = not trial.spec.rtol
    asked = [y(step) for step in steps(exact)]
    yield
    gradient = returned()[name]
    change = slope([trial.expect_shape("forward(x)", one(), trial.y.shape) for one in asked], exact) / unit
    if not trial.spec.rtol:
        change = trial.whole_numbers("the directional difference of forward", change)
        gradient = trial.whole_gradient(name, gradient, at, trial.dLdy)
    if not trial.same_inner_product((trial.dLdy, change), (gradient, v)):
        raise trial.wrong_gradient(name, gradient, at, trial.dLdy)


def backprop_is_the_adjoint(trial: Trial) -> Iterator[None]:
    """<dLdy, A v> == <dLdx, v>, where y = A x + c; and so for each parameter that y is affine in.

    A is that of the reference, so this holds backprop against what is right whatever forward does.
    """
    returned = gradients_later(trial, trial.layer(), trial.x, trial.dLdy)
    yield
    hold_against_reference(trial, returned(), trial.arguments)


def backprop_is_linear_in_the_upstream_gradient(trial: Trial) -> Iterator[None]:
    """backprop(x, -3u) == -3 backprop(x, u).

    That backprop(x, u + v) == backprop(x, u) + backprop(x, v) follows from the identities above.
    """
    layer, u = trial.layer(), trial.dLdy
    once, thrice = gradients_later(trial, layer, trial.x, u), gradients_later(trial, layer, trial.x, -3.0 * u)
    yield
    gradient_of_u = once()
    for name, gradient in thrice().items():
        because = " for dLdy = -3u: it is not -3 times that for u"
        trial.compare(f"dLd{name}", gradient, -3.0 * gradient_of_u[name], because)


def gradients_have_the_shapes_of_their_arguments(trial: Trial) -> Iterator[None]:
    """dLdx.shape == x.shape and dLdW.shape == W.shape, and so for each parameter."""
    returned = gradients_later(trial, trial.layer(), trial.x, trial.dLdy)
    yield
    returned()


def arguments_are_left_alone(trial: Trial) -> Iterator[None]:
    """x, dLdy and the parameters are the same after forward and backprop as before."""
    layer, x, dLdy = trial.layer(), trial.x.copy(), trial.dLdy.copy()
    before = layer.parameters_later()

    def check(method: str, result: Callable[[], object]) -> Iterator[None]:
        parameters = layer.parameters_later()
        yield
        result()
        after = {"x": x, "dLdy": dLdy, **parameters()}
        for name, array in {"x": trial.x, "dLdy": trial.dLdy, **before()}.items():
            if after[name].dtype != array.dtype or not np.array_equal(after[name], array, equal_nan=True):
                raise _changed(method, name, after[name], array)

    yield from check("forward", layer.forward_later(x, as_is=True))
    yield from check("backprop", layer.backprop_later(x, dLdy, as_is=True))


def history_is_irrelevant(trial: Trial) -> Iterator[None]:
    """forward and backprop of a used layer == those of a new one, whatever it was used for.

    For other values of the same shape, another batch size, other parameters (assigned, or changed in
    place), an x changed in place; and where it was not used in between itself, another layer was.
    """
    used, then, x, dLdy = trial.layer(), dict(trial.arguments), trial.x.copy(), trial.dLdy.copy()
    names = trial.spec.parameters
    events = ["other values before", "other values in between", "another batch in between", "x changed in place"]
    event = trial.pick("event", events + ["other parameters before", "parameters changed in place"] * bool(names))
    used.use(x, None if "in between" in event else dLdy, as_is=True, now=event == "x changed in place")
    if event == "other values before":
        then["x"] = another(trial, x)
    elif event == "other values in between":
        used.use(another(trial, x))
    elif event == "another batch in between":
        used.use(np.concatenate([x, x]) if trial.spec.batch_independent else another(trial, x))
    elif event == "x changed in place":
        x.setflags(write=True)  # a layer may have taken that away
        x[...] = then["x"] = another(trial, x)
    else:
        then |= {name: another(trial, trial.arguments[name]) for name in names}
        for name in names:
            used.change(name, then[name], in_place=event == "parameters changed in place")
    if event != "x changed in place":
        x = then["x"].copy()
    because = f", not what a new layer gives, once the layer was used ({event})"
    new = trial.layer(then).both_later(then["x"], trial.dLdy)
    if "in between" not in event:  # after the new one, which may put right what layers share
        given = trial.arguments
        other = {
            name: another(trial, given[name]) if then[name] is given[name] else given[name] for name in ("x", *names)
        }
        trial.layer(other).use(other["x"])
    returned = used.backprop_later(x, dLdy, straight=True, as_is=True)
    y = used.forward_later(x, as_is=True)
    yield
    expected_y, expected = new()
    for name, gradient in returned().items():
        trial.compare(f"dLd{name}", gradient, expected[name], because)
    trial.compare("forward(x)", y(), expected_y, because)


def batch_items_are_independent(trial: Trial) -> Iterator[None]:
    """forward(x)[i] == forward(x[i:i+1])[0], and dLdx[i] alike."""
    x, u = trial.x, trial.dLdy
    if len(x) < 2:  # two different images, one of them the other turned around
        turned_u = u if trial.declares_dLdy else u[..., ::-1]
        x, u = np.concatenate([x, x[..., ::-1]]), np.concatenate([u, turned_u])
    layer, i = trial.layer(), trial.pick("image", range(len(x)))
    together, alone = both_later(trial, layer, x, u), layer.both_later(x[i : i + 1], u[i : i + 1])
    yield
    (y, returned), (y_alone, returned_alone) = together(), alone()
    because = f" for image {i} of {len(x)}: it should be what the image gives alone"
    trial.expect_shape("forward(x)", y, u.shape)
    trial.compare("forward(x)", y[i : i + 1], y_alone, because)
    if "x" in returned:
        trial.compare("dLdx", returned["x"][i : i + 1], returned_alone["x"], because)


def memory_layout_is_irrelevant(trial: Trial) -> Iterator[None]:
    """forward(x) and backprop(x, dLdy) depend on the values of x, dLdy and parameters, not on strides."""
    name = trial.pick("layout", LAYOUTS)
    x, dLdy = LAYOUTS[name](trial.x), LAYOUTS[name](trial.dLdy)
    if trial.declares_dLdy and not np.array_equal(dLdy, trial.dLdy):  # zero strides would change it
        dLdy = trial.dLdy.copy()
    because = f" when the arrays are stored {name}"
    names = ("x", *trial.spec.parameters)
    plain = {argument: np.array(LAYOUTS[name](trial.arguments[argument])) for argument in names}
    of_plain = trial.layer(plain).both_later(plain["x"], np.array(dLdy))
    yield
    expected_y, expected = of_plain()
    layer = trial.layer({p: LAYOUTS[name](trial.arguments[p]) for p in trial.spec.parameters}, as_is=True)
    try:
        answer = layer.both_later(x, dLdy, as_is=True, own=True)
        yield
        y, returned = answer()
    except PropertyFailed as failure:
        raise type(failure)(f"{failure.sentence}{because}") from failure
    trial.compare("forward(x)", y, expected_y, because)
    for argument, gradient in returned.items():
        trial.compare(f"dLd{argument}", gradient, expected[argument], because)


def is_exact_at_a_realistic_size(trial: Trial) -> None:
    """forward(x) == reference and <dLdy, A v> == <dLdx, v> at a size as in real use, one call of each."""
    at = trial.smooth_arguments()
    layer = trial.layer(at)
    trial.compare("forward(x)", layer.forward(at["x"]), trial.reference(**at))
    hold_against_reference(trial, gradients(trial, layer, at["x"], trial.dLdy), at)


def gradient_at_a_kink_lies_between_the_one_sided_derivatives(trial: Trial) -> None:
    """Of dLdy f'(k-) and dLdy f'(k+), min <= dLdx <= max where x is a kink k; dLdy is 1 unless declared."""
    kink = trial.pick("kink", trial.spec.kinks)
    x = np.full(trial.x.shape, kink)
    u = trial.dLdy if trial.declares_dLdy else np.ones(x.shape)

    def one_sided(step: float) -> Array:
        y = [trial.reference(x=x + i * step) for i in range(3)]
        return np.asarray((4 * y[1] - 3 * y[0] - y[2]) / (2 * step))  # exact for pieces up to quadratic

    step = STEP if trial.spec.rtol else 1.0
    sides = np.sort([u * one_sided(step), u * one_sided(-step)], axis=0)
    slack = abs(u) * step**2 if trial.spec.rtol else 0.0  # the error of the formula: step^2 / 3 of the third derivative
    gradient = trial.expect_shape("dLdx", trial.layer().backprop(x, u)["x"], x.shape)
    between = np.clip(np.where(np.isnan(gradient), sides[0], gradient), sides[0] - slack, sides[1] + slack)
    trial.compare("dLdx", gradient, between, f" where x is {kink:g}, a kink: it should lie between {_range(sides)}")


def extremes_come_out_right(trial: Trial) -> None:
    """forward(x) == reference and backprop(x, dLdy) == the formula, all finite, at the limits of x."""
    y, returned = both_later(trial, trial.layer(), trial.x, trial.dLdy)()
    trial.compare("forward(x)", y, trial.y, " at an extreme x")
    right = trial.gradient(trial.dLdy)
    for name, gradient in returned.items():
        trial.compare(f"dLd{name}", gradient, right[name], " at an extreme x")


def _range(sides: Array) -> str:
    return f"{sides[0].flat[0]:g} and {sides[1].flat[0]:g}"


def _changed(method: str, name: str, after: Array, before: Array) -> PropertyFailed:
    if (after.shape, after.dtype) != (before.shape, before.dtype):
        return PropertyFailed(reshaped(method, name, before, after))
    different = after != before
    return PropertyFailed(
        f"{method} changes {name}", entries(name, after, before, different), int(different.sum()), before.size
    )
