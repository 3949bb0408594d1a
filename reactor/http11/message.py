"""The messages: what a handler is given, and what it returns.

    Request   -> handler ->  Response
    method, target, headers,  status, headers and a content, which is one of
    content, params           - octets
                              - a FileSlice
                              - an iterable of octets
                              - a LiveStream, which wakes its connection when it has more

Neither knows how it is written on the wire: that is for the parser and the serializer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from threading import RLock
from types import MappingProxyType
from typing import Protocol

from reactor.http11.errors import error_body
from reactor.http11.headers import Headers
from reactor.http11.target import Target

TEXT = (("Content-Type", "text/plain"),)
UTF8_TEXT = (("Content-Type", "text/plain; charset=utf-8"),)
OCTETS = (("Content-Type", "application/octet-stream"),)

# Header fields as (name, value) pairs.
Fields = tuple[tuple[str, str], ...]

# The parts of a path that a route names; they never change.
Params = Mapping[str, str]
NO_PARAMS: Params = MappingProxyType({})

# Where RFC 9110 has renamed what the standard library still calls by an older name.
_RENAMED = {
    104: "Upload Resumption Supported",  # of a draft: Resumable Uploads for HTTP
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
}
_PHRASES = {each.value: each.phrase for each in HTTPStatus} | _RENAMED


def reason_phrase(status: int) -> str:
    """Return the reason phrase of a status code, "Unknown" for one without a name (RFC 9110, 15)."""
    return _PHRASES.get(status, "Unknown")


class Head:
    """What the version and the field lines of a request mean; never changes, may serve many requests.

    ``version`` is 0 or 1, the minor one. ``length`` is the content's length in octets, 0 for none
    and -1 for chunked. ``keep_alive`` says whether the client allows further requests on the connection.
    ``expects_continue`` says that it waits for 100 (Continue). ``coding`` is the content coding
    that it prefers, "gzip" or "x-gzip", or None for identity. ``host`` is the value of Host, or the
    authority of the target in its place; None without either, which is valid in HTTP/1.0 only.
    """

    __slots__ = ("coding", "expects_continue", "headers", "host", "keep_alive", "length", "version")

    def __init__(
        self,
        version: int,
        headers: Headers,
        length: int = 0,
        keep_alive: bool = True,
        expects_continue: bool = False,
        coding: str | None = None,
        host: str | None = None,
    ) -> None:
        self.version = version
        self.headers = headers
        self.length = length
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.coding = coding
        self.host = host

    def with_headers(self, headers: Headers) -> "Head":
        """Return the same with other field lines, which must say the same of what is noted here."""
        return self._with(headers, self.host)

    def with_authority(self, authority: str) -> "Head":
        """Return the same with the authority of the target in place of Host (RFC 9112, 3.2.2)."""
        return self._with(self.headers.replacing("Host", authority), authority)

    def _with(self, headers: Headers, host: str | None) -> "Head":
        return Head(
            self.version, headers, self.length, self.keep_alive, self.expects_continue, self.coding, host
        )


class Request:
    """One request. ``content`` is the body where the route's sink kept it in memory, b"" otherwise.

    ``upload`` is what another sink made of the body, such as a file to be committed; otherwise None.
    ``route`` is the pattern of the route that answers it, such as "/files/{name...}", and ``params`` holds
    the parts of the path that the pattern names, percent-decoded. Both are set when the request is routed.
    """

    __slots__ = ("content", "head", "method", "params", "route", "target", "upload")

    def __init__(
        self,
        method: str,
        target: Target,
        head: Head,
        route: str = "",
        params: Params = NO_PARAMS,
    ) -> None:
        self.method = method
        self.target = target
        self.head = head
        self.route = route
        self.params = params
        self.content = b""
        self.upload: object = None

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"

    @property
    def headers(self) -> Headers:
        """The field lines, by name in any case."""
        return self.head.headers

    @property
    def path(self) -> str:
        """The path as it came, percent-encoded."""
        return self.target.path

    @property
    def query(self) -> str:
        """The query as it came, percent-encoded; empty without one."""
        return self.target.query or ""

    @property
    def version(self) -> str:
        """The protocol's name and version, "HTTP/1.0" or "HTTP/1.1"."""
        return f"HTTP/1.{self.head.version}"


