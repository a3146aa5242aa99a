"""The two layers of the assignment: the names of their classes, their specs and their accuracy tests."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from verification.assignment.accuracy import TESTS, Accuracy, convolution_accuracy, max_pooling_accuracy
from verification.case import Case
from verification.checking import check, check_at
from verification.report import Report
from verification.spec import LayerSpec
from verification.specs import convolution, max_pooling
from verification.specs.convolution import case as convolution_case
from verification.specs.max_pooling import case as max_pooling_case


@dataclass(frozen=True)
class Kind:
    """One of the two layers.

    option     what says that the class has another name
    classes    the names that the class has in published files
    spec       the spec of a class
    case       the case of a shape of x (n, c, w, h), with values by a seed
    accuracy   runs the accuracy tests of these names
    """

    option: str
    classes: tuple[str, ...]
    spec: Callable[[Callable[..., Any]], LayerSpec]
    case: Callable[[tuple[int, ...], int], Case]
    accuracy: Callable[[Callable[..., Any], int], tuple[Accuracy, ...]]
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.spec.__name__

    def check(
        self, make: Callable[..., Any], examples: int, seed: int, strict: bool, shape: tuple[int, ...] | None,
        progress: Callable[[str], None], seconds: float,
    ) -> Report:  # fmt: skip
        """Check a class by all properties; or, of a shape of x (n, c, w, h), one case exactly."""
        spec = self.spec(make)
        if shape:
            progress(f"one case of shape {shape}")
            return check_at(spec, self.case(shape, seed))
        return check(spec, examples=examples, seed=seed, strict=strict, progress=progress, seconds=seconds)

    def named(self, name: str) -> "Kind":
        """Return the layer with a class of another name."""
        return replace(self, classes=(name,))


def _convolution_case(shape: tuple[int, ...], seed: int) -> Case:
    n, c, w, h = shape
    kw, kh = min(3, w), min(3, h)
    return convolution_case(n, c, c, kw, kh, w - kw, h - kh, seed + 2)


def _max_pooling_case(shape: tuple[int, ...], seed: int) -> Case:
    n, c, w, h = shape
    pool = min(2, w, h)
    return max_pooling_case(n, c, pool, pool, w - pool, h - pool, 0, seed + 2)


KINDS = (
    Kind(
        "--conv", ("nn_convolutional_layer",),
        convolution, _convolution_case, convolution_accuracy, tuple(TESTS)[:3],
    ),
    Kind(
        "--pool", ("nn_max_pooling_layer", "nn_maxpool_layer"),
        max_pooling, _max_pooling_case, max_pooling_accuracy, tuple(TESTS)[3:],
    ),
)  # fmt: skip
