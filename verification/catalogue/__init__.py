"""Planted bugs, each one small change of a correct layer, and correct layers written in many ways.

The suite must catch every one of the first and pass every one of the second.
"""

from dataclasses import replace

from verification.catalogue import (
    activations,
    convolution,
    convolution_nd,
    dense,
    dropout,
    embedding,
    global_pooling,
    joining,
    losses,
    max_pooling,
    moving,
    named,
    normalization,
    norms,
    pooling_nd,
    recurrent,
    softmax,
    transposed_convolution2d,
)
from verification.catalogue.bug import Bug, Section

_MODULES = (
    convolution, max_pooling, convolution_nd, transposed_convolution2d, pooling_nd, global_pooling, moving, dense,
    embedding, activations, losses, norms, joining, recurrent, softmax, normalization, dropout,
)  # fmt: skip
SECTIONS: tuple[Section, ...] = tuple(
    replace(section, bugs=(*section.bugs, *named.BUGS.get(section.spec, ())))
    for module in _MODULES
    for section in module.SECTIONS
)

__all__ = ["SECTIONS", "Bug", "Section"]
