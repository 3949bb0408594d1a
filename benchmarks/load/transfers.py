"""Large transfers, as background load: each repeatedly downloads, or uploads, a file of a known size.

Each transfer has its own connection, which the server closes at the end. One that fails ends the round, with
the reason. To keep the client fast, only the length of downloaded data is compared; on Linux the kernel
does not even copy it (MSG_TRUNC, tcp(7)).
"""

import socket
import sys

from benchmarks.load.clients import Client, ClientGroup
from benchmarks.load.responses import END
from reactor.event_handler import Interest

DISCARD = socket.MSG_TRUNC if sys.platform == "linux" else 0
_zeros = memoryview(bytes(1 << 17))  # sent per event loop turn


class Transfer(Client):
    """Downloads a file by GET, or uploads one by POST; ``transferred`` counts bytes of files."""

    def __init__(self, group: ClientGroup, method: str, target: str, size: int) -> None:
        super().__init__(group)
        self.transferred = 0
        self._size, self._uploads = size, method == "POST"
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
        self._request = "\r\n".join([*lines, *[f"Content-Length: {size}"] * self._uploads, "", ""]).encode()
        self._unsent = 0  # bytes of the file
        self._unread = 0  # bytes of the file; less than 0 if the response has another length
        self._head = b""  # the part of the response's head that has been received

    def fail(self, reason: str) -> None:
        """End the round with a reason."""
        self.group.failure = f"{'upload' if self._uploads else 'download'}: {reason}"
        self.disconnect()

    # Client methods.

    def on_connected(self) -> None:
        """Send the request head; the body follows when the socket is writable."""
        self._head, self.receive_flags = b"", 0
        self._unsent, self._unread = (self._size, 0) if self._uploads else (0, self._size)
        self.interest = Interest.BOTH if self._unsent else Interest.READ
        self.send(self._request)

    def on_sendable(self) -> None:
        """Send part of the body; after the last part, wait for the response."""
        sent = self.send(_zeros[: self._unsent])
        self._unsent -= sent
        self.transferred += sent
        if not self._unsent and self.connected:
            self.interest = Interest.READ

    def on_data(self, data: bytes) -> None:
        """Check the status, and count the bytes of the body."""
        if END in self._head:
            self._count(len(data))
            return
        self._head += data
        head, end, body = self._head.partition(END)
        if end and not head[9:].startswith(b"2"):
            self.fail(f"status {head[9:12].decode(errors='replace')}")
        elif end:
            self.receive_flags = DISCARD
            self._count(len(body))

    def on_disconnect(self, how: str) -> None:
        """Start the next transfer, if this one is complete."""
        if how == "closed" and END in self._head and not (self._unsent or self._unread):
            self.disconnect()
            self.connect_later(0)
        else:
            self.fail(f"connection {how}, {self._unsent + self._unread:,} bytes left")

    def _count(self, size: int) -> None:
        if not self._uploads:
            self._unread -= size
            self.transferred += size
