"""The assignment's convolution: cross-correlation, no padding, stride 1, W (f, c, kw, kh), b (1, f, 1, 1)."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from verification.case import Array, Case, unusual, whole
from verification.choices import Choices, batch, counts, inner, length_of, side
from verification.explain.changes import only, without_last
from verification.explain.knobs import InputKnob, Mistake, formula_knob, input_knob
from verification.references import correlation, correlation_gradient
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown, shorter_than
from verification.strategies import SEEDS, numbers
from verification.trial import Trial


def convolution(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a convolutional layer.

    implementation(filter_width, filter_height, input_size, in_ch_size, num_filters) makes the layer:
    the class itself or a function, with these names or any others in this order. The layer has the
    parameters W (num_filters, in_ch_size, filter_width, filter_height) and b (1, num_filters, 1, 1),
    and backprop returns (dLdx, dLdW, dLdb).
    Keywords restrict what is tried (`verification.choices`): these five, batch, height (of the image, whose width is
    input_size); square=True; bias=False.
    """
    choices = Choices("convolution", only, CHOICES, TWINS, has_bias=True, make=implementation)
    spec = LayerSpec(
        name="convolution",
        make=implementation,
        cases=choices.cases(sized),
        reference=correlation,
        parameters=("W", "b"),
        affine_in=("x", "W", "b"),
        terms=lambda W, **_: int(W[0].size) + 1,
        usual=usual_cases(),
        sides={name: partial(length_of, "x", axis) for name, axis in (("channels", 1), ("width", 2), ("height", 3))},
        realistic=choices.realistic(sized, **REALISTIC),
        bad_arguments=BAD_ARGUMENTS,
        properties=(
            is_equivariant_to_shifts,
            permutes_with_its_channels_and_filters,
        ),
        gradient=correlation_gradient,
        mistakes=MISTAKES,
    )
    return choices.applied(spec)


CHOICES = {
    "batch": batch(1, 3), "in_ch_size": counts(1, 3), "num_filters": counts(1, 3), "filter_width": counts(1, 4),
    "filter_height": counts(1, 4), "extra_width": inner(0, 5), "extra_height": inner(0, 5), "input_size": counts(),
    "height": side(3),
}  # fmt: skip
TWINS = (("filter_width", "filter_height"), ("extra_width", "extra_height"), ("input_size", "height"))
REALISTIC = {
    "batch": 8, "in_ch_size": 3, "num_filters": 8, "filter_width": 3, "filter_height": 3, "extra_width": 29,
    "extra_height": 29,
}  # fmt: skip


def convolution_cases() -> st.SearchStrategy[Case]:
    """Cases of images and filters of any small size, not square; the image is the filter plus some extra."""
    return Choices("convolution", {}, CHOICES).cases(sized)


def sized(
    batch: int, in_ch_size: int, num_filters: int, filter_width: int, filter_height: int, extra_width: int,
    extra_height: int, seed: int, input_size: int | None = None, height: int | None = None,
) -> Case | None:  # fmt: skip
    """Return the case of this size, the image's own where it is given; None if the filter does not fit into it."""
    more = (
        extra_width if input_size is None else input_size - filter_width,
        extra_height if height is None else height - filter_height,
    )
    return case(batch, in_ch_size, num_filters, filter_width, filter_height, *more, seed) if min(more) >= 0 else None


MANY = {4: 8}
"""The assignment's number of images and of filters, drawn now and then."""


@cache  # one object: what was drawn from it is kept
def usual_cases() -> st.SearchStrategy[Case]:
    """Cases near the assignment's: filters of 3 x 3, square images, as many images as filters or as channels."""

    def near(drawn: dict[str, int]) -> Case:
        images, filters = MANY.get(drawn["images"], drawn["images"]), MANY.get(drawn["filters"], drawn["filters"])
        filters = images if drawn["equal"] else filters
        width, extra = drawn["filter_width"], drawn["extra"]
        height = 3 if drawn["square"] else drawn["filter_height"]
        return case(images, drawn["channels"], filters, 3 if drawn["square"] else width, height, extra,
                    extra if drawn["square"] else extra + 1, drawn["seed"])  # fmt: skip

    return numbers(
        images=(1, 4), channels=(1, 3), filters=(1, 4), equal=(0, 1), square=(0, 3), filter_width=(2, 3),
        filter_height=(2, 5), extra=(0, 4), seed=SEEDS,
    ).map(near)  # fmt: skip


