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

    # 2차원 convolution (채널 하나, 이미지 하나)
    def conv2d(self, img, k):
        v = view_as_windows(img, k.shape)
        return v.reshape(v.shape[0], v.shape[1], -1).dot(k.reshape(-1))

    def forward(self, x):
        N, C, Wi, Hi = x.shape
        F, _, fw, fh = self.W.shape
        out = np.zeros((N, F, Wi - fw + 1, Hi - fh + 1))
        for n in range(N):
            for f in range(F):
                for c in range(C):
                    out[n, f] += self.conv2d(x[n, c], self.W[f, c]) + self.b[0, f, 0, 0]
        return out

    def backprop(self, x, dLdy):
        N, C, Wi, Hi = x.shape
        F, _, fw, fh = self.W.shape
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        pad = fw - 1
        for n in range(N):
            for f in range(F):
                g = dLdy[n, f]
                dLdb[0, f, 0, 0] += np.sum(g)
                gp = np.pad(g, pad, mode='constant')
                for c in range(C):
                    dLdW[f, c] += self.conv2d(x[n, c], np.ascontiguousarray(g))
                    # 필터를 180도 회전
                    dLdx[n, c] += self.conv2d(gp, np.rot90(self.W[f, c], 2))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return v.max(axis=(-1, -2))[:, :, :, :, 0, 0]

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        N, C, ow, oh = dLdy.shape
        p = self.pool_size
        for n in range(N):
            for c in range(C):
                for i in range(ow):
                    for j in range(oh):
                        a, b = i * self.stride, j * self.stride
                        win = x[n, c, a:a + p, b:b + p]
                        mask = (win == np.max(win))
                        # 최대값이 여러 개이면 나누어 가진다
                        dLdx[n, c, a:a + p, b:b + p] = mask * dLdy[n, c, i, j] / np.sum(mask)
        return dLdx
