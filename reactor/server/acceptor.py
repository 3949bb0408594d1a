"""The acceptor: accepts connections from the listening socket, within the connection limit.

    State      Accepts                                            Then
    ACCEPTING  a share of connections each turn                   DRAINING  CLOSED
    DRAINING   the whole accept queue; at the connection limit,   CLOSED
               as connections close, for at most a second
    CLOSED     nothing                                            -

    Situation                            Action
    below the connection limit           accept a share each turn
    at the limit, with idle connections  close the least useful one (see ``_find_idle``), and accept
    at the limit, none idle              pause
    out of file descriptors or memory    pause; no open connection is closed

A pause ends when a connection closes, or after a quarter of a second. During a pause the listening socket
is not in the selector: it stays readable, so the loop would spin.

The acceptor knows no HTTP.
"""

import errno
import logging
import socket
from collections.abc import Callable
from enum import Enum, auto
from math import inf

from reactor.event_handler import EventHandler, Interest
from reactor.server.connection import Connection
from reactor.server.context import ServerContext
from reactor.server.state import State

log = logging.getLogger("reactor")

PAUSE = 0.25  # seconds
# Limits for draining the accept queue when the server stops: seconds, and connections.
DRAIN_TIME = 1.0
MAX_DRAINED = 4096
# accept(2): out of file descriptors (process or system), or out of memory.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


# Takes the server context, a non-blocking socket and the client's address.
ConnectionFactory = Callable[[ServerContext, socket.socket, str], Connection]


class AcceptorState(Enum):
    """Whether connections are accepted; see the table at the top of this file."""

    ACCEPTING = auto()
    DRAINING = auto()
    CLOSED = auto()


