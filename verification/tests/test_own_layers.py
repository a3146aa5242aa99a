"""The layers of this repository, verified."""

from hypothesis import settings

from layers import nn_convolutional_layer, nn_max_pooling_layer
from verification import convolution, max_pooling, verify

EXAMPLES = None if settings().max_examples > 100 else 20
"""By default few: `layerproof check` and `thorough` take more."""

test_convolution = verify(convolution(nn_convolutional_layer), examples=EXAMPLES)
test_max_pooling = verify(max_pooling(nn_max_pooling_layer), examples=EXAMPLES)
