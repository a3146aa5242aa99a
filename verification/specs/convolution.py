"""The assignment's convolution: cross-correlation, no padding, stride 1, W (f, c, kw, kh), b (1, f, 1, 1)."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from verification.case import Array, Case, unusual, whole
from verification.choices import Choices, batch, counts, inner, side
from verification.explain.knobs import Mistake
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


@cache  # one object: what was drawn from it is kept
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


@cache
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


def _with_filters(change: Callable[[Array], Array | None], name: str = "") -> Callable[[Trial], Array | None]:
    """Return the mistake of using other filters: in forward, or for the gradient of this argument."""

    def wrong(trial: Trial) -> Array | None:
        W = change(trial.arguments["W"])
        if W is None:
            return None
        return trial.gradient(trial.dLdy, W=W)[name] if name else trial.reference(W=W)

    return wrong


def _square(change: Callable[[Array], Array]) -> Callable[[Array], Array | None]:
    return lambda W: change(W) if W.shape[2] == W.shape[3] else None


def _overwritten(trial: Trial) -> Array:
    """Return dLdx where each window assigns its share, so that the last one stays."""
    W, dLdx = trial.arguments["W"], np.zeros(trial.x.shape)
    kw, kh = W.shape[2:]
    share = np.einsum("nfpq,fcij->npqcij", trial.dLdy, W)
    for p, q in np.ndindex(trial.dLdy.shape[2:]):
        dLdx[:, :, p : p + kw, q : q + kh] = share[:, p, q]
    return dLdx


def _first_taps(k: int) -> Callable[[Array], Array]:
    return lambda W: np.where((np.indices(W.shape)[2:] < k).all(axis=0), W, 0)


def _padded(pads: Callable[[int, int], tuple[int, int]]) -> Callable[[Trial], Array | None]:
    """Return the mistake of a full correlation with other pads than one less than the filter's sides."""

    def wrong(trial: Trial) -> Array | None:
        W = trial.arguments["W"]
        w, h = pads(*W.shape[2:])
        framed = np.pad(trial.dLdy, ((0, 0), (0, 0), (w, w), (h, h)))
        if framed.shape[2] < W.shape[2] or framed.shape[3] < W.shape[3]:
            return None
        return correlation(framed, W[:, :, ::-1, ::-1].swapaxes(0, 1), np.zeros(()))

    return wrong


_MENDED = "rotate W by 180 degrees for a full correlation, or convolve with W as it is"
MISTAKES = (
    Mistake("filter-flipped", "y", "y is a convolution, not a cross-correlation: do not flip the filter",
            _with_filters(lambda W: W[..., ::-1, ::-1])),
    Mistake("axes-swapped", "y", "y is computed with the filter transposed: leave its width and height as they are",
            _with_filters(_square(lambda W: W.swapaxes(2, 3)))),
    Mistake("channels-mixed", "y", "y takes the channels in reverse order",
            _with_filters(lambda W: W[:, ::-1])),
    Mistake("channels-mixed", "y", "y takes the filters in reverse order",
            lambda trial: trial.reference(W=trial.arguments["W"][::-1])),
    Mistake("channels-mixed", "y", "y counts the first channel only: sum over all channels",
            _with_filters(lambda W: np.concatenate([W[:, :1], 0 * W[:, 1:]], axis=1))),
    Mistake("bias-missing", "y", "y adds the first filter's bias to every filter's map: add b[f] to map f",
            lambda trial: trial.reference(b=np.repeat(trial.arguments["b"][:, :1], len(trial.arguments["W"]), axis=1))),
    Mistake("border-missing", "y", "the last row of y holds the bias alone: the windows end one row too early",
            lambda trial: np.where(np.arange(trial.y.shape[2])[:, None] == trial.y.shape[2] - 1,
                                   trial.arguments["b"], trial.y)),
    Mistake("filter-not-flipped", "dLdx",
            f"dLdx is the right gradient computed with the filter not flipped: {_MENDED}",
            _with_filters(lambda W: W[..., ::-1, ::-1], "x")),
    Mistake("filter-not-flipped", "dLdx", f"dLdx is computed with the filter flipped in one axis only: {_MENDED}",
            _with_filters(lambda W: W[..., ::-1], "x")),
    Mistake("filter-not-flipped", "dLdx", f"dLdx is computed with the filter flipped in one axis only: {_MENDED}",
            _with_filters(lambda W: W[:, :, ::-1], "x")),
    Mistake("axes-swapped", "dLdx", "dLdx is computed with the filter transposed: leave its width and height",
            _with_filters(_square(lambda W: W.swapaxes(2, 3)), "x")),
    Mistake("padding-fixed", "dLdx", "dLdy is padded by 2 on each side, whatever the filter's size: pad by filter - 1",
            _padded(lambda w, h: (2, 2))),
    Mistake("padding-fixed", "dLdx", "dLdy is padded by 1 on each side, whatever the filter's size: pad by filter - 1",
            _padded(lambda w, h: (1, 1))),
    Mistake("padding-fixed", "dLdx", "dLdy is not padded: pad it by filter - 1 on each side",
            _padded(lambda w, h: (0, 0))),
    Mistake("axes-swapped", "dLdx", "the pads of the two axes are swapped: filter_width - 1 belongs to the first",
            _padded(lambda w, h: (h - 1, w - 1))),
    Mistake("axes-swapped", "dLdx", "filter_width - 1 is the pad of both axes: filter_height - 1 belongs to the second",
            _padded(lambda w, h: (w - 1, w - 1))),
    Mistake("not-accumulated", "dLdx", "windows overlap, and each overwrites dLdx where it should add: += for =",
            _overwritten),
    Mistake("channels-mixed", "dLdx", "dLdx takes the filters in reverse order",
            _with_filters(lambda W: W[::-1], "x")),
    Mistake("channels-mixed", "dLdx", "dLdx counts the first filter only: sum over all filters",
            _with_filters(lambda W: np.concatenate([W[:1], 0 * W[1:]]), "x")),
    *(Mistake("hard-coded-size", array, f"{array} uses the first {k} x {k} entries of the filter, whatever its size",
              _with_filters(_first_taps(k), name))
      for k in (3, 2, 1) for array, name in (("y", ""), ("dLdx", "x"))),
)  # fmt: skip
"""What people get wrong in a convolution; which of them a layer makes is told by what it gives."""
