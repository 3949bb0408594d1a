"""Routes for what the built-in ones do not do: small limits, failing sinks, responses that are known later.

POST /small            returns a body of at most 1,000 bytes
POST /refuses          takes such a body, and its handler answers 403
POST /sink-fails       its sink raises an exception
GET  /later/{mark}     is answered after a worker thread has worked, twice
GET  /fails-later      fails after that
"""

from collections.abc import Callable, Generator
from typing import Any

from reactor.http11.deferred import Deferred
from reactor.http11.errors import HTTPError
from reactor.http11.message import Request, Response
from reactor.routing import BufferSink, Router, buffered

SMALL = 1_000  # bytes of a body


class PlannedError(Exception):
    """The exception of a handler or a sink that fails on purpose."""


class FailingSink(BufferSink):
    """A sink that fails at the first byte."""

    def write(self, data: bytes) -> None:
        """Fail."""
        raise PlannedError


def add_routes(routes: Router) -> None:
    """Add the routes in the table at the top of this file."""

    @routes.post("/small", sink=buffered(SMALL))
    def small(request: Request) -> Response:
        return Response(200, request.content)

    @routes.post("/refuses", sink=buffered(SMALL))
    def refuses(request: Request) -> Response:
        raise HTTPError(403, "this route refuses everything")

    @routes.post("/sink-fails", sink=lambda request: FailingSink(SMALL))
    def never(request: Request) -> Response:
        raise AssertionError("the handler of a body whose sink has failed was called")

    @routes.get("/later/{mark}")
    def later(request: Request) -> Deferred:
        return Deferred(steps(request.params["mark"]))

    @routes.get("/fails-later")
    def fails_later(request: Request) -> Deferred:
        return Deferred(steps(""))


def steps(mark: str) -> Generator[Callable[[], Any], Any, Response]:
    """Work in two steps, then return the mark; without a mark, fail."""
    first = yield lambda: mark[:5]
    second = yield lambda: mark[5:]
    if not mark:
        raise HTTPError(503, "planned")
    return Response.text(first + second)
