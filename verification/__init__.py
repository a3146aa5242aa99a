"""Verifies hand-written neural-network layers: exactly, and says which entry is wrong."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verification.adapters import adapted
    from verification.case import Case
    from verification.cause import Cause
    from verification.checking import check, check_at
    from verification.pytest_items import HardeningWarning, verify
    from verification.report import Report
    from verification.spec import BadArgument, LayerSpec, SpecError
    from verification.specs.activations import (
        elu,
        gelu,
        hard_sigmoid,
        hard_tanh,
        leaky_relu,
        mish,
        relu,
        selu,
        sigmoid,
        softplus,
        softsign,
        swish,
        tanh,
    )
    from verification.specs.attention import attention
    from verification.specs.convolution import convolution
    from verification.specs.convolution_nd import convolution1d, convolution2d, convolution3d
    from verification.specs.dense import dense, flatten
    from verification.specs.dropout import dropout, own_mask_dropout
    from verification.specs.elementwise import elementwise
    from verification.specs.embedding import embedding
    from verification.specs.global_pooling import global_average_pooling, global_max_pooling
    from verification.specs.joining import multiply, residual_add
    from verification.specs.losses import (
        absolute_error,
        binary_cross_entropy,
        binary_cross_entropy_with_logits,
        hinge,
        log_softmax,
        negative_log_likelihood,
        squared_error,
    )
    from verification.specs.max_pooling import max_pooling
    from verification.specs.moving import pixel_shuffle, upsampling2d, zero_padding2d
    from verification.specs.normalization import batch_normalization, group_normalization, layer_normalization
    from verification.specs.norms import l1_normalization, l2_normalization, rms_normalization
    from verification.specs.pooling_nd import (
        average_pooling1d,
        average_pooling2d,
        average_pooling3d,
        max_pooling1d,
        max_pooling2d,
        max_pooling3d,
    )
    from verification.specs.recurrent import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell
    from verification.specs.softmax import softmax, softmax_cross_entropy
    from verification.specs.transposed_convolution2d import transposed_convolution2d

__all__ = [
    "BadArgument",
    "Case",
    "Cause",
    "HardeningWarning",
    "LayerSpec",
    "Report",
    "SpecError",
    "absolute_error",
    "adapted",
    "attention",
    "average_pooling1d",
    "average_pooling2d",
    "average_pooling3d",
    "batch_normalization",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "check",
    "check_at",
    "convolution",
    "convolution1d",
    "convolution2d",
    "convolution3d",
    "dense",
    "dropout",
    "elementwise",
    "elu",
    "embedding",
    "flatten",
    "gelu",
    "global_average_pooling",
    "global_max_pooling",
    "group_normalization",
    "gru",
    "gru_cell",
    "hard_sigmoid",
    "hard_tanh",
    "hinge",
    "l1_normalization",
    "l2_normalization",
    "layer_normalization",
    "leaky_relu",
    "log_softmax",
    "lstm",
    "lstm_cell",
    "max_pooling",
    "max_pooling1d",
    "max_pooling2d",
    "max_pooling3d",
    "mish",
    "multiply",
    "negative_log_likelihood",
    "own_mask_dropout",
    "pixel_shuffle",
    "relu",
    "residual_add",
    "rms_normalization",
    "rnn",
    "rnn_cell",
    "selu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "softsign",
    "squared_error",
    "swish",
    "tanh",
    "transposed_convolution2d",
    "upsampling2d",
    "verify",
    "zero_padding2d",
]

_HOMES = {
    "BadArgument": "spec",
    "Case": "case",
    "Cause": "cause",
    "HardeningWarning": "pytest_items",
    "LayerSpec": "spec",
    "Report": "report",
    "SpecError": "spec",
    "adapted": "adapters",
    "check": "checking",
    "check_at": "checking",
    "verify": "pytest_items",
}


def __getattr__(name: str) -> Any:
    # Imported when first used, so that `layerproof --help` does not wait for SciPy and Hypothesis.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"verification.{_HOMES.get(name, 'specs')}"), name)
    return value
