import numpy as np

class nn_convolutional_layer:
    # argument names of last year's skeleton
    def __init__(self, f_height, f_width, input_size, in_ch_size, out_ch_size, std=1e0):
        self.W = np.random.normal(0, std / np.sqrt(in_ch_size * f_height * f_width / 2),
                                  (out_ch_size, in_ch_size, f_height, f_width))
        self.b = 0.01 + np.zeros((1, out_ch_size, 1, 1))
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
        N, C, H, W_ = x.shape
        F, _, fh, fw = self.W.shape
        oh = H - fh + 1
        ow = W_ - fw + 1
        out = np.zeros((N, F, oh, ow))
        Wmat = self.W.reshape(F, C * fh * fw)
        for i in range(oh):
            for j in range(ow):
                field = x[:, :, i:i+fh, j:j+fw].reshape(N, -1)
                out[:, :, i, j] = np.matmul(field, Wmat.T)
        out = out + self.b
        return out

    def backprop(self, x, dLdy):
        N, C, H, W_ = x.shape
        F, _, fh, fw = self.W.shape
        m = N
        dLdx = np.zeros((N, C, H, W_))
        dW = np.zeros((F, C * fh * fw))
        Wmat = self.W.reshape(F, C * fh * fw)
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                d = dLdy[:, :, i, j]                      # N, F
                field = x[:, :, i:i+fh, j:j+fw].reshape(N, -1)
                dW += np.matmul(d.T, field)
                dLdx[:, :, i:i+fh, j:j+fw] += np.matmul(d, Wmat).reshape(N, C, fh, fw)
        # average over the samples like in HW3
        dLdW = dW.reshape(self.W.shape) / m
        dLdb = np.sum(dLdy, axis=(0, 2, 3), keepdims=True)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def out_size(self, n):
        k = 0
        while k * self.stride + self.pool_size <= n:
            k += 1
        return k

    def forward(self, x):
        oh, ow = self.out_size(x.shape[2]), self.out_size(x.shape[3])
        out = np.zeros((x.shape[0], x.shape[1], oh, ow))
        for i in range(oh):
            for j in range(ow):
                t, l = i * self.stride, j * self.stride
                out[:, :, i, j] = np.amax(x[:, :, t:t+self.pool_size, l:l+self.pool_size], axis=(2, 3))
        return out

    def backprop(self, x, dLdy):
        dLdx = np.zeros(x.shape)
        N, C = x.shape[:2]
        nn, cc = np.meshgrid(np.arange(N), np.arange(C), indexing='ij')
        for i in range(dLdy.shape[2]):
            for j in range(dLdy.shape[3]):
                t, l = i * self.stride, j * self.stride
                flat = x[:, :, t:t+self.pool_size, l:l+self.pool_size].reshape(N, C, -1)
                k = np.argmax(flat, axis=2)
                dLdx[nn, cc, t + k // self.pool_size, l + k % self.pool_size] += dLdy[:, :, i, j]
        return dLdx
