"""What the assignment's document works out by hand, and what its interface says of the layers."""

from typing import Any

import numpy as np
import pytest

from layers import nn_convolutional_layer, nn_max_pooling_layer, nn_maxpool_layer


def convolutional(W, b=0.0):
    W = np.asarray(W, float)
    layer = nn_convolutional_layer(W.shape[2], W.shape[3], 3, W.shape[1], W.shape[0])
    layer.set_weights(W, np.full((1, len(W), 1, 1), b))
    return layer


def images(a):
    return np.asarray(a, float)[np.newaxis, np.newaxis]


def test_three_by_three_image_and_filter_of_ones():
    x = np.arange(9).reshape(3, 3) + 1
    y = convolutional(np.ones((1, 1, 2, 2))).forward(images(x))
    assert y.tolist() == [[[[12, 16], [24, 28]]]]


def test_shape_of_sixteen_images_under_eight_filters():
    layer = nn_convolutional_layer(filter_width=5, filter_height=5, input_size=32, in_ch_size=3, num_filters=8)
    assert layer.forward(np.zeros((16, 3, 32, 32))).shape == (16, 8, 28, 28)


def test_gradient_of_a_two_by_two_filter_is_dLdy_in_a_frame_under_the_turned_filter():
    (w11, w12), (w21, w22) = (2, 3), (5, 7)
    layer = convolutional([[[[w11, w12], [w21, w22]]]])
    x = images(np.arange(9).reshape(3, 3))
    d = {(i, j): 10.0 ** (2 * i + j) for i in range(2) for j in range(2)}
    dLdy = images([[d[0, 0], d[0, 1]], [d[1, 0], d[1, 1]]])
    dLdx, dLdW, dLdb = layer.backprop(x, dLdy)
    # dy11/dx has the filter at its upper left, and so on; the gradient is the sum weighted by d.
    expected = np.zeros((3, 3))
    for (i, j), weight in d.items():
        expected[i : i + 2, j : j + 2] += weight * np.array([[w11, w12], [w21, w22]])
    assert dLdx.tolist() == [[expected.tolist()]]
    framed = convolutional([[[[w22, w21], [w12, w11]]]]).forward(np.pad(dLdy, ((0, 0), (0, 0), (1, 1), (1, 1))))
    assert dLdx.tolist() == framed.tolist()
    assert dLdW.tolist() == convolutional(dLdy).forward(x).tolist()
    assert dLdb.tolist() == [[[[1111.0]]]]


def test_pooling_of_a_four_by_four_image():
    x = images(np.arange(16).reshape(4, 4) + 1)
    layer = nn_maxpool_layer(stride=2, pool_size=2)
    assert layer.forward(x).tolist() == [[[[6, 8], [14, 16]]]]
    dLdx = layer.backprop(x, images([[1, 2], [3, 4]]))
    assert dLdx.tolist() == [[[[0, 0, 0, 0], [0, 1, 0, 2], [0, 0, 0, 0], [0, 3, 0, 4]]]]


def test_shape_of_sixteen_pooled_images():
    assert nn_maxpool_layer(2, 2).forward(np.zeros((16, 3, 32, 32))).shape == (16, 3, 16, 16)


def test_both_names_of_the_pooling_layer_are_one_class():
    assert nn_maxpool_layer is nn_max_pooling_layer


def test_the_first_largest_entry_in_row_major_order_takes_the_gradient():
    layer = nn_maxpool_layer(stride=2, pool_size=2)
    dLdx = layer.backprop(images([[1, 7], [7, 7]]), images([[3]]))
    assert dLdx.tolist() == [[[[0, 3], [0, 0]]]]


