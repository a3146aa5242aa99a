"""Two layers of a neural network, written to be read: convolution and max-pooling (see README.md)."""

from layers.convolution import nn_convolutional_layer
from layers.pooling import nn_max_pooling_layer, nn_maxpool_layer

__all__ = ["nn_convolutional_layer", "nn_max_pooling_layer", "nn_maxpool_layer"]
