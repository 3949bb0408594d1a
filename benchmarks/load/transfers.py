"""Large transfers, as background load: each repeatedly downloads, or uploads, a file of a known size.

A transfer that fails ends the round, with the reason. To keep the client fast, on Linux the kernel discards
downloaded data without copying it (MSG_TRUNC, tcp(7)); only the length is compared.
"""

import socket
import sys

from benchmarks.load.clients import Client, ClientGroup
from benchmarks.load.responses import END, ResponseError, read_head
from reactor.event_handler import Interest

PIECE = 1 << 17  # bytes that a client sends or receives per event loop turn
DISCARD = socket.MSG_TRUNC if sys.platform == "linux" else 0

_scratch = bytearray(PIECE)  # buffer for discarded data
_zeros = memoryview(bytes(PIECE))


class Transfer(Client):
    """Downloads a file by GET, or uploads one by POST; ``transferred`` counts bytes of files."""

    def __init__(self, group: ClientGroup, method: str, target: str, size: int) -> None:
        super().__init__(group)
        self.transferred = 0
        self._size, self._uploads = size, method == "POST"
        length = f"Content-Length: {size}\r\n" if self._uploads else ""
        self._request = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode()
        self._unsent = 0  # bytes of the body of the request
        self._head = b""  # received part of the response head
        self._left = -1  # bytes of the body of the response; -1 before the head is complete
        self._closes = False

    def fail(self, reason: str) -> None:
        """End the round with a reason."""
        self.group.failure = f"{'upload' if self._uploads else 'download'}: {reason}"
        self.disconnect()

    # Client methods.

    def on_connected(self) -> None:
        """Send the request head; the body follows when the socket is writable."""
        self._head, self._left = b"", -1
        self._unsent = self._size if self._uploads else 0
        self.interest = Interest.BOTH if self._unsent else Interest.READ
        self.send(self._request)

    def on_sendable(self) -> None:
        """Send part of the body; after the last part, wait for the response."""
        sent = self.send(_zeros[: self._unsent])
        self._unsent -= sent
        self.transferred += sent
        if not self._unsent and self.connected:
            self.interest = Interest.READ

    def on_readable(self) -> None:
        """Receive the head; receive and discard the body."""
        if self._left < 0:
            super().on_readable()
            return
        try:
            size = self.handle.recv_into(_scratch, min(PIECE, self._left), DISCARD)
        except BlockingIOError:
            return
        except OSError:
            self.on_disconnect("reset")
            return
        if size:
            self._take(size)
        else:
            self.on_disconnect("closed")

    def on_data(self, data: bytes) -> None:
        """Parse and check the head; the body begins behind it."""
        self._head += data
        end = self._head.find(END) + len(END)
        if end < len(END):
            return
        try:
            head = read_head(self._head[:end])
        except ResponseError as error:
            self.fail(str(error))
            return
        if not head.right or self._unsent:
            self.fail(f"status {head.status} with {self._unsent:,} bytes of the request unsent")
        elif not self._uploads and head.length != self._size:
            self.fail(f"wrong length: {head.length:,} bytes (expected {self._size:,} bytes)")
        else:
            self._left, self._closes = head.length, head.closes
            self._take(len(self._head) - end)

    def on_disconnect(self, how: str) -> None:
        """Fail: the server must not close."""
        self.fail(f"connection {how}")

    def _take(self, size: int) -> None:
        """Count received bytes of the body; after the last one, start the next transfer."""
        self._left -= size
        self.transferred += 0 if self._uploads else size
        if self._left:
            return
        if self._closes:
            self.disconnect()
            self.connect_later(0)
        else:
            self.on_connected()