def case(
    images: int, channels: int, filters: int, filter_width: int, filter_height: int,
    extra_width: int, extra_height: int, seed: int,
) -> Case:  # fmt: skip
    """Return the case of this size with whole numbers drawn from the seed."""
    x = whole("x", seed, (images, channels, filter_width + extra_width, filter_height + extra_height))
    W = whole("W", seed, (filters, channels, filter_width, filter_height))
    # Now and then something out of the ordinary: large numbers, an image or a filter of zeros.
    kind = unusual(seed, "large", "zero image", "zero filter")
    if kind == "large":
        x = x * 2.0**12
    elif kind == "zero image":
        x = x * (np.arange(images) > 0)[:, None, None, None]
    elif kind == "zero filter":
        W = W * (np.arange(filters) > 0)[:, None, None, None]
    return Case(
        arrays={"x": x, "W": W, "b": whole("b", seed, (1, filters, 1, 1))},
        settings={
            "filter_width": filter_width,
            "filter_height": filter_height,
            "input_size": x.shape[2],
            "in_ch_size": channels,
            "num_filters": filters,
        },
        seed=seed,
    )


def is_equivariant_to_shifts(trial: Trial) -> None:
    """Forward of x without a row or column at its edge == y without that row or column."""
    x, y, layer = trial.x, trial.y, trial.layer()
    edges = {
        "first row": (y.shape[2], np.s_[:, :, 1:]),
        "last row": (y.shape[2], np.s_[:, :, :-1]),
        "first column": (y.shape[3], np.s_[..., 1:]),
        "last column": (y.shape[3], np.s_[..., :-1]),
    }
    if possible := [edge for edge, (side, _) in edges.items() if side > 1]:
        edge = trial.pick("edge", possible)
        rest = edges[edge][1]
        because = f" for x without its {edge}: it should be forward(x) without that"
        all_of_y = trial.expect_shape("forward(x)", layer.forward(x), y.shape)
        smaller = trial.other(input_size=x[rest].shape[2])
        trial.compare("forward(x)", smaller.forward(trial.allowed(x[rest])), all_of_y[rest], because)


def permutes_with_its_channels_and_filters(trial: Trial) -> None:
    """Channels of x and W in another order give the same y; filters in another order, y in that order."""
    x, W, b = (trial.arguments[name] for name in ("x", "W", "b"))
    y = trial.expect_shape("forward(x)", trial.layer().forward(x), trial.y.shape)
    turned = trial.layer({"W": W[::-1, ::-1], "b": b[:, ::-1]}).forward(x[:, ::-1])
    trial.compare("forward(x)", turned, y[:, ::-1], " when its channels and filters are put in reverse order")


BAD_ARGUMENTS = (
    forward_of("forward, x of rank 3", lambda case: case.arrays["x"][0]),
    forward_of("forward, x with a channel too many", lambda case: grown(case.arrays["x"], 1)),
    forward_of("forward, x narrower than the filter", shorter_than("filter_width", 2)),
    forward_of("forward, x lower than the filter", shorter_than("filter_height", 3)),
    backprop_of("backprop, dLdy of the shape of a larger y", lambda case: grown(correlation(**case.arrays), 2)),
    backprop_of("backprop, dLdy of another batch size", lambda case: grown(correlation(**case.arrays), 0)),
)  # fmt: skip


# Knobs

Filters = Callable[[Array], Array | None]
"""Of the filters W (f, c, w, h): what is used in their place."""


def _of_filters(array: str, rows: list[tuple[str, str, Filters]]) -> Iterator[InputKnob]:
    """Yield the knobs of computing an array with other filters."""
    for family, sentence, change in rows:
        yield input_knob(family, array, f"{array} {sentence}", partial(_with_filters, change))


def _with_filters(change: Filters, trial: Trial) -> dict[str, Array] | None:
    W = change(trial.arguments["W"])
    return None if W is None else {"W": W}


def _square(change: Filters) -> Filters:
    return lambda W: change(W) if W.shape[2] == W.shape[3] else None


def _first_entries(k: int) -> Filters:
    return lambda W: np.where((np.indices(W.shape)[2:] < k).all(axis=0), W, 0)


