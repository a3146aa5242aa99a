"""Declarations as people write them: what they say holds, whatever the layer does, and what does not fit is said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from verification import (
    LayerSpec,
    batch_normalization,
    check,
    convolution,
    convolution2d,
    dense,
    group_normalization,
    layer_normalization,
    transposed_convolution2d,
)
from verification.catalogue import SECTIONS
from verification.strategies import cases, real_arrays, shapes

THOROUGH = settings().max_examples > 100
"""By default one spec stands for all; `thorough` takes all."""

READY = [
    dense,
    convolution,
    convolution2d,
    transposed_convolution2d,
    batch_normalization,
    layer_normalization,
    group_normalization,
]
VARIANTS = {section.spec: section.variants[0] for section in SECTIONS}


class Tanh:
    def forward(self, x):
        return np.tanh(x)

    def backprop(self, x, dLdy):
        return dLdy * (1 - np.tanh(x) ** 2)


class WrongTanh(Tanh):
    def backprop(self, x, dLdy):
        return dLdy * (1 - np.tanh(x))


tanh = LayerSpec(
    name="tanh",
    make=Tanh,
    cases=cases(x=real_arrays(shapes(2))),
    reference=lambda x: 1 - 2 / (np.exp(2 * x) + 1),
    rtol=1e-9,
    rtol_reason="four-point differences with step 2^-9 are good to 1e-10 for derivatives below 100",
)


@pytest.mark.parametrize("ready", READY if THOROUGH else READY[:1])
def test_a_layer_without_dLdx_is_verified_and_what_it_gets_wrong_is_explained(ready):
    right: Any = VARIANTS[ready]

    class First(right):  # type: ignore[misc]
        def backprop(self, x, dLdy):
            return super().backprop(x, dLdy)[1:]

    class Averaged(First):
        def backprop(self, x, dLdy):
            first, second = super().backprop(x, dLdy)
            return first / len(x), second

    spec = replace(ready(First), realistic=None, gradients=ready(First).parameters)
    assert check(spec, examples=8).passed
    report = check(replace(spec, make=Averaged), examples=8)
    sentences = [diagnosis.sentence for item in report.failures for diagnosis in item.finding.diagnoses]
    assert any("batch size" in sentence for sentence in sentences), report


def test_a_name_may_be_any_text():
    assert check(replace(tanh, name="my tanh (2nd)"), examples=3).passed
    report = check(replace(tanh, name="my tanh (2nd)", make=WrongTanh), examples=10)
    assert str(report).startswith("my tanh (2nd): failed")
