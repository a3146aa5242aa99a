# -*- coding: utf-8 -*-
# 과제 4 : convolution, max pooling 구현
import numpy as np


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # 가중치 초기화
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

    # 정방향 계산. 반복문으로 그대로 구현하였다. (느리지만 이해하기 쉽다)
    def forward(self, x):
        n_batch, n_ch, width, height = x.shape
        n_filter, _, fw, fh = self.W.shape
        y = np.zeros((n_batch, n_filter, width - fw + 1, height - fh + 1))
        for n in range(n_batch):
            for f in range(n_filter):
                for i in range(width - fw + 1):
                    for j in range(height - fh + 1):
                        s = 0.0
                        for c in range(n_ch):
                            s += (x[n, c, i:i + fw, j:j + fh] * self.W[f, c]).sum()
                        y[n, f, i, j] = s + self.b[0, f, 0, 0]
        return y

    # 역전파
    def backprop(self, x, dLdy):
        n_filter, n_ch, fw, fh = self.W.shape
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        for n in range(dLdy.shape[0]):
            for f in range(n_filter):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        g = dLdy[n, f, i, j]
                        # y[n,f,i,j] 를 만드는 데 쓰인 x 와 W 에 기울기를 나눠 준다
                        dLdx[n, :, i:i + fw, j:j + fh] += g * self.W[f]
                        dLdW[f] += g * x[n, :, i:i + fw, j:j + fh]
                        dLdb[0, f, 0, 0] += g
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    # 창 안에서 가장 큰 값과 그 위치를 찾는다. 같은 값이면 나중 것
    def find_max(self, x, n, c, top, left):
        best = x[n, c, top, left]
        where = (top, left)
        for i in range(top, top + self.pool_size):
            for j in range(left, left + self.pool_size):
                if x[n, c, i, j] >= best:
                    best = x[n, c, i, j]
                    where = (i, j)
        return best, where

    def forward(self, x):
        n_batch, n_ch, width, height = x.shape
        ow = (width - self.pool_size) // self.stride + 1
        oh = (height - self.pool_size) // self.stride + 1
        y = np.zeros((n_batch, n_ch, ow, oh))
        for n in range(n_batch):
            for c in range(n_ch):
                for i in range(ow):
                    for j in range(oh):
                        y[n, c, i, j], _ = self.find_max(x, n, c, i * self.stride, j * self.stride)
        return y

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for n in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        _, (r, s) = self.find_max(x, n, c, i * self.stride, j * self.stride)
                        dLdx[n, c, r, s] += dLdy[n, c, i, j]
        return dLdx
