"""Titles for images by index, and a figure of the images under their titles."""

from collections.abc import Sequence
from operator import index as whole
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mnist.dataset import Dataset

SPLITS = ("train", "test")


def titles(dataset: "Dataset", indices: Sequence[int], split: str = "train") -> list[str]:
    """Return the label of each image as its title: "5" for training image 0 of MNIST.

    ValueError for an unknown split, IndexError for an index that the split does not have (negative
    ones included), TypeError for one that is not a whole number.
    """
    return [str(label) for label in _chosen(dataset, indices, split)[1]]


def figure(dataset: "Dataset", indices: Sequence[int], split: str = "train", figure: Any = None) -> "Figure":
    """Return a figure with one axes for each image, in gray, under its title; errors as for titles.

    A figure to draw in may be given, such as one of pyplot's; otherwise it is a new one without a window.
    """
    from matplotlib.figure import Figure

    images, labels = _chosen(dataset, indices, split)
    columns = min(max(len(labels), 1), 10)
    rows = -(-max(len(labels), 1) // columns)
    drawn: Figure = Figure() if figure is None else figure
    drawn.set_size_inches(1.8 * columns + 0.4, 2.4 * rows)
    drawn.set_layout_engine("constrained")
    for place, (image, title, at) in enumerate(zip(images, labels, indices, strict=True), start=1):
        axes = drawn.add_subplot(rows, columns, place)
        axes.imshow(np.squeeze(image, axis=0), cmap="gray", vmin=0, vmax=255)
        axes.set_title(str(title), fontsize=18)
        axes.set_xlabel(f"{split} {at}", fontsize=9, color="0.4")
        axes.set_xticks([])
        axes.set_yticks([])
    return drawn


def _chosen(dataset: "Dataset", indices: Sequence[int], split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the images and labels at the indices, or raise."""
    if split not in SPLITS:
        raise ValueError(f"split should be one of {', '.join(SPLITS)}, but it is {split!r}")
    images, labels = dataset[:2] if split == "train" else dataset[2:]
    for index in indices:
        try:
            within = 0 <= whole(index) < len(labels)
        except TypeError:
            raise TypeError(f"an index should be a whole number, but it is {index!r}") from None
        if not within:
            raise IndexError(f"index should be from 0 to {len(labels) - 1} in the {split} split, but it is {index}")
    chosen = [whole(index) for index in indices]
    return images[chosen], labels[chosen]
