"""The table of mistakes: each turns the right output or gradient into a wrong one that can be recognized.

Here are those that any layer may make; a spec adds those of its own kind.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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
    """One row of the table of mistakes.

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


def general_mistakes(spec: "LayerSpec") -> Iterator[Mistake]:
    """Yield the mistakes that a layer of any kind may make."""
    yield from _of_any_array("y", lambda trial: trial.y)
    if "b" in spec.parameters:
        yield Mistake(
            "bias-missing", "y", "y is what it should be without the bias: add b",
            lambda trial: trial.reference(b=np.zeros(trial.arguments["b"].shape)),
        )  # fmt: skip
    for name in spec.gradients:
        yield from _of_a_gradient(f"dLd{name}", name)


def _of_any_array(array: str, right: Callable[["Trial"], Array]) -> Iterator[Mistake]:
    for family, sentence, change in CHANGES:
        flipped = array == "dLdW" and change is _turned
        yield Mistake(
            "filter-flipped" if flipped else family, array, f"{array} {sentence}", partial(_changed, right, change)
        )


def _changed(right: Callable[["Trial"], Array], change: Change, trial: "Trial") -> Array | None:
    return change(right(trial))


def _of_a_gradient(array: str, name: str) -> Iterator[Mistake]:
    def row(family: str, sentence: str, upstream: Change) -> Mistake:
        def wrong(trial: "Trial") -> Array | None:
            changed = upstream(trial.dLdy)
            return None if changed is None else trial.gradient(changed)[name]

        return Mistake(family, array, f"{array} {sentence}", wrong)

    yield from _of_any_array(array, lambda trial: trial.right[name])
    yield row("upstream-ignored", "is what it should be if dLdy were 1 everywhere: multiply by dLdy", np.ones_like)
    for what, change in NONLINEAR.items():
        yield row("upstream-nonlinear", f"is computed with {what} in place of dLdy: a gradient is linear in it", change)
    yield row("axes-swapped", "takes dLdy with height and width swapped", _transposed_into_shape)
    yield Mistake(
        "batch-averaged", array, f"{array} is divided by the batch size: sum over the batch, do not average",
        lambda trial: trial.right[name] / max(1, len(trial.x)),
    )  # fmt: skip
    if name == "x":
        return
    if name == "b":
        yield Mistake("bias-not-summed", array, "dLdb is dLdy as it is: sum over the batch", lambda trial: trial.dLdy)
    yield row("batch-not-summed", "counts the first image of the batch only: sum over all of them", _first_image)
    yield row("not-accumulated", "counts the last image of the batch only: add them up (+= for =)", _last_image)
    family = "bias-not-summed" if name == "b" else "batch-not-summed"
    yield row(family, "counts the first position of dLdy only: sum over all of them", _first_position)
    yield row(family, "counts the last position of dLdy only: sum over all of them", _last_position)


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
