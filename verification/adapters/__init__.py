"""Adapters: layers written to another convention, for any spec: convolution(adapted(Conv, backprop="backward(dLdy)")).

Each takes what makes the layer, and says plainly how it is called; nothing is guessed. What it returns is passed to a
spec in place of a class. Scripts that reproduce a failure call the layer as its author would.
"""

from verification.adapters.functions import functions
from verification.adapters.jax_functions import jax_function
from verification.adapters.objects import adapted
from verification.adapters.torch_layers import torch_function, torch_module

__all__ = ["adapted", "functions", "jax_function", "torch_function", "torch_module"]
