"""Responses, as a load generator reads them: bytes in, and for each response whether it is the right one.

    feed(octets)            takes what came
    next_response(expected)   right, wrong, or None: it is not whole yet

A head that was seen before is not read again: a server says the same a thousand times a second, and the
client is not what is to be measured. Content is compared as it comes, octet by octet, and not kept.
Only content of a known length is understood (RFC 9112, 6.3, rules 1 and 6). No sockets, no clock.
"""

from typing import NamedTuple

MAX_HEAD = 1 << 16  # octets
MAX_CACHED_HEADS = 1000  # remembered; a head changes with each second, and with the length of the content
END = b"\r\n\r\n"


class ResponseError(Exception):
    """The octets are no answer that we understand; the text is one line."""


class Head(NamedTuple):
    """What counts in the head of an answer."""

    status: int
    length: int  # octets of content
    closes: bool  # whether the connection ends behind it

    @property
    def right(self) -> bool:
        """True for a status that says that all is well."""
        return 200 <= self.status < 300


def read_head(octets: bytes) -> Head:
    r"""Read a head, given with the empty line that ends it; raise ResponseError.

    >>> read_head(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nConnection: close\r\n\r\n")
    Head(status=200, length=3, closes=True)
    """
    status_line, *lines = octets[: -len(END)].split(b"\r\n")
    version, _, rest = status_line.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
        raise ResponseError(f"no status line: {status_line[:80]!r}")
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
        raise ResponseError("an answer without Content-Length")
    return int(length)


class HeadCache(dict[bytes, Head]):
    """Response heads by their bytes, for all connections; each is read once."""

    def __missing__(self, octets: bytes) -> Head:
        head = read_head(octets)
        if len(self) >= MAX_CACHED_HEADS:
            self.clear()
        self[octets] = head
        return head


class ResponseReader:
    """The answers on one connection, in order."""

    __slots__ = ("_at", "_buffer", "_head_cache", "_right", "head")

    def __init__(self, head_cache: HeadCache) -> None:
        self._head_cache = head_cache
        self._buffer = b""
        self.head: Head | None = None  # of the answer whose content is coming, or came last
        self._at = -1  # octets of content that have come; -1 before the head has
        self._right = True

    def feed(self, octets: bytes) -> None:
        """Take what came."""
        self._buffer = self._buffer + octets if self._buffer else octets

    def next_response(self, expected: bytes | None) -> bool | None:
        """Return whether the next answer is right; None while it is not whole. Raises ResponseError.

        It is right when its status is, and its content what is expected; None stands for any content.
        """
        if self._at < 0 and not self._begin():
            return None
        assert self.head is not None
        at, length = self._at, self.head.length
        piece = self._buffer[: length - at]
        self._buffer = self._buffer[length - at :]
        self._at = after = at + len(piece)
        if expected is not None and piece != expected[at:after]:
            self._right = False
        if after < length:
            return None
        self._at = -1
        return self._right and self.head.right and (expected is None or length == len(expected))

    def _begin(self) -> bool:
        """Take the head off the buffer; return False when it is not whole."""
        end = self._buffer.find(END) + len(END)
        if end < len(END):
            if len(self._buffer) > MAX_HEAD:
                raise ResponseError("a head without end")
            return False
        self.head = self._head_cache[self._buffer[:end]]
        self._buffer = self._buffer[end:]
        self._at, self._right = 0, True
        return True
