import numpy as np
import scipy.signal as sg


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
        w = x.shape[2] - self.W.shape[2] + 1
        h = x.shape[3] - self.W.shape[3] + 1
        y = np.zeros((x.shape[0], self.W.shape[0], w, h))
        for n in range(x.shape[0]):
            for f in range(self.W.shape[0]):
                for c in range(self.W.shape[1]):
                    y[n, f] += sg.correlate(x[n, c], self.W[f, c], mode='valid', method='direct')
        return y + self.b

    def backprop(self, x, dLdy):
        # dLdW : convolution of x and dLdy
        dLdW = np.zeros(self.W.shape)
        for f in range(self.W.shape[0]):
            for c in range(self.W.shape[1]):
                for n in range(x.shape[0]):
                    dLdW[f, c] += sg.convolve(x[n, c], dLdy[n, f], mode='valid', method='direct')

        # dLdx : rotate W by 180
        for f in range(self.W.shape[0]):
            for c in range(self.W.shape[1]):
                self.W[f, c] = np.rot90(self.W[f, c], 2)
        fw, fh = self.W.shape[2:]
        z = np.pad(dLdy, ((0, 0), (0, 0), (fw - 1, fw - 1), (fh - 1, fh - 1)), 'constant')
        dLdx = np.zeros(x.shape)
        for n in range(x.shape[0]):
            for f in range(self.W.shape[0]):
                for c in range(self.W.shape[1]):
                    dLdx[n, c] += sg.correlate(z[n, f], self.W[f, c], mode='valid', method='direct')

        dLdb = np.sum(dLdy, axis=(0, 2, 3), keepdims=True)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        p, s = self.pool_size, self.stride
        w = (x.shape[2] - p) // s + 1
        h = (x.shape[3] - p) // s + 1
        return np.array([[[[np.max(ch[i*s:i*s+p, j*s:j*s+p]) for j in range(h)] for i in range(w)]
                          for ch in img] for img in x])

    def backprop(self, x, dLdy):
        p, s = self.pool_size, self.stride
        dLdx = np.zeros(x.shape)
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                win = x[:, :, i*s:i*s+p, j*s:j*s+p]
                mask = win == win.max(axis=(2, 3), keepdims=True)
                dLdx[:, :, i*s:i*s+p, j*s:j*s+p] += mask * dLdy[:, :, i:i+1, j:j+1]
        return dLdx


num_test = 2
dt = 1e-3
for i in range(num_test):
    cnv = nn_convolutional_layer(3, 3, 32, 3, 8, 1)
    x = np.random.normal(0, 1, (8, 3, 32, 32))
    delta = np.random.normal(0, 1, (8, 3, 32, 32)) * dt
    y1 = cnv.forward(x)
    y2 = cnv.forward(x + delta)
    dx, _, _ = cnv.backprop(x, np.ones(y1.shape))
    print('dLdx test')
    print('exact change', np.sum(y2 - y1) / dt)
    print('apprx change', np.sum(delta * dx) / dt)

    _, gW, gb = cnv.backprop(x, np.ones(y1.shape))
    y1 = cnv.forward(x)
    dW = np.random.normal(0, 1, gW.shape) * dt
    cnv.update_weights(dW, np.zeros(gb.shape))
    y2 = cnv.forward(x)
    print('dLdW test')
    print('exact change', np.sum(y2 - y1) / dt)
    print('apprx change', np.sum(dW * gW) / dt)

    mpl = nn_max_pooling_layer(stride=2, pool_size=2)
    x = np.arange(8 * 3 * 32 * 32).reshape(8, 3, 32, 32) + 1
    y1 = mpl.forward(x)
    g = np.random.normal(0, 10, y1.shape)
    print('pooling', np.sum(g * (mpl.forward(x + delta) - y1)) / dt, np.sum(delta * mpl.backprop(x, g)) / dt)
