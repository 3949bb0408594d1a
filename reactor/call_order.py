"""The calls of one turn: at most 10 ms, and in groups, so that short calls need not wait for long ones.

When the share of a turn is used, the event handlers that are ready but were not called are left over for the
next turn: the loop is overloaded. Without groups, a client with short requests would then wait until each of
a thousand clients with long requests had its turn.

    Group   Event handlers                       Order
    short   urgent ones, and the 32 whose calls  the shortest calls first
            are the shortest
    new     those whose calls were not measured  the longest wait first
    all     all that are still waiting           the longest wait first

Each group has a third of the turn, so that none waits forever. The length of a handler's calls is measured
while the loop is overloaded. It is that of the shorter one of the last two calls: the operating system may
have interrupted the other one.

This module does not read a clock: each call returns the time.
"""

from collections.abc import Callable, Iterable
from heapq import nsmallest
from math import inf

from reactor.event_handler import SOON, EventHandler
from reactor.loop_hooks import Ready

TURN_SHARE = 0.010  # seconds of calls in one turn
MAX_SHORT = 32

# An event handler, and an event mask or the constant SOON.
Call = tuple[EventHandler, int]
# Makes a call; returns when it returned, in seconds of the reactor's clock.
Dispatch = Callable[[EventHandler, int], float]


class CallOrder:
    """Makes the calls of a turn; ``left_over`` is the ready handlers that it has not called, in order."""

    def __init__(self) -> None:
        self.left_over: dict[EventHandler, int] = {}

    def run(self, ready: Ready, soon: Iterable[EventHandler], began: float, dispatch: Dispatch) -> None:
        """Call ready handlers, then those scheduled by ``soon``, until the share of the turn is used."""
        if self.left_over:
            self._run_overloaded([(key.data, events) for key, events in ready], soon, began, dispatch)
            return
        ends = began + TURN_SHARE
        rest = iter(ready)
        for key, events in rest:
            if dispatch(key.data, events) > ends:
                self.left_over = {key.data: events for key, events in rest}
                return
        for handler in soon:
            if dispatch(handler, SOON) > ends:
                return

    def _run_overloaded(
        self, calls: list[Call], soon: Iterable[EventHandler], began: float, dispatch: Dispatch
    ) -> None:
        ready = dict(calls) | dict.fromkeys(soon, SOON)
        waiting = {handler: ready[handler] for handler in self.left_over if handler in ready} | ready
        new = [handler for handler in waiting if _length(handler) == inf]
        groups = nsmallest(MAX_SHORT, waiting, _length), new, list(waiting)
        before = began
        for number, group in enumerate(groups, 1):
            ends = began + TURN_SHARE * number / len(groups)
            for handler in group:
                if handler not in waiting:  # it was in an earlier group
                    continue
                returned = dispatch(handler, waiting.pop(handler))
                handler.reactor_took_before = handler.reactor_took
                handler.reactor_took = returned - before
                before = returned
                if returned > ends:
                    break
        self.left_over = waiting


def _length(handler: EventHandler) -> float:
    """Return the length of a handler's calls in seconds, inf if it is new; 0 if it is urgent."""
    return 0.0 if handler.is_urgent else min(handler.reactor_took, handler.reactor_took_before)
