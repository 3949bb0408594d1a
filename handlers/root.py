"""``GET /``: return 200 with an empty body; the smallest possible handler."""

from reactor.http11.message import Request, Response
from reactor.routing import Router


def install(routes: Router) -> None:
    """Add the route."""

    @routes.get("/")
    def root(request: Request) -> Response:
        return Response(200)
