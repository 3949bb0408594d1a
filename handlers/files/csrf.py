"""Cross-site request forgery (CSRF): refuse uploads that pages of other sites have a browser send.

1. A browser asks before it sends most of what changes something (a preflight, which CORS answers);
   a POST it just sends, with the password that its user has given for this server.
2. It says where the page is from: by Sec-Fetch-Site (Fetch Metadata) where it trusts the connection,
   and by Origin (RFC 6454, 7) everywhere. Clients that are no browsers say nothing, and are not meant.
3. What CORS lets an origin do, it may.
"""

from collections.abc import Callable

from reactor.http11.cors import ANY, is_cross_origin
from reactor.http11.errors import HTTPError
from reactor.http11.message import Request

# Given a request, raises HTTPError(403) where the page of another site has made it.
Check = Callable[[Request], None]


def require_same_origin(allowed: str | None) -> Check:
    """Make a check that refuses what pages of other origins send, except ``allowed`` ("*" for any origin)."""

    def check(request: Request) -> None:
        origin = request.headers.get("origin")
        if allowed is not None and allowed in (ANY, origin):
            return
        if is_cross_origin(request):
            raise HTTPError(403, "a page of another site may not upload")

    return check
