import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
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
        num_filters, ch, fw, fh = self.W.shape
        out = []
        for img in x:
            windows = view_as_windows(img, (ch, fw, fh)).squeeze(0)     # ow, oh, ch, fw, fh
            ow, oh = windows.shape[:2]
            flat = windows.reshape(ow * oh, ch * fw * fh)
            res = flat @ self.W.reshape(num_filters, ch * fw * fh).T
            out.append(res.T.reshape(num_filters, ow, oh))
        return np.stack(out) + self.b

    def backprop(self, x, dLdy):
        num_filters, ch, fw, fh = self.W.shape
        batch, _, ow, oh = dLdy.shape

        dLdb = dLdy.sum(axis=3).sum(axis=2).sum(axis=0).reshape(1, -1, 1, 1)

        dLdW = np.zeros((num_filters, ch, fw, fh))
        for f in range(num_filters):
            for c in range(ch):
                # dLdy is the filter now
                v = view_as_windows(x[:, c, :, :], (batch, ow, oh))
                dLdW[f, c] = (v * dLdy[:, f]).sum(axis=(-1, -2, -3))[0]

        dLdx = np.zeros(x.shape)
        padded = np.pad(dLdy, ((0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)))
        flipped = self.W[:, :, ::-1]
        for c in range(ch):
            v = view_as_windows(padded, (1, num_filters, fw, fh)).reshape(batch, x.shape[2], x.shape[3], -1)
            dLdx[:, c] = v.dot(flipped[:, c].reshape(-1))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        batch, ch, w, h = x.shape
        out_w = w // self.pool_size
        out_h = h // self.pool_size
        out = np.zeros((batch, ch, out_w, out_h))
        for i in range(out_w):
            for j in range(out_h):
                ii = i * self.stride
                jj = j * self.stride
                out[:, :, i, j] = x[:, :, ii:ii + self.pool_size, jj:jj + self.pool_size].max(axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        batch, ch, out_w, out_h = dLdy.shape
        dLdx = np.zeros(x.shape)
        for n in range(batch):
            for c in range(ch):
                for i in range(out_w):
                    for j in range(out_h):
                        ii = i * self.stride
                        jj = j * self.stride
                        part = x[n, c, ii:ii + self.pool_size, jj:jj + self.pool_size]
                        pos = np.argwhere(part == np.max(part))[0]
                        dLdx[n, c, ii + pos[0], jj + pos[1]] += dLdy[n, c, i, j]
        return dLdx
