"""The board: what the microscope shows, kept from the stream of events while somebody looks.

    turns         the last 200: how long waited, dispatched, and spent on deadlines
    totals        connections accepted and closed, requests, refusals, octets
    moves         how often connections went from one state to another
    records       of each connection: since when it is in its state, its history, its octets

Everything is bounded: of a connection its last 60 changes of state and 40 pieces of octets, which are kept
only while there are so few connections that each is shown; of those that closed the last 50. The board
knows what may be shown of octets from ``redact``; it does not know who looks.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from reactor.inspector.redact import Incoming, show_outgoing
from reactor.observe.events import CALLED, ENDED, SELECTED, Event, InstrumentedReactor, descriptor_of, peer_of
from reactor.observe.instrumented import (
    CLOSED,
    ENTERED,
    OPENED,
    RECEIVED,
    REFUSED,
    RESPONSE,
    SENT,
    WHYS,
    InstrumentedConnection,
)
from reactor.server.connection import State

MOST_CHIPS = 300  # connections that are shown one by one
TURNS, HISTORY, PIECES, GONE = 200, 60, 40, 50
STATES = tuple(State)
UNSEEN, DROPPED = "unseen", "dropped"


class Record:
    """What is known of one connection; times are in seconds of the server's clock.

    ``missing`` is why the history is not complete: UNSEEN before the page looked, DROPPED when it grew too
    long, "" when nothing is missing.
    """

    __slots__ = (
        *(
            "closed_at",
            "connection",
            "entered",
            "fd",
            "head_is_due",
            "history",
            "incoming",
            "missing",
            "peer",
        ),
        *("pieces", "why"),
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
        self.pieces: deque[tuple[float, str, int, str]] = deque(maxlen=PIECES)
        self.incoming = Incoming()
        self.head_is_due = False
        self.why = ""

    def enter(self, now: float, before: State, after: State) -> None:
        """Note a change of state."""
        self.entered = now
        self.history.append((now, before.index, after.index))
        if len(self.history) > HISTORY:
            self.history.popleft()
            self.missing = self.missing or DROPPED


def found(connection: InstrumentedConnection) -> Record:
    """Make the record of a connection that was accepted before anything was recorded.

    Its present state and the time at which it entered it are known; how it got there is not.
    """
    state = connection.state
    record = Record(connection, connection.entered_at, state, "" if state is State.ACCEPTED else UNSEEN)
    if state is not State.ACCEPTED and state is not State.IDLE:
        record.incoming.hide()  # a part of a head or of content has come
    return record


class Board:
    """A reader of the stream; what it has kept is read by ``frames`` and by whoever asks for a connection."""

    def __init__(
        self, reactor: InstrumentedReactor, connections: Iterable[InstrumentedConnection], slow_turn: float
    ) -> None:
        self._reactor = reactor
        self._slow_turn = slow_turn
        now = reactor.clock()
        self.began = now
        self.version = 0  # changes with everything
        self.turns: deque[tuple[int, float, float, float, int, int]] = deque(maxlen=TURNS)
        self.totals = dict.fromkeys(
            ("accepted", "closed", "requests", "refused", "octets_in", "octets_out"), 0
        )
        self.moves = [[0] * len(STATES) for _ in STATES]
        self.records = {each.number: found(each) for each in connections if each.state is not State.CLOSED}
        self.gone: OrderedDict[int, Record] = OrderedDict()
        self.ready: dict[int, int] = {}  # readiness by descriptor, in the last turn
        self._waited = self._late = 0.0
        self._tell = {
            SELECTED: self._selected,
            CALLED: self._called,
            ENDED: self._ended,
            OPENED: self._opened,
            ENTERED: self._entered,
            RECEIVED: self._received,
            RESPONSE: self._response,
            REFUSED: self._refused,
            SENT: self._sent,
            CLOSED: self._closed,
        }

    def __call__(self, events: list[Event]) -> None:
        """Read what happened."""
        self.version += 1
        tell = self._tell
        for kind, *facts in events:
            note: Any = tell.get(kind)
            if note is not None:
                note(*facts)

    def find(self, number: int) -> Record | None:
        """Return what is known of a connection."""
        return self.records.get(number) or self.gone.get(number)

    def _record(self, connection: InstrumentedConnection) -> Record:
        record = self.records.get(connection.number)
        if record is None:
            record = self.records[connection.number] = found(connection)
        return record

    # The loop.

    def _selected(self, when: float, waited: float, ready: list[Any]) -> None:
        self._waited, self._late = waited, 0.0
        self.ready = {key.fd: events for key, events in ready}

    def _called(self, when: float, handler: object, events: int, began: float) -> None:
        if not events:
            self._late += when - began

    def _ended(self, when: float, turn: int, began: float) -> None:
        worked = when - began
        slow = int(worked > self._slow_turn)
        self.turns.append((turn, self._waited, worked - self._late, self._late, len(self.ready), slow))

    # Connections.

    def _opened(self, when: float, connection: InstrumentedConnection) -> None:
        self.totals["accepted"] += 1
        self.records[connection.number] = Record(connection, when, State.ACCEPTED)

    def _entered(self, when: float, connection: InstrumentedConnection, before: State, after: State) -> None:
        self.moves[before.index][after.index] += 1
        record = self._record(connection)
        record.enter(when, before, after)
        if after is State.IDLE:
            record.incoming.idle()

    def _received(self, when: float, connection: InstrumentedConnection, octets: bytes) -> None:
        self.totals["octets_in"] += len(octets)
        record = self._record(connection)
        text = record.incoming.show(octets)
        if len(self.records) <= MOST_CHIPS:
            record.pieces.append((when, "in", len(octets), text))

    def _response(self, when: float, connection: InstrumentedConnection, *others: object) -> None:
        self.totals["requests"] += 1
        self._record(connection).head_is_due = True

    def _refused(self, when: float, connection: InstrumentedConnection, status: int, reason: str) -> None:
        self.totals["refused"] += 1

    def _sent(self, when: float, connection: InstrumentedConnection, count: int, octets: object) -> None:
        self.totals["octets_out"] += count
        record = self._record(connection)
        if len(self.records) <= MOST_CHIPS:
            record.pieces.append((when, "out", count, show_outgoing(octets, count, record.head_is_due)))
        record.head_is_due = False

    def _closed(self, when: float, connection: InstrumentedConnection, why: str) -> None:
        self.totals["closed"] += 1
        record = self.records.pop(connection.number, None) or found(connection)
        record.closed_at, record.why = when, WHYS[why]
        self.gone[connection.number] = record
        if len(self.gone) > GONE:
            self.gone.popitem(last=False)
