"""Writes, removes and renames files that are not its own. Observed in the sandbox: none is touched."""

import os
import shutil
from pathlib import Path

outside = Path("/nonexistent/outside")
if True:  # a loop of its own would be left out
    for folder in (outside, Path("/usr"), Path("/etc"), Path(os.__file__).parent, Path("/dev"), Path("/")):
        try:
            (folder / "layerproof-hostile").write_text("here")
            print("got: a file in", folder)
            (folder / "layerproof-hostile").unlink()
        except OSError:
            continue
shutil.rmtree(outside, ignore_errors=True)
print("tried")


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        return x * 0

    def backprop(self, x, dLdy):
        return x * 0
