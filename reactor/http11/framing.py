"""Framing: where the content of a message begins and ends (RFC 9112, 6 and 7).

1. ``content_length`` decides from the headers alone how long a request's content is.
2. A reader takes the content out of the octets that follow the head: ``LengthReader`` by counting,
   ``ChunkedReader`` by the phases of the chunked coding:

    Phase     Takes                                Then
    SIZE      chunk-size [ chunk-ext ] CRLF        DATA, or TRAILERS after a size of 0
    DATA      as many octets as the size says      BOUNDARY
    BOUNDARY  CRLF                                 SIZE
    TRAILERS  field lines, checked and ignored     COMPLETE after the empty line
    COMPLETE  -                                    what follows is the next request's

3. ``chunked`` writes content in the chunked coding.

Readers keep no octets: they are shown a buffer and a position, and say how far they came.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Protocol

from reactor.http11.grammar import ProtocolError, is_content_length, match_chunk_line
from reactor.http11.headers import Headers, read_field_line
from reactor.settings import Settings

CHUNKED = -1
LAST_CHUNK = b"0\r\n\r\n"
CHUNKS_AT_ONCE = 16


def content_length(headers: Headers, version: int) -> int:
    """Return the length of a request's content in octets, CHUNKED for a chunked one (RFC 9112, 6.3).

    ``version`` is the minor one. Raise ProtocolError, 400 or 501, when there is any doubt about it.
    """
    coding = headers.get("transfer-encoding")
    length = headers.get("content-length")
    if coding is not None:
        if version == 0:  # RFC 9112, 6.1: not defined in HTTP/1.0, so its framing is faulty
            raise ProtocolError(400, "Transfer-Encoding in HTTP/1.0")
        if length is not None:  # RFC 9112, 6.3 rule 3
            raise ProtocolError(400, "Content-Length together with Transfer-Encoding")
        _check_transfer_codings(coding)
        return CHUNKED
    if length is None:
        return 0
    if is_content_length(length) is None:  # RFC 9112, 6.3 rule 5
        raise ProtocolError(400, "malformed Content-Length")
    # More than 18 digits is more than any disk; int() is not asked to read thousands of them.
    digits = length.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else 10**18


def _check_transfer_codings(value: str) -> None:
    """Accept exactly one "chunked" (RFC 9112, 6.1 and 7)."""
    codings = [coding.strip(" \t").lower() for coding in value.split(",")]
    if codings == ["chunked"]:
        return
    if codings[-1] != "chunked" and "chunked" in codings:
        raise ProtocolError(400, "chunked is not the final transfer coding")
    if codings.count("chunked") > 1 or "" in codings:
        raise ProtocolError(400, "malformed Transfer-Encoding")
    raise ProtocolError(501, "unknown transfer coding")


class Reader(Protocol):
    """Takes content out of a buffer."""

    @property
    def complete(self) -> bool:
        """True when the content is read to its end."""

    def read(self, buffer: bytes, position: int) -> tuple[bytes, int]:
        """Return the content found from ``position`` on, and the position after what was read."""


class LengthReader:
    """Reads content of a known length."""

    __slots__ = ("_remaining",)

    def __init__(self, length: int) -> None:
        self._remaining = length

    @property
    def complete(self) -> bool:
        """True when no octet is missing."""
        return self._remaining == 0

    def read(self, buffer: bytes, position: int) -> tuple[bytes, int]:
        """Return the content found from ``position`` on, and the position after it."""
        end = min(len(buffer), position + self._remaining)
        self._remaining -= end - position
        return buffer[position:end], end


class Phase(Enum):
    """Where a chunked content stands; the table is at the top of this file."""

    SIZE = auto()
    DATA = auto()
    BOUNDARY = auto()
    TRAILERS = auto()
    COMPLETE = auto()


class ChunkedReader:
    """Reads content in the chunked transfer coding; raises ProtocolError, 400, 413 or 431."""

    __slots__ = (
        "_phase",
        "_received",
        "_remaining",
        "_searched",
        "_settings",
        "_trailer_lines",
        "_trailer_octets",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._phase = Phase.SIZE
        self._remaining = 0
        self._received = 0
        self._searched = 0  # how much of an unfinished line holds no CRLF
        self._trailer_lines = 0
        self._trailer_octets = 0

    @property
    def complete(self) -> bool:
        """True after the trailer section."""
        return self._phase is Phase.COMPLETE

    def read(self, buffer: bytes, position: int) -> tuple[bytes, int]:
        """Return the content of the next few chunks from ``position`` on, and the position after them.

        A chunk may hold a single octet: to read ten thousand of them at once would keep others waiting.
        """
        pieces: list[bytes] = []
        while self._phase is not Phase.COMPLETE and len(pieces) < CHUNKS_AT_ONCE:
            if self._phase is Phase.DATA:
                end = min(len(buffer), position + self._remaining)
                pieces.append(buffer[position:end])
                self._remaining -= end - position
                position = end
                if self._remaining:
                    break
                self._phase = Phase.BOUNDARY
            else:
                after = self._read_line(buffer, position)
                if after is None:
                    break
                position = after
        return b"".join(pieces), position

    def _read_line(self, buffer: bytes, position: int) -> int | None:
        """Read the line at ``position``; return the position after its CRLF, None when it is not whole."""
        limit = self._line_limit()
        end = buffer.find(b"\r\n", position + self._searched, position + limit + 2)
        if end < 0:
            self._check_unfinished(buffer, position, limit)
            self._searched = max(0, len(buffer) - position - 1)  # its CRLF may have begun
            return None
        self._searched = 0
        line = buffer[position:end]
        if self._phase is Phase.SIZE:
            self._begin_chunk(line)
        elif self._phase is Phase.BOUNDARY:
            if line:  # RFC 9112, 7.1: the data is followed by CRLF, whatever the size said
                raise ProtocolError(400, "chunk data is not followed by CRLF")
            self._phase = Phase.SIZE
        else:
            self._read_trailer(line)
        return end + 2

    def _line_limit(self) -> int:
        """The longest line that may come now, without its CRLF."""
        if self._phase is Phase.SIZE:
            return self._settings.max_chunk_line
        return 0 if self._phase is Phase.BOUNDARY else self._settings.max_field_line

    def _check_unfinished(self, buffer: bytes, position: int, limit: int) -> None:
        """Refuse a line that no further octets can mend."""
        waiting = len(buffer) - position
        if self._phase is Phase.BOUNDARY:
            if waiting and buffer[position : position + 2] != b"\r":
                raise ProtocolError(400, "chunk data is not followed by CRLF")
        elif buffer.find(b"\n", position + self._searched, position + limit + 2) >= 0:
            raise ProtocolError(400, "bare LF in the chunked coding")
        elif waiting > limit + (buffer[position + limit :] == b"\r"):
            if self._phase is Phase.TRAILERS:
                raise ProtocolError(431, "trailer field line too long")
            raise ProtocolError(400, "chunk size line too long")

    def _begin_chunk(self, line: bytes) -> None:
        match = match_chunk_line(line)
        if match is None:
            raise ProtocolError(400, "malformed chunk size")
        size = self._remaining = int(match[1], 16)
        self._received += size
        if self._received > self._settings.max_body:
            raise ProtocolError(413, f"content is over {self._settings.max_body} octets")
        self._phase = Phase.DATA if size else Phase.TRAILERS

    def _read_trailer(self, line: bytes) -> None:
        """Check a trailer field line and forget it: merged, it could smuggle (RFC 9110, 6.5.1)."""
        if not line:
            self._phase = Phase.COMPLETE
            return
        self._trailer_lines += 1
        self._trailer_octets += len(line) + 2
        if self._trailer_lines > self._settings.max_fields or self._trailer_octets > self._settings.max_head:
            raise ProtocolError(431, "trailer section too large")
        read_field_line(line)


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Write content in the chunked transfer coding, one chunk a piece (RFC 9112, 7.1).

    An empty piece, which as a chunk would end the content, is passed on as it is: it means that
    nothing more has come yet.
    """
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    yield LAST_CHUNK
