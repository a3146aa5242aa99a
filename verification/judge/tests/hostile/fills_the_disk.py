"""Writes 5 files of 64 MB to its folder and to shared memory. Observed: no more fits in than is given, none is left."""

import os
from pathlib import Path

if True:  # a loop of its own would be left out
    for folder in (Path.cwd(), Path("/dev/shm")):
        written = 0
        for number in range(5):
            try:
                with open(folder / f"layerproof-hostile-{number}", "wb", 0) as file:
                    for _ in range(64):
                        written += file.write(bytes(1 << 20))
            except OSError as error:
                print("refused", error)
        print("got: 128 MB or more in", folder) if written >> 20 >= 128 else print("tried", folder, written >> 20)
        if folder != Path.cwd():
            for number in range(5):
                if (folder / f"layerproof-hostile-{number}").exists():
                    os.remove(folder / f"layerproof-hostile-{number}")
print("tried")


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x * 0

    def backprop(self, x, dLdy):
        return x * 0
