import numpy as np

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2), (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.filter_width, self.filter_height = filter_width, filter_height
        self.in_ch_size, self.num_filters = in_ch_size, num_filters

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        batch_size, in_ch, in_w, in_h = x.shape
        out_w = in_w - self.filter_width + 1
        out_h = in_h - self.filter_height + 1
        out = np.zeros((batch_size, self.num_filters, out_w, out_h))
        for bt in range(batch_size):
            for fl in range(self.num_filters):
                for ch in range(in_ch):
                    tmp = np.zeros((out_w, out_h))
                    for i in range(out_w):
                        for j in range(out_h):
                            patch = x[bt, ch, i:i + self.filter_width, j:j + self.filter_height]
                            tmp[i, j] = np.sum(patch * self.W[fl, ch])
                    out[bt, fl] = tmp + self.b[0, fl, 0, 0]
        return out

    def backprop(self, x, dLdy):
        batch_size, in_ch, in_w, in_h = x.shape
        _, _, out_w, out_h = dLdy.shape
        dLdx = np.zeros((batch_size, in_ch, in_w, in_h))
        dLdW = np.zeros_like(self.W)
        dLdb = np.zeros_like(self.b)

        for bt in range(batch_size):
            for fl in range(self.num_filters):
                dLdb[0, fl, 0, 0] += dLdy[bt, fl].sum()
                for ch in range(in_ch):
                    # weight: slide dLdy over x
                    for p in range(self.filter_width):
                        for q in range(self.filter_height):
                            dLdW[fl, ch, p, q] = np.sum(x[bt, ch, p:p + out_w, q:q + out_h] * dLdy[bt, fl])
                    # input: put the filter back at every position
                    for i in range(out_w):
                        for j in range(out_h):
                            dLdx[bt, ch, i:i + self.filter_width, j:j + self.filter_height] += self.W[fl, ch] * dLdy[bt, fl, i, j]
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size
        self.argmax = {}

    def forward(self, x):
        N, C, w, h = x.shape
        ow = (w - self.pool_size) // self.stride + 1
        oh = (h - self.pool_size) // self.stride + 1
        out = np.zeros((N, C, ow, oh))
        self.argmax = {}
        for n in range(N):
            for c in range(C):
                for i in range(ow):
                    for j in range(oh):
                        si, sj = i * self.stride, j * self.stride
                        window = x[n, c, si:si + self.pool_size, sj:sj + self.pool_size]
                        k = int(window.argmax())
                        self.argmax[(n, c, i, j)] = (si + k // self.pool_size, sj + k % self.pool_size)
                        out[n, c, i, j] = window.max()
        return out

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        # positions of the maxima were remembered by forward
        for (n, c, i, j), (r, s) in self.argmax.items():
            dLdx[n, c, r, s] += dLdy[n, c, i, j]
        return dLdx
