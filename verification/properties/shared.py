"""What several properties need."""

from collections.abc import Mapping

from verification.case import Array, indices
from verification.differences import Measured
from verification.failure import PropertyFailed
from verification.layer import Layer
from verification.spec import LayerSpec
from verification.trial import Trial


def gradients(trial: Trial, layer: Layer, x: Array, dLdy: Array) -> dict[str, Array]:
    """Return backprop(x, dLdy); raise unless each gradient has the shape of its argument."""
    returned = layer.backprop(x, dLdy)
    for name, gradient in returned.items():
        trial.expect_shape(f"dLd{name}", gradient, x.shape if name == "x" else trial.arguments[name].shape)
    return returned


def hold_against_reference(trial: Trial, returned: dict[str, Array], at: Mapping[str, Array]) -> None:
    """Raise unless <dLdy, A v> == <dLdx, v>, where A v is how the reference changes along v."""
    for name in exact_in(trial.spec):
        v = direction(trial, name)
        if not agrees(trial, name, returned[name], at, v, trial.response(name, v, at)):
            raise PropertyFailed(f"<dLdy, A v> differs from <dLd{name}, v> by less than what one entry shows")


def agrees(trial: Trial, name: str, gradient: Array, at: Mapping[str, Array], v: Array, change: Measured) -> bool:
    """Return whether <dLdy, change> == <gradient, v>; raise if it is not, and the gradient is wrong.

    NotJudged where the change is known too coarsely.
    """
    if trial.skips(f"dLd{name}"):
        return True
    nearest = gradient if trial.spec.rtol else trial.whole_gradient(name, gradient, at, trial.dLdy)
    if trial.same_inner_product((trial.dLdy, change.value), (nearest, v), change.error):
        return True
    if failure := trial.wrong_gradient(name, gradient, at, trial.dLdy):
        raise failure
    return False


def exact_in(spec: LayerSpec) -> list[str]:
    """Return the arguments in which the layer is affine or piecewise linear, of those whose gradients it returns."""
    return [name for name in spec.affine_in or ("x",) if name in spec.gradients]


def direction(trial: Trial, name: str) -> Array:
    """Return the direction v in which this argument is moved."""
    v = trial.whole(f"v for {name}", trial.arguments[name].shape)
    return v / 128 if trial.spec.rtol else v


def another(trial: Trial, array: Array) -> Array:
    """Return other values of the same kind and shape: the entries in reverse order."""
    if trial.spec.rtol or indices(array):
        return array[(slice(None, None, -1),) * array.ndim].copy()
    return trial.spec.whole("another", trial.case.seed + 2, array.shape)


def another_upstream(trial: Trial) -> Array:
    """Return another dLdy: where it is declared a multiple, which keeps its form."""
    return -3.0 * trial.dLdy if trial.declares_dLdy else another(trial, trial.dLdy)


def size(arrays: Mapping[str, Array]) -> int:
    """Return the number of entries of all these arrays."""
    return sum(array.size for array in arrays.values())
