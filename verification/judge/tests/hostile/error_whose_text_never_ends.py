"""Raises on import an error whose text never comes. Observed: loading is ended at the timeout."""

import time


class Endless(Exception):
    def __str__(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pass
        return ""


raise Endless


class nn_max_pooling_layer:
    pass
