"""Properties required of every layer."""

from contextlib import suppress

import numpy as np

from verification.case import Array
from verification.differences import STEP, Measured
from verification.failure import TOO_COARSE, NotJudged, PropertyFailed
from verification.properties.shared import agrees, direction, gradients, hold_against_reference
from verification.strategies import LAYOUTS
from verification.trial import Trial, slope, steps


def forward_matches_reference(trial: Trial) -> None:
    """forward(x) == reference(x, parameters)."""
    trial.compare("forward(x)", trial.layer().forward(trial.x), trial.y)


def backprop_matches_directional_differences(trial: Trial) -> None:
    """<dLdy, forward(x + v) - forward(x - v)> / 2 == <dLdx, v>, and so for each parameter.

    Differences of a smooth layer are no more than near. Where its spec gives the gradient by a formula, it is that
    which the layer is held against: dLdx == gradient; differences of the reference were held against it before.
    """
    exact = not trial.spec.rtol
    if trial.spec.gradient and not exact:
        for name, gradient in gradients(trial, trial.layer(), trial.x, trial.dLdy).items():
            trial.compare(f"dLd{name}", gradient, trial.right[name])
        return
    name = trial.pick("argument", trial.spec.gradients)
    # A parameter needs no distance from kinks, which are in x: y is affine in it anywhere.
    at, unit = (trial.smooth_arguments(), trial.unit) if name == "x" else (trial.arguments, 1.0)
    v = direction(trial, name)
    gradient = gradients(trial, trial.layer(at), at["x"], trial.dLdy)[name]
    points = [{**at, name: at[name] + step * unit * v} for step in steps(exact)]
    y = [trial.expect_shape("forward(x)", trial.layer(to).forward(to["x"]), trial.y.shape) for to in points]
    value, error = slope(y, exact)
    change: Array | None = value / unit
    if exact:
        change = trial.nearly_whole(value / unit, max(float(np.max(abs(one), initial=0)) for one in y))
    with suppress(NotJudged):
        if change is not None and agrees(trial, name, gradient, at, v, Measured(change, error)):
            return
    for one, to in zip(y, points, strict=True):
        trial.compare("forward(x)", one, trial.reference(**to), ": backprop is not its gradient")
    if not exact:  # no entry is known to be wrong
        raise NotJudged(TOO_COARSE)
    raise PropertyFailed(f"forward and backprop contradict each other: dLd{name} is not the gradient of forward")


def backprop_is_the_adjoint(trial: Trial) -> None:
    """<dLdy, A v> == <dLdx, v>, where y = A x + c; and so for each parameter that y is affine in.

    A is that of the reference, so this holds backprop against what is right whatever forward does.
    """
    hold_against_reference(trial, gradients(trial, trial.layer(), trial.x, trial.dLdy), trial.arguments)


def backprop_is_linear_in_the_upstream_gradient(trial: Trial) -> None:
    """backprop(x, -3u) == -3 backprop(x, u).

    That backprop(x, u + v) == backprop(x, u) + backprop(x, v) follows from the identities above.
    """
    u = trial.dLdy
    once = gradients(trial, trial.layer(), trial.x, u)
    for name, gradient in gradients(trial, trial.layer(), trial.x, -3.0 * u).items():
        trial.compare(f"dLd{name}", gradient, -3.0 * once[name], " for dLdy = -3u: it is not -3 times that for u")


def gradients_have_the_shapes_of_their_arguments(trial: Trial) -> None:
    """dLdx.shape == x.shape and dLdW.shape == W.shape, and so for each parameter."""
    gradients(trial, trial.layer(), trial.x, trial.dLdy)


def arguments_are_left_alone(trial: Trial) -> None:
    """x, dLdy and the parameters are the same after forward and backprop as before."""
    layer = trial.layer()
    before = {**{name: trial.arguments[name] for name in ("x", *trial.spec.inputs)}, "dLdy": trial.dLdy}
    before = {name: trial.spec.given(array) for name, array in before.items()}
    held = {name: layer.hold(name, array.copy()) for name, array in before.items()}
    for name in trial.spec.inputs:
        layer.assign(name, held[name])
    before |= layer.parameters()
    for method in ("forward", "backprop"):
        if method == "forward":
            layer.forward(held["x"])
        else:
            layer.backprop(held["x"], held["dLdy"])
        after = {**{name: array.read() for name, array in held.items()}, **layer.parameters()}
        for name, array in after.items():
            if not _same(array, before[name]):
                shows = layer.expression(name, held)
                raise _changed(trial, method, name, array, before[name], shows, is_argument=name in held)


