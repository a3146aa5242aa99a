"""Hardening: what a layer may get away without, until it is used in earnest."""

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from verification.failure import PropertyFailed
from verification.properties.shared import another, another_upstream
from verification.strategies import spaced
from verification.trial import Trial


def results_share_no_memory(trial: Trial) -> Iterator[None]:
    """No result is a view of an argument, a parameter, another result or a buffer used again."""
    layer, x, dLdy = trial.layer(), trial.x.copy(), trial.dLdy.copy()
    answer, parameters = layer.both_later(x, dLdy, as_is=True, own=True), layer.parameters_later(own=True)
    yield
    y, returned = answer()
    results = {"forward(x)": y} | {f"dLd{name}": gradient for name, gradient in returned.items()}
    before = {name: result.copy() for name, result in results.items()}
    sharing = layer.sharing_later({**results, "x": x, "dLdy": dLdy, **parameters()})
    next_answer = layer.both_later(another(trial, x), another_upstream(trial))
    yield
    for name, other in sharing():
        if name in results:
            raise PropertyFailed(f"{name} shares memory with {other}: changing one changes the other")
    next_answer()  # waited for, so that the results are as they are after it
    for name, result in results.items():
        trial.compare(name, result, before[name], " after the next call: the layer returned a buffer it uses again")


def integers_count_as_real_numbers(trial: Trial) -> Iterator[None]:
    """forward and backprop give for x of integers what they give for the same numbers as floats."""
    kinds: list[type[np.integer]] = [np.int64, np.uint8, np.int32]
    kind = trial.pick("kind of integer", kinds)
    x = spaced(trial.x, 2) if trial.spec.piecewise_linear else trial.x  # at ties they may choose differently
    if kind is np.uint8:
        x = x - x.min()
        kind = np.uint8 if x.max() < 256 else np.int64
    x = x.astype(np.int64).astype(kind)
    halves = {name: trial.arguments[name] + 0.5 for name in trial.spec.parameters}  # exact in float64, not whole
    layer, dLdy = trial.layer(halves), trial.dLdy / 8 if trial.declares_dLdy else trial.dLdy + 0.5
    because = f" for x of {np.dtype(kind)}"
    as_float = x.astype(float)
    of_floats, of_integers = layer.both_later(as_float, dLdy), layer.both_later(x, dLdy)
    yield
    (y, returned), (y_of_integers, returned_of_integers) = of_floats(), of_integers()
    trial.compare("forward(x)", y_of_integers, y, because)
    for name, gradient in returned_of_integers.items():
        trial.compare(f"dLd{name}", gradient, returned[name], because)


def an_empty_batch_gives_empty_results(trial: Trial) -> Iterator[None]:
    """No images in: y and dLdx of no images out, and zero for each parameter."""
    layer, x, dLdy = trial.layer(), trial.x[:0], trial.dLdy[:0]
    answer = layer.both_later(x, dLdy)
    yield
    y, returned = answer()
    trial.compare("forward(x)", y, dLdy.copy(), " for an empty batch")
    for name, gradient in returned.items():
        zero = np.zeros(trial.arguments[name].shape)[: 0 if name == "x" else None]
        trial.compare(f"dLd{name}", gradient, zero, " for an empty batch")


def bad_arguments_are_refused(trial: Trial) -> Iterator[None]:
    """Each bad argument raises a ValueError or TypeError that names it or gives its shape."""
    bad_arguments = trial.spec.bad_arguments
    calls: Iterable[Callable[[], object]] = (bad.call(trial.layer(), trial.case) for bad in bad_arguments)
    if not trial.script:  # which ends with the call that is not refused
        calls = list(calls)
        yield
    for bad, refused in zip(bad_arguments, calls, strict=False):
        try:
            refused()
        except PropertyFailed:
            raise
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
