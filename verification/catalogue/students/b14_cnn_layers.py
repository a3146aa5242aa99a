import numpy as np
from skimage.util.shape import view_as_windows as vaw

class nn_convolutional_layer:
    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.filter_width, self.filter_height = filter_width, filter_height
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

    def conv(self, img, ker):
        # img (N,C,a,b), ker (M,C,p,q)  -> (N,M,a-p+1,b-q+1)
        win = vaw(img, (1,) + ker.shape[1:])
        N, _, a, b = win.shape[:4]
        return np.matmul(win.reshape(N, a * b, -1), ker.reshape(ker.shape[0], -1).T).transpose(0, 2, 1).reshape(N, -1, a, b)

    def forward(self, x):
        return self.conv(x, self.W) + self.b

    def backprop(self, x, dLdy):
        # pad the gradient so that the output has the size of x
        ph = self.filter_height - 1
        pw = self.filter_width - 1
        big = np.pad(dLdy, ((0, 0), (0, 0), (ph, ph), (pw, pw)), mode='constant')
        K = np.transpose(self.W, (1, 0, 2, 3))[:, :, ::-1, ::-1]
        dLdx = self.conv(big, K)

        xt = np.transpose(x, (1, 0, 2, 3))
        dt_ = np.transpose(dLdy, (1, 0, 2, 3))
        dLdW = self.conv(xt, dt_).reshape(self.W.shape)      # same shape as W
        dLdb = dLdy.sum(axis=(0, 2, 3)).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        n, ch, w, h = x.shape
        out_w = (w - self.pool_size) // self.stride + 1
        out_h = (h - self.pool_size) // self.stride + 1
        out = np.zeros((n, ch, out_w, out_h))
        for i in range(out_w):
            for j in range(out_h):
                x0 = i * self.stride
                y0 = j * self.stride
                out[:, :, i, j] = x[:, :, x0:x0 + self.pool_size, y0:y0 + self.pool_size].max(axis=3).max(axis=2)
        return out

    def backprop(self, x, dLdy):
        n, ch, out_w, out_h = dLdy.shape
        dLdx = np.zeros(x.shape)
        for b in range(n):
            for c in range(ch):
                for i in range(out_w):
                    for j in range(out_h):
                        x0 = i * self.stride
                        y0 = j * self.stride
                        area = x[b, c, x0:x0 + self.pool_size, y0:y0 + self.pool_size]
                        rows, cols = np.where(area == area.max())
                        dLdx[b, c, x0 + rows[0], y0 + cols[0]] += dLdy[b, c, i, j]
        return dLdx
