"""Sends arrays whose headers promise 2^64 entries, negative sides, and Python code. Observed: refused."""

import json
import os
import sys


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


class nn_max_pooling_layer:
    def __init__(self, stride, pool_size):
        pass

    def forward(self, x):
        for shape in (
            "(4294967296, 4294967296)",
            "(-1, -8)",
            "(0, 9223372036854775807, 8)",
            "(" * 400,
            "__import__('os')",
        ):
            text = "{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + ", }\n"
            frame = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
            send({"result": {"kind": "array", "number": -1}}, frame)
        os._exit(0)

    def backprop(self, x, dLdy):
        return x * 0
