"""The subscribers: the open pages of the inspector, and the timer that sends them frames.

A snapshot is kept while a page is open. The timer is an event handler of the outer reactor, so that frames
are also sent while the main loop is held.

A held loop without an open page looks like a server that hangs. So RESUMED_AFTER seconds after the last page
was closed, the loop is resumed and its breakpoints are removed. For programs that use the controls without a
page, the time is counted from their last command. Opening or reloading a page in the meantime cancels this.
"""

import logging
from math import inf
from typing import Any

from reactor._version import __version__
from reactor.event_handler import EventHandler
from reactor.http11.message import LiveStream
from reactor.inspector.control import Control
from reactor.inspector.demo import DEMOS, DemoRunner
from reactor.inspector.demo_server import DemoServer
from reactor.inspector.explanations import STEPS
from reactor.inspector.main_loop import Timer
from reactor.inspector.snapshot import MAX_CHIPS, Snapshot
from reactor.inspector.sse import FrameBuilder, PageStream, describe, encode
from reactor.inspector.stepping import SteppedReactor
from reactor.loop import Reactor
from reactor.observe.instrumented import InstrumentedConnection
from reactor.server.context import ServerState
from reactor.server.server import Server
from reactor.server.state import State

log = logging.getLogger("reactor")

INTERVAL, HEARTBEAT = 0.05, 1.0  # seconds
RESUMED_AFTER = 5.0  # seconds
MAX_PAGES = 20


class Subscribers(EventHandler):
    """The open pages of one server's inspector."""

    __slots__ = (
        "_abandoned",
        "_demo_context",
        "_frame_builder",
        "_inner",
        "_outer",
        "_pages",
        "_seen",
        "_sent_at",
        "_server",
        "_snapshot",
        "_waiting",
        "demos",
    )

    def __init__(
        self, server: Server, inner: SteppedReactor, outer: Reactor, demo_server: DemoServer
    ) -> None:
        super().__init__()
        self._server = server
        self._demo_context = demo_server.context
        self._inner = inner
        self._outer = outer
        self._pages: list[PageStream] = []
        self._snapshot: Snapshot | None = None
        self._seen = -1  # the snapshot's version in the last frame
        self._sent_at = -inf
        self._waiting = ""  # what the control waited for in the last frame
        self._abandoned = Timer(self._resume)
        self.demos = DemoRunner(outer, demo_server)
        self._frame_builder = FrameBuilder(inner)

    @property
    def control(self) -> Control:
        """The control of the main loop."""
        return self._inner.control

    @property
    def stopping(self) -> bool:
        """True once a stop was requested, even if the server has not been notified yet."""
        return self.control.is_server_stopping or self._server.context.state is not ServerState.RUNNING

    def add(self, stream: LiveStream) -> bool:
        """Start sending frames to a page; return False if too many pages are open."""
        self._pages = [each for each in self._pages if not each.stream.closed]
        if len(self._pages) >= MAX_PAGES:
            return False
        snapshot = self._start_recording()
        stream.send(encode("hello", self._hello()))
        self._pages.append(PageStream(stream, snapshot))
        self._frame_soon()
        self._expect_page()
        return True

    def describe(self, number: int) -> dict[str, Any] | None:
        """Return the details of a connection, or None if it is unknown."""
        record = self._start_recording().find(number)
        return None if record is None else describe(record, self._inner.clock())

    def changed(self) -> None:
        """Act on a command: send a frame soon, and expect a page within RESUMED_AFTER seconds."""
        self._frame_soon()
        self._expect_page()

    def on_soon(self) -> None:
        """Send a frame after a change."""
        self._seen = -1
        self.on_deadline()

    def on_deadline(self) -> None:
        """Send a frame if something has changed, or as a heartbeat."""
        had_pages = bool(self._pages)
        self._pages = [each for each in self._pages if not each.stream.closed]
        now = self._outer.now
        if not self._pages:
            self.deadline = inf
            self._stop_recording()
            if had_pages:
                self._expect_page()
            return
        self.deadline = now + INTERVAL
        snapshot = self._start_recording()
        is_new = snapshot.version != self._seen or self.control.waiting != self._waiting
        if is_new or now - self._sent_at >= HEARTBEAT:
            self._seen, self._sent_at, self._waiting = snapshot.version, now, self.control.waiting
            frame = self._frame_builder.make(snapshot, self._connections(), self.demos.running)
            for each in self._pages:
                each.send(snapshot, frame)

    def close(self) -> None:
        """Close all streams, and stop the demos."""
        for each in self._pages:
            each.stream.close()
        self.demos.close()

    def _frame_soon(self) -> None:
        """Send a frame in the next turn: the main loop acts on the control at the end of this one."""
        if self._pages:
            self._outer.soon(self)

    def _expect_page(self) -> None:
        """Resume the loop after RESUMED_AFTER seconds if it is held and no page is open."""
        is_abandoned = self.control.may_hold and not self._pages
        self._abandoned.deadline = self._outer.clock() + RESUMED_AFTER if is_abandoned else inf
        self._outer.refresh(self._abandoned)

    def _resume(self) -> None:
        if self.control.may_hold:  # false if the server is stopping
            log.warning("inspector: no page open for %g s: resuming the loop", RESUMED_AFTER)
            self.control.detach()

    def _start_recording(self) -> Snapshot:
        if self._snapshot is None:
            self._snapshot = Snapshot(
                self._inner, self._connections(), self._server.context.settings.slow_turn
            )
            self._inner.subscribe(self._snapshot)
            self.deadline = min(self.deadline, self._outer.now + HEARTBEAT)  # to stop recording again
            self._outer.refresh(self)
        return self._snapshot

    def _connections(self) -> list[InstrumentedConnection]:
        """Return the connections of the server and of the demo server."""
        tables = self._server.context.connections, self._demo_context.connections
        connections = [connection for table in tables for connection in table.values()]
        return [each for each in connections if isinstance(each, InstrumentedConnection)]  # all are

    def _stop_recording(self) -> None:
        if self._snapshot is not None:
            self._inner.unsubscribe(self._snapshot)
            self._snapshot = None

    def _hello(self) -> dict[str, Any]:
        settings = self._server.context.settings
        return {
            "server": self._server.url,
            "version": __version__,
            "states": [
                {
                    "name": state.name,
                    "interest": state.interest.name if state.interest else "-",
                    "timeout": state.timeout,
                    "seconds": state.timeout and self._server.context.timeouts[state.index],
                    "on_timeout": state.on_timeout.value if state.on_timeout else "-",
                    "successors": [each.name for each in state.successors],
                }
                for state in State
            ],
            "steps": [step.as_dict() for step in STEPS],
            "demos": [
                {"name": each.name, "title": each.title, "words": each.description} for each in DEMOS.values()
            ],
            "slow_turn": settings.slow_turn,
            "max_chips": MAX_CHIPS,
        }
