"""Deadlines: a heap in which moving a deadline later costs nothing.

A connection that is served moves its deadline with each request, thousands of times a second; a
heap that followed each move would do little else. So the heap follows only a deadline that comes
*earlier*. One that moves later leaves its entry where it is, and when that entry comes up, it is
checked: if the handler's deadline has moved on, a new entry is made for it.

    handler.deadline           when the event handler wants to be called; it moves this freely
    handler.reactor_deadline   the time of its one live entry in the heap; never later than that

An entry is stale when its handler has another one or none; once most are, the heap is made anew, so
that ten thousand short connections leave nothing behind.

Deadlines know no clock: the time is an argument.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush, nsmallest
from math import inf
from typing import Generic, Protocol, TypeVar

# Below this many stale entries a new heap costs more than it saves.
_MIN_STALE = 64


class Timed(Protocol):
    """What can be scheduled."""

    deadline: float
    reactor_deadline: float


Handler = TypeVar("Handler", bound=Timed)


def _deadline(handler: Timed) -> float:
    return handler.deadline


class Deadlines(Generic[Handler]):
    """The deadlines of many event handlers."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Handler]] = []
        self._entries_made = 0  # breaks ties in the order of making, never by address
        self._stale = 0

    def __len__(self) -> int:
        """How many entries the heap holds, stale ones included."""
        return len(self._heap)

    def schedule(self, handler: Handler) -> None:
        """Make an entry for the handler's deadline, which is earlier than the one it has."""
        self.forget(handler)
        handler.reactor_deadline = handler.deadline
        self._push(handler)
        self.on_scheduled(handler)

    def on_scheduled(self, handler: Handler) -> None:
        """Observe that an entry was made for a handler's deadline; for subclasses, does nothing here."""

    def forget(self, handler: Handler) -> None:
        """Mark the handler's heap entry as stale."""
        if handler.reactor_deadline != inf:
            handler.reactor_deadline = inf
            self._count_stale()

    def earliest(self) -> float:
        """Return the earliest deadline; infinite when there is none."""
        heap = self._heap
        while heap:
            when, _, handler = heap[0]
            if when == handler.reactor_deadline and handler.deadline <= when:
                return when
            self._update_first()
        return inf

    def next(self, count: int) -> list[Handler]:
        """Return whose deadlines come next, at most so many, earliest first."""
        live = {entry[2]: None for entry in self._heap if entry[0] == entry[2].reactor_deadline}
        return nsmallest(count, (each for each in live if each.deadline != inf), key=_deadline)

    def due(self, now: float) -> Iterator[Handler]:
        """Take out the handlers whose deadline has passed by ``now``, earliest first.

        A handler that sets a deadline in the past while it is called comes up in the next turn.
        """
        waiting = []
        while self.earliest() <= now:
            handler = heappop(self._heap)[2]
            handler.reactor_deadline = inf
            waiting.append(handler)
        for handler in waiting:
            # An earlier one of them may have removed this one, or have given it more time.
            if handler.deadline <= now:
                yield handler
            elif handler.reactor_deadline == inf != handler.deadline:
                self.schedule(handler)

    def _push(self, handler: Handler) -> None:
        self._entries_made += 1
        heappush(self._heap, (handler.reactor_deadline, self._entries_made, handler))

    def _update_first(self) -> None:
        """Drop the first entry if it is stale; move it if the handler's deadline is later."""
        when, _, handler = heappop(self._heap)
        if when != handler.reactor_deadline:
            self._stale -= 1
        else:
            handler.reactor_deadline = handler.deadline
            if handler.deadline != inf:
                self._push(handler)

    def _count_stale(self) -> None:
        """Count a stale entry; make the heap anew when most are stale."""
        self._stale += 1
        if self._stale > _MIN_STALE and self._stale > len(self._heap) // 2:
            live = {entry[2]: entry for entry in self._heap if entry[0] == entry[2].reactor_deadline}
            self._heap = list(live.values())  # one for each: it may have had two for one time
            heapify(self._heap)
            self._stale = 0
