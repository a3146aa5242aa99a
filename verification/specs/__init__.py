"""Ready specs: each takes an implementation and says what is right for it."""

from verification.specs.convolution import convolution
from verification.specs.max_pooling import max_pooling

__all__ = ["convolution", "max_pooling"]
