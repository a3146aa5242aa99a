"""Planted bugs, each one small change of a correct layer, and correct layers written in many ways.

The suite must catch every one of the first and pass every one of the second.
"""

from verification.catalogue import (
    activations,
    convolution,
    convolution2d,
    dense,
    dropout,
    max_pooling,
    normalization,
    pooling2d,
    softmax,
    transposed_convolution2d,
)
from verification.catalogue.bug import Bug, Section

_MODULES = (
    convolution, max_pooling, convolution2d, transposed_convolution2d, pooling2d,
    dense, activations, softmax, normalization, dropout,
)  # fmt: skip
SECTIONS: tuple[Section, ...] = tuple(section for module in _MODULES for section in module.SECTIONS)

__all__ = ["SECTIONS", "Bug", "Section"]