class Acceptor(EventHandler):
    """Accepts the connections of one listening socket, at most ``limit`` at once."""

    __slots__ = ("_context", "_drain_ends", "_drained", "_limit", "_make_connection", "_quiet_until", "state")

    def __init__(
        self,
        context: ServerContext,
        listener: socket.socket,
        limit: int,
        make_connection: ConnectionFactory = Connection,
    ) -> None:
        super().__init__(listener, Interest.READ)
        self._make_connection = make_connection
        self._context = context
        self._limit = limit
        self._quiet_until = -inf  # a pause is logged once a minute, not for each attempt
        self._drain_ends = inf  # on the reactor's clock
        self._drained = 0  # connections accepted while draining
        self.state = AcceptorState.ACCEPTING

    # Called by the server.

    def drain(self) -> None:
        """Accept every connection in the accept queue, then close the listening socket.

        Closing it earlier would reset connections that the kernel has already established and that may carry
        a request. ``listen(0)`` refuses new ones as far as the kernel allows.
        """
        if self.state is not AcceptorState.ACCEPTING:
            return
        self._enter(AcceptorState.DRAINING)
        self._drain_ends = self._context.reactor.now + DRAIN_TIME
        try:
            self.handle.listen(0)
        except OSError:
            pass  # keep the backlog
        self._resume()
        self._drain()
        self._context.reactor.refresh(self)

    def close(self) -> None:
        """Close the listening socket."""
        if self.state is AcceptorState.CLOSED:
            return
        self._enter(AcceptorState.CLOSED)
        self._context.reactor.remove(self)
        self.handle.close()

    # Called by the reactor.

    def on_readable(self) -> None:
        """Accept a turn's share of the accept queue; while draining, all of it."""
        if self.state is AcceptorState.DRAINING:
            self._drain()
        else:
            self._accept_share()

    def _drain(self) -> None:
        """Accept until the queue is empty, before handling any request: a slow handler would use up the time.

        At the connection limit or out of file descriptors, continue after a pause, for at most DRAIN_TIME.
        """
        while self.state is AcceptorState.DRAINING and self._drained < MAX_DRAINED:
            before = self._drained
            self._accept_share()
            if self._drained == before:
                break
        if self.state is AcceptorState.DRAINING:
            now = self._context.reactor.now
            if self._drained >= MAX_DRAINED or now >= self._drain_ends:
                self.close()
            else:
                self.deadline = min(now if self.interest else self.deadline, self._drain_ends)

    def _accept_share(self) -> None:
        """Accept up to ``turn_accepts`` connections; see the second table at the top of this file."""
        connections = self._context.connections
        idle: list[Connection] | None = None
        for _ in range(self._context.settings.turn_accepts):
            if len(connections) >= self._limit:
                if idle is None:  # a search of all connections: once per turn
                    idle = self._find_idle()
                    if not idle:
                        self._pause(
                            f"connection limit reached ({self._limit}, all in use; see --max-connections)"
                        )
                        return
                # A connection with unread bytes is about to become active.
                while idle and idle[-1].has_unread_input():
                    idle.pop()
                if not idle:
                    return
            if not self._accept():
                return
            if idle and len(connections) > self._limit:
                idle.pop().abort()

    def on_deadline(self) -> None:
        """Resume after a pause."""
        self._resume()
        if self.state is AcceptorState.DRAINING:
            self._drain()

    def on_failure(self) -> None:
        """Close the listening socket after an unhandled exception; connections stay open."""
        self.close()

    # Accepting.

    def _accept(self) -> bool:
        """Accept one connection; return False to stop accepting in this turn."""
        try:
            sock, address = self.handle.accept()
        except BlockingIOError:
            if self.state is AcceptorState.DRAINING:
                self.close()  # the queue is empty
            return False
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._pause(error.strerror or str(error))
                return False
            return True  # the client closed the connection before it was accepted: try the next one
        sock.setblocking(False)
        connection = self._make_connection(self._context, sock, str(address[0]))
        self._context.connections[connection.number] = connection
        try:
            self._context.reactor.register(connection)
        except OSError as error:  # a limit of the selector, such as max_user_watches
            connection.abort()
            self._pause(error.strerror or str(error))
            return False
        if self.state is AcceptorState.DRAINING:
            self._drained += 1
            connection.stop()
        return True

    # Overload.

    def _find_idle(self) -> list[Connection]:
        """Return connections that may be closed to accept others, the one idle longest last.

        A flood of connections must not displace clients that are being served. So if any connection is idle,
        those that never sent a byte come first, then those without a complete first request or in DRAINING.
        """
        held = list(self._context.connections.values())
        if self.state is AcceptorState.DRAINING:
            # Clients that were answered and are slow to close must not block clients in the accept queue.
            answered = [each for each in held if each.state is State.DRAINING]
            if answered:
                return sorted(answered, key=lambda each: (-each.deadline, -each.number))
        idle = [each for each in held if each.idle]
        silent = [each for each in idle if each.state is State.ACCEPTED]
        unfinished = [each for each in held if each.is_dispensable] if idle else []
        return sorted(silent or unfinished or idle, key=lambda each: (-each.deadline, -each.number))

    def _enter(self, state: AcceptorState) -> None:
        assert state.value > self.state.value, f"{self.state} -> {state}"
        self.state = state

    def _pause(self, reason: str) -> None:
        now = self._context.reactor.now
        if now >= self._quiet_until:
            log.warning("not accepting connections: %s; waiting until one is closed", reason)
            self._quiet_until = now + 60.0
        self.interest = Interest.NONE
        self.deadline = now + PAUSE
        self._context.call_at_next_close(self._resume)

    def _resume(self) -> None:
        if not self.interest and self.state is not AcceptorState.CLOSED:
            self.interest = Interest.READ
            self.deadline = inf if self.state is AcceptorState.ACCEPTING else self._context.reactor.now
            try:
                self._context.reactor.refresh(self)
            except OSError as error:  # a limit of the selector: try again later
                self._pause(error.strerror or str(error))
                self._context.reactor.refresh(self)
