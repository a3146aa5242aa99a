# float32 is enough, the course server is slow
import numpy as np

class nn_convolutional_layer:
    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        fw, fh = self.W.shape[2:]
        ow, oh = x.shape[2] - fw + 1, x.shape[3] - fh + 1
        out = 0
        for i in range(fw):
            for j in range(fh):
                out = out + np.einsum('bcwh,fc->bfwh', x[:, :, i:i+ow, j:j+oh], self.W[:, :, i, j])
        return out + self.b

    def backprop(self, x, dLdy):
        fw, fh = self.W.shape[2:]
        ow, oh = dLdy.shape[2:]
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        # sum over the batch first, then only one image is left for dLdW
        xs = x.sum(axis=0)
        ds = dLdy.sum(axis=0)
        for i in range(fw):
            for j in range(fh):
                dLdW[:, :, i, j] = np.einsum('fwh,cwh->fc', ds, xs[:, i:i+ow, j:j+oh])
                dLdx[:, :, i:i+ow, j:j+oh] += np.einsum('bfwh,fc->bcwh', dLdy, self.W[:, :, i, j])
        dLdb = np.einsum('bfwh->f', dLdy).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        s, p = self.stride, self.pool_size
        ow, oh = (x.shape[2] - p) // s + 1, (x.shape[3] - p) // s + 1
        out = np.full(x.shape[:2] + (ow, oh), -np.inf)
        for i in range(p):
            for j in range(p):
                out = np.maximum(out, x[:, :, i:i+(ow-1)*s+1:s, j:j+(oh-1)*s+1:s])
        return out

    def backprop(self, x, dLdy):
        s, p = self.stride, self.pool_size
        b, c, ow, oh = dLdy.shape
        y = self.forward(x)
        dLdx = np.zeros(x.shape, dtype=np.float32)
        todo = np.ones(y.shape, dtype=bool)        # windows that did not give their gradient yet
        for i in range(p):
            for j in range(p):
                xs = x[:, :, i:i+(ow-1)*s+1:s, j:j+(oh-1)*s+1:s]
                hit = todo & (xs == y)
                dLdx[:, :, i:i+(ow-1)*s+1:s, j:j+(oh-1)*s+1:s] += np.where(hit, dLdy, 0).astype(np.float32)
                todo = todo & ~hit
        return dLdx
