import numpy as np
import pdb


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

    def im2col(self, x):
        batch_size, in_ch, in_w, in_h = x.shape
        fw, fh = self.W.shape[2], self.W.shape[3]
        col = []
        for b in range(batch_size):
            for i in range(in_w - fw + 1):
                for j in range(in_h - fh + 1):
                    col.append(x[b, :, i:i + fw, j:j + fh].flatten())
        return np.array(col)

    def col2im(self, col, shape):
        batch_size, in_ch, in_w, in_h = shape
        fw, fh = self.W.shape[2], self.W.shape[3]
        im = np.zeros(shape)
        row = 0
        for b in range(batch_size):
            for i in range(in_w - fw + 1):
                for j in range(in_h - fh + 1):
                    im[b, :, i:i + fw, j:j + fh] += col[row].reshape(in_ch, fw, fh)
                    row += 1
        return im

    def forward(self, x):
        out_w = x.shape[2] - self.W.shape[2] + 1
        out_h = x.shape[3] - self.W.shape[3] + 1
        col = self.im2col(x)
        col_W = self.W.reshape(self.W.shape[0], -1)
        y = np.matmul(col, col_W.T)
        y = y.reshape(x.shape[0], out_w, out_h, x.shape[0])
        #pdb.set_trace()
        y = y.transpose(0, 3, 1, 2)
        y = y + self.b
        return y

    def backprop(self, x, dLdy):
        num_filters = dLdy.shape[1]
        d = dLdy.transpose(0, 2, 3, 1).reshape(-1, num_filters)
        dLdW = np.matmul(d.T, self.im2col(x)).reshape(self.W.shape)
        dLdx = self.col2im(np.matmul(d, self.W.reshape(num_filters, -1)), x.shape)
        dLdb = d.sum(axis=0).reshape(1, num_filters, 1, 1)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        st = self.stride
        ps = self.pool_size
        out_w = x.shape[2] // ps
        out_h = x.shape[3] // ps
        out = np.zeros((x.shape[0], x.shape[1], out_w, out_h))
        for i in range(out_w):
            for j in range(out_h):
                out[:, :, i, j] = np.max(x[:, :, i*st:i*st+ps, j*st:j*st+ps], axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        st = self.stride
        ps = self.pool_size
        dLdx = np.zeros(x.shape)
        for b in range(dLdy.shape[0]):
            for c in range(dLdy.shape[1]):
                for i in range(dLdy.shape[2]):
                    for j in range(dLdy.shape[3]):
                        index = np.argmax(x[b, c, i*st:i*st+ps, j*st:j*st+ps])
                        row = index % ps
                        column = index // ps
                        dLdx[b, c, i*st + row, j*st + column] += dLdy[b, c, i, j]
        return dLdx


# testing the implementation
num_test = 2
accuracy_dLdx = accuracy_dLdW = accuracy_pool = 0
for i in range(num_test):
    dt = 1e-3
    cnv = nn_convolutional_layer(3, 3, 32, 3, 8, 1)
    x = np.random.normal(0, 1, (8, 3, 32, 32))
    delta = np.random.normal(0, 1, (8, 3, 32, 32)) * dt
    y1 = cnv.forward(x)
    bp, dLdW, dLdb = cnv.backprop(x, np.ones(y1.shape))
    exact = np.sum(cnv.forward(x + delta) - y1) / dt
    apprx = np.sum(delta * bp) / dt
    print('exact change', exact)
    print('apprx change', apprx)
    accuracy_dLdx += 100 - abs((apprx - exact) / exact) * 100

    dW = np.random.normal(0, 1, dLdW.shape) * dt
    cnv.update_weights(dW, np.zeros(dLdb.shape))
    exact = np.sum(cnv.forward(x) - y1) / dt
    apprx = np.sum(dW * dLdW) / dt
    accuracy_dLdW += 100 - abs((apprx - exact) / exact) * 100

    mpl = nn_max_pooling_layer(stride=2, pool_size=2)
    x = np.arange(8*3*32*32).reshape(8, 3, 32, 32) + 1
    y1 = mpl.forward(x)
    dLdy = np.random.normal(0, 10, y1.shape)
    bp = mpl.backprop(x, dLdy)
    exact = np.sum(dLdy * (mpl.forward(x + delta) - y1)) / dt
    apprx = np.sum(delta * bp) / dt
    accuracy_pool += 100 - abs((apprx - exact) / exact) * 100

print('accuracy results')
print(accuracy_dLdx / num_test, accuracy_dLdW / num_test, accuracy_pool / num_test)
