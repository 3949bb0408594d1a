"""The watchdog: logs the stack of a callback that blocks the loop, while it still blocks.

1. A thread reads several times per limit when the latest callback returned. A loop that waits in its
   selector is not blocked: it has ended its turn, which the reactor reports with ``at_turn_end``.
2. The stack is logged once per blocked callback. If a callback keeps the interpreter lock, in a regular
   expression, say, the stack is logged as soon as it is released.

Not ``faulthandler.dump_traceback_later``: it reads the frames without the interpreter lock, while a callback
may run Python code. Then one in ten dumps ended the process with a segmentation fault (Python 3.11; more on
3.12 and 3.13). It also starts a thread whenever it is called, 20 us per turn; this costs one call per turn.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from threading import Event, Thread, get_ident

from reactor.loop import Reactor

log = logging.getLogger("reactor")


class Watchdog:
    """Logs the stack of a callback of a reactor that takes longer than ``limit`` seconds; 0: never."""

    def __init__(self, reactor: Reactor, limit: float) -> None:
        self._reactor = reactor
        self._limit = limit
        self._interval = min(0.01 + limit / 4, 3600.0)  # seconds between two checks
        self._ended = reactor.began  # ``began`` of the last turn that has ended
        self._logged = -inf  # when the callback before the last logged one returned
        if limit:
            reactor.at_turn_end(self._end_turn)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Check from another thread while the reactor runs in this one."""
        if not self._limit:
            yield
            return
        stop = Event()
        thread = Thread(target=self._check_until, args=(stop, get_ident()), name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def check(self, thread: int) -> None:
        """Log the stack of the loop's thread if a callback blocks it."""
        reactor = self._reactor
        # ``began`` first: the loop may wake up at any time, and after a long sleep ``returned`` is old.
        began, returned = reactor.began, reactor.returned
        seconds = reactor.clock() - returned
        if seconds > self._limit and began != self._ended and returned != self._logged:
            self._logged = returned
            stack = "".join(traceback.format_stack(sys._current_frames()[thread])).rstrip()
            log.warning("event loop blocked for %.3g s (most recent call last):\n%s", seconds, stack)

    def _check_until(self, stop: Event, thread: int) -> None:
        while not stop.wait(self._interval):
            self.check(thread)

    def _end_turn(self) -> None:
        self._ended = self._reactor.began
