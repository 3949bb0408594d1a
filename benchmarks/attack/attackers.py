"""Attack clients, one class per kind of attack. They reconnect when disconnected.

    Slow        sends a head one byte at a time; SlowBody: a body, or a chunked body
    SlowReader  requests a large file, and reads little of it, or nothing
    Silent      sends nothing; HalfHead: an incomplete head; Idle: at most one request
    Storm       sends requests continuously, and never reads
    Hoarder     uses two file descriptors of the server per connection
    Bomb        sends requests that exceed a limit, or are expensive to parse, and checks the status

Responses and disconnects are counted in ``ClientGroup.events``.
"""

import itertools
import socket
from collections.abc import Iterator, Mapping

from benchmarks.load.client_group import Client, ClientGroup
from reactor.event_handler import Interest

HEAD_BEGUN = b"GET /echo/slow HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
STORM = b"GET /echo/storm HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1400  # about 64 KiB
LARGE = b"GET /files/large HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Attacker(Client):
    """An attacker; ``interval`` is the time between two actions, in seconds."""

    def __init__(self, group: ClientGroup, number: int, interval: float) -> None:
        super().__init__(group)
        self.number = number
        self.interval = interval

    def schedule(self) -> None:
        """Set the timer for the next action."""
        self.deadline = self.group.reactor.now + self.interval

    def on_data(self, data: bytes) -> None:
        """Count responses by status."""
        if data.startswith(b"HTTP/1.1 "):
            self.group.events[data[9:12].decode()] += 1

    def on_disconnect(self, how: str) -> None:
        """Count the disconnect, and reconnect."""
        self.group.events[how] += 1
        self.disconnect()
        if self.group.returning:
            self.connect_later(self.interval)


class Slow(Attacker):
    """Sends the start of a request, and then one byte at a time."""

    def __init__(self, group: ClientGroup, number: int, interval: float) -> None:
        super().__init__(group, number, interval)
        self._data: Iterator[int] = iter(b"")

    def beginning(self) -> bytes:
        """Return the data to send first."""
        return HEAD_BEGUN

    def dripping(self) -> bytes:
        """Return the data to send byte by byte, repeatedly."""
        return b"a"

    def on_connected(self) -> None:
        """Send the start of the request."""
        self._data = itertools.cycle(self.dripping())
        self.schedule()
        self.send(self.beginning())

    def on_timer(self) -> None:
        """Send one byte."""
        self.schedule()
        self.send(bytes([next(self._data)]))


class SlowBody(Slow):
    """Uploads a file one byte at a time; every second attacker uses chunked encoding."""

    def beginning(self) -> bytes:
        """Return the head."""
        framing = b"Transfer-Encoding: chunked" if self.number % 2 else b"Content-Length: 1000000"
        return b"POST /files/slow-%d HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % (self.number, framing)

    def dripping(self) -> bytes:
        """Return body data, or a chunk."""
        return b"1\r\nx\r\n" if self.number % 2 else b"x"


class SlowReader(Attacker):
    """Requests a large file; every second attacker reads a little at intervals, the others nothing."""

    receive_buffer = 4096

    def on_connected(self) -> None:
        """Send the request, and stop reading."""
        self.interest = Interest.NONE
        self.schedule()
        self.send(LARGE)

    def on_timer(self) -> None:
        """Read a little; check whether the server has reset the connection."""
        self.schedule()
        if self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_disconnect("reset")
        elif self.number % 2:
            self._take()

    def _take(self) -> None:
        try:
            data = self.handle.recv(256)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.on_data(data)
        else:
            self.on_disconnect("closed")


class Silent(Attacker):
    """Connects and sends nothing."""

    def on_connected(self) -> None:
        """Send nothing."""


class HalfHead(Attacker):
    """Connects and sends an incomplete head."""

    def on_connected(self) -> None:
        """Send an incomplete head."""
        self.send(HEAD_BEGUN)


class Idle(Attacker):
    """Keeps an idle connection; every second attacker sends one request first."""

    def on_connected(self) -> None:
        """Send one request, or nothing."""
        if self.number % 2:
            self.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


class Storm(Attacker):
    """Sends pipelined requests continuously, and never reads."""

    receive_buffer = 4096

    def __init__(self, group: ClientGroup, number: int, interval: float) -> None:
        super().__init__(group, number, interval)
        self._position = 0

    def on_connected(self) -> None:
        """Wait until the socket is writable; never read."""
        self.interest = Interest.WRITE
        self._position = 0

    def on_sendable(self) -> None:
        """Send more, from the current position."""
        sent = self.send(STORM[self._position :])
        self.group.events["bytes"] += sent
        self._position = (self._position + sent) % len(STORM)


