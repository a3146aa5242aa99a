"""Never gets to its class. Observed: loading is ended at the timeout, and both layers say so."""

import time

end = time.monotonic() + 30
while time.monotonic() < end:
    pass


class nn_max_pooling_layer:
    pass
