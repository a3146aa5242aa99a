"""Hypothesis for our own searches: as quiet and as reproducible wherever they run."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from verification.case import Case


def quiet(examples: int, *, shrink: bool = True) -> settings:
    """Return settings that inherit nothing: the profile in force, "default" too, is the host project's.

    No deadline and no check of speed, since a slow machine is not a wrong layer; nor of what a rare condition rejects.
    """
    return settings(
        max_examples=examples,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        derandomize=False,
        database=None,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,
        stateful_step_count=50,
        backend="hypothesis",
    )


@lru_cache(maxsize=32)
def sample(cases: SearchStrategy[Case], count: int, seed: int) -> tuple[Case, ...]:
    """Return cases, the same for the same seed. The first is the simplest.

    They are kept for the next layer of the kind, since to draw them takes about as long as to ask a layer for them.
    """
    # In another thread, since of a thread Hypothesis keeps one test: `verify` draws while its own test runs.
    return _thread(os.getpid()).submit(_sample, cases, count, seed).result()


@cache
def _thread(_process: int) -> ThreadPoolExecutor:
    """Return the thread of this process that draws: one for all, since Hypothesis looks around in each new one."""
    return ThreadPoolExecutor(1)


def _sample(cases: SearchStrategy[Case], count: int, seed: int) -> tuple[Case, ...]:
    found: list[Case] = []

    @seeded(seed)
    @quiet(count, shrink=False)
    @given(cases)
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return tuple(found)
