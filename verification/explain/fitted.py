"""Knobs with a number in them that nobody knows beforehand: a learning rate, a limit, an initial value."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from verification.case import Array
from verification.explain.knobs import FittedKnob, right, with_inputs
from verification.spec import LayerSpec
from verification.trial import Trial


def fitted_knobs(spec: LayerSpec, array: str) -> Iterator[FittedKnob]:
    """Yield the knobs of an array with a number in them."""
    yield FittedKnob("scaled", array, f"{array} is {{}} times what it should be", _no_array, fit=_factor, turned=_times)
    if array == "y" and "b" in spec.parameters:
        yield FittedKnob("bias-missing", "y", "y has {} added in place of the bias: add b", _no_array,
                         fit=_in_place_of_bias, turned=_with_constant_bias)  # fmt: skip
    yield FittedKnob("offset", array, f"{array} has {{}} added to every entry: start from zeros", _no_array,
                     fit=_difference, turned=_plus)  # fmt: skip
    yield FittedKnob("clipped", array, f"{array} is right but for being clipped to {{}} in size:"
                     " leave it as it is", _no_array, fit=_limit, turned=_clipped)  # fmt: skip
    for family, limit, change in (("clipped", "at least", np.maximum), ("clipped", "at most", np.minimum)):
        yield FittedKnob(family, array, f"{array} is right but for being cut to {limit} {{}}: where does it start?",
                         _no_array, fit=partial(_bound, change), turned=partial(_bounded, change))  # fmt: skip
    if array == "y" and "W" in spec.parameters and "b" in spec.parameters:
        yield FittedKnob("scaled", "y", "y is {} times what it should be, but for the bias", _no_array,
                         fit=_factor_before_bias, turned=_times_before_bias)  # fmt: skip
    if array != "y":
        name = array.removeprefix("dLd")
        yield FittedKnob("offset", array, f"{array} has {{}} times {name} added: a gradient is of the layer alone",
                         _no_array, fit=partial(_times_added, name),
                         turned=partial(_plus_argument, name))  # fmt: skip


def _no_array(_trial: Trial) -> None:
    return None


def _factor(result: Array, actual: Array, _trial: Trial) -> float | None:
    """Return by what the result is multiplied: the ratio of the largest entries."""
    return _ratio(actual, result)


def _ratio(one: Array, other: Array) -> float | None:
    if not other.size or not other.any():
        return None
    at = np.unravel_index(np.argmax(abs(other)), other.shape)
    factor = float(one[at] / other[at])
    return factor if factor not in (0, 1) else None


def _times(number: float, result: Array, _trial: Trial) -> Array:
    return number * result


def _difference(result: Array, actual: Array, _trial: Trial) -> float | None:
    return float((actual - result).flat[0]) or None if result.size else None


def _plus(number: float, result: Array, _trial: Trial) -> Array:
    return result + number


def _without_bias(trial: Trial) -> Array:
    return right(with_inputs(trial, {"b": np.zeros_like(trial.arguments["b"])}), "y")


def _in_place_of_bias(_result: Array, actual: Array, trial: Trial) -> float | None:
    return _difference(_without_bias(trial), actual, trial) if actual.shape == trial.y.shape else None


def _with_constant_bias(number: float, _result: Array, trial: Trial) -> Array:
    return _without_bias(trial) + number


def _limit(result: Array, actual: Array, _trial: Trial) -> float | None:
    most = float(abs(actual).max()) if actual.size else 0.0
    return most if 0 < most < abs(result).max() else None


def _clipped(number: float, result: Array, _trial: Trial) -> Array:
    return np.clip(result, -number, number)


def _bound(change: Callable[[Array, float], Array], result: Array, actual: Array, _trial: Trial) -> float | None:
    """Return the value at which a result is cut: one that the layer gave in place of a right one."""
    cut = actual[actual != result]
    return float(cut[0]) if cut.size and (change(result, cut[0]) != result).any() else None


def _bounded(change: Callable[[Array, float], Array], number: float, result: Array, _trial: Trial) -> Array:
    return change(result, number)


def _factor_before_bias(result: Array, actual: Array, trial: Trial) -> float | None:
    without = _without_bias(trial)
    return _ratio(actual - (result - without), without) if without.shape == result.shape else None


def _times_before_bias(number: float, result: Array, trial: Trial) -> Array:
    without = _without_bias(trial)
    return result + (number - 1) * without if without.shape == result.shape else result


def _plus_argument(name: str, number: float, result: Array, trial: Trial) -> Array | None:
    argument = trial.arguments[name]
    return result + number * argument if argument.shape == result.shape else None


def _times_added(name: str, result: Array, actual: Array, trial: Trial) -> float | None:
    """Return how often an argument of the result's shape is added."""
    argument = trial.arguments[name]
    if argument.shape != result.shape or not argument.any():
        return None
    at = np.unravel_index(np.argmax(abs(argument)), argument.shape)
    return float((actual - result)[at] / argument[at]) or None
