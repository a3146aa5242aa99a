"""The grid: for which sizes a layer runs and is right, by what it gave there."""

from dataclasses import replace

from layers import nn_convolutional_layer, nn_max_pooling_layer
from verification import check, convolution, max_pooling
from verification.catalogue.dense import DENSE_BUGS
from verification.drawing import sample
from verification.explain.causes import Observed
from verification.explain.grid import grid
from verification.observe import Row
from verification.specs.dense import dense


class Square(nn_convolutional_layer):
    """Raises unless the filter is square, and is wrong for 3x3."""

    def forward(self, x):
        width, height = self.W.shape[2:]
        if width != height:
            raise ValueError("a square filter, please")
        return super().forward(x) + (width == 3)


class ByTwo(nn_max_pooling_layer):
    """Is right while stride is 2."""

    def backprop(self, x, dLdy):
        return super().backprop(x, dLdy) * (1 if self.stride == 2 else 2)


def test_a_convolution_by_the_sides_of_its_filter():
    found = Observed(convolution(Square)).grid()
    assert found
    assert found.axes == ("filter_width", "filter_height")
    assert {(width, height) for width in range(1, 5) for height in range(1, 5)} <= set(found.outcomes)
    for width, height in found.outcomes:
        expected = "raises" if width != height else "wrong" if width == 3 else "right"
        assert found.word(width, height) == expected, (width, height)


def test_pooling_by_pool_and_stride_without_gaps():
    found = check(replace(max_pooling(ByTwo), realistic=None), examples=2).grid
    assert found
    assert found.axes == ("pool_size", "stride")
    words = {(size, stride): found.word(size, stride) for size in found.rows for stride in found.columns}
    assert len(words) == 16
    assert words == {pair: "right" if pair[1] == 2 else "wrong" for pair in words}


def test_a_right_layer_and_one_without_such_sizes_have_no_grid():
    assert check(max_pooling(nn_max_pooling_layer), examples=2).grid is None
    report = check(dense(DENSE_BUGS[0].layer), examples=2)
    assert report.mistakes[0].asked > 1  # its plain answers were observed
    assert report.grid is None


def test_a_row_has_the_sizes_of_its_own_case_and_not_those_of_a_row_that_is_gone():
    observed = Observed(max_pooling(nn_max_pooling_layer))
    for case in sample(observed.spec.cases, 10, 0):
        width, height = case.arrays["x"].shape[2:]
        sizes = observed.sizes(Row(case, ()))
        assert (sizes["width"], sizes["height"]) == (width, height)


def test_what_differs_between_cases_of_the_same_sizes_is_counted():
    sizes = [{"stride": 1, "pool_size": 2}] * 3 + [{"stride": 3, "pool_size": 2}]
    found = grid(("pool_size", "stride"), sizes, ["right", "raises", "wrong", "right"])
    assert (found.rows, found.columns) == ([2], [1, 3])
    assert [found.word(2, stride) for stride in (1, 2, 3)] == ["1 of 3 right", "", "right"]
