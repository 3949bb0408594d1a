"""One simulated TCP connection, between two simulated kernels.

It holds a buffer of some size for each direction, and what each side has said about its end. The
client's calls are here; the server's are those of a ``Socket`` in ``network.py``. A reset does what
RFC 9112, 9.6 warns of: what the other side has not read yet is lost.
"""

import zlib
from collections.abc import Callable
from math import inf


class Reset(Exception):  # noqa: N818 - it is an event, not an error
    """What a client sees of a connection that was reset."""


class ByteSummary:
    """Names some bytes in a trace, when there is one."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __str__(self) -> str:
        return f"{len(self._data)} bytes [{zlib.crc32(self._data):08x}]" if self._data else "the end"


class TcpConnection:
    """One TCP connection. *up* goes to the server, *down* to the client."""

    def __init__(self, name: str, up_size: int, down_size: int) -> None:
        self.name = name
        self.up, self.down = bytearray(), bytearray()
        self.up_size, self.down_size = up_size, down_size
        self.up_ended = self.down_ended = False  # that side has said that it sends no more
        self.client_closed = self.server_closed = False
        self.client_reset = self.server_reset = False  # that side sees a reset
        self.accepted_at = 0.0
        self.shut_at = inf  # when the server has said that it sends no more
        self.closed_at = inf  # when the server has closed
        self.received_at = -inf  # when the server has received last
        self.read_at = 0.0  # when the client has read last
        self.sent_late = False  # the client has sent bytes after the server had closed
        self.notify_client: Callable[[], None] = lambda: None
        self.notify_server: Callable[[], None] = lambda: None

    # What the client does.

    @property
    def client_can_read(self) -> bool:
        return bool(self.down) or self.down_ended or self.client_reset

    @property
    def client_can_send(self) -> bool:
        return len(self.up) < self.up_size or self.client_reset or self.server_closed

    def client_send(self, data: bytes) -> int:
        """Send as much as there is room for; return the number of bytes. Raise Reset."""
        if self.server_closed:
            self.sent_late = True
            self.break_client()
        if self.client_reset:
            raise Reset
        taken = data[: self.up_size - len(self.up)]
        self.up += taken
        self.notify_server()
        return len(taken)

    def client_receive(self, size: int, now: float) -> bytes | None:
        """Return what came, b"" at the end, None for nothing yet. Raise Reset."""
        if self.client_reset:
            raise Reset
        data = bytes(self.down[:size])
        del self.down[:size]
        if data:
            self.read_at = now
            self.notify_server()
            return data
        return b"" if self.down_ended else None

    def client_half_close(self) -> None:
        self.up_ended = True
        self.notify_server()

    def client_close(self) -> None:
        """Close; with bytes unread, a kernel resets."""
        if self.down and not self.down_ended:
            self.client_abort()
        elif not self.client_closed:
            self.client_closed = self.up_ended = True
            self.notify_server()

    def client_abort(self) -> None:
        """Send a reset: bytes in transit are lost in both directions."""
        self.client_closed = True
        self.break_server()

    # What happens to both.

    def break_client(self) -> None:
        """Reset the client's end; what it has not read yet is lost."""
        self.client_reset = True
        self.down.clear()
        self.notify_client()

    def break_server(self) -> None:
        """Reset the server's end."""
        if not self.server_closed:
            self.server_reset = True
            self.up.clear()
            self.notify_server()
