import numpy as np
from skimage.util.shape import view_as_windows

# 구조는 밑바닥부터 시작하는 딥러닝 7장 참고

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.x = None
        self.col = None

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        FN, C, FW, FH = self.W.shape
        N, C, w, h = x.shape
        OW, OH = w - FW + 1, h - FH + 1
        self.x = x
        self.col = view_as_windows(x, (1, C, FW, FH)).reshape(N * OW * OH, C * FW * FH)
        out = self.col @ self.W.reshape(FN, -1).T
        return out.reshape(N, OW, OH, FN).transpose(0, 3, 1, 2) + self.b

    def backprop(self, dLdy):
        FN, C, FW, FH = self.W.shape
        N, _, OW, OH = dLdy.shape
        dout = dLdy.transpose(0, 2, 3, 1).reshape(-1, FN)
        dLdW = (dout.T @ self.col).reshape(FN, C, FW, FH)
        dLdb = dout.sum(axis=0).reshape(1, FN, 1, 1)
        dcol = (dout @ self.W.reshape(FN, -1)).reshape(N, OW, OH, C, FW, FH).transpose(0, 3, 4, 5, 1, 2)
        dLdx = np.zeros(self.x.shape)
        for i in range(FW):
            for j in range(FH):
                dLdx[:, :, i:i + OW, j:j + OH] += dcol[:, :, i, j]
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size
        self.arg_max = None

    def forward(self, x):
        p = self.pool_size
        col = view_as_windows(x, (1, 1, p, p), step=(1, 1, 2, 2))
        N, C, OW, OH = col.shape[0:4]
        col = col.reshape(N, C, OW, OH, p * p)
        self.arg_max = np.argmax(col, axis=4)
        return np.max(col, axis=4)

    def backprop(self, x, dLdy):
        p = self.pool_size
        dLdx = np.zeros(x.shape)
        N, C, OW, OH = dLdy.shape
        for n in range(N):
            for c in range(C):
                for i in range(OW):
                    for j in range(OH):
                        k = self.arg_max[n, c, i, j]
                        dLdx[n, c, 2 * i + k // p, 2 * j + k % p] += dLdy[n, c, i, j]
        return dLdx
