"""Two layers of a neural network, written to be read: convolution and max-pooling.

Each layer is an object with `forward(x) -> y` and `backprop(x, dLdy)`, which returns the gradient
of the loss with respect to x and then with respect to each parameter.
"""

from layers.convolution import nn_convolutional_layer
from layers.pooling import nn_max_pooling_layer, nn_maxpool_layer

__all__ = ["nn_convolutional_layer", "nn_max_pooling_layer", "nn_maxpool_layer"]
