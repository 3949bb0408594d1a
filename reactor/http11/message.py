"""Messages: the request that a handler receives, and the response that it returns.

    Request   -> handler ->  Response
    method, target, headers,  status, headers and content, which is one of
    content, params           - bytes
                              - a FileSlice
                              - an iterable of bytes
                              - a LiveStream, which wakes its connection when it has data

They are parsed by ``parser.py`` and serialized by ``serializer.py``.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from threading import RLock
from types import MappingProxyType
from typing import NamedTuple, Protocol, Self
from urllib.parse import quote

from reactor.http11.body import JSONValue, read_json, read_text
from reactor.http11.cookies import read_cookies
from reactor.http11.errors import error_body
from reactor.http11.form import Form, read_form, read_query
from reactor.http11.header_pairs import HeaderPairs as HeaderPairs
from reactor.http11.header_pairs import HeaderSource as HeaderSource
from reactor.http11.header_pairs import header_pairs as header_pairs
from reactor.http11.headers import Headers
from reactor.http11.multidict import Cookies, MultiDict
from reactor.http11.target import Target

TEXT = (("Content-Type", "text/plain"),)
UTF8_TEXT = (("Content-Type", "text/plain; charset=utf-8"),)
UTF8_HTML = (("Content-Type", "text/html; charset=utf-8"),)
JSON = (("Content-Type", "application/json"),)
BYTES = (("Content-Type", "application/octet-stream"),)

# Text is compressed from this size on, in bytes: below, gzip saves nothing.
COMPRESS_MIN_SIZE = 256
REDIRECTS = (301, 302, 303, 307, 308)

# Path parameters by name; read-only.
Params = Mapping[str, str]
NO_PARAMS: Params = MappingProxyType({})

# Reason phrases that the standard library has under an older name.
_RENAMED = {
    104: "Upload Resumption Supported",  # draft: Resumable Uploads for HTTP
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
}
_PHRASES = {each.value: each.phrase for each in HTTPStatus} | _RENAMED


def reason_phrase(status: int) -> str:
    """Return the reason phrase of a status code, "Unknown" for one without a name (RFC 9110, 15)."""
    return _PHRASES.get(status, "Unknown")


class Site(NamedTuple):
    """How clients reach the server: the scheme, and the path prefix, of its URLs.

    ``removed`` is the part of the prefix that a proxy has removed from the target of the request. The rest is
    the prefix of the server itself, with which the target begins. ``is_forwarded`` is true if a trusted proxy
    has named the scheme, the host or the prefix.
    """

    scheme: str = "http"
    prefix: str = ""
    removed: str = ""
    is_forwarded: bool = False

    @property
    def depth(self) -> int:
        """The number of segments with which targets begin: those of the server's own prefix."""
        return self.prefix.count("/") - self.removed.count("/")


ROOT_SITE = Site()


class Head:
    """The version of a request and what its headers mean to the server; immutable, shared by many requests.

    ``version`` is the minor version, 0 or 1. ``length`` is the length of the body in bytes, 0 without a
    body and -1 for a chunked one. ``keep_alive`` is true if the client allows further requests on the
    connection, ``expects_continue`` if it waits for 100 (Continue). ``coding`` is the preferred content
    coding, "gzip" or "x-gzip", or None for identity. ``host`` is the value of Host, or the authority of
    the target, which replaces it; None without either, which is valid in HTTP/1.0 only. ``site`` is what the
    server, and trusted proxies, add to it.
    """

    __slots__ = ("coding", "expects_continue", "host", "keep_alive", "length", "site", "version")

    def __init__(
        self,
        version: int,
        length: int = 0,
        keep_alive: bool = True,
        expects_continue: bool = False,
        coding: str | None = None,
        host: str | None = None,
        site: Site = ROOT_SITE,
    ) -> None:
        self.version = version
        self.length = length
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.coding = coding
        self.host = host
        self.site = site

    def with_host(self, host: str | None, site: Site | None = None) -> "Head":
        """Return a copy with another host, and perhaps another site."""
        return Head(
            self.version,
            self.length,
            self.keep_alive,
            self.expects_continue,
            self.coding,
            host,
            self.site if site is None else site,
        )


