import numpy as np

# ---------------------------------------------------------------
# im2col / col2im, as in the book "Deep Learning from Scratch",
# but with separate filter width and height
# ---------------------------------------------------------------
def im2col(data, fw, fh, stride=1):
    N, C, W, H = data.shape
    ow = (W - fw) // stride + 1
    oh = (H - fh) // stride + 1
    col = np.zeros((N, C, fw, fh, ow, oh))
    for a in range(fw):
        a_max = a + stride * ow
        for b in range(fh):
            b_max = b + stride * oh
            col[:, :, a, b] = data[:, :, a:a_max:stride, b:b_max:stride]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(N * ow * oh, -1)


def col2im(col, shape, fw, fh, stride=1):
    N, C, W, H = shape
    ow = (W - fw) // stride + 1
    oh = (H - fh) // stride + 1
    col = col.reshape(N, ow, oh, C, fw, fh).transpose(0, 3, 4, 5, 1, 2)
    img = np.zeros((N, C, W + stride - 1, H + stride - 1))
    for a in range(fw):
        a_max = a + stride * ow
        for b in range(fh):
            b_max = b + stride * oh
            img[:, :, a:a_max:stride, b:b_max:stride] += col[:, :, a, b]
    return img[:, :, :W, :H]


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
        FN, C, fw, fh = self.W.shape
        N, _, W, H = x.shape
        col = im2col(x, fw, fh)
        out = np.dot(col, self.W.reshape(FN, -1).T) + self.b.reshape(1, FN)
        return out.reshape(N, W - fw + 1, H - fh + 1, FN).transpose(0, 3, 1, 2)

    def backprop(self, x, dLdy):
        FN, C, fw, fh = self.W.shape
        dout = dLdy.transpose(0, 2, 3, 1).reshape(-1, FN)
        dLdb = dout.sum(axis=0).reshape(1, FN, 1, 1)
        dLdW = np.dot(dout.T, im2col(x, fw, fh)).reshape(FN, C, fw, fh)
        dLdx = col2im(np.dot(dout, self.W.reshape(FN, -1)), x.shape, fw, fh)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def _cols(self, x):
        p = self.pool_size
        return im2col(x, p, p, self.stride).reshape(-1, x.shape[1], p * p)

    def forward(self, x):
        N, C, W, H = x.shape
        ow = (W - self.pool_size) // self.stride + 1
        oh = (H - self.pool_size) // self.stride + 1
        return self._cols(x).max(axis=2).reshape(N, ow, oh, C).transpose(0, 3, 1, 2)

    def backprop(self, x, dLdy):
        C = x.shape[1]
        col = self._cols(x)
        mask = (col == col.max(axis=2, keepdims=True)).astype(float)
        mask /= mask.sum(axis=2, keepdims=True)         # equal share for ties
        g = dLdy.transpose(0, 2, 3, 1).reshape(-1, C, 1)
        return col2im(mask * g, x.shape, self.pool_size, self.pool_size, self.stride)
