"""Attackers: each kind holds, drips or bursts in its own way, and comes back when it is shut out.

    Slow        sends one octet every so often: of a head, of a body, of a chunked body
    SlowReader  asks for a large file, and takes little of it, or nothing
    Silent      connects, and says nothing; or only the beginning of a head; or asks once, and stays
    Storm       sends requests without end, and never reads
    Bomb        sends what no limit allows, or what takes long to read, and expects a certain status

They send what a server must survive; what they met with is counted by their ClientGroup.
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
    """One attacker of many; ``interval`` is in seconds, between two things it does."""

    def __init__(self, group: ClientGroup, number: int, interval: float) -> None:
        super().__init__(group)
        self.number = number
        self.interval = interval

    def schedule(self) -> None:
        """Be called again after a while."""
        self.deadline = self.group.reactor.now + self.interval

    def on_data(self, octets: bytes) -> None:
        """Count the answers by their status."""
        if octets.startswith(b"HTTP/1.1 "):
            self.group.events[octets[9:12].decode()] += 1

    def on_disconnect(self, how: str) -> None:
        """Count it, and come back."""
        self.group.events[how] += 1
        self.disconnect()
        if self.group.returning:
            self.connect_later(self.interval)


class Slow(Attacker):
    """Sends a beginning, and then one octet at a time."""

    def __init__(self, group: ClientGroup, number: int, interval: float) -> None:
        super().__init__(group, number, interval)
        self._octets: Iterator[int] = iter(b"")

    def beginning(self) -> bytes:
        """Return what is sent at once."""
        return HEAD_BEGUN

    def dripping(self) -> bytes:
        """Return what is sent octet by octet, again and again."""
        return b"a"

    def on_connected(self) -> None:
        """Begin a request."""
        self._octets = itertools.cycle(self.dripping())
        self.schedule()
        self.send(self.beginning())

    def on_timer(self) -> None:
        """Send an octet."""
        self.schedule()
        self.send(bytes([next(self._octets)]))


class SlowBody(Slow):
    """Uploads a file, one octet at a time; every second one in the chunked coding."""

    def beginning(self) -> bytes:
        """Return the head."""
        framing = b"Transfer-Encoding: chunked" if self.number % 2 else b"Content-Length: 1000000"
        return b"POST /files/slow-%d HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % (self.number, framing)

    def dripping(self) -> bytes:
        """Return content, or a chunk of it."""
        return b"1\r\nx\r\n" if self.number % 2 else b"x"


class SlowReader(Attacker):
    """Asks for a large file; every second one takes a little now and then, the others nothing."""

    receive_buffer = 4096

    def on_connected(self) -> None:
        """Ask, and do not care what there is to read."""
        self.interest = Interest.NONE
        self.schedule()
        self.send(LARGE)

    def on_timer(self) -> None:
        """Take a little; see whether the server has reset the connection."""
        self.schedule()
        if self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_disconnect("reset")
        elif self.number % 2:
            self._take()

    def _take(self) -> None:
        try:
            octets = self.handle.recv(256)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if octets:
            self.on_data(octets)
        else:
            self.on_disconnect("closed")


class Silent(Attacker):
    """Connects, and stays."""

    def on_connected(self) -> None:
        """Say nothing."""


class HalfHead(Attacker):
    """Connects, begins a head, and stays."""

    def on_connected(self) -> None:
        """Say what makes the server wait for more."""
        self.send(HEAD_BEGUN)


class Idle(Attacker):
    """Connects and stays; every second one has asked once."""

    def on_connected(self) -> None:
        """Ask, or do not."""
        if self.number % 2:
            self.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


class Storm(Attacker):
    """Sends requests as long as the server takes any, and reads no answer."""

    receive_buffer = 4096

    def __init__(self, group: ClientGroup, number: int, interval: float) -> None:
        super().__init__(group, number, interval)
        self._position = 0

    def on_connected(self) -> None:
        """Wait for room alone."""
        self.interest = Interest.WRITE
        self._position = 0

    def on_sendable(self) -> None:
        """Send on, from where the last octets ended."""
        sent = self.send(STORM[self._position :])
        self.group.events["octets"] += sent
        self._position = (self._position + sent) % len(STORM)


class Hoarder(Attacker):
    """Holds two descriptors of the server with one connection: an upload, or a download, that stays."""

    receive_buffer = 4096

    def on_connected(self) -> None:
        """Begin an upload that does not go on, or a download that is not taken."""
        if self.number % 2:
            self.send(
                b"POST /files/hoard-%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n" % self.number
            )
        else:
            self.send(LARGE)

    def on_data(self, octets: bytes) -> None:
        """Of a file, take no more; after a refusal, come again, so that only descriptors are short."""
        super().on_data(octets)
        if octets.startswith(b"HTTP/1.1 200 "):
            self.interest = Interest.WRITE
        elif octets.startswith(b"HTTP/1.1 503 "):
            self.disconnect()
            if self.group.returning:
                self.connect_later(self.interval)

    def on_sendable(self) -> None:
        """Stay, without being told again and again that there is room."""
        self.interest = Interest.NONE
        self.schedule()

    def on_timer(self) -> None:
        """See whether the server has reset the connection."""
        self.schedule()
        if self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.on_disconnect("reset")


def many(line: bytes, count: int) -> bytes:
    """Write many numbered lines."""
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
    """Sends one bomb a connection, the next one each time; what is answered must be as expected."""

    bombs: Mapping[bytes, str] = {}

    def __init__(self, group: ClientGroup, number: int, interval: float) -> None:
        super().__init__(group, number, interval)
        self._bombs = list(self.bombs.items())
        self._turn = number
        self._position = 0
        self._expected = ""

    def on_connected(self) -> None:
        """Begin to send."""
        self._octets, self._expected = self._bombs[self._turn % len(self._bombs)]
        self._turn += 1
        self._position = 0
        self.interest = Interest.BOTH

    def on_sendable(self) -> None:
        """Send a part, so that the honest clients in this thread are not kept waiting by us."""
        self._position += self.send(self._octets[self._position : self._position + (1 << 16)])
        if self.connected and self._position == len(self._octets):
            self.interest = Interest.READ

    def on_data(self, octets: bytes) -> None:
        """Compare the status; one answer is all there should be."""
        super().on_data(octets)
        if not octets.startswith(b"HTTP/1.1 " + self._expected.encode()):
            self.group.events["wrong answers"] += 1
        self.disconnect()
        if self.group.returning:
            self.connect_later(self.interval)

    def on_disconnect(self, how: str) -> None:
        """Count it: a bomb is answered before the connection ends."""
        self.group.events["no answer"] += 1
        super().on_disconnect(how)


class HeaderBomb(Bomb):
    """Sends heads that are too large in every way, and some that are only costly."""

    bombs = HEADER_BOMBS

    def on_connected(self) -> None:
        """Make every other one a valid head whose fields nobody has seen before."""
        super().on_connected()
        if self._turn // len(self.bombs) % 2:
            serial = self.group.events["connected"]
            fields = b"".join(b"X-%d: %d-%d\r\n" % (n, serial, n) for n in range(95))
            self._octets, self._expected = _START + fields + b"\r\n", "200"


class ChunkBomb(Bomb):
    """Sends chunked content that is too large in every way, or cut very small."""

    bombs = CHUNK_BOMBS
