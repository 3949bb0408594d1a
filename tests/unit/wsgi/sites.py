"""Servers of one WSGI application, and what the tests see of it."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from reactor.routing import Router
from reactor.wsgi import mount
from tests.support.in_process import Client, Harness
from tests.support.requests import request

TEXT = [("Content-Type", "text/plain")]


class Blocks:
    """An iterable without a length, which counts how often it is closed."""

    def __init__(self, *blocks: bytes, error: Exception | None = None) -> None:
        self._blocks = iter(blocks)
        self._error = error
        self.closed = 0
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._blocks
        self.ended = True
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed += 1


class Fixed:
    """An application with one response, which keeps the environ of each request, and its body."""

    def __init__(
        self, content: Iterable[bytes] = (), status: str = "200 OK", *headers: tuple[str, str]
    ) -> None:
        self.content = content
        self.status = status
        self.headers = list(headers or TEXT)
        self.environ: list[WSGIEnvironment] = []
        self.bodies: list[bytes] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.environ.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        start_response(self.status, self.headers)
        return self.content


def routes_of(app: WSGIApplication, path: str = "/", in_loop: bool = False) -> Router:
    """Make routes of one application."""
    routes = Router()
    mount(routes, app, path, in_loop)
    return routes


class Exchange(NamedTuple):
    """What a client got: the bytes, whether the connection was reset, and the client."""

    data: bytes
    was_reset: bool
    client: Client


def exchange(
    app: WSGIApplication, sent: bytes = request(), in_loop: bool = False, **settings: Any
) -> Exchange:
    """Send a request to an application; read until the server has nothing to do."""
    with Harness(routes_of(app, in_loop=in_loop), **settings) as server:
        client = server.connect()
        client.send(sent)
        client.read()
        return Exchange(client.received, client.was_reset, client)
