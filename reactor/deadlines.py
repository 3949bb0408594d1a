"""Deadlines: a heap in which moving a deadline later costs nothing.

A busy connection moves its deadline with each request, thousands of times a second. Updating the heap each
time would be too slow, so it is updated only when a deadline moves *earlier*. When a deadline moves later,
its entry stays; when that entry reaches the top, it is replaced by one for the handler's current deadline.

    handler.deadline           when the event handler is to be called; the handler may change it freely
    handler.reactor_deadline   the time of its current entry in the heap, or inf; not later than ``deadline``

An entry is stale if it is not the current entry of its handler. When most entries are stale, the heap is
rebuilt, so that the entries of ten thousand short connections do not stay in it.

This module does not read a clock: the time is an argument.
"""

from collections.abc import Generator
from heapq import heapify, heappop, heappush, nsmallest
from math import inf
from typing import Generic, Protocol, TypeVar

# With fewer stale entries, rebuilding the heap costs more than it saves.
_MIN_STALE = 64


class Timed(Protocol):
    """An object that can be scheduled."""

    deadline: float
    reactor_deadline: float


Handler = TypeVar("Handler", bound=Timed)


def _deadline(handler: Timed) -> float:
    return handler.deadline


class Deadlines(Generic[Handler]):
    """The deadlines of many event handlers."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Handler]] = []
        self._entries_made = 0  # breaks ties between equal times, so that handlers are never compared
        self._stale = 0

    def __len__(self) -> int:
        """The number of entries in the heap, including stale ones."""
        return len(self._heap)

    def schedule(self, handler: Handler) -> None:
        """Add an entry for the handler's deadline, which is earlier than its current entry."""
        if handler.reactor_deadline != inf:
            self.forget(handler)
        handler.reactor_deadline = handler.deadline
        self._entries_made += 1
        heappush(self._heap, (handler.reactor_deadline, self._entries_made, handler))
        self.on_scheduled(handler)

    def on_scheduled(self, handler: Handler) -> None:
        """Observe that a handler's deadline was scheduled; for subclasses, does nothing here."""

    def forget(self, handler: Handler) -> None:
        """Mark the handler's heap entry as stale."""
        if handler.reactor_deadline != inf:
            handler.reactor_deadline = inf
            self._count_stale()

    def earliest(self) -> float:
        """Return the earliest deadline, or ``inf``."""
        heap = self._heap
        while heap:
            when, _, handler = heap[0]
            if when == handler.reactor_deadline and handler.deadline <= when:
                return when
            self._update_first()
        return inf

    def next(self, count: int) -> list[Handler]:
        """Return up to ``count`` handlers with the earliest deadlines, in order."""
        live = {entry[2]: None for entry in self._heap if entry[0] == entry[2].reactor_deadline}
        return nsmallest(count, (each for each in live if each.deadline != inf), key=_deadline)

    def due(self, now: float) -> Generator[Handler, None, None]:
        """Remove and yield the handlers whose deadline is at or before ``now``, earliest first.

        A handler that sets its deadline to a time in the past is due again in the next turn, not in this one.
        Those that are left when the generator is closed stay in the heap: a loop that is overloaded would
        otherwise move thousands in each turn.
        """
        begin = self._entries_made
        again = []
        try:
            while self.earliest() <= now:
                _, number, handler = heappop(self._heap)
                handler.reactor_deadline = inf
                if number <= begin:
                    yield handler
                else:
                    again.append(handler)
        finally:
            for handler in again:
                if handler.reactor_deadline == inf != handler.deadline:  # neither scheduled nor removed
                    self.schedule(handler)

    def _update_first(self) -> None:
        """Drop the first entry if it is stale; move it if the handler's deadline is later."""
        when, number, handler = heappop(self._heap)
        if when != handler.reactor_deadline:
            self._stale -= 1
        else:
            handler.reactor_deadline = handler.deadline
            if handler.deadline != inf:
                heappush(self._heap, (handler.deadline, number, handler))  # not a new one for ``due``

    def _count_stale(self) -> None:
        """Count a stale entry; rebuild the heap when most entries are stale."""
        self._stale += 1
        if self._stale > _MIN_STALE and self._stale > len(self._heap) // 2:
            live = {entry[2]: entry for entry in self._heap if entry[0] == entry[2].reactor_deadline}
            self._heap = list(live.values())  # one per handler: two entries may have had the same time
            heapify(self._heap)
            self._stale = 0
