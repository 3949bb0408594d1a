"""A response parser: bytes in; heads, bodies, and what is wrong with a response out.

    feed(data)                add received data
    next_body()               the body of the next response, whose head is ``head``; None: incomplete
    next_response(expected)   "": correct; "503", "wrong body": a failure; None: incomplete

Parsed heads are cached, to keep the client fast. Bodies that end with the connection are not supported
(RFC 9112, 6.3, rules 1, 4 and 6).
"""

import functools
import re
from typing import NamedTuple

MAX_HEAD = 1 << 16  # bytes
END = b"\r\n\r\n"
CHUNKED = -1
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
LAST_CHUNK = re.compile(rb"0+[ \t]*(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n")  # with trailers


class ResponseError(Exception):
    """The data is not a valid or supported response; the message is one line."""


class Head(NamedTuple):
    """The relevant parts of a response head."""

    status: int
    length: int  # of the body, in bytes; or CHUNKED
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


class ResponseReader:
    """Parses the responses on one connection."""

    __slots__ = ("_buffer", "head", "missing")

    def __init__(self) -> None:
        self._buffer = b""
        self.head = Head(0, 0, False)  # of the last response
        self.missing = 0  # bytes without which the next body is incomplete; 0: unknown

    @property
    def has_data(self) -> bool:
        """Whether there is data after the last response."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add received data."""
        self._buffer = self._buffer + data if self._buffer else data

    def next_response(self, expected: bytes) -> str | None:
        """Return what is wrong with the next response; None while it is incomplete. Raises ResponseError.

        It is correct ("") if its status is 2xx and its body is as expected.
        """
        body = self.next_body()
        if body is None:
            return None
        if not self.head.right:
            return str(self.head.status)
        return "" if body == expected else "wrong body"

    def next_body(self) -> bytes | None:
        """Return the body of the next response; None while it is incomplete. Raises ResponseError."""
        data = self._buffer
        start = data.find(END) + len(END)
        if start < len(END):
            if len(data) > MAX_HEAD:
                raise ResponseError(f"response head too large: more than {MAX_HEAD:,} bytes")
            return None
        self.head = head = read_head(data[:start])
        if head.length == CHUNKED:
            return self._next_chunked(start)
        end = start + head.length
        self.missing = max(0, end - len(data))
        if self.missing:
            return None
        self._buffer = data[end:]
        return data[start:end]

    def _next_chunked(self, at: int) -> bytes | None:
        """Return the chunked body at an index (RFC 9112, 7.1)."""
        body = b""
        while not (last := LAST_CHUNK.match(self._buffer, at)):
            chunk = CHUNK.match(self._buffer, at)
            if chunk is None:
                if self._buffer.find(b"\r\n", at) >= 0:
                    raise ResponseError(f"invalid chunk: {self._buffer[at : at + 80]!r}")
                return None
            at = chunk.end() + int(chunk[1], 16) + len(b"\r\n")
            if at > len(self._buffer) or chunk.end() == at - 2:
                return None
            body += self._buffer[chunk.end() : at - 2]
        self._buffer = self._buffer[last.end() :]
        return body
