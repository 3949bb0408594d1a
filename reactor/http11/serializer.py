"""The response serializer: a response in, bytes out (RFC 9112, 4 to 6 and 9.3).

1. ``has_length`` says whether an HTTP/1.0 client can see where a response ends, so that its connection
   can stay open.
2. ``Serializer.serialize`` writes the head and says how the content is framed:

    Content             Framing
    octets              Content-Length; whole, compressed where the client prefers it
    a FileSlice         Content-Length
    an iterable, live   chunked; in HTTP/1.0 the end of the connection is the end of the content

Each server has a serializer of its own, which caches what is the same in every response with one status
and one set of fields, and short compressed content. The fields that every response carries come from
outside, Date among them, as does everything that depends on the time.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

from reactor.http11.cache import BoundedCache
from reactor.http11.chunked import chunked
from reactor.http11.coding import gzip, gzip_slices
from reactor.http11.grammar import match_field_line
from reactor.http11.message import (
    Content,
    Fields,
    FileSlice,
    LiveStream,
    Request,
    Response,
    reason_phrase,
)

# These have no content, and what ends their head (RFC 9110, 8.6, 15.3.5, 15.3.6 and 15.4.5).
_WITHOUT_CONTENT = {204: b"\r\n", 205: b"Content-Length: 0\r\n\r\n", 304: b"\r\n"}
# Fields that only the serializer sets: a handler's value could contradict the framing.
RESERVED = frozenset({"connection", "content-length", "date", "transfer-encoding"})


class ChunkSource:
    """A body that comes in chunks, b"" for "no data yet"; a ``live`` one calls back when it has data."""

    __slots__ = ("_content", "chunks")

    def __init__(self, chunks: Iterator[bytes], content: Content) -> None:
        self.chunks = chunks
        self._content = content

    @property
    def live(self) -> bool:
        """True when the content wakes its connection."""
        return isinstance(self._content, LiveStream)

    def subscribe(self, wake: Callable[[], None]) -> bool:
        """Have ``wake`` called when data arrives, in the sender's thread; return False if one is set."""
        return self._content.subscribe(wake) if isinstance(self._content, LiveStream) else True

    def end(self) -> None:
        """End a live stream; other content ends by itself."""
        if isinstance(self._content, LiveStream):
            self._content.close()

    def close(self) -> None:
        """Close the content, which is sent, or never will be."""
        close = getattr(self._content, "close", None)
        if close is not None:
            close()
        if isinstance(self._content, LiveStream):
            self._content.unsubscribe()


# What follows a head: nothing, a part of a file, or chunks.
Body = FileSlice | ChunkSource | None


def has_length(response: Response) -> bool:
    """Return whether the length of the content is known, so that Content-Length can say where it ends."""
    return isinstance(response.content, (bytes, FileSlice))


