"""The snapshot shown by the inspector's page, built from the event stream while a page is open.

    turns         the last 200: time spent waiting, dispatching, and on deadlines
    totals        connections accepted and closed, requests, refused requests, bytes
    moves         number of transitions from each state to each other
    records       for each connection: when it entered its state, its history, its traffic

Everything is bounded: the last 60 state changes and 40 pieces of traffic per connection, and the last 50
closed connections. Traffic is recorded only while there are few enough connections to show each of them.
``redact`` decides which bytes may be shown.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable

from reactor.event_handler import DEADLINE
from reactor.http11.message import Request
from reactor.inspector.redact import HeadRedactor, head_of, show_outgoing
from reactor.loop_hooks import Ready
from reactor.observe.events import Event, EventKind, Subscriber, descriptor_of, peer_of
from reactor.observe.instrumented import InstrumentedConnection, InstrumentedReactor
from reactor.server.state import CloseReason, State

MAX_CHIPS = 300  # maximum number of connections shown individually
TURNS, HISTORY, PIECES, CLOSED = 200, 60, 40, 50
STATES = tuple(State)
UNSEEN, DROPPED = "unseen", "dropped"


class ConnectionRecord:
    """The recorded history and traffic of one connection; times are in seconds of the server's clock.

    ``missing`` is the reason why the history is incomplete: UNSEEN if the connection was accepted before the
    recording started, DROPPED if old entries were discarded, "" if it is complete.
    """

    __slots__ = (
        *("close_reason", "closed_at", "connection", "entered", "fd", "history", "missing"),
        *("partly_sent", "peer", "redactor", "traffic", "unsent_head"),
    )

    def __init__(
        self, connection: InstrumentedConnection, entered: float, state: State, missing: str = ""
    ) -> None:
        self.connection = connection
        self.fd = descriptor_of(connection.handle)
        self.peer = peer_of(connection)
        self.entered = entered
        self.closed_at: float | None = None
        self.history: deque[tuple[float, int | None, int]] = deque([(entered, None, state.index)])
        self.missing = missing
        self.traffic: deque[tuple[float, str, int, str]] = deque(maxlen=PIECES)
        self.redactor = HeadRedactor()
        self.unsent_head = b""  # the head at the start of the bytes sent next, or empty
        self.partly_sent = False  # bytes of earlier responses may still be unsent
        self.close_reason = ""

    def enter(self, now: float, before: State, after: State) -> None:
        """Record a state change."""
        self.entered = now
        self.partly_sent = False
        self.history.append((now, before.index, after.index))
        if len(self.history) > HISTORY:
            self.history.popleft()
            self.missing = self.missing or DROPPED


def record_of(connection: InstrumentedConnection) -> ConnectionRecord:
    """Create the record of a connection that was accepted before the recording started.

    Its current state and the time at which it entered it are known; its earlier history is not.
    """
    state = connection.state
    record = ConnectionRecord(
        connection, connection.entered_at, state, "" if state is connection.first_state else UNSEEN
    )
    if state is not connection.first_state and state is not State.IDLE:
        record.redactor.hide()  # part of a head or body may have been received
        record.partly_sent = True  # possibly
    return record


class Snapshot(Subscriber):
    """Records events; ``sse`` builds frames and descriptions of single connections from it."""

    def __init__(
        self, reactor: InstrumentedReactor, connections: Iterable[InstrumentedConnection], slow_turn: float
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._slow_turn = slow_turn
        now = reactor.clock()
        self.began = now
        self.version = 0  # incremented by every change
        self.turns: deque[tuple[int, float, float, float, int, int]] = deque(maxlen=TURNS)
        self.totals = dict.fromkeys(
            ("accepted", "closed", "requests", "refused", "bytes_received", "bytes_sent"), 0
        )
        self.moves = [[0] * len(STATES) for _ in STATES]
        self.records = {
            each.number: record_of(each) for each in connections if each.state is not State.CLOSED
        }
        self.closed: OrderedDict[int, ConnectionRecord] = OrderedDict()
        self.ready: dict[int, int] = {}  # ready events by file descriptor, in the last turn
        self._waited = self._deadline_seconds = 0.0

    def __call__(self, events: list[Event]) -> None:
        """Record the events of a turn."""
        self.version += 1
        super().__call__(events)

    def find(self, number: int) -> ConnectionRecord | None:
        """Return the record of a connection, or None if it is unknown."""
        return self.records.get(number) or self.closed.get(number)

    def _record(self, connection: InstrumentedConnection) -> ConnectionRecord:
        record = self.records.get(connection.number)
        if record is None:
            record = self.records[connection.number] = record_of(connection)
        return record

    # The loop.

    def on_selected(self, kind: EventKind, when: float, slept: float, ready: Ready) -> None:
        """Record which handles are ready."""
        self._waited, self._deadline_seconds = slept, 0.0
        self.ready = {key.fd: events for key, events in ready}

    def on_called(self, kind: EventKind, when: float, handler: object, events: int, began: float) -> None:
        """Add up the time spent on deadlines."""
        if events == DEADLINE:
            self._deadline_seconds += when - began

    def on_turn_ended(self, kind: EventKind, when: float, turn: int, began: float) -> None:
        """Record the turn."""
        worked = when - began
        slow = int(worked > self._slow_turn)
        self.turns.append(
            (
                turn,
                self._waited,
                worked - self._deadline_seconds,
                self._deadline_seconds,
                len(self.ready),
                slow,
            )
        )

    # Connections.

    def on_opened(self, kind: EventKind, when: float, connection: InstrumentedConnection) -> None:
        """Create the record of a connection."""
        self.totals["accepted"] += 1
        self.records[connection.number] = ConnectionRecord(connection, when, connection.first_state)

    def on_state_changed(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, before: State, after: State
    ) -> None:
        """Record the state change."""
        self.moves[before.index][after.index] += 1
        record = self._record(connection)
        record.enter(when, before, after)
        if before is State.RECEIVING_PROXY_HEADER:
            record.peer = peer_of(connection)
        if after is State.IDLE:
            record.redactor.reset()

    def on_received(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, data: bytes
    ) -> None:
        """Record the received bytes, redacted."""
        self.totals["bytes_received"] += len(data)
        record = self._record(connection)
        text = record.redactor.show(data)
        if len(self.records) <= MAX_CHIPS:
            record.traffic.append((when, "in", len(data), text))

    def on_response(
        self,
        kind: EventKind,
        when: float,
        connection: InstrumentedConnection,
        request: Request,
        status: int,
        compressed_bytes: int,
        began: float,
        returned: float,
        data: bytes,
    ) -> None:
        """Count the response, and keep its head until it is sent."""
        self.totals["requests"] += 1
        record = self._record(connection)
        if not record.partly_sent:
            record.unsent_head = record.unsent_head or head_of(data)

    def on_refused(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, status: int, reason: str
    ) -> None:
        """Count the refused request, whose body may still arrive."""
        self.totals["refused"] += 1
        self._record(connection).redactor.hide()

    def on_sent(self, kind: EventKind, when: float, connection: InstrumentedConnection, count: int) -> None:
        """Record the number of bytes sent, with the head of the response."""
        self.totals["bytes_sent"] += count
        record = self._record(connection)
        if len(self.records) <= MAX_CHIPS:
            record.traffic.append((when, "out", count, show_outgoing(record.unsent_head, count)))
        record.unsent_head = b""
        record.partly_sent = True

    def on_closed(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, reason: CloseReason
    ) -> None:
        """Move the record to the closed connections."""
        self.totals["closed"] += 1
        record = self.records.pop(connection.number, None) or record_of(connection)
        record.closed_at, record.close_reason = when, reason.text
        self.closed[connection.number] = record
        if len(self.closed) > CLOSED:
            self.closed.popitem(last=False)
