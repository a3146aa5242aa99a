"""Verifies hand-written neural-network layers: exactly, and says which entry is wrong."""

from verification.case import Case
from verification.check import Report, check
from verification.spec import BadArgument, LayerSpec
from verification.specs import convolution, max_pooling
from verification.verify import verify

__all__ = ["BadArgument", "Case", "LayerSpec", "Report", "check", "convolution", "max_pooling", "verify"]
