"""Protection against cross-site request forgery (CSRF): refuse POST uploads from pages of other origins.

1. Browsers send a CORS preflight before a cross-origin PUT or DELETE, but not before a form POST, which
   they send with the user's credentials for this server.
2. Browsers send the page's origin in Origin (RFC 6454, 7) and, over HTTPS and to localhost, its relation to
   this server in Sec-Fetch-Site (Fetch Metadata), which decides. Other clients send neither, and are not
   affected. A proxy may add TLS, and may change the port or Host if the browser sends Sec-Fetch-Site
   (``reactor/http11/cors.py``), or reports it in X-Forwarded-Host as a trusted proxy.
3. The origin that CORS allows may upload.
"""

from reactor.http11.cors import ANY, is_cross_origin
from reactor.http11.errors import HTTPError, quote
from reactor.http11.message import Request


def require_same_origin(request: Request, allowed: str | None) -> None:
    """Raise HTTPError(403) for a cross-origin request, unless its origin is ``allowed`` ("*": any)."""
    if is_cross_origin(request) and allowed not in (ANY, request.headers.get("origin", "")):
        origin = request.headers.get("origin")
        sender = "another site" if origin is None else quote(origin)
        refused = f"cross-origin upload from {sender} to Host {quote(request.head.host or '')} refused"
        remedy = "a proxy must forward Host, or be a --trusted-proxy that sends X-Forwarded-Host"
        raise HTTPError(403, f"{refused} (--cors ORIGIN allows it; {remedy})")
