"""MNIST, the real one: 70 000 handwritten digits with their labels, and pictures of them titled by label."""

from mnist.dataset import Dataset, DatasetError, load
from mnist.labeler import figure, titles

__all__ = ["Dataset", "DatasetError", "figure", "load", "titles"]
