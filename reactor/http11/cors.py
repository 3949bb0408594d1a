"""Cross-origin requests: the CORS fields of responses (Fetch, 3.3), and the check of a request's origin.

    every response         Access-Control-Allow-Origin, -Expose-Headers; -Allow-Credentials for one origin
    an answer to OPTIONS   Access-Control-Allow-Methods, -Allow-Headers, -Max-Age

Nothing depends on the Origin of a request: there is one origin that may read, or all may. So there is
nothing to vary by (no Vary), and a preflight, which is an OPTIONS with Origin and
Access-Control-Request-Method, needs no other answer than any OPTIONS.

``is_cross_origin`` finds requests that a page of another origin has a browser send without a preflight.
"""

from reactor.http11.grammar import match_origin
from reactor.http11.message import Fields, Request

ANY = "*"

# The ports that a browser leaves out of an origin.
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

# What a page may read of an answer, beside what it always may (Fetch, 2.2.2).
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
    "Upload-Limit",
    "Upload-Offset",
    "Vary",
    "WWW-Authenticate",
)
# What a page may send. The asterisk stands for any field but Authorization, and only where there are no
# credentials; so those that have a use here are named.
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
# Values of Sec-Fetch-Site for requests of other origins (Fetch Metadata).
_OTHER_SITES = ("cross-site", "same-site")
_MAX_AGE = 7200  # seconds; browsers keep the answer to a preflight no longer


def read_origin(text: str) -> str:
    """Read the origin that may read answers, ``*`` for all; return it as browsers write it.

    Raise ValueError for what is none.

    >>> read_origin("HTTPS://Example.com:443")
    'https://example.com'
    """
    origin = text.lower()
    match = match_origin(origin)
    if match is None and origin != ANY:
        raise ValueError(f"invalid origin: {text!r} (example: https://example.com, without a path)")
    default = _DEFAULT_PORTS.get(match[1] or "") if match else None
    return origin.removesuffix(default) if default else origin


def cors_fields(origin: str, credentials: bool) -> Fields:
    """Return the fields of every response; ``credentials`` says that there are passwords to be sent."""
    fields: Fields = (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", ", ".join(_EXPOSED)),
    )
    # Any page can have the origin null, in a sandboxed frame: it is no more trusted than all others.
    if credentials and origin not in (ANY, "null"):
        fields += (("Access-Control-Allow-Credentials", "true"),)
    return fields


def preflight_fields(allowed: str) -> Fields:
    """Return the further fields of an answer to OPTIONS whose Allow is given."""
    return (
        ("Access-Control-Allow-Methods", allowed),
        ("Access-Control-Allow-Headers", ", ".join(_ACCEPTED)),
        ("Access-Control-Max-Age", str(_MAX_AGE)),
    )


def is_cross_origin(request: Request, scheme: str | None = None, check_site: bool = True) -> bool:
    """Return whether a browser says that a page of another origin made a request.

    It says so by Origin (RFC 6454, 7), which is compared with Host, and by Sec-Fetch-Site where it trusts the
    connection; without ``check_site`` only the first counts. The scheme is compared if it is given: behind a
    proxy it is not known. Clients that are not browsers send neither field.
    """
    headers = request.head.headers
    origin = headers.get("origin")
    if origin is not None:
        authority = (request.head.host or "").lower()
        own = authority if scheme is None else f"{scheme}://{authority}"
        if own != (origin.partition("://")[2] if scheme is None else origin).lower():
            return True
    return check_site and headers.get("sec-fetch-site") in _OTHER_SITES
