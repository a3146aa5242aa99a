"""padding="same": y has ceil(side / stride) entries along each axis, and of an odd padding one more comes at the end.

It is the layer without padding, of x in that frame. Source: the documentation of tf.nn.convolution; with stride 1 it is
that of torch.nn.Conv2d too.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from verification.case import Array, Case
from verification.explain.knobs import Mistake
from verification.spec import LayerSpec, Restriction, SpecError
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial

SAME = "same"
Ready = Callable[..., LayerSpec]
Frame = list[tuple[int, int]]


def takes_same_padding(value: float, *properties: str) -> Callable[[Ready], Ready]:
    """Have a ready spec take padding="same", the frame filled with this value; of its properties these hold then."""

    def decorate(ready: Ready) -> Ready:
        @wraps(ready)
        def spec(implementation: Callable[..., Any], *args: Any, **only: Any) -> LayerSpec:
            padding = only.get("padding")
            if not isinstance(padding, str):
                return ready(implementation, *args, **only)
            if padding != SAME:
                expected = 'a number, or one for each axis, or "same"'
                raise SpecError(f"{ready.__name__}: padding should be {expected}, but it is {padding!r}")
            return _same(ready(implementation, *args, **{**only, "padding": 0}), value, properties)

        return spec

    return decorate


def frame(shape: tuple[int, ...], settings: Any) -> Frame:
    """Return how many entries come before and after x of this shape, axis by axis."""
    kernel, stride, dilation = (np.atleast_1d(settings.get(n, 1)) for n in ("kernel_size", "stride", "dilation"))
    pads = [(0, 0)] * 2
    for side, k, s, d in zip(shape[2:], kernel, stride, np.broadcast_to(dilation, kernel.shape), strict=True):
        total = max((-(-side // s) - 1) * s + d * (k - 1) + 1 - side, 0)
        pads.append((int(total // 2), int(total - total // 2)))
    return pads


def _same(base: LayerSpec, value: float, properties: tuple[str, ...]) -> LayerSpec:
    """Return the spec of a layer with such a padding, from that of one without."""
    assert base.gradient
    own_gradient = base.gradient

    def same(case: Case) -> Case:
        return replace(case, settings={**case.settings, "padding": SAME})

    def without(settings: Any) -> dict[str, Any]:
        kernel = settings["kernel_size"]
        return {**settings, "padding": (0,) * len(kernel) if isinstance(kernel, tuple) else 0}

    def framed(x: Array, settings: Any, value: float = value, *, turned: bool = False) -> tuple[Array, Frame]:
        pads = [(after, before) if turned else (before, after) for before, after in frame(x.shape, settings)]
        return np.pad(x, pads, constant_values=value), pads

    def inside(dLdx: Array, pads: Frame) -> Array:
        return dLdx[tuple(slice(before, side - after) for (before, after), side in zip(pads, dLdx.shape, strict=True))]

    def names(given: dict[str, Any]) -> dict[str, Any]:
        """Return the settings among all that is given by name."""
        return {name: one for name, one in given.items() if not isinstance(one, np.ndarray)}

    def reference(x: Array, *, how: Any = {}, **given: Any) -> Array:  # noqa: B006  it is only read
        return np.asarray(base.reference(x=framed(x, names(given), **how)[0], **without(given)))

    def gradient(dLdy: Array, x: Array, *, how: Any = {}, **given: Any) -> dict[str, Array]:  # noqa: B006
        inner, pads = framed(x, names(given), **how)
        found = dict(own_gradient(dLdy=dLdy, x=inner, **without(given)))
        return {**found, "x": inside(found["x"], pads)}

    def inner(trial: Trial) -> tuple[Trial, Frame]:
        """Return the trial of the layer without padding, of x in its frame."""
        x, pads = framed(trial.x, trial.case.settings)
        arrays = {**trial.arguments, "x": x, "dLdy": trial.dLdy}
        return Trial(base, replace(trial.case, arrays=arrays, settings=without(trial.case.settings))), pads

    def of_the_inner(mistake: Mistake) -> Mistake:
        def wrong(trial: Trial) -> Array | None:
            within, pads = inner(trial)
            with np.errstate(all="ignore"):  # of a frame of minus infinity
                found = mistake.wrong(within)
            return found if found is None or mistake.array != "dLdx" else inside(found, pads)

        return Mistake(mistake.family, mistake.array, mistake.sentence, wrong)

    def other_frame(family: str, array: str, sentence: str, **how: Any) -> Mistake:
        def wrong(trial: Trial) -> Array:
            given: dict[str, Any] = {**trial.arguments, **trial.case.settings}
            if array == "y":
                return reference(how=how, **given)
            return gradient(trial.dLdy, how=how, **given)[array.removeprefix("dLd")]

        return Mistake(family, array, f"{array} {sentence}", wrong)

    def condition(limit: Restriction) -> Restriction:
        def holds(case: Case) -> Any:
            return limit.condition(replace(case, settings=without(case.settings)))

        changed = Restriction(limit.sentence.replace("padding=0", f"padding={SAME!r}"), holds)
        changed.source = limit.source
        return changed

    def y(case: Case) -> Array:
        given: dict[str, Any] = {**case.arrays, **case.settings}
        return reference(**given)

    arrays = ("y", *(f"dLd{name}" for name in base.gradients if name != "b"))
    ends = "is as with more padding before x than after it where it is odd; with padding='same' one more comes after x"
    return replace(
        base,
        cases=base.cases.map(same),
        usual=None if base.usual is None else base.usual.map(same),
        extremes=None if base.extremes is None else base.extremes.map(same),
        realistic=None if base.realistic is None else same(base.realistic),
        reference=reference,
        gradient=gradient,
        bad_arguments=(
            forward_of("forward, x without the axis of the batch", lambda case: case.arrays["x"][0]),
            backprop_of("backprop, dLdy of the shape of a larger y", lambda case: grown(y(case), 2)),
            backprop_of("backprop, dLdy of another batch size", lambda case: grown(y(case), 0)),
        ),
        properties=tuple(one for one in base.properties if one.__name__ in properties),
        mistakes=(
            *(other_frame("shifted", array, ends, turned=True) for array in arrays),
            *(other_frame("padding-value", "y", "has padding that counts as 0: pad with minus infinity", value=0.0)
              for _ in range(value != 0)),
            *map(of_the_inner, base.mistakes),
        ),
        conditions=None,
        restrictions=tuple(map(condition, base.restrictions)),
        as_one=tuple(name for name in base.as_one if name != "padding"),
    )  # fmt: skip
