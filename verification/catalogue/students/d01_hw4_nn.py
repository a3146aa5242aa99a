import numpy as np

# Homework 4 - everything with for loops because I want to understand it


class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
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

    # Q1
    def forward(self, x):
        batch, ch, in_w, in_h = x.shape
        nf, ch, fw, fh = self.W.shape
        out_w = in_w - fw + 1
        out_h = in_h - fh + 1
        out = np.zeros((batch, nf, out_w, out_h))
        for n in range(batch):
            for f in range(nf):
                for p in range(out_w):
                    for q in range(out_h):
                        s = 0.0
                        for c in range(ch):
                            for i in range(fw):
                                for j in range(fh):
                                    s = s + x[n, c, p + i, q + j] * self.W[f, c, i, j]
                        out[n, f, p, q] = s + self.b[0, f, 0, 0]
        return out

    # Q2
    def backprop(self, x, dLdy):
        batch, ch, in_w, in_h = x.shape
        nf, ch, fw, fh = self.W.shape
        out_w = in_w - fw + 1
        out_h = in_h - fh + 1
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        for n in range(batch):
            for f in range(nf):
                for p in range(out_w):
                    for q in range(out_h):
                        g = dLdy[n, f, p, q]
                        for c in range(ch):
                            for i in range(fw):
                                for j in range(fh):
                                    dLdx[n, c, p + i, q + j] += g * self.W[f, c, i, j]
                                    dLdW[f, c, i, j] += g * x[n, c, p + i, q + j]
                # bias goes to every output of the filter
                dLdb[0, f, 0, 0] = np.sum(dLdy[n, f])
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    # Q3
    def forward(self, x):
        batch, ch, in_w, in_h = x.shape
        out_w = (in_w - self.pool_size) // self.stride + 1
        out_h = (in_h - self.pool_size) // self.stride + 1
        out = np.zeros((batch, ch, out_w, out_h))
        for n in range(batch):
            for c in range(ch):
                for p in range(out_w):
                    for q in range(out_h):
                        r = p * self.stride
                        k = q * self.stride
                        out[n, c, p, q] = np.max(x[n, c, r:r + self.pool_size, k:k + self.pool_size])
        return out

    # Q4
    def backprop(self, x, dLdy):
        batch, ch, in_w, in_h = x.shape
        dLdx = np.zeros(x.shape)
        for n in range(batch):
            for c in range(ch):
                for r in range(0, in_w - self.pool_size, self.stride):
                    for k in range(0, in_h - self.pool_size, self.stride):
                        best_r = r
                        best_k = k
                        for i in range(self.pool_size):
                            for j in range(self.pool_size):
                                if x[n, c, r + i, k + j] > x[n, c, best_r, best_k]:
                                    best_r = r + i
                                    best_k = k + j
                        dLdx[n, c, best_r, best_k] += dLdy[n, c, r // self.stride, k // self.stride]
        return dLdx


# small check, the real one takes forever with my loops
if __name__ == "__main__":
    c = nn_convolutional_layer(3, 3, 6, 2, 2)
    x = np.random.randn(2, 2, 6, 6)
    dt = 1e-3
    d = np.random.randn(2, 2, 6, 6) * dt
    print('exact', np.sum(c.forward(x + d) - c.forward(x)) / dt)
    dLdx, dLdW, dLdb = c.backprop(x, np.ones((2, 2, 4, 4)))
    print('apprx', np.sum(dLdx * d) / dt)
