"""CORS: what lets a page of another origin read an answer, in constant fields (Fetch, 3.3).

    every response         Access-Control-Allow-Origin, -Expose-Headers; -Allow-Credentials for one origin
    an answer to OPTIONS   Access-Control-Allow-Methods, -Allow-Headers, -Max-Age

Nothing depends on the Origin of a request: there is one origin that may read, or all may. So there is
nothing to vary by (no Vary), and a preflight, which is an OPTIONS with Origin and
Access-Control-Request-Method, needs no other answer than any OPTIONS. This module does not know who asks.
"""

from reactor.http11.grammar import match_origin
from reactor.http11.message import Fields

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
        raise ValueError(f"{text!r} is no origin, such as https://example.com (no path, no slash at the end)")
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