class Request:
    """One request.

    ``headers`` are looked up by name in any case. ``content`` is the body if the route's sink kept it in
    memory, b"" otherwise; ``upload`` is the result of any other sink, such as a file to commit, otherwise
    None. ``route`` is the pattern of the matching route, such as "/files/{name...}", and ``params`` holds the
    path parameters, percent-decoded. Both are set when the request is routed. ``peer`` is the client's IP
    address, "" without a connection; ``unix`` for a client of a Unix socket.

    Behind a trusted proxy, ``peer``, ``scheme``, ``prefix`` and ``head.host`` are those of its client.
    ``path`` and ``target`` are always as received. An application that makes an absolute path, for a link, a
    Location or the Path of a cookie, puts ``prefix`` in front of the path of its route:
    ``Response.redirect(request.prefix + "/login")``. A relative URL needs no prefix.
    """

    __slots__ = ("content", "head", "headers", "method", "params", "peer", "route", "target", "upload")

    def __init__(self, method: str, target: Target, head: Head, headers: Headers) -> None:
        self.method = method
        self.target = target
        self.head = head
        self.headers = headers
        self.peer = ""
        self.route = ""
        self.params = NO_PARAMS
        self.content = b""
        self.upload: object = None

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"

    @property
    def path(self) -> str:
        """The path as received, percent-encoded."""
        return self.target.path

    @property
    def query(self) -> str:
        """The query as received, percent-encoded; empty without one."""
        return self.target.query or ""

    @property
    def version(self) -> str:
        """The protocol's name and version, "HTTP/1.0" or "HTTP/1.1"."""
        return f"HTTP/1.{self.head.version}"

    @property
    def scheme(self) -> str:
        """The scheme of the URL, "https" only if a trusted proxy reports it, else "http"."""
        return self.head.site.scheme

    @property
    def prefix(self) -> str:
        """The path of the URL in front of that of the route, such as "/share"; usually empty.

        It is percent-encoded, and ends without a slash.
        """
        return self.head.site.prefix

    @property
    def url_path(self) -> str:
        """The path of the URL as the client knows it: ``path``, behind what a proxy has removed."""
        return self.head.site.removed + self.target.path

    # These parse at each use, and raise HTTPError if the client sent something else.

    @property
    def args(self) -> MultiDict:
        """The fields of the query, decoded; without one, an empty mapping.

        A missing field is answered with 400 if it is used as ``args["name"]``; ``args.get("name")`` is None.
        """
        return read_query(self.query)

    @property
    def cookies(self) -> Cookies:
        """The cookies by name; malformed ones are skipped."""
        return read_cookies(self.headers.get_all("cookie"))

    def text(self) -> str:
        """Decode the content, by the charset in Content-Type or as UTF-8; raise HTTPError: 400 or 415."""
        return read_text(self.content, self.headers.get("content-type", ""))

    def json(self) -> JSONValue:
        """Parse the content as JSON; raise HTTPError: 400 if it is invalid, 415 for another media type."""
        return read_json(self.content, self.headers.get("content-type"))

    def form(self) -> Form:
        """Parse the content as a form, urlencoded or multipart; raise HTTPError: 400, 413 or 415.

        A missing field is answered with 400 if it is used as ``form()["name"]``.
        """
        return read_form(self.content, self.headers.get("content-type"))


class File(Protocol):
    """The methods of an open file that a FileSlice uses."""

    def fileno(self) -> int:
        """Return the file descriptor."""

    def close(self) -> None:
        """Close the file."""


def do_nothing() -> None:
    """Do nothing: the callback of a stream without a connection, and the check of a file without one."""


