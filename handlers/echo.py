"""``GET /echo/{text...}``: return the rest of the path as text, compressed at any length."""

from reactor.http11.message import TEXT, Request, Response
from reactor.routing import Router


def install(routes: Router) -> None:
    """Add the route."""

    @routes.get("/echo/{text...}")
    def echo(request: Request) -> Response:
        return Response(200, request.params["text"].encode(), TEXT, 0)
