"""``GET /``: 200, and nothing in it; the smallest handler there is."""

from reactor.http11.message import Request, Response
from reactor.routing import Router


def install(routes: Router) -> None:
    """Add the route."""

    @routes.get("/")
    def root(request: Request) -> Response:
        return Response(200)
