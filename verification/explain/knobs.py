"""Knobs: what a layer may do otherwise than it should. All at rest give the right answer; a mistake is a knob turned.

A knob turns what a layer computes from (the upstream gradient, the parameters), the formula itself, or its result; so
two knobs can be turned at once. Here are those of every layer; a spec adds those of its own kind.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.case import Array

if TYPE_CHECKING:
    from verification.spec import LayerSpec
    from verification.trial import Trial

Wrong = Callable[["Trial"], Array | None]
Change = Callable[[Array], Array | None]


@dataclass(frozen=True)
class Mistake:
    """A knob that turns the formula of one array.

    family      the kind of mistake, as "filter-not-flipped"
    array       what it spoils: "y", or "dLdx", "dLdW", ... of a gradient
    sentence    what is said of a layer that makes it, and how to mend it
    wrong       called with a trial, returns the wrong array that the mistake gives; None where it does
                not apply, as to a case in which it would change nothing
    """

    family: str
    array: str
    sentence: str
    wrong: Wrong


@dataclass(frozen=True)
class InputKnob(Mistake):
    """A knob that turns what the layer computes from: `turn` returns other arrays or settings by name, or None."""

    turn: Callable[["Trial"], Mapping[str, Any] | None] = lambda _trial: None

    def before(self, trial: "Trial") -> "Trial | None":
        """Return the trial that the layer computes from."""
        turned = self.turn(trial)
        return None if turned is None else with_inputs(trial, turned)


@dataclass(frozen=True)
class OutputKnob(Mistake):
    """A knob that turns the result: `turn` is called with the result and the trial."""

    turn: Callable[[Array, "Trial"], Array | None] = lambda _result, _trial: None

    def after(self, result: Array, trial: "Trial") -> Array | None:
        """Return what becomes of a result."""
        return self.turn(result, trial)


def with_inputs(trial: "Trial", turned: Mapping[str, Any]) -> "Trial":
    """Return the trial with other arrays, or settings, of these names."""
    case: Any = trial.case
    settings = {name: turned.get(name, value) for name, value in case.settings.items()}
    arrays = {**trial.arguments, "dLdy": trial.dLdy}
    arrays |= {name: value for name, value in turned.items() if name not in case.settings}
    other = type(trial)(trial.spec, replace(case, arrays=arrays, settings=settings))
    other.drawn["dLdy"] = arrays["dLdy"]  # as it is: y, whose shape it has, need not be found for that
    return other


def _setting(trial: "Trial", name: str) -> float:
    return float(trial.case.settings.get(name, 1))


def right(trial: "Trial", array: str) -> Array:
    """Return the right y or gradient of a trial."""
    return trial.y if array == "y" else trial.right[array.removeprefix("dLd")]


def input_knob(
    family: str, array: str, sentence: str, turn: Callable[["Trial"], Mapping[str, Any] | None]
) -> InputKnob:
    """Return a knob that turns what the layer computes from."""

    def wrong(trial: "Trial") -> Array | None:
        turned = turn(trial)
        return None if turned is None else right(with_inputs(trial, turned), array)

    return InputKnob(family, array, sentence, wrong, turn)


def output_knob(family: str, array: str, sentence: str, turn: Callable[[Array, "Trial"], Array | None]) -> OutputKnob:
    """Return a knob that turns the result."""
    return OutputKnob(family, array, sentence, lambda trial: turn(right(trial, array), trial), turn)


def general_mistakes(spec: "LayerSpec") -> Iterator[Mistake]:
    """Yield the knobs of a layer of any kind."""
    yield from _of_any_array("y")
    if "b" in spec.parameters:
        yield input_knob(
            "bias-missing", "y", "y is what it should be without the bias: add b",
            lambda trial: {"b": np.zeros(trial.arguments["b"].shape)},
        )  # fmt: skip
        yield input_knob(
            "bias-missing", "y", "y is what it should be with the bias added twice: add b once",
            lambda trial: {"b": 2 * trial.arguments["b"]},
        )  # fmt: skip
    yield from _of_quantities("y")
    for array in ("y", *(f"dLd{name}" for name in spec.gradients)):
        sentence = f"{array} loses its axes of length 1: squeeze() drops them all, name the one that is meant"
        yield output_knob("axes-dropped", array, sentence, _squeezed)
    for name in spec.gradients:
        yield from _of_a_gradient(f"dLd{name}", name)
        yield from _of_quantities(f"dLd{name}")
    for name, other in permutations(spec.gradients, 2):
        order = ", ".join(f"dLd{argument}" for argument in spec.gradients)
        sentence = f"backprop returns its gradients in another order than {order}"
        yield Mistake("return-order", f"dLd{name}", sentence, partial(_other_gradient, other))


def _other_gradient(name: str, trial: "Trial") -> Array:
    return trial.right[name]


def _of_any_array(array: str) -> Iterator[Mistake]:
    for family, sentence, change in CHANGES:
        flipped = array == "dLdW" and change is _turned
        yield output_knob(
            "filter-flipped" if flipped else family,
            array,
            f"{array} {sentence}",
            partial(_changed, change),
        )


def _squeezed(result: Array, _trial: "Trial") -> Array | None:
    return result.squeeze() if 1 in result.shape else None


def _of_quantities(array: str) -> Iterator[Mistake]:
    for what, quantity in QUANTITIES.items():
        yield output_knob("scaled", array, f"{array} is {what} times what it should be", partial(_scaled, quantity))


def _changed(change: Change, result: Array, _trial: "Trial") -> Array | None:
    return change(result)


def _one_for_all(where: slice, u: Array) -> Array | None:
    return u[where] + np.zeros_like(u) if u.ndim else None


def _scaled(quantity: Callable[["Trial"], float], result: Array, trial: "Trial") -> Array | None:
    factor = quantity(trial)
    return None if factor in (0, 1) else np.asarray(result * factor)


def _of_a_gradient(array: str, name: str) -> Iterator[Mistake]:
    def row(family: str, sentence: str, upstream: Change) -> Mistake:
        def turn(trial: "Trial") -> Mapping[str, Any] | None:
            changed = upstream(trial.dLdy)
            return None if changed is None else {"dLdy": changed}

        return input_knob(family, array, f"{array} {sentence}", turn)

    yield from _of_any_array(array)
    yield row("upstream-ignored", "is what it should be if dLdy were 1 everywhere: multiply by dLdy", np.ones_like)
    for what, change in NONLINEAR.items():
        yield row("upstream-nonlinear", f"is computed with {what} in place of dLdy: a gradient is linear in it", change)
    yield row("axes-swapped", "takes dLdy with height and width swapped", _transposed_into_shape)
    yield row("axes-swapped", "takes dLdy reshaped to (filters, batch, ...): transpose it", _axes_reshaped)
    yield row("upstream-reversed", "takes dLdy turned by 180 degrees: leave dLdy as it is", _turned)
    yield row("upstream-reversed", "takes dLdy with its last axis reversed: leave dLdy as it is", _last_axis_reversed)
    yield output_knob(
        "batch-averaged", array, f"{array} is divided by the batch size: sum over the batch, do not average",
        lambda result, trial: result / max(1, len(trial.x)),
    )  # fmt: skip
    for first_or_last, where in (("first", np.s_[:1]), ("last", np.s_[-1:])):
        sentence = f"uses the {first_or_last} image's dLdy for every image: use dLdy[n] for image n"
        yield row("batch-mixed", sentence, partial(_one_for_all, where))
    if name == "x":
        yield row("channels-mixed", "counts the first filter only: sum over all filters", partial(_part, 1, np.s_[:1]))
        yield row("channels-mixed", "counts the last filter only: sum over all filters", partial(_part, 1, np.s_[-1:]))
        yield output_knob(
            "channels-mixed", array, "dLdx is summed over the channels: each channel has a gradient of its own",
            lambda result, _trial: result.sum(axis=1, keepdims=True) + 0 * result if result.ndim == 4 else None,
        )  # fmt: skip
        return
    if name == "b":
        yield output_knob(
            "shape-of-bias", array, "dLdb comes as one row of numbers: reshape it like b",
            lambda result, _trial: result.ravel() if result.ndim > 1 else None,
        )  # fmt: skip
        yield Mistake(
            "bias-not-summed", array, "dLdb is summed over the positions only: sum over the batch too",
            lambda trial: trial.dLdy.sum(axis=(2, 3), keepdims=True) if trial.dLdy.ndim == 4 else None,
        )  # fmt: skip
        yield Mistake("bias-not-summed", array, "dLdb is dLdy as it is: sum over the batch", lambda trial: trial.dLdy)
        yield output_knob(
            "channels-mixed", array, "dLdb is summed over the filters too: each filter has a gradient of its own",
            lambda result, _trial: result.sum() + 0 * result,
        )  # fmt: skip
    if name == "W":
        yield output_knob(
            "channels-mixed", array, "dLdW is summed over the channels: each channel has a gradient of its own",
            lambda result, _trial: result.sum(axis=1, keepdims=True) + 0 * result if result.ndim == 4 else None,
        )  # fmt: skip
        yield output_knob(
            "channels-mixed", array, "dLdW is summed over the filters: each filter has a gradient of its own",
            lambda result, _trial: result.sum(axis=0, keepdims=True) + 0 * result if result.ndim == 4 else None,
        )  # fmt: skip
        yield Mistake(
            "batch-mixed", array,
            "dLdW is the sum of x over the batch times that of dLdy: multiply image by image, then add up",
            _of_sums_over_the_batch,
        )  # fmt: skip
    yield row("batch-not-summed", "counts the first image of the batch only: sum over all of them", _first_image)
    yield row("not-accumulated", "counts the last image of the batch only: add them up (+= for =)", _last_image)
    family = "bias-not-summed" if name == "b" else "batch-not-summed"
    yield row(family, "counts the first position of dLdy only: sum over all of them", _first_position)
    yield row(family, "counts the last position of dLdy only: sum over all of them", _last_position)
    for what, edges in EDGES.items():
        yield row("border-missing", f"leaves out {what} of dLdy: take all of it", partial(_without, edges))


def _of_sums_over_the_batch(trial: "Trial") -> Array | None:
    if len(trial.x) < 2 or trial.dLdy.ndim == 0 or len(trial.dLdy) != len(trial.x):
        return None
    x, dLdy = trial.x.sum(axis=0, keepdims=True), trial.dLdy.sum(axis=0, keepdims=True)
    return trial.gradient(dLdy, x=x)["W"]


def _part(axis: int, where: slice, u: Array) -> Array | None:
    """Return the array with all but this part of an axis zero."""
    if u.ndim <= axis or u.shape[axis] < 2:
        return None
    return _only(u, (slice(None),) * axis + (where,))


def _only(u: Array, where: Any) -> Array:
    part = np.zeros_like(u)
    part[where] = u[where]
    return part


def _first_image(u: Array) -> Array | None:
    return _only(u, np.s_[:1]) if u.ndim and len(u) > 1 else None


def _last_image(u: Array) -> Array | None:
    return _only(u, np.s_[-1:]) if u.ndim and len(u) > 1 else None


def _first_position(u: Array) -> Array | None:
    return _only(u, np.s_[..., 0, 0]) if u.ndim > 2 else None


def _last_position(u: Array) -> Array | None:
    return _only(u, np.s_[..., -1, -1]) if u.ndim > 2 else None


def _transposed(a: Array) -> Array | None:
    """Return height and width swapped, and so another shape where they differ."""
    return a.swapaxes(-2, -1) if a.ndim > 1 else None


def _transposed_into_shape(a: Array) -> Array | None:
    return a.swapaxes(-2, -1).reshape(a.shape) if a.ndim > 2 else None


def _first_axes_swapped(a: Array) -> Array | None:
    return a.swapaxes(0, 1).reshape(a.shape) if a.ndim > 1 else None


def _axes_reshaped(a: Array) -> Array | None:
    return a.reshape(a.shape[1], a.shape[0], *a.shape[2:]).swapaxes(0, 1) if a.ndim > 2 else None


def _channels_last_reshaped(a: Array) -> Array | None:
    return np.moveaxis(a, 1, -1).reshape(a.shape) if a.ndim > 2 else None


def _channels_first_reshaped(a: Array) -> Array | None:
    return np.moveaxis(a.reshape(a.shape[0], *a.shape[2:], a.shape[1]), -1, 1) if a.ndim > 2 else None


def _without_last_image(a: Array) -> Array | None:
    return _zeroed(a, 0, -1) if a.ndim and len(a) > 1 else None


def _without_last_channel(a: Array) -> Array | None:
    return _zeroed(a, 1, -1) if a.ndim > 1 and a.shape[1] > 1 else None


def _turned(a: Array) -> Array | None:
    return a[..., ::-1, ::-1] if a.ndim > 2 else None


def _last_axis_reversed(a: Array) -> Array | None:
    return a[..., ::-1] if a.ndim else None


def _channels_reversed(a: Array) -> Array | None:
    return a[:, ::-1] if a.ndim > 1 else None


def _rolled(axis: int, step: int, a: Array) -> Array | None:
    return np.roll(a, step, axis) if a.ndim >= -axis and a.shape[axis] > 1 else None


def _moved(axis: int, step: int, a: Array) -> Array | None:
    moved = _rolled(axis, step, a)
    return None if moved is None else _zeroed(moved, axis, 0 if step > 0 else -1)


def _without(edges: tuple[tuple[int, int], ...], a: Array) -> Array | None:
    if a.ndim < 3:
        return None
    for axis, place in edges:
        a = _zeroed(a, axis, place)
    return a


def _zeroed(a: Array, axis: int, place: int) -> Array:
    a = a.copy()
    if a.shape[axis]:
        np.moveaxis(a, axis, 0)[place] = 0
    return a


NONLINEAR: dict[str, Change] = {
    "its absolute value": np.abs,
    "its square": np.square,
    "its sign": np.sign,
    "its positive part": lambda u: np.maximum(u, 0),
}

EDGES: dict[str, tuple[tuple[int, int], ...]] = {
    "the last row": ((-2, -1),),
    "the last column": ((-1, -1),),
    "the last row and column": ((-2, -1), (-1, -1)),
    "the first row": ((-2, 0),),
    "the first column": ((-1, 0),),
    "the first row and column": ((-2, 0), (-1, 0)),
    "its border": ((-2, 0), (-2, -1), (-1, 0), (-1, -1)),
}

CHANGES: list[tuple[str, str, Change]] = [
    ("unfinished", "is all zeros: it is not computed yet", np.zeros_like),
    ("sign", "has the wrong sign: it is minus what it should be", np.negative),
    ("axes-swapped", "comes with its last two axes swapped", _transposed),
    ("batch-not-summed", "is zero but for the first image", _first_image),
    ("axes-swapped", "is right but for height and width, which are swapped", _transposed_into_shape),
    ("axes-swapped", "has its entries in another order: a reshape where a transpose belongs", _channels_last_reshaped),
    ("axes-swapped", "has its entries in another order: a reshape where a transpose belongs", _channels_first_reshaped),
    ("border-missing", "is zero for the last image: the loop over the images ends one too early", _without_last_image),
    ("border-missing", "is zero for the last channel: the loop over them ends one too early", _without_last_channel),
    ("not-accumulated", "is zero but for the last image: the loop returns, or overwrites, too early", _last_image),
    ("scaled", "is twice what it should be", lambda a: 2 * a),
    ("scaled", "is half of what it should be", lambda a: a / 2),
    ("channels-mixed", "is right but for its first two axes, which are swapped", _first_axes_swapped),
    ("axes-swapped", "is what it should be, turned by 180 degrees", _turned),
    ("axes-swapped", "is what it should be with its last axis reversed", _last_axis_reversed),
    ("channels-mixed", "is what it should be with its channels in reverse order", _channels_reversed),
    *(
        ("shifted", f"is right, but shifted by one {place}{how}", partial(shift, axis, step))
        for axis, place in ((-1, "column"), (-2, "row"))
        for step in (1, -1)
        for how, shift in (("", _rolled), (", with zeros moved in", _moved))
    ),
    *(
        ("border-missing", f"is right but for {where}, which is left at zero", partial(_without, edges))
        for where, edges in EDGES.items()
    ),
]
"""Family, what is said, and the change that turns a right array into the wrong one."""

QUANTITIES: dict[str, Callable[["Trial"], float]] = {
    "1 / (batch size)": lambda trial: 1 / max(1, len(trial.x)),
    "batch size": lambda trial: len(trial.x),
    "1 / (size of y)": lambda trial: 1 / trial.y.size,
    "size of y": lambda trial: trial.y.size,
    "1 / (batch size times positions in y)": lambda trial: 1 / (len(trial.x) * math.prod(trial.y.shape[2:])),
    "1 / (positions in y)": lambda trial: 1 / math.prod(trial.y.shape[2:]),
    "positions in y": lambda trial: math.prod(trial.y.shape[2:]),
    "1 / (entries of one image of y)": lambda trial: 1 / math.prod(trial.y.shape[1:]),
    "1 / (size of x)": lambda trial: 1 / trial.x.size,
    "size of x": lambda trial: trial.x.size,
    "entries of one filter": lambda trial: math.prod(trial.arguments["W"].shape[1:]) if "W" in trial.arguments else 0,
    "1 / (entries of one filter)": lambda trial: (
        1 / math.prod(trial.arguments["W"].shape[1:]) if "W" in trial.arguments else 0
    ),
    "pool size, squared": lambda trial: _setting(trial, "pool_size") ** 2,
    "1 / (pool size, squared)": lambda trial: _setting(trial, "pool_size") ** -2.0,
}
"""Factors by which a result may be too large, in words."""
