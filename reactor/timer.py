"""Timers: call a function once, after some seconds, or again and again.

    timer = Timer(reactor, 2.5, function)
    timer = Timer(reactor, 1.0, function, interval=1.0)
    timer.cancel()

The function is called by the loop, unless the timer is cancelled before.
"""

import logging
from collections.abc import Callable
from math import inf

from reactor.event_handler import EventHandler
from reactor.loop import Reactor

log = logging.getLogger("reactor")


def _do_nothing() -> None:
    """Do nothing: the function of a timer that has ended."""


class Timer(EventHandler):
    """Calls a function in the loop, ``seconds`` after the start of this callback, unless it is cancelled.

    With an ``interval``, it is called again each time that so many seconds have passed since it was due;
    calls that the loop has missed are skipped. An exception is logged. Raise ValueError unless ``seconds`` is
    0 or more and ``interval`` is more.
    """

    __slots__ = ("_due", "_function", "_interval", "_reactor")

    def __init__(
        self,
        reactor: Reactor,
        seconds: float,
        function: Callable[[], object],
        interval: float | None = None,
    ) -> None:
        if interval is not None and not 0 < interval < inf:  # false for a NaN, too
            raise ValueError(f"invalid interval: {interval!r} (expected seconds, more than 0)")
        if not 0 <= seconds < inf:
            raise ValueError(f"invalid delay: {seconds!r} (expected seconds, 0 or more)")
        super().__init__(deadline=reactor.now + seconds)
        self._reactor = reactor
        self._function = function
        self._interval = interval
        self._due = self.deadline  # the reactor moves the deadline after a long call
        reactor.register(self)

    def cancel(self) -> None:
        """Do not call the function any more; has no effect after the last call.

        Raise RuntimeError if called from another thread while the loop runs.
        """
        self._reactor.check_thread("Timer.cancel()")
        self._function = _do_nothing  # its object may refer to this timer: avoids a reference cycle
        self._interval = None
        self._reactor.remove(self)

    def on_deadline(self) -> None:
        """Call the function."""
        function = self._function
        if self._interval is None:
            self.cancel()
        else:
            missed = (self._reactor.now - self._due) // self._interval
            self._due += self._interval * (missed + 1)
            self.deadline = self._due
        try:
            function()
        except Exception:
            log.exception("unhandled exception in the function of a timer: %r", function)
