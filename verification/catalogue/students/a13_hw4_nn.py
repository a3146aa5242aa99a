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
        x_batch_size = x.shape[0]
        x_out_width = x.shape[2] - self.filter_width + 1
        x_out_height = x.shape[3] - self.filter_height + 1
        y = view_as_windows(x, (1, self.in_ch_size, self.filter_width, self.filter_height))
        y = y.reshape((x_batch_size, x_out_width, x_out_height, -1))
        Wt = self.W.reshape((self.num_filters, -1))
        result = y.dot(Wt.T)
        result = np.swapaxes(np.swapaxes(result, 2, 3), 1, 2)
        result = result + self.b
        return result

    def backprop(self, x, dLdy):
        batch_size = x.shape[0]

        # padding dLdy
        pad_x, pad_y = self.filter_width - 1, self.filter_height - 1
        dLdy_p = np.pad(dLdy, ((0, 0), (0, 0), (pad_x, pad_x), (pad_y, pad_y)), 'constant', constant_values=0)
        W_flip = np.flip(self.W, (2, 3))

        # view: (batch, 1, w, h, 1, num_filters, fw, fh)
        dv = view_as_windows(dLdy_p, (1, self.num_filters, self.filter_width, self.filter_height))
        dv = dv.reshape((batch_size, 1, x.shape[2], x.shape[3], -1))
        Wv = W_flip.transpose(1, 0, 2, 3).reshape((self.in_ch_size, -1))
        dLdx = dv.dot(Wv.T)                         # batch,1,w,h,ch
        dLdx = np.squeeze(np.moveaxis(dLdx, 4, 1))  # batch,ch,w,h

        # dLdW
        dLdW = np.zeros(self.W.shape)
        for i in range(batch_size):
            xv = view_as_windows(x[i], (1, dLdy.shape[2], dLdy.shape[3]))
            xv = xv.reshape((self.in_ch_size, self.filter_width, self.filter_height, -1))
            dLdW += np.rollaxis(xv.dot(dLdy[i].reshape(self.num_filters, -1).T), 3)

        # dLdb
        dLdb = np.sum(dLdy, axis=(0, 2, 3))
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        y = view_as_windows(x, (1, 1, 2, 2), step=(1, 1, self.stride, self.stride))
        y = y.reshape(y.shape[0], y.shape[1], y.shape[2], y.shape[3], -1)
        return np.max(y, axis=4)

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for b in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for w in range(dLdy.shape[2]):
                    for h in range(dLdy.shape[3]):
                        w0 = w * self.stride
                        h0 = h * self.stride
                        sub = x[b, c, w0:w0 + self.pool_size, h0:h0 + self.pool_size]
                        m = np.zeros(self.pool_size ** 2)
                        m[np.argmax(sub)] = dLdy[b, c, w, h]
                        dLdx[b, c, w0:w0 + self.pool_size, h0:h0 + self.pool_size] += m.reshape(self.pool_size, self.pool_size)
        return dLdx
