"""Never gets to its class. Observed: loading is ended at the timeout, and both layers say so."""

import time


def wait(end):  # a loop at module level would be left out
    while time.monotonic() < end:
        pass


wait(time.monotonic() + 30)


class nn_max_pooling_layer:
    pass
