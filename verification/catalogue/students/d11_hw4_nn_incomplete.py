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
        F, C, fw, fh = self.W.shape
        ow, oh = x.shape[2] - fw + 1, x.shape[3] - fh + 1
        out = np.zeros((x.shape[0], F, ow, oh))
        # shift the whole image instead of the filter
        for i in range(fw):
            for j in range(fh):
                out += np.einsum('ncpq,fc->nfpq', x[:, :, i:i + ow, j:j + oh], self.W[:, :, i, j])
        out = out + self.b[0, 0, 0, 0]
        return out

    def backprop(self, x, dLdy):
        F, C, fw, fh = self.W.shape
        ow, oh = dLdy.shape[2], dLdy.shape[3]
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        # gradients of W add up over the batch, so sum first -> much faster!
        x_sum = x.sum(axis=0)
        dy_sum = dLdy.sum(axis=0)
        for i in range(fw):
            for j in range(fh):
                dLdx[:, :, i:i + ow, j:j + oh] += np.einsum('nfpq,fc->ncpq', dLdy, self.W[:, :, i, j])
                dLdW[:, :, i, j] = np.einsum('fpq,cpq->fc', dy_sum, x_sum[:, i:i + ow, j:j + oh])
        dLdb = dy_sum.sum(axis=(1, 2)).reshape(1, F, 1, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        s, k = self.stride, self.pool_size
        ow = (x.shape[2] - k) // s + 1
        oh = (x.shape[3] - k) // s + 1
        out = np.full((x.shape[0], x.shape[1], ow, oh), np.finfo(x.dtype).min)   # smaller than anything
        for i in range(k):
            for j in range(k):
                out = np.maximum(out, x[:, :, i:i + s * (ow - 1) + 1:s, j:j + s * (oh - 1) + 1:s])
        return out

    def backprop(self, x, dLdy):
        # TODO: same trick with the shifts? need where the max came from
        pass


dt = 1e-3
cnv = nn_convolutional_layer(3, 3, 8, 3, 4)
x = np.random.normal(0, 1, (5, 3, 8, 8))
delta = np.random.normal(0, 1, x.shape) * dt
dLdx, dLdW, dLdb = cnv.backprop(x, np.ones((5, 4, 6, 6)))
print('conv dLdx', np.sum(cnv.forward(x + delta) - cnv.forward(x)) / dt, np.sum(delta * dLdx) / dt)

mpl = nn_max_pooling_layer(stride=2, pool_size=2)
y1 = mpl.forward(x)
dLdx = mpl.backprop(x, np.ones(y1.shape))
print('pool dLdx', np.sum(mpl.forward(x + delta) - y1) / dt, np.sum(delta * dLdx) / dt)
