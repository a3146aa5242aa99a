# HW4  -- loops version, slow but I understand it
import numpy as np

DEBUG = True

class nn_convolutional_layer:

    def __init__(self, filter_width, filter_height, input_size, in_ch_size, num_filters, std=1e0):
        self.fw = filter_width
        self.fh = filter_height
        self.W = np.random.normal(0, std/np.sqrt(in_ch_size*filter_width*filter_height/2),
                                  (num_filters, in_ch_size, filter_width, filter_height))
        self.b = 0.01+np.zeros((1, num_filters, 1, 1))
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
        if DEBUG:
            print('x in forward', x.shape)
        bs, ch, w, h = x.shape
        nf = self.W.shape[0]
        ow = w-self.fw+1
        oh = h-self.fh+1
        out = np.zeros((bs, nf, ow, oh))
        for k in range(nf):
            for r in range(ow):
                for s in range(oh):
                    patch = x[:, :, r:r+self.fw, s:s+self.fh]
                    out[:, k, r, s] = np.sum(patch*self.W[k], axis=(1, 2, 3))+self.b[0, k, 0, 0]
        if DEBUG:
            print('out in forward', out.shape)
        return out

    def backprop(self, x, dLdy):
        bs, nf, ow, oh = dLdy.shape
        dLdx = np.zeros(x.shape)
        dLdW = np.zeros(self.W.shape)
        dLdb = np.zeros(self.b.shape)
        for k in range(nf):
            dLdb[0, k, 0, 0] = np.sum(dLdy[:, k])
            for r in range(ow):
                for s in range(oh):
                    g = dLdy[:, k, r, s].reshape(bs, 1, 1, 1)
                    dLdx[:, :, r:r+self.fw, s:s+self.fh] += g*self.W[k]
                    dLdW[k] += np.sum(g*x[:, :, r:r+self.fw, s:s+self.fh], axis=0)
        return dLdx, dLdW, dLdb


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        self.stride = stride
        self.pool_size = pool_size

    def forward(self, x):
        bs, ch, w, h = x.shape
        ow = int((w-self.pool_size)/self.stride)+1
        oh = int((h-self.pool_size)/self.stride)+1
        out = np.zeros((bs, ch, ow, oh))
        for r in range(ow):
            for s in range(oh):
                a = r*self.stride
                c = s*self.stride
                out[:, :, r, s] = np.max(x[:, :, a:a+self.pool_size, c:c+self.pool_size], axis=(2, 3))
        if DEBUG:
            print('pool', x.shape, '->', out.shape)
        return out

    def backprop(self, x, dLdy):
        bs, ch, ow, oh = dLdy.shape
        dLdx = np.zeros(x.shape)
        for n in range(bs):
            for k in range(ch):
                for r in range(ow):
                    for s in range(oh):
                        a = r*self.stride
                        c = s*self.stride
                        win = x[n, k, a:a+self.pool_size, c:c+self.pool_size]
                        p, q = np.unravel_index(np.argmax(win), win.shape)
                        dLdx[n, k, a+p, c+q] += dLdy[n, k, r, s]
        return dLdx
