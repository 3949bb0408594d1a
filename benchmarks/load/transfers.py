"""Who keeps a server busy: downloads and uploads of large files, one after the other, on the same loop.

    Download   GETs a file again and again, and throws it away as it comes
    Upload     POSTs zeros again and again

Both count octets and whole files, and stop with a reason when the server does anything but serve
them. What a download brings is never copied out of the kernel where the kernel can forget it by itself
(MSG_TRUNC, tcp(7)): the client is not what is to be measured. Its length is compared, not its content.
"""

import socket
import sys
from dataclasses import dataclass, field

from benchmarks.load.client_group import Client, ClientGroup
from benchmarks.load.responses import END, HeadCache, ResponseError, ResponseReader, read_head
from reactor.event_handler import Interest

PIECE = 1 << 17  # octets that one client takes or gives in one turn
FORGET = socket.MSG_TRUNC if sys.platform == "linux" else 0

_scratch = bytearray(PIECE)  # what was received, until it is overwritten
_zeros = memoryview(bytes(PIECE))


@dataclass
class TransferTotals:
    """What one direction has carried."""

    octets: int = 0
    files: int = 0
    failures: list[str] = field(default_factory=list)


class Transfer(Client):
    """One of those who carry files of one size, under one target."""

    def __init__(self, group: ClientGroup, target: str, size: int, totals: TransferTotals) -> None:
        super().__init__(group)
        self._target = target
        self._size = size
        self._totals = totals
        self._left = 0  # octets of the file

    def begin(self) -> None:
        """Ask for a file, or announce one."""
        raise NotImplementedError

    def on_connected(self) -> None:
        """Begin with a file."""
        self._left = self._size
        self.begin()

    def on_disconnect(self, how: str) -> None:
        """Stop; nobody has told the server to close."""
        self.fail(how)

    def fail(self, reason: str) -> None:
        """Stop, and say why."""
        self._totals.failures.append(f"{type(self).__name__.lower()}: {reason}")
        self.disconnect()

    def count(self, octets: int) -> None:
        """Count octets of the file."""
        self._totals.octets += octets
        self._left -= octets

    def finish(self, closes: bool) -> None:
        """Count a file, and begin another: on a new connection when this one will be closed."""
        self._totals.files += 1
        if closes:
            self.disconnect()
            self.connect_later(0)
        else:
            self.on_connected()


class Download(Transfer):
    """Takes a file, of which the size is known."""

    def begin(self) -> None:
        """Ask for it."""
        self._head = b""  # as far as it has come
        self._begun = False  # whether content is coming
        self._closes = False
        self.send(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % self._target.encode())

    def on_readable(self) -> None:
        """Take a head as octets, and content as a count."""
        if not self._begun:
            super().on_readable()
            return
        try:
            taken = self.handle.recv_into(_scratch, min(PIECE, self._left), FORGET)
        except BlockingIOError:
            return
        except OSError:
            taken = 0
        if taken:
            self._take(taken)
        else:
            self.fail(f"ended {self._left:,} octets too early")

    def on_data(self, octets: bytes) -> None:
        """Look at the head; what came behind it is content."""
        self._head += octets
        end = self._head.find(END) + len(END)
        if end < len(END):
            return
        try:
            head = read_head(self._head[:end])
        except ResponseError as error:
            self.fail(str(error))
            return
        if not head.right or head.length != self._size:
            self.fail(f"answered {head.status} with {head.length:,} octets instead of {self._size:,}")
            return
        self._begun, self._closes = True, head.closes
        self._take(len(self._head) - end)

    def _take(self, octets: int) -> None:
        self.count(octets)
        if not self._left:
            self.finish(self._closes)


class Upload(Transfer):
    """Gives a file of zeros."""

    def begin(self) -> None:
        """Announce it; it follows when there is room."""
        self._responses = ResponseReader(HeadCache())
        self.interest = Interest.BOTH
        head = f"POST {self._target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {self._size}\r\n\r\n"
        self.send(head.encode())

    def on_sendable(self) -> None:
        """Give a piece; wait for the answer alone when all is given."""
        self.count(self.send(_zeros[: self._left]))
        if not self._left and self.connected:
            self.interest = Interest.READ

    def on_data(self, octets: bytes) -> None:
        """Look at the answer."""
        self._responses.feed(octets)
        try:
            right = self._responses.next_response(None)
        except ResponseError as error:
            self.fail(str(error))
            return
        head = self._responses.head
        if right and not self._left:
            self.finish(head is not None and head.closes)
        elif right is not None and head is not None:
            self.fail(f"answered {head.status} with {self._left:,} octets still to come")
