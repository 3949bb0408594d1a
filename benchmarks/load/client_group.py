"""Many client connections in one thread, on the reactor's own event loop: the base of all our own clients.

    ClientGroup   the loop, what the clients do now, and what they have met with so far
    Client        one connection that does not block, made when its time comes, and made again

``benchmarks.load`` measures with these, ``benchmarks.attack`` attacks with them.
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

TICK = 0.01  # seconds; how often conditions are looked at when nothing happens
RECONNECT_DELAY = 0.02  # seconds, before a client that was disconnected connects again


class Ticker(EventHandler):
    """Keeps the loop turning, and calls a function now and then."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(deadline=reactor.now)
        self._reactor = reactor
        self._ticks = 0
        self.periodic: Callable[[], None] = lambda: None

    def on_deadline(self) -> None:
        """Tick."""
        self._ticks += 1
        self.deadline = self._reactor.now + TICK
        if self._ticks % 25 == 0:
            self.periodic()


class ClientGroup:
    """The clients of one server, and the loop that they share; selector and clock are the reactor's."""

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
        self.asking = False  # whether honest clients ask
        self.returning = True  # whether attackers come back
        self.events: Counter[str] = Counter()  # what attackers met with: statuses, ends, resets
        self.failed = False
        self.ticker = Ticker(self.reactor)
        self.reactor.register(self.ticker)

    @property
    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return self.clock()

    def run(self, until: Callable[[], bool], max_wait: float) -> bool:
        """Let everybody act until something holds; return False when it takes too many seconds."""
        end = self.now + max_wait
        while not until():
            if self.now > end:
                return False
            self.reactor.turn()
            if self.failed:
                raise RuntimeError("a client is at fault: see the traceback above")
        return True

    def run_for(self, seconds: float) -> None:
        """Let everybody act for some time."""
        self.run(lambda: False, seconds)


class Client(EventHandler):
    """One connection after the other; a small ``receive_buffer`` makes one who takes little at once."""

    receive_buffer = 0

    def __init__(self, group: ClientGroup) -> None:
        super().__init__()
        self.group = group
        self.connected = False

    # What others ask.

    @property
    def connecting(self) -> bool:
        """True while it is on its way: it waits to connect, or has not been accepted yet."""
        return not self.connected and (self.handle is not None or self.deadline != inf)

    def connect_later(self, delay: float) -> None:
        """Connect after some seconds."""
        self.deadline = self.group.reactor.now + delay
        self.group.reactor.refresh(self)

    def disconnect(self) -> None:
        """Close the connection, and wait for nothing."""
        self.group.reactor.remove(self)
        if self.handle is not None:
            self.handle.close()
            self.handle = None
        self.connected = False

    # What a kind of client does.

    def on_connected(self) -> None:
        """Begin."""

    def on_timer(self) -> None:
        """Go on: the time has come that was set."""

    def on_sendable(self) -> None:
        """Send more: the kernel takes octets again."""

    def on_data(self, octets: bytes) -> None:
        """Take what the server sent."""

    def on_disconnect(self, how: str) -> None:
        """Act on the end of the connection: "refused", "closed" or "reset"."""
        self.disconnect()

    # What the reactor calls.

    def on_deadline(self) -> None:
        """Connect, or go on."""
        self.deadline = inf
        if self.handle is None:
            self._connect()
        elif self.connected:
            self.on_timer()

    def on_writable(self) -> None:
        """See how connecting went; later, that there is room."""
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
        """Read; an end and a reset are told apart."""
        try:
            octets = self.handle.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            self.on_disconnect("reset")
            return
        if octets:
            self.on_data(octets)
        else:
            self.on_disconnect("closed")

    def on_failure(self) -> None:
        """Let the whole run fail: a client that is wrong measures nothing."""
        self.group.failed = True
        self.disconnect()

    # The calls that touch the socket.

    def send(self, octets: bytes | memoryview) -> int:
        """Send what the kernel takes; return how much that was."""
        try:
            sent: int = self.handle.send(octets)
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
        fault = self.handle.connect_ex(self.group.address)
        if fault not in (0, errno.EINPROGRESS):
            self.on_disconnect("refused")
            return
        self.interest = Interest.WRITE
        self.group.reactor.refresh(self)


def max_open_files() -> int:
    """Return how many files a process may open once it has raised its limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def raise_open_file_limit() -> int:
    """Let this process open as many files as it may; return how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max_open_files()
