import numpy as np

# im2col idea from cs231n fast_layers / im2col.py (no padding, stride 1)


def get_im2col_indices(x_shape, field_w, field_h):
    N, C, W, H = x_shape
    out_w = W - field_w + 1
    out_h = H - field_h + 1

    i0 = np.repeat(np.arange(field_w), field_h)
    i0 = np.tile(i0, C)
    i1 = np.repeat(np.arange(out_w), out_h)
    j0 = np.tile(np.arange(field_h), field_w * C)
    j1 = np.tile(np.arange(out_h), out_w)
    i = i0.reshape(-1, 1) + i1.reshape(1, -1)
    j = j0.reshape(-1, 1) + j1.reshape(1, -1)
    k = np.repeat(np.arange(C), field_w * field_h).reshape(-1, 1)
    return k, i, j


def im2col(x, field_w, field_h):
    k, i, j = get_im2col_indices(x.shape, field_w, field_h)
    cols = x[:, k, i, j]
    C = x.shape[1]
    cols = cols.transpose(1, 2, 0).reshape(field_w * field_h * C, -1)
    return cols


def col2im(cols, x_shape, field_w, field_h):
    N, C, W, H = x_shape
    x = np.zeros((N, C, W, H), dtype=cols.dtype)
    k, i, j = get_im2col_indices(x_shape, field_w, field_h)
    cols_reshaped = cols.reshape(C * field_w * field_h, -1, N)
    cols_reshaped = cols_reshaped.transpose(2, 0, 1)
    x[:, k, i, j] += cols_reshaped
    return x


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

    def forward(self, x):
        N, C, W, H = x.shape
        F, _, fw, fh = self.W.shape
        out_w = W - fw + 1
        out_h = H - fh + 1
        x_cols = im2col(x, fw, fh)
        res = self.W.reshape(F, -1).dot(x_cols) + self.b.reshape(-1, 1)
        out = res.reshape(F, N, out_w, out_h)
        out = out.transpose(1, 0, 2, 3)
        return out

    def backprop(self, x, dLdy):
        F, _, fw, fh = self.W.shape
        x_cols = im2col(x, fw, fh)

        dLdb = np.sum(dLdy, axis=(0, 2, 3)).reshape(self.b.shape)

        dout_reshaped = dLdy.transpose(1, 2, 3, 0).reshape(F, -1)
        dLdW = dout_reshaped.dot(x_cols.T).reshape(self.W.shape)

        dx_cols = self.W.reshape(F, -1).T.dot(dout_reshaped)
        dLdx = col2im(dx_cols, x.shape, fw, fh)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    # the "fast" reshape version
    def forward(self, x):
        N, C, W, H = x.shape
        p = self.pool_size
        x_reshaped = x.reshape(N, C, W // p, p, H // p, p)
        out = x_reshaped.max(axis=3).max(axis=4)
        return out

    def backprop(self, x, dLdy):
        N, C, W, H = x.shape
        p = self.pool_size
        x_reshaped = x.reshape(N, C, W // p, p, H // p, p)
        out = x_reshaped.max(axis=3).max(axis=4)

        dx_reshaped = np.zeros(x_reshaped.shape)
        out_newaxis = out[:, :, :, np.newaxis, :, np.newaxis]
        mask = (x_reshaped == out_newaxis)
        dout_newaxis = dLdy[:, :, :, np.newaxis, :, np.newaxis]
        dout_broadcast, _ = np.broadcast_arrays(dout_newaxis, dx_reshaped)
        dx_reshaped[mask] = dout_broadcast[mask]
        dx_reshaped /= np.sum(mask, axis=(3, 5), keepdims=True)
        return dx_reshaped.reshape(x.shape)
