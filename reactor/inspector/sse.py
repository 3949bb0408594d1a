"""The frames drawn by the inspector's page, as server-sent events.

    hello    once: the state table, the steps of the loop with their source lines, and the demos
    frame    an update, up to 20 times a second while something changes, once a second otherwise

A frame contains the complete state, and the turns and moves since the previous frame of its stream. A stream
whose client is slow skips frames, so that its buffer is bounded. Without an open page no frame is built and
no snapshot is kept.
"""

import json
from itertools import islice
from math import inf

from reactor.event_handler import EventHandler
from reactor.http11.event_stream import format_event
from reactor.http11.message import LiveStream
from reactor.inspector.control import AFTER_STATE_CHANGE, BETWEEN_TURNS, Position
from reactor.inspector.snapshot import MAX_CHIPS, STATES, ConnectionRecord, Snapshot
from reactor.inspector.stepping import SteppedReactor
from reactor.observe.events import deadline_name, name_of
from reactor.observe.instrumented import InstrumentedConnection
from reactor.server.connection import Connection
from reactor.server.state import State

HANDLES, DEADLINES = 40, 10
AGES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0)  # seconds; bucket bounds of the density


def encode(name: str, data: object) -> bytes:
    r"""Write one server-sent event.

    >>> encode("frame", {"turn": 1})
    b'event: frame\ndata: {"turn":1}\n\n'
    """
    return format_event(json.dumps(data, separators=(",", ":")), name)


class PageStream:
    """The stream of one open page, and the last turn and the moves that were sent on it."""

    def __init__(self, stream: LiveStream, snapshot: Snapshot) -> None:
        self.stream = stream
        self._turn = snapshot.turns[-1][0] if snapshot.turns else 0
        self._moves = [list(row) for row in snapshot.moves]

    def send(self, snapshot: Snapshot, frame: dict[str, object]) -> None:
        """Send a frame with the turns and moves since the last frame sent."""
        frame["turns"] = [turn for turn in snapshot.turns if turn[0] > self._turn]
        frame["moves"] = [
            (before, after, count - self._moves[before][after])
            for before, row in enumerate(snapshot.moves)
            for after, count in enumerate(row)
            if count != self._moves[before][after]
        ]
        if self.stream.send(encode("frame", frame)):
            self._turn = snapshot.turns[-1][0] if snapshot.turns else self._turn
            self._moves = [list(row) for row in snapshot.moves]


def describe_position(position: Position) -> str:
    """Describe where the loop is held."""
    if position.step == BETWEEN_TURNS or position.handler is None:
        return "between two turns: the loop is not polling its selector"
    name = name_of(position.handler)
    if position.step == AFTER_STATE_CHANGE:
        return f"{name} entered {position.callback_or_state}, in the middle of a call"
    return f"about to call {position.callback_or_state} of {name} (fd {_fd(position.handler)})"


def _fd(handler: EventHandler) -> int:
    return -1 if handler.handle is None else handler.handle.fileno()


def _position(position: Position) -> dict[str, object]:
    number = position.handler.number if isinstance(position.handler, Connection) else None
    reason = position.reason
    if position.step == AFTER_STATE_CHANGE:
        reason = f"breakpoint: c{number} enters {position.callback_or_state}"
    return {
        "step": position.step,
        "turn": position.turn,
        "words": describe_position(position),
        "connection": number,
        "reason": reason,
    }


class FrameBuilder:
    """Builds frames from a snapshot and the current state of the server."""

    def __init__(self, reactor: SteppedReactor) -> None:
        self._reactor = reactor

    def make(
        self, snapshot: Snapshot, connections: list[InstrumentedConnection], demos: list[str]
    ) -> dict[str, object]:
        """Build a frame, without the parts that depend on the stream."""
        control, now = self._reactor.control, self._reactor.clock()
        counts = [0] * len(STATES)
        for connection in connections:
            counts[connection.state.index] += 1
        few = len(connections) <= MAX_CHIPS
        records = [snapshot.records[each.number] for each in connections if each.number in snapshot.records]
        return {
            "mode": control.mode,
            "waiting": control.waiting,
            "delay": control.delay,
            "at": None if control.held_at is None else _position(control.held_at),
            "clock": round(now - snapshot.began, 6),
            "turn": self._reactor.turns,
            "totals": snapshot.totals,
            "counts": counts,
            "chips": [chip(each, now) for each in records] if few else None,
            "density": None if few else density(records, now),
            **self._selector(snapshot),
            "deadlines": [
                (name_of(each), deadline_name(each), round(each.deadline - now, 3))
                for each in self._reactor.next_deadlines(DEADLINES)
            ],
            "breakpoints": {"states": sorted(control.break_on_states), "slow": control.break_on_slow_turn},
            "demos": demos,
        }

    def _selector(self, snapshot: Snapshot) -> dict[str, object]:
        registered = self._reactor.selector.get_map()
        handles = [
            (key.fd, name_of(key.data), key.events, snapshot.ready.get(key.fd, 0))
            for key in islice(registered.values(), HANDLES)
        ]
        return {"handles": handles, "handles_left_out": len(registered) - len(handles)}


def chip(record: ConnectionRecord, now: float) -> tuple[object, ...]:
    """Return a connection in the form used in frames."""
    connection = record.connection
    seconds_left = connection.timeout_ends - now
    return (
        connection.number,
        record.fd,
        record.peer,
        connection.state.index,
        connection.served,
        connection.unparsed,
        connection.unsent,
        None if seconds_left == inf else round(seconds_left, 3),
        round(now - record.entered, 6),
    )


def density(records: list[ConnectionRecord], now: float) -> list[list[int]]:
    """Count the connections by state and by time spent in that state (buckets: AGES)."""
    counts = [[0] * (len(AGES) + 1) for _ in STATES]
    for record in records:
        age = now - record.entered
        counts[record.connection.state.index][sum(age >= bound for bound in AGES)] += 1
    return counts


def describe(record: ConnectionRecord, now: float) -> dict[str, object]:
    """Return the details of one connection, as JSON."""
    connection = record.connection
    seconds_left = connection.timeout_ends - now
    route = connection.route
    return {
        "number": connection.number,
        "fd": record.fd,
        "peer": record.peer,
        "state": connection.state.index,
        "served": connection.served,
        "route": route.template if route is not None else "",
        "interest": int(connection.interest),
        "deadline": None if seconds_left == inf else (connection.state.timeout, round(seconds_left, 3)),
        "parser": {"phase": connection.phase, "buffered": connection.unparsed},
        "write_buffer": {"bytes": connection.unsent, "body": connection.body},
        "age": round((record.closed_at or now) - connection.opened_at, 3),
        "closed": connection.state is State.CLOSED,
        "close_reason": record.close_reason,
        "history": [(round(now - when, 6), before, after) for when, before, after in record.history],
        "missing": record.missing,
        "traffic": [(round(now - when, 6), *others) for when, *others in record.traffic],
    }
