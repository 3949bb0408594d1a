"""A client that sends requests to routes through the real parser, connection and serializer, in memory.

Worker threads run if a handler uses one. Time is real: timers are waited for.
"""

import json as json_format
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from http.cookiejar import CookieJar
from reprlib import repr as shorten
from secrets import token_hex
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import parse_qsl, quote, urlencode
from urllib.request import Request as CookieRequest

from reactor.http11.message import JSON, HeaderPairs, HeaderSource, header_pairs, reason_phrase
from reactor.routing import Router
from reactor.settings import Settings
from reactor.testing.memory import MemoryConnection, MemoryServer

TIMEOUT = 5.0  # seconds
ENDLESS = "end of the response, whose head was sent (client.stream() reads one that does not end),"
BINARY = "application/octet-stream"
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
BUFFERS = (bytes, bytearray, memoryview)
# In names and file names of a form                                                HTML, 4.10.21.8
ESCAPES = str.maketrans({"\n": "%0A", "\r": "%0D", '"': "%22"})

# A file of a form: its content, or its file name, content and media type.
File = bytes | tuple[str, bytes, str]


class BodyOptions(TypedDict, total=False):
    """The body of a request; see ``Client.request``."""

    content: bytes | Iterable[bytes]
    json: object
    form: Mapping[str, object]
    files: Mapping[str, File | list[File]]


class RequestOptions(BodyOptions, total=False):
    """The headers and the body of a request; see ``Client.request``."""

    headers: HeaderSource


@dataclass(frozen=True, repr=False)
class ClientResponse:
    """A complete response. ``headers`` are looked up by name in any case; ``get_all`` returns a list."""

    status: int
    headers: HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        """The content as text, in the charset of Content-Type or in UTF-8."""
        return self.content.decode(self.headers.get_content_charset("utf-8"))

    def json(self) -> Any:
        """Return the content as parsed JSON, for a test to look into; raise ValueError if it is invalid."""
        return json_format.loads(self.content)

    def __repr__(self) -> str:
        kind, size = self.headers.get("Content-Type", "no type"), len(self.content)
        return f"<{self.status} {reason_phrase(self.status)}, {kind}, {size} bytes: {self.content[:400]!r}>"


