"""The observer: what the loop did, one stream of events for any number of readers.

An event is a tuple: its kind, when it was (in seconds of the reactor's clock), and what it tells.

    Kind       Tells
    TURN       turn, timeout         a turn began; counted from 1; timeout in seconds, None for ever
    SELECTED   waited, ready         the selector returned after so many seconds, with (key, readiness)
    CALLED     handler, events, began  hooks of an event handler returned; events 0 for its deadline
    SCHEDULED  handler, deadline     an entry was made for a deadline, in seconds of the same clock
    ENDED      turn, began           a turn ended, its last work included; it began to work at ``began``

``reactor.watched`` adds what connections do. A tuple because there are tens of thousands a second, and
anything with a name for each field takes six times as long to make. Events are collected, and told
to the readers at the end of the turn: a reader is any function of a list of events, which it must
not keep.

Watching is composed, not switched on: an ``ObservedReactor`` is the same reactor with each of its
steps wrapped, and a plain ``Reactor`` has no line that asks whether anybody looks. The observer
knows no HTTP.
"""

import logging
import selectors
import time
from collections.abc import Callable, Sequence
from typing import Any

from reactor.deadlines import Deadlines
from reactor.loop import SLOW_TURN, EventHandler, Reactor

log = logging.getLogger("reactor")

TURN, SELECTED, CALLED, SCHEDULED, ENDED = "turn", "selected", "called", "scheduled", "ended"

Event = tuple[Any, ...]
EventReader = Callable[[list[Event]], None]
Tell = Callable[[Event], None]


class ObservedDeadlines(Deadlines[EventHandler]):
    """Deadlines that tell when one is set."""

    def __init__(self, tell: Tell, clock: Callable[[], float]) -> None:
        super().__init__()
        self._tell = tell
        self._clock = clock

    def schedule(self, handler: EventHandler) -> None:
        """Make an entry, and tell of it."""
        super().schedule(handler)
        self._tell((SCHEDULED, self._clock(), handler, handler.deadline))


class ObservedReactor(Reactor):
    """A reactor that tells its readers what it does."""

    def __init__(
        self,
        readers: Sequence[EventReader],
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
        slow_turn: float = SLOW_TURN,
    ) -> None:
        super().__init__(selector, clock, slow_turn)
        self._events: list[Event] = []
        self._readers = list(readers)
        self.tell: Tell = self._events.append
        self.turns = 0
        self._deadlines = ObservedDeadlines(self.tell, clock)

    def read_by(self, reader: EventReader) -> None:
        """Add a reader."""
        self._readers.append(reader)

    def read_no_more_by(self, reader: EventReader) -> None:
        """Take a reader out."""
        if reader in self._readers:
            self._readers.remove(reader)

    def turn(self) -> None:
        """Take a turn, and tell of it."""
        self.turns += 1
        super().turn()
        self.tell((ENDED, self._clock(), self.turns, self._began))
        self.tell_readers()

    def close(self) -> None:
        """Close the selector, and tell the readers what has happened since the last turn."""
        super().close()
        if self._events:
            self.tell_readers()

    def tell_readers(self) -> None:
        """Tell the readers what has been collected; one that fails is told no more."""
        events = self._events
        for reader in list(self._readers):
            try:
                reader(events)
            except Exception:
                log.exception("watching goes on without %r, which failed", reader)
                self._readers.remove(reader)
        events.clear()

    def _demultiplex(
        self, timeout: float | None, earliest: float
    ) -> tuple[list[tuple[selectors.SelectorKey, int]], float]:
        began = self._clock()
        self.tell((TURN, began, self.turns, timeout))
        ready, due_by = super()._demultiplex(timeout, earliest)
        self.tell((SELECTED, self.now, self.now - began, ready))
        return ready, due_by

    # A hook begins when the one before it has returned, which the reactor has looked at already.

    def _dispatch(self, handler: EventHandler, events: int) -> None:
        began = self._last
        Reactor._dispatch(self, handler, events)
        self.tell((CALLED, self._last, handler, events, began))

    def _call(self, handler: EventHandler, hook: Callable[[], None]) -> None:
        began = self._last
        Reactor._call(self, handler, hook)
        self.tell((CALLED, self._last, handler, 0, began))
