"""The calls of one turn: at most 10 ms, and in groups, so that short calls need not wait for long ones.

When the share of a turn is used, the event handlers that are ready but were not called are left over for the
next turn: the loop is overloaded. Without groups, a client with short requests would then wait until each of
a thousand clients with long requests had its turn.

    Group   Event handlers                       Order
    short   urgent ones, and the 32 whose calls  the shortest calls first
            are the shortest
    new     those that have not been called yet  the longest wait first
    all     all that are still waiting           the longest wait first

Each group has a third of the turn, so that none waits forever. The length of a handler's calls is that of the
shorter one of its last two: the operating system may have interrupted the other one.

This module does not read a clock: it is told when each call returned.
"""

from collections.abc import Callable, Iterator
from heapq import nsmallest
from math import inf

from reactor.event_handler import EventHandler

TURN_SHARE = 0.010  # seconds of calls in one turn
MAX_SHORT = 32

# An event handler, and an event mask or the constant SOON.
Call = tuple[EventHandler, int]
# Makes a call; returns when it returned, in seconds of the reactor's clock.
Dispatch = Callable[[EventHandler, int], float]


class CallOrder:
    """Makes the calls of a turn; ``left_over`` is the handlers that it has not called, the oldest first."""

    def __init__(self) -> None:
        self.left_over: dict[EventHandler, int] = {}
        self._returned = 0.0  # when the latest call returned

    def run(self, calls: list[Call], began: float, dispatch: Dispatch) -> None:
        """Make the calls of a turn that began at this time, until its share is used."""
        self._returned = began
        if not self.left_over:
            rest = iter(calls)
            self._make(rest, began + TURN_SHARE, dispatch)
            self.left_over = dict(rest)
            return
        ready = dict(calls)  # of two calls of a handler, the latter one
        waiting = {handler: ready[handler] for handler in self.left_over if handler in ready} | ready
        new = [handler for handler in waiting if _length(handler) == inf]
        groups = nsmallest(MAX_SHORT, waiting, _length), new, list(waiting)
        for number, group in enumerate(groups, 1):
            ends = began + TURN_SHARE * number / len(groups)
            self._make(((each, waiting.pop(each)) for each in group if each in waiting), ends, dispatch)
        self.left_over = waiting

    def _make(self, calls: Iterator[Call], ends: float, dispatch: Dispatch) -> None:
        """Make at least one call, and others until this time."""
        for handler, events in calls:
            before, self._returned = self._returned, dispatch(handler, events)
            handler.reactor_took_before, handler.reactor_took = handler.reactor_took, self._returned - before
            if self._returned > ends:
                return


def _length(handler: EventHandler) -> float:
    """Return the length of a handler's calls in seconds, inf if it is new; 0 if it is urgent."""
    return 0.0 if handler.is_urgent else min(handler.reactor_took, handler.reactor_took_before)
