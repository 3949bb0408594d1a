"""What a teacher shows: a handler that blocks, and a response that is large. Only with ``--inspect``."""

import select

from reactor.http11.message import Request, Response
from reactor.routing import Router

BLOCKS_FOR = 0.2  # seconds
LARGE = 4 << 20  # octets


def install(routes: Router) -> None:
    """Register the routes."""
    routes.get("/demo/block")(block)
    routes.get("/demo/large")(large)


def block(request: Request) -> Response:
    """Do what no handler should: wait, while everybody waits."""
    select.select((), (), (), BLOCKS_FOR)
    return Response.text(f"nobody was served for {BLOCKS_FOR * 1000:.0f} ms\n")


def large(request: Request) -> Response:
    """Answer more than a slow reader takes at once."""
    return Response(200, b"." * LARGE, (("Content-Type", "text/plain"),))
