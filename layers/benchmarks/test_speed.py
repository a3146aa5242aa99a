"""Guards against slower and larger layers: `pytest layers/benchmarks`, not part of the default run.

A plain matrix product of the same size runs before each round of the layer, so that the ratio of the two
medians does not hang on the machine or on what else it does.
"""

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

from layers import nn_convolutional_layer, nn_max_pooling_layer

pytest.importorskip("pytest_benchmark")
threadpoolctl = pytest.importorskip("threadpoolctl")

# x (n, c, w, h), side of the filters, their number; at most so many products for forward, and for both.
# Few channels leave the product little to do beside laying out windows.
LIMITS = [((8, 64, 56, 56), 3, 64, 2.5, 7), ((16, 128, 14, 14), 3, 128, 2.5, 7), ((128, 1, 28, 28), 5, 8, 5, 16)]


@pytest.mark.parametrize("call", ["forward", "forward and backprop"])
@pytest.mark.parametrize(("shape", "k", "filters", "forward", "both"), LIMITS)
def test_time_beside_a_matrix_product(
    benchmark: Any, shape: tuple[int, ...], k: int, filters: int, forward: float, both: float, call: str
) -> None:
    """The median of a call, on one thread, is at most so many times that of the product."""
    if not benchmark.enabled:
        pytest.skip("nothing is measured with --benchmark-disable, nor beside other tests (xdist)")
    random = np.random.default_rng(0)
    layer, x = nn_convolutional_layer(k, k, shape[2], shape[1], filters), random.standard_normal(shape)
    dLdy = random.standard_normal(layer.forward(x).shape)
    weights, columns = layer.W.reshape(filters, -1), random.standard_normal((layer.W[0].size, dLdy[0, 0].size))
    products: list[float] = []

    def product() -> None:
        start = time.perf_counter()
        for _ in range(shape[0]):
            weights @ columns
        products.append(time.perf_counter() - start)

    def run() -> None:
        layer.forward(x)
        if call != "forward":
            layer.backprop(x, dLdy)

    with threadpoolctl.threadpool_limits(1):
        benchmark.pedantic(run, setup=product, rounds=9, warmup_rounds=1)
    ratio = benchmark.stats.stats.median / float(np.median(products))
    benchmark.extra_info["ratio to a matrix product"] = round(ratio, 2)
    assert ratio <= (forward if call == "forward" else both)


@pytest.mark.parametrize("call", ["forward", "backprop"])
@pytest.mark.parametrize(
    "layer",
    [nn_convolutional_layer(3, 3, 56, 64, 64), nn_max_pooling_layer(2, 2), nn_max_pooling_layer(1, 3)],
    ids=["convolution", "max-pooling 2x2, stride 2", "max-pooling 3x3, stride 1"],
)
def test_memory_of_a_call(layer: Any, call: str) -> None:
    """A call holds at most 32 MB beside its arguments and its results."""
    x = np.zeros((8, 64, 56, 56))
    arguments = (x,) if call == "forward" else (x, layer.forward(x))
    tracemalloc.start()
    results = getattr(layer, call)(*arguments)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del results
    assert peak - held <= 32e6
