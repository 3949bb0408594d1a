"""The write timeout: when to reset a connection whose client reads nothing.

A socket whose buffer is full accepts nothing until the client has read about a third of it, which can be a
megabyte. So the connection checks several times per timeout how much the client has not acknowledged; when
that has become less, the timeout restarts.
"""

import fcntl
import socket
import sys
import termios
from collections.abc import Callable
from math import inf

CHECKS = 12  # per timeout

# Returns how many bytes that a socket has accepted are not acknowledged by the client.
Unacknowledged = Callable[[socket.socket], int]


def unacknowledged(sock: socket.socket) -> int:
    """Return how many bytes the socket has accepted and the client has not acknowledged; 0 if unknown."""
    try:
        return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


class WriteTimeout:
    """The write timeout of one connection. All times are in seconds of the reactor's clock.

    ``ends`` is when it ends unless the client acknowledges bytes; -inf before the first start.
    """

    __slots__ = ("_count", "_due", "_length", "_socket", "_unacknowledged", "ends")

    def __init__(self, sock: socket.socket, length: float, unacknowledged: Unacknowledged) -> None:
        self._socket = sock
        self._length = length
        self._count = unacknowledged
        self._unacknowledged = 0  # at the last check
        self._due = 0.0  # when the next check is due
        self.ends = -inf

    def start(self, now: float) -> float:
        """Start; return when the first check is due."""
        self._unacknowledged = self._count(self._socket)
        self.ends = now + self._length
        return self._plan(now)

    def check(self, now: float, due: float) -> float | None:
        """Restart if the client has acknowledged bytes; return when to check again, None if it has ended.

        ``due`` is when this check was due: later than planned if a long callback has extended the deadline of
        the connection. The timeout is extended by as much.
        """
        self.ends += due - self._due
        before, self._unacknowledged = self._unacknowledged, self._count(self._socket)
        if self._unacknowledged < before:
            self.ends = now + self._length
        return self._plan(now) if now < self.ends else None

    def next_check(self, now: float) -> float:
        """Return when a check follows that of now."""
        return now + self._length / CHECKS

    def _plan(self, now: float) -> float:
        self._due = min(self.next_check(now), self.ends)
        return self._due
