"""The server's own path prefix (``--prefix``): routes are matched behind it.

    Path with --prefix /share     Response
    /share/files/a.txt            that of the route /files/a.txt
    /share                        308 to /share/
    any other path                404 with a hint

The target stays as received. ``request.prefix`` is the prefix. A path outside of it, and the prefix itself,
are answered without a password: both responses are the same whatever routes there are.
"""

from collections.abc import Sequence
from functools import partial

from reactor.http11.errors import HTTPError
from reactor.http11.message import NO_PARAMS, Params, Request, Response
from reactor.http11.prefix import prefix_segments
from reactor.http11.redirect import redirect_to_slash
from reactor.routing import Route, Router


class Prefix:
    """The prefix of a server, and the routes behind it."""

    def __init__(self, prefix: str, router: Router) -> None:
        self._prefix = prefix
        self._segments = prefix_segments(prefix)
        self._router = router
        self._redirect = Route("", partial(redirect_to_slash, status=308), None)
        self._error_route = Route("", self._refuse, None)

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route for a method and the segments of a path, and the path parameters."""
        count = len(self._segments)
        if not segments:  # the asterisk-form: no path
            return self._router.resolve(method, segments)
        if tuple(segments[:count]) != self._segments:
            return self._error_route, NO_PARAMS
        if len(segments) == count:
            return self._redirect, NO_PARAMS
        return self._router.resolve(method, segments[count:])

    def _refuse(self, request: Request) -> Response:
        raise HTTPError(
            404,
            f"no resource at this path: all are below {self._prefix}/ (a proxy that removes this prefix must "
            "send X-Forwarded-Prefix, in place of --prefix)",
        )