def _first_channels(k: int) -> Filters:
    """Return the filters with no more than k channels; None where there are fewer."""
    return lambda W: np.where(np.arange(W.shape[1])[:, None, None] < k, W, 0) if W.shape[1] >= k else None


def _overwritten(trial: Trial) -> Array:
    """Return dLdx where each window assigns its share, so that the last one stays."""
    W, dLdx = trial.arguments["W"], np.zeros(trial.x.shape)
    kw, kh = W.shape[2:]
    share = np.einsum("nfpq,fcij->npqcij", trial.dLdy, W)
    for p, q in np.ndindex(trial.dLdy.shape[2:]):
        dLdx[:, :, p : p + kw, q : q + kh] = share[:, p, q]
    return dLdx


def _overwritten_by_entries(trial: Trial) -> Array:
    """Return dLdx where each entry of the filter assigns its share, as `dLdx[:, k, i, j] += columns` does."""
    W, dLdx = trial.arguments["W"], np.zeros(trial.x.shape)
    w, h = trial.dLdy.shape[2:]
    for i, j in np.ndindex(W.shape[2:]):
        dLdx[:, :, i : i + w, j : j + h] = np.einsum("nfpq,fc->ncpq", trial.dLdy, W[..., i, j])
    return dLdx


def _overwritten_in_order_of_memory(trial: Trial) -> Array:
    """Return what is left by either: NumPy goes through transposed indices as they lie in memory if it can."""
    return _overwritten_by_entries(trial) if len(trial.x) == 1 else _overwritten(trial)


def _channel_by_channel(trial: Trial) -> Array:
    """Return y where filter f sees channel f alone, round and round."""
    W = trial.arguments["W"]
    own = np.arange(W.shape[1]) == (np.arange(len(W)) % W.shape[1])[:, np.newaxis]
    return trial.reference(W=W * own[:, :, np.newaxis, np.newaxis])


Pads = Callable[[int, int], tuple[int, int]]


def _full(
    trial: Trial,
    pad: Pads = lambda w, h: (w - 1, h - 1),
    turn: Filters = lambda W: W[..., ::-1, ::-1],
    mode: Literal["constant", "edge", "reflect", "wrap"] = "constant",
    *,
    strict: bool = False,
) -> Array | None:
    """Return dLdx as a correlation of the padded dLdy with the turned filters; None where they are larger.

    `strict`, None where it has another shape than x too: it may be stored in an array of zeros.
    """
    W = turn(trial.arguments["W"])
    if W is None:
        return None
    w, h = pad(*trial.arguments["W"].shape[2:])
    framed = np.pad(trial.dLdy, ((0, 0), (0, 0), (w, w), (h, h)), mode)
    if framed.shape[2] < W.shape[2] or framed.shape[3] < W.shape[3]:
        return None
    result = correlation(framed, W.swapaxes(0, 1), np.zeros(()))
    return None if strict and result.shape != trial.x.shape else result


