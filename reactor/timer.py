"""Timers: call a function once, after some seconds.

    timer = Timer(reactor, 2.5, function)
    timer.cancel()

The function is called once, by the loop, unless the timer is cancelled before.
"""

from collections.abc import Callable

from reactor.event_handler import EventHandler
from reactor.loop import Reactor


def _do_nothing() -> None:
    """Do nothing: the function of a timer that has ended."""


class Timer(EventHandler):
    """Calls a function in the loop, ``seconds`` after the start of this callback, unless it is cancelled."""

    __slots__ = ("_function", "_reactor")

    def __init__(self, reactor: Reactor, seconds: float, function: Callable[[], object]) -> None:
        super().__init__(deadline=reactor.now + seconds)
        self._reactor = reactor
        self._function = function
        reactor.register(self)

    def cancel(self) -> None:
        """Do not call the function; has no effect after the call."""
        self._function = _do_nothing  # its object may refer to this timer: avoids a reference cycle
        self._reactor.remove(self)

    def on_deadline(self) -> None:
        """Call the function."""
        function = self._function
        self.cancel()
        function()
