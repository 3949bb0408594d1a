"""Trace: the loop as a timeline, in the Trace Event Format, for Perfetto and chrome://tracing.

    the loop        one track of nested slices: turn, select, a call of each event handler, handler, gzip
    connections     a track each: one asynchronous slice for each state that it is in
    counters        connections, ready handles, octets in memory, lag in milliseconds
    arrows          from the selector's return to the call that its readiness led to

The file is an array of events, one a line. The format lets its last bracket be missing, so that a server
that is killed leaves what it had written, and all of it can be read; what belongs to one turn is written
at once. The file ends at a limit, and with the disk; the server goes on. Times are in microseconds since the
first event. Of what a client sent there is the method and the target, escaped and cut, and no content.
"""

import json
import logging
import os
import stat
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from reactor.access_log import Exchange
from reactor.connection import State
from reactor.http11.message import Request
from reactor.loop import HOOKS, EventHandler
from reactor.names import descriptor_of, name_of, peer_of
from reactor.observer import CALLED, ENDED, SELECTED, TURN, Event
from reactor.watched import ANSWERED, ENTERED, OPENED, REFUSED, RESPONSE, SENT, WatchedConnection
from reactor.watched import CLOSED as GONE

log = logging.getLogger("reactor")

LIMIT = 256 << 20  # octets of the file
LONGEST = 200  # characters of a target
_LOOP = '"pid":1,"tid":1'
_BEGINNING = (
    "[\n"
    f'{{"ph":"M",{_LOOP},"name":"process_name","args":{{"name":"reactor"}}}},\n'
    f'{{"ph":"M",{_LOOP},"name":"thread_name","args":{{"name":"the loop"}}}},\n'
)
_ARROW = 0.001  # microseconds before its end that the selector's slice has its arrows


