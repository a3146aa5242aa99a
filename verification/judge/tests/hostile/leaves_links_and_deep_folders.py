"""Leaves links that lead out, folders 1500 deep and a folder closed to all. Observed: gone, what they lead to not."""

import os

os.makedirs("closed/inside")
os.chmod("closed", 0)
os.symlink("/nonexistent/outside", "link")
os.symlink("loop", "loop")
if True:  # a loop of its own would be left out
    for _ in range(1500):
        os.mkdir("deep")
        os.chdir("deep")
print("tried")


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x * 0

    def backprop(self, x, dLdy):
        return x * 0
