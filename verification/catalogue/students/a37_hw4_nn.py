import numpy as np

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
        batch, ch, width, height = x.shape
        num, _, fw, fh = self.W.shape
        y = np.zeros((batch, num, width - fw + 1, height - fh + 1))
        y = y + self.b
        for n in range(batch):
            for k in range(num):
                for i in range(width - fw):
                    for j in range(height - fh + 1):
                        y[n, k, i, j] += np.sum(x[n, :, i:i + fw, j:j + fh] * self.W[k])
        return y

    def backprop(self, x, dLdy):
        # 시간이 부족해서 완성하지 못했습니다
        raise NotImplementedError


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        batch, ch, width, height = x.shape
        ow = int((width - self.pool_size) / self.stride) + 1
        oh = int((height - self.pool_size) / self.stride) + 1
        y = np.zeros((batch, ch, ow, oh))
        for n in range(batch):
            for c in range(ch):
                for i in range(ow):
                    for j in range(oh):
                        y[n, c, i, j] = np.max(x[n, c, i * self.stride:i * self.stride + self.pool_size,
                                                 j * self.stride:j * self.stride + self.pool_size])
        return y

    def backprop(self, x, dLdy):
        batch, ch, ow, oh = dLdy.shape
        dLdx = np.zeros(x.shape)
        for n in range(batch):
            for c in range(ch):
                for i in range(ow):
                    for j in range(oh):
                        part = x[n, c, i * self.stride:i * self.stride + self.pool_size,
                                 j * self.stride:j * self.stride + self.pool_size]
                        r, s = np.unravel_index(np.argmax(part), part.shape)
                        # 최대값의 미분은 1, 나머지는 0
                        dLdx[n, c, i * self.stride + r, j * self.stride + s] = 1
        return dLdx
