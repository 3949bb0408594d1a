"""The calls of one turn: at most 10 ms, and in groups, so that short calls need not wait for long ones.

When the share of a turn is used, the event handlers that are ready but were not called are left over for the
next turn: the loop is overloaded. Without groups, a client with short requests would then wait until each of
a thousand clients with long requests had its turn.

    Group  Event handlers
    short  urgent ones, and those whose calls take less than half of the mean of the previous turn
    new    those that have not been called yet
    long   all others

Each group has a third of the turn. In a group, those left over come first, in their order, so that none waits
forever. The length of a handler's calls is that of the shorter one of its last two: the operating system may
have interrupted the other one.

This module does not read a clock: it is told when each call returned.
"""

from collections.abc import Callable
from math import inf

from reactor.event_handler import EventHandler

TURN_SHARE = 0.010  # seconds of calls in one turn

# An event handler, and an event mask or the constant SOON.
Call = tuple[EventHandler, int]
# Makes a call; returns when it returned, in seconds of the reactor's clock.
Dispatch = Callable[[EventHandler, int], float]


class CallOrder:
    """Makes the calls of a turn; ``left_over`` is the handlers that it has not called, in order."""

    def __init__(self) -> None:
        self.left_over: dict[EventHandler, int] = {}
        self._mean = 0.0  # seconds per call in the latest turn that left some over

    def run(self, calls: list[Call], began: float, dispatch: Dispatch) -> None:
        """Make the calls of a turn that began at this time, until its share is used."""
        groups = self._groups(calls) if self.left_over else (calls,)
        left_over: dict[EventHandler, int] = {}
        returned = began
        for count, group in enumerate(groups, 1):
            ends = began + TURN_SHARE * count / len(groups)
            waiting = iter(group)
            for handler, events in waiting:
                before, returned = returned, dispatch(handler, events)
                handler.reactor_took_before, handler.reactor_took = handler.reactor_took, returned - before
                if returned > ends:
                    break
            left_over.update(waiting)
        self.left_over = left_over
        if left_over:
            self._mean = (returned - began) / (len(calls) - len(left_over))

    def _groups(self, calls: list[Call]) -> tuple[list[Call], list[Call], list[Call]]:
        """Return the short, new and long calls; of a handler that has two, the latter one."""
        events = dict(calls)
        ordered = {handler: events[handler] for handler in self.left_over if handler in events} | events
        short: list[Call] = []
        new: list[Call] = []
        long: list[Call] = []
        for call in ordered.items():
            length = min(call[0].reactor_took, call[0].reactor_took_before)
            if call[0].is_urgent or 2 * length < self._mean:
                short.append(call)
            else:
                (new if length == inf else long).append(call)
        return short, new, long
