"""A trace of the loop and of each connection, for Perfetto and chrome://tracing.

Every event of ``reactor.observe.events`` becomes lines of a JSON array, in Google's Trace Event Format:

    Event          Lines (phase)
    TURN_STARTED   -
    SELECTED       -
    CALLED         a slice within the turn's (X); if a handle was ready, an arrow from the end of select
                   (s, f)
    TURN_ENDED     a slice for the turn, one for select within it (X), and counters that changed (C)
    OPENED         the connection and its first state begin (b)
    STATE_CHANGED  the state ends (e), the next one begins (b)
    RESPONSE       a slice for the handler within the callback's, and one for compression (X)
    REFUSED        an instant of the connection (n)
    RECEIVED       -             counted in the callback's slice
    SENT           -             counted in the callback's slice
    ANSWERED       an instant of the connection (n)
    CLOSED         the connection ends (e)

Reading or compressing a body while it is sent counts as part of the callback, not of the handler. Lines are
written once a turn. The file can be read at any time, since the array does not need a closing bracket.
Tracing stops when the file would exceed its size limit or cannot be written; the server continues. The format
of a line is in ``reactor.observe.trace_format``.

The file consists of whole lines at any time, even if the process is killed:

    Event                                 Content of the file
    a write succeeds                      the new lines are added
    a write fails, as on a full disk      unchanged; OSError is raised
    the process is killed during a write  some pages are added; they consist of whole lines

A write is not atomic: if the process is killed, the file has the pages that the kernel had copied. So a line
that does not fit on its page begins on the next one, and spaces fill the gap.
"""

import logging
import os
from functools import lru_cache
from math import inf

from reactor.event_handler import CALLBACKS, EventHandler
from reactor.http11.message import Request
from reactor.logs.access_log import Exchange
from reactor.loop_hooks import Ready
from reactor.observe.events import Event, EventKind, Subscriber
from reactor.observe.instrumented import InstrumentedConnection
from reactor.observe.trace_format import (
    MAX_END_SIZE,
    MAX_EVENT_SIZE,
    READINESS,
    TICKS,
    Track,
    arrow_end_line,
    arrow_start_line,
    counter_line,
    handler_args,
    head_lines,
    last_line,
    microseconds,
    request_args,
    slice_line,
    span,
)
from reactor.server.connection import IDLE, Connection
from reactor.server.state import CloseReason, State

log = logging.getLogger("reactor")

LIMIT = 64 << 20  # bytes
PAGE = 4096  # bytes; larger pages end at a multiple of this


def lay_out(lines: bytes, position: int) -> bytes:
    r"""Insert spaces between lines so that no line spans two pages; the first begins at ``position``.

    >>> lay_out(b"ab\ncd\n", PAGE - 5)
    b'ab\n  cd\n'
    """
    pieces = []
    start = 0
    room = PAGE - position % PAGE
    while len(lines) - start > room:
        end = lines.rfind(b"\n", start, start + room) + 1 or start
        assert end > start or room < PAGE, "line longer than a page"
        pieces += [lines[start:end], b" " * (room - end + start)]
        start, room = end, PAGE
    pieces.append(lines[start:])
    return b"".join(pieces)


class LineFile:
    """A file of lines, truncated when opened; raises OSError if it cannot be opened."""

    def __init__(self, path: str) -> None:
        # O_NONBLOCK: writing to a regular file never blocks, and writing to a FIFO must not.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self.size = 0  # bytes

    def write(self, lines: bytes) -> None:
        """Append lines; raise OSError if they cannot be written completely, and then remove them."""
        data = lay_out(lines, self.size)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:] if written else data)
        except OSError:
            self._remove_partial_write()
            raise
        self.size += written

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _remove_partial_write(self) -> None:
        """Remove lines that were written only in part."""
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            pass  # not a regular file: it has no content to remove


