"""Starts threads with the smallest stack, 1000 at most. Observed: they end with it, and it is judged or dies."""

import threading
import time

threading.stack_size(32 << 10)
try:
    for _ in range(1000):
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    print("all started")
except (RuntimeError, MemoryError) as error:
    print("refused", error)
print("tried")


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x * 0

    def backprop(self, x, dLdy):
        return x * 0
