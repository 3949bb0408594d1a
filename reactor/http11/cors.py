"""Cross-origin requests: CORS headers of responses (Fetch, 3.3), and the check of a request's origin.

    Response                Headers
    every response          Access-Control-Allow-Origin, -Expose-Headers; -Allow-Credentials for one origin
    response to OPTIONS     also Access-Control-Allow-Methods, -Allow-Headers, -Max-Age

The headers do not depend on the Origin of a request: either one origin is allowed, or all are. So Vary is
not needed, and a preflight (an OPTIONS with Origin and Access-Control-Request-Method) gets the same response
as any OPTIONS.

``is_cross_origin`` detects requests that a page of another origin sent, which may need no preflight.
"""

from reactor.http11.grammar import match_origin
from reactor.http11.message import HeaderPairs, Request

ANY = "*"

# Default ports, which browsers omit in an origin.
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

# Headers that pages may read, in addition to those that are always allowed (Fetch, 2.2.2).
_EXPOSED = (
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Range",
    "Date",
    "ETag",
    "Location",
    "Retry-After",
    "Upload-Complete",
    "Upload-Length",
    "Upload-Limit",
    "Upload-Offset",
    "Vary",
    "WWW-Authenticate",
)
# Headers that pages may send. The asterisk excludes Authorization, and does not apply to requests with
# credentials, so the headers that this server uses are listed.
_ACCEPTED = (
    "*",
    "Authorization",
    "Content-Range",
    "Content-Type",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
    "Upload-Complete",
    "Upload-Draft-Interop-Version",
    "Upload-Length",
    "Upload-Offset",
)
# Values of Sec-Fetch-Site for requests from other origins (Fetch Metadata).
_OTHER_SITES = ("cross-site", "same-site")
_MAX_AGE = 7200  # seconds; browsers cache a preflight no longer than this


def read_origin(text: str) -> str:
    """Parse the allowed origin, ``*`` for all; return it as browsers write it.

    Raise ValueError for an invalid origin.

    >>> read_origin("HTTPS://Example.com:443")
    'https://example.com'
    """
    origin = text.lower()
    match = match_origin(origin)
    if match is None and origin != ANY:
        raise ValueError(
            f"invalid origin: {text!r} (example: https://example.com, without path or trailing /)"
        )
    default = _DEFAULT_PORTS.get(match[1] or "") if match else None
    return origin.removesuffix(default) if default else origin


def cors_headers(origin: str, credentials: bool) -> HeaderPairs:
    """Return the headers of every response; ``credentials`` is true if requests may need a password."""
    headers: HeaderPairs = (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", ", ".join(_EXPOSED)),
    )
    # Any page can get the origin null, in a sandboxed frame, so it is as untrusted as any origin.
    if credentials and origin not in (ANY, "null"):
        headers += (("Access-Control-Allow-Credentials", "true"),)
    return headers


def preflight_headers(allowed: str) -> HeaderPairs:
    """Return the additional headers of a response to OPTIONS; ``allowed`` is its Allow."""
    return (
        ("Access-Control-Allow-Methods", allowed),
        ("Access-Control-Allow-Headers", ", ".join(_ACCEPTED)),
        ("Access-Control-Max-Age", str(_MAX_AGE)),
    )


def is_cross_origin(request: Request, scheme: str | None = None, check_site: bool = True) -> bool:
    """Return whether a browser marked a request as sent by a page of another origin.

    Browsers send Origin (RFC 6454, 7), which is compared with Host, and Sec-Fetch-Site on trustworthy
    connections; without ``check_site`` only Origin is checked. The scheme is compared if it is given (it is
    unknown if a reverse proxy is used). Other clients send neither header.
    """
    headers = request.head.headers
    origin = headers.get("origin")
    if origin is not None:
        authority = (request.head.host or "").lower()
        own = authority if scheme is None else f"{scheme}://{authority}"
        if own != (origin.partition("://")[2] if scheme is None else origin).lower():
            return True
    return check_site and headers.get("sec-fetch-site") in _OTHER_SITES
