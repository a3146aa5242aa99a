"""Whole numbers that the source of a layer names: what happens only there is looked for there, and just beside them."""

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from verification.case import Case, pick, whole
from verification.spec import LayerSpec

LEAST, LARGEST = 4, 2**31
"""Smaller numbers are drawn anyway; above the largest, sums of products would no longer be exact."""

MANY = 12
"""So many numbers of a source at most."""

NUMBER = re.compile(r"(?<![\w.])(\d[\d_]*(?:\.\d*)?(?:[eE][+]?\d+)?)(?![\w.])")


@lru_cache(maxsize=256)
def named_by(make: Callable[..., Any], largest: int = LARGEST) -> tuple[int, ...]:
    """Return the whole numbers from 4 to the largest in the source of what makes a layer: () if there is none."""
    found = (float(number.replace("_", "")) for number in NUMBER.findall(_source(make)))
    wanted = [int(number) for number in found if LEAST <= number <= largest and number == int(number)]
    return tuple(dict.fromkeys(wanted))[:MANY]


def _source(make: Callable[..., Any]) -> str:
    """Return the source of a class with its bases, or of a function; a file that nobody trusts is not imported."""
    text = getattr(make, "source", None)
    if isinstance(text, str):
        return text
    make = getattr(make, "original", make)
    kinds = [kind for kind in inspect.getmro(make) if kind is not object] if inspect.isclass(make) else [make]
    return "\n".join(map(_source_of, kinds))


@lru_cache(maxsize=256)
def _source_of(kind: Callable[..., Any]) -> str:
    """Return the source of a class or function, "" if there is none: Python parses a whole file to find a class."""
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return ""


def with_named_values(spec: LayerSpec) -> LayerSpec:
    """Return the spec with such a number, or one beside or beyond it, in x now and then; of an exact layer only."""
    named = named_by(spec.make)
    if spec.rtol or not named:
        return spec
    return replace(spec, cases=_with_values(spec.cases, named))


@lru_cache(maxsize=32)  # one object: what was drawn from it is kept
def _with_values(cases: SearchStrategy[Case], named: tuple[int, ...]) -> SearchStrategy[Case]:
    return cases.map(lambda case: _with_value(case, named))


def _with_value(case: Case, named: tuple[int, ...]) -> Case:
    """Return the case; one in four with about half of the entries of x replaced by these numbers and those beside."""
    x = case.arrays["x"]
    if case.seed <= 2 or pick("named", case.seed, range(4)):
        return case
    beside = np.array([sign * value for n in named for value in (n - 1, n, n + 1, 2 * n) for sign in (1, -1)], float)
    chosen = beside[(whole("named", case.seed, x.shape).astype(int) + 128) % len(beside)]
    replaced = whole("named or not", case.seed, x.shape) >= 0
    return replace(case, arrays={**case.arrays, "x": np.where(replaced, chosen, x)})
