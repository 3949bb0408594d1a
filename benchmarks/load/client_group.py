"""Many client connections in one thread, on reactor's event loop: the base of all our clients.

    ClientGroup   the event loop, the shared settings, and counters of events
    Client        one non-blocking connection, opened at a given time, and reopened

Used by ``benchmarks.load`` and ``benchmarks.attack``.
"""

import errno
import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from math import inf

from reactor.event_handler import EventHandler, Interest
from reactor.loop import Reactor

TICK = 0.01  # seconds between two checks of the conditions that end a run
RECONNECT_DELAY = 0.02  # seconds before a disconnected client reconnects


class Ticker(EventHandler):
    """Ends each wait of the event loop after TICK, and calls ``periodic`` every 25 ticks."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(deadline=reactor.now)
        self._reactor = reactor
        self._ticks = 0
        self.periodic: Callable[[], None] = lambda: None

    def on_deadline(self) -> None:
        """Schedule the next tick."""
        self._ticks += 1
        self.deadline = self._reactor.now + TICK
        if self._ticks % 25 == 0:
            self.periodic()


class ClientGroup:
    """The clients of one server, and the event loop that they share."""

    def __init__(
        self,
        interval: float = 0.0,
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self.reactor = Reactor(selector, clock)
        self.address = ("", 0)  # known when the server has started
        self.interval = interval  # seconds between two requests of an honest client
        self.asking = False  # whether honest clients send requests
        self.returning = True  # whether attackers reconnect
        self.events: Counter[str] = Counter()  # counts by status, and of connects, closes, resets ...
        self.failed = False
        self.ticker = Ticker(self.reactor)
        self.reactor.register(self.ticker)

    @property
    def now(self) -> float:
        """The time of the clock, in seconds."""
        return self.clock()

    def run(self, until: Callable[[], bool], max_wait: float) -> bool:
        """Run the event loop until a condition holds; return False after ``max_wait`` seconds."""
        end = self.now + max_wait
        while not until():
            if self.now > end:
                return False
            self.reactor.turn()
            if self.failed:
                raise RuntimeError("unhandled exception in a client (see the traceback above)")
        return True

    def run_for(self, seconds: float) -> None:
        """Run the event loop for some seconds."""
        self.run(lambda: False, seconds)


class Client(EventHandler):
    """A client connection, which can be reopened; ``receive_buffer`` sets SO_RCVBUF, if not 0."""

    receive_buffer = 0

    def __init__(self, group: ClientGroup) -> None:
        super().__init__()
        self.group = group
        self.connected = False

    # Called by others.

    @property
    def connecting(self) -> bool:
        """True while it waits to connect, or is connecting."""
        return not self.connected and (self.handle is not None or self.deadline != inf)

    def connect_later(self, delay: float) -> None:
        """Connect after some seconds."""
        self.deadline = self.group.reactor.now + delay
        self.group.reactor.refresh(self)

    def disconnect(self) -> None:
        """Close the connection, and cancel its deadline."""
        self.group.reactor.remove(self)
        if self.handle is not None:
            self.handle.close()
            self.handle = None
        self.connected = False

    # Overridden by each kind of client.

    def on_connected(self) -> None:
        """Start, after connecting."""

    def on_timer(self) -> None:
        """Continue after the deadline."""

    def on_sendable(self) -> None:
        """Send more data; the socket is writable."""

    def on_data(self, data: bytes) -> None:
        """Process received data."""

    def on_disconnect(self, how: str) -> None:
        """Handle the end of the connection; ``how`` is "refused", "closed" or "reset"."""
        self.disconnect()

    # Called by the reactor.

    def on_deadline(self) -> None:
        """Connect, or call ``on_timer``."""
        self.deadline = inf
        if self.handle is None:
            self._connect()
        elif self.connected:
            self.on_timer()

    def on_writable(self) -> None:
        """Finish connecting; later, send more data."""
        if self.connected:
            self.on_sendable()
        elif self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_disconnect("refused")
        else:
            self.connected = True
            self.group.events["connected"] += 1
            self.interest = Interest.READ
            self.on_connected()

    def on_readable(self) -> None:
        """Receive data, or report the end or a reset of the connection."""
        try:
            data = self.handle.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            self.on_disconnect("reset")
            return
        if data:
            self.on_data(data)
        else:
            self.on_disconnect("closed")

    def on_failure(self) -> None:
        """Abort the whole run after an exception."""
        self.group.failed = True
        self.disconnect()

    # System calls.

    def send(self, data: bytes | memoryview) -> int:
        """Send as much as the socket accepts; return the number of bytes sent."""
        try:
            sent: int = self.handle.send(data)
            return sent
        except BlockingIOError:
            return 0
        except OSError:
            self.on_disconnect("reset")
            return 0

    def _connect(self) -> None:
        self.handle = socket.socket()
        self.handle.setblocking(False)
        if self.receive_buffer:
            self.handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        error = self.handle.connect_ex(self.group.address)
        if error not in (0, errno.EINPROGRESS):
            self.on_disconnect("refused")
            return
        self.interest = Interest.WRITE
        self.group.reactor.refresh(self)


def max_open_files() -> int:
    """Return the hard limit on open files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def raise_open_file_limit() -> int:
    """Raise the open-file limit of this process to the hard limit; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max_open_files()
