"""The layers of this repository, verified."""

from layers import nn_convolutional_layer, nn_max_pooling_layer
from verification import convolution, max_pooling, verify

test_convolution = verify(convolution(nn_convolutional_layer))
test_max_pooling = verify(max_pooling(nn_max_pooling_layer))
