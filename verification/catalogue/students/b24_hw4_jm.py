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
        batch = x.shape[0]
        F, C, fw, fh = self.W.shape
        result = []
        for n in range(batch):
            v = view_as_windows(x[n], (C, fw, fh))[0]
            ow, oh = v.shape[0], v.shape[1]
            v = v.reshape(ow * oh, -1)
            r = v.dot(self.W.reshape(F, -1).T).T
            result.append(r.reshape(F, ow, oh))
        result = np.array(result)
        return result + self.b

    def backprop(self, x, dLdy):
        batch = x.shape[0]
        F, C, fw, fh = self.W.shape
        ow, oh = dLdy.shape[2], dLdy.shape[3]

        dLdx = []
        for n in range(batch):
            dx = np.zeros((C, x.shape[2], x.shape[3]))
            dLdW = np.zeros((F, C, fw, fh))
            for f in range(F):
                for c in range(C):
                    v = view_as_windows(x[n, c], (ow, oh))
                    dLdW[f, c] += (v * dLdy[n, f]).sum(axis=(2, 3))
                for i in range(ow):
                    for j in range(oh):
                        dx[:, i:i + fw, j:j + fh] += self.W[f] * dLdy[n, f, i, j]
            dLdx.append(dx)
        dLdx = np.array(dLdx)

        # one bias for each filter
        dLdb = np.zeros((1, dLdy.shape[0], 1, 1))
        for f in range(F):
            dLdb[0, f, 0, 0] = dLdy[:, f, :, :].sum()
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        s = v.shape
        return v.reshape(s[0], s[1], s[2], s[3], -1).max(axis=-1)

    def backprop(self, x, dLdy):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        s = v.shape
        v = v.reshape(s[0], s[1], s[2], s[3], -1)
        index = np.argmax(v, axis=-1)
        dLdx = np.zeros(x.shape)
        for n in range(s[0]):
            for c in range(s[1]):
                for i in range(s[2]):
                    for j in range(s[3]):
                        k = index[n, c, i, j]
                        dLdx[n, c, i * self.stride + k // 2, j * self.stride + k % 2] += dLdy[n, c, i, j]
        return dLdx
