"""The instrumented reactor, connection and write buffer: they work as their base classes, and emit events.

Instrumentation is composed, not switched on: an ``InstrumentedReactor`` is the same reactor with each of its
steps wrapped, and a plain ``Reactor`` has no line that asks whether anything subscribes. Each method here
wraps one of the base class, and changes nothing that is served. The hot ones name the class that they wrap,
which is quicker than ``super``. The events are listed in ``reactor.observe.events``.
"""

import logging
import selectors
import socket
import time
from collections.abc import Callable, Sequence

from reactor.deadlines import Deadlines
from reactor.http11.errors import HTTPError
from reactor.http11.message import FileSlice, Request, Response
from reactor.logs.access_log import Exchange, PendingEntries
from reactor.loop import SLOW_TURN, EventHandler, Reactor
from reactor.observe.events import CloseReason, Emit, Event, EventCallback, EventKind
from reactor.server.connection import Connection, State
from reactor.server.context import ServerContext
from reactor.server.write_buffer import FlushResult, WriteBuffer

log = logging.getLogger("reactor")

# Looked up once here instead of for each event: an attribute of an enum takes 48 ns in CPython 3.11.
TURN = EventKind.TURN
SELECTED = EventKind.SELECTED
CALLED = EventKind.CALLED
SCHEDULED = EventKind.SCHEDULED
ENDED = EventKind.ENDED
ENTERED = EventKind.ENTERED
RECEIVED = EventKind.RECEIVED
RESPONSE = EventKind.RESPONSE
SENT = EventKind.SENT
ANSWERED = EventKind.ANSWERED


class InstrumentedDeadlines(Deadlines[EventHandler]):
    """Deadlines that emit an event when one is set."""

    def __init__(self, emit: Emit, clock: Callable[[], float]) -> None:
        super().__init__()
        self._emit = emit
        self._clock = clock

    def schedule(self, handler: EventHandler) -> None:
        """Make an entry, and emit SCHEDULED."""
        super().schedule(handler)
        self._emit((SCHEDULED, self._clock(), handler, handler.deadline))


