"""``GET /``: return 200 with an empty body, or, to a browser, with the page of the shared directory."""

from reactor.http11.accept import prefers_html
from reactor.http11.deferred import Deferred
from reactor.http11.message import Request, Response
from reactor.http11.results import Result
from reactor.routing import Handler, Router

VARY = (("Vary", "Accept"),)


def install(routes: Router, page: Handler | None = None) -> None:
    """Add the route; ``page`` answers clients that prefer HTML."""

    @routes.get("/")
    def root(request: Request) -> Result | Deferred:
        if page is None:
            return Response(200)
        if prefers_html(request.headers.get("accept")):
            return page(request)
        return Response(200, b"", VARY)
