import numpy as np
from skimage.util.shape import view_as_windows

# 4차원 배열 두 개를 convolution 하는 함수
# x: (batch, ch, width, height),  w: (num_filter, ch, fw, fh)
def convolve4d(x, w):
    batch, ch = x.shape[0], x.shape[1]
    num_filter, _, fw, fh = w.shape
    out_w = x.shape[2] - fw + 1
    out_h = x.shape[3] - fh + 1
    v = view_as_windows(x, (1, ch, fw, fh)).reshape(batch * out_w * out_h, ch * fw * fh)
    y = v.dot(w.reshape(num_filter, -1).T)
    return y.reshape(batch, out_w, out_h, num_filter).transpose(0, 3, 1, 2)


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
        out = convolve4d(x, self.W) + self.b
        return out

    def backprop(self, x, dLdy):
        # dLdx: dLdy 에 zero padding 을 하고 필터를 뒤집어서 convolution
        dLdy_pad = np.pad(dLdy, ((0, 0), (0, 0), (2, 2), (2, 2)), mode='constant', constant_values=0)
        W_rot = np.flip(np.flip(self.W, axis=2), axis=3)
        dLdx = convolve4d(dLdy_pad, W_rot.transpose(1, 0, 2, 3))

        # dLdW: x 와 dLdy 를 convolution (batch 가 채널 역할)
        dLdW = convolve4d(x.transpose(1, 0, 2, 3), dLdy.transpose(1, 0, 2, 3))
        dLdW = dLdW.transpose(1, 0, 2, 3)

        # dLdb
        dLdb = np.sum(dLdy, axis=(0, 2, 3), keepdims=True)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        batch, ch, w, h = x.shape
        out_w = (w - self.pool_size) // self.stride + 1
        out_h = (h - self.pool_size) // self.stride + 1
        out = np.zeros((batch, ch, out_w, out_h))
        for i in range(out_w):
            for j in range(out_h):
                area = x[:, :, i * self.stride: i * self.stride + self.pool_size,
                         j * self.stride: j * self.stride + self.pool_size]
                out[:, :, i, j] = np.max(area, axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        batch, ch, out_w, out_h = dLdy.shape
        dLdx = np.zeros(x.shape)
        b_idx, c_idx = np.meshgrid(np.arange(batch), np.arange(ch), indexing='ij')
        for i in range(out_w):
            for j in range(out_h):
                # 최대값의 위치를 찾는다
                area = x[:, :, i * self.stride: i * self.stride + self.pool_size,
                         j * self.stride: j * self.stride + self.pool_size]
                k = area.reshape(batch, ch, -1).argmax(axis=2)
                dLdx[b_idx, c_idx, i * self.stride + k // self.pool_size, j * self.stride + k % self.pool_size] += dLdy[:, :, i, j]
        return dLdx
