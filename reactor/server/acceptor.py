"""The acceptor: accepts connections from the listening socket, within the connection limit.

    State           Accepts                                             Then
    ACCEPTING       a share of connections each turn                    DRAINING_QUEUE CLOSED
    DRAINING_QUEUE  the rest of the accept queue, for at most a second  CLOSED
                    and at most 4,096 connections
    CLOSED          nothing                                             -

The accept queue of a socket that outlives the process is not drained: another process accepts the rest.

    Situation                            Action
    below the connection limit           accept a share each turn
    at the limit, with idle connections  close the least useful one (see ``_find_closable``), and accept;
                                         those that wait after a failed login count as idle
    at the limit, none idle              pause
    ahead of another worker process      pause for a moment, then accept a share (``sharing.py``)
    out of file descriptors or memory    pause; no open connection is closed

A closed connection counts until the steps of its result end (``Deferred``): they keep files open, such as an
upload that a slow disk is writing. A pause ends when a connection closes, or after a quarter of a second.
During a pause the listening socket is unregistered from the selector: it stays readable, and the loop would
spin.

The acceptor knows nothing about HTTP.
"""

import errno
import logging
import socket
from collections.abc import Callable
from enum import Enum, auto
from math import inf

from reactor.event_handler import EventHandler, Interest
from reactor.http11.addresses import peer_address
from reactor.http11.proxy_header import UNIX
from reactor.server.connection import Connection
from reactor.server.context import ServerContext
from reactor.server.listen import Listener
from reactor.server.sharing import COURTESY, SHARED_ACCEPTS, Sharing
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
    DRAINING_QUEUE = auto()
    CLOSED = auto()


