"""A response parser for the load generator: bytes in, and for each response whether it is correct.

    feed(data)                add received data
    next_response(expected)   True: correct, False: wrong, None: incomplete

Parsed heads are cached, to keep the client fast. Bodies with Content-Length are compared as they arrive and
not stored; chunked ones are compared when complete. Bodies that end with the connection are not supported
(RFC 9112, 6.3).
"""

import re
from typing import NamedTuple

MAX_HEAD = 1 << 16  # bytes
MAX_CACHED_HEADS = 1000  # heads vary with Date and Content-Length
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
    (b'abc', 19)
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


class HeadCache(dict[bytes, Head]):
    """A cache of parsed heads by their bytes, shared by all connections."""

    def __missing__(self, data: bytes) -> Head:
        head = read_head(data)
        if len(self) >= MAX_CACHED_HEADS:
            self.clear()
        self[data] = head
        return head


class ResponseReader:
    """Parses the responses on one connection."""

    __slots__ = ("_at", "_buffer", "_head_cache", "_right", "head")

    def __init__(self, head_cache: HeadCache) -> None:
        self._head_cache = head_cache
        self._buffer = b""
        self.head: Head | None = None  # of the current or last response
        self._at = -1  # bytes of the body received; -1 before the head is complete
        self._right = True

    def feed(self, data: bytes) -> None:
        """Add received data."""
        self._buffer = self._buffer + data if self._buffer else data

    def next_response(self, expected: bytes | None) -> bool | None:
        """Return whether the next response is correct; None while it is incomplete. Raises ResponseError.

        It is correct if its status is 2xx and its body is as expected (None: any body).
        """
        if self._at < 0 and not self._begin():
            return None
        assert self.head is not None
        if self.head.length == CHUNKED:
            return self._next_chunked(self.head, expected)
        at, length = self._at, self.head.length
        data = self._buffer[: length - at]
        self._buffer = self._buffer[length - at :]
        self._at = after = at + len(data)
        if expected is not None and data != expected[at:after]:
            self._right = False
        if after < length:
            return None
        self._at = -1
        return self._right and self.head.right and (expected is None or length == len(expected))

    def _next_chunked(self, head: Head, expected: bytes | None) -> bool | None:
        found = read_body(head, self._buffer)
        if found is None:
            return None
        self._buffer, self._at = self._buffer[found[1] :], -1
        return head.right and expected in (None, found[0])

    def _begin(self) -> bool:
        """Parse the head and remove it from the buffer; return False while it is incomplete."""
        end = self._buffer.find(END) + len(END)
        if end < len(END):
            if len(self._buffer) > MAX_HEAD:
                raise ResponseError(f"response head too large: more than {MAX_HEAD:,} bytes")
            return False
        self.head = self._head_cache[self._buffer[:end]]
        self._buffer = self._buffer[end:]
        self._at, self._right = 0, True
        return True
