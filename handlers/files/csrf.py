"""Cross-site request forgery (CSRF): refuse uploads that pages of other sites have a browser send.

1. A browser asks before it sends most of what changes something (a preflight, which CORS answers);
   a POST it just sends, with the password that its user has given for this server.
2. It says where the page is from: by Sec-Fetch-Site (Fetch Metadata) where it trusts the connection,
   and by Origin (RFC 6454, 7) everywhere. Clients that are no browsers say nothing, and are not meant.
3. What CORS lets an origin do, it may.
"""

from reactor.http11.cors import ANY, is_cross_origin
from reactor.http11.errors import HTTPError
from reactor.http11.message import Request


def require_same_origin(request: Request, allowed: str | None) -> None:
    """Raise HTTPError(403) for a request from a page of another origin than ``allowed`` ("*" for any)."""
    if is_cross_origin(request) and allowed not in (ANY, request.headers.get("origin", "")):
        raise HTTPError(403, "cross-origin upload refused")
