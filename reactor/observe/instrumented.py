"""A watched connection: the same connection, which also tells what it does.

It adds to the stream of ``reactor.observe.events``; ``connection`` is the first thing that each kind tells:

    Kind      Tells then
    OPENED    -                  it was accepted
    ENTERED   before, after      its state changed
    RECEIVED  octets             they came
    RESPONSE  request, status, compressed, began, made
                                 it is queued; its handler was called at ``began``, and it was serialized
                                 from ``made`` on; so many octets were compressed for it
    REFUSED   status, reason     what came is not accepted
    SENT      count, octets      the kernel took so many octets; the first piece of those that waited
    ANSWERED  exchange, content  the last octet was sent, or never will be; how many octets of content
                                 were. The access log is told the same
    CLOSED    why                it is gone; one of WHYS

Each method here wraps one of ``Connection``, and changes nothing. The hot ones name the class that they
wrap, which is quicker than ``super``. It does not know who reads.
"""

import socket

from reactor.http11.errors import HTTPError
from reactor.http11.message import FileSlice, Request, Response
from reactor.logs.access_log import Exchange, PendingEntries
from reactor.observe.events import InstrumentedReactor, Tell
from reactor.server.connection import Connection, State
from reactor.server.context import ServerContext
from reactor.server.write_buffer import FlushResult, WriteBuffer

OPENED, ENTERED, RECEIVED, RESPONSE = "opened", "entered", "received", "response"
REFUSED, SENT, ANSWERED, CLOSED = "refused", "sent", "answered", "closed"

# Why a connection closed: what led to it last.
LEFT, LATE, STOPPED, FAILED, BROKE, DONE = "left", "deadline", "stopped", "failed", "broke", "done"
WHYS = {
    LEFT: "the client closed",
    LATE: "a deadline passed",
    STOPPED: "the server stopped, or made room for others",
    FAILED: "an event handler failed",
    BROKE: "sending broke off",
    DONE: "the last response was read",
}


class InstrumentedWriteBuffer(WriteBuffer):
    """A write buffer that tells what the kernel took."""

    __slots__ = ("_clock", "_connection", "_tell")

    def __init__(
        self, connection: "InstrumentedConnection", context: ServerContext, reactor: InstrumentedReactor
    ) -> None:
        super().__init__(context.settings.high_water, context.sendfile)
        self._connection = connection
        self._tell = reactor.tell
        self._clock = reactor.clock

    def flush(self, sock: socket.socket, share: int) -> FlushResult:
        """Send, and tell of it."""
        before = self.sent
        first = self._octets[0] if self._octets else b""
        flow = WriteBuffer.flush(self, sock, share)
        if self.sent != before:
            self._tell((SENT, self._clock(), self._connection, self.sent - before, first))
        return flow


class InstrumentedConnection(Connection):
    """A connection of a service whose reactor is an ``InstrumentedReactor``."""

    __slots__ = ("_clock", "_moment", "_tell", "_write", "entered_at", "opened_at", "why")

    def __init__(self, context: ServerContext, sock: socket.socket, peer: str) -> None:
        reactor = context.reactor
        assert isinstance(reactor, InstrumentedReactor)
        self._tell: Tell = reactor.tell
        self._clock = reactor.clock
        lines = context.access_log
        self._write = None if lines is None else lines.record
        self.why = DONE
        super().__init__(context, sock, peer)
        self._write_buffer = InstrumentedWriteBuffer(self, context, reactor)
        self._pending_entries = PendingEntries(self, peer, self.number)
        # When it was accepted, and when it entered its state, in seconds of the reactor's clock.
        self.opened_at = self.entered_at = self._moment
        self._tell((OPENED, self._moment, self))

    # What others ask.

    @property
    def unparsed(self) -> int:
        """How many octets have come that are no request yet."""
        return self._parser.buffered

    @property
    def unsent(self) -> int:
        """How many octets of responses wait in memory."""
        return self._write_buffer.size

    @property
    def held(self) -> int:
        """How many octets wait in memory, to be read on or to be sent."""
        return self._parser.buffered + self._write_buffer.size

    @property
    def phase(self) -> str:
        """Where the parser stands."""
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
        self.why = STOPPED
        super().abort()

    def stop(self) -> None:
        """Read no further request, and close as soon as nothing is in flight."""
        self.why = STOPPED
        super().stop()

    def on_deadline(self) -> None:
        """Be done with a client that is too slow."""
        self.why = LATE
        super().on_deadline()
        if self.state is not State.CLOSED:
            self.why = DONE

    def on_failure(self) -> None:
        """Let go of everything after an exception."""
        self.why = FAILED
        super().on_failure()

    # What it does.

    def _receive(self) -> bytes | None:
        octets = Connection._receive(self)
        if octets:
            self._tell((RECEIVED, self._clock(), self, octets))
        elif octets is not None:
            self.why = DONE if self.state is State.DRAINING else LEFT
        return octets

    def _refuse(self, error: HTTPError, request: Request | None = None) -> None:
        self._tell((REFUSED, self._clock(), self, error.status, error.reason))
        super()._refuse(error, request)

    def _enqueue_response(self, request: Request, response: Response) -> int:
        made = self._clock()
        compressed = Connection._enqueue_response(self, request, response)
        now = self._clock() if compressed else made  # to write a head takes next to no time
        self._tell((RESPONSE, now, self, request, response.status, compressed, self._moment, made))
        return compressed

    def record(self, pending: PendingEntries, exchange: Exchange, sent: int) -> None:
        """Tell of an exchange that has ended; it stands between the pending entries and the access log."""
        content = sent - exchange.body_offset
        self._tell((ANSWERED, self._clock(), self, exchange, content if content > 0 else 0))
        if self._write is not None:
            self._write(pending, exchange, sent)

    def _reset(self) -> None:
        if self.why not in (LATE, STOPPED):
            self.why = BROKE
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
            self._tell((ENTERED, now, self, before, state))
            if state is State.CLOSED:
                self._tell((CLOSED, now, self, self.why))
