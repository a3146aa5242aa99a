import numpy as np
import matplotlib.pyplot as plt
from skimage.util.shape import view_as_windows


##########
#   convolutional layer
#   you can add any functions or class variables
##########

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        # initialization of weights
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * filter_width * filter_height / 2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01 + np.zeros((1, num_filters, 1, 1))
        self.input_size = input_size

        #######
        ## If necessary, you can define additional class variables here
        #######
        self.num_filters = num_filters
        self.in_ch = in_ch_size
        self.fw = filter_width
        self.fh = filter_height

    def update_weights(self, dW, db):
        self.W += dW
        self.b += db

    def get_weights(self):
        return self.W, self.b

    def set_weights(self, W, b):
        self.W = W
        self.b = b

    #######
    # Q1. Complete this method
    #######
    def forward(self, x):
        batch = x.shape[0]
        ow = x.shape[2] - self.fw + 1
        oh = x.shape[3] - self.fh + 1

        win = view_as_windows(x, (1, self.in_ch, self.fw, self.fh))
        win = win.reshape((batch, ow, oh, -1))
        w_col = self.W.reshape((self.num_filters, -1)).T
        out = win.dot(w_col)                    # (batch, ow, oh, filters)
        out = out.transpose(0, 3, 1, 2) + self.b
        return out

    #######
    # Q2. Complete this method
    #######
    def backprop(self, x, dLdy):
        batch, nf, ow, oh = dLdy.shape

        # dLdb : every output pixel has the same bias
        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(self.b.shape)

        # dLdW : convolve x with dLdy
        dLdW = np.zeros(self.W.shape)
        for c in range(self.in_ch):
            xw = view_as_windows(x[:, c], (batch, ow, oh))[0]     # fw, fh, batch, ow, oh
            xw = xw.reshape((self.fw, self.fh, -1))
            for f in range(self.num_filters):
                dLdW[f, c] = xw.dot(dLdy[:, f].reshape(-1))

        # dLdx : zero padding, then convolve with W
        pad_w = self.fw - 1
        pad_h = self.fh - 1
        dpad = np.pad(dLdy, ((0, 0), (0, 0), (pad_w, pad_w), (pad_h, pad_h)), 'constant')
        win = view_as_windows(dpad, (1, nf, self.fw, self.fh))
        win = win.reshape((batch, x.shape[2], x.shape[3], -1))
        w_back = self.W.transpose(1, 0, 2, 3).reshape((self.in_ch, -1)).T
        dLdx = win.dot(w_back).transpose(0, 3, 1, 2)

        return dLdx, dLdW, dLdb


##########
#   max pooling layer
##########

class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    #######
    # Q3. Complete this method
    #######
    def forward(self, x):
        p = self.pool_size
        win = view_as_windows(x, (1, 1, p, p), step=(1, 1, self.stride, self.stride))
        return win.max(axis=(4, 5, 6, 7))

    #######
    # Q4. Complete this method
    #######
    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        dLdx = np.zeros(x.shape)
        for n in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        w = x[n, c, i*s:i*s+p, j*s:j*s+p]
                        r, k = np.unravel_index(np.argmax(w), w.shape)
                        dLdx[n, c, i*s+r, j*s+k] += dLdy[n, c, i, j]
        return dLdx
