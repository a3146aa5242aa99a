"""Planted bugs, each one small change of a correct layer, and correct layers written in many ways.

The suite must catch every one of the first and pass every one of the second.
"""

from verification.catalogue.bug import Bug
from verification.catalogue.convolution import CONVOLUTION_BUGS, CONVOLUTION_VARIANTS
from verification.catalogue.max_pooling import MAX_POOLING_BUGS, MAX_POOLING_VARIANTS

__all__ = [
    "CONVOLUTION_BUGS",
    "CONVOLUTION_VARIANTS",
    "MAX_POOLING_BUGS",
    "MAX_POOLING_VARIANTS",
    "Bug",
]
