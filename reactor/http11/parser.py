"""The request parser: bytes in, requests out; a buffer and a phase.

    Phase     The buffer holds                     Next phase
    IDLE      nothing                              HEAD with the next byte
    HEAD      a head, or its beginning             IDLE or HEAD; CONTENT if there is a body; ENDED
    CONTENT   the body of the current request      IDLE, HEAD or ENDED when it is complete
    ENDED     nothing that will be parsed          -    (after the final request, or an invalid one)

Pull, not push: pass received bytes to ``feed`` in pieces of any size, then call ``next_request``, which
returns a ``Request`` once its head is complete. While the phase is CONTENT, ``next_content`` returns the body
as it is received. The final request of a connection is the one whose head has ``keep_alive`` False (RFC 9112,
9.6).

The parser does not use a socket or a clock, and never calls back.
"""

from enum import Enum, auto

from reactor.http11.chunked import ChunkedReader
from reactor.http11.errors import HTTPError, ProtocolError
from reactor.http11.framing import CHUNKED, BodyReader, LengthReader
from reactor.http11.head import MAX_CACHED_HEAD, HeadReader, parse_partial_head
from reactor.http11.message import Head, Request
from reactor.http11.proxy_header import ProxyHeader, read_proxy_header

# RFC 9112, 2.2: empty lines before a request line are skipped; limited, so that a client cannot keep a
# connection busy with them.
MAX_EMPTY_LINES = 8


class Phase(Enum):
    """The parser's state; the table is at the top of this file."""

    IDLE = auto()
    HEAD = auto()
    CONTENT = auto()
    ENDED = auto()


# Module constants: an attribute of an enum class is slower to look up.
PHASE_IDLE = Phase.IDLE
PHASE_HEAD = Phase.HEAD
PHASE_CONTENT = Phase.CONTENT
PHASE_ENDED = Phase.ENDED