def _changed(
    trial: Trial, method: str, name: str, after: Array, before: Array, shows: str, *, is_argument: bool
) -> PropertyFailed:  # fmt: skip
    if (after.shape, after.dtype) != (before.shape, before.dtype):
        was, is_now = (f"shape {array.shape} and {array.dtype}" for array in (before, after))
        said, found, count = f"{method} changes {name} in place: it had {was}, and has {is_now}", [], 0
    else:
        wrong = after != before
        found, count = trial.entries(name, after, before, wrong), int(wrong.sum())
        said = f"{method} changes {found[0].array}"
    failure = PropertyFailed(said, found, count, after.size if found else 0, shows=trial.shown(shows, found))
    return failure if is_argument else failure.about("own parameter")


def _same(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)


def batch_items_are_independent(trial: Trial) -> None:
    """forward(x)[i] == forward(x[i:i+1])[0], and dLdx[i] alike."""
    x, u = trial.x, trial.dLdy
    if len(x) < 2:  # two different images, one of them the other turned around
        turned_u = u if trial.declares_dLdy else u[..., ::-1]
        x, u = np.concatenate([x, x[..., ::-1]]), np.concatenate([u, turned_u])
    layer, i = trial.layer(), trial.pick("image", range(len(x)))
    y, returned = layer.forward(trial.allowed(x)), gradients(trial, layer, x, u)
    trial.allowed(x[i : i + 1])
    y_alone, returned_alone = trial.layer().both(x[i : i + 1], u[i : i + 1])
    because = f" for image {i} of {len(x)}: it should be what the image gives alone"
    trial.expect_shape("forward(x)", y, u.shape)
    pairs = [("forward(x)", y, y_alone)]
    if "x" in returned:
        pairs.append(("dLdx", returned["x"], returned_alone["x"]))
    for name, of_all, alone in pairs:
        trial.expect_shape(name, alone, (1, *of_all.shape[1:]), " for an image alone")
        expected = of_all.copy()
        expected[i] = alone[0]
        trial.compare(name, of_all, expected, because)


def memory_layout_is_irrelevant(trial: Trial) -> None:
    """forward(x) and backprop(x, dLdy) depend on the values of x, dLdy and parameters, not on strides."""
    name = trial.pick("layout", LAYOUTS)
    because = f" when the arrays are stored {name}"
    given = {argument: trial.spec.given(trial.arguments[argument]) for argument in ("x", *trial.spec.parameters)}
    laid_out = {argument: LAYOUTS[name](array) for argument, array in given.items()}
    dLdy = LAYOUTS[name](trial.spec.given(trial.dLdy))
    if trial.declares_dLdy and not np.array_equal(dLdy, trial.dLdy):  # zero strides would change it
        dLdy = trial.spec.given(trial.dLdy).copy()
    plain = {argument: np.array(array, order="C") for argument, array in laid_out.items()}
    expected_y, expected = trial.layer(plain).both(plain["x"], np.array(dLdy, order="C"))
    layer = trial.layer()
    for parameter in trial.spec.parameters:
        layer.assign(parameter, layer.hold(parameter, laid_out[parameter]))
    try:
        y, returned = layer.both(layer.hold("x", laid_out["x"]), layer.hold("dLdy", dLdy))
    except PropertyFailed as failure:
        raise PropertyFailed(f"{failure.sentence}{because}", shows=failure.shows) from failure
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
        y = [trial.reference(x=x + i * step) for i in range(4)]
        return np.asarray((18 * y[1] - 11 * y[0] - 9 * y[2] + 2 * y[3]) / (6 * step))  # exact for pieces up to cubic

    step = STEP if trial.spec.rtol else 1.0
    right, left = one_sided(step), one_sided(-step)
    sides = np.sort([u * right, u * left], axis=0)
    # Errors grow with the third power of the step: of half as long a one it is a seventh of the difference.
    coarse = [abs(right - one_sided(2 * step)), abs(left - one_sided(-2 * step))]
    slack = abs(u) * np.max(coarse, axis=0) if trial.spec.rtol else 0.0
    gradient = trial.expect_shape("dLdx", trial.layer().backprop(x, u)["x"], x.shape)
    between = np.clip(np.where(np.isnan(gradient), sides[0], gradient), sides[0] - slack, sides[1] + slack)
    trial.compare("dLdx", gradient, between, f" where x is {kink:g}, a kink: it should lie between {_range(sides)}")


def extremes_come_out_right(trial: Trial) -> None:
    """forward(x) == reference and backprop(x, dLdy) == the formula, all finite, at the limits of x."""
    layer = trial.layer()
    y, returned = layer.forward(trial.x), gradients(trial, layer, trial.x, trial.dLdy)
    trial.compare("forward(x)", y, trial.y, " at an extreme x")
    right = trial.gradient(trial.dLdy)
    for name, gradient in returned.items():
        trial.compare(f"dLd{name}", gradient, right[name], " at an extreme x")


def _range(sides: Array) -> str:
    return f"{sides[0].flat[0]:g} and {sides[1].flat[0]:g}"
