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

    def forward(self, x):
        filters, channels, fw, fh = self.W.shape
        batch, _, w, h = x.shape
        unrolled = view_as_windows(x, (1, channels, fw, fh)).reshape(batch, -1, channels * fw * fh)
        y = np.array([unrolled[n].dot(self.W.reshape(filters, -1).T).T for n in range(batch)])
        return y.reshape(batch, filters, w - fw + 1, h - fh + 1) + self.b

    def backprop(self, x, dLdy):
        filters, channels, fw, fh = self.W.shape
        batch, _, w, h = x.shape
        ow, oh = w - fw + 1, h - fh + 1

        # dL/dW
        unrolled = view_as_windows(x, (1, channels, fw, fh)).reshape(batch, -1, channels * fw * fh)
        dLdW = sum(dLdy[n].reshape(filters, -1).dot(unrolled[n]) for n in range(batch)).reshape(self.W.shape)

        # dL/dx
        frame = np.zeros((batch, filters, w + fw - 1, h + fh - 1))
        frame[:, :, fw - 1:w, fh - 1:h] = dLdy
        unrolled = view_as_windows(frame, (1, filters, fw, fh)).reshape(batch, -1, filters * fw * fh)
        kernel = self.W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3).reshape(channels, -1)
        dLdx = np.array([kernel.dot(unrolled[n].T) for n in range(batch)]).reshape(x.shape)

        # dL/db
        dLdb = dLdy[0]
        for n in range(1, batch):
            dLdb += dLdy[n]
        dLdb = dLdb.sum(axis=(1, 2)).reshape(self.b.shape)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        shape = (1, 1, self.pool_size, self.pool_size)
        step = (1, 1, self.stride, self.stride)
        return view_as_windows(x, shape, step).max(axis=(4, 5, 6, 7))

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        flat_dLdx = dLdx.reshape(-1)
        # numbers of all pixels, in the same windows as x
        number = np.arange(x.size).reshape(x.shape)
        shape = (1, 1, self.pool_size, self.pool_size)
        step = (1, 1, self.stride, self.stride)
        xw = view_as_windows(x, shape, step).reshape(dLdy.size, -1)
        nw = view_as_windows(number, shape, step).reshape(dLdy.size, -1)
        target = nw[np.arange(dLdy.size), xw.argmax(axis=1)]
        np.add.at(flat_dLdx, target, dLdy.reshape(-1))
        return dLdx
