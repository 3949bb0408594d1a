"""The response serializer: a response in, bytes out (RFC 9112, 4 to 6 and 9.3).

1. ``has_length`` returns whether a response has a Content-Length; without one, an HTTP/1.0 connection must
   be closed after it.
2. ``Serializer.serialize`` writes the head and chooses the framing of the content:

    Content                  Framing
    bytes                    Content-Length; compressed if the client prefers it
    FileSlice                Content-Length
    iterable or LiveStream   chunked; in HTTP/1.0, the end of the connection ends the content
    LiveStream with a length Content-Length

Each server has its own serializer, which caches the header lines for each combination of status and
headers, and short compressed content. The serializer does not use a clock: the headers of every response,
such as Date, are passed in.
"""

import logging
from collections.abc import Callable, Iterator
from functools import lru_cache

from reactor.http11.cache import BoundedCache
from reactor.http11.chunked import chunked
from reactor.http11.coding import gzip_bytes, gzip_slices
from reactor.http11.event_stream import EventStream
from reactor.http11.grammar import match_field_line
from reactor.http11.message import (
    Content,
    FileSlice,
    HeaderPairs,
    LiveStream,
    Request,
    Response,
    reason_phrase,
)

log = logging.getLogger("reactor")

# Statuses without content, and the end of their heads (RFC 9110, 8.6, 15.3.5, 15.3.6 and 15.4.5).
_WITHOUT_CONTENT = {204: b"\r\n", 205: b"Content-Length: 0\r\n\r\n", 304: b"\r\n"}
# Headers that only the serializer sets: a handler's value could contradict the framing.
RESERVED = frozenset({"connection", "content-length", "date", "transfer-encoding"})


class ChunkSource:
    """A body that comes in chunks, b"" for "no data yet"; a ``live`` one calls back when it has data."""

    __slots__ = ("_content", "chunks")

    def __init__(self, chunks: Iterator[bytes], content: Content) -> None:
        self.chunks = chunks
        self._content = content

    @property
    def live(self) -> bool:
        """True if the content wakes its connection when it has data."""
        return isinstance(self._content, LiveStream)

    @property
    def ends_by_itself(self) -> bool:
        """True unless the content is a live stream that may never end."""
        return not isinstance(self._content, LiveStream) or self._content.ends_by_itself

    @property
    def has_heartbeat(self) -> bool:
        """True if the content is a stream of events, on which something must be sent from time to time."""
        return isinstance(self._content, EventStream)

    def send_heartbeat(self) -> None:
        """Send a comment on a stream of events."""
        if isinstance(self._content, EventStream):
            self._content.send_heartbeat()

    def subscribe(self, wake: Callable[[], None]) -> bool:
        """Set the callback for new data, called in the sender's thread; return False if one is set."""
        return self._content.subscribe(wake) if isinstance(self._content, LiveStream) else True

    def end(self) -> None:
        """End a live stream, because the server is stopping; other content ends by itself."""
        if isinstance(self._content, LiveStream) and not self.ends_by_itself:
            self._content.close()

    def close(self) -> None:
        """Close the content, whether it was sent or not."""
        close = getattr(self._content, "close", None)
        if close is not None:
            close()
        if isinstance(self._content, LiveStream):
            self._content.unsubscribe()


# What follows a head: nothing, a part of a file, or chunks.
Body = FileSlice | ChunkSource | None


def has_length(response: Response) -> bool:
    """Return whether the length of the content is known before it is sent."""
    return isinstance(response.content, (bytes, FileSlice)) or _length_of(response.content) is not None


class Serializer:
    """Serializes responses; shared by all connections of one server."""

    __slots__ = ("_compressed", "_fixed_headers")

    def __init__(self) -> None:
        # Each frequently downloaded file takes an entry, since its ETag is unique.
        self._fixed_headers = lru_cache(maxsize=1024)(_fixed_headers)
        # At most 16 MiB, mostly of small files, which are in memory anyway.
        self._compressed: BoundedCache[bytes, bytes] = BoundedCache(max_entries=256, max_length=64 * 1024)

    def serialize(
        self, request: Request, response: Response, keep_alive: bool, common: bytes, share: int
    ) -> tuple[bytes, Body, int]:
        """Return the head with content that is in memory, the rest of the body, and the bytes compressed.

        ``common`` is the header lines of every response, each with its CRLF. ``share`` is the maximum
        number of bytes to compress in one call. Raise ValueError or TypeError for an invalid response, such
        as one with a malformed header.
        """
        content = response.content
        head = request.head
        compress_min_size = response.compress_min_size
        negotiated = compress_min_size is not None
        coding = head.coding
        compressed = 0
        if coding is not None:
            if compress_min_size is None or (isinstance(content, bytes) and len(content) < compress_min_size):
                coding = None
            else:
                length_optional = head.version == 1 or not keep_alive
                content, coding, compressed = self._encode(content, coding, share, length_optional)
        fixed_headers = self._fixed_headers  # calling a slot takes 15 ns longer than calling a local name
        try:
            lines = fixed_headers(
                response.status, response.headers, negotiated, coding, head.version, keep_alive
            )
        except TypeError:  # not hashable
            raise TypeError(
                f"response headers must be (name, value) tuples of strings, not {response.headers!r}"
            ) from None
        if not isinstance(content, bytes) or response.status in _WITHOUT_CONTENT:
            data, body = _begin_body(request, response, content, lines + common)
            return data, body, compressed
        if request.method == "HEAD":  # its response ends with the head (RFC 9110, 9.3.2)
            return b"%b%bContent-Length: %d\r\n\r\n" % (lines, common, len(content)), None, compressed
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (lines, common, len(content), content), None, compressed

    def _encode(
        self, content: Content, coding: str, share: int, length_optional: bool
    ) -> tuple[Content, str | None, int]:
        """Compress content; return it with its coding, and the number of bytes compressed.

        ``length_optional`` is true if the content may be chunked or ended by closing the connection.
        """
        if isinstance(content, (FileSlice, LiveStream)):
            return content, None, 0
        if not isinstance(content, bytes):
            return gzip_slices(_chunks(content), share), coding, 0
        if len(content) <= share:
            return self._gzip(content), coding, len(content)
        # Too much for one turn, and the compressed length is not known in advance.
        return (gzip_slices([content], share), coding, 0) if length_optional else (content, None, 0)

    def _gzip(self, content: bytes) -> bytes:
        """Compress content in memory; cache the result for short content that is sent repeatedly."""
        compressed = self._compressed.get(content)
        if compressed is None:
            compressed = gzip_bytes(content)
            self._compressed.put(content, compressed)
        return compressed


