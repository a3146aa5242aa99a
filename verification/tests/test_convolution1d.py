"""A layer whose parameters' shapes hang together, declared with ordinary strategies."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from verification import check

EXAMPLE = """\
import numpy as np
from hypothesis import strategies as st
from verification import LayerSpec, verify
from verification.strategies import cases, whole_arrays


class Convolution1d:
    def forward(self, x):
        windows = np.lib.stride_tricks.sliding_window_view(x, self.W.shape[2], axis=2)
        return np.einsum("ncpk,fck->nfp", windows, self.W) + self.b[:, np.newaxis]

    def backprop(self, x, dLdy):
        windows = np.lib.stride_tricks.sliding_window_view(x, self.W.shape[2], axis=2)
        dLdx = np.zeros(x.shape)
        for p in range(dLdy.shape[2]):
            dLdx[:, :, p : p + self.W.shape[2]] += np.einsum("nf,fck->nck", dLdy[:, :, p], self.W)
        return dLdx, np.einsum("ncpk,nfp->fck", windows, dLdy), dLdy.sum(axis=(0, 2))


@st.composite
def signals(draw):
    n, channels, filters, width, more = (draw(st.integers(1, 4)) for _ in range(5))
    x, W = whole_arrays((n, channels, width + more - 1)), whole_arrays((filters, channels, width))
    return draw(cases(x=x, W=W, b=whole_arrays((filters,))))


convolution1d = LayerSpec(
    name="convolution of signals",
    make=Convolution1d,
    cases=signals(),
    reference=lambda x, W, b: np.array([[sum(map(np.correlate, s, w)) + c for w, c in zip(W, b)] for s in x]),
    parameters=("W", "b"),
    affine_in=("x", "W", "b"),
)
test_convolution1d = verify(convolution1d)
"""
"""The declaration reads as it stands in verification/README.md: the layer, its cases, what is right."""


def spec_of(code):
    names: dict[str, Any] = {"__name__": "mine"}
    exec(code, names)
    return names["convolution1d"]


def test_the_page_shows_it():
    page = Path(__file__).parents[1] / "README.md"
    assert EXAMPLE in page.read_text(encoding="utf-8")


def test_the_declaration_is_short():
    declaration = re.search(r"@st\.composite.*?^\)", EXAMPLE, flags=re.DOTALL | re.MULTILINE)
    assert declaration
    assert len(declaration[0].splitlines()) <= 15
    assert max(map(len, EXAMPLE.splitlines())) <= 120


def test_the_layer_passes_and_strictly():
    report = check(spec_of(EXAMPLE), examples=30, strict=True)
    assert not report.failures, report


MISTAKES = [
    ("] += np", "] = np"),
    ("+ self.b[:, np.newaxis]", "+ self.b[0]"),
    ('"nf,fck->nck", dLdy[:, :, p], self.W)', '"nf,fck->nck", dLdy[:, :, p], self.W[..., ::-1])'),
    ("dLdy.sum(axis=(0, 2))", "dLdy.mean(axis=(0, 2))"),
]
"""By default one of backprop and one of forward; `thorough` takes all."""


@pytest.mark.usefixtures("undiagnosed")
@pytest.mark.parametrize(("right", "wrong"), MISTAKES if settings().max_examples > 100 else MISTAKES[:2])
def test_a_mistake_in_it_is_found(right, wrong):
    assert EXAMPLE.count(right) == 1
    report = check(spec_of(EXAMPLE.replace(right, wrong)), examples=5)
    assert not report.passed
    assert any(cause.counterexample and cause.counterexample.arrays["x"].size <= 12 for cause in report.causes)


def test_its_cases_reach_filters_as_wide_as_they_may_be():
    seen = set()
    spec = spec_of(EXAMPLE)
    right: Any = spec.make

    class Seeing(right):  # type: ignore[misc]
        def forward(self, x):
            seen.add(x.shape[2] - self.W.shape[2])
            return super().forward(x)

    assert check(replace(spec, make=Seeing), examples=30).passed
    assert seen == {0, 1, 2, 3}
