"""A client that sends requests to routes through the real parser, connection and serializer, in memory.

Worker threads run if a handler uses one. Time is real: timers are waited for.
"""

import json as json_format
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from http.cookiejar import CookieJar
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import quote, urlencode
from urllib.request import Request as CookieRequest

from reactor.http11.message import JSON, HeaderPairs, HeaderSource, header_pairs, reason_phrase
from reactor.routing import Router
from reactor.settings import Settings
from reactor.testing.memory import MemoryConnection, MemoryServer

TIMEOUT = 5.0  # seconds
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


class RequestOptions(TypedDict, total=False):
    """The headers and the body of a request: at most one of ``content``, ``json`` and ``form``."""

    headers: HeaderSource
    content: bytes
    json: object
    form: Mapping[str, object]  # each value of a list is a field of its own


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
    in seconds to wait for a response, then TimeoutError is raised. Redirects are not followed. Close the
    client, or use it in a ``with`` statement, to end its worker threads. It is used by one thread at a time.
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

        ``path`` may have a query; spaces and non-ASCII characters in it are percent-encoded.
        """
        connection = self._connection
        try:
            response = self._send(connection, method, path, **options)
            content = response.read()
        except BaseException:
            connection.disconnect()
            self._connection = self._server.connection(self._peer)  # without remains of the request
            raise
        connection.disconnect(only_if_ended=True)
        self._server.run_until_idle()
        return ClientResponse(response.status, response.headers, content)

    def get(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a GET request."""
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a HEAD request."""
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a POST request."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a PUT request."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a PATCH request."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send a DELETE request."""
        return self.request("DELETE", path, **options)

    def options(self, path: str, **options: Unpack[RequestOptions]) -> ClientResponse:
        """Send an OPTIONS request."""
        return self.request("OPTIONS", path, **options)

    def stream(self, method: str, path: str, **options: Unpack[RequestOptions]) -> "ClientStream":
        """Send a request on a connection of its own; return its response, which need not end."""
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
        content: bytes | None = None,
        json: object = None,
        form: Mapping[str, object] | None = None,
    ) -> HTTPResponse:
        """Send a request, and read the head of its response."""
        self._server.start_timeout()
        connection.disconnect(only_if_ended=True)
        path = quote(path, safe="!#$%&'()*+,/:;=?@[]~")
        cookies = CookieRequest(f"https://localhost{path}")
        self.cookies.add_cookie_header(cookies)
        content, own = _encode(content, json, form, method)
        fields = header_pairs(headers)
        given = {name.lower() for name, _ in fields}
        connection.putrequest(method, path, "host" in given, skip_accept_encoding=True)
        for name, value in (*fields, *own, *cookies.header_items()):
            if (name, value) in fields or name.lower() not in given:
                connection.putheader(name, value)
        connection.endheaders(content)
        response = connection.getresponse()
        self.cookies.extract_cookies(response, cookies)
        return response


def _encode(
    content: bytes | None, json: object, form: Mapping[str, object] | None, method: str
) -> tuple[bytes | None, HeaderPairs]:
    """Return a request body, and its headers; raise ValueError for more than one."""
    if sum(body is not None for body in (content, json, form)) > 1:
        raise ValueError("more than one body: choose one of content, json and form")
    headers: HeaderPairs = ()
    if json is not None:
        content, headers = json_format.dumps(json).encode(), JSON
    elif form is not None:
        content, headers = urlencode(form, doseq=True).encode(), FORM
    if content is None and method not in ("POST", "PUT", "PATCH"):
        return None, ()
    return content, (*headers, ("Content-Length", str(len(content or b""))))


class ClientStream:
    """A response that is read while the server sends it; use it in a ``with`` statement."""

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
        content = b""
        while not self.ended and (len(content) < at_least or self._connection.has_content(self._response)):
            content += self._response.read1()
        return content

    def close(self) -> None:
        """Close the connection, as a client that leaves."""
        self._connection.disconnect()
        self._server.run_until_idle()
