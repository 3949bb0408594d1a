"""The clients of one server: many connections in one thread, on reactor's event loop.

    ClientGroup  the event loop, the next request, the tally of the current phase, and the pace
    Tally        counts of requests, errors by reason, and response times
    Client       one non-blocking connection, opened at a given time, and reopened
    Requester    a client that sends requests, and reads and compares the responses

A free requester calls the pace (see ``benchmarks.load.pacing``), which makes it send its next request: at
once, when one is due, or never. Response times are measured from when a request was *due*.
"""

import errno
import itertools
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf

from benchmarks.load.histogram import Histogram
from benchmarks.load.responses import ResponseError, ResponseReader
from benchmarks.servers.workloads import NUMBER, fresh_numbers, numbered
from reactor.event_handler import EventHandler, Interest
from reactor.loop import Reactor

TICK = 0.01  # seconds between two checks of the conditions that end a phase
RECONNECT_DELAY = 0.02  # seconds before a disconnected client reconnects

Pace = Callable[["Requester"], None]  # called when a requester is connected and has no request pending


class LoadError(Exception):
    """The load generator failed; the message is one line."""


@dataclass
class Tally:
    """Counts of requests; ``latency`` includes wrong responses, and the wait for lost ones."""

    verified: int = 0  # complete responses, correct or not
    requests: int = 0  # with a correct response
    failures: Counter[str] = field(default_factory=Counter)  # "503", "wrong body", "reset", "timeout", ...
    transferred: int = 0  # bytes received, including heads
    latency: Histogram = field(default_factory=Histogram)

    def count(self, seconds: float, failure: str = "", answered: bool = True) -> None:
        """Count a request, with its response time or the time waited for a response."""
        self.verified += answered
        if failure:
            self.failures[failure] += 1
        else:
            self.requests += 1
        self.latency.add(seconds)


def send_nothing(requester: "Requester") -> None:
    """Send no request: a pace."""


class ClientGroup(EventHandler):
    """The clients of one server, and the event loop that they share; {n} in a request is a new number."""

    def __init__(self, address: tuple[str, int], request: bytes, expected: bytes, reactor: Reactor) -> None:
        self.address = address
        self.reactor, self.clock = reactor, reactor.clock
        self.tally = Tally()
        self.pace: Pace = send_nothing
        self.pending = 0  # requests without a response yet
        self.failure = ""  # a reason to abort the run
        self.returning = True  # whether disconnected requesters reconnect
        self._request, self._expected = request, expected  # the response body
        self._constant = None if NUMBER.encode() in request else (request, expected)
        self._numbers = itertools.count(fresh_numbers())
        super().__init__(deadline=self.clock())
        self.reactor.register(self)

    def next_request(self) -> tuple[bytes, bytes]:
        """Return the next request, and the expected response body."""
        if self._constant:
            return self._constant
        number = next(self._numbers)
        return numbered(self._request, number), numbered(self._expected, number)

    def start(self, pace: Pace, requesters: Iterable["Requester"]) -> None:
        """Set the pace, and send the first requests on free connections."""
        self.pace = pace
        for each in requesters:
            if each.connected and not each.pending:
                pace(each)

    def run(self, until: Callable[[], bool], seconds: float) -> bool:
        """Run the event loop until a condition holds; return False after some seconds. Raises LoadError."""
        end = self.clock() + seconds
        while not until():
            if self.clock() > end:
                return False
            self.reactor.turn()
            if self.failure:
                raise LoadError(self.failure)
        return True

    def run_for(self, seconds: float) -> None:
        """Run the event loop for some seconds. Raises LoadError."""
        self.run(lambda: False, seconds)

    def on_deadline(self) -> None:
        """End each wait of the event loop after TICK."""
        self.deadline = self.reactor.now + TICK

    def on_failure(self) -> None:
        """Abort the run: an event handler raised an exception."""
        self.failure = "unhandled exception in a client (see the traceback above)"


class Client(EventHandler):
    """A client connection, which can be reopened."""

    receive_buffer = 0  # SO_RCVBUF, if not 0
    receive_flags = 0  # of recv(2)

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

    def on_sendable(self) -> None:
        """Send more data; the socket is writable."""

    def on_data(self, data: bytes) -> None:
        """Process received data."""

    def on_disconnect(self, how: str) -> None:
        """Handle the end of the connection; ``how`` is "refused", "closed" or "reset"."""
        self.disconnect()

    # Called by the reactor.

    def on_deadline(self) -> None:
        """Connect."""
        self.deadline = inf
        self.handle = socket.socket()
        self.handle.setblocking(False)
        if self.receive_buffer:
            self.handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        error = self.handle.connect_ex(self.group.address)
        if error in (0, errno.EINPROGRESS):
            self.interest = Interest.WRITE
        else:
            self.on_disconnect("refused")

    def on_writable(self) -> None:
        """Finish connecting; later, send more data."""
        if self.connected:
            self.on_sendable()
        elif self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_disconnect("refused")
        else:
            self.connected = True
            self.interest = Interest.READ
            self.on_connected()

    def on_readable(self) -> None:
        """Receive data, or report the end or a reset of the connection."""
        self.receive(1 << 16)

    def on_failure(self) -> None:
        """Abort the whole run after an exception."""
        self.group.on_failure()
        self.disconnect()

    # System calls.

    def receive(self, size: int) -> None:
        """Receive at most ``size`` bytes, or report the end or a reset of the connection."""
        try:
            data = self.handle.recv(size, self.receive_flags)
        except BlockingIOError:
            return
        except OSError:
            self.on_disconnect("reset")
            return
        if data:
            self.on_data(data)
        else:
            self.on_disconnect("closed")

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


class Requester(Client):
    """One connection, which sends requests when the pace says so, and reconnects when closed."""

    def __init__(self, group: ClientGroup) -> None:
        super().__init__(group)
        self.losses = 0  # connections that have ended
        self.was_answered = False  # whether it has received a response
        self.pending: tuple[float, bytes] | None = None  # due time, expected body
        self._responses = ResponseReader()

    def send_request(self, due: float) -> None:
        """Send a request that is due at ``due`` (time of the group's clock)."""
        request, expected = self.group.next_request()
        self.pending = due, expected
        self.group.pending += 1
        if self.send(request) < len(request) and self.connected:
            self.on_disconnect("send buffer full")

    def on_connected(self) -> None:
        """Notify the pace."""
        self.group.pace(self)

    def on_data(self, data: bytes) -> None:
        """Count a complete response, and notify the pace."""
        group = self.group
        group.tally.transferred += len(data)
        self._responses.feed(data)
        if self.pending is None:
            return
        due, expected = self.pending
        try:
            failure = self._responses.next_response(expected)
        except ResponseError:
            self.on_disconnect("invalid response")
            return
        if failure is not None:
            self.pending = None
            group.pending -= 1
            group.tally.count(group.clock() - due, failure)
            self.was_answered = True
            if self._responses.head.closes:
                self.on_disconnect("closed")
            else:
                group.pace(self)

    def on_disconnect(self, how: str) -> None:
        """Count a lost request and reconnect: at once after a regular close, otherwise with a delay."""
        group = self.group
        delay = RECONNECT_DELAY if self.pending or how != "closed" else 0.0
        if how == "refused":
            group.tally.failures[how] += 1
        if self.pending:
            group.tally.count(group.clock() - self.pending[0], how, answered=False)
            group.pending -= 1
        self.losses += 1
        self.pending, self._responses = None, ResponseReader()
        self.disconnect()
        if group.returning:
            self.connect_later(delay)
