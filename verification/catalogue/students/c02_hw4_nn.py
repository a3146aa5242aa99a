# -*- coding: utf-8 -*-
# 20161234 김OO
import numpy as np


class nn_convolutional_layer:

    def __init__(self, f_height, f_width, input_size, in_ch_size, out_ch_size):
        # Xavier init
        self.W = np.random.normal(0, 1 / np.sqrt(in_ch_size * f_height * f_width / 2),
                                  size=(out_ch_size, in_ch_size, f_height, f_width))
        self.b = 0.01 + np.zeros((1, out_ch_size, 1, 1))

        self.f_height = f_height
        self.f_width = f_width
        self.in_ch = in_ch_size
        self.out_ch = out_ch_size

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    # 필터의 한 칸씩 x를 밀어가면서 더한다 (창을 만들 필요가 없음)
    def forward(self, x):
        N, C, H, Wd = x.shape
        oh = H - self.f_height + 1
        ow = Wd - self.f_width + 1
        y = np.zeros((N, self.out_ch, oh, ow))
        for r in range(self.f_height):
            for s in range(self.f_width):
                patch = x[:, :, r:r + oh, s:s + ow].reshape(N, C, -1)   # N C P
                y += (self.W[:, :, r, s] @ patch).reshape(N, self.out_ch, oh, ow)
        y += self.b
        return y

    def backprop(self, x, dLdy):
        N, C, H, Wd = x.shape
        F, oh, ow = dLdy.shape[1:]
        dLdx = np.zeros((N, C, H, Wd))
        dLdW = np.zeros((F, C, self.f_height, self.f_width))
        flat = dLdy.reshape(N, F, oh * ow)
        for r in range(self.f_height):
            for s in range(self.f_width):
                # y[p,q] 는 x[p+r,q+s] 를 W[r,s] 로 본다
                dLdx[:, :, r:r + oh, s:s + ow] += (self.W[:, :, r, s].T @ flat).reshape(N, C, oh, ow)
                for n in range(N):
                    dLdW[:, :, r, s] += flat[n] @ x[n, :, r:r + oh, s:s + ow].reshape(C, -1).T
        dLdb = flat.sum(axis=2).sum(axis=0).reshape(1, F, 1, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:

    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        N, C, H, Wd = x.shape
        oh = (H - self.pool_size) // self.stride + 1
        ow = (Wd - self.pool_size) // self.stride + 1
        y = np.zeros((N, C, oh, ow))
        for i in range(oh):
            top = i * self.stride
            for j in range(ow):
                left = j * self.stride
                y[:, :, i, j] = np.amax(x[:, :, top:top + self.pool_size, left:left + self.pool_size], axis=(2, 3))
        return y

    def backprop(self, x, dLdy):
        N, C, oh, ow = dLdy.shape
        dLdx = np.zeros(x.shape)
        for n in range(N):
            for c in range(C):
                for i in range(oh):
                    for j in range(ow):
                        t, l = i * self.stride, j * self.stride
                        win = x[n, c, t:t + self.pool_size, l:l + self.pool_size]
                        a, b = np.unravel_index(np.argmax(win), win.shape)
                        dLdx[n, c, t + a, l + b] += dLdy[n, c, i, j]
        return dLdx
