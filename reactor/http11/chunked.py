"""The chunked transfer coding: decoder and encoder (RFC 9112, 7.1).

1. ``ChunkedReader`` decodes a body from a buffer, by phases:

    Phase     Reads                                Next phase
    SIZE      chunk-size [ chunk-ext ] CRLF        DATA, or TRAILERS after a size of 0
    DATA      as many bytes as chunk-size          BOUNDARY
    BOUNDARY  CRLF                                 SIZE
    TRAILERS  header lines, checked and ignored    COMPLETE after the empty line
    COMPLETE  -                                    the next bytes belong to the next request

2. ``chunked`` encodes a body.

A trailer section is parsed like a head: when it is complete, by the same rules and with the same limits.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from math import inf

from reactor.http11.errors import ProtocolError
from reactor.http11.grammar import match_chunk_line
from reactor.http11.head import HeadReader
from reactor.settings import format_size

LAST_CHUNK = b"0\r\n\r\n"
CHUNKS_PER_CALL = 16


class ChunkPhase(Enum):
    """The state of a ChunkedReader; the table is at the top of this file."""

    SIZE = auto()
    DATA = auto()
    BOUNDARY = auto()
    TRAILERS = auto()
    COMPLETE = auto()


SIZE = ChunkPhase.SIZE
DATA = ChunkPhase.DATA
BOUNDARY = ChunkPhase.BOUNDARY
TRAILERS = ChunkPhase.TRAILERS
COMPLETE = ChunkPhase.COMPLETE


class ChunkedReader:
    """Decodes the chunked transfer coding; raises ProtocolError (400, 413 or 431)."""

    __slots__ = (
        "_chunk_left",
        "_extensions",
        "_head_reader",
        "_phase",
        "_received",
        "_searched",
        "remaining",
    )

    def __init__(self, head_reader: HeadReader) -> None:
        self._head_reader = head_reader
        self._phase = SIZE
        self.remaining: float = inf  # bytes of the body: each chunk announces only itself
        self._chunk_left = 0  # bytes of the current chunk
        self._received = 0
        self._extensions = 0  # bytes of all chunk extensions
        self._searched = 0  # bytes of an incomplete line or trailer section in which no end was found

    def read(self, buffer: bytes, position: int) -> tuple[bytes, int]:
        """Return the data of the next few chunks from ``position`` on, and the position after them.

        A chunk may hold a single byte: decoding ten thousand in one call would block other connections.
        """
        pieces: list[bytes] = []
        if self._phase is DATA or self._phase is BOUNDARY:
            position = self._continue_chunk(buffer, position, pieces)
        if self._phase is SIZE:
            position = self._read_chunks(buffer, position, pieces)
        if self._phase is TRAILERS:
            position = self._read_trailers(buffer, position)
        return b"".join(pieces), position

    def _read_chunks(self, buffer: bytes, position: int, pieces: list[bytes]) -> int:
        """Read a few complete chunks, and begin an incomplete one; return the position after them."""
        longest = self._head_reader.settings.max_chunk_line + 2
        for _ in range(CHUNKS_PER_CALL):
            end = buffer.find(b"\r\n", position + self._searched, position + longest)
            if end < 0:
                self._check_unfinished(buffer, position)
                break
            self._searched = 0
            size = self._read_size(buffer[position:end])
            position = end + 2
            if size == 0:
                self._phase = TRAILERS
                break
            end = position + size
            if not buffer.startswith(b"\r\n", end):
                self._phase, self._chunk_left = DATA, size
                return self._continue_chunk(buffer, position, pieces)
            pieces.append(buffer[position:end])
            position = end + 2
        return position

    def _continue_chunk(self, buffer: bytes, position: int, pieces: list[bytes]) -> int:
        """Continue an incomplete chunk; return the position after what was read."""
        if self._phase is DATA:
            end = min(len(buffer), position + self._chunk_left)
            pieces.append(buffer[position:end])
            self._chunk_left -= end - position
            position = end
            if self._chunk_left:
                return position
            self._phase = BOUNDARY
        ending = buffer[position : position + 2]
        if ending == b"\r\n":
            self._phase = SIZE
            return position + 2
        if ending not in (b"", b"\r"):  # RFC 9112, 7.1: CRLF must follow the data
            raise ProtocolError(400, "chunk data is not followed by CRLF")
        return position

    def _read_size(self, line: bytes) -> int:
        """Return the size in a chunk size line; extensions are checked, counted and ignored."""
        sizes = self._head_reader.chunk_sizes
        parsed = sizes.get(line)
        if parsed is None:
            match = match_chunk_line(line)
            if match is None:
                raise ProtocolError(400, "malformed chunk size")
            parsed = int(match[1], 16), len(line) - len(match[1])
            sizes.put(line, parsed)
        size, extensions = parsed
        if extensions:
            self._extensions += extensions
            if self._extensions > self._head_reader.settings.max_chunk_extensions:
                limit = format_size(self._head_reader.settings.max_chunk_extensions)
                raise ProtocolError(400, f"chunk extensions exceed {limit}")
        self._received += size
        if self._received > self._head_reader.settings.max_body:
            limit = format_size(self._head_reader.settings.max_body)
            raise ProtocolError(413, f"request body exceeds {limit}")
        return size

    def _check_unfinished(self, buffer: bytes, position: int) -> None:
        """Reject the beginning of a chunk size line that is already invalid."""
        limit = self._head_reader.settings.max_chunk_line
        if buffer.find(b"\n", position + self._searched, position + limit + 2) >= 0:
            raise ProtocolError(400, "bare LF in a chunk size line")
        if len(buffer) - position > limit + (buffer[position + limit :] == b"\r"):
            raise ProtocolError(400, f"chunk size line exceeds {format_size(limit)}")
        # The last byte may belong to the CRLF: search it again.
        self._searched = max(0, len(buffer) - position - 1)

    def _read_trailers(self, buffer: bytes, position: int) -> int:
        """Read the trailer section when it is complete; return the position after it.

        Trailers are checked and discarded, to prevent request smuggling (RFC 9110, 6.5.1).
        """
        if buffer.startswith(b"\r\n", position):
            end = position - 2
        else:
            end = buffer.find(b"\r\n\r\n", position + self._searched)
            if end < 0:
                self._head_reader.check_trailers(buffer[position:], self._searched)
                # The last three bytes may belong to the CRLF CRLF: search them again.
                self._searched = max(0, len(buffer) - position - 3)
                return position
            self._head_reader.read_trailers(buffer[position:end])
        self._phase, self.remaining = COMPLETE, 0
        return end + 4


def chunked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Encode a body in the chunked transfer coding.

    An empty chunk means "no data yet", and is yielded as it is: encoded, it would end the body.
    """
    for chunk in chunks:
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunk else b""
    yield LAST_CHUNK
