"""Media types and parameters: the values of Content-Type and Content-Disposition.

>>> media_type('Text/HTML; charset="utf-8"'), parameters('Text/HTML; charset="utf-8"')
('text/html', {'charset': 'utf-8'})
"""

import re

from reactor.http11.errors import HTTPError, quote
from reactor.http11.grammar import TOKEN

# parameters = *( OWS ";" OWS [ parameter ] )                                      RFC 9110, 5.6.6
# parameter = token "=" ( token / quoted-string )
# Browsers escape quotes, CR and LF in a quoted-string as %22, %0D and %0A; some tools escape a quote with a
# backslash. A backslash before any other character is literal.
_match_parameter = re.compile(
    r"(?:;[ \t]*)+(" + TOKEN.decode() + r')=("((?:[^"\\]|\\.)*)"|[^\s";]*)[ \t]*(?=;|\Z)'
).match
_ESCAPED = {r"\"": '"', "%22": '"', "%0D": "\r", "%0A": "\n"}
_replace_escaped = re.compile(r'\\"|%22|%0D|%0A').sub


def media_type(value: str | None) -> str:
    """Return what is before the parameters, in lower case: a media type; "" for a missing header."""
    return (value or "").partition(";")[0].strip(" \t").lower()


def parameters(value: str) -> dict[str, str]:
    """Return the parameters by name in lower case; the first one with a name wins.

    Raise HTTPError(400) if they are malformed.
    """
    values: dict[str, str] = {}
    _, semicolon, rest = value.partition(";")
    text, position = semicolon + rest, 0
    while match := _match_parameter(text, position):
        position = match.end()
        name = match[1].lower()
        is_quoted = match[3] is not None and not name.endswith("*")  # an ext-value is never quoted
        values.setdefault(name, _replace_escaped(_unescape, match[3]) if is_quoted else match[2])
    if text[position:].strip(" \t;"):
        rest = quote(text[position:])
        raise HTTPError(400, f'malformed parameters: {rest} (expected ; NAME=VALUE or ; NAME="VALUE")')
    return values


def unsupported_type(content_type: str | None, expected: str) -> HTTPError:
    """Return the error for a body with another media type, or without one."""
    found = "missing Content-Type" if content_type is None else f"unsupported type: {quote(content_type)}"
    return HTTPError(415, f"{found} (expected Content-Type: {expected})")


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPED[match[0]]