class Parser:
    """Reads the requests of one connection."""

    __slots__ = (
        "_buffer",
        "_content",
        "_empty_lines",
        "_head",
        "_head_reader",
        "_position",
        "_scanned",
        "_view",
        "phase",
    )

    def __init__(self, head_reader: HeadReader) -> None:
        self._head_reader = head_reader
        self._buffer = b""
        self._position = 0  # of the first unread byte
        self._scanned = 0  # where the search for the end of a head continues
        self._empty_lines = 0
        self._content: BodyReader | None = None
        self._head: Head | None = None  # of the request whose body is being read
        self._view: memoryview | None = None  # of the body, in place of bytes in the buffer
        self.phase = PHASE_IDLE

    @property
    def buffered(self) -> int:
        """The number of unread bytes."""
        return len(self._buffer) - self._position

    @property
    def content_left(self) -> float:
        """The number of bytes of the current body that have not been read; infinity for a chunked one."""
        return 0 if self._content is None else self._content.remaining

    # Bytes in, messages out.

    def feed(self, data: bytes) -> None:
        """Add received bytes; after the final request they are ignored."""
        if self.phase is PHASE_IDLE:
            self._buffer = data
            self.phase = PHASE_HEAD
        elif self.phase is PHASE_HEAD or self.phase is PHASE_CONTENT:
            self._buffer = self._buffer[self._position :] + data
            self._scanned -= self._position
            self._position = 0

    def feed_content(self, view: memoryview) -> None:
        """Add received bytes of a body whose length is known, at most ``content_left``; none are buffered.

        ``next_content``, which returns this view, must be called before its memory is reused.
        """
        assert self._view is None, "a view of the body is left"
        assert not self.buffered, "bytes of the body are buffered"
        self._view = view

    def next_proxy_header(self) -> ProxyHeader | None:
        """Return the PROXY header, with which the connection begins; None if more bytes are needed.

        Raise ProtocolError if it is missing or malformed.
        """
        header = read_proxy_header(self._buffer)
        if header is not None:
            self._next_message(header.length)
        return header

    def next_request(self) -> Request | None:
        """Return the next request whose head is complete; None if more bytes are needed.

        Raise ProtocolError for an invalid request; the phase is then ENDED.
        """
        if self.phase is not PHASE_HEAD:
            return None
        data = self._buffer
        size = head_end = len(data)
        # Usually the buffer is exactly one cached head, whose end need not be searched for.
        may_be_cached = self._scanned == 0 and head_end <= MAX_CACHED_HEAD
        parsed = self._head_reader.heads.get(data) if may_be_cached else None
        if parsed is None:
            try:
                head_end = data.find(b"\r\n\r\n", self._scanned) + 4
                if head_end < 4:
                    self._check_incomplete_head()
                    return None
                if self._position or head_end < size:
                    data = data[self._position : head_end]
                    parsed = self._head_reader.heads.get(data)
                if parsed is None:
                    if data.startswith(b"\r\n"):
                        self._skip_empty_lines()
                        return self.next_request()
                    parsed = self._head_reader.read(data)
            except HTTPError:
                self.phase = PHASE_ENDED  # the buffer is kept, for partial_request()
                raise
        method, target, head, headers = parsed
        self._empty_lines = 0
        if head.length:
            self._begin_content(head, head_end)
        elif not head.keep_alive:
            self.end()
        elif head_end < size:
            self._position = self._scanned = head_end
        else:  # as in _next_message; without a call, since most buffers are one head: saves 1.6 %
            self.phase = PHASE_IDLE
            self._buffer = b""
            self._position = self._scanned = 0
        return Request(method, target, head, headers)

    def next_content(self) -> bytes | memoryview:
        """Return the part of the body received so far, perhaps b""; it is complete when the phase changes.

        Raise ProtocolError if its framing is invalid; the phase is then ENDED.
        """
        assert self._content is not None, "no body to read"
        assert self._head is not None, "no request whose body could be read"
        data: bytes | memoryview
        if self._view is not None:
            data, self._view = self._view, None
            assert isinstance(self._content, LengthReader), "the length of the body is not known"
            self._content.remaining -= len(data)
        else:
            try:
                data, self._position = self._content.read(self._buffer, self._position)
            except ProtocolError:
                self.end()
                raise
        if self._position == len(self._buffer):
            self._buffer = b""
            self._position = 0
        if not self._content.remaining:
            keep_alive = self._head.keep_alive
            self._content = self._head = None
            if keep_alive:
                self._next_message(self._position)
            else:
                self.end()
        return data

    def partial_request(self) -> Request:
        """Parse an incomplete or malformed head, for the access log and the error response."""
        return parse_partial_head(
            self._buffer[self._position : self._position + self._head_reader.settings.max_head]
        )

    def end(self) -> None:
        """Ignore all further bytes: no request will be read from them."""
        self.phase = PHASE_ENDED
        self._buffer = b""
        self._position = 0
        self._content = self._head = self._view = None

    # Transitions.

    def _begin_content(self, head: Head, position: int) -> None:
        self._position = position
        self._head = head
        if head.length == CHUNKED:
            self._content = ChunkedReader(self._head_reader)
        else:
            self._content = LengthReader(head.length)
        self.phase = PHASE_CONTENT

    def _next_message(self, position: int) -> None:
        """Prepare for the next request, which begins at a position in the buffer."""
        if position < len(self._buffer):
            self.phase = PHASE_HEAD
            self._position = self._scanned = position
        else:
            self.phase = PHASE_IDLE
            self._buffer = b""  # idle connections, the most common kind, hold no data
            self._position = self._scanned = 0

    def _check_incomplete_head(self) -> None:
        """Check an incomplete head, so that an invalid one is rejected immediately."""
        self._skip_empty_lines()
        start = self._position
        buffer = self._buffer
        if start == len(buffer):
            self._next_message(start)
            return
        self._head_reader.check(buffer[start:], self._scanned - start)
        # The last three bytes may belong to the CRLF CRLF: search them again.
        self._scanned = max(start, len(buffer) - 3)

    def _skip_empty_lines(self) -> None:
        while self._buffer.startswith(b"\r\n", self._position):
            self._position += 2
            self._empty_lines += 1
            if self._empty_lines > MAX_EMPTY_LINES:
                raise ProtocolError(400, f"more than {MAX_EMPTY_LINES} empty lines before the request line")
        self._scanned = max(self._scanned, self._position)
