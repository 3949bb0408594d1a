"""Cross-origin requests: CORS headers of responses (Fetch, 3.3), and the check of a request's origin.

    Response                Headers
    every response          Access-Control-Allow-Origin, -Expose-Headers; -Allow-Credentials for one origin
    response to OPTIONS     also Access-Control-Allow-Methods, -Allow-Headers, -Max-Age

The headers do not depend on the Origin of a request: either one origin is allowed, or all are. So Vary is
not needed, and a preflight (an OPTIONS with Origin and Access-Control-Request-Method) gets the same response
as any OPTIONS.

``is_cross_origin`` detects requests that a page of another origin sent, which may need no preflight:

    Origin                        Sec-Fetch-Site         Decision
    null, repeated or malformed   any                    cross-origin
    valid, or missing             same-origin or none    not cross-origin
    valid, or missing             any other value        cross-origin
    valid                         missing                cross-origin unless host and port are those of Host
    missing                       missing                not cross-origin

Sec-Fetch-Site takes precedence because a proxy may change Host, but browsers send it only over HTTPS and to
localhost (Fetch Metadata). The scheme and the default ports 80 and 443 are not compared, because they differ
behind a proxy that adds TLS. The origin null is that of sandboxed frames of any page.
"""

from reactor.http11.grammar import match_origin
from reactor.http11.message import HeaderPairs, Request

ANY = "*"
# A request without these headers is not cross-origin.
ORIGIN_HEADERS = frozenset({"origin", "sec-fetch-site"})

# Default ports, which browsers omit in an origin.
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

# Headers that pages may read, in addition to those that are always allowed (Fetch, 2.2.2).
_EXPOSED = (
    "Accept-Encoding",
    "Accept-Patch",
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
    "Repr-Digest",
    "Upload-Complete",
    "Upload-Draft-Interop-Version",
    "Upload-Length",
    "Upload-Offset",
)
# Values of Sec-Fetch-Site for requests that no page of another origin sent; none: the user did.
_OWN_SITES = ("same-origin", "none")
# Ports of Host and Origin that are not compared; "" is that of a Host that ends with a colon.
_OMITTED_PORTS = ("80", "443", "")
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


def is_cross_origin(request: Request, check_site: bool = True) -> bool:
    """Return whether a browser marked a request as sent by a page of another origin.

    Other clients send neither header. Without ``check_site``, Sec-Fetch-Site is ignored.
    """
    headers = request.headers
    origin = headers.get("origin")
    match = None if origin is None else match_origin(origin.lower())
    if origin is not None and (match is None or match[2] is None):
        return True
    site = headers.get("sec-fetch-site") if check_site else None
    if site is not None:
        return site not in _OWN_SITES
    return match is not None and _authority(match[2]) != _authority((request.head.host or "").lower())


def _authority(host: str) -> str:
    """Return a host with its port, if that is not a default port.

    >>> _authority("example.com:443"), _authority("[::1]:8443"), _authority("example.com:")
    ('example.com', '[::1]:8443', 'example.com')
    """
    name, _, port = host.rpartition(":")
    return name if port in _OMITTED_PORTS else host