class Trace(Subscriber):
    """Writes a trace of events to a file of at most ``limit`` bytes.

    Raises OSError if the file cannot be opened. It must be subscribed before the first turn.
    """

    def __init__(self, path: str, limit: int = LIMIT) -> None:
        super().__init__()
        self._path = path
        self._file: LineFile | None = LineFile(path)
        self._limit = limit
        self._tracks: dict[EventHandler, Track] = {}
        self._zero = -inf  # time of the first event, in seconds of the reactor's clock
        self._turn = 0  # number of the current turn, 0 between turns
        self._turn_began = self._selected = self._now = 0.0  # seconds since the first event
        self._waited = 0.0  # delay of the latest callback for a ready handle
        self._ready = self._received = self._sent = self._buffered = 0
        self._flows = self._arrows = 0  # arrows that end in a callback; those whose start is written
        self._refused: Connection | None = None  # its next response has no handler
        # Equal requests share one target. Each entry holds at most a head.
        self._request_args = lru_cache(maxsize=128)(request_args)
        self._counters: dict[str, float] = {}
        self._lines: list[str] = []
        self._inner_slices: list[str] = []  # within a callback that has not returned yet
        self._pending_size = 0  # upper bound of the bytes of this turn's lines

    def __call__(self, events: list[Event]) -> None:
        """Write the events of one turn."""
        if self._file is None or not events:
            return
        if self._zero == -inf:
            self._zero = events[0][1]
        self._pending_size += MAX_EVENT_SIZE * len(events)
        if self._file.size + self._pending_size + MAX_END_SIZE * (len(self._tracks) + 1) > self._limit:
            log.warning(
                "trace %r: size limit reached (trace-limit %d), tracing stopped", self._path, self._limit
            )
            self._end("full")
            return
        super().__call__(events)

    def close(self) -> None:
        """End all tracks and the array, and close the file."""
        self._end("closed")

    # The loop.

    def on_turn_started(self, kind: EventKind, when: float, turn: int, timeout: float | None) -> None:
        """Start a turn."""
        self._turn = turn
        self._turn_began = self._selected = self._now = when - self._zero
        self._ready = 0
        self._waited = 0.0

    def on_selected(self, kind: EventKind, when: float, slept: float, ready: Ready) -> None:
        """Record when the selector returned."""
        self._selected = self._now = when - self._zero
        self._ready = len(ready)

    def on_called(
        self, kind: EventKind, when: float, handler: EventHandler, events: int, began: float
    ) -> None:
        """Write the slices of a call, and the end of its arrow if the handle was ready."""
        began -= self._zero
        self._now = when - self._zero
        at, lasted = span(began, self._now)
        track = self._tracks.get(handler)
        args = handler_args(handler) if track is None else track.args
        readiness = READINESS[events]
        args = f'{args}{readiness},"received":{self._received},"sent":{self._sent}'
        self._lines.append(slice_line(CALLBACKS[events], at, lasted, args))
        if readiness:
            self._waited = began - self._selected
            self._flows += 1
            self._lines.append(arrow_end_line(self._flows, at))
        if self._inner_slices:
            self._lines += self._inner_slices
            self._inner_slices.clear()
        self._received = self._sent = 0
        if track is not None and (track.held or track.connection.state is not IDLE):
            self._update_held(track)

    def on_turn_ended(self, kind: EventKind, when: float, turn: int, began: float) -> None:
        """Write the lines of the turn."""
        self._now = when - self._zero
        self._write_turn()

    def _write_turn(self) -> None:
        """Write the turn: its own slices first, since they enclose the others."""
        ready = f'"ready":{self._ready}'
        turn = slice_line("turn", *span(self._turn_began, self._now), f'"turn":{self._turn},{ready}')
        select = slice_line("select", *span(self._turn_began, self._selected), ready)
        # An arrow must start within the slice of select, which does not include its end.
        leave = microseconds(max(self._turn_began, self._selected - 1 / TICKS))
        arrows = [arrow_start_line(flow, leave) for flow in range(self._arrows + 1, self._flows + 1)]
        self._lines[:0] = [turn, select, *arrows]
        self._arrows, self._turn = self._flows, 0
        self._count("ready", self._selected, self._ready)
        self._count("connections", self._now, len(self._tracks))
        self._count("buffered bytes", self._now, self._buffered)
        self._count("lag in ms", self._now, round(self._waited * 1e3, 3))
        self._write()

    def _count(self, name: str, now: float, value: float) -> None:
        """Write a counter if its value has changed."""
        if self._counters.get(name) != value:
            self._counters[name] = value
            self._lines.append(counter_line(name, microseconds(now), value))

    # Connections.

    def on_opened(self, kind: EventKind, when: float, connection: InstrumentedConnection) -> None:
        """Start the track of a connection."""
        track = self._tracks[connection] = Track(connection)
        self._now = when - self._zero
        self._lines.append(track.began(microseconds(self._now)))

    def on_state_changed(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, before: State, after: State
    ) -> None:
        """Write the change of state."""
        track = self._tracks.get(connection)
        if track is not None:
            self._now = when - self._zero
            self._lines.append(track.changed(after, microseconds(self._now)))

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
        """Keep the slices of the handler and the compression until the callback has returned."""
        returned -= self._zero
        if connection is self._refused:
            self._refused = None
        else:
            about = self._request_args(request.method, request.target, request.route)
            args = f'"connection":{connection.number},{about},"status":{status}'
            self._inner_slices.append(slice_line("handler", *span(began - self._zero, returned), args))
        if compressed_bytes:
            args = f'"bytes":{compressed_bytes}'
            self._inner_slices.append(slice_line("gzip", *span(returned, when - self._zero), args))

    def on_refused(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, status: int, reason: str
    ) -> None:
        """Write the refusal."""
        self._refused = connection
        track = self._tracks.get(connection)
        if track is not None:
            self._now = when - self._zero
            self._lines.append(track.refused(microseconds(self._now), status, reason))

    def on_received(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, data: bytes
    ) -> None:
        """Count the bytes."""
        self._received += len(data)

    def on_sent(self, kind: EventKind, when: float, connection: InstrumentedConnection, count: int) -> None:
        """Count the bytes."""
        self._sent += count

    def on_answered(
        self,
        kind: EventKind,
        when: float,
        connection: InstrumentedConnection,
        exchange: Exchange,
        body_bytes: int,
    ) -> None:
        """Write that the response was sent."""
        track = self._tracks.get(connection)
        if track is not None:
            # An aborted response has an earlier time: that of the last progress.
            self._now = max(self._now, when - self._zero)
            at = microseconds(self._now)
            self._lines.append(track.answered(at, exchange.number, exchange.status, body_bytes))

    def on_closed(
        self, kind: EventKind, when: float, connection: InstrumentedConnection, reason: CloseReason
    ) -> None:
        """End the track of the connection."""
        track = self._tracks.pop(connection, None)
        if track is not None:
            self._buffered -= track.held
            self._lines.append(track.ended(microseconds(self._now), reason))

    def _update_held(self, track: Track) -> None:
        """Update the number of bytes that a connection holds; an idle one holds none."""
        held = 0 if track.connection.state is IDLE else track.connection.held
        self._buffered += held - track.held
        track.held = held

    # The file.

    def _write(self) -> None:
        """Write pending lines; if that fails, stop tracing, and continue serving."""
        if self._file is None:
            return
        head = "" if self._file.size else head_lines(os.getpid())
        lines = head + "".join(self._lines)
        self._lines.clear()
        self._pending_size = 0
        try:
            self._file.write(lines.encode("utf-8"))
        except OSError as error:
            log.error("trace %r: write failed, tracing stopped: %s", self._path, error.strerror)
            self._close_file()

    def _end(self, reason: str) -> None:
        """End all tracks and the array, and close the file."""
        if self._turn:
            self._write_turn()
        at = microseconds(self._now)
        self._lines += [track.ended(at, "end of trace") for track in self._tracks.values()]
        self._lines.append(last_line(reason, at))
        self._write()
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._tracks.clear()