def test_a_nan_in_a_window_gives_nan_and_takes_the_gradient():
    layer = nn_maxpool_layer(stride=2, pool_size=2)
    x = images([[1, 2, 3, 4], [np.nan, 9, 5, 6]])
    assert np.array_equal(layer.forward(x), images([[np.nan, 6]]), equal_nan=True)
    assert layer.backprop(x, images([[1, 2]])).tolist() == [[[[0, 0, 0, 0], [1, 0, 0, 2]]]]


def test_windows_of_minus_infinity():
    layer = nn_maxpool_layer(stride=1, pool_size=2)
    x = np.full((1, 1, 2, 2), -np.inf)
    assert layer.forward(x).tolist() == [[[[-np.inf]]]]
    assert layer.backprop(x, images([[5]])).tolist() == [[[[5, 0], [0, 0]]]]


@pytest.mark.parametrize(
    ("stride", "pool", "size", "expected"),
    [(3, 2, (7, 8), (2, 3)), (1, 3, (5, 4), (3, 2)), (2, 3, (6, 7), (2, 3))],
)
def test_windows_that_leave_gaps_overlap_or_do_not_divide(stride, pool, size, expected):
    x = np.random.default_rng(0).standard_normal((2, 3, *size))
    assert nn_maxpool_layer(stride, pool).forward(x).shape == (2, 3, *expected)


def test_weights_start_as_the_assignment_says():
    np.random.seed(0)
    layer = nn_convolutional_layer(5, 4, 32, 30, 100, std=2.0)
    assert layer.W.shape == (100, 30, 5, 4)
    assert layer.W.std() == pytest.approx(2 / np.sqrt(30 * 5 * 4 / 2), rel=0.02)
    assert (layer.b == 0.01).all()
    assert layer.b.shape == (1, 100, 1, 1)


def test_weights_are_copied_in_and_out_and_updated_by_adding():
    layer = nn_convolutional_layer(1, 1, 1, 1, 1)
    W, b = np.full((1, 1, 1, 1), 2.0), np.full((1, 1, 1, 1), 3.0)
    layer.set_weights(W, b)
    before = layer.get_weights()
    layer.update_weights(np.full((1, 1, 1, 1), 10.0), 1)
    assert (layer.W.item(), layer.b.item()) == (12.0, 4.0)
    assert (W.item(), b.item()) == (2.0, 3.0)
    assert [w.item() for w in before] == [2.0, 3.0]


def test_update_leaves_an_array_that_was_assigned_alone():
    layer, W = nn_convolutional_layer(1, 1, 1, 1, 1), np.ones((1, 1, 1, 1))
    layer.W = W
    layer.update_weights(1.0, 0.0)
    assert W.item() == 1.0


@pytest.mark.parametrize(
    ("weights", "x", "expected"),
    [
        (np.float32, np.float32, np.float32),
        (np.float64, np.float32, np.float64),
        (np.float32, np.float64, np.float64),
        (np.float32, np.int64, np.float64),
        (np.float64, np.uint8, np.float64),
    ],
)
def test_dtypes(weights, x, expected):
    layer = nn_convolutional_layer(2, 1, 4, 2, 3)
    layer.set_weights(np.ones((3, 2, 2, 1), weights), np.ones((1, 3, 1, 1), weights))
    given = np.ones((2, 2, 4, 3), x)
    y = layer.forward(given)
    gradients = layer.backprop(given, y)
    assert [a.dtype for a in (y, *gradients)] == [expected] * 4
    pooling = nn_maxpool_layer(1, 2)
    of_x = np.float32 if x is np.float32 else np.float64
    y = pooling.forward(given)
    assert [y.dtype, pooling.backprop(given, y).dtype] == [of_x] * 2


def anything(value: Any) -> Any:
    return value


