import numpy as np

# --------------------------------------------------
# convolution
# --------------------------------------------------
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
        num_filters, _, fw, fh = self.W.shape
        out_w = x.shape[2] - fw + 1
        out_h = x.shape[3] - fh + 1
        out = np.zeros((x.shape[0], num_filters, out_w, out_h))
        for i in range(out_w):
            for j in range(out_h):
                area = x[:, np.newaxis, :, i:i + fw, j:j + fh]          # (N,1,C,fw,fh)
                out[:, :, i, j] = (area * self.W).sum(axis=(2, 3, 4))
        out += self.b
        return out

    def backprop(self, x, dLdy):
        num_filters, _, fw, fh = self.W.shape
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                g = dLdy[:, :, i, j]                                    # (N,F)
                area = x[:, :, i:i + fw, j:j + fh]
                dLdW += (g[:, :, None, None, None] * area[:, None]).sum(axis=0)
                dLdx[:, :, i:i + fw, j:j + fh] += (g[:, :, None, None, None] * self.W).sum(axis=1)
        dLdb = dLdy.sum(axis=(0, 2, 3)).reshape(1, num_filters, 1, 1)
        return dLdx, dLdW, dLdb

# --------------------------------------------------
# max pooling
# --------------------------------------------------
class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        out_w = (x.shape[2] - self.pool_size) // self.stride + 1
        out_h = (x.shape[3] - self.pool_size) // self.stride + 1
        out = np.zeros((x.shape[0], x.shape[1], out_w, out_h))
        for i in range(out_w):
            for j in range(out_h):
                out[:, :, i, j] = x[:, :, i * self.stride:i * self.stride + self.pool_size,
                                    j * self.stride:j * self.stride + self.pool_size].max(axis=3).max(axis=2)
        return out

    def backprop(self, x, dLdy):
        N, C, out_h, out_w = dLdy.shape
        dLdx = np.zeros(x.shape)
        for n in range(N):
            for c in range(C):
                for i in range(out_w):
                    for j in range(out_h):
                        a, b = i * self.stride, j * self.stride
                        area = x[n, c, a:a + self.pool_size, b:b + self.pool_size]
                        p, q = np.unravel_index(area.argmax(), area.shape)
                        dLdx[n, c, a + p, b + q] += dLdy[n, c, i, j]
        return dLdx