class InstrumentedReactor(Reactor):
    """A reactor that publishes events of what it does to its subscribers, once a turn."""

    def __init__(
        self,
        subscribers: Sequence[EventCallback],
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
        slow_turn: float = SLOW_TURN,
    ) -> None:
        super().__init__(selector, clock, slow_turn)
        self._events: list[Event] = []
        self._subscribers = list(subscribers)
        self.emit: Emit = self._events.append
        self.turns = 0
        self._deadlines = InstrumentedDeadlines(self.emit, clock)

    def subscribe(self, subscriber: EventCallback) -> None:
        """Add a subscriber."""
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: EventCallback) -> None:
        """Remove a subscriber, if it is one."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def turn(self) -> None:
        """Take a turn, and publish its events."""
        self.turns += 1
        super().turn()
        self.emit((ENDED, self._clock(), self.turns, self._began))
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
                log.exception("watching goes on without %r, which failed", subscriber)
                self._subscribers.remove(subscriber)
        events.clear()

    def _demultiplex(
        self, timeout: float | None, earliest: float
    ) -> tuple[list[tuple[selectors.SelectorKey, int]], float]:
        began = self._clock()
        self.emit((TURN, began, self.turns, timeout))
        ready, due_by = super()._demultiplex(timeout, earliest)
        self.emit((SELECTED, self.now, self.now - began, ready))
        return ready, due_by

    # A hook begins when the one before it has returned, which the reactor has looked at already.

    def _dispatch(self, handler: EventHandler, events: int) -> None:
        began = self._last
        Reactor._dispatch(self, handler, events)
        self.emit((CALLED, self._last, handler, events, began))

    def _call(self, handler: EventHandler, hook: Callable[[], None]) -> None:
        began = self._last
        Reactor._call(self, handler, hook)
        self.emit((CALLED, self._last, handler, 0, began))


class InstrumentedWriteBuffer(WriteBuffer):
    """A write buffer that emits SENT when the kernel has taken bytes."""

    __slots__ = ("_clock", "_connection", "_emit")

    def __init__(
        self, connection: "InstrumentedConnection", context: ServerContext, reactor: InstrumentedReactor
    ) -> None:
        super().__init__(context.settings.high_water, context.sendfile)
        self._connection = connection
        self._emit = reactor.emit
        self._clock = reactor.clock

    def flush(self, sock: socket.socket, share: int) -> FlushResult:
        """Send, and emit SENT."""
        before = self.sent
        first = self._octets[0] if self._octets else b""
        result = WriteBuffer.flush(self, sock, share)
        if self.sent != before:
            self._emit((SENT, self._clock(), self._connection, self.sent - before, first))
        return result


class InstrumentedConnection(Connection):
    """A connection of a server whose reactor is an ``InstrumentedReactor``."""

    __slots__ = ("_clock", "_emit", "_moment", "_write", "close_reason", "entered_at", "opened_at")

    def __init__(self, context: ServerContext, sock: socket.socket, peer: str) -> None:
        reactor = context.reactor
        assert isinstance(reactor, InstrumentedReactor)
        self._emit: Emit = reactor.emit
        self._clock = reactor.clock
        lines = context.access_log
        self._write = None if lines is None else lines.record
        self.close_reason = CloseReason.COMPLETED
        super().__init__(context, sock, peer)
        self._write_buffer = InstrumentedWriteBuffer(self, context, reactor)
        self._pending_entries = PendingEntries(self, peer, self.number)
        # When it was accepted, and when it entered its state, in seconds of the reactor's clock.
        self.opened_at = self.entered_at = self._moment
        self._emit((EventKind.OPENED, self._moment, self))

    # What others ask.

    @property
    def unparsed(self) -> int:
        """How many received bytes are not parsed yet."""
        return self._parser.buffered

    @property
    def unsent(self) -> int:
        """How many bytes of responses are in the write buffer."""
        return self._write_buffer.size

    @property
    def held(self) -> int:
        """How many bytes are in memory, unparsed or unsent."""
        return self._parser.buffered + self._write_buffer.size

    @property
    def phase(self) -> str:
        """The phase of the parser."""
        return self._parser.phase.name

    @property
    def body(self) -> str:
        """What is to be sent that is not in memory, in words; nothing where nothing is."""
        body = self._write_buffer.body
        if body is None:
            return ""
        return f"file, {body.count} octets left" if isinstance(body, FileSlice) else "stream"

    # What leads to a close.

    def abort(self) -> None:
        """Close at once, whatever is in flight."""
        self.close_reason = CloseReason.SERVER_CLOSED
        super().abort()

    def stop(self) -> None:
        """Read no further request, and close as soon as nothing is in flight."""
        self.close_reason = CloseReason.SERVER_CLOSED
        super().stop()

    def on_deadline(self) -> None:
        """Be done with a client that is too slow."""
        self.close_reason = CloseReason.TIMEOUT
        super().on_deadline()
        if self.state is not State.CLOSED:
            self.close_reason = CloseReason.COMPLETED

    def on_failure(self) -> None:
        """Let go of everything after an exception."""
        self.close_reason = CloseReason.HANDLER_FAILED
        super().on_failure()

    # What it does.

    def _receive(self) -> bytes | None:
        octets = Connection._receive(self)
        if octets:
            self._emit((RECEIVED, self._clock(), self, octets))
        elif octets is not None:
            is_complete = self.state is State.DRAINING
            self.close_reason = CloseReason.COMPLETED if is_complete else CloseReason.CLIENT_CLOSED
        return octets

    def _refuse(self, error: HTTPError, request: Request | None = None) -> None:
        self._emit((EventKind.REFUSED, self._clock(), self, error.status, error.reason))
        super()._refuse(error, request)

    def _enqueue_response(self, request: Request, response: Response) -> int:
        made = self._clock()
        compressed = Connection._enqueue_response(self, request, response)
        now = self._clock() if compressed else made  # to write a head takes next to no time
        self._emit((RESPONSE, now, self, request, response.status, compressed, self._moment, made))
        return compressed

    def record(self, pending: PendingEntries, exchange: Exchange, sent: int) -> None:
        """Emit ANSWERED for an exchange that has ended, and pass it on to the access log."""
        content = sent - exchange.body_offset
        self._emit((ANSWERED, self._clock(), self, exchange, content if content > 0 else 0))
        if self._write is not None:
            self._write(pending, exchange, sent)

    def _reset(self) -> None:
        if self.close_reason not in (CloseReason.TIMEOUT, CloseReason.SERVER_CLOSED):
            self.close_reason = CloseReason.SEND_FAILED
        super()._reset()

    def _enter(self, state: State) -> None:
        try:
            before = self.state
        except AttributeError:  # it is being made: where it begins is no change
            before = state
        Connection._enter(self, state)
        now = self._moment = self._clock()
        if before is not state:
            self.entered_at = now
            self._emit((ENTERED, now, self, before, state))
            if state is State.CLOSED:
                self._emit((EventKind.CLOSED, now, self, self.close_reason))