class Acceptor(EventHandler):
    """Accepts the connections of one listening socket, while fewer than ``limit`` are open."""

    __slots__ = (
        "_context",
        "_drain_ends",
        "_drained",
        "_limit",
        "_make_connection",
        "_peer",
        "_peer_address",
        "_quiet_until",
        "_share",
        "_sharing",
        "state",
    )

    is_urgent = True

    def __init__(
        self,
        context: ServerContext,
        listener: Listener,
        limit: int,
        make_connection: ConnectionFactory = Connection,
        sharing: Sharing | None = None,
    ) -> None:
        super().__init__(listener, Interest.READ)
        self._make_connection = make_connection
        self._context = context
        self._limit = limit
        self._sharing = sharing
        share = context.settings.turn_accepts
        self._share = share if sharing is None else min(share, SHARED_ACCEPTS)
        # Clients of a Unix socket have no address.
        self._peer = UNIX if listener.family == socket.AF_UNIX else None
        # Clients over IPv4 have IPv4-mapped addresses there (RFC 4291, 2.5.5.2).
        self._peer_address = peer_address if listener.family == socket.AF_INET6 else str
        self._quiet_until = -inf  # a pause is logged at most once a minute
        self._drain_ends = inf  # a time of the reactor's clock
        self._drained = 0  # connections accepted while draining
        self.state = AcceptorState.ACCEPTING

    # Called by the server.

    def drain(self) -> None:
        """Accept every connection in the accept queue, then close the listening socket.

        Closing it earlier would reset connections that the kernel has already established and that may carry
        a request. ``listen(0)`` shrinks the backlog, so that the kernel establishes few new ones. A socket
        that outlives the process keeps its backlog and its accept queue.
        """
        if self.state is not AcceptorState.ACCEPTING:
            return
        if self.handle.outlives_process:
            self.close()
            return
        self._enter(AcceptorState.DRAINING_QUEUE)
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
        if self.state is AcceptorState.DRAINING_QUEUE:
            self._drain()
        else:
            self._accept_share(self._sharing)

    def _drain(self) -> None:
        """Accept until the queue is empty, before handling requests: slow handlers would use up DRAIN_TIME.

        At the connection limit, or out of file descriptors, continue after a pause.
        """
        while self.state is AcceptorState.DRAINING_QUEUE and self._drained < MAX_DRAINED:
            before = self._drained
            self._accept_share()
            if self._drained == before:
                break
        if self.state is AcceptorState.DRAINING_QUEUE:
            now = self._context.reactor.now
            if self._drained >= MAX_DRAINED or now >= self._drain_ends:
                self.close()
            else:
                # Try again immediately; during a pause, when it ends.
                self.deadline = min(now if self.interest else self.deadline, self._drain_ends)

    def _accept_share(self, others: Sharing | None = None) -> None:
        """Accept a share of connections; see the second table at the top of this file.

        With ``others``, pause if this process is ahead of another one.
        """
        context = self._context
        closable: list[Connection] | None = None
        for _ in range(self._share):
            if others is not None and others.is_ahead(context.occupied):
                self.interest = Interest.NONE
                self.deadline = context.reactor.now + COURTESY  # accepts what they have left
                return
            if context.occupied >= self._limit:
                if closable is None:  # a search of all connections: once per turn
                    closable = self._find_closable()
                    if not closable:
                        self._pause(
                            f"connection limit reached ({self._limit}, all in use; see --max-connections)"
                        )
                        return
                # A connection with unread bytes is about to become active, unless its response is delayed.
                while closable and not closable[-1].is_delayed and closable[-1].has_unread_input():
                    closable.pop()
                if not closable:
                    return
            if not self._accept():
                return
            if closable and context.occupied > self._limit:
                closable.pop().abort()

    def on_deadline(self) -> None:
        """Resume after a pause."""
        self._resume()
        if self.state is AcceptorState.DRAINING_QUEUE:
            self._drain()
        elif self._sharing is not None:
            self._accept_share()

    def on_failure(self) -> None:
        """Close the listening socket after an unhandled exception; connections stay open."""
        self.close()

    # Accepting.

    def _accept(self) -> bool:
        """Accept one connection; return False to stop accepting in this turn."""
        try:
            sock, address = self.handle.accept()
        except BlockingIOError:
            if self.state is AcceptorState.DRAINING_QUEUE:
                self.close()  # the queue is empty
            return False
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._pause(error.strerror or str(error))
                return False
            return True  # the client closed the connection before it was accepted: try the next one
        sock.setblocking(False)
        peer = self._peer or self._peer_address(address[0])
        connection = self._make_connection(self._context, sock, peer)
        self._context.connections[connection.number] = connection
        try:
            self._context.reactor.register(connection)
        except OSError as error:  # a limit of the selector, such as max_user_watches
            connection.abort()
            self._pause(error.strerror or str(error))
            return False
        if self.state is AcceptorState.DRAINING_QUEUE:
            self._drained += 1
            connection.stop()
        return True

    # Overload.

    def _find_closable(self) -> list[Connection]:
        """Return connections that may be closed to accept others; the last one is to be closed first.

        A flood of connections must not displace clients that are being served. So return only the least
        useful group: connections whose login has failed; else those that never sent a byte; else those that
        are dispensable; else those between two requests. If none waits for a request or for the response to
        a failed login, return none. The earliest deadline is last.
        """
        connections = list(self._context.connections.values())
        if self.state is AcceptorState.DRAINING_QUEUE:
            # Clients that were answered and are slow to close must not block clients in the accept queue.
            answered = [each for each in connections if each.state is State.DRAINING]
            if answered:
                return sorted(answered, key=lambda each: (-each.deadline, -each.number))
        idle = [each for each in connections if each.is_between_requests]
        delayed = [each for each in connections if each.is_delayed]
        silent = [each for each in idle if each.state in (State.ACCEPTED, State.RECEIVING_PROXY_HEADER)]
        dispensable = [each for each in connections if each.is_dispensable] if idle else []
        return sorted(
            delayed or silent or dispensable or idle, key=lambda each: (-each.deadline, -each.number)
        )

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
