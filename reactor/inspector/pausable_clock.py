"""A clock that is stopped while the loop is held, so that no deadline passes in that time."""

import time
from collections.abc import Callable
from typing import NamedTuple


class PausableClock(NamedTuple):
    """A clock, in seconds, that can be stopped, and resumes as if no time had passed."""

    read: Callable[[], float]
    hold: Callable[[], None]
    resume: Callable[[], None]


def pausable(clock: Callable[[], float] = time.monotonic) -> PausableClock:
    """Return a pausable clock.

    It consists of closures because it is read eight times per request, and calling an object would take
    twice as long.
    """
    held_at: float | None = None
    held_seconds = 0.0

    def read() -> float:
        return (clock() if held_at is None else held_at) - held_seconds

    def hold() -> None:
        nonlocal held_at
        if held_at is None:
            held_at = clock()

    def resume() -> None:
        nonlocal held_at, held_seconds
        if held_at is not None:
            held_seconds += clock() - held_at
            held_at = None

    return PausableClock(read, hold, resume)
