"""Default headers: headers of every response, checked and encoded once.

    Input                     Function         Result
    --header 'Name: value'    parse_header     ("Name", "value"), or ValueError with the reason
    all of them, at start     encode_headers   the bytes that follow Date in each head

Headers that belong to a single response are rejected: they could be sent twice, or be wrong for an error.
"""

from reactor.http11.message import HeaderPairs
from reactor.http11.serializer import check_header

# Headers that cannot be defaults, in lower case, and the reason.
PER_RESPONSE = dict.fromkeys(
    (
        "accept-patch",
        "accept-ranges",
        "allow",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-location",
        "content-range",
        "content-type",
        "etag",
        "last-modified",
        "location",
        "retry-after",
        "upload-complete",
        "upload-length",
        "upload-limit",
        "upload-offset",
        "vary",
        "www-authenticate",
    ),
    "belongs to a single response",
) | dict.fromkeys(("keep-alive", "proxy-connection", "te", "trailer", "upgrade"), "describes the connection")


def parse_header(text: str) -> tuple[str, str]:
    """Parse ``Name: value``; raise ValueError for a header that cannot be a default.

    >>> parse_header("X-Frame-Options: DENY")
    ('X-Frame-Options', 'DENY')
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError(f"invalid header: {text!r} (example: 'X-Frame-Options: DENY')")
    header = name, value.strip(" \t")
    _check(*header)
    return header


def encode_headers(headers: HeaderPairs) -> bytes:
    """Encode headers, each with its CRLF; raise ValueError like ``parse_header``."""
    for name, value in headers:
        _check(name, value)
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")


def _check(name: str, value: str) -> None:
    try:
        check_header(name, value)
    except UnicodeEncodeError:
        raise ValueError(f"invalid header {name!r}: character outside ISO 8859-1") from None
    if name.lower() in PER_RESPONSE:
        raise ValueError(f"{name} cannot be added to every response: it {PER_RESPONSE[name.lower()]}")
