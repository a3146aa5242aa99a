"""The assignment's accuracy test, and what it cannot see."""

import re

import numpy as np
import pytest

from layers import nn_convolutional_layer, nn_max_pooling_layer
from verification.assignment.accuracy import Accuracy, accuracy, text


def test_the_layers_of_this_repository_score_well_above_the_target():
    results = accuracy(nn_convolutional_layer, nn_max_pooling_layer)
    assert [result.percent > 99.999 for result in results] == [True] * 4
    assert sum(result.points for result in results) == 16


def test_it_prints_what_the_document_shows():
    lines = text(accuracy(nn_convolutional_layer, nn_max_pooling_layer, seed=1)).splitlines()
    heads = [re.split(r" -?\d", line)[0] for line in lines]
    block = ["exact change", "apprx change"]
    blocks = ["dLdx test", *block, "dLdW test", *block, "dLdb test", *block, "dLdx test for pooling", *block]
    scores = ["conv layer dLdx", "conv layer dLdW", "conv layer dLdb", "maxpool layer dLdx"]
    assert heads == [*blocks, "accuracy results", *scores, "points"]
    assert lines[-1] == "points 4 + 4 + 4 + 4 = 16 of 16"


def test_it_is_repeatable_and_leaves_the_random_state_alone():
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    first = accuracy(nn_convolutional_layer, nn_max_pooling_layer, seed=2)
    assert np.random.rand() == expected
    assert accuracy(nn_convolutional_layer, nn_max_pooling_layer, seed=2) == first
    assert accuracy(nn_convolutional_layer, nn_max_pooling_layer, seed=3) != first


@pytest.mark.parametrize(
    ("apprx", "points"), [(1.0, 4), (0.91, 4), (0.9, 2), (0.6, 2), (0.5, 2), (0.4, 1), (-5.0, 1), (np.nan, 1)]
)
def test_points(apprx, points):
    assert Accuracy("dLdx test", (1.0,) * 20, (apprx,) * 20).points == points


def test_it_finds_a_wrong_sign_and_misses_how_the_maximum_is_chosen():
    class Negated(nn_convolutional_layer):
        def backprop(self, x, dLdy):
            dLdx, dLdW, dLdb = super().backprop(x, dLdy)
            return -dLdx, dLdW, dLdb

    class LastEntry(nn_max_pooling_layer):
        def forward(self, x):
            return x[:, :, 1::2, 1::2]

        def backprop(self, x, dLdy):
            dLdx = np.zeros(x.shape)
            dLdx[:, :, 1::2, 1::2] = dLdy
            return dLdx

    results = accuracy(Negated, LastEntry)
    assert [result.points for result in results] == [1, 4, 4, 4]
