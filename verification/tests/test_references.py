"""The references agree with each other, with loops over the definition and with other functions of SciPy."""

import numpy as np
import pytest
from hypothesis import given
from scipy.ndimage import maximum_filter
from scipy.signal import correlate2d

from verification import references
from verification.catalogue.convolution import Loops
from verification.references import correlation, correlation_by_taps, maximum
from verification.specs.convolution import convolution_cases
from verification.specs.max_pooling import max_pooling_cases


@given(convolution_cases())
def test_correlation_is_that_of_loops_exactly_in_both_forms(case):
    x, W, b = case.arrays["x"], case.arrays["W"], case.arrays["b"]
    loops = Loops(**case.settings)
    loops.W, loops.b = W, b
    expected = loops.forward(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "LARGE", np.inf)
        assert np.array_equal(correlation(x, W, b), expected)
    assert np.array_equal(correlation_by_taps(x, W, b), expected)


def test_a_large_correlation_is_exact_too():
    random = np.random.default_rng(0)
    x, W = (random.integers(-128, 128, shape).astype(float) for shape in [(4, 5, 20, 21), (6, 5, 3, 4)])
    b = random.integers(-128, 128, (1, 6, 1, 1))
    assert x.size * W.size > references.LARGE
    expected = [[correlate2d_of_channels(image, w) for w in W] for image in x] + b
    assert np.array_equal(correlation(x, W, b), expected)


def correlate2d_of_channels(image, w):
    return sum(correlate2d(channel, taps, "valid") for channel, taps in zip(image, w, strict=True))


def test_the_correlation_of_no_images_is_empty():
    assert correlation(np.zeros((0, 2, 5, 6)), np.ones((3, 2, 2, 2)), np.ones((1, 3, 1, 1))).shape == (0, 3, 4, 5)


@given(max_pooling_cases())
def test_maximum_is_that_of_a_filter(case):
    x, stride, pool = case.arrays["x"], case.settings["stride"], case.settings["pool_size"]
    y = maximum(x, stride, pool)
    first = pool // 2
    centred = maximum_filter(x, size=(1, 1, pool, pool))[:, :, first::stride, first::stride]
    assert np.array_equal(y, centred[:, :, : y.shape[2], : y.shape[3]])
