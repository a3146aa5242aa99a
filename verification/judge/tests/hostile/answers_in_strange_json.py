"""Answers with JSON of other kinds than the worker's. Observed: no sense, or not what forward should return."""

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
        results = [
            {"kind": "number", "value": {"a": [1]}},
            {"kind": "number", "value": "\x1b[2J<script>"},
            {"kind": "other", "type": "\x00" * 9, "text": 7},
            {"kind": "tuple", "items": "abc", "length": 1e400},
            {"kind": "tuple", "items": {}, "length": -5},
            {"kind": "array", "number": [1]},
            {"kind": []},
            [[]],
            "kind",
            7,
        ]
        at = x.size % len(results)
        send({"result": results[at]})
        os._exit(0)

    def backprop(self, x, dLdy):
        return x * 0
