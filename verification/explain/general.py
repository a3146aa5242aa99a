"""The knobs of a layer of any kind: rows of tables, each a family, a sentence and a small function."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations, permutations

import numpy as np

from verification.case import Array
from verification.drawing import sample
from verification.explain.axes import AxisChange, changes_along, names_of_axes
from verification.explain.changes import (
    ACTIVATED,
    CAST,
    CHANGES,
    CLIPPED,
    EDGES,
    NONLINEAR,
    RARELY,
    Change,
    last_swapped_into_shape,
    one_for_all,
    one_position,
    only,
    reshaped_to_first,
    reversed_along,
    summed_for_all,
    turned_by_90,
    turned_by_180,
    without,
    without_last,
)
from verification.explain.fitted import fitted_knobs
from verification.explain.knobs import InputKnob, Mistake, OutputKnob, formula_knob, input_knob, output_knob
from verification.explain.observed import DRAWN
from verification.spec import LayerSpec
from verification.trial import Trial

LOOKED_AT = 20
"""Cases of which the axes of arrays are taken."""


def general_mistakes(spec: LayerSpec) -> Iterator[Mistake]:
    """Yield the knobs of a layer of any kind."""
    trials = [Trial(spec, case) for case in sample(spec.cases, DRAWN, 0)[:LOOKED_AT]]
    axes = {name: [*changes_along(*names_of_axes(trials, name))] for name in {"x", "y", *spec.parameters}}
    gradients = {f"dLd{name}": name for name in spec.gradients}
    for array, name in {"y": "y", **gradients}.items():
        along = axes.get(name, [])
        if array == "y":
            yield from _of_results("y", along)
            yield from _of_inputs("y", "x", OF_X)
            if "b" in spec.parameters:
                yield from _of_inputs("y", "b", OF_BIAS)
                yield from (input_knob(family, "y", said, partial(_bias_times, n)) for family, said, n in BIAS_TIMES)
            continue
        yield from (mistake for mistake in OF_GRADIENTS if mistake.array == array)
        own = name != "x" and name not in spec.inputs and spec.parameter_gradients == "mean"
        yield _averaged(array, own=own)
        yield from _of_results(array, along)
        yield from _of_inputs(array, "dLdy", OF_ANY_UPSTREAM)
        if name == "x":
            yield from _of_inputs(array, "dLdy", OF_POSITIONS_OF_X)
            yield from _of_inputs(array, "dLdy", OF_FILTERS if "W" in spec.parameters else [])
        else:
            family = "bias-not-summed" if name == "b" else "batch-not-summed"
            yield from _of_inputs(array, "dLdy", [(family, said, change) for said, change in OF_POSITIONS])
            yield from _of_inputs(array, "dLdy", OF_UPSTREAM_OF_A_PARAMETER)
        yield from _of_inputs(array, "x", OF_X)
    for array in ("y", *gradients):
        yield from _of_changes(array, CLIPPED)
    order = ", ".join(gradients)
    for name, other in permutations(spec.gradients, 2):
        sentence = f"backprop returns its gradients in another order than {order}"
        yield Mistake("return-order", f"dLd{name}", sentence, partial(_other_gradient, other))
    for array, name in {"y": "y", **gradients}.items():
        yield from _rarely(spec, array, name, axes)
        yield from fitted_knobs(spec, array)


def _rarely(spec: LayerSpec, array: str, name: str, axes: Mapping[str, list[AxisChange]]) -> Iterator[Mistake]:
    """Yield the knobs that are looked for by themselves."""
    for change in axes.get(name, []):
        if not change.plain:
            yield output_knob(change.family, array, f"{array} {change.of_result}", _applied(change.change), rare=True)
    inputs = {"x": "x", "W": "W"} if "W" in spec.parameters else {"x": "x"}
    if array != "y":
        inputs |= {"dLdy": "y"}
        for said, turn in UPSTREAM_BY_Y.items():
            sentence = f"{array} is computed with {said} in place of dLdy"
            yield input_knob("upstream-nonlinear", array, sentence, turn, rare=True)
        yield output_knob("wrong-formula", array, f"{array} is multiplied by {name}", partial(_multiplied, name, False),
                          rare=True)  # fmt: skip
        yield output_knob("wrong-formula", array, f"{array} is zero where {name} is not positive, as behind a ReLU",
                          partial(_multiplied, name, True), rare=True)  # fmt: skip
    for of, like in inputs.items():
        if f"dLd{of}" == array:
            inputs_of_itself = of == "x" and spec.piecewise_linear
            if not inputs_of_itself:
                continue
        for change in axes.get(like, []):
            yield input_knob(change.family, array, f"{array} is computed from {of} {change.of_input}",
                             partial(_with, of, change.of_an_input), rare=True)  # fmt: skip
        family = "upstream-nonlinear" if of == "dLdy" else "wrong-operation"
        for said, turned in {**(NONLINEAR if of == "x" else {}), **RARELY}.items():
            yield input_knob(family, array, f"{array} is computed with {said.replace('{}', of)}",
                             partial(_with, of, turned), rare=True)  # fmt: skip
    if array == "y" and "W" in spec.parameters and "b" in spec.parameters:
        for what, quantity in QUANTITIES.items():
            sentence = f"y is {what} times what it should be, but for the bias"
            yield input_knob("scaled", "y", sentence, partial(_filters_times, quantity), rare=True)
    changes = [*ACTIVATED, *CAST] if array == "y" else CAST
    yield from (replace(knob, rare=True) for knob in _of_changes(array, changes))


def _filters_times(quantity: Callable[[Trial], float], trial: Trial) -> dict[str, Array] | None:
    factor = quantity(trial)
    return None if factor in (0, 1) else {"W": factor * trial.arguments["W"]}


def _applied(change: Change) -> Callable[[Array, Trial], Array | None]:
    return partial(_changed, change)


def _multiplied(name: str, sign: bool, result: Array, trial: Trial) -> Array | None:
    """Return the result times an argument of its shape, or times whether that is positive."""
    argument = trial.arguments[name]
    if argument.shape != result.shape:
        return None
    return np.asarray(result * ((argument > 0) if sign else argument))


def _upstream(made: Callable[[Array, Array], Array], trial: Trial) -> dict[str, Array] | None:
    return {"dLdy": made(trial.dLdy, trial.y)} if trial.y.shape == trial.dLdy.shape else None


UPSTREAM_BY_Y: dict[str, Callable[[Trial], dict[str, Array] | None]] = {
    "y": partial(_upstream, lambda _, y: y),
    "dLdy times y": partial(_upstream, lambda u, y: u * y),
    "dLdy where y is positive, and 0 elsewhere": partial(_upstream, lambda u, y: u * (y > 0)),
    "dLdy less y": partial(_upstream, lambda u, y: u - y),
    "y less dLdy": partial(_upstream, lambda u, y: y - u),
}
"""What may stand in place of dLdy, in words."""


# Inputs

Row = tuple[str, str, Change]
"""Family, what is said behind the name of the array, and the change of what it is computed from."""


def _of_inputs(array: str, name: str, rows: list[Row]) -> Iterator[InputKnob]:
    """Yield the knobs of computing an array from another array of this name."""
    for family, sentence, change in rows:
        yield input_knob(family, array, f"{array} {sentence}", partial(_with, name, change))


def _with(name: str, change: Change, trial: Trial) -> dict[str, Array] | None:
    changed = change(trial.dLdy if name == "dLdy" else trial.arguments[name])
    return None if changed is None else {name: changed}


def _turned_if_square(times: int, u: Array) -> Array | None:
    return turned_by_90(times, u) if u.ndim > 2 and u.shape[-1] == u.shape[-2] else None


def _bias_times(times: Callable[[Trial], float], trial: Trial) -> dict[str, Array] | None:
    factor = times(trial)
    return None if factor == 1 else {"b": factor * trial.arguments["b"]}


OF_X: list[Row] = [
    ("batch-mixed", "uses the first image for every image: use x[n] for image n", partial(one_for_all, np.s_[:1])),
    ("batch-mixed", "uses the last image for every image: use x[n] for image n", partial(one_for_all, np.s_[-1:])),
    ("integer-result", "is computed from x cut to whole numbers", np.trunc),
    ("wrong-operation", "is computed with the absolute values of x", np.abs),
]
OF_BIAS: list[Row] = [
    ("bias-missing", "is what it should be without the bias: add b", np.zeros_like),
    ("sign", "is what it should be with the bias subtracted: add b", np.negative),
    ("bias-missing", "adds the sum of all biases to every map: add b[f] to map f", lambda b: b.sum() + 0 * b),
    ("bias-missing", "adds the mean of all biases to every map: add b[f] to map f", lambda b: b.mean() + 0 * b),
    ("bias-missing", "adds the last bias to every map: add b[f] to map f", lambda b: b.ravel()[-1:] + 0 * b),
]
BIAS_TIMES: list[tuple[str, str, Callable[[Trial], float]]] = [
    ("bias-missing", "y is what it should be with the bias added twice: add b once", lambda _trial: 2),
    ("bias-missing", "y has the bias added once for every channel: add b once",
     lambda trial: trial.x.shape[1] if trial.x.ndim == 4 else 1),
    ("bias-missing", "y has the bias added once for every entry of a filter: add b once",
     lambda trial: math.prod(trial.arguments["W"].shape[1:]) if "W" in trial.arguments else 1),
    ("bias-missing", "y has the bias added once for every entry of a filter's channel: add b once",
     lambda trial: math.prod(trial.arguments["W"].shape[2:]) if "W" in trial.arguments else 1),
    ("bias-missing", "y has the bias added once for every image: add b once", lambda trial: len(trial.x)),
]  # fmt: skip
OF_ANY_UPSTREAM: list[Row] = [
    ("upstream-ignored", "is what it should be if dLdy were 1 everywhere: multiply by dLdy", np.ones_like),
    *(("upstream-nonlinear", f"is computed with {what.replace('{}', 'dLdy')}: a gradient is linear in dLdy", change)
      for what, change in NONLINEAR.items()),
    ("axes-swapped", "takes dLdy with height and width swapped", last_swapped_into_shape),
    ("axes-swapped", "takes dLdy reshaped to (filters, batch, ...): transpose it", reshaped_to_first),
    ("upstream-reversed", "takes dLdy turned by 180 degrees: leave dLdy as it is", partial(reversed_along, (-2, -1))),
    ("upstream-reversed", "takes dLdy with its last axis reversed: leave dLdy as it is",
     lambda u: u[..., ::-1] if u.ndim else None),
    ("upstream-reversed", "takes dLdy with its rows in reverse order: leave dLdy as it is",
     partial(reversed_along, (-2,))),
    *(("upstream-reversed", "takes dLdy turned by 90 degrees: leave dLdy as it is",
       partial(_turned_if_square, times))
      for times in (1, -1)),
    *(("batch-mixed", f"uses the {word} image's dLdy for every image: use dLdy[n] for image n",
       partial(one_for_all, where)) for word, where in (("first", np.s_[:1]), ("last", np.s_[-1:]))),
    *(("border-missing", f"leaves out {what} of dLdy: take all of it", partial(without, edges))
      for what, edges in EDGES.items()),
    ("border-missing", "leaves out the last image: take all of them", partial(without_last, 0)),
    ("batch-mixed", "uses the sum of dLdy over the batch for every image", partial(summed_for_all, 0)),
]  # fmt: skip
OF_FILTERS: list[Row] = [
    ("channels-mixed", "counts the first filter only: sum over all filters", partial(only, 1, np.s_[:1])),
    ("not-accumulated", "counts the last filter only: sum over all filters (+= for =)", partial(only, 1, np.s_[-1:])),
    ("border-missing", "leaves out the last filter: sum over all filters", partial(without_last, 1)),
]
OF_POSITIONS_OF_X: list[Row] = [
    ("not-accumulated", "counts the last position of dLdy only: add them up (+= for =)", partial(one_position, -1)),
    ("not-accumulated", "counts the first position of dLdy only: add them up", partial(one_position, 0)),
]
OF_POSITIONS: list[tuple[str, Change]] = [
    ("counts the first position of dLdy only: sum over all of them", partial(one_position, 0)),
    ("counts the last position of dLdy only: sum over all of them", partial(one_position, -1)),
]
OF_UPSTREAM_OF_A_PARAMETER: list[Row] = [
    ("batch-not-summed", "counts the first image of the batch only: sum over all of them", partial(only, 0, np.s_[:1])),
    ("not-accumulated", "counts the last image of the batch only: add them up (+= for =)",
     partial(only, 0, np.s_[-1:])),
    ("not-accumulated", "counts the last row of dLdy only: add them up (+= for =)",
     lambda u: only(2, np.s_[-1:], u) if u.ndim > 2 else None),
    ("not-accumulated", "counts the last column of dLdy only: add them up (+= for =)",
     lambda u: only(3, np.s_[-1:], u) if u.ndim > 3 else None),
]  # fmt: skip


# Results


def _of_changes(array: str, rows: list[Row]) -> Iterator[OutputKnob]:
    """Yield the knobs of changing a result of this name."""
    for family, sentence, change in rows:
        family = "filter-flipped" if array == "dLdW" and change is turned_by_180 else family
        yield output_knob(family, array, f"{array} {sentence}", _applied(change))


def _of_results(array: str, along: list[AxisChange]) -> Iterator[OutputKnob]:
    """Yield the knobs of a result of this name, with these changes along its axes."""
    yield from _of_changes(array, CHANGES)
    yield from _of_changes(array, [(row.family, row.of_result, row.change) for row in along if row.plain])
    for what, quantity in QUANTITIES.items():
        yield output_knob("scaled", array, f"{array} is {what} times what it should be", partial(_scaled, quantity))
    dropped = f"{array} loses its axes of length 1: squeeze() drops them all, name the one that is meant"
    yield output_knob("axes-dropped", array, dropped, _squeezed)
    if array in ("y", "dLdx"):
        sentence = f"{array} of a single image has no batch axis: keep it"
        yield output_knob("axes-dropped", array, sentence, _without_batch_axis)


def _without_batch_axis(result: Array, trial: Trial) -> Array | None:
    return result[0] if len(trial.x) == 1 and result.ndim > 1 else None


def _changed(change: Change, result: Array, _trial: Trial) -> Array | None:
    return change(result)


def _squeezed(result: Array, _trial: Trial) -> Array | None:
    return result.squeeze() if 1 in result.shape else None


def _scaled(quantity: Callable[[Trial], float], result: Array, trial: Trial) -> Array | None:
    factor = quantity(trial)
    return None if factor in (0, 1) else np.asarray(result * factor)


def _averaged(array: str, *, own: bool) -> OutputKnob:
    """Return the knob of a mean over the batch where a sum is right, or of the mean of its `own` mean."""
    sentence = f"{array} is divided by the batch size: sum over the batch, do not average"
    if own:
        sentence = f"{array} is divided by the batch size twice: average over the batch once"
    return output_knob("batch-averaged", array, sentence, lambda result, trial: result / max(1, len(trial.x)))


def _inverse(quantity: Callable[[Trial], float], trial: Trial) -> float:
    factor = quantity(trial)
    return 1 / factor if factor else 0


def _weights(trial: Trial) -> int:
    return math.prod(trial.arguments["W"].shape[1:]) if "W" in trial.arguments else 0


FACTORS: dict[str, Callable[[Trial], float]] = {
    "batch size": lambda trial: len(trial.x),
    "size of y": lambda trial: trial.y.size,
    "positions in y": lambda trial: math.prod(trial.y.shape[2:]),
    "batch size times positions in y": lambda trial: len(trial.x) * math.prod(trial.y.shape[2:]),
    "entries of one image of y": lambda trial: math.prod(trial.y.shape[1:]),
    "size of x": lambda trial: trial.x.size,
    "channels of x": lambda trial: trial.x.shape[1] if trial.x.ndim == 4 else 0,
    "channels of y": lambda trial: trial.y.shape[1] if trial.y.ndim == 4 else 0,
    "positions in x": lambda trial: math.prod(trial.x.shape[2:]),
    "entries of one filter": _weights,
    "pool size": lambda trial: float(trial.case.settings.get("pool_size", 1)),
    "pool size, squared": lambda trial: float(trial.case.settings.get("pool_size", 1)) ** 2,
}
QUANTITIES: dict[str, Callable[[Trial], float]] = {
    **FACTORS,
    **{f"1 / ({what})": partial(_inverse, factor) for what, factor in FACTORS.items()},
}
"""Factors by which a result may be too large, in words."""


# Gradients


def _other_gradient(name: str, trial: Trial) -> Array:
    return trial.right[name]


def _of_mean_and_sum(trial: Trial) -> Array | None:
    """Return dLdW of the mean of x over the batch and the sum of dLdy."""
    result = _of_sums_over_the_batch(trial)
    return None if result is None else result / len(trial.x)


def _of_sums_over_the_batch(trial: Trial) -> Array | None:
    """Return dLdW of the sum of x over the batch and that of dLdy."""
    if len(trial.x) < 2 or trial.dLdy.ndim == 0 or len(trial.dLdy) != len(trial.x):
        return None
    x, dLdy = trial.x.sum(axis=0, keepdims=True), trial.dLdy.sum(axis=0, keepdims=True)
    return trial.gradient(dLdy, x=x)["W"]


def _upstream_summed(axes: tuple[int, ...], shaped: str, trial: Trial) -> Array | None:
    """Return dLdy summed over these axes: with or without them, in a row as b is, or shaped like b where it can be."""
    if trial.dLdy.ndim != 4:
        return None
    result: Array = np.sum(trial.dLdy, axis=axes, keepdims=shaped == "kept")
    b = trial.arguments["b"]
    if shaped == "in a row":
        return result.reshape(1, -1, 1, 1)
    if shaped == "like b":
        return result.reshape(b.shape) if result.size == b.size else None
    return result


def _each_summed(axis: int) -> Callable[[Array, Trial], Array | None]:
    return lambda result, _trial: summed_for_all(axis, result) if result.ndim == 4 else None


def _for_each_image(trial: Trial) -> Array | None:
    """Return dLdW of as many filters as there are images, where there are so many."""
    result = trial.right["W"]
    return result[: len(trial.x)] if result.ndim == 4 and len(trial.x) <= len(result) else None


def _as_wide_as_high(trial: Trial) -> Array | None:
    """Return dLdx with as many columns as rows: zeros in what is added; nothing where columns do not fit."""
    result = trial.right["x"]
    missing = result.shape[-2] - result.shape[-1] if result.ndim == 4 else -1
    return np.pad(result, [(0, 0)] * 3 + [(0, missing)]) if missing >= 0 else None


AXES = "batch", "filters", "width", "height"
OF_GRADIENTS: list[Mistake] = [
    output_knob("channels-mixed", "dLdx", "dLdx is summed over the channels: each channel has a gradient of its own",
                _each_summed(1)),
    formula_knob("size-from-width", "dLdx", "dLdx has as many columns as rows: its height is taken from the width",
                _as_wide_as_high),
    output_knob("shape-of-bias", "dLdb", "dLdb comes as one row of numbers: reshape it like b",
                lambda result, _trial: result.ravel() if result.ndim > 1 else None),
    Mistake("bias-not-summed", "dLdb", "dLdb is summed over the positions only: sum over the batch too",
            partial(_upstream_summed, (2, 3), "kept")),
    Mistake("bias-not-summed", "dLdb", "dLdb is dLdy as it is: sum over the batch", lambda trial: trial.dLdy),
    output_knob("channels-mixed", "dLdb",
                "dLdb is summed over the filters too: each filter has a gradient of its own",
                lambda result, _trial: result.sum() + 0 * result),
    *(formula_knob("wrong-axes", "dLdb",
              f"dLdb is dLdy summed over {' and '.join(AXES[axis] for axis in axes)}: sum over batch, width and height",
              partial(_upstream_summed, axes, shaped))
      for count in (1, 2, 3) for axes in combinations(range(4), count) if axes != (0, 2, 3)
      for shaped in ("kept", "dropped", "in a row", "like b")),
    output_knob("channels-mixed", "dLdW", "dLdW is summed over the channels: each channel has a gradient of its own",
                _each_summed(1)),
    output_knob("channels-mixed", "dLdW", "dLdW is summed over the filters: each filter has a gradient of its own",
                _each_summed(0)),
    formula_knob("batch-for-filters", "dLdW", "dLdW has a filter for each image: len(dLdy) is the batch size",
                _for_each_image),
    Mistake("batch-mixed", "dLdW",
            "dLdW is the sum of x over the batch times that of dLdy: multiply image by image, then add up",
            _of_sums_over_the_batch),
    Mistake("batch-mixed", "dLdW",
            "dLdW is the sum over the batch of x, or of dLdy, times the mean of the other: multiply image by image",
            _of_mean_and_sum),
]  # fmt: skip
"""Of gradients of one name; a spec that has no such gradient has no such array."""