class Hoarder(Attacker):
    """Uses two file descriptors of the server per connection, by an upload or download that stalls."""

    receive_buffer = 4096

    def on_connected(self) -> None:
        """Start an upload without a body, or a download."""
        if self.number % 2:
            self.send(
                b"POST /files/hoard-%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n" % self.number
            )
        else:
            self.send(LARGE)

    def on_data(self, data: bytes) -> None:
        """Stop reading a download; after a 503, reconnect, so that only descriptors run out."""
        super().on_data(data)
        if data.startswith(b"HTTP/1.1 200 "):
            self.interest = Interest.WRITE
        elif data.startswith(b"HTTP/1.1 503 "):
            self.disconnect()
            if self.group.returning:
                self.connect_later(self.interval)

    def on_sendable(self) -> None:
        """Wait for the timer only."""
        self.interest = Interest.NONE
        self.schedule()

    def on_timer(self) -> None:
        """Check whether the server has reset the connection."""
        self.schedule()
        if self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_disconnect("reset")


def many(line: bytes, count: int) -> bytes:
    """Return ``count`` numbered lines."""
    return b"".join(line % number for number in range(count))


_START = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
_UPLOAD = b"POST /files/bomb HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

HEADER_BOMBS: Mapping[bytes, str] = {
    _START + many(b"X-%d: a\r\n", 2000) + b"\r\n": "431",
    _START + b"X: " + b"a" * (1 << 20): "431",
    _START + (b"X: " + b"a" * 8000 + b"\r\n") * 100: "431",
    b"GET /" + b"a" * (1 << 20): "414",
    b"GET /echo/" + b"%61" * 2600 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n": "200",
    b"\r\n" * 10_000 + _START: "400",
}
CHUNK_BOMBS: Mapping[bytes, str] = {
    _UPLOAD + b"1;" + b"a" * (1 << 20): "400",
    _UPLOAD + b"F" * 16 + b"\r\n" + b"x" * 1000: "413",
    _UPLOAD + b"0" * (1 << 20): "400",
    _UPLOAD + b"1\r\nx\r\n" * 40_000 + b"0\r\n\r\n": "201",
    _UPLOAD + (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 250 + b"0\r\n\r\n": "201",
    _UPLOAD + b"0\r\n" + many(b"X-%d: a\r\n", 2000) + b"\r\n": "431",
}


class Bomb(Attacker):
    """Sends one bomb per connection, in turn, and checks the status of the response."""

    bombs: Mapping[bytes, str] = {}

    def __init__(self, group: ClientGroup, number: int, interval: float) -> None:
        super().__init__(group, number, interval)
        self._bombs = list(self.bombs.items())
        self._turn = number
        self._position = 0
        self._expected = ""

    def on_connected(self) -> None:
        """Start sending the next bomb."""
        self._data, self._expected = self._bombs[self._turn % len(self._bombs)]
        self._turn += 1
        self._position = 0
        self.interest = Interest.BOTH

    def on_sendable(self) -> None:
        """Send a part; more at once would delay the honest clients in this thread."""
        self._position += self.send(self._data[self._position : self._position + (1 << 16)])
        if self.connected and self._position == len(self._data):
            self.interest = Interest.READ

    def on_data(self, data: bytes) -> None:
        """Check the status, and reconnect."""
        super().on_data(data)
        if not data.startswith(b"HTTP/1.1 " + self._expected.encode()):
            self.group.events["wrong responses"] += 1
        self.disconnect()
        if self.group.returning:
            self.connect_later(self.interval)

    def on_disconnect(self, how: str) -> None:
        """Count a connection that ended without a response."""
        self.group.events["no response"] += 1
        super().on_disconnect(how)


class HeaderBomb(Bomb):
    """Sends heads that exceed a limit, and valid heads that are expensive to parse."""

    bombs = HEADER_BOMBS

    def on_connected(self) -> None:
        """Send a bomb or, every other time, a valid head that no cache contains."""
        super().on_connected()
        if self._turn // len(self.bombs) % 2:
            serial = self.group.events["connected"]
            fields = b"".join(b"X-%d: %d-%d\r\n" % (n, serial, n) for n in range(95))
            self._data, self._expected = _START + fields + b"\r\n", "200"


class ChunkBomb(Bomb):
    """Sends chunked bodies that exceed a limit, or consist of very small chunks."""

    bombs = CHUNK_BOMBS
