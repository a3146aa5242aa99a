"""Names, messages and prints hold HTML and terminal codes. Observed: no such character gets through."""

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r<script>alert(1)</script>"
print(HOSTILE)
Named = type(HOSTILE, (ValueError,), {"__module__": __name__})
globals()[HOSTILE] = Named
raise Named(HOSTILE)


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        raise Named(HOSTILE)

    def backprop(self, x, dLdy):
        return Named(HOSTILE)
