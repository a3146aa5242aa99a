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
        out = []
        for k in range(self.W.shape[0]):
            win = view_as_windows(x, (1,) + self.W[k].shape)
            s = (win * self.W[k]).sum(axis=(-1, -2, -3))
            s = s.squeeze()                 # batch, ow, oh
            out.append(s + self.b[0, k, 0, 0])
        return np.stack(out).transpose(1, 0, 2, 3)

    def backprop(self, x, dLdy):
        batch = x.shape[0]
        F, C, fw, fh = self.W.shape
        _, _, ow, oh = dLdy.shape
        dLdW = np.zeros_like(self.W)
        dLdx = np.zeros(x.shape)
        for k in range(F):
            for i in range(fw):
                for j in range(fh):
                    part = x[:, :, i:i + ow, j:j + oh]
                    dLdW[k, :, i, j] = np.sum(part * dLdy[:, k:k + 1])
                    dLdx[:, :, i:i + ow, j:j + oh] += dLdy[:, k:k + 1] * self.W[k, :, i, j][:, None, None]
        dLdb = dLdy.sum(axis=(0, 2, 3)).reshape(self.b.shape) / batch
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        s = self.stride
        w = (x.shape[2] - 2) // s + 1
        h = (x.shape[3] - 2) // s + 1
        out = np.zeros((x.shape[0], x.shape[1], w, h))
        for i in range(w):
            for j in range(h):
                a = np.maximum(x[:, :, i * s, j * s], x[:, :, i * s + 1, j * s])
                b = np.maximum(x[:, :, i * s, j * s + 1], x[:, :, i * s + 1, j * s + 1])
                out[:, :, i, j] = np.maximum(a, b)
        return out

    def backprop(self, x, dLdy):
        s = self.stride
        p = self.pool_size
        dLdx = np.zeros(x.shape)
        for (n, c, i, j), g in np.ndenumerate(dLdy):
            w = x[n, c, i * s:i * s + p, j * s:j * s + p]
            a, b = np.unravel_index(np.argmax(w), w.shape)
            dLdx[n, c, i * s + a, j * s + b] += g
        return dLdx
