"""Finds where a layer is wrong: the fewest conditions on sizes that tell the cases apart on which it is.

A condition is a Python expression over the sizes of a case. Conditions are claimed only if they hold without an
exception on the cases that suggested them, and on fresh ones.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from types import CodeType

import numpy as np
from numpy.typing import NDArray

from verification.case import Case
from verification.spec import LayerSpec
from verification.trial import Trial

Truth = NDArray[np.bool_]
Sizes = Mapping[str, int]

FEWEST = 4
"""Cases on either side; fewer are too easily told apart by chance."""

MOST, MOST_SIDES = 3, 6
"""Conditions that are joined by "and"; more only to say that no side is 1."""

SEEN = 2
"""Pairs of two sizes on either side of a comparison; with one, it says no more than what these two sizes are."""

NUMBERS = (0, 1, 2, 3, 4, 5, 8)


@dataclass(frozen=True)
class Where:
    """Where an array is right (or wrong): while all conditions hold; and it is wrong (or right) otherwise.

    sometimes    whether it is wrong for some values only, as what looks for the largest absolute value
    """

    conditions: tuple[str, ...]
    right: bool
    sometimes: bool = False

    def said(self, good: str, bad: str) -> str:
        """Say it: "right while filter_width is 3; wrong otherwise"; or, of some values only, "may be wrong"."""
        here = " and ".join(map(in_words, self.conditions))
        if self.sometimes:
            bad = f"may be {bad}" if bad == "wrong" else f"may {bad.removesuffix('s')}"
        return f"{good} while {here}; {bad} otherwise" if self.right else f"{bad} while {here}; {good} otherwise"

    def is_right_at(self, sizes: Sizes) -> bool:
        """Return whether a case of these sizes should be right."""
        return all(holds_at(sizes, condition) for condition in self.conditions) == self.right

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON has it."""
        said: dict[str, object] = {"right": self.right, "conditions": list(self.conditions)}
        return said | {"sometimes": True} if self.sometimes else said


def in_words(condition: str) -> str:
    """Return a condition as a sentence has it."""
    if condition.endswith(" % 2 == 1"):
        return condition.replace(" % 2 == 1", " is odd")
    for sign, words in ((" == ", " is "), (" <= ", " is at most "), (" < ", " is less than "), (" != ", " is not ")):
        left, found, other = condition.partition(sign)
        if found and NO_NAME.sub("", left).replace("_", "").isalnum() and " " not in left:
            return f"{left}{' equals ' if sign == ' == ' and not other.isdigit() else words}{other}"
    return condition


def separate(sizes: Sequence[Sizes], wrong: Sequence[bool]) -> Where | None:
    """Return the plainest conditions that tell the cases with these sizes apart on which something is wrong, if any."""
    fails = np.array(wrong, bool)
    if min(fails.sum(), (~fails).sum()) < FEWEST:
        return None
    return next(_separating(sizes, fails), None)


def _separating(sizes: Sequence[Sizes], fails: Truth) -> Iterator[Where]:
    """Yield what separates, the fewest and plainest conditions first."""
    columns = {text: np.array([holds_at(one, text) for one in sizes], bool) for text in _conditions(sizes)}
    wanted = {True: ~fails, False: fails}
    possible = {
        right: {text: column for text, column in columns.items() if column[there].all() and not column.all()}
        for right, there in wanted.items()
    }
    for count in range(1, MOST_SIDES + 1):
        found = []
        for right, holding in possible.items():
            texts = holding if count <= MOST else [text for text in holding if text.endswith(" != 1")]
            for chosen in combinations(texts, count):
                if (np.logical_and.reduce([holding[text] for text in chosen]) == wanted[right]).all():
                    found.append(Where(chosen, right))
        yield from sorted(found, key=lambda where: sum(map(_plainness, where.conditions)))


