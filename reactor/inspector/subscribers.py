"""The watchers: the pages that look, and the clock that has frames made for them.

A board is kept from when the first page looks until the last one leaves. The ticker is an event handler
of the outer reactor, so that frames are made while the main loop is held, too.

A loop that is held while no page is open looks like a server that hangs. So RESUMED_AFTER seconds after the
last page was closed the loop is resumed, and its breakpoints are removed. The same applies to programs that
use the controls without a page; the time is counted from their last command. A page that is opened earlier,
such as one that reloads, cancels this.
"""

import logging
from math import inf
from typing import Any

from reactor._version import __version__
from reactor.http11.message import LiveStream
from reactor.inspector.demo import DEMOS, Demos
from reactor.inspector.demo_server import DemoServer
from reactor.inspector.explanations import STEPS
from reactor.inspector.snapshot import MOST_CHIPS, Board
from reactor.inspector.sse import Frames, Reader, describe, encode
from reactor.inspector.stepping import Alarm, Control, SteppedReactor
from reactor.inspector.table import state_table
from reactor.loop import EventHandler, Reactor
from reactor.observe.instrumented import InstrumentedConnection
from reactor.server.context import ServerState
from reactor.server.server import Server

log = logging.getLogger("reactor")

INTERVAL, HEARTBEAT = 0.05, 1.0  # seconds
RESUMED_AFTER = 5.0  # seconds
MOST = 20  # pages


class Subscribers(EventHandler):
    """All pages that look at one server."""

    __slots__ = (
        "_abandoned",
        "_board",
        "_demo_service",
        "_inner",
        "_outer",
        "_readers",
        "_seen",
        "_sent_at",
        "_server",
        "_waiting",
        "demos",
        "frames",
        "stop_requested",
    )

    def __init__(
        self, server: Server, inner: SteppedReactor, outer: Reactor, demo_server: DemoServer
    ) -> None:
        super().__init__()
        self._server = server
        self._demo_service = demo_server.context
        self._inner = inner
        self._outer = outer
        self._readers: list[Reader] = []
        self._board: Board | None = None
        self._seen = -1  # the board's version in the last frame
        self._sent_at = -inf
        self._waiting = ""  # what the control waited for in the last frame
        self._abandoned = Alarm(self._resume)
        self.stop_requested = False
        self.demos = Demos(outer, demo_server)
        self.frames = Frames(inner)

    @property
    def control(self) -> Control:
        """What may happen."""
        return self._inner.control

    @property
    def stopping(self) -> bool:
        """True since a stop was requested, of which the server may not have been notified yet."""
        return self.stop_requested or self._server.context.state is not ServerState.RUNNING

    def add(self, stream: LiveStream) -> bool:
        """Begin to tell a page; return False when there are too many."""
        self._readers = [each for each in self._readers if not each.stream.closed]
        if len(self._readers) >= MOST:
            return False
        board = self._look()
        stream.send(encode("hello", self._hello()))
        self._readers.append(Reader(stream, board))
        self._frame_soon()
        self._expect_page()
        return True

    def describe(self, number: int) -> dict[str, Any] | None:
        """Return all that is known of a connection; None when nothing is."""
        record = self._look().find(number)
        return None if record is None else describe(record, self._inner.clock())

    def changed(self) -> None:
        """Act on a command: have a frame made soon, and expect a page within RESUMED_AFTER seconds."""
        self._frame_soon()
        self._expect_page()

    def on_deadline(self) -> None:
        """Send a frame, when there is something new or the last one is old."""
        had_readers = bool(self._readers)
        self._readers = [each for each in self._readers if not each.stream.closed]
        now = self._outer.now
        if not self._readers:
            self.deadline = inf
            self._look_away()
            if had_readers:
                self._expect_page()
            return
        self.deadline = now + INTERVAL
        board = self._look()
        is_new = board.version != self._seen or self.control.waiting != self._waiting
        if is_new or now - self._sent_at >= HEARTBEAT:
            self._seen, self._sent_at, self._waiting = board.version, now, self.control.waiting
            frame = self.frames.make(board, self._connections(), self.demos.running)
            for each in self._readers:
                each.send(board, frame)

    def close(self) -> None:
        """End all streams, and the demos."""
        for each in self._readers:
            each.stream.close()
        self.demos.close()

    def _frame_soon(self) -> None:
        self._seen = -1
        if self._readers:
            self.deadline = min(self.deadline, self._outer.clock())
        self._outer.refresh(self)

    def _expect_page(self) -> None:
        """Resume the loop after RESUMED_AFTER seconds if it is held and no page is open."""
        is_abandoned = self.control.restrains and not self._readers
        self._abandoned.deadline = self._outer.clock() + RESUMED_AFTER if is_abandoned else inf
        self._outer.refresh(self._abandoned)

    def _resume(self) -> None:
        if self.control.restrains:  # no longer when the server stops
            log.warning("inspector: no page open for %g s: resuming the loop", RESUMED_AFTER)
            self.control.hold_no_more()

    def _look(self) -> Board:
        if self._board is None:
            self._board = Board(self._inner, self._connections(), self._server.context.settings.slow_turn)
            self._inner.read_by(self._board)
            self.deadline = min(self.deadline, self._outer.now + HEARTBEAT)  # to look away again
            self._outer.refresh(self)
        return self._board

    def _connections(self) -> list[InstrumentedConnection]:
        """Return the connections of the server, and those of the demos."""
        several: Any = (self._server.context.connections, self._demo_service.connections)  # all watched
        return [connection for each in several for connection in each.values()]

    def _look_away(self) -> None:
        if self._board is not None:
            self._inner.read_no_more_by(self._board)
            self._board = None

    def _hello(self) -> dict[str, Any]:
        settings = self._server.context.settings
        return {
            "server": self._server.url,
            "version": __version__,
            "states": [
                {
                    "name": name,
                    "waits_for": row.waits_for,
                    "deadline": None if row.deadline == "-" else row.deadline,
                    "seconds": None if row.deadline == "-" else getattr(settings, f"{row.deadline}_timeout"),
                    "when_it_passes": row.when_it_passes,
                    "then": row.then,
                }
                for name, row in state_table().items()
            ],
            "steps": [step.told() for step in STEPS],
            "demos": [
                {"name": each.name, "title": each.title, "words": each.words} for each in DEMOS.values()
            ],
            "slow_turn": settings.slow_turn,
            "most_chips": MOST_CHIPS,
        }
