"""A response parser for the load generator: bytes in, and for each response what is wrong with it.

    feed(data)                add received data
    next_response(expected)   "": correct; "503", "wrong body": a failure; None: incomplete

Parsed heads are cached, to keep the client fast. Bodies are compared as they arrive and not stored. Only
bodies with Content-Length are supported (RFC 9112, 6.3, rules 1 and 6).
"""

import functools
from typing import NamedTuple

MAX_HEAD = 1 << 16  # bytes
END = b"\r\n\r\n"


class ResponseError(Exception):
    """The data is not a valid or supported response; the message is one line."""


class Head(NamedTuple):
    """The relevant parts of a response head."""

    status: int
    length: int  # of the body, in bytes
    closes: bool  # whether the server closes the connection after it

    @property
    def right(self) -> bool:
        """True for a 2xx status."""
        return 200 <= self.status < 300


@functools.lru_cache(1000)  # heads vary with Date and Content-Length
def read_head(data: bytes) -> Head:
    r"""Parse a head, including the empty line at its end; raise ResponseError.

    >>> read_head(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nConnection: close\r\n\r\n")
    Head(status=200, length=3, closes=True)
    """
    status_line, *lines = data[: -len(END)].split(b"\r\n")
    version, _, rest = status_line.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
        raise ResponseError(f"invalid status line: {status_line[:80]!r}")
    pairs = (line.partition(b":") for line in lines)
    fields = {name.lower(): value.strip().lower() for name, _, value in pairs}
    status, options = int(rest[:3]), fields.get(b"connection", b"")
    keep_alive = version == b"HTTP/1.1" or b"keep-alive" in options
    return Head(status, _length(status, fields), b"close" in options or not keep_alive)


def _length(status: int, fields: dict[bytes, bytes]) -> int:
    if status < 200 or status in (204, 304):
        return 0
    length = fields.get(b"content-length", b"")
    if not length.isdigit() or b"transfer-encoding" in fields:
        raise ResponseError("response without Content-Length")
    return int(length)


class ResponseReader:
    """Parses the responses on one connection."""

    __slots__ = ("_at", "_buffer", "_head", "_same")

    def __init__(self) -> None:
        self._buffer = b""
        self._head = Head(0, 0, False)  # of the current or last response
        self._at = -1  # bytes of the body received; -1 before the head is complete
        self._same = True  # whether the body is the expected one so far

    @property
    def closes(self) -> bool:
        """Whether the server closes the connection after the last response."""
        return self._head.closes

    def feed(self, data: bytes) -> None:
        """Add received data."""
        self._buffer = self._buffer + data if self._buffer else data

    def next_response(self, expected: bytes | None) -> str | None:
        """Return what is wrong with the next response; None while it is incomplete. Raises ResponseError.

        It is correct ("") if its status is 2xx and its body is as expected (None: any body).
        """
        if self._at < 0 and not self._begin():
            return None
        at, length = self._at, self._head.length
        data = self._buffer[: length - at]
        self._buffer = self._buffer[length - at :]
        self._at = after = at + len(data)
        if expected is not None and data != expected[at:after]:
            self._same = False
        if after < length:
            return None
        self._at = -1
        if not self._head.right:
            return str(self._head.status)
        return "" if self._same and (expected is None or length == len(expected)) else "wrong body"

    def _begin(self) -> bool:
        """Parse the head and remove it from the buffer; return False while it is incomplete."""
        end = self._buffer.find(END) + len(END)
        if end < len(END):
            if len(self._buffer) > MAX_HEAD:
                raise ResponseError(f"response head too large: more than {MAX_HEAD:,} bytes")
            return False
        self._head = read_head(self._buffer[:end])
        self._buffer = self._buffer[end:]
        self._at, self._same = 0, True
        return True