def _same(trial: Trial) -> Array | None:
    """Return y as large as x: that of an x with zeros around it."""
    kw, kh = trial.arguments["W"].shape[2:]
    pads = ((0, 0), (0, 0), ((kw - 1) // 2, kw // 2), ((kh - 1) // 2, kh // 2))
    return trial.reference(x=np.pad(trial.x, pads))


def _square_output(side: int, trial: Trial) -> Array | None:
    """Return y with as many entries along both axes as along this one, where x has so many."""
    length, y = trial.y.shape[side], trial.y
    return y[:, :, :length, :length] if min(y.shape[2:]) >= length else None


def _last_row_is_bias(trial: Trial) -> Array:
    return np.where(np.arange(trial.y.shape[2])[:, None] == trial.y.shape[2] - 1, trial.arguments["b"], trial.y)


def _last_column_is_bias(trial: Trial) -> Array:
    return np.where(np.arange(trial.y.shape[3]) == trial.y.shape[3] - 1, trial.arguments["b"], trial.y)


def _last_row_and_column_are_bias(trial: Trial) -> Array:
    w, h = trial.y.shape[2:]
    edge = (np.arange(w)[:, None] == w - 1) | (np.arange(h) == h - 1)
    return np.where(edge, trial.arguments["b"], trial.y)


TURNED: list[tuple[str, str, Filters]] = [
    ("axes-swapped", "is computed with the filter transposed: leave its width and height as they are",
     _square(lambda W: W.swapaxes(2, 3))),
    ("axes-swapped", "is computed with the filter turned by 90 degrees", _square(lambda W: np.rot90(W, 1, (2, 3)))),
    ("axes-swapped", "is computed with the filter turned by 90 degrees", _square(lambda W: np.rot90(W, -1, (2, 3)))),
    ("channels-mixed", "takes the channels in reverse order", lambda W: W[:, ::-1]),
    ("channels-mixed", "takes the filters in reverse order", lambda W: W[::-1]),
    ("wrong-operation", "is computed with the absolute values of the filter", np.abs),
    ("integer-result", "is computed with the filter cut to whole numbers", np.trunc),
    *(("hard-coded-size", f"uses the first {k} x {k} entries of the filter, whatever its size", _first_entries(k))
      for k in (3, 2, 1)),
]  # fmt: skip
"""Family, what is said behind the name of the array, and the filters that are used."""

OF_Y: list[tuple[str, str, Filters]] = [
    ("filter-flipped", "is a convolution, not a cross-correlation: do not flip the filter",
     lambda W: W[..., ::-1, ::-1]),
    ("filter-flipped", "is computed with the filter's rows reversed: do not flip it", lambda W: W[:, :, ::-1]),
    ("filter-flipped", "is computed with the filter's columns reversed: do not flip it", lambda W: W[..., ::-1]),
    ("channels-mixed", "counts the first channel only: sum over all channels", partial(only, 1, np.s_[:1])),
    ("not-accumulated", "counts the last channel only: sum over all channels (+= for =)", partial(only, 1, np.s_[-1:])),
    ("border-missing", "leaves out the last channel: sum over all channels", partial(without_last, 1)),
    ("channels-mixed", "is computed with one filter for all channels, their mean",
     lambda W: W.mean(axis=1, keepdims=True) + 0 * W),
    ("channels-mixed", "uses the filter of the first channel for all channels", lambda W: W[:, :1] + 0 * W),
    ("channels-mixed", "uses the first filter for all maps", lambda W: W[:1] + 0 * W),
    ("border-missing", "leaves out the last row of the filter", partial(without_last, 2)),
    ("border-missing", "leaves out the last column of the filter", partial(without_last, 3)),
    *(("hard-coded-size", f"counts the first {k} channels, whatever their number", _first_channels(k)) for k in (2, 3)),
]  # fmt: skip
MENDED = "rotate W by 180 degrees for a full correlation, or convolve with W as it is"
OF_DLDX: list[tuple[str, str, Filters]] = [
    ("filter-not-flipped", f"is the right gradient computed with the filter not flipped: {MENDED}",
     lambda W: W[..., ::-1, ::-1]),
    ("filter-not-flipped", f"is computed with the filter flipped in one axis only: {MENDED}", lambda W: W[..., ::-1]),
    ("filter-not-flipped", f"is computed with the filter flipped in one axis only: {MENDED}", lambda W: W[:, :, ::-1]),
    ("channels-mixed", "is computed with one filter for all channels, their mean",
     lambda W: W.mean(axis=1, keepdims=True) + 0 * W),
    ("channels-mixed", "is computed with the sum of the filter over its channels",
     lambda W: W.sum(axis=1, keepdims=True) + 0 * W),
    ("channels-mixed", "uses the filter of the first channel for all channels", lambda W: W[:, :1] + 0 * W),
    ("channels-mixed", "uses the first filter for all maps", lambda W: W[:1] + 0 * W),
]  # fmt: skip
PADS: list[tuple[str, str, Pads]] = [
    *(("padding-fixed", f"dLdy is padded by {k} on each side, whatever the filter's size: pad by filter - 1",
       lambda _w, _h, k=k: (k, k)) for k in (2, 1, 3)),
    ("padding-fixed", "dLdy is not padded: pad it by filter - 1 on each side", lambda _w, _h: (0, 0)),
    ("axes-swapped", "the pads of the two axes are swapped: filter_width - 1 belongs to the first",
     lambda w, h: (h - 1, w - 1)),
    ("axes-swapped", "filter_width - 1 is the pad of both axes: filter_height - 1 belongs to the second",
     lambda w, _h: (w - 1, w - 1)),
    ("axes-swapped", "filter_height - 1 is the pad of both axes: filter_width - 1 belongs to the first",
     lambda _w, h: (h - 1, h - 1)),
    ("padding", "dLdy is padded by filter // 2 on each side: pad by filter - 1", lambda w, h: (w // 2, h // 2)),
    ("padding", "dLdy is padded by 2 * (filter // 2) on each side, which is filter - 1 for odd filters only",
     lambda w, h: (w // 2 * 2, h // 2 * 2)),
    ("padding", "dLdy is padded by (filter - 1) // 2 on each side: pad by filter - 1",
     lambda w, h: ((w - 1) // 2, (h - 1) // 2)),
    ("padding", "dLdy is padded by the filter's size on each side: pad by filter - 1", lambda w, h: (w, h)),
]  # fmt: skip
TURNS: list[tuple[str, str, Filters]] = [
    ("filter-not-flipped", f"dLdx is the right gradient computed with the filter not flipped: {MENDED}", lambda W: W),
    ("filter-not-flipped", f"dLdx is computed with the filter flipped in one axis only: {MENDED}",
     lambda W: W[:, :, ::-1]),
    ("filter-not-flipped", f"dLdx is computed with the filter flipped in one axis only: {MENDED}",
     lambda W: W[..., ::-1]),
    ("filter-not-flipped", "dLdx is computed with W turned in its first two axes, its filters and channels: name those"
     " of np.rot90, (2, 3)", lambda W: W[::-1, ::-1]),
    ("filter-not-flipped", "dLdx is computed with W reversed along all four axes: name those of np.flip, (2, 3)",
     lambda W: W[::-1, ::-1, ::-1, ::-1]),
    ("axes-swapped", "dLdx is computed with the filter turned by 90 degrees: turn it by 180",
     lambda W: np.rot90(W, 1, (2, 3))),
    ("axes-swapped", "dLdx is computed with the filter turned by 90 degrees: turn it by 180",
     lambda W: np.rot90(W, -1, (2, 3))),
    ("axes-swapped", "dLdx is computed with the filter transposed: turn it by 180 degrees",
     lambda W: W.swapaxes(2, 3)),
    ("axes-swapped", "dLdx is computed with the filter transposed: leave its width and height",
     lambda W: W[..., ::-1, ::-1].swapaxes(2, 3)),
]  # fmt: skip

MISTAKES = (
    *_of_filters("y", OF_Y),
    *_of_filters("y", TURNED),
    Mistake("bias-missing", "y", "y adds the first filter's bias to every filter's map: add b[f] to map f",
            lambda trial: trial.reference(b=np.repeat(trial.arguments["b"][:, :1], len(trial.arguments["W"]), axis=1))),
    Mistake("border-missing", "y", "the last row of y holds the bias alone: the windows end one row too early",
            _last_row_is_bias),
    Mistake("border-missing", "y", "the last column of y holds the bias alone: the windows end one column too early",
            _last_column_is_bias),
    Mistake("border-missing", "y", "the last row and column of y hold the bias alone: the windows end one too early",
            _last_row_and_column_are_bias),
    Mistake("output-size", "y", "y is as large as x, which is padded with zeros: take windows inside x only", _same),
    *(formula_knob("size-from-width", "y", f"y is square: its {one} is taken from its {other}",
              partial(_square_output, side))
      for one, other, side in (("height", "width", 2), ("width", "height", 3))),
    Mistake("channels-mixed", "y", "y has filter f on channel f alone: sum over all channels", _channel_by_channel),
    *_of_filters("dLdx", OF_DLDX),
    *_of_filters("dLdx", TURNED),
    *(formula_knob(family, "dLdx", sentence, _full, pad=pad) for family, sentence, pad in PADS),
    *(formula_knob(family, "dLdx", sentence, _full, turn=turn) for family, sentence, turn in TURNS),
    *(formula_knob("padding", "dLdx", f"dLdy is padded {how}: pad it with zeros", _full, mode=mode)
      for how, mode in (("with its edge", "edge"), ("with its mirror image", "reflect"),
                        ("from its other end", "wrap"))),
    Mistake("not-accumulated", "dLdx", "windows overlap, and each overwrites dLdx where it should add: += for =",
            _overwritten),
    *(Mistake("not-accumulated", "dLdx", "windows overlap, and += with arrays of indices keeps the last of those that"
              " are equal: use np.add.at, or add in a loop", wrong)
      for wrong in (_overwritten_by_entries, _overwritten_in_order_of_memory)),
)  # fmt: skip
"""What people get wrong in a convolution; which of them a layer makes is told by what it gives."""