class Client:
    """Sends requests to ``routes`` on one connection, which is replaced when it is closed; keeps cookies.

    An error of the application, such as an unhandled exception of a handler, is raised here; with
    ``raise_errors=False`` the client gets the response that others get, such as 500. ``timeout`` is the time
    in seconds to wait for a response, then TimeoutError is raised. ``cookies`` is the CookieJar. Redirects
    are not followed. Close the client, or use it in a ``with`` statement, to end its worker threads. It is
    used by one thread at a time.

    A handler may use ``server.run_in_thread`` of a ``Server`` that does not run. Timers and hooks of a server
    need one that runs: see ``reactor.testing.running``.
    """

    def __init__(
        self,
        routes: Router,
        settings: Settings | None = None,
        timeout: float = TIMEOUT,
        raise_errors: bool = True,
        peer: str = "127.0.0.1",
    ) -> None:
        self.cookies = CookieJar()
        self._server = MemoryServer(routes, settings or Settings(), timeout, raise_errors)
        self._connection = self._server.connection(peer)
        self._peer = peer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, and end the worker threads."""
        self._server.close()

    def request(self, method: str, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a request; return its response.

        ``path`` may have a query; spaces and non-ASCII characters in it are percent-encoded. The options are

            headers  a mapping, or (name, value) pairs
            content  the body: bytes, or an iterable of bytes, sent chunked; the server gets each on its own
            json     an object that is sent as JSON
            form     a mapping of names to texts, or to lists of texts
            files    a mapping of names to files, or to lists of files; sent with ``form``, as multipart

        A file is bytes, or a tuple of its file name, content and media type. Raise ValueError for more than
        one body, TypeError for one of another type, and TimeoutError if the response does not end in time.
        """
        connection = self._connection
        try:
            response = self._send(connection, method, path, **options)
            self._server.awaited = ENDLESS
            content = response.read()
        except BaseException:
            connection.disconnect()
            self._connection = self._server.connection(self._peer)  # without remains of the request
            raise
        connection.disconnect(only_if_ended=True)
        self._server.run_until_idle()
        return ClientResponse(response.status, response.headers, content)

    def get(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a GET request; see ``request``."""
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a HEAD request; see ``request``."""
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a POST request; see ``request``."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a PUT request; see ``request``."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a PATCH request; see ``request``."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a DELETE request; see ``request``."""
        return self.request("DELETE", path, **options)

    def options(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send an OPTIONS request; see ``request``."""
        return self.request("OPTIONS", path, **options)

    def stream(self, method: str, path: str, **options: Unpack[RequestOptions]) -> "ClientStream":
        """Send a request (see ``request``) on its own connection; return its response, which need not end."""
        connection = self._server.connection(self._peer)
        try:
            response = self._send(connection, method, path, **options)
            return ClientStream(self._server, connection, response)
        except BaseException:
            connection.disconnect()
            raise

    def _send(
        self,
        connection: MemoryConnection,
        method: str,
        path: str,
        headers: HeaderSource = (),
        **options: Unpack[BodyOptions],
    ) -> HTTPResponse:
        """Send a request, and read the head of its response."""
        self._server.start_timeout()
        connection.disconnect(only_if_ended=True)
        path = quote(path, safe="!#$%&'()*+,/:;=?@[]~")
        cookies = CookieRequest(f"https://localhost{path}")
        self.cookies.add_cookie_header(cookies)
        body, own = _encode(method, **options)
        fields = header_pairs(headers)
        given = {name.lower() for name, _ in fields}
        connection.putrequest(method, path, "host" in given, skip_accept_encoding=True)
        for name, value in (*fields, *own, *cookies.header_items()):
            if (name, value) in fields or name.lower() not in given:
                connection.putheader(name, value)
        if body is None or isinstance(body, BUFFERS):
            connection.endheaders(body)
        else:
            connection.endheaders(self._deliver(connection, body), encode_chunked=True)
        response = connection.getresponse()
        self.cookies.extract_cookies(response, cookies)
        return response

    def _deliver(self, connection: MemoryConnection, content: Iterable[bytes]) -> Iterator[bytes]:
        """Yield each part of a body when the server has received those before; stop if it has closed."""
        self._server.run_until_idle()
        for part in content:
            if not isinstance(part, bytes):
                raise TypeError(f"invalid part of the content: {shorten(part)} (expected bytes)")
            yield part
            self._server.run_until_idle()
            if connection.ended:
                break


def _encode(
    method: str,
    content: bytes | Iterable[bytes] | None = None,
    json: object = None,
    form: Mapping[str, object] | None = None,
    files: Mapping[str, File | list[File]] | None = None,
) -> tuple[bytes | Iterable[bytes] | None, HeaderPairs]:
    """Return a request body, and its headers; raise ValueError for more than one, and TypeError."""
    if (content is not None) + (json is not None) + (form is not None or files is not None) > 1:
        raise ValueError("more than one body: choose one of content, json and form, which may have files")
    headers: HeaderPairs = ()
    if json is not None:
        content, headers = json_format.dumps(json).encode(), JSON
    elif files is not None:
        boundary = token_hex(16)
        content = _multipart(boundary, form or {}, files)
        headers = (("Content-Type", f"multipart/form-data; boundary={boundary}"),)
    elif form is not None:
        content, headers = urlencode(form, doseq=True).encode(), FORM
    if content is None and method not in ("POST", "PUT", "PATCH"):
        return None, ()
    if content is None or isinstance(content, BUFFERS):
        return content, (*headers, ("Content-Length", str(len(content or b""))))
    if isinstance(content, str | Mapping) or not isinstance(content, Iterable):
        raise TypeError(f"invalid content: {shorten(content)} (expected bytes, or an iterable of bytes)")
    return content, (("Transfer-Encoding", "chunked"),)


def _multipart(boundary: str, form: Mapping[str, object], files: Mapping[str, File | list[File]]) -> bytes:
    """Write a form with files as browsers do; raise TypeError for an invalid file."""
    # The same fields as in a form without files; bytes need not be UTF-8.
    fields = parse_qsl(urlencode(form, doseq=True), keep_blank_values=True, errors="surrogateescape")
    parts = [(f'"{name.translate(ESCAPES)}"', text.encode(errors="surrogateescape")) for name, text in fields]
    for name, value in files.items():
        for file in value if isinstance(value, list) else [value]:
            match (name, file, BINARY) if isinstance(file, bytes) else file:
                case (str(filename), bytes(data), str(media_type)) if media_type.isprintable():
                    names = f'"{name.translate(ESCAPES)}"; filename="{filename.translate(ESCAPES)}"'
                    parts.append((f"{names}\r\nContent-Type: {media_type}", data))
                case _:
                    expected = "bytes, or a tuple of file name, bytes and media type"
                    raise TypeError(f"invalid file {name!r}: {shorten(file)} (expected {expected})")
    head = f"--{boundary}\r\nContent-Disposition: form-data; name="
    body = [b"%b%b\r\n\r\n%b\r\n" % (head.encode(), names.encode(), data) for names, data in parts]
    return b"".join(body) + f"--{boundary}--\r\n".encode()


class ClientStream:
    """A response that is read while the server sends it; use it in a ``with`` statement.

    ``status`` and ``headers`` are known at once; ``headers`` are looked up by name in any case.
    """

    def __init__(self, server: MemoryServer, connection: MemoryConnection, response: HTTPResponse) -> None:
        self._server = server
        self._connection = connection
        self._response = response
        self.status, self.headers = response.status, response.headers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """Whether the whole response has been read."""
        return self._response.isclosed() or self._response.length == 0

    def read(self, at_least: int = 0) -> bytes:
        """Return what the server has sent since the last call, perhaps nothing.

        Wait for ``at_least`` so many bytes, or the end of the response; raise TimeoutError without them.
        """
        self._server.run_until_idle()
        self._server.awaited = "further content"
        content = b""
        while not self.ended and (len(content) < at_least or self._connection.has_content(self._response)):
            content += self._response.read1()
        return content

    def close(self) -> None:
        """Close the connection, as a client that leaves."""
        self._connection.disconnect()
        self._server.run_until_idle()
