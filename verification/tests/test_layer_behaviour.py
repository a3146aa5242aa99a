"""What the specs do not ask of the layers: NaN, dtypes, empty batches, bad weights, views of what was given."""

import numpy as np
import pytest

from layers import nn_convolutional_layer, nn_max_pooling_layer
from verification.references import maximum, maximum_gradient

NAN = np.nan
SIZES = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]


def pooled(x, stride=2, pool=2, dtype=float):
    """Return y and dLdx of one channel, with dLdy 1, 2, 3, ..."""
    x = np.array(x, dtype)[np.newaxis, np.newaxis]
    layer = nn_max_pooling_layer(stride, pool)
    y = layer.forward(x)
    dLdx = layer.backprop(x, np.arange(1.0, y.size + 1).reshape(y.shape).astype(y.dtype))
    return y[0, 0].tolist(), dLdx[0, 0].tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(
    ("window", "taken"),
    [
        ([[1, NAN], [NAN, NAN]], [[0, 1], [0, 0]]),
        ([[1, 2], [NAN, NAN]], [[0, 0], [1, 0]]),
        ([[NAN, np.inf], [NAN, 3]], [[1, 0], [0, 0]]),
        ([[1, 2], [np.inf, NAN]], [[0, 0], [0, 1]]),
        ([[NAN, NAN], [np.inf, NAN]], [[1, 0], [0, 0]]),
    ],
)
def test_the_first_nan_of_a_window_is_its_largest_entry(window, taken, dtype):
    y, dLdx = pooled(window, dtype=dtype)
    assert np.isnan(y).all()
    assert dLdx == taken


