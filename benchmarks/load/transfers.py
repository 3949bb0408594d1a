"""Clients that download or upload large files continuously.

    Download   GETs a file repeatedly, and discards it
    Upload     POSTs a file of zeros repeatedly

Both count bytes and complete files. They stop, and record the reason, when a transfer fails. To keep the
client fast, on Linux the kernel discards downloaded data without copying it (MSG_TRUNC, tcp(7)); only the
length is compared.
"""

import socket
import sys
from dataclasses import dataclass, field

from benchmarks.load.client_group import Client, ClientGroup
from benchmarks.load.responses import END, HeadCache, ResponseError, ResponseReader, read_head
from reactor.event_handler import Interest

PIECE = 1 << 17  # bytes that a client sends or receives per event loop turn
DISCARD = socket.MSG_TRUNC if sys.platform == "linux" else 0

_scratch = bytearray(PIECE)  # buffer for discarded data
_zeros = memoryview(bytes(PIECE))


@dataclass
class TransferTotals:
    """Totals of all downloads, or of all uploads."""

    transferred: int = 0
    files: int = 0
    failures: list[str] = field(default_factory=list)


class Transfer(Client):
    """A client that transfers a file of a known size repeatedly."""

    def __init__(self, group: ClientGroup, target: str, size: int, totals: TransferTotals) -> None:
        super().__init__(group)
        self._target = target
        self._size = size
        self._totals = totals
        self._left = 0  # bytes of the file

    def begin(self) -> None:
        """Send the request head."""
        raise NotImplementedError

    def on_connected(self) -> None:
        """Start the next file."""
        self._left = self._size
        self.begin()

    def on_disconnect(self, how: str) -> None:
        """Fail: the server must not close."""
        self.fail(how)

    def fail(self, reason: str) -> None:
        """Stop, and record the reason."""
        self._totals.failures.append(f"{type(self).__name__.lower()}: {reason}")
        self.disconnect()

    def count(self, size: int) -> None:
        """Count transferred bytes."""
        self._totals.transferred += size
        self._left -= size

    def finish(self, closes: bool) -> None:
        """Count a complete file and start the next; reconnect if the server closes the connection."""
        self._totals.files += 1
        if closes:
            self.disconnect()
            self.connect_later(0)
        else:
            self.on_connected()


class Download(Transfer):
    """Downloads a file."""

    def begin(self) -> None:
        """Send the request."""
        self._head = b""  # received part
        self._begun = False  # whether the head is complete
        self._closes = False
        self.send(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % self._target.encode())

    def on_readable(self) -> None:
        """Receive the head; receive and discard the body."""
        if not self._begun:
            super().on_readable()
            return
        try:
            taken = self.handle.recv_into(_scratch, min(PIECE, self._left), DISCARD)
        except BlockingIOError:
            return
        except OSError:
            taken = 0
        if taken:
            self._take(taken)
        else:
            self.fail(f"connection closed {self._left:,} bytes before the end of the file")

    def on_data(self, data: bytes) -> None:
        """Parse the head, and count the body data after it."""
        self._head += data
        end = self._head.find(END) + len(END)
        if end < len(END):
            return
        try:
            head = read_head(self._head[:end])
        except ResponseError as error:
            self.fail(str(error))
            return
        if not head.right or head.length != self._size:
            self.fail(f"status {head.status} with {head.length:,} bytes (expected {self._size:,} bytes)")
            return
        self._begun, self._closes = True, head.closes
        self._take(len(self._head) - end)

    def _take(self, size: int) -> None:
        self.count(size)
        if not self._left:
            self.finish(self._closes)


class Upload(Transfer):
    """Uploads a file of zeros."""

    def begin(self) -> None:
        """Send the head; the body follows when the socket is writable."""
        self._responses = ResponseReader(HeadCache())
        self.interest = Interest.BOTH
        head = f"POST {self._target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {self._size}\r\n\r\n"
        self.send(head.encode())

    def on_sendable(self) -> None:
        """Send part of the body; after the last part, wait for the response."""
        self.count(self.send(_zeros[: self._left]))
        if not self._left and self.connected:
            self.interest = Interest.READ

    def on_data(self, data: bytes) -> None:
        """Check the response."""
        self._responses.feed(data)
        try:
            right = self._responses.next_response(None)
        except ResponseError as error:
            self.fail(str(error))
            return
        head = self._responses.head
        if right and not self._left:
            self.finish(head is not None and head.closes)
        elif right is not None and head is not None:
            self.fail(f"status {head.status} with {self._left:,} bytes of the body unsent")
