"""The instrumented reactor and connection: subclasses that emit events.

``Reactor``, ``Deadlines`` and ``Connection`` have public hook methods that do nothing; these subclasses
override them. A server gets them from its ``Instrumentation``. The events are listed in
``reactor.observe.events``.
"""

import logging
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from reactor.deadlines import Deadlines
from reactor.event_handler import EventHandler
from reactor.http11.deferred import Deferred
from reactor.http11.errors import HTTPError
from reactor.http11.message import FileSlice, Request
from reactor.logs.access_log import Exchange, Recorder, UnsentExchanges
from reactor.loop import Reactor
from reactor.loop_hooks import LoopHooks, Ready
from reactor.observe.events import Emit, Event, EventCallback, EventKind
from reactor.server.connection import Connection
from reactor.server.connection_hooks import ConnectionHooks
from reactor.server.context import ServerContext
from reactor.server.state import CloseReason, State

log = logging.getLogger("reactor")

# Bound once instead of looked up for each event: an attribute of an enum takes 48 ns in CPython 3.11.
TURN_STARTED: Final = EventKind.TURN_STARTED
SELECTED: Final = EventKind.SELECTED
CALLED: Final = EventKind.CALLED
SCHEDULED: Final = EventKind.SCHEDULED
TURN_ENDED: Final = EventKind.TURN_ENDED
STATE_CHANGED: Final = EventKind.STATE_CHANGED
RECEIVED: Final = EventKind.RECEIVED
RESPONSE: Final = EventKind.RESPONSE
SENT: Final = EventKind.SENT
ANSWERED: Final = EventKind.ANSWERED


class InstrumentedDeadlines(Deadlines[EventHandler]):
    """Deadlines that emit an event for each scheduled deadline."""

    def __init__(self, emit: Emit, clock: Callable[[], float]) -> None:
        super().__init__()
        self._emit = emit
        self._clock = clock

    def on_scheduled(self, handler: EventHandler) -> None:
        """Emit SCHEDULED."""
        self._emit((SCHEDULED, self._clock(), handler, handler.deadline))


class InstrumentedReactor(Reactor):
    """A reactor that collects events, and publishes them to its subscribers once a turn."""

    def __init__(
        self,
        subscribers: Sequence[EventCallback],
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events: list[Event] = []
        self._subscribers = list(subscribers)
        self.emit: Emit = self._events.append
        self.turns = 0
        super().__init__(selector, clock, InstrumentedDeadlines(self.emit, clock))

    def subscribe(self, subscriber: EventCallback) -> None:
        """Add a subscriber."""
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: EventCallback) -> None:
        """Remove a subscriber, if it is subscribed."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def turn(self, may_sleep: bool = True) -> None:
        """Run a turn, and publish its events."""
        self.turns += 1
        super().turn(may_sleep)
        self.emit((TURN_ENDED, self.clock(), self.turns, self.began))
        self.publish()

    def close(self) -> None:
        """Close the selector, and publish the events since the last turn."""
        super().close()
        if self._events:
            self.publish()

    def publish(self) -> None:
        """Pass the collected events to the subscribers; one that raises is removed."""
        events = self._events
        for subscriber in list(self._subscribers):
            try:
                subscriber(events)
            except Exception:
                log.exception("unhandled exception in event subscriber %r; removing it", subscriber)
                self._subscribers.remove(subscriber)
        events.clear()

    def active_hooks(self) -> LoopHooks | None:
        """Return the reactor itself."""
        return self

    def on_selected(self, called_at: float, timeout: float | None, ready: Ready) -> None:
        """Emit TURN_STARTED and SELECTED."""
        self.emit((TURN_STARTED, called_at, self.turns, timeout))
        self.emit((SELECTED, self.now, self.now - called_at, ready))

    def after_call(self, handler: EventHandler, events: int, began: float) -> None:
        """Emit CALLED."""
        self.emit((CALLED, self.returned, handler, events, began))


class InstrumentedConnection(Connection):
    """A connection of a server whose reactor is an ``InstrumentedReactor``."""

    __slots__ = ("_called_at", "_clock", "_emit", "_returned_at", "entered_at", "first_state", "opened_at")

    def __init__(self, context: ServerContext, sock: socket.socket, peer: str) -> None:
        reactor = context.reactor
        assert isinstance(reactor, InstrumentedReactor)
        self._emit: Emit = reactor.emit
        self._clock = reactor.clock
        super().__init__(context, sock, peer)
        self.first_state = self.state
        # When the connection was accepted, and entered its state, in seconds of the reactor's clock.
        self.opened_at = self.entered_at = self._clock()
        # When the handler of the latest response was called, and when it returned.
        self._called_at = self._returned_at = self.opened_at
        self._emit((EventKind.OPENED, self.opened_at, self))

    # Read by the inspector and the trace.

    @property
    def held(self) -> int:
        """The number of bytes in memory, unparsed or unsent."""
        return self.unparsed + self.unsent

    @property
    def phase(self) -> str:
        """The phase of the parser."""
        return self._parser.phase.name

    @property
    def body(self) -> str:
        """A description of the rest of the file or stream that is being sent, or ""."""
        body = self._write_buffer.body
        if body is None:
            return ""
        if isinstance(body, Deferred):
            return "a deferred response"
        return f"{body.count:,} bytes of a file" if isinstance(body, FileSlice) else "a stream"

    # Hooks of the connection.

    def active_hooks(self) -> ConnectionHooks | None:
        """Return the connection itself."""
        return self

    def recorder(self) -> Recorder | None:
        """Return the connection itself: ``record`` is called for each finished exchange."""
        return self

    def record(self, unsent: UnsentExchanges, exchange: Exchange, sent: int) -> None:
        """Emit ANSWERED for an exchange that has ended, and pass it on to the access log."""
        body_bytes = sent - exchange.body_offset
        self._emit((ANSWERED, self._clock(), self, exchange, body_bytes if body_bytes > 0 else 0))
        if self._context.access_log is not None:
            self._context.access_log.record(unsent, exchange, sent)

    def on_state_change(self, before: State, after: State) -> None:
        """Emit STATE_CHANGED."""
        now = self.entered_at = self._clock()
        self._emit((STATE_CHANGED, now, self, before, after))

    def on_received(self, data: bytes) -> None:
        """Emit RECEIVED."""
        self._emit((RECEIVED, self._clock(), self, data))

    def on_refused(self, error: HTTPError) -> None:
        """Emit REFUSED."""
        self._called_at = self._clock()
        self._emit((EventKind.REFUSED, self._called_at, self, error.status, error.reason))

    def on_request(self, request: Request) -> None:
        """Record when the handler is called."""
        self._called_at = self._clock()

    def before_response(self, request: Request) -> None:
        """Record when the handler returned."""
        self._returned_at = self._clock()

    def on_response(self, request: Request, status: int, data: bytes, compressed: int) -> None:
        """Emit RESPONSE."""
        returned = self._returned_at
        now = self._clock() if compressed else returned  # serializing a head takes almost no time
        self._emit((RESPONSE, now, self, request, status, compressed, self._called_at, returned, data))

    def on_sent(self, count: int) -> None:
        """Emit SENT."""
        self._emit((SENT, self._clock(), self, count))

    def on_closed(self, reason: CloseReason) -> None:
        """Emit CLOSED."""
        self._emit((EventKind.CLOSED, self.entered_at, self, reason))