def test_a_nan_shared_by_windows_takes_all_their_gradients():
    y, dLdx = pooled([[1, 2, 3], [4, NAN, 6], [7, 8, 9]], stride=1)
    assert np.isnan(y).all()
    assert dLdx == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("window", "taken"),
    [
        ([[1, 5, 5], [5, 5, 5], [5, 5, 5]], [[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        ([[1, 2, 3], [1, 2, 7], [7, 7, 7]], [[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
        ([[1, 2, 3], [1, 7, 2], [7, 2, 7]], [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ([[1, 2, 7], [7, 2, 3], [7, 2, 3]], [[0, 0, 1], [0, 0, 0], [0, 0, 0]]),
    ],
)
def test_of_equal_entries_the_first_in_row_major_order_takes_the_gradient(window, taken):
    assert pooled(window, pool=3) == ([[max(map(max, window))]], taken)


@pytest.mark.parametrize(("stride", "pool"), SIZES)
def test_an_infinite_upstream_gradient_stays_where_it_belongs(stride, pool):
    x = np.random.default_rng(0).permutation(98).reshape(1, 2, 7, 7).astype(float)
    layer = nn_max_pooling_layer(stride, pool)
    dLdy = np.zeros(layer.forward(x).shape)
    dLdy[0, 0, 0, 0] = np.inf
    dLdx = layer.backprop(x, dLdy)
    assert not np.isnan(dLdx).any()
    assert np.isinf(dLdx).sum() == 1


@pytest.mark.parametrize("size", [(15, 17), (16, 16), (1, 256), (256, 256), (257, 256)])
def test_places_are_counted_right_in_channels_of_any_size(size):
    """The type of the places hangs on the number of entries of a channel; the largest stands at the end."""
    x = np.arange(2.0 * size[0] * size[1]).reshape(2, 1, *size)
    pool = min(3, *size)
    layer = nn_max_pooling_layer(pool, pool)
    y = layer.forward(x)
    assert np.array_equal(y, maximum(x, pool, pool))
    assert np.array_equal(layer.backprop(x, y), maximum_gradient(y, x, pool, pool)["x"])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("stride", "pool"), SIZES)
def test_results_of_pooling_share_no_memory_with_its_arguments(stride, pool, dtype):
    x, layer = np.ones((2, 1, 4, 5), dtype), nn_max_pooling_layer(stride, pool)
    y = layer.forward(x)
    assert not np.shares_memory(y, x)
    assert not np.shares_memory(layer.backprop(x, y), y)


def test_a_nan_reaches_the_windows_it_lies_in_and_no_others():
    x = np.zeros((2, 1, 4, 5))
    x[1, 0, 1, 2] = NAN
    layer = nn_convolutional_layer(2, 3, 4, 1, 1)
    y = layer.forward(x)
    assert [tuple(place) for place in np.argwhere(np.isnan(y))] == [(1, 0, p, q) for p in (0, 1) for q in (0, 1, 2)]
    assert not np.isnan(layer.backprop(x, np.ones(y.shape))[0]).any()


def test_a_nan_of_dLdy_reaches_what_its_window_covers_and_no_more():
    layer = nn_convolutional_layer(2, 3, 4, 1, 1)
    dLdy = np.zeros((2, 1, 3, 3))
    dLdy[0, 0, 1, 0] = NAN
    dLdx, _, _ = layer.backprop(np.ones((2, 1, 4, 5)), dLdy)
    expected = np.zeros(dLdx.shape, bool)
    expected[0, 0, 1:3, 0:3] = True
    assert np.array_equal(np.isnan(dLdx), expected)


def test_float16_counts_as_float32():
    x = np.ones((1, 1, 3, 3), np.float16)
    layer = nn_convolutional_layer(2, 2, 3, 1, 1)
    layer.set_weights(np.ones((1, 1, 2, 2), np.float16), np.ones((1, 1, 1, 1), np.float16))
    pooling = nn_max_pooling_layer(1, 2)
    y, pooled_x = layer.forward(x), pooling.forward(x)
    results = [*layer.get_weights(), y, *layer.backprop(x, y), pooled_x, pooling.backprop(x, pooled_x)]
    assert {a.dtype for a in results} == {np.dtype(np.float32)}


def test_a_sum_of_many_float16_upstream_gradients_is_taken_in_float32():
    pooling = nn_max_pooling_layer(1, 60)
    x = np.zeros((1, 1, 119, 119), np.float16)
    x[0, 0, 59, 59] = 1
    dLdy = np.ones((1, 1, 60, 60), np.float16)
    assert pooling.backprop(x, dLdy)[0, 0, 59, 59] == 3600


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_an_empty_batch_gives_empty_results_and_gradients_of_zero(dtype):
    layer = nn_convolutional_layer(2, 3, 5, 2, 4)
    x, dLdy = np.zeros((0, 2, 5, 6), dtype), np.zeros((0, 4, 4, 4), dtype)
    assert layer.forward(x).shape == dLdy.shape
    dLdx, dLdW, dLdb = layer.backprop(x, dLdy)
    assert dLdx.shape == x.shape
    assert dLdW.tolist() == np.zeros((4, 2, 2, 3)).tolist()
    assert dLdb.tolist() == np.zeros((1, 4, 1, 1)).tolist()


@pytest.mark.parametrize("shape", [(0, 2, 5, 6), (3, 0, 5, 6), (0, 0, 5, 6)])
def test_pooling_no_images_or_no_channels_gives_as_many(shape):
    layer = nn_max_pooling_layer(2, 3)
    y = layer.forward(np.zeros(shape))
    assert y.shape == (*shape[:2], 2, 2)
    assert layer.backprop(np.zeros(shape), y).shape == shape


@pytest.mark.parametrize("std", [-1, NAN, np.inf])
def test_a_deviation_that_is_none_is_refused(std):
    with pytest.raises(ValueError, match=f"std should be a number of at least 0, but it is {std}"):
        nn_convolutional_layer(1, 1, 1, 1, 1, std)


@pytest.mark.parametrize(
    ("dW", "db", "error", "message"),
    [
        (0, np.zeros((4, 1)), ValueError, r"db should have shape \(1, 4, 1, 1\) like b, but its shape is \(4, 1\)"),
        (np.zeros((1, 1, 1, 1)), 0, ValueError, r"dW should have shape \(4, 2, 3, 2\) like W"),
        (1j, 0, TypeError, "dW should be an array of real numbers, but its dtype is complex128"),
        (1, [[1], [2, 3]], ValueError, "db should be an array of real numbers"),
    ],
)
def test_an_update_that_is_refused_changes_nothing(dW, db, error, message):
    layer = nn_convolutional_layer(3, 2, 5, 2, 4)
    W, b = layer.get_weights()
    with pytest.raises(error, match=message):
        layer.update_weights(dW, db)
    assert np.array_equal(layer.W, W)
    assert np.array_equal(layer.b, b)


def test_an_update_leaves_the_dtype_of_the_weights():
    layer = nn_convolutional_layer(1, 1, 1, 1, 1)
    layer.set_weights(np.ones((1, 1, 1, 1), np.float32), np.ones((1, 1, 1, 1), np.float32))
    layer.update_weights(np.full((1, 1, 1, 1), 0.5), 1)
    W, b = layer.get_weights()
    assert (W.item(), b.item()) == (1.5, 2.0)
    assert W.dtype == b.dtype == np.float32
