"""Says that it returned -1, a billion or no number of results that are held. Observed: no sense, or wrong."""

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


COUNTS = [-1, 10**9, True, "2", [1], 1e400]


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        question = found("question")
        if question["do"] == "call_and_hold":
            send({"result": COUNTS[x.size % len(COUNTS)]})
            time.sleep(0.01)
            os._exit(0)
        return x

    def backprop(self, x, dLdy):
        return x * 0
