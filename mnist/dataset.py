"""Loads MNIST, or a data set of the same form, whole or not at all."""

import hashlib
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist.idx import DatasetError, read

__all__ = ["Dataset", "DatasetError", "load"]

DATA = Path(__file__).parent / "data"

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the content of each file after its header and with it, uncompressed: the same in every copy."""


class Dataset(NamedTuple):
    """X_train (n, 1, h, w) and X_test are images of unsigned bytes, 0 black to 255 white; y_* (n,) labels."""

    X_train: NDArray[np.uint8]
    y_train: NDArray[np.uint8]
    X_test: NDArray[np.uint8]
    y_test: NDArray[np.uint8]


def load(directory: str | PathLike[str] | None = None) -> Dataset:
    """Return MNIST, X_train (60000, 1, 28, 28), y_train (60000,), X_test (10000, 1, 28, 28), y_test (10000,).

    Without a directory the files that come with this package are read and their content is verified
    by SHA-256. A directory may hold any data set in the same four files (Fashion-MNIST, say),
    compressed (.gz) or not; nothing is verified but that they are whole and belong together.
    The arrays are the caller's own. DatasetError names the file that is missing, truncated,
    corrupt or of the wrong size.
    """
    folder = DATA if directory is None else Path(directory)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: there is no such directory; it should hold the four files of a data set")
    arrays = []
    for name, sha256 in SHA256.items():
        path = _find(folder, name)
        array = read(path, 3 if "images" in name else 1)
        if directory is None and _sha256(array) != sha256:
            raise DatasetError(
                f"{path}: corrupt: its content is not that of MNIST (its SHA-256 should be {sha256});"
                " install this package again"
            )
        arrays.append(array)
    x_train, y_train, x_test, y_test = arrays
    for images, labels, split in ((x_train, y_train, "train"), (x_test, y_test, "t10k")):
        if len(images) != len(labels):
            raise DatasetError(
                f"{_find(folder, f'{split}-labels-idx1-ubyte')}: wrong size: {len(labels)} labels,"
                f" but {_find(folder, f'{split}-images-idx3-ubyte').name} has {len(images)} images"
            )
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DatasetError(
            f"{_find(folder, 't10k-images-idx3-ubyte')}: wrong size: its images are {x_test.shape[1:]},"
            f" but those of the training set are {x_train.shape[1:]}"
        )
    return Dataset(x_train[:, np.newaxis], y_train, x_test[:, np.newaxis], y_test)


def _find(folder: Path, name: str) -> Path:
    """Return the file of this name, as it is or compressed; some copies have dots for the first dash of "-idx"."""
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz"):
        if (folder / candidate).exists():
            return folder / candidate
    present = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise DatasetError(f"{folder / name}: missing (compressed, as {name}.gz, it would do too); there is {present}")


def _sha256(array: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the uncompressed file that holds this array."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4) for side in array.shape)
    digest = hashlib.sha256(header)
    digest.update(array.data)
    return digest.hexdigest()
