"""Never gets to its class. Observed: loading is ended at the timeout, and both layers say so."""

import time

end = time.monotonic() + 30
if True:  # a loop of its own would be left out
    while time.monotonic() < end:
        pass


class nn_max_pooling_layer:
    pass
