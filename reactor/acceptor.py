"""The acceptor: a listening handle that becomes connections.

    What happens                         What it does
    below the limit on connections       accept, a share each turn
    at the limit, somebody is idle       close the one idle longest, and accept
    at the limit, nobody is idle         pause
    out of descriptors or memory         pause; nobody who is served loses the place

A pause ends when a connection closes, and is looked at again after a moment: a listening handle
that nobody accepts from stays ready, so to keep on waiting for it would be a busy loop.

The acceptor speaks no HTTP.
"""

import errno
import logging
import socket
from math import inf

from reactor.connection import Connection, State
from reactor.loop import EventHandler, Interest
from reactor.service import Service

log = logging.getLogger("reactor")

PAUSE = 0.25  # seconds
# accept(2): out of descriptors, of the process or of the system, or out of memory.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor(EventHandler):
    """Accepts the connections of one listening socket, at most ``limit`` at once."""

    __slots__ = ("_candidates", "_limit", "_searched_at", "_service")

    def __init__(self, service: Service, listener: socket.socket, limit: int) -> None:
        super().__init__(listener, Interest.READ)
        self._service = service
        self._limit = limit
        # Idle connections with the deadlines that they had when looked for, the longest idle last.
        self._candidates: list[tuple[float, Connection]] = []
        self._searched_at = -inf
        service.when_freed = self._resume

    # What others ask.

    def close(self) -> None:
        """Accept nothing more."""
        self._service.when_freed = lambda: None
        self._service.reactor.remove(self)
        self.handle.close()

    # What the reactor calls.

    def on_readable(self) -> None:
        """Accept a turn's share of the connections that wait."""
        connections = self._service.connections
        for _ in range(self._service.settings.turn_accepts):
            if len(connections) >= self._limit and not self._someone_is_idle():
                return
            if not self._accept():
                return
            if len(connections) > self._limit:
                self._candidates.pop()[1].stop()

    def on_deadline(self) -> None:
        """Try again after a pause."""
        self._resume()

    def on_failure(self) -> None:
        """Close the listening handle; the connections go on."""
        self.handle.close()

    # Accepting.

    def _accept(self) -> bool:
        """Accept one connection; return False when no other should be tried in this turn."""
        try:
            sock, address = self.handle.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._pause(error.strerror or str(error))
                return False
            return True  # the client has gone before it was accepted; the next one may be there
        sock.setblocking(False)
        connection = Connection(self._service, sock, str(address[0]))
        self._service.connections[connection.number] = connection
        self._service.reactor.register(connection)
        return True

    # Overload.

    def _someone_is_idle(self) -> bool:
        """Make sure that the last candidate is idle; pause and return False when nobody is.

        Looking for all who are idle takes a moment, so it is done once a turn at most.
        """
        while True:
            while self._candidates:
                deadline, connection = self._candidates[-1]
                if connection.idle and connection.deadline == deadline:
                    return True
                self._candidates.pop()
            if self._searched_at == self._service.reactor.now:
                return False
            self._find_idle()
            if not self._candidates:
                self._pause("all connections are taken, and none is idle")
                return False

    def _find_idle(self) -> None:
        """Look for all who are idle: those who never sent an octet go first, then the longest idle."""
        self._searched_at = self._service.reactor.now
        idle = [each for each in self._service.connections.values() if each.idle]
        idle.sort(key=lambda each: (each.state is State.ACCEPTED, -each.deadline, -each.number))
        self._candidates = [(each.deadline, each) for each in idle]

    def _pause(self, reason: str) -> None:
        if self.interest:
            log.warning("accepting pauses: %s", reason)
        self.interest = Interest.NONE
        self.deadline = self._service.reactor.now + PAUSE

    def _resume(self) -> None:
        if not self.interest:
            self.interest = Interest.READ
            self.deadline = inf
            self._service.reactor.refresh(self)
