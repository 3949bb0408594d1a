"""Graceful shutdown: from the first stop signal (or call of ``stop``) until the last connection is closed.

    State     Connections                                      Until                      Then
    RUNNING   accepted and kept alive                          a stop is requested        UNREADY STOPPING
    UNREADY   accepted; closed after their next response;      shutdown_delay has passed  STOPPING
              /readyz answers 503
    STOPPING  accepted from the accept queue only; closed      all are closed, or         STOPPED
              once the requests received on them are answered  shutdown_timeout has passed
    STOPPED   closed immediately                               -                          -

In UNREADY, an idle connection stays open, and the response to its next request has ``Connection: close``, so
that clients continue with another server before this one stops accepting. A second stop signal leads to
STOPPED immediately. See ``Connection.stop`` for stopping a connection, and ``Acceptor.drain`` for draining
the accept queue.
"""

import logging
from collections.abc import Callable, Sequence
from math import inf

from reactor.event_handler import EventHandler
from reactor.server.acceptor import Acceptor, AcceptorState
from reactor.server.context import ServerContext, ServerState

log = logging.getLogger("reactor")

STOPPING = ServerState.STOPPING  # bound once instead of looked up in each turn


class Shutdown(EventHandler):
    """Stops one server: calls ``stopping`` when that begins, and ``finished`` when it is STOPPED.

    Has a deadline, but no handle.
    """

    __slots__ = ("_acceptors", "_context", "_finished", "_stopping")

    def __init__(
        self,
        context: ServerContext,
        acceptors: Sequence[Acceptor],
        finished: Callable[[], None],
        stopping: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._context = context
        self._acceptors = acceptors
        self._finished = finished
        self._stopping = stopping

    @property
    def description(self) -> str:
        """A description of what ``begin`` will do, for the log."""
        delay = self._context.settings.shutdown_delay
        if self._context.state is not ServerState.RUNNING:
            return "stopping immediately"
        return f"stopping in {delay:g} s" if delay else "stopping"

    def begin(self) -> None:
        """Stop gracefully; if called again, stop immediately."""
        context = self._context
        context.reactor.now = context.reactor.clock()
        if context.state is not ServerState.RUNNING:
            self._finish()
        else:
            self._report_stopping()
            if context.settings.shutdown_delay:
                context.enter(ServerState.UNREADY)
                self.deadline = context.reactor.now + context.settings.shutdown_delay
            else:
                self._stop_connections()
        context.reactor.refresh(self)

    def _report_stopping(self) -> None:
        if self._stopping is not None:
            try:
                self._stopping()
            except Exception:
                log.exception("unhandled exception in on_stopping")

    def on_deadline(self) -> None:
        """Stop accepting after the delay; stop waiting for connections after the timeout."""
        self._context.reactor.now = self._context.reactor.clock()
        if self._context.state is ServerState.UNREADY:
            self._stop_connections()
        else:
            self._finish()

    def _stop_connections(self) -> None:
        """Drain the accept queue, and close each connection once its received requests are answered."""
        context = self._context
        context.enter(ServerState.STOPPING)
        context.reactor.at_turn_end(self._finish_when_closed)
        self.deadline = context.reactor.now + context.settings.shutdown_timeout
        context.reactor.refresh(self)
        connected = list(context.connections.values())
        # First, while the acceptors can still close idle connections to make room.
        for acceptor in self._acceptors:
            acceptor.drain()
        for connection in connected:
            try:
                connection.stop()
            except Exception:
                log.exception("unhandled exception while stopping %r; closing it", connection)
                connection.abort()

    def _finish_when_closed(self) -> None:
        context = self._context
        has_no_connections = context.state is STOPPING and not context.connections
        if has_no_connections and all(each.state is AcceptorState.CLOSED for each in self._acceptors):
            self._finish()

    def _finish(self) -> None:
        self._context.enter(ServerState.STOPPED)
        self.deadline = inf
        self._finished()