def _conditions(sizes: Sequence[Sizes]) -> list[str]:
    """Return the conditions that can be said of these sizes, the plainest first."""
    names = [name for name in sizes[0] if all(name in one for one in sizes)]
    seen = {name: {one[name] for one in sizes} for name in names}
    # Where 1 and one other size were seen, to be the other is "not 1": no more was seen.
    texts = [
        f"{name} == {number}" for name in names for number in NUMBERS
        if number in seen[name] and len(seen[name]) > 1 and seen[name] - {number} != {1}
    ]  # fmt: skip
    texts += [
        f"{name} <= {number}" for name in names for number in (1, 2, 3) if max(seen[name]) > number >= min(seen[name])
    ]
    kernels = [name for name in names if name.startswith(("filter_", "kernel_size", "pool_size"))]
    texts += [f"{name} % 2 == 1" for name in kernels if len({size % 2 for size in seen[name]}) > 1]
    texts += [f"{name} != 1" for name in names if 1 in seen[name] and len(seen[name]) > 1]
    for one, other in combinations(names, 2):
        pairs = [dict(zip((one, other), pair, strict=True)) for pair in {(size[one], size[other]) for size in sizes}]
        orders = [(sign, *pair) for sign in ("<", "<=") for pair in ((one, other), (other, one))]
        compared = [f"{one} == {other}", *(f"{smaller} {sign} {larger}" for sign, smaller, larger in orders)]
        texts += [text for text in compared if SEEN <= sum(holds_at(pair, text) for pair in pairs) <= len(pairs) - SEEN]
    if {"out_width", "out_height"} <= set(names):
        texts.append("out_width * out_height > 1")
    if {"stride", "pool_size", "width", "height"} <= set(names):
        texts += ["stride != pool_size", *(f"stride != {number}" for number in (1, 2))]
        rest = "({} - pool_size) % stride == 0".format
        texts += [rest("width"), rest("height")]
    return texts


def _plainness(condition: str) -> int:
    """Return how far a condition is from the plainest: of one size, and equality."""
    number = condition.rpartition(" ")[2].isdigit()
    return (0 if number else 2) + (0 if " == " in condition else 1) + 3 * ("%" in condition)


def holds_at(sizes: Sizes, condition: str) -> bool:
    """Return whether a condition holds."""
    names = {name: NO_NAME.sub("_", name) for name in sizes}
    for name, other in names.items():
        if name != other:  # as kernel_size[0]
            condition = condition.replace(name, other)
    return bool(eval(_compiled(condition), {"__builtins__": {}}, {names[name]: size for name, size in sizes.items()}))


NO_NAME = re.compile(r"\W")


@cache
def _compiled(condition: str) -> CodeType:
    return compile(condition, "condition", "eval")


def sizes_of(spec: LayerSpec, case: Case) -> Sizes:
    """Return the sizes of a case: sides of x and y, and whole numbers of the constructor, by the user's names."""
    x, y = case.arrays["x"], Trial(spec, case).y
    sizes = {"batch": len(x)} if x.ndim else {}
    if spec.sides:
        known = {name: length for name, of in spec.sides.items() if (length := of(case)) is not None}
        sizes |= known
        images = [name for name in known if name in ("width", "height")]
        if y.ndim == 4 and len(images) == 2:
            sizes |= {f"out_{name}": length for name, length in zip(images, y.shape[2:], strict=True)}
    else:
        sizes |= {f"x.shape[{axis}]": length for axis, length in enumerate(x.shape) if axis}
        sizes |= {f"y.shape[{axis}]": length for axis, length in enumerate(y.shape) if axis}
    for name, value in case.settings.items():
        if name in OTHER_NAMES:
            if OTHER_NAMES[name]:
                sizes[OTHER_NAMES[name]] = int(value)
        elif isinstance(value, int):
            sizes[name] = int(value)
        elif isinstance(value, tuple) and all(isinstance(part, int) for part in value):
            sizes |= (
                {name: value[0]} if name in spec.as_one else {f"{name}[{at}]": part for at, part in enumerate(value)}
            )
    return sizes


OTHER_NAMES = {"num_filters": "filters", "in_ch_size": "", "input_size": ""}
"""Settings that have another name among sizes; those of "" are said by the shape of x."""
