"""Hypothesis profiles: `pytest` runs the default, `pytest --hypothesis-profile=thorough` 2000 examples each."""

import gc
import os

import pytest
from hypothesis import settings

# One thread: arrays as small as these gain nothing from a second, and torch's waits for work at full speed.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadline: a slow machine is not a wrong layer. Hypothesis's own profile for CI would suppress a
# health check and always draw the same cases.
settings.register_profile("default", max_examples=100, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that fork first: once another test has loaded torch, a fork takes five times as long."""
    items.sort(key=lambda item: item.get_closest_marker("forks") is None)


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what is loaded, and run less often: it took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
