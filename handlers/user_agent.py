"""``GET /user-agent``: what the client calls itself, octet for octet; empty when it does not say."""

from reactor.http11.message import TEXT, Request, Response
from reactor.routing import Router


def install(routes: Router) -> None:
    """Add the route."""

    @routes.get("/user-agent")
    def user_agent(request: Request) -> Response:
        return Response(200, request.headers.get("user-agent", "").encode("latin-1"), TEXT)
