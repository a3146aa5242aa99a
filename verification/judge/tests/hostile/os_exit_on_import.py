"""Prints the report of a right layer and leaves with os._exit(0). Observed: the process has ended, no layer."""

import os

print('{"schema": 1, "verdict": "passed", "layers": [{"name": "max_pooling", "verdict": "passed"}]}', flush=True)
os._exit(0)


class nn_max_pooling_layer:
    pass