def interim(status: int, headers: HeaderPairs = ()) -> bytes:
    r"""Serialize an interim response, 1xx, which has no content (RFC 9110, 15.2); raise ValueError.

    >>> interim(100)
    b'HTTP/1.1 100 Continue\r\n\r\n'
    """
    if status not in range(100, 200):
        raise ValueError(f"invalid interim status: {status!r} (expected 100 to 199)")
    return b"%b\r\n" % _lines(status, headers)


def _begin_body(request: Request, response: Response, content: Content, lines: bytes) -> tuple[bytes, Body]:
    """Return the head and the body of a response whose content is not in memory, or that has none."""
    body: FileSlice | ChunkSource
    if isinstance(content, FileSlice):
        framing, body = b"Content-Length: %d\r\n" % content.count, content
    elif (length := _length_of(content)) is not None:
        framing = b"Content-Length: %d\r\n" % length
        body = ChunkSource(_exactly(length, _chunks(content), request), response.content)
    elif request.head.version == 1:
        framing = b"Transfer-Encoding: chunked\r\n"
        body = ChunkSource(chunked(_chunks(content)), response.content)
    else:
        framing, body = b"", ChunkSource(_chunks(content), response.content)
    if response.status in _WITHOUT_CONTENT:
        body.close()
        return lines + _WITHOUT_CONTENT[response.status], None
    if request.method == "HEAD":
        body.close()
        return b"%b%b\r\n" % (lines, framing), None
    return b"%b%b\r\n" % (lines, framing), body


def _length_of(content: Content) -> int | None:
    """Return the length of a live stream, if it is given."""
    return content.length if isinstance(content, LiveStream) else None


def _exactly(length: int, chunks: Iterator[bytes], request: Request) -> Iterator[bytes]:
    """Yield this many bytes; cut what is longer, and raise OSError if there are fewer."""
    left = length
    for chunk in chunks:
        if len(chunk) > left:
            log.error("%r: the response is longer than its Content-Length of %d bytes: cut", request, length)
            if left:
                yield chunk[:left]
            return
        left -= len(chunk)
        yield chunk
    if left:
        raise OSError(f"the response ended {left} bytes before its Content-Length of {length} bytes")


def _chunks(content: Content) -> Iterator[bytes]:
    """Return an iterator over content; raise TypeError for other types."""
    if isinstance(content, (str, bytearray, memoryview)) or not hasattr(content, "__iter__"):
        raise TypeError(
            f"response content must be bytes or an iterable of bytes, not {type(content).__name__}"
        )
    return iter([content] if isinstance(content, bytes) else content)


def _fixed_headers(
    status: int,
    headers: HeaderPairs,
    negotiated: bool,
    coding: str | None,
    version: int,
    keep_alive: bool,
) -> bytes:
    """Write the status line and the headers that do not depend on the content or the time."""
    if status not in range(200, 600):  # 1xx responses are interim, and not final
        raise ValueError(f"invalid response status: {status!r} (expected 200 to 599)")
    added_lines = []
    if coding is not None:
        added_lines.append(b"Content-Encoding: %b\r\n" % coding.encode())
    if negotiated:
        added_lines.append(b"Vary: Accept-Encoding\r\n")
    if not keep_alive:
        added_lines.append(b"Connection: close\r\n")
    elif version == 0:
        added_lines.append(b"Connection: keep-alive\r\n")
    return _lines(status, headers) + b"".join(added_lines)


def _lines(status: int, headers: HeaderPairs) -> bytes:
    """Write the status line and a handler's headers; raise ValueError for an invalid header."""
    lines = [f"HTTP/1.1 {status} {reason_phrase(status)}\r\n"]
    for name, value in headers:
        check_header(name, value)
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def check_header(name: str, value: str) -> None:
    """Raise ValueError for a header that is malformed, or that only the serializer sets."""
    if name.lower() in RESERVED:
        raise ValueError(f"the header {name} is set by the server")
    # A character outside ISO 8859-1 raises UnicodeEncodeError, which is a ValueError.
    match = match_field_line(f"{name}:{value}".encode("latin-1"))
    if match is None or match[1] != name.encode("latin-1"):
        raise ValueError(f"invalid header {name!r} with value {value!r}")