class FileSlice:
    """``count`` bytes of an open file from ``offset``; the file is closed after sending.

    ``check`` is called before each chunk is sent; it raises OSError if the file has changed.
    """

    __slots__ = ("check", "count", "file", "offset")

    def __init__(self, file: File, offset: int, count: int, check: Callable[[], None] = do_nothing) -> None:
        self.file = file
        self.offset = offset
        self.count = count
        self.check = check

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class LiveStream:
    """Content that the application sends at any time; the connection is woken for each send.

    An iterator of bytes that yields b"" for "no data yet". At most ``limit`` bytes are buffered. ``closed``
    becomes true when the stream has ended or the client has disconnected. ``send`` and ``close`` may be
    called from any thread; in a signal handler, pass them to ``Server.call_soon``. A stream belongs to one
    response. If the ``length`` of all data in bytes is given, it is sent as Content-Length: more is cut, and
    a stream that ends with less resets the connection.
    """

    # True in a subclass whose streams end without ``close``: they continue when the server is stopping, and
    # any number of requests may wait behind them.
    ends_by_itself = False

    __slots__ = ("_lock", "_waiting", "_wake", "closed", "length", "limit", "size")

    def __init__(self, limit: int = 256 * 1024, length: int | None = None) -> None:
        self._lock = RLock()  # a signal handler written in Python may interrupt send(), and call it
        self._waiting: list[bytes] = []
        self.size = 0
        self.limit = limit
        self.length = length
        self.closed = False
        self._wake: Callable[[], object] = do_nothing

    def send(self, data: bytes) -> bool:
        """Buffer data for the client; return False if the client has disconnected or the buffer is full.

        Raise TypeError for anything but bytes.
        """
        with self._lock:
            if not isinstance(data, bytes):  # raise in the caller, not later in the loop
                raise TypeError(f"LiveStream.send() takes bytes, not {type(data).__name__}")
            if self.closed or self.size + len(data) > self.limit:
                return False
            if not data:
                return True
            # If data is buffered, the connection has been woken and will read all of it.
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
        """Set the callback for new data and the end of the stream; return False if one is set.

        It is called in the thread that sends or closes.
        """
        if self._wake is not do_nothing:
            return False
        self._wake = wake
        return True

    def unsubscribe(self) -> None:
        """Remove the callback, so that the stream does not keep its connection alive."""
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
    """One response: a status, headers (a mapping, or (name, value) pairs), and content.

    ``compress_min_size`` is the smallest content, in bytes, that is compressed with gzip; None for never.
    The serializer adds Content-Length, Transfer-Encoding, Connection, Date and the headers for gzip.
    """

    __slots__ = ("compress_min_size", "content", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        content: Content = b"",
        headers: HeaderSource = (),
        compress_min_size: int | None = None,
    ) -> None:
        self.status = status
        self.content = content
        self.headers = headers if isinstance(headers, tuple) else header_pairs(headers)
        self.compress_min_size = compress_min_size

    def __repr__(self) -> str:
        return f"<Response {self.status} {reason_phrase(self.status)}>"

    @classmethod
    def text(cls, text: str, status: int = 200, headers: HeaderSource = ()) -> Self:
        """Make a response of plain text in UTF-8, compressed from 256 bytes on."""
        return cls(status, text.encode(), UTF8_TEXT + header_pairs(headers), COMPRESS_MIN_SIZE)

    @classmethod
    def html(cls, html: str, status: int = 200, headers: HeaderSource = ()) -> Self:
        """Make a response of HTML in UTF-8; escape what comes from clients with ``html.escape``."""
        return cls(status, html.encode(), UTF8_HTML + header_pairs(headers), COMPRESS_MIN_SIZE)

    @classmethod
    def json(cls, value: object, status: int = 200, headers: HeaderSource = ()) -> Self:
        """Make a response of JSON (RFC 8259); raise TypeError or ValueError for what JSON cannot express."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return cls(status, text.encode(), JSON + header_pairs(headers), COMPRESS_MIN_SIZE)

    @classmethod
    def redirect(cls, location: str, status: int = 302, headers: HeaderSource = ()) -> Self:
        """Redirect the client to another URL, which may be relative; raise ValueError for another status.

        Use 303 after a form: the client gets the other URL with GET (RFC 9110, 15.4.4). The location is sent
        as given: put ``request.prefix`` in front of an absolute path.
        """
        if status not in REDIRECTS:
            raise ValueError(f"invalid redirect status: {status!r} (expected one of {REDIRECTS})")
        encoded = quote(location, safe="!#$%&'()*+,/:;=?@[]~")
        return cls(status, b"", (("Location", encoded), *header_pairs(headers)))

    @classmethod
    def stream(cls, chunks: Iterable[bytes], status: int = 200, headers: HeaderSource = BYTES) -> Self:
        """Make a response of an iterable of bytes; one item is taken per turn, when the last one is sent."""
        return cls(status, chunks, headers)

    @classmethod
    def error(cls, status: int, reason: str, headers: HeaderPairs = ()) -> Self:
        """Make an error response whose body is the reason, as one line of plain text."""
        return cls(status, error_body(reason), (*TEXT, *headers))
