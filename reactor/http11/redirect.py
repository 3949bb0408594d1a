"""The redirect to the same path with a slash at its end, to which the links of a page are relative."""

from reactor.http11.message import Request, Response
from reactor.http11.target import percent_encoded


def redirect_to_slash(request: Request, status: int = 301) -> Response:
    """Redirect to the same path with a trailing slash; the Location is relative, without any prefix."""
    query = f"?{request.query}" if request.query else ""
    # "./" keeps a colon in the name from being parsed as the end of a scheme (RFC 3986, 4.2).
    last = request.path.rpartition("/")[2]
    return Response(status, b"", (("Location", percent_encoded(f"./{last}/{query}")),))
