"""A limit on the time that a layer's own calls take: what the suite does in between does not count."""

import time
from collections.abc import Callable
from typing import TypeVar

from verification.failure import NotTried

Result = TypeVar("Result")

SECONDS = 60.0
"""What the calls of a layer may take in all, unless another limit is given."""


class TimeUp(NotTried):
    """The calls of a layer took as long as they may."""


class Clock:
    """Counts the seconds of a layer's calls; none begins when they are up.

    `share` is how much of the time may be gone by now: what comes later needs some too.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self.seconds, self.taken = seconds, 0.0
        self.share, self.limited = 1.0, False

    @property
    def up(self) -> bool:
        """Whether no call may begin."""
        return self.taken >= self.share * self.seconds

    def run(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns; raise TimeUp if it may not begin."""
        if self.up:
            self.limited = True
            raise TimeUp(f"not tried: the calls of this layer took {self.taken:.0f} s before")
        start = time.monotonic()
        try:
            return call()
        finally:
            self.taken += time.monotonic() - start
