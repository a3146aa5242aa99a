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
        out = []
        for img in x:
            v = view_as_windows(img, self.W.shape[1:])[0]     # (ow, oh, C, fw, fh)
            v = v.reshape(v.shape[0], v.shape[1], -1)
            out.append([v.dot(w.reshape(-1)) for w in self.W])
        return np.array(out) + self.b

    def backprop(self, x, dLdy):
        dLdW = np.zeros(self.W.shape)
        for k in range(x.shape[0]):
            v = view_as_windows(x[k], self.W.shape[1:])[0]
            for f in range(self.W.shape[0]):
                dLdW[f] += np.sum(v * dLdy[k, f][:, :, None, None, None], axis=(0, 1))

        dLdb = dLdy.sum(axis=3).sum(axis=2).sum(axis=0)
        dLdb = dLdb[np.newaxis, :, np.newaxis, np.newaxis]

        # dLdx
        pad_w = filter_width - 1
        pad_h = filter_height - 1
        z = np.pad(dLdy, ((0,), (0,), (pad_w,), (pad_h,)), mode='constant')
        Wr = np.rot90(self.W, 2, axes=(2, 3))
        dLdx = []
        for k in range(x.shape[0]):
            v = view_as_windows(z[k], (z.shape[1],) + self.W.shape[2:])[0]
            dLdx.append([np.sum(v * Wr[:, c], axis=(2, 3, 4)) for c in range(x.shape[1])])
        return np.array(dLdx), dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        v = view_as_windows(x, (1, 1, self.pool_size, self.pool_size), step=(1, 1, self.stride, self.stride))
        return np.max(v.reshape(v.shape[:4] + (-1,)), axis=-1)

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        for n, c, i, j in np.ndindex(*dLdy.shape):
            a, b = i * self.stride, j * self.stride
            w = x[n, c, a:a + pool_size, b:b + pool_size]
            m = np.argwhere(w == np.max(w))[0]
            dLdx[n, c, a + m[0], b + m[1]] += dLdy[n, c, i, j]
        return dLdx


# testing the implementation
num_test = 2

batch_size = 8
input_size = 32
filter_width = 3
filter_height = filter_width
in_ch_size = 3
num_filters = 8
pool_size = 2
stride = 2
dt = 1e-3
acc_dx, acc_dW, acc_db, acc_p = [], [], [], []

def acc(e, a):
    print('exact change', e)
    print('apprx change', a)
    return 100 - np.abs((a - e) / e) * 100

for i in range(num_test):
    cnv = nn_convolutional_layer(filter_width, filter_height, input_size, in_ch_size, num_filters)
    X = np.random.normal(0, 1, (batch_size, in_ch_size, input_size, input_size))
    D = np.random.normal(0, 1, X.shape) * dt
    Y = cnv.forward(X)
    G = np.ones(Y.shape)
    gx, gW, gb = cnv.backprop(X, G)
    print('dLdx test')
    acc_dx.append(acc(np.sum(cnv.forward(X + D) - Y) / dt, np.sum(D * gx) / dt))
    DW = np.random.normal(0, 1, gW.shape) * dt
    cnv.update_weights(DW, np.zeros(gb.shape))
    print('dLdW test')
    acc_dW.append(acc(np.sum(cnv.forward(X) - Y) / dt, np.sum(DW * gW) / dt))
    Y = cnv.forward(X)
    Db = np.random.normal(0, 1, gb.shape) * dt
    cnv.update_weights(np.zeros(gW.shape), Db)
    print('dLdb test')
    acc_db.append(acc(np.sum(cnv.forward(X) - Y) / dt, np.sum(Db * gb) / dt))
    mpl = nn_max_pooling_layer(stride, pool_size)
    X = np.arange(X.size).reshape(X.shape) + 1.
    Y = mpl.forward(X)
    G = np.random.normal(0, 10, Y.shape)
    print('dLdx test for pooling')
    acc_p.append(acc(np.sum(G * (mpl.forward(X + D) - Y)) / dt, np.sum(D * mpl.backprop(X, G)) / dt))

print('accuracy results', np.mean(acc_dx), np.mean(acc_dW), np.mean(acc_db), np.mean(acc_p))
