"""The data set itself, known labels at known places, and every way in which a file may be wrong."""

import gzip
import shutil

import numpy as np
import pytest

from mnist import DatasetError, load
from mnist.dataset import DATA, SHA256


@pytest.fixture(scope="module")
def mnist():
    return load()


def test_shapes(mnist):
    assert [array.shape for array in mnist] == [(60000, 1, 28, 28), (60000,), (10000, 1, 28, 28), (10000,)]
    assert {array.dtype for array in mnist} == {np.dtype(np.uint8)}


def test_known_labels_at_known_indices(mnist):
    assert mnist.y_train[:20].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5, 3, 6, 1, 7, 2, 8, 6, 9]
    assert mnist.y_test[:20].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1, 5, 9, 7, 3, 4]
    assert (mnist.y_train[59999], mnist.y_test[9999]) == (8, 6)


def test_class_counts(mnist):
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist.y_train).tolist() == train
    assert np.bincount(mnist.y_test).tolist() == test


def test_images_are_what_their_labels_say(mnist):
    """A linear classifier fitted to 5000 pairs knows most of 1000 others: images and labels are in step."""
    x, y = mnist.X_train[:5000].reshape(5000, -1) / 255, mnist.y_train[:5000]
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(784), x.T @ np.eye(10)[y])
    guesses = (mnist.X_test[:1000].reshape(1000, -1) @ weights).argmax(axis=1)
    assert (guesses == mnist.y_test[:1000]).mean() > 0.75


def test_the_arrays_are_the_callers_own(mnist):
    again = load()
    again.X_train[0] = 0
    again.y_test[0] = 0
    assert mnist.X_train[0].any()
    assert mnist.y_test[0] == 7


SMALL = {
    "train-images-idx3-ubyte": np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4),
    "train-labels-idx1-ubyte": np.array([7, 8, 9], np.uint8),
    "t10k-images-idx3-ubyte": np.zeros((1, 2, 4), np.uint8),
    "t10k-labels-idx1-ubyte": np.array([4], np.uint8),
}
LABELS = "train-labels-idx1-ubyte"


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4) for side in array.shape) + array.tobytes()


@pytest.fixture
def small(tmp_path):
    for name, array in SMALL.items():
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_another_directory_works_the_same(small, compressed, dotted):
    for file in list(small.iterdir()):
        name = file.name.replace("-idx", ".idx") if dotted else file.name
        content = file.read_bytes()
        file.unlink()
        (small / f"{name}.gz" if compressed else small / name).write_bytes(
            gzip.compress(content) if compressed else content
        )
    dataset = load(str(small))
    assert dataset.X_train.shape == (3, 1, 2, 4)
    assert dataset.X_train[:, 0].tolist() == SMALL["train-images-idx3-ubyte"].tolist()
    assert dataset.y_train.tolist() == [7, 8, 9]
    assert dataset.X_test.shape == (1, 1, 2, 4)


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        (LABELS, None, "missing"),
        (LABELS, lambda content: b"", "truncated: 0 bytes, but the header alone has 8"),
        (LABELS, lambda content: content[:6], "truncated: 6 bytes"),
        (LABELS, lambda content: content[:-1], "truncated: its header says 3 = 3 bytes of data, but it holds 2"),
        (LABELS, lambda content: content + b"\0", "too long: its header says 3 = 3 bytes"),
        (LABELS, lambda content: b"\x89PNG" + content[4:], "not an IDX file of unsigned bytes in 1 dimensions"),
        (LABELS, lambda content: gzip.compress(content)[:-9], "truncated: the compressed data ends too early"),
        (LABELS, lambda content: gzip.compress(content)[:-8] + b"\1" * 8, "corrupt: CRC check failed"),
        (LABELS, lambda content: gzip.compress(content)[:10] + b"\xff" * 20, "corrupt"),
        (LABELS, lambda content: idx(np.zeros(2, np.uint8)), "wrong size: 2 labels, but train-images-idx3-ubyte has 3"),
        ("t10k-images-idx3-ubyte", lambda content: idx(np.zeros((1, 4, 2), np.uint8)), "wrong size: its images are (4, 2)"),
        ("train-images-idx3-ubyte", lambda content: b"\0\0\x08\3" + b"\xff" * 12, "truncated: its header says 4294967295"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_named(small, name, damage, said):
    content = (small / name).read_bytes()
    (small / name).unlink()
    if damage:
        (small / name).write_bytes(damage(content))
    with pytest.raises(DatasetError) as raised:
        load(small)
    assert str(raised.value).startswith(f"{small / name}: {said}")


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match="no such directory"):
        load(tmp_path / "nowhere")


def test_a_file_that_cannot_be_read_is_named(small):
    (small / LABELS).unlink()
    (small / LABELS).mkdir()
    with pytest.raises(DatasetError, match=f"{LABELS}: cannot be read"):
        load(small)


def test_the_packages_own_files_are_verified(tmp_path, monkeypatch):
    for name in SHA256:
        shutil.copy(DATA / f"{name}.gz", tmp_path)
    content = bytearray(gzip.decompress((tmp_path / f"{LABELS}.gz").read_bytes()))
    content[-1] ^= 1
    (tmp_path / f"{LABELS}.gz").write_bytes(gzip.compress(content, 1))
    monkeypatch.setattr("mnist.dataset.DATA", tmp_path)
    with pytest.raises(DatasetError, match=rf"{LABELS}\.gz: corrupt: its content is not that of MNIST"):
        load()
    assert load(tmp_path).y_train[-1] == 9  # as a directory of the user's own it is taken as it is
