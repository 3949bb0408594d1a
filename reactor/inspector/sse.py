"""Frames: what the page is told, by server-sent events (HTML, 9.2).

    hello    once: the states and their table, the steps and where they stand, the demos
    frame    up to 20 times a second while something changes, once a second otherwise

A frame is whole in itself, but for the turns and moves since the last one that this reader was sent; a
reader that is behind is sent the next one, so that what waits for it is bounded. With nobody looking
there is no frame, and the board is not kept. Everything is numbers, and short words of ours.
"""

import json
from itertools import islice
from math import inf
from typing import Any

from reactor.http11.message import LiveStream
from reactor.inspector.snapshot import MOST_CHIPS, STATES, Board, Record
from reactor.inspector.stepping import BETWEEN, ENTER, Place, SteppedReactor
from reactor.loop import EventHandler
from reactor.observe.events import deadline_name, name_of
from reactor.observe.instrumented import InstrumentedConnection
from reactor.server.connection import State

HANDLES, DEADLINES = 40, 10
AGES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0)  # seconds; the bounds of the density


def encode(name: str, data: object) -> bytes:
    r"""Write one server-sent event.

    >>> encode("frame", {"turn": 1})
    b'event: frame\ndata: {"turn":1}\n\n'
    """
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


class Reader:
    """One page that looks: its stream, and what it has been told."""

    def __init__(self, stream: LiveStream, board: Board) -> None:
        self.stream = stream
        self._turn = board.turns[-1][0] if board.turns else 0
        self._moves = [list(row) for row in board.moves]

    def send(self, board: Board, frame: dict[str, Any]) -> None:
        """Send a frame, with what is new to this reader; what cannot be sent is new the next time."""
        frame["turns"] = [turn for turn in board.turns if turn[0] > self._turn]
        frame["moves"] = [
            (before, after, count - self._moves[before][after])
            for before, row in enumerate(board.moves)
            for after, count in enumerate(row)
            if count != self._moves[before][after]
        ]
        if self.stream.send(encode("frame", frame)):
            self._turn = board.turns[-1][0] if board.turns else self._turn
            self._moves = [list(row) for row in board.moves]


def place_words(place: Place) -> str:
    """Say where the loop is held."""
    if place.step == BETWEEN or place.handler is None:
        return "between two turns: the main selector is not waited for"
    name = name_of(place.handler)
    if place.step == ENTER:
        return f"{name} has entered {place.hook}, in the middle of a call"
    return f"about to call {place.hook} of {name} (fd {_fd(place.handler)})"


def _fd(handler: EventHandler) -> int:
    return -1 if handler.handle is None else handler.handle.fileno()


def _at(place: Place) -> dict[str, Any]:
    number = getattr(place.handler, "number", None)
    why = place.why
    if place.step == ENTER:
        why = f"breakpoint: c{number} enters {place.hook}"
    words = place_words(place)
    return {"step": place.step, "turn": place.turn, "words": words, "connection": number, "why": why}


class Frames:
    """Makes frames of a board and of what the server is now."""

    def __init__(self, reactor: SteppedReactor) -> None:
        self._reactor = reactor

    def make(
        self, board: Board, connections: list[InstrumentedConnection], demos: list[str]
    ) -> dict[str, Any]:
        """Return a frame, without what depends on its reader."""
        control, now = self._reactor.control, self._reactor.clock()
        counts = [0] * len(STATES)
        for connection in connections:
            counts[connection.state.index] += 1
        few = len(connections) <= MOST_CHIPS
        records = [board.records[each.number] for each in connections if each.number in board.records]
        return {
            "mode": control.mode,
            "waiting": control.waiting,
            "delay": control.delay,
            "at": None if control.at is None else _at(control.at),
            "clock": round(now - board.began, 6),
            "turn": self._reactor.turns,
            "totals": board.totals,
            "counts": counts,
            "chips": [chip(each, now) for each in records] if few else None,
            "density": None if few else density(records, now),
            **self._selector(board),
            "deadlines": [
                (name_of(each), deadline_name(each), round(each.deadline - now, 3))
                for each in self._reactor.next_deadlines(DEADLINES)
            ],
            "breakpoints": {"states": sorted(control.stop_at_states), "slow": control.stop_at_slow},
            "demos": demos,
        }

    def _selector(self, board: Board) -> dict[str, Any]:
        registered = self._reactor.selector.get_map()
        shown = [
            (key.fd, name_of(key.data), key.events, board.ready.get(key.fd, 0))
            for key in islice(registered.values(), HANDLES)
        ]
        return {"handles": shown, "handles_left_out": len(registered) - len(shown)}


def chip(record: Record, now: float) -> tuple[Any, ...]:
    """Return a connection as a frame has it."""
    connection = record.connection
    waits = connection.deadline - now
    return (
        connection.number,
        record.fd,
        record.peer,
        connection.state.index,
        connection.served,
        connection.unparsed,
        connection.unsent,
        None if waits == inf else round(waits, 3),
        round(now - record.entered, 6),
    )


def density(records: list[Record], now: float) -> list[list[int]]:
    """Return how many connections are in each state for how long."""
    counts = [[0] * (len(AGES) + 1) for _ in STATES]
    for record in records:
        age = now - record.entered
        counts[record.connection.state.index][sum(age >= bound for bound in AGES)] += 1
    return counts


def describe(record: Record, now: float) -> dict[str, Any]:
    """Return all that is known of one connection."""
    connection = record.connection
    waits = connection.deadline - now
    route = connection.route
    return {
        "number": connection.number,
        "fd": record.fd,
        "peer": record.peer,
        "state": connection.state.index,
        "served": connection.served,
        "route": route.template if route is not None else "",
        "interest": int(connection.interest),
        "deadline": None if waits == inf else (connection.state.timeout, round(waits, 3)),
        "parser": {"phase": connection.phase, "buffered": connection.unparsed},
        "outbox": {"octets": connection.unsent, "body": connection.body},
        "age": round((record.closed_at or now) - connection.opened_at, 3),
        "closed": connection.state is State.CLOSED,
        "why": record.why,
        "history": [(round(now - when, 6), before, after) for when, before, after in record.history],
        "missing": record.missing,
        "octets": [(round(now - when, 6), *others) for when, *others in record.pieces],
    }