class Trace:
    """A reader of the stream that writes a file; raises OSError when it cannot be opened."""

    def __init__(self, path: str, limit: int = LIMIT) -> None:
        # Without waiting: a pipe that nobody reads would stop us here.
        self._fd: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o644)
        if stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise OSError(0, "it is a pipe, and is to be a file")
        self._limit = limit
        self._size = 0
        self._lines = [_BEGINNING]
        self._start: float | None = None
        self._arrows = 0
        self._arrows_of: dict[EventHandler, int] = {}
        self._connections = self._buffered = 0
        self._buffers: dict[int, int] = {}  # by connection
        self._states: dict[int, State] = {}  # whose slice is open, by connection
        self._touched: dict[int, WatchedConnection] = {}
        self._turn_at = self._selected_at = self._last_began = 0.0
        self._tell: dict[str, Callable[..., None]] = {
            TURN: self._turn,
            SELECTED: self._selected,
            CALLED: self._called,
            ENDED: self._ended,
            OPENED: self._opened,
            ENTERED: self._entered,
            RESPONSE: self._response,
            REFUSED: self._refused,
            SENT: self._sent,
            ANSWERED: self._answered,
            GONE: self._gone,
        }

    def __call__(self, events: list[Event]) -> None:
        """Read what happened, and write it."""
        if self._fd is None:
            return
        if self._start is None:
            self._start = events[0][1] if events else None
        for kind, *facts in events:
            tell = self._tell.get(kind)
            if tell is not None:
                tell(*facts)
        self._write()

    def close(self) -> None:
        """End the slices that are open, and the array."""
        if self._fd is not None:
            self._lines.append(
                f'{{"ph":"M",{_LOOP},"name":"thread_sort_index","args":{{"sort_index":0}}}}\n]\n'
            )
            self._write()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    # The loop.

    def _us(self, when: float) -> float:
        return (when - (self._start or 0.0)) * 1e6

    def _slice(self, name: str, began: float, ended: float, args: str = "") -> None:
        start = self._us(began)
        self._lines.append(
            f'{{"ph":"X",{_LOOP},"name":"{name}","cat":"loop","ts":{start:.3f},'
            f'"dur":{self._us(ended) - start:.3f},"args":{{{args}}}}},\n'
        )

    def _turn(self, when: float, turn: int, timeout: float | None) -> None:
        self._turn_at = when

    def _selected(self, when: float, waited: float, ready: list[Any]) -> None:
        self._slice("select", self._turn_at, when, f'"ready":{len(ready)}')
        self._selected_at = self._last_began = when
        arrow_at = max(self._us(self._turn_at), self._us(when) - _ARROW)
        self._arrows_of.clear()
        for key, _ in ready:
            self._arrows += 1
            self._arrows_of[key.data] = self._arrows
            self._lines.append(
                f'{{"ph":"s",{_LOOP},"name":"ready","cat":"loop","id":{self._arrows},"ts":{arrow_at:.3f}}},\n'
            )
        self._count("ready", "handles", len(ready), when)

    def _called(self, when: float, handler: EventHandler, events: int, began: float) -> None:
        fd = descriptor_of(handler.handle)
        self._slice(HOOKS[events], began, when, f'"of":"{name_of(handler)}","fd":{fd}')
        if events:
            self._last_began = began
            arrow = self._arrows_of.pop(handler, None)
            if arrow is not None:
                self._lines.append(
                    f'{{"ph":"f","bp":"e",{_LOOP},"name":"ready","cat":"loop","id":{arrow},'
                    f'"ts":{self._us(began):.3f}}},\n'
                )

    def _ended(self, when: float, turn: int, began: float) -> None:
        self._slice("turn", self._turn_at, when, f'"turn":{turn}')
        for number, connection in self._touched.items():
            buffered = connection.unparsed + connection.unsent if number in self._states else 0
            self._buffered += buffered - self._buffers.get(number, 0)
            if buffered:
                self._buffers[number] = buffered
            else:
                self._buffers.pop(number, None)
        self._touched.clear()
        self._count("connections", "open", self._connections, when)
        self._count("in memory", "octets", self._buffered, when)
        self._count("lag", "ms", round((self._last_began - self._selected_at) * 1e3, 3), when)

    def _count(self, name: str, unit: str, value: float, when: float) -> None:
        self._lines.append(
            f'{{"ph":"C",{_LOOP},"name":"{name}","ts":{self._us(when):.3f},"args":{{"{unit}":{value}}}}},\n'
        )

    # Connections.

    def _state(self, phase: str, when: float, number: int, state: State, args: str = "") -> None:
        self._lines.append(
            f'{{"ph":"{phase}",{_LOOP},"name":"{state.name}","cat":"connection","id":{number},'
            f'"ts":{self._us(when):.3f},"args":{{{args}}}}},\n'
        )

    def _opened(self, when: float, connection: WatchedConnection) -> None:
        self._connections += 1
        self._states[connection.number] = State.ACCEPTED
        args = f'"fd":{descriptor_of(connection.handle)},"peer":"{peer_of(connection)}"'
        self._state("b", when, connection.number, State.ACCEPTED, args)

    def _entered(self, when: float, connection: WatchedConnection, before: State, after: State) -> None:
        number = connection.number
        self._touched[number] = connection
        self._state("e", when, number, before)
        if after is State.CLOSED:
            self._states.pop(number, None)
        else:
            self._states[number] = after
            self._state("b", when, number, after)

    def _response(
        self,
        when: float,
        connection: WatchedConnection,
        request: Request,
        status: int,
        compressed: int,
        began: float,
        made: float,
    ) -> None:
        route = request.route.template if request.route is not None else ""
        target = _quoted(str(request.target)[:LONGEST])
        args = f'"method":{_quoted(request.method)},"route":{_quoted(route)},"target":{target}'
        self._slice("handler", began, made, f'{args},"status":{status},"connection":{connection.number}')
        if compressed:
            self._slice("gzip", made, when, f'"octets":{compressed}')

    def _refused(self, when: float, connection: WatchedConnection, status: int, reason: str) -> None:
        self._instant("refused", when, connection, f'"status":{status},"reason":{_quoted(reason)}')

    def _answered(self, when: float, connection: WatchedConnection, exchange: Exchange, content: int) -> None:
        self._instant("answered", when, connection, f'"status":{exchange.status},"octets":{content}')

    def _instant(self, name: str, when: float, connection: WatchedConnection, args: str) -> None:
        self._lines.append(
            f'{{"ph":"n",{_LOOP},"name":"{name}","cat":"connection","id":{connection.number},'
            f'"ts":{self._us(when):.3f},"args":{{{args}}}}},\n'
        )

    def _sent(self, when: float, connection: WatchedConnection, count: int, octets: object) -> None:
        self._touched[connection.number] = connection

    def _gone(self, when: float, connection: WatchedConnection, why: str) -> None:
        self._connections -= 1

    # The file.

    def _write(self) -> None:
        """Write what there is, whole lines only; give up where that cannot be."""
        octets = "".join(self._lines).encode()
        self._lines.clear()
        if self._fd is None or not octets:
            return
        if self._size + len(octets) > self._limit:
            self._give_up(f"it has reached its limit of {self._limit:,} octets")
            return
        try:
            written = os.write(self._fd, octets)
        except OSError as error:
            self._give_up(error.strerror or str(error))
            return
        if written < len(octets):  # a disk that is full takes a part
            os.ftruncate(self._fd, self._size)
            self._give_up("the disk is full")
            return
        self._size += written

    def _give_up(self, reason: str) -> None:
        assert self._fd is not None
        log.warning("the trace ends: %s", reason)
        os.close(self._fd)
        self._fd = None


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return json.dumps(text)
