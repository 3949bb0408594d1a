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

from reactor.acceptor import Acceptor, AcceptorState
from reactor.loop import EventHandler
from reactor.service import ServerState, Service

log = logging.getLogger("reactor")

STOPPING = ServerState.STOPPING  # looked up once here instead of in each turn


class Shutdown(EventHandler):
    """Stops one server; ``finished`` is called when it is STOPPED. A deadline, and no handle."""

    __slots__ = ("_acceptor", "_finished", "_service")

    def __init__(self, service: Service, acceptor: Acceptor, finished: Callable[[], None]) -> None:
        super().__init__()
        self._service = service
        self._acceptor = acceptor
        self._finished = finished
        service.reactor.at_turn_end(self._finish_when_idle)

    @property
    def words(self) -> str:
        """What ``begin`` will do, for the log."""
        delay = self._service.settings.shutdown_delay
        if self._service.state is not ServerState.RUNNING:
            return "stopping at once"
        return f"stopping in {delay:g} s" if delay else "stopping"

    def begin(self) -> None:
        """Stop gracefully; asked again, stop at once."""
        service = self._service
        service.reactor.update_now()
        if service.state is not ServerState.RUNNING:
            self._finish()
        elif service.settings.shutdown_delay:
            service.enter(ServerState.UNREADY)
            self.deadline = service.reactor.now + service.settings.shutdown_delay
        else:
            self._stop_connections()
        service.reactor.refresh(self)

    def on_deadline(self) -> None:
        """Stop accepting after the delay; stop waiting for connections after the timeout."""
        self._service.reactor.update_now()
        if self._service.state is ServerState.UNREADY:
            self._stop_connections()
        else:
            self._finish()

    def _stop_connections(self) -> None:
        """Drain the accept queue; make each connection close after answering what it has received."""
        service = self._service
        service.enter(ServerState.STOPPING)
        self.deadline = service.reactor.now + service.settings.shutdown_timeout
        service.reactor.refresh(self)
        connected = list(service.connections.values())
        self._acceptor.drain()  # first: at the connection limit, idle connections make room for the queue
        for connection in connected:
            try:
                connection.stop()
            except Exception:
                log.exception("%r cannot be stopped gracefully", connection)
                connection.abort()

    def _finish_when_idle(self) -> None:
        service = self._service
        is_idle = service.state is STOPPING and not service.connections
        if is_idle and self._acceptor.state is AcceptorState.CLOSED:
            self._finish()

    def _finish(self) -> None:
        self._service.enter(ServerState.STOPPED)
        self.deadline = inf
        self._finished()