CONVOLUTION = nn_convolutional_layer(3, 2, 5, 2, 4)
POOLING = nn_maxpool_layer(2, 3)
X, DLDY, POOLED = np.zeros((2, 2, 5, 4)), np.zeros((2, 4, 3, 3)), np.zeros((2, 2, 2, 1))


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda: CONVOLUTION.forward(X[0]), ValueError, ["x", "4 dimensions", "(2, 5, 4)"]),
        (lambda: CONVOLUTION.forward(X[:, :1]), ValueError, ["x", "2 channels", "(2, 1, 5, 4)"]),
        (lambda: CONVOLUTION.forward(X[:, :, :2]), ValueError, ["x", "3 x 2", "(2, 2, 2, 4)"]),
        (lambda: CONVOLUTION.forward(X[..., :1]), ValueError, ["x", "3 x 2", "(2, 2, 5, 1)"]),
        (lambda: CONVOLUTION.forward("x"), TypeError, ["x", "real numbers", "str"]),
        (lambda: CONVOLUTION.forward(X + 1j), TypeError, ["x", "real numbers", "complex128"]),
        (lambda: CONVOLUTION.forward(X.astype(object)), TypeError, ["x", "real numbers", "object"]),
        (lambda: CONVOLUTION.forward([[1], [2, 3]]), ValueError, ["x", "real numbers"]),
        (lambda: CONVOLUTION.forward(anything(None)), TypeError, ["x", "real numbers", "NoneType"]),
        (lambda: CONVOLUTION.backprop(X, DLDY[:1]), ValueError, ["dLdy", "(2, 4, 3, 3)", "(1, 4, 3, 3)"]),
        (lambda: CONVOLUTION.backprop(X, DLDY[0]), ValueError, ["dLdy", "(2, 4, 3, 3)", "(4, 3, 3)"]),
        (lambda: CONVOLUTION.backprop(X, 1.0), ValueError, ["dLdy", "(2, 4, 3, 3)", "()"]),
        (lambda: CONVOLUTION.backprop(X, DLDY.astype(str)), TypeError, ["dLdy", "real numbers"]),
        (lambda: CONVOLUTION.set_weights(X, CONVOLUTION.b), ValueError, ["W", "(4, 2, 3, 2)", "(2, 2, 5, 4)"]),
        (lambda: CONVOLUTION.update_weights(0, np.zeros(4)), ValueError, ["db", "(1, 4, 1, 1)", "(4,)"]),
        (lambda: nn_convolutional_layer(0, 1, 1, 1, 1), ValueError, ["filter_width", "0", "at least 1"]),
        (lambda: nn_convolutional_layer(1, -2, 1, 1, 1), ValueError, ["filter_height", "-2"]),
        (
            lambda: nn_convolutional_layer(1, 1, 1, anything(1.5), 1),
            TypeError,
            ["in_ch_size", "1.5", "whole number"],
        ),
        (lambda: nn_convolutional_layer(1, 1, 1, 1, anything("3")), TypeError, ["num_filters", "'3'"]),
        (lambda: nn_convolutional_layer(1, 1, 0, 1, 1), ValueError, ["input_size", "0"]),
        (lambda: POOLING.forward(X[0]), ValueError, ["x", "4 dimensions", "(2, 5, 4)"]),
        (lambda: POOLING.forward(X[..., :2]), ValueError, ["x", "3 x 3", "(2, 2, 5, 2)"]),
        (lambda: POOLING.forward(X + 0j), TypeError, ["x", "complex128"]),
        (lambda: POOLING.backprop(X, POOLED[..., :0]), ValueError, ["dLdy", "(2, 2, 2, 1)", "(2, 2, 2, 0)"]),
        (lambda: POOLING.backprop(X, POOLED.astype(object)), TypeError, ["dLdy", "object"]),
        (lambda: nn_maxpool_layer(0, 2), ValueError, ["stride", "0"]),
        (lambda: nn_maxpool_layer(stride=1, pool_size=anything(2.0)), TypeError, ["pool_size", "2.0"]),
    ],
)
def test_bad_arguments_are_named(call, error, named):
    with pytest.raises(error) as raised:
        call()
    assert [part for part in named if part not in str(raised.value)] == []
