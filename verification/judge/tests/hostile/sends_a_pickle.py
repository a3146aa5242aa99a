"""Sends, with the right nonce, an array of objects that runs a command when unpickled. Observed: refused; nothing ran."""

import io
import json
import os
import sys
import time

import numpy as np


def found(name, depth=1):
    frame = sys._getframe(depth)
    while frame:
        if name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    raise LookupError(name)


def send(answer, *frames):
    """Answer the question being asked in the worker's place, and end."""
    question = found("question")
    header = {"nonce": question["nonce"], "arrays": len(frames), **answer}
    parts = [len(part).to_bytes(8, "big") + part for part in (json.dumps(header).encode(), *frames)]
    message = b"".join(parts)
    message = len(message).to_bytes(8, "big") + message
    while message:
        message = message[os.write(found("answers"), message) :]


class Command:
    def __reduce__(self):
        return os.mkdir, ("/nonexistent/outside/pickled",)


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        file = io.BytesIO()
        np.save(file, np.array([Command()], dtype=object), allow_pickle=True)
        send({"result": {"kind": "array", "number": -1}}, file.getvalue())
        time.sleep(30)

    def backprop(self, x, dLdy):
        return x * 0
