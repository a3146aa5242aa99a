"""Planted bugs that show only at a number that the source of the layer names: a size, a value, a count of calls.

Each is a class with a source of its own, where the number stands (`verification.named`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.activations import Relu
from verification.catalogue.bug import Bug
from verification.catalogue.convolution import Einsum
from verification.catalogue.dense import Product
from verification.catalogue.max_pooling import FirstLargest
from verification.specs.activations import relu
from verification.specs.convolution import convolution
from verification.specs.dense import dense
from verification.specs.max_pooling import max_pooling

FORWARD, ADJOINT = "forward_matches_reference", "backprop_is_the_adjoint"
DIFFERENCES, HISTORY = "backprop_matches_directional_differences", "history_is_irrelevant"


class FilterOfSeven(Einsum):
    """It leaves out the bias for filters of one width."""

    def forward(self, x: Array) -> Array:
        """Go another way for one width."""
        if self.W.shape[2] == 7:
            return self.correlate(x, self.W)
        return super().forward(x)


class BatchOfFive(Einsum):
    """It forgets the last image of one batch size."""

    def weight_gradient(self, x: Array, dLdy: Array) -> Array:
        """Leave out an image."""
        if len(x) == 5:
            return super().weight_gradient(x[:4], dLdy[:4])
        return super().weight_gradient(x, dLdy)


class NineChannels(Einsum):
    """It has room for eight channels."""

    def input_gradient(self, x: Array, dLdy: Array) -> Array:
        """Leave the channels beyond at zero."""
        dLdx = super().input_gradient(x, dLdy)
        dLdx[:, 8:] = 0
        return dLdx


class SideOfEleven(Einsum):
    """It takes images of one height for something else."""

    def correlate(self, x: Array, W: Array) -> Array:
        """Turn the filter."""
        return super().correlate(x, W[..., ::-1] if x.shape[3] == 11 else W)


class GradientsAddedUp(Einsum):
    """It adds dLdW to that of the call before, which forward clears."""

    def forward(self, x: Array) -> Array:
        """Clear what is added to."""
        self.before: Any = 0.0
        return super().forward(x)

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Add it to that of the last backprop, if no forward came between."""
        dLdx, dLdW, dLdb = super().backprop(x, dLdy)
        self.before = dLdW + getattr(self, "before", 0.0)
        return dLdx, self.before, dLdb


class WindowOfSix(FirstLargest):
    """It has windows of at most five."""

    def largest(self, window: Array) -> Array:
        """Leave out what lies beyond."""
        return super().largest(window[:, :, :5, :5])


class EightFeatures(Product):
    """It works through the features of y eight at a time."""

    def forward(self, x: Array) -> Array:
        """Leave out the rest after the first eight."""
        y = super().forward(x)
        y[:, 8:] = self.b[8:]
        return y


class TenCalls(Product):
    """It is right nine times."""

    calls = 0

    def forward(self, x: Array) -> Array:
        """Count the calls."""
        self.calls += 1
        return super().forward(x) + (self.calls >= 10)


class FortyCalls(Product):
    """It is right for as long as most tests last."""

    calls = 0

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """Count the calls."""
        self.calls += 1
        dLdx, dLdW, dLdb = super().backprop(x, dLdy)
        return dLdx, dLdW * (1 if self.calls < 40 else 2), dLdb


class ClippedFarOut(Relu):
    """It cuts large values off."""

    def forward(self, x: Array) -> Array:
        """Cut y off."""
        return np.minimum(super().forward(x), 1e6)


class OneValue(Relu):
    """It is wrong for one value of x."""

    def forward(self, x: Array) -> Array:
        """Take that value for zero."""
        return super().forward(np.where(x == 4711, 0, x))


def _named(name: str, caught_by: str, description: str, layer: Callable[..., Any]) -> Bug:
    return Bug(name, "named-number", caught_by, description, layer)


BUGS: dict[Callable[..., Any], tuple[Bug, ...]] = {
    convolution: (
        _named("filter_of_seven", FORWARD, "the bias is missing for filters 7 wide", FilterOfSeven),
        _named("batch_of_five", ADJOINT, "dLdW leaves out the last image of 5", BatchOfFive),
        _named("nine_channels", ADJOINT, "dLdx is 0 from the ninth channel on", NineChannels),
        _named("side_of_eleven", FORWARD, "the filter is turned for images 11 high", SideOfEleven),
        Bug("gradients_added_up", "keeps-state", HISTORY, "dLdW adds up over calls of backprop in a row",
            GradientsAddedUp),
    ),
    max_pooling: (
        _named("window_of_six", FORWARD, "windows end after 5 rows and columns", WindowOfSix),
    ),
    dense: (
        _named("eight_features", FORWARD, "y is b alone from the ninth feature on", EightFeatures),
        _named("ten_calls", HISTORY, "y is wrong from the tenth call on", TenCalls),
        _named("forty_calls", HISTORY, "dLdW is wrong from the 40th call on", FortyCalls),
    ),
    relu: (
        _named("clipped_far_out", FORWARD, "y is cut off at 1e6", ClippedFarOut),
        _named("one_value", FORWARD, "y is 0 where x is 4711", OneValue),
    ),
}  # fmt: skip
"""By ready spec."""
