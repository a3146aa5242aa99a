import numpy as np

# my layers keep what they need from forward, so backprop gets only the upstream gradient
# (same as in the lecture slides)

def im2col(x, fh, fw):
    N, C, H, W = x.shape
    oh, ow = H - fh + 1, W - fw + 1
    cols = np.empty((N, C, fh, fw, oh, ow), dtype=x.dtype)
    for i in range(fh):
        for j in range(fw):
            cols[:, :, i, j] = x[:, :, i:i + oh, j:j + ow]
    return cols.transpose(0, 4, 5, 1, 2, 3).reshape(N * oh * ow, -1)


def col2im(cols, x_shape, fh, fw):
    N, C, H, W = x_shape
    oh, ow = H - fh + 1, W - fw + 1
    cols = cols.reshape(N, oh, ow, C, fh, fw).transpose(0, 3, 4, 5, 1, 2)
    x = np.zeros(x_shape)
    for i in range(fh):
        for j in range(fw):
            x[:, :, i:i + oh, j:j + ow] += cols[:, :, i, j]
    return x


class nn_convolutional_layer:
    def __init__(self, f_height, f_width, in_ch_size, out_ch_size, std=1.0):
        self.f_height, self.f_width = f_height, f_width
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * f_height * f_width / 2),
                                  (out_ch_size, in_ch_size, f_height, f_width))
        self.b = np.full((1, out_ch_size, 1, 1), 0.01)

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        N, C, H, W = x.shape
        self.x_shape = x.shape
        self.cols = im2col(x, self.f_height, self.f_width)
        y = self.cols @ self.W.reshape(len(self.W), -1).T
        y = y.reshape(N, H - self.f_height + 1, W - self.f_width + 1, -1)
        return y.transpose(0, 3, 1, 2) + self.b

    def backprop(self, dLdy):
        F = len(self.W)
        g = dLdy.transpose(0, 2, 3, 1).reshape(-1, F)
        dLdW = (g.T @ self.cols).reshape(self.W.shape)
        dLdb = g.sum(axis=0).reshape(self.b.shape)
        dLdx = col2im(g @ self.W.reshape(F, -1), self.x_shape, self.f_height, self.f_width)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride, self.pool_size = stride, pool_size

    def forward(self, x):
        s, p = self.stride, self.pool_size
        N, C, H, W = x.shape
        oh, ow = (H - p) // s + 1, (W - p) // s + 1
        self.x_shape = x.shape
        parts = []
        for i in range(p):
            for j in range(p):
                parts.append(x[:, :, i:i + s * (oh - 1) + 1:s, j:j + s * (ow - 1) + 1:s])
        parts = np.stack(parts)
        self.arg = parts.argmax(axis=0)
        return parts.max(axis=0)

    def backprop(self, dLdy):
        s, p = self.stride, self.pool_size
        dLdx = np.zeros(self.x_shape)
        oh, ow = dLdy.shape[2:]
        for k in range(p * p):
            i, j = divmod(k, p)
            dLdx[:, :, i:i + s * (oh - 1) + 1:s, j:j + s * (ow - 1) + 1:s] += dLdy * (self.arg == k)
        return dLdx
