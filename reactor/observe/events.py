"""The observer: what the loop did, one stream of events for any number of readers.

An event is a tuple: its kind, when it was (in seconds of the reactor's clock), and what it tells.

    Kind       Tells
    TURN       turn, timeout         a turn began; counted from 1; timeout in seconds, None for ever
    SELECTED   waited, ready         the selector returned after so many seconds, with (key, readiness)
    CALLED     handler, events, began  hooks of an event handler returned; events 0 for its deadline
    SCHEDULED  handler, deadline     an entry was made for a deadline, in seconds of the same clock
    ENDED      turn, began           a turn ended, its last work included; it began to work at ``began``

``reactor.observe.instrumented`` adds what connections do. A tuple because there are tens of thousands a
second, and anything with a name for each field takes six times as long to make. Events are collected, and
told to the readers at the end of the turn: a reader is any function of a list of events, which it must not
keep.

Watching is composed, not switched on: an ``InstrumentedReactor`` is the same reactor with each of its
steps wrapped, and a plain ``Reactor`` has no line that asks whether anybody looks. The observer
knows no HTTP.
"""

import logging
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from reactor.deadlines import Deadlines
from reactor.loop import SLOW_TURN, EventHandler, Reactor
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.wakeup import SignalHandle

log = logging.getLogger("reactor")

TURN, SELECTED, CALLED, SCHEDULED, ENDED = "turn", "selected", "called", "scheduled", "ended"

Event = tuple[Any, ...]
EventReader = Callable[[list[Event]], None]
Tell = Callable[[Event], None]


class InstrumentedDeadlines(Deadlines[EventHandler]):
    """Deadlines that tell when one is set."""

    def __init__(self, tell: Tell, clock: Callable[[], float]) -> None:
        super().__init__()
        self._tell = tell
        self._clock = clock

    def schedule(self, handler: EventHandler) -> None:
        """Make an entry, and tell of it."""
        super().schedule(handler)
        self._tell((SCHEDULED, self._clock(), handler, handler.deadline))


class InstrumentedReactor(Reactor):
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
        self._deadlines = InstrumentedDeadlines(self.tell, clock)

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


# DOC OF reactor/observe/events.py
# """Names: what an event handler is called where people read of it.
#
# c5          the connection with this number          listener    who accepts connections
# signals     signals, as a handle                     wakeup      calls from other threads
# """


def name_of(handler: EventHandler) -> str:
    """Return the short name of an event handler."""
    if isinstance(handler, Connection):
        return f"c{handler.number}"
    if type(handler) is Acceptor:
        return "listener"
    if isinstance(handler, SignalHandle):
        return "signals"
    return type(handler).__name__.lower()


def deadline_name(handler: EventHandler) -> str:
    """Return which deadline of an event handler it is."""
    return (handler.state.timeout or "") if isinstance(handler, Connection) else name_of(handler)


def peer_of(connection: Connection) -> str:
    """Return host and port of the other side; the host alone when it is gone already."""
    try:
        port = connection.handle.getpeername()[1]
    except (OSError, IndexError, TypeError, AttributeError):
        return connection.peer
    return f"[{connection.peer}]:{port}" if ":" in connection.peer else f"{connection.peer}:{port}"


def descriptor_of(handle: "socket.socket | None") -> int:
    """Return the descriptor of a handle; -1 when it has none, or is closed."""
    try:
        return -1 if handle is None else int(handle.fileno())
    except (OSError, ValueError):
        return -1
