"""Imports the layers and references of this package as its own. Observed: they are not there."""

from layers import nn_convolutional_layer, nn_max_pooling_layer  # noqa: F401
