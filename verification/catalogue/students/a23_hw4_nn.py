import numpy as np
from skimage.util.shape import view_as_windows

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size
        self.filter_width = filter_width
        self.filter_height = filter_height
        self.num_filters = num_filters
        self.in_ch_size = in_ch_size

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        # out(n,f,i,j) = sum x * W
        windowed = view_as_windows(x, (1, self.in_ch_size, self.filter_width, self.filter_height))
        n, _, ow, oh = windowed.shape[:4]
        matrix = windowed.reshape((n * ow * oh, self.in_ch_size * self.filter_width * self.filter_height))
        filters = self.W.reshape((self.num_filters, -1))
        out = np.inner(matrix, filters)
        out = out.reshape((n, ow, oh, self.num_filters))
        out = np.transpose(out, axes=[0, 3, 1, 2])
        return out

    def backprop(self, x, dLdy):
        n, _, ow, oh = dLdy.shape
        windowed = view_as_windows(x, (1, self.in_ch_size, self.filter_width, self.filter_height))
        matrix = windowed.reshape((n * ow * oh, self.in_ch_size * self.filter_width * self.filter_height))
        g = np.transpose(dLdy, axes=[0, 2, 3, 1]).reshape((n * ow * oh, self.num_filters))

        dLdW = np.matmul(g.T, matrix).reshape(self.W.shape)
        dLdb = np.sum(g, axis=0).reshape(self.b.shape)

        # gradient for the matrix, then every entry goes back to its pixel
        dmatrix = np.matmul(g, self.W.reshape((self.num_filters, -1)))
        dmatrix = dmatrix.reshape((n, ow, oh, self.in_ch_size, self.filter_width, self.filter_height))
        dLdx = np.zeros(x.shape)
        for i in range(ow):
            for j in range(oh):
                dLdx[:, :, i:i + self.filter_width, j:j + self.filter_height] += dmatrix[:, i, j]
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        windowed = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        shape = windowed.shape[:4]
        return np.max(windowed.reshape(shape + (-1,)), axis=-1)

    def backprop(self, x, dLdy):
        windowed = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        shape = windowed.shape[:4]
        index = np.argmax(windowed.reshape(shape + (-1,)), axis=-1)
        dLdx = np.zeros(x.shape)
        for n in range(shape[0]):
            for c in range(shape[1]):
                for i in range(shape[2]):
                    for j in range(shape[3]):
                        row = i * self.stride + index[n, c, i, j] // self.pool_size
                        col = j * self.stride + index[n, c, i, j] % self.pool_size
                        dLdx[n, c, row, col] += dLdy[n, c, i, j]
        return dLdx
