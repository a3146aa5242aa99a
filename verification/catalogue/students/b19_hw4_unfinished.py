import numpy as np
from skimage.util.shape import view_as_windows

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
        fw, fh = self.W.shape[2], self.W.shape[3]
        out_w, out_h = x.shape[2] - fw + 1, x.shape[3] - fh + 1
        out = np.zeros([x.shape[0], self.W.shape[0], out_w, out_h])
        for n in range(x.shape[0]):
            for f in range(self.W.shape[0]):
                for c in range(self.W.shape[1]):
                    w = view_as_windows(x[n, c], (fw, fh))
                    out[n, f] += np.sum(np.multiply(w, self.W[f, c]), axis=(2, 3))
                out[n, f] += self.b[0, f, 0, 0]
        return out

    def backprop(self, x, dLdy):
        # not finished, sorry
        pass


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        w = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        w = w.reshape(w.shape[0], w.shape[1], w.shape[2], w.shape[3], self.pool_size, self.pool_size)
        return np.max(w, axis=(4, 5))

    def backprop(self, x, dLdy):
        p = self.pool_size
        w = view_as_windows(x, (1, 1, p, p), step=(1, 1, self.stride, self.stride))
        b, c, ow, oh = w.shape[:4]
        pos = w.reshape(b, c, ow, oh, p * p).argmax(axis=4)
        onehot = (np.arange(p * p) == pos[..., None]).astype(float)
        mask = onehot.reshape(b, c, ow, oh, p, p).transpose(0, 1, 2, 4, 3, 5).reshape(b, c, ow * p, oh * p)
        up = dLdy.repeat(2, axis=2).repeat(2, axis=3)
        return up * mask
