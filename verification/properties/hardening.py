"""Hardening: what a layer may get away without, until it is used in earnest."""

import re

import numpy as np

from verification.case import indices
from verification.failure import PropertyFailed, name_of
from verification.properties.rounding import within
from verification.properties.shared import another, another_upstream, size
from verification.strategies import spaced
from verification.trial import Trial


def results_share_no_memory(trial: Trial) -> None:
    """No result is a view of an argument, a parameter, another result or a buffer used again."""
    layer = trial.layer()
    given = {**{name: trial.arguments[name] for name in ("x", *trial.spec.inputs)}, "dLdy": trial.dLdy}
    held = {name: layer.hold(name, array.copy()) for name, array in given.items()}
    for name in trial.spec.inputs:
        layer.assign(name, held[name])
    results = layer.held_results(held["x"], held["dLdy"])
    for one, other in layer.sharing({**results, **held}):
        if one in (*results, *trial.spec.outputs):
            both = ", ".join(layer.expression(name, {**results, **held}) for name in (one, other))
            raise PropertyFailed(
                f"{name_of(one)} shares memory with {other}: changing one changes the other",
                shows=f"np.shares_memory({both})",
            )
    before = {name: result.read() for name, result in results.items()}
    layer.both(another(trial, trial.x), another_upstream(trial))
    for label, result in results.items():
        because = " after the next call: the layer returned a buffer it uses again"
        trial.compare(name_of(label), result.read(), before[label], because, label, trial.expression(result))


def integers_count_as_real_numbers(trial: Trial) -> None:
    """forward and backprop give for x of integers what they give for the same numbers as floats.

    Where x is of int64 already, another kind of integer gives the same. A layer may take bytes to float32, in whose
    rounding y is right then.
    """
    kinds: list[type[np.integer]] = [np.int64, np.uint8, np.int32]
    kind = trial.pick("kind of integer", kinds)
    x = spaced(trial.x, 2) if trial.spec.piecewise_linear else trial.x  # at ties they may choose differently
    if kind is np.uint8:
        x = x - x.min()
        kind = np.uint8 if x.max() < 256 else np.int64
    x = x.astype(np.int64).astype(kind)
    halves = {name: trial.arguments[name] + 0.5 for name in trial.spec.parameters}  # exact in float64, not whole
    dLdy = trial.dLdy / 8 if trial.declares_dLdy else trial.dLdy + 0.5
    because = f" for x of {np.dtype(kind)}"
    as_reals = x.astype(np.int64 if indices(trial.x) else float)
    y, returned = trial.layer(halves).both(as_reals, dLdy)
    y_of_integers, returned_of_integers = trial.layer(halves).both(x, dLdy)
    if y_of_integers.dtype == np.result_type(kind, np.float32) == np.float32:  # which holds all of a byte
        given = {**trial.arguments, **halves, "x": as_reals}
        k = trial.spec.terms(**given, **trial.case.settings) if trial.spec.terms else size(given)
        trial.expect_shape("forward(x)", y_of_integers, y.shape, because)
        within(trial, f"forward(x){because}", np.dtype(np.float32), y_of_integers, y, k, trial.magnitude(**given))
    else:
        trial.compare("forward(x)", y_of_integers, y, because)
    for name, gradient in returned_of_integers.items():
        trial.compare(f"dLd{name}", gradient, returned[name], because)


def an_empty_batch_gives_empty_results(trial: Trial) -> None:
    """No images in: y and dLdx of no images out, and zero for each parameter."""
    dLdy = trial.dLdy[:0]
    y, returned = trial.layer().both(trial.allowed(trial.x[:0]), dLdy)
    trial.compare("forward(x)", y, dLdy.copy(), " for an empty batch")
    for name, gradient in returned.items():
        zero = np.zeros(trial.arguments[name].shape)[: 0 if name == "x" else None]
        trial.compare(f"dLd{name}", gradient, zero, " for an empty batch")


def bad_arguments_are_refused(trial: Trial) -> None:
    """Each bad argument raises a ValueError or TypeError that names it or gives its shape."""
    for bad in trial.spec.bad_arguments:
        if bad.argument == "dLdy" and not trial.spec.gradients:
            continue
        layer = trial.layer()
        try:
            bad.call(layer, trial.case)
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
                " what was given and what was expected",
                shows=layer.last_result(),
            ).about("accepted")
