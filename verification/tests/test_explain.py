"""Causes: a mistake is named where it predicts every answer, and told once however it shows."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings

from layers import nn_convolutional_layer, nn_max_pooling_layer
from verification import check, convolution, dense, max_pooling
from verification.explain.causes import Observed, causes
from verification.explain.where import separate
from verification.references import maximum

THOROUGH = settings().max_examples > 100


class Pooling:
    """A right max-pooling layer, window by window; what is turned in a test is a method or an attribute."""

    keep_the_last = False

    def __init__(self, stride, pool_size):
        self.stride, self.pool_size = stride, pool_size

    def step(self):
        return self.stride

    def forward(self, x):
        return maximum(x, self.stride, self.pool_size)

    def backprop(self, x, dLdy):
        dLdx, k = np.zeros(x.shape), self.pool_size
        for n, c, i, j in np.ndindex(dLdy.shape):
            window = x[n, c, i * self.stride : i * self.stride + k, j * self.stride : j * self.stride + k]
            row, column = divmod(int(window.argmax()), k)
            at = n, c, i * self.step() + row, j * self.step() + column
            dLdx[at] = dLdy[n, c, i, j] + (0 if self.keep_the_last else dLdx[at])
        return dLdx


def of(spec):
    return causes(Observed(replace(spec, realistic=None)))


def test_a_right_layer_has_no_causes():
    assert not of(max_pooling(Pooling))


def test_a_call_that_raises_where_the_mistake_leads_beyond_the_image_is_no_other_mistake():
    class PlacedAtPoolSize(Pooling):
        def step(self):
            return self.pool_size

    (cause,) = of(max_pooling(PlacedAtPoolSize))
    assert [why.sentence for why in cause.why] == ["windows start every pool_size entries, whatever the stride"]


def test_two_knobs_of_one_formula_are_both_named():
    class Both(Pooling):
        keep_the_last = True

        def step(self):
            return 1

    (cause,) = of(max_pooling(Both))
    assert {why.family for why in cause.why} == {"not-accumulated", "hard-coded-stride"}


def test_a_gradient_that_is_wrong_only_where_y_is_is_told_with_it():
    class Swapped(Pooling):
        def __init__(self, stride, pool_size):
            super().__init__(pool_size, stride)

    (cause,) = of(max_pooling(Swapped))
    assert cause.why[0].family == "axes-swapped"
    assert cause.also == ("dLdx",)


def test_an_array_with_a_mistake_of_its_own_is_told_apart_from_y():
    class Two(Pooling):
        def forward(self, x):
            return np.maximum(super().forward(x), 0)

        def backprop(self, x, dLdy):
            return -super().backprop(x, dLdy)

    assert [(cause.array, cause.why[0].family) for cause in of(max_pooling(Two))] == [
        ("y", "zero-start"), ("dLdx", "sign"),
    ]  # fmt: skip


def test_the_same_said_of_two_gradients_is_told_once():
    class Averaged(nn_convolutional_layer):
        def backprop(self, x, dLdy):
            dLdx, dLdW, dLdb = super().backprop(x, dLdy)
            return dLdx, dLdW / len(x), dLdb / len(x)

    (cause,) = of(convolution(Averaged))
    assert (cause.array, cause.also, cause.why[0].family) == ("dLdW", ("dLdb",), "batch-averaged")


def test_a_backprop_of_another_convention_is_said_in_one_sentence():
    class TakesNoX(nn_max_pooling_layer):
        def forward(self, x):
            self.x = x
            return super().forward(x)

        def backprop(self, dLdy):  # type: ignore[override]
            return super().backprop(self.x, dLdy)

    report = check(replace(max_pooling(TakesNoX), realistic=None), examples=5)
    (cause,) = report.mistakes
    assert cause.headline == "backprop takes (dLdy), the suite calls it with (x, dLdy)"


@pytest.mark.skipif(not THOROUGH, reason="it takes seconds")
def test_what_else_is_wrong_comes_to_light_where_the_layer_runs():
    class EightImages(nn_convolutional_layer):
        def forward(self, x):
            self.x = x
            return super().forward(x.reshape(8, *x.shape[1:])) if len(x) == 8 else x.reshape(8, 1)

        def backprop(self, x, dLdy):
            return super().backprop(self.x, dLdy)

    report = check(replace(convolution(EightImages), realistic=None), examples=5)
    assert "history_is_irrelevant" in {cause.property_name for cause in report.mistakes}


def test_what_one_pair_of_sizes_shows_is_not_said_of_all_that_compare_alike():
    sizes = [{"batch": batch, "channels": channels} for batch in (1, 2) for channels in (1, 2)] * 4
    where = separate(sizes, [size == {"batch": 2, "channels": 1} for size in sizes])
    assert where is not None
    assert where.said("it runs", "it raises") == "it raises while channels is 1 and batch is not 1; it runs otherwise"
    wider = [{"batch": batch, "channels": channels} for batch in (1, 2, 3) for channels in (1, 2, 3)] * 2
    where = separate(wider, [size["batch"] > size["channels"] for size in wider])
    assert where is not None
    assert where.said("it runs", "it raises") == "it runs while batch is at most channels; it raises otherwise"


class Rewritten(nn_convolutional_layer):
    """A right convolution whose gradients pass through `mistake`."""

    mistake: Callable[[np.ndarray], np.ndarray]

    def backprop(self, x, dLdy):
        dLdx, dLdW, dLdb = super().backprop(x, dLdy)
        return dLdx, self.mistake(dLdW), dLdb


@pytest.mark.parametrize(
    ("mistake", "families"),
    [
        (lambda g: g.ravel().reshape(g.shape, order="F"), ["axes-swapped"]),
        (lambda g: np.roll(g, 1, axis=2) * 0.01, ["scaled", "shifted"]),
        (lambda g: g / (np.linalg.norm(g) + 1e-9), ["upstream-nonlinear"]),
    ],
    ids=["another order", "two at once, one with a number", "divided by its norm"],
)
def test_a_mistake_along_any_axis_and_one_with_a_number_is_named(mistake, families):
    made = type("Wrong", (Rewritten,), {"mistake": staticmethod(mistake)})
    (cause,) = of(convolution(made))
    assert sorted(why.family for why in cause.why) == families


def test_of_a_parameter_an_axis_is_not_that_of_images():
    first = staticmethod(lambda g: g * (np.arange(len(g)) < 1)[:, None, None, None])
    made = type("Wrong", (Rewritten,), {"mistake": first})
    (cause,) = of(convolution(made))
    assert "the first filter" in cause.why[0].sentence


def test_what_is_wrong_for_some_values_may_be_wrong():
    class LargestInAll(Pooling):
        def backprop(self, x, dLdy):
            largest = x == x.max(axis=(2, 3), keepdims=True)
            return largest * dLdy.sum(axis=(2, 3), keepdims=True)

    (cause,) = of(max_pooling(LargestInAll))
    assert "may be wrong otherwise" in cause.headline


def test_a_write_into_x_is_told_with_what_it_spoils():
    class Centered:
        W: np.ndarray
        b: np.ndarray

        def __init__(self, in_features, out_features): ...

        def forward(self, x):
            x -= x.mean() if x.size else 0
            return x @ self.W + self.b

        def backprop(self, x, dLdy):
            return dLdy @ self.W.T, x.T @ dLdy, dLdy.sum(axis=0)

    (cause,) = check(replace(dense(Centered), realistic=None), examples=10).mistakes
    assert [why.family for why in cause.why] == ["wrong-operation", "mutates-argument"]


def test_what_is_limited_in_size_is_not_said_to_be_divided_by_it():
    limited = staticmethod(lambda g: g * min(1, 100 / (np.linalg.norm(g) + 1e-9)))
    (cause,) = of(convolution(type("Wrong", (Rewritten,), {"mistake": limited})))
    assert cause.why[0].sentence == "dLdW is scaled down to a norm of 100: a gradient is linear in dLdy"


def test_a_plain_call_that_raises_at_ties_is_told_once_and_given_no_other_meaning():
    class OneLargest(nn_max_pooling_layer):
        def backprop(self, x, dLdy):
            for image in x.reshape(-1, x.shape[2] * x.shape[3]):
                assert not image.size or np.count_nonzero(image == image.max()) == 1
            return super().backprop(x, dLdy)

    report = check(replace(max_pooling(OneLargest), realistic=None), examples=20)
    assert [(cause.raised, cause.why) for cause in report.mistakes] == [(True, ())]
