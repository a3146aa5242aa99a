"""What is packed is read, what is no message is not, and the steps are those that are documented."""

import io
import re

import numpy as np
import pytest

from verification.judge.child import protocol
from verification.judge.child.worker import Worker

ARRAYS = (
    np.arange(6.0).reshape(2, 3),
    np.array(True),
    np.zeros((0, 3), np.int8),
    np.arange(12, dtype=np.complex64).reshape(3, 4).T,
)


def read(data, limit=1000):
    stream = io.BytesIO(data)
    return protocol.read(lambda count: bytearray(stream.read(count)), limit)


def test_what_is_packed_is_read():
    header, arrays = read(protocol.pack({"do": "call", "with": [1, "forward"]}, ARRAYS))
    assert header == {"do": "call", "with": [1, "forward"], "arrays": len(ARRAYS)}
    for got, sent in zip(arrays, ARRAYS, strict=True):
        assert (got.dtype, got.shape) == (sent.dtype, sent.shape)
        assert np.array_equal(got, sent)


MESSAGE = protocol.pack({}, [np.zeros(3)])


@pytest.mark.parametrize(
    ("data", "limit", "said"),
    [
        (MESSAGE, -protocol.HEADER, "a frame of"),
        (MESSAGE.replace(b'"arrays": 1', b'"arrays": -'), 1000, "Expecting value"),
        (MESSAGE.replace(b'"arrays": 1', b'"others": 1'), 1000, "no header"),
        (MESSAGE.replace(b'"arrays": 1', b'"arrays": 2'), 1000, "no .npy array|a frame of"),
        (protocol.pack({}, [np.zeros(0)] * (protocol.ARRAYS + 1)), 10**6, "too many arrays"),
        (MESSAGE.replace(b"<f8", b"|O8"), 1000, "no .npy array of numbers"),
        (MESSAGE.replace(b"(3,)", b"(4,)"), 1000, "an array of shape"),
    ],
)
def test_what_is_no_message_is_refused(data, limit, said):
    with pytest.raises(protocol.FrameError, match=said):
        read(data, limit)


def test_every_step_is_documented():
    assert protocol.__doc__
    table = protocol.__doc__.partition("The steps:")[2].partition("To add one")[0]
    documented = re.findall(r"^ {4}(\w+) ", table, flags=re.MULTILINE)
    assert sorted(documented) == sorted(name.removeprefix("do_") for name in vars(Worker) if name.startswith("do_"))
