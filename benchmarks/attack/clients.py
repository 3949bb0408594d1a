"""Many clients in one thread, on the reactor's own event loop: those who attack, and those who are served.

    Crowd     the loop, what the clients do now, and what they have met with so far
    Client    one connection that does not block, made when its time comes, and made again
    Honest    asks at fixed times, waits for each answer, and holds on to its connection

An honest client's time is counted from the moment a request was due, not from the moment it was
sent: a server that stalls for a second then delays every request that fell into that second, not
only the one that was on its way. The attackers' work on the same core counts, too, so the figures
are upper bounds. This module knows no attack.
"""

import errno
import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from math import inf

from reactor.loop import EventHandler, Interest, Reactor

PULSE = 0.01  # seconds; how often conditions are looked at when nothing happens
RETURN = 0.02  # seconds, before one who was shut out comes back


class Pulse(EventHandler):
    """Keeps the loop turning, and calls a function now and then."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(deadline=reactor.now)
        self._reactor = reactor
        self._beats = 0
        self.now_and_then: Callable[[], None] = lambda: None

    def on_deadline(self) -> None:
        """Beat."""
        self._beats += 1
        self.deadline = self._reactor.now + PULSE
        if self._beats % 25 == 0:
            self.now_and_then()


class Crowd:
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
        self.met: Counter[str] = Counter()  # what attackers met with: statuses, ends, resets
        self.failed = False
        self.pulse = Pulse(self.reactor)
        self.reactor.register(self.pulse)

    @property
    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return self.clock()

    def run(self, until: Callable[[], bool], at_most: float) -> bool:
        """Let everybody act until something holds; return False when it takes too many seconds."""
        end = self.now + at_most
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

    def __init__(self, crowd: Crowd) -> None:
        super().__init__()
        self.crowd = crowd
        self.connected = False

    # What others ask.

    @property
    def coming(self) -> bool:
        """True while it is on its way: it waits to connect, or has not been accepted yet."""
        return not self.connected and (self.handle is not None or self.deadline != inf)

    def come(self, delay: float) -> None:
        """Connect after some seconds."""
        self.deadline = self.crowd.reactor.now + delay
        self.crowd.reactor.refresh(self)

    def leave(self) -> None:
        """Close the connection, and wait for nothing."""
        self.crowd.reactor.remove(self)
        if self.handle is not None:
            self.handle.close()
            self.handle = None
        self.connected = False

    # What a kind of client does.

    def on_connected(self) -> None:
        """Begin."""

    def on_time(self) -> None:
        """Go on: the time has come that was set."""

    def on_room(self) -> None:
        """Send more: the kernel takes octets again."""

    def on_octets(self, octets: bytes) -> None:
        """Take what the server sent."""

    def on_end(self, how: str) -> None:
        """Act on the end of the connection: "refused", "closed" or "reset"."""
        self.leave()

    # What the reactor calls.

    def on_deadline(self) -> None:
        """Connect, or go on."""
        self.deadline = inf
        if self.handle is None:
            self._connect()
        elif self.connected:
            self.on_time()

    def on_writable(self) -> None:
        """See how connecting went; later, that there is room."""
        if self.connected:
            self.on_room()
        elif self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_end("refused")
        else:
            self.connected = True
            self.crowd.met["connected"] += 1
            self.interest = Interest.READ
            self.on_connected()

    def on_readable(self) -> None:
        """Read; an end and a reset are told apart."""
        try:
            octets = self.handle.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            self.on_end("reset")
            return
        if octets:
            self.on_octets(octets)
        else:
            self.on_end("closed")

    def on_failure(self) -> None:
        """Let the whole run fail: a client that is wrong measures nothing."""
        self.crowd.failed = True
        self.leave()

    # The calls that touch the socket.

    def say(self, octets: bytes | memoryview) -> int:
        """Send what the kernel takes; return how much that was."""
        try:
            sent: int = self.handle.send(octets)
            return sent
        except BlockingIOError:
            return 0
        except OSError:
            self.on_end("reset")
            return 0

    def _connect(self) -> None:
        self.handle = socket.socket()
        self.handle.setblocking(False)
        if self.receive_buffer:
            self.handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        fault = self.handle.connect_ex(self.crowd.address)
        if fault not in (0, errno.EINPROGRESS):
            self.on_end("refused")
            return
        self.interest = Interest.WRITE
        self.crowd.reactor.refresh(self)


class Honest(Client):
    """Asks for another text each time, and counts what goes wrong."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        super().__init__(crowd)
        self.number = number
        self.times: list[float] = []  # seconds, one for each answer since they were last taken
        self.answered = 0
        self.errors = 0  # answers that were wrong, and requests that never got one
        self.lost = 0  # connections that ended under us
        self._due = 0.0
        self._expected = b""  # the answer that is awaited
        self._received = b""

    @property
    def waiting(self) -> bool:
        """True while a request has no answer."""
        return bool(self._expected)

    def start(self, delay: float) -> None:
        """Begin to ask, the first time after some seconds."""
        self.deadline = self._due = self.crowd.now + delay
        self.crowd.reactor.refresh(self)

    def give_up(self) -> None:
        """Count a request that has no answer as an error that took as long as we waited."""
        if self.connected and not self.waiting:
            return
        self.errors += 1
        self.lost += 1
        self.times.append(self.crowd.now - self._due)
        self._expected = b""
        self.leave()
        self.come(RETURN)

    def on_connected(self) -> None:
        """Ask for what was due meanwhile."""
        self.crowd.met["connected"] -= 1  # that counts attackers
        self.deadline = self._due if self._due else inf

    def on_time(self) -> None:
        """Ask."""
        if not self.crowd.asking or self.waiting:
            return
        self._expected = b"%d-%d" % (self.number, self.answered)
        self._received = b""
        self.say(b"GET /echo/%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % self._expected)

    def on_octets(self, octets: bytes) -> None:
        """Check the answer when it is whole."""
        self._received += octets
        head, end, content = self._received.partition(b"\r\n\r\n")
        if not end or (head.startswith(b"HTTP/1.1 200 ") and len(content) < len(self._expected)):
            return
        right = self.waiting and head.startswith(b"HTTP/1.1 200 ") and content == self._expected
        if right:
            self.times.append(self.crowd.now - self._due)
        else:
            self.errors += 1
        self.answered += 1
        self._expected = b""
        self._due += self.crowd.interval
        self.deadline = self._due

    def on_end(self, how: str) -> None:
        """Count it, and come back at once."""
        self.lost += 1
        self.errors += self.waiting
        self._expected = b""
        self.leave()
        self.come(RETURN)


def most_files() -> int:
    """Return how many files a process may open once it has raised its limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def raise_limit() -> int:
    """Let this process open as many files as it may; return how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return most_files()
