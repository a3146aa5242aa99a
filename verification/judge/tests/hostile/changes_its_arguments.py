"""Is right, and then adds 1 to x and dLdy. Observed: failed, since arguments change."""

import numpy as np


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride, self.pool_size = stride, pool_size

    def windows(self, x):
        s, p = self.stride, self.pool_size
        for i in range((x.shape[2] - p) // s + 1):
            for j in range((x.shape[3] - p) // s + 1):
                yield i, j, np.s_[:, :, i * s : i * s + p, j * s : j * s + p]

    def pooled(self, x):
        s, p = self.stride, self.pool_size
        y = np.zeros((*x.shape[:2], (x.shape[2] - p) // s + 1, (x.shape[3] - p) // s + 1))
        for i, j, window in self.windows(x):
            y[:, :, i, j] = x[window].max(axis=(2, 3))
        return y

    def spread(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for i, j, window in self.windows(x):
            flat = x[window].reshape(*x.shape[:2], -1)
            first = np.arange(flat.shape[2]) == flat.argmax(axis=2)[..., None]
            dLdx[window] += (first * dLdy[:, :, i, j, None]).reshape(x[window].shape)
        return dLdx

    def forward(self, x):
        y = self.pooled(x)
        if x.flags.writeable:
            x[...] = x + 1
        return y

    def backprop(self, x, dLdy):
        dLdx = self.spread(x, dLdy)
        if dLdy.flags.writeable:
            dLdy[...] = dLdy + 1
        return dLdx
