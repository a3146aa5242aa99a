"""Properties of rounding: results may differ from the exact ones by the a-priori bound of a sum of products."""

from collections.abc import Callable
from functools import partial

import numpy as np

from verification.adapters.adapter import Adapted
from verification.case import Array, indices
from verification.differences import Measured
from verification.failure import PropertyFailed, array_of
from verification.properties.shared import exact_in, gradients, size
from verification.trial import Trial


def rounding_stays_within_the_bound(trial: Trial) -> None:
    """|forward(x) - y| <= 2 gamma_k magnitude(x, W, b), where gamma_k = k u / (1 - k u), u = 2^-53 (float32: 2^-24).

    The a-priori bound of a sum of k products in any order, once for the layer and once for the
    reference; the values use all bits of the dtype. <dLdx, v> against <dLdy, A v> is bounded alike.
    """
    _rounding(trial, np.dtype(trial.spec.dtype))


def float32_in_stays_within_its_bound(trial: Trial) -> None:
    """Float32 x, dLdy and parameters give results within gamma_k of the exact ones, with u = 2^-24."""
    _rounding(trial, np.dtype(np.float32))


def _rounding(trial: Trial, dtype: np.dtype[np.floating]) -> None:
    """Hold forward and backprop, for arguments of this dtype, against bounds in its unit roundoff."""
    given = {
        name: array if indices(array) else trial.real(f"{name} of all bits", array.shape).astype(dtype)
        for name, array in trial.arguments.items()
        if name not in (*trial.spec.constants, *trial.spec.absent)
    }
    exact = {name: array if indices(array) else array.astype(float) for name, array in given.items()}
    # A third of a whole number has all bits, too.
    dLdy = trial.dLdy / 3 if trial.declares_dLdy else trial.real("dLdy of all bits", trial.y.shape)
    dLdy = dLdy.astype(dtype)
    layer, magnitude = trial.layer(given), trial.magnitude(**exact)
    y, at = trial.expect_shape("forward(x)", layer.forward(given["x"]), trial.y.shape), exact
    if trial.spec.piecewise_linear:  # gradients where no kink is near: at whole numbers, exact in either dtype
        at = trial.smooth_arguments(far=dtype == np.float64)
        moved = {name: array.astype(dtype) for name, array in at.items()}
        returned = gradients(trial, trial.layer(moved), moved["x"], dLdy)
    else:
        returned = gradients(trial, layer, given["x"], dLdy)
    k = trial.spec.terms(**given, **trial.case.settings) if trial.spec.terms else size(given)
    within(trial, "forward(x)", dtype, y, trial.reference(**exact), k, magnitude)

    upstream = dLdy.astype(float)
    # The change of a parameter is rounded to its own size, which says nothing of its gradient's.
    told = isinstance(trial.spec.make, Adapted) and trial.spec.make.from_change
    for name in exact_in(trial.spec):
        if told and name != "x":
            continue
        v = trial.whole(f"v for {name}", given[name].shape)
        within(
            trial, f"dLd{name}", dtype, returned[name],
            np.sum(upstream * trial.response(name, v, at).value), size(given) + dLdy.size,
            np.sum(abs(upstream) * trial.magnitude(**{**at, name: v})), along=v,
            entrywise=partial(trial.right_gradient, name, at, upstream),
        )  # fmt: skip


def within(
    trial: Trial, name: str, dtype: np.dtype[np.floating], actual: Array, right: Array, k: int,
    magnitude: Array, along: Array | None = None, entrywise: Callable[[], Measured] | None = None,
) -> None:  # fmt: skip
    """Raise unless actual is as near to right as sums of k products are, or is not judged.

    Of a gradient only the inner product with `along` is known; `entrywise` finds all of it, to show.
    """
    label = array_of(name)
    if trial.skips(label):
        return
    if actual.dtype.kind == "f" and actual.dtype.itemsize < dtype.itemsize:
        shows = trial.expression(actual, "{}.dtype")
        raise PropertyFailed(
            f"{name} is {actual.dtype} for {dtype} arguments, but should be {dtype}", shows=shows
        ).about("dtype")
    error = np.asarray(abs((actual if along is None else np.sum(actual * along)) - right))
    if (error <= 2 * _gamma(k, dtype) * magnitude).all():
        return
    # An FFT or Winograd's method errs by the largest entry, not by each: stable, and noted.
    allowed = STABLE[dtype.name]
    if (error <= allowed * np.max(magnitude)).all():
        if dtype == trial.spec.dtype:
            trial.rounded = max(trial.rounded, float(np.max(error)))
        return
    if actual.dtype.kind in "iu":
        shows = trial.expression(actual, "{}.dtype")
        said = f"{name} is an array of {actual.dtype} for {dtype} arguments, but should be {dtype}"
        raise PropertyFailed(said, shows=shows).about("integers", label)
    slight = np.max(error) <= 1e-2 * np.max(magnitude)
    said = "by far more than rounding"
    if slight:
        said = f"by more than rounding in {dtype} can explain: computed in less?"
    if entrywise and trial.script is None:
        raise PropertyFailed(f"{name} is wrong, {said}").about("values", label)
    expected = entrywise().value if entrywise else right
    wrong = ~(abs(actual - expected) <= allowed * max(1.0, float(np.max(abs(expected)))))
    found = trial.entries(label, *trial.as_given(actual, expected), wrong)
    shows = trial.shown(trial.expression(actual), found)
    raise PropertyFailed(f"{name} is wrong, {said}", found, int(wrong.sum()), wrong.size, shows=shows).about(
        "values", label
    )


STABLE = {"float64": 1e-9, "float32": 1e-4}
"""Errors relative to the largest entry: far above those of a stable algorithm in this dtype (2^-53 or 2^-24
times a few log2(n)), far below those of the next coarser one (2^-24 or 2^-11)."""


def _gamma(k: int, dtype: np.dtype[np.floating]) -> float:
    unit = float(np.finfo(dtype).eps) / 2
    return k * unit / (1 - k * unit)
