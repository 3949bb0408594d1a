"""The calls of one turn: at most 10 ms, and in groups, so that short calls need not wait for long ones.

When the share of a turn is used, the event handlers that are ready but were not called are left over for the
next turn: the loop is overloaded. Without groups, a client with short requests would then wait until each of
a thousand clients with long requests had its turn.

    Group   Event handlers                          Order
    short   urgent ones, and of those that do not   the shortest calls first
            wait for WRITE only, the 32 whose
            calls are the shortest
    new     those whose calls were not measured     the shortest last call first
    all     all that are still waiting              the longest wait first

Each group has a third of the turn, so that none waits forever. The calls of a handler are measured while the
loop is overloaded: their average, since cold caches make single calls longer, and in processor time of the
thread, since the operating system interrupts calls. A handler that waits for WRITE only is sending a long
response, of which each part may take no longer than a short request.

If thousands of handles are ready, collecting the events takes longer than 10 ms. The calls of an overloaded
turn then have twice that time, up to 50 ms: otherwise the loop would spend most of its time on collecting the
same events again, and the overload would last.
"""

from collections.abc import Callable, Iterable
from heapq import nsmallest
from math import inf
from operator import attrgetter

from reactor.deadlines import Deadlines
from reactor.event_handler import DEADLINE, SOON, WRITE, EventHandler
from reactor.loop_hooks import Ready

TURN_SHARE = 0.010  # seconds of calls in one turn
MAX_SHARE = 0.050  # the same, if collecting the events takes long
MAX_SHORT = 32
WEIGHT = 1 / 8  # of the latest call in the average length of a handler's calls
GROUPS = 3

# Makes a call; returns when it returned, in seconds of the reactor's clock.
Dispatch = Callable[[EventHandler, int], float]


class CallOrder:
    """Makes the calls of a turn; ``left_over`` is the ready handlers that it has not called, in order.

    ``processor_time`` returns the processor time that the thread has used, in seconds.
    """

    def __init__(self, processor_time: Callable[[], float]) -> None:
        self.left_over: dict[EventHandler, int] = {}
        self.polled_for = 0.0  # seconds that the last call of the selector took that did not sleep
        self._share = TURN_SHARE  # of this turn
        self._processor_time = processor_time

    def run(self, ready: Ready, soon: Iterable[EventHandler], began: float, dispatch: Dispatch) -> None:
        """Call ready handlers, then those scheduled by ``soon``, until the share of the turn is used."""
        if self.left_over:
            self._share = min(max(TURN_SHARE, 2 * self.polled_for), MAX_SHARE)
            # A call that is stale is ignored by ``dispatch``.
            self.left_over.update({key.data: events for key, events in ready})
            self.left_over.update(dict.fromkeys(soon, SOON))
            self._run_overloaded(began, dispatch)
            return
        self._share = TURN_SHARE
        ends = began + TURN_SHARE
        rest = iter(ready)
        for key, events in rest:
            if dispatch(key.data, events) > ends:
                self.left_over = {key.data: events for key, events in rest}
                return
        for handler in soon:
            if dispatch(handler, SOON) > ends:
                return

    def run_due(
        self, deadlines: Deadlines[EventHandler], due_until: float, began: float, dispatch: Dispatch
    ) -> None:
        """Call the handlers whose deadline is at or before ``due_until``, until twice the share is used."""
        for handler in (due := deadlines.due(due_until)):
            if handler in self.left_over:  # its received bytes take precedence
                deadlines.schedule(handler)
            elif dispatch(handler, DEADLINE) > began + 2 * self._share:
                due.close()  # the others are due in the next turn

    def _run_overloaded(self, began: float, dispatch: Dispatch) -> None:
        waiting = self.left_over
        groups = _groups(waiting)
        used = self._processor_time()  # after the groups were made: the first call is short
        for number, group in enumerate(groups, 1):
            ends = began + self._share * number / GROUPS
            for handler in group:
                if handler not in waiting:  # it was in an earlier group
                    continue
                returned = dispatch(handler, waiting.pop(handler))
                before, used = used, self._processor_time()
                _update_average(handler, used - before)
                if returned > ends:
                    break


def _groups(waiting: dict[EventHandler, int]) -> tuple[Iterable[EventHandler], ...]:
    urgent = [handler for handler in waiting if handler.is_urgent]
    new = [handler for handler in waiting if handler.reactor_average == inf]
    known = [each for each, events in waiting.items() if events != WRITE and each.reactor_average < inf]
    shortest = nsmallest(MAX_SHORT, known, attrgetter("reactor_average"))
    return [*urgent, *shortest], sorted(new, key=attrgetter("reactor_took")), list(waiting)


def _update_average(handler: EventHandler, took: float) -> None:
    average = handler.reactor_average
    handler.reactor_average = took if average == inf else average + (took - average) * WEIGHT
