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
        print(x.shape, self.W.shape)
        v = view_as_windows(x, (1,) + self.W.shape[1:])
        out = np.einsum('nzijycpq,fcpq->nfij', v, self.W)
        print(out.shape)
        return out + self.b

    def backprop(self, x, dLdy):
        F, C, fw, fh = self.W.shape
        N, _, ow, oh = dLdy.shape
        v = view_as_windows(x, (1,) + self.W.shape[1:])
        dLdW = np.einsum('nzijycpq,nfij->fcpq', v, dLdy)

        # y = Wx + b so dy/db = 1 at every place
        dLdb = np.zeros((1, F, 1, 1))
        dLdb += N * ow * oh

        dLdx = np.zeros(x.shape)
        for n in range(N):
            dLdx = np.zeros(x.shape)
            for i in range(ow):
                for j in range(oh):
                    dLdx[n, :, i:i+fw, j:j+fh] += np.tensordot(dLdy[n, :, i, j], self.W, axes=1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        p, s = self.pool_size, self.stride
        ow = (x.shape[2] - p) // s + 1
        oh = (x.shape[3] - p) // s + 1
        out = np.zeros((x.shape[0], x.shape[1], ow, oh))
        for i in range(0, x.shape[2] - p, s):
            for j in range(0, x.shape[3] - p, s):
                out[:, :, i // s, j // s] = x[:, :, i:i+p, j:j+p].max(axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        dLdx = np.zeros(x.shape)
        for n, c, i, j in np.ndindex(*dLdy.shape):
            w = x[n, c, i*s:i*s+p, j*s:j*s+p]
            block = np.zeros((p, p))
            block[np.unravel_index(w.argmax(), w.shape)] = dLdy[n, c, i, j]
            dLdx[n, c, i*s:i*s+p, j*s:j*s+p] = block
        return dLdx
