"""``GET /user-agent``: return the User-Agent header unchanged; an empty body if it is missing."""

from reactor.http11.message import TEXT, Request, Response
from reactor.routing import Router


def install(routes: Router) -> None:
    """Add the route."""

    @routes.get("/user-agent")
    def user_agent(request: Request) -> Response:
        return Response(200, request.headers.get("user-agent", "").encode("latin-1"), TEXT)
