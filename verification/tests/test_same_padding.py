"""padding="same": of an odd padding one more comes at the end, and a layer that has it at the beginning is told so."""

from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from verification import SpecError, check, convolution1d, convolution2d, max_pooling1d, max_pooling2d
from verification.judge.ready import settings_of
from verification.specs.same_padding import frame

THOROUGH = settings().max_examples > 100
CONVOLUTION: dict[str, Any] = {"padding": "same", "dilation": 1, "groups": 1}


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "dilation", "pads"),
    [(5, 3, 1, 1, (1, 1)), (5, 2, 1, 1, (0, 1)), (5, 4, 1, 1, (1, 2)), (5, 4, 1, 2, (3, 3)), (5, 2, 1, 3, (1, 2)),
     (4, 3, 2, 1, (0, 1)), (5, 3, 2, 1, (1, 1)), (6, 3, 3, 1, (0, 0)), (7, 2, 3, 1, (0, 1)), (5, 1, 2, 1, (0, 0)),
     (1, 5, 1, 1, (2, 2))],
)  # fmt: skip
def test_the_frame_is_that_of_the_definition(side, kernel, stride, dilation, pads):
    given = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
    assert frame((1, 1, side), given) == [(0, 0), (0, 0), pads]
    assert (side + sum(pads) - dilation * (kernel - 1) - 1) // stride + 1 == -(-side // stride)


class Windows:
    """What both layers need, over one axis or two."""

    value = 0.0
    kernel_size: Any
    stride: Any

    def frame(self, x):
        sides = zip(x.shape[2:], self.each(self.kernel_size, x), self.each(self.stride, x), strict=True)
        return [self.halves(max((-(-side // s) - 1) * s + k - side, 0)) for side, k, s in sides]

    def each(self, setting, x):
        return np.broadcast_to(setting, (x.ndim - 2,))

    def halves(self, total):
        return total // 2, total - total // 2

    def framed(self, x):
        return np.pad(x.astype(float), [(0, 0), (0, 0), *self.frame(x)], constant_values=self.value)

    def taps(self, x):
        strides = self.each(self.stride, x)
        places = [-(-side // s) * s for side, s in zip(x.shape[2:], strides, strict=True)]
        for at in np.ndindex(*self.each(self.kernel_size, x)):
            yield at, (..., *(slice(i, i + n, s) for i, n, s in zip(at, places, strides, strict=True)))

    def inside(self, dLdx, x):
        at = [slice(before, before + side) for (before, _), side in zip(self.frame(x), x.shape[2:], strict=True)]
        return dLdx[(..., *at)]


class Convolution(Windows):
    W: Any
    b: Any

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding):
        assert padding == "same"
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x):
        framed = self.framed(x)
        y = sum(np.einsum("nc...,fc->nf...", framed[at], self.W[(..., *i)]) for i, at in self.taps(x))
        return y + self.b.reshape(-1, *[1] * (x.ndim - 2))

    def backprop(self, x, dLdy):
        framed, dLdW = self.framed(x), np.zeros(self.W.shape)
        dLdx = np.zeros(framed.shape)
        for i, at in self.taps(x):
            dLdx[at] += np.einsum("nf...,fc->nc...", dLdy, self.W[(..., *i)])
            dLdW[(..., *i)] = np.einsum("nfp,ncp->fc", *(a.reshape(*a.shape[:2], -1) for a in (dLdy, framed[at])))
        return self.inside(dLdx, x), dLdW, dLdy.sum(axis=(0, *range(2, x.ndim)))


class MaxPooling(Windows):
    value = -np.inf

    def __init__(self, kernel_size, stride):
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x):
        framed = self.framed(x)
        return np.max([framed[at] for _, at in self.taps(x)], axis=0)

    def backprop(self, x, dLdy):
        framed, y, left = self.framed(x), self.forward(x), np.array(dLdy, float)
        dLdx = np.zeros(framed.shape)
        for _, at in self.taps(x):
            part = np.where(framed[at] == y, left, 0)
            dLdx[at] += part
            left -= part
        return self.inside(dLdx, x)


class MoreBefore(Convolution):
    def halves(self, total):
        return super().halves(total)[::-1]


class MoreBeforeMax(MaxPooling):
    def halves(self, total):
        return super().halves(total)[::-1]


class CutFromTheCorner(Convolution):
    def inside(self, dLdx, x):
        return dLdx[(..., *(slice(side) for side in x.shape[2:]))]


class PaddedWithZeros(MaxPooling):
    value = 0.0


@pytest.mark.usefixtures("verdict_only")
@pytest.mark.parametrize(
    ("spec", "layer", "only"),
    [(convolution2d, Convolution, CONVOLUTION), (max_pooling2d, MaxPooling, {"padding": "same"}),
     (convolution1d, Convolution, CONVOLUTION), (max_pooling1d, MaxPooling, {"padding": "same"}),
     (convolution2d, Convolution, {**CONVOLUTION, "square": int, "bias": True, "dtype": np.float32})],
)  # fmt: skip
def test_a_right_layer_passes(spec, layer, only):
    report = check(spec(layer, **only), examples=50 if THOROUGH else 5)
    assert report.passed, report
    assert "padding='same'" in report.restrictions[0]


@pytest.mark.parametrize(
    ("spec", "layer", "only", "said"),
    [(convolution2d, MoreBefore, CONVOLUTION, "y is as with more padding before x than after it"),
     (max_pooling1d, PaddedWithZeros, {"padding": "same"}, "y has padding that counts as 0"),
     (max_pooling2d, MoreBeforeMax, {"padding": "same"}, "y is as with more padding before x than after it"),
     (convolution1d, CutFromTheCorner, CONVOLUTION, "dLdx is wrong")][: 4 if THOROUGH else 1],
)  # fmt: skip
def test_what_is_wrong_is_told(spec, layer, only, said):
    assert check(spec(layer, **only), examples=10).causes[0].headline.startswith(said)


def test_any_other_text_is_refused():
    with pytest.raises(SpecError, match=r"padding should be .* or .same., but it is 'valid'"):
        convolution2d(Convolution, padding="valid")


def test_the_command_takes_the_word():
    assert settings_of(["padding=same", "stride=1"]) == {"padding": "same", "stride": 1}