class File(Protocol):
    """What a FileSlice needs of an open file."""

    def fileno(self) -> int:
        """Return the descriptor."""

    def close(self) -> None:
        """Let go of it."""


class FileSlice:
    """``count`` octets of an open file from ``offset``; whoever sends it closes the file.

    ``intact`` says whether the file is still what it was: asked before each piece that is sent.
    """

    __slots__ = ("count", "file", "intact", "offset")

    def __init__(
        self, file: File, offset: int, count: int, intact: Callable[[], bool] = lambda: True
    ) -> None:
        self.file = file
        self.offset = offset
        self.count = count
        self.intact = intact

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def do_nothing() -> None:
    """Wake no connection: the stream is not sent yet, or no longer."""


class LiveStream:
    """Content that comes in its own time: the application sends, the connection is woken.

    An iterator of bytes that yields b"" for "nothing now". At most ``limit`` bytes wait unread. ``closed``
    turns true when the stream has ended or its client is gone. ``send`` and ``close`` may be called from
    any thread; in a signal handler, pass them to ``Server.call_soon``. A stream belongs to one response.
    """

    __slots__ = ("_lock", "_waiting", "_wake", "closed", "limit", "size")

    def __init__(self, limit: int = 256 * 1024) -> None:
        self._lock = RLock()  # a signal handler written in Python may interrupt send(), and call it
        self._waiting: list[bytes] = []
        self.size = 0
        self.limit = limit
        self.closed = False
        self._wake: Callable[[], object] = do_nothing

    def send(self, data: bytes) -> bool:
        """Add bytes for the client; return False, adding nothing, when it is gone or too far behind.

        Raise TypeError for anything but bytes.
        """
        with self._lock:
            if not isinstance(data, bytes):  # in the loop, it would fail the client instead of the caller
                raise TypeError(f"LiveStream.send() takes bytes, not {type(data).__name__}")
            if self.closed or self.size + len(data) > self.limit:
                return False
            if not data:
                return True
            # Data already buffered has woken the connection, which will take all of it.
            is_first = not self._waiting
            self._waiting.append(data)
            self.size += len(data)
        if is_first:
            self._wake()
        return True

    def close(self) -> None:
        """End the stream; buffered data is still sent if the client is connected."""
        self.closed = True
        self._wake()

    def subscribe(self, wake: Callable[[], object]) -> bool:
        """Call ``wake`` when data arrives or the stream ends, in that thread; return False if one is set."""
        if self._wake is not do_nothing:
            return False
        self._wake = wake
        return True

    def unsubscribe(self) -> None:
        """Call nothing from now on: a stream that is kept must not keep its connection."""
        self._wake = do_nothing

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._lock:
            if not self._waiting and self.closed:
                raise StopIteration
            waiting, self._waiting = self._waiting, []
            data = b"".join(waiting)
            self.size -= len(data)
        return data


Content = bytes | FileSlice | LiveStream | Iterable[bytes]


class Response:
    """One response: a status, header fields as (name, value) pairs, and content.

    ``compress_min_size`` is the smallest content, in bytes, that is compressed with gzip; None for never.
    Content-Length, Transfer-Encoding, Connection, Date and whatever gzip needs are added on the wire.
    """

    __slots__ = ("compress_min_size", "content", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        content: Content = b"",
        headers: Fields = (),
        compress_min_size: int | None = None,
    ) -> None:
        self.status = status
        self.content = content
        self.headers = headers
        self.compress_min_size = compress_min_size

    def __repr__(self) -> str:
        return f"<Response {self.status} {reason_phrase(self.status)}>"

    @classmethod
    def text(cls, text: str, status: int = 200) -> "Response":
        """Make a response of plain text in UTF-8, compressed from 256 octets on."""
        return cls(status, text.encode("utf-8"), UTF8_TEXT, 256)

    @classmethod
    def error(cls, status: int, reason: str, headers: Fields = ()) -> "Response":
        """Make an error response: one line of plain text that says why."""
        return cls(status, error_body(reason), (*TEXT, *headers))
