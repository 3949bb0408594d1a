"""A response parser for the load generator: bytes in, and for each response what is wrong with it.

    feed(data)                add received data
    next_response(expected)   "": correct; "503", "wrong body": a failure; None: incomplete

Parsed heads are cached, to keep the client fast. Bodies have a Content-Length or are chunked; those that end
with the connection are not supported (RFC 9112, 6.3).
"""

import functools
import re
from typing import NamedTuple

MAX_HEAD = 1 << 16  # bytes
END = b"\r\n\r\n"
CHUNKED = -1
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}(?=[ \t;\r])")


class ResponseError(Exception):
    """The data is not a valid or supported response; the message is one line."""


class Head(NamedTuple):
    """The relevant parts of a response head."""

    status: int
    length: int  # of the body, in bytes; CHUNKED
    closes: bool  # whether the server closes the connection after it
    coding: str = ""  # Content-Encoding

    @property
    def right(self) -> bool:
        """True for a 2xx status."""
        return 200 <= self.status < 300


@functools.lru_cache(1000)  # heads vary with Date and Content-Length
def read_head(data: bytes) -> Head:
    r"""Parse a head, including the empty line at its end; raise ResponseError.

    >>> read_head(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nConnection: close\r\n\r\n")
    Head(status=200, length=3, closes=True, coding='')
    """
    status_line, *lines = data[: -len(END)].split(b"\r\n")
    version, _, rest = status_line.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
        raise ResponseError(f"invalid status line: {status_line[:80]!r}")
    pairs = (line.partition(b":") for line in lines)
    fields = {name.lower(): value.strip().lower() for name, _, value in pairs}
    status, options = int(rest[:3]), fields.get(b"connection", b"")
    keep_alive = version == b"HTTP/1.1" or b"keep-alive" in options
    coding = fields.get(b"content-encoding", b"").decode("latin-1")
    return Head(status, _length(status, fields), b"close" in options or not keep_alive, coding)


def _length(status: int, fields: dict[bytes, bytes]) -> int:
    if status < 200 or status in (204, 304):
        return 0
    if coding := fields.get(b"transfer-encoding"):
        if coding != b"chunked":
            raise ResponseError(f"unsupported Transfer-Encoding: {coding.decode('latin-1')!r}")
        return CHUNKED
    length = fields.get(b"content-length", b"")
    if not length.isdigit():
        raise ResponseError("response without Content-Length")
    return int(length)


def read_body(head: Head, data: bytes | bytearray, at: int = 0) -> tuple[bytes, int] | None:
    r"""Return the body at an index and the index after it; None while it is incomplete.

    >>> read_body(Head(200, CHUNKED, False), b"2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\nHTTP")
    (b'abc', 20)
    """
    if head.length != CHUNKED:
        end = at + head.length
        return (bytes(data[at:end]), end) if len(data) >= end else None
    body = b""
    while (line := data.find(b"\r\n", at)) >= 0:
        digits = CHUNK_SIZE.match(data, at)
        if digits is None:
            raise ResponseError(f"invalid chunk size: {bytes(data[at : min(line, at + 80)])!r}")
        size = int(digits[0], 16)
        if not size:  # RFC 9112, 7.1.2: a trailer section may follow
            end = data.find(END, line)
            return (body, end + len(END)) if end >= 0 else None
        at = line + 2 + size + 2
        body += data[line + 2 : at - 2]
    return None


class ResponseReader:
    """Parses the responses on one connection; ``head`` is that of the last or current response."""

    __slots__ = ("_body", "_buffer", "head")

    def __init__(self) -> None:
        self.head = Head(0, 0, False)
        self._buffer: bytes | bytearray = b""
        self._body = 0  # where the body begins; 0: the head is incomplete

    def feed(self, data: bytes) -> None:
        """Add received data."""
        if not self._buffer:
            self._buffer = data
        elif isinstance(self._buffer, bytearray):
            self._buffer += data
        else:  # from now on, appending does not copy the whole
            self._buffer = bytearray(self._buffer) + data

    def next_response(self, expected: bytes | None) -> str | None:
        """Return what is wrong with the next response; None while it is incomplete. Raises ResponseError.

        It is correct ("") if its status is 2xx and its body is as expected (None: any body).
        """
        if not self._body and not self._begin():
            return None
        found = read_body(self.head, self._buffer, self._body)
        if found is None:
            return None
        body, end = found
        self._buffer, self._body = self._buffer[end:], 0
        if not self.head.right:
            return str(self.head.status)
        return "" if expected is None or body == expected else "wrong body"

    def _begin(self) -> bool:
        """Parse the head; return False while it is incomplete."""
        end = self._buffer.find(END) + len(END)
        if end >= len(END):
            self.head, self._body = read_head(bytes(self._buffer[:end])), end
            return True
        if len(self._buffer) > MAX_HEAD:
            raise ResponseError(f"response head too large: more than {MAX_HEAD:,} bytes")
        return False
