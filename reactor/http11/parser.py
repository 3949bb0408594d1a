"""The parser: octets to requests, a buffer and a phase.

    Phase     The buffer holds                     Then
    HEAD      a head, or its beginning             HEAD; CONTENT when it has any; ENDED after the last
    CONTENT   content of the request just read     HEAD or ENDED when it is complete
    ENDED     nothing that will be read            -    the client was to send no more (RFC 9112, 9.6)
    LOST      octets without known framing         -    after a refusal

Pull, not push: ``feed`` octets as they come, whole or one by one or many requests at once; then
ask for ``next_request``, which returns a ``Request`` as soon as its head is complete. While the
phase is CONTENT, ``next_content`` hands out the content.

The parser knows no socket and no clock, and never calls back.
"""

from enum import Enum, auto

from reactor.http11.framing import CHUNKED, ChunkedReader, LengthReader, Reader
from reactor.http11.grammar import ProtocolError, find_stray_control, is_method
from reactor.http11.head import HeadReader
from reactor.http11.message import Head, Request
from reactor.http11.target import read_target

# RFC 9110, 9.1; and PATCH (RFC 5789). Other tokens are methods too, but none that is known.
METHODS = {
    name.encode(): name
    for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
}

# RFC 9112, 2.2: empty lines before a request line are skipped; a few, or they would be a way to
# hold a connection for nothing.
MAX_EMPTY_LINES = 8

CR = 13


class Phase(Enum):
    """Where the parser stands; the table is at the top of this file."""

    HEAD = auto()
    CONTENT = auto()
    ENDED = auto()
    LOST = auto()


HEAD, CONTENT, ENDED, LOST = Phase  # looked up once here instead of at each request


class Parser:
    """Reads the requests of one connection."""

    __slots__ = (
        "_buffer",
        "_content",
        "_empty_lines",
        "_heads",
        "_next_phase",
        "_position",
        "_scanned",
        "phase",
    )

    def __init__(self, heads: HeadReader) -> None:
        self._heads = heads
        self._buffer = b""
        self._position = 0  # the first octet not yet read
        self._scanned = 0  # where the search for the end of the head goes on; never before _position
        self._empty_lines = 0
        self._content: Reader | None = None
        self._next_phase = HEAD  # the phase after the content
        self.phase = HEAD

    # What others ask.

    @property
    def buffered(self) -> int:
        """How many octets wait to be read."""
        return len(self._buffer) - self._position

    # Octets in, messages out.

    def feed(self, octets: bytes) -> None:
        """Add octets that came; after the last request they are ignored."""
        if self._position == len(self._buffer):
            self._buffer = octets
        else:
            self._buffer = self._buffer[self._position :] + octets
        self._scanned -= self._position
        self._position = 0
        if self.phase is ENDED or self.phase is LOST:
            self._buffer = b""

    def next_request(self) -> Request | None:
        """Return the next request whose head is complete, None when octets are missing.

        Raise ProtocolError when what came is no request; the phase is LOST then.
        """
        if self.phase is not HEAD:
            return None
        try:
            end = self._buffer.find(b"\r\n\r\n", self._scanned)
            if end < 0:
                self._wait()
                return None
            if self._buffer[self._position] == CR:
                self._skip_empty_lines()
                return self.next_request()
            return self._read_head(self._buffer[self._position : end], end + 4)
        except ProtocolError:
            self.lose()
            raise

    def next_content(self) -> bytes:
        """Return the content that has come, b"" for none yet; it is complete when the phase changes.

        Raise ProtocolError when its framing is broken; the phase is LOST then.
        """
        assert self._content is not None, "there is no content to read"
        try:
            octets, self._position = self._content.read(self._buffer, self._position)
        except ProtocolError:
            self.lose()
            raise
        if self._content.complete:
            self._content = None
            self._scanned = self._position
            self.phase = self._next_phase
        return octets

    def end(self) -> None:
        """Read no further request than the present one."""
        if self.phase is HEAD:
            self.phase = ENDED
        self._next_phase = ENDED

    def lose(self) -> None:
        """Give up on the octets to come: nobody can tell where the next request would begin."""
        self.phase = LOST
        self._buffer = b""
        self._position = 0
        self._content = None

    # The head.

    def _read_head(self, octets: bytes, after: int) -> Request:
        """Read a head given without its empty line; ``after`` is where the octets behind it begin."""
        settings = self._heads.settings
        if len(octets) + 4 > settings.max_head:
            raise self._too_long(octets)
        try:
            method_octets, target_octets, rest = octets.split(b" ", 2)
        except ValueError:
            raise ProtocolError(400, "malformed request line") from None
        if len(method_octets) + len(target_octets) + 10 > settings.max_request_line:
            raise self._too_long(octets)
        method = METHODS.get(method_octets)
        if method is None:
            method = _read_method(method_octets)
        head = self._heads.read(rest)
        target = read_target(method, target_octets)
        if target.authority is not None:
            head = _with_host(head, target.authority)
        self._position = self._scanned = after
        self._empty_lines = 0
        if head.length:
            self._begin_content(head)
        elif not head.persistent:
            self.phase = ENDED
        return Request(method, target, head)

    def _begin_content(self, head: Head) -> None:
        if head.length == CHUNKED:
            self._content = ChunkedReader(self._heads.settings)
        else:
            self._content = LengthReader(head.length)
        self._next_phase = HEAD if head.persistent else ENDED
        self.phase = CONTENT

    def _wait(self) -> None:
        """Check the beginning of a head: what no further octets can mend is refused at once."""
        self._skip_empty_lines()
        start = self._position
        buffer = self._buffer
        stray = find_stray_control(buffer, self._scanned)
        if stray is not None:
            raise ProtocolError(400, "bare CR, bare LF or NUL in the head")
        # The end may have begun: its last three octets are looked at again.
        self._scanned = max(start, len(buffer) - 3)
        settings = self._heads.settings
        line_end = buffer.find(b"\r\n", start, start + settings.max_request_line + 2)
        if line_end < 0 and self.buffered > settings.max_request_line + buffer.endswith(b"\r"):
            raise ProtocolError(414, f"request line over {settings.max_request_line} octets")
        if self.buffered >= settings.max_head:
            raise self._too_long(buffer[start:])

    def _skip_empty_lines(self) -> None:
        while self._buffer.startswith(b"\r\n", self._position):
            self._position += 2
            self._empty_lines += 1
            if self._empty_lines > MAX_EMPTY_LINES:
                raise ProtocolError(400, "too many empty lines before a request")
        self._scanned = max(self._scanned, self._position)

    def _too_long(self, head: bytes) -> ProtocolError:
        """Say which part of a head is too long."""
        settings = self._heads.settings
        if head.find(b"\r\n", 0, settings.max_request_line + 2) < 0:
            return ProtocolError(414, f"request line over {settings.max_request_line} octets")
        return ProtocolError(431, f"head over {settings.max_head} octets")


def _read_method(octets: bytes) -> str:
    if is_method(octets) is None:
        raise ProtocolError(400, "malformed method")
    return octets.decode("ascii")


def _with_host(head: Head, authority: str) -> Head:
    """Return the head with the target's authority in place of Host (RFC 9112, 3.2.2)."""
    headers = head.headers.replacing("Host", authority)
    return Head(head.version, headers, head.length, head.persistent, head.expects_continue, head.coding)
