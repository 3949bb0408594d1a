"""Graceful shutdown: from the first request to stop until the last connection is closed.

    State     Connections                                    Until                      Then
    RUNNING   are accepted and persist                       a stop is requested        UNREADY STOPPING
    UNREADY   are accepted and persist; /readyz answers 503  shutdown_delay has passed  STOPPING
    STOPPING  only the accept queue is accepted; each        none is left, or           STOPPED
              closes after answering what it has received    shutdown_timeout
    STOPPED   are cut off                                    -                          -

A second request to stop leads to STOPPED at once. What a stopping connection does is in
``Connection.stop``, and how the accept queue is drained is in ``Acceptor.drain``.
"""

import logging
from collections.abc import Callable
from math import inf

from reactor.event_handler import EventHandler
from reactor.server.acceptor import Acceptor, AcceptorState
from reactor.server.context import ServerContext, ServerState

log = logging.getLogger("reactor")

STOPPING = ServerState.STOPPING  # looked up once here instead of in each turn


class Shutdown(EventHandler):
    """Stops one server; ``finished`` is called when it is STOPPED. A deadline, and no handle."""

    __slots__ = ("_acceptor", "_context", "_finished")

    def __init__(self, context: ServerContext, acceptor: Acceptor, finished: Callable[[], None]) -> None:
        super().__init__()
        self._context = context
        self._acceptor = acceptor
        self._finished = finished

    @property
    def description(self) -> str:
        """What ``begin`` will do, for the log."""
        delay = self._context.settings.shutdown_delay
        if self._context.state is not ServerState.RUNNING:
            return "stopping immediately"
        return f"stopping in {delay:g} s" if delay else "stopping"

    def begin(self) -> None:
        """Stop gracefully; asked again, stop at once."""
        context = self._context
        context.reactor.update_now()
        if context.state is not ServerState.RUNNING:
            self._finish()
        elif context.settings.shutdown_delay:
            context.enter(ServerState.UNREADY)
            self.deadline = context.reactor.now + context.settings.shutdown_delay
        else:
            self._stop_connections()
        context.reactor.refresh(self)

    def on_deadline(self) -> None:
        """Stop accepting after the delay; stop waiting for connections after the timeout."""
        self._context.reactor.update_now()
        if self._context.state is ServerState.UNREADY:
            self._stop_connections()
        else:
            self._finish()

    def _stop_connections(self) -> None:
        """Drain the accept queue; make each connection close after answering what it has received."""
        context = self._context
        context.enter(ServerState.STOPPING)
        context.reactor.at_turn_end(self._finish_when_idle)
        self.deadline = context.reactor.now + context.settings.shutdown_timeout
        context.reactor.refresh(self)
        connected = list(context.connections.values())
        self._acceptor.drain()  # first: at the connection limit, idle connections make room for the queue
        for connection in connected:
            try:
                connection.stop()
            except Exception:
                log.exception("unhandled exception while stopping %r, which is closed", connection)
                connection.abort()

    def _finish_when_idle(self) -> None:
        context = self._context
        is_idle = context.state is STOPPING and not context.connections
        if is_idle and self._acceptor.state is AcceptorState.CLOSED:
            self._finish()

    def _finish(self) -> None:
        self._context.enter(ServerState.STOPPED)
        self.deadline = inf
        self._finished()
