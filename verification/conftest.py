"""What test files of several folders need."""

from functools import partial

import pytest

from verification import checking
from verification.drawing import quiet


@pytest.fixture
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the search for what explains the failures, which takes most of the time of a check that fails."""
    monkeypatch.setattr(checking, "causes", lambda _spec: [])


@pytest.fixture
def verdict_only(undiagnosed: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001  it goes further
    """Leave out the search for the smallest case, too: for tests that read which properties fail, and how."""
    monkeypatch.setattr(checking, "quiet", partial(quiet, shrink=False))
    monkeypatch.setattr("verification.search.simplest", lambda _spec, _item, case: case)