class Serializer:
    """Writes responses; shared by all connections of one server."""

    __slots__ = ("_compressed", "_fixed_fields")

    def __init__(self) -> None:
        # An entry for each file that is downloaded often, whose ETag is its own.
        self._fixed_fields = lru_cache(maxsize=1024)(_fixed_fields)
        # At most 16 MiB of content, most of it of small files, which is in memory anyway.
        self._compressed: BoundedCache[bytes, bytes] = BoundedCache(max_entries=256, max_length=64 * 1024)

    def serialize(
        self, request: Request, response: Response, keep_alive: bool, common: bytes, share: int
    ) -> tuple[bytes, Body, int]:
        """Return the octets of the head with all content that is whole, the rest of the body, and a count.

        ``common`` is the field lines that every response carries, each with its CRLF. ``share`` is how many
        octets may be compressed at one go; the count is how many were. Raise ValueError or TypeError for a
        response that cannot be written, such as one with a faulty field.
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
        fixed_fields = self._fixed_fields  # a call of a slot takes 15 ns longer than one of a name
        fields = fixed_fields(response.status, response.headers, negotiated, coding, head.version, keep_alive)
        if not isinstance(content, bytes) or response.status in _WITHOUT_CONTENT:
            octets, body = _begin_body(request, response, content, fields + common)
            return octets, body, compressed
        if request.method == "HEAD":  # its response ends with the head (RFC 9110, 9.3.2)
            return b"%b%bContent-Length: %d\r\n\r\n" % (fields, common, len(content)), None, compressed
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (fields, common, len(content), content), None, compressed

    def _encode(
        self, content: Content, coding: str, share: int, length_optional: bool
    ) -> tuple[Content, str | None, int]:
        """Compress content as the client prefers it; return it with its coding, and how much was compressed.

        ``length_optional`` says that the content may end by chunks or with the connection.
        """
        if isinstance(content, (FileSlice, LiveStream)):
            return content, None, 0
        if not isinstance(content, bytes):
            return gzip_slices(_chunks(content), share), coding, 0
        if len(content) <= share:
            return self._gzip(content), coding, len(content)
        # Too much for one turn, and how long it will be is not known before its end.
        return (gzip_slices([content], share), coding, 0) if length_optional else (content, None, 0)

    def _gzip(self, content: bytes) -> bytes:
        """Compress content that is whole; short content that is sent again and again is compressed once."""
        compressed = self._compressed.get(content)
        if compressed is None:
            compressed = gzip(content)
            self._compressed.put(content, compressed)
        return compressed


def interim(status: int, headers: Fields = ()) -> bytes:
    r"""Write an interim response, 1xx, which has no content (RFC 9110, 15.2); raise ValueError.

    >>> interim(100)
    b'HTTP/1.1 100 Continue\r\n\r\n'
    """
    if status not in range(100, 200):
        raise ValueError(f"invalid interim status: {status!r} (expected 100 to 199)")
    return b"%b\r\n" % _lines(status, headers)


def _begin_body(request: Request, response: Response, content: Content, fields: bytes) -> tuple[bytes, Body]:
    """Return the head before content that is not in memory, or before none; and the body."""
    body: FileSlice | ChunkSource
    if isinstance(content, FileSlice):
        framing, body = b"Content-Length: %d\r\n" % content.count, content
    elif request.head.version == 1:
        framing = b"Transfer-Encoding: chunked\r\n"
        body = ChunkSource(chunked(_chunks(content)), response.content)
    else:
        framing, body = b"", ChunkSource(_chunks(content), response.content)
    if response.status in _WITHOUT_CONTENT:
        body.close()
        return fields + _WITHOUT_CONTENT[response.status], None
    if request.method == "HEAD":
        body.close()
        return b"%b%b\r\n" % (fields, framing), None
    return b"%b%b\r\n" % (fields, framing), body


def _chunks(content: Content) -> Iterator[bytes]:
    """Iterate over content; raise TypeError at once if it is not iterable bytes."""
    if isinstance(content, (str, bytearray, memoryview)):
        raise TypeError(
            f"response content must be bytes or an iterable of bytes, not {type(content).__name__}"
        )
    return iter([content] if isinstance(content, bytes) else content)  # type: ignore[arg-type]


def _fixed_fields(
    status: int,
    headers: Fields,
    negotiated: bool,
    coding: str | None,
    version: int,
    keep_alive: bool,
) -> bytes:
    """Write the status line and the fields that do not depend on the content or the time."""
    if status not in range(200, 600):  # 1xx are interim, and nothing follows them here
        raise ValueError(f"invalid response status: {status!r} (expected 200 to 599)")
    ours = []
    if coding is not None:
        ours.append(b"Content-Encoding: %b\r\n" % coding.encode())
    if negotiated:
        ours.append(b"Vary: Accept-Encoding\r\n")
    if not keep_alive:
        ours.append(b"Connection: close\r\n")
    elif version == 0:
        ours.append(b"Connection: keep-alive\r\n")
    return _lines(status, headers) + b"".join(ours)


def _lines(status: int, headers: Fields) -> bytes:
    """Write the status line and a handler's fields; raise ValueError for one that cannot be."""
    lines = [f"HTTP/1.1 {status} {reason_phrase(status)}\r\n"]
    for name, value in headers:
        check_field(name, value)
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def check_field(name: str, value: str) -> None:
    """Refuse a field that would break the head, or contradict its framing; raise ValueError."""
    if name.lower() in RESERVED:
        raise ValueError(f"the header {name} is set by the server")
    # A character beyond ISO 8859-1 has no octet, and raises its own ValueError here.
    match = match_field_line(f"{name}:{value}".encode("latin-1"))
    if match is None or match[1] != name.encode("latin-1"):
        raise ValueError(f"invalid header {name!r} with value {value!r}")
