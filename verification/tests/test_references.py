"""The references agree with each other, and with SciPy's N-dimensional functions."""

import numpy as np
from hypothesis import given
from scipy.ndimage import maximum_filter
from scipy.signal import correlate

from verification.catalogue.convolution import Loops
from verification.references import correlation, correlation_by_taps, maximum
from verification.specs.convolution import convolution_cases
from verification.specs.max_pooling import max_pooling_cases


@given(convolution_cases())
def test_correlation_is_that_of_scipy_and_of_loops_exactly(case):
    x, W, b = case.arrays["x"], case.arrays["W"], case.arrays["b"]
    expected = np.concatenate([correlate(x, w[None], mode="valid", method="direct") for w in W], axis=1) + b
    loops = Loops(**case.settings)
    loops.W, loops.b = W, b
    for y in (correlation(x, W, b), correlation_by_taps(x, W, b), loops.forward(x)):
        assert np.array_equal(y, expected)


def test_a_large_correlation_is_exact_too(monkeypatch):
    random = np.random.default_rng(0)
    x, W = (random.integers(-128, 128, shape).astype(float) for shape in [(4, 5, 20, 21), (6, 5, 3, 4)])
    b = np.zeros((1, 6, 1, 1))
    expected = correlation(x, W, b)
    monkeypatch.setattr("verification.references.LARGE", 0)
    assert np.array_equal(correlation(x, W, b), expected)


@given(max_pooling_cases())
def test_maximum_is_that_of_a_filter(case):
    x, stride, pool = case.arrays["x"], case.settings["stride"], case.settings["pool_size"]
    y = maximum(x, stride, pool)
    first = pool // 2
    centred = maximum_filter(x, size=(1, 1, pool, pool))[:, :, first::stride, first::stride]
    assert np.array_equal(y, centred[:, :, : y.shape[2], : y.shape[3]])
