"""Fields that every response carries: checked once, written once.

    --header 'Name: value'   read_field   -> ("Name", "value"), or ValueError that says why not
    all of them, at start    write_fields -> the octets that stand in each head behind Date

What a single response says about itself is not for here: a field that a handler or the serializer sets
would stand twice, or say of a refusal what is true of a file. This module does not know who asks for a
field, nor when a head is written.
"""

from reactor.http11.message import Fields
from reactor.http11.serializer import check_field

# These belong to one response, or to one connection; in lower case.
_NOT_COMMON = dict.fromkeys(
    (
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
        "upload-offset",
        "vary",
        "www-authenticate",
    ),
    "belongs to a single response",
) | dict.fromkeys(("keep-alive", "proxy-connection", "te", "trailer", "upgrade"), "is about the connection")


def read_field(text: str) -> tuple[str, str]:
    """Read ``Name: value``; raise ValueError for what cannot be in every response.

    >>> read_field("X-Frame-Options: DENY")
    ('X-Frame-Options', 'DENY')
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} is no field, such as 'Name: value'")
    field = name, value.strip(" \t")
    _check(*field)
    return field


def write_fields(fields: Fields) -> bytes:
    """Write the lines of fields, each with its CRLF; raise ValueError where ``read_field`` would."""
    for name, value in fields:
        _check(name, value)
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1")


def _check(name: str, value: str) -> None:
    try:
        check_field(name, value)
    except UnicodeEncodeError:
        raise ValueError(f"the field {name!r} has a character beyond ISO 8859-1") from None
    if name.lower() in _NOT_COMMON:
        raise ValueError(f"the field {name} {_NOT_COMMON[name.lower()]}, and cannot be in every one")
