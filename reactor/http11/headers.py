"""Headers: the header lines of one message, in order, looked up case-insensitively.

1. ``read_header_line`` parses one line: from bytes to a checked name and value. The lines of a request head,
   which have been checked together, are parsed when a header is used.
2. Lines with the same name are combined into one value, joined by commas (RFC 9110, 5.3). If a header that
   must be unique (Host, Content-Length) is repeated, its combined value does not match its grammar, so
   duplicates need no check of their own.

Headers are immutable, so that one object can be shared by all requests with the same bytes. This module does
not interpret them.

A *header* is a name and a value; a *header line* is one line of a message, before lines with the same name
are combined. The RFCs say "field" and "field line"; here, a field is one of a form.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, overload

from reactor.http11.errors import ProtocolError
from reactor.http11.grammar import match_field_line

Default = TypeVar("Default")

# One checked header line: the name in lower case, the value, the name as received.
HeaderLine = tuple[str, str, str]

# The names and values in a head that matches the grammar; the values have trailing whitespace.
_find_lines = re.compile(r"\r\n([^:\r]+):[\t ]*([^\r]*)").findall


def read_header_line(line: bytes) -> HeaderLine:
    """Parse one header line, without its CRLF (RFC 9112, 5); raise ProtocolError(400)."""
    match = match_field_line(line)
    if match is None:
        raise ProtocolError(400, _fault(line))
    # obs-text is opaque (RFC 9110, 5.5): ISO 8859-1 keeps each byte as one character.
    name = match[1].decode("ascii")
    return name.lower(), match[2].strip(b" \t").decode("latin-1"), name


def _fault(line: bytes) -> str:
    """Return why a header line is invalid."""
    if line[:1] in (b" ", b"\t"):
        return "obsolete line folding in a header"  # obs-fold: RFC 9112, 5.2
    name, colon, _ = line.partition(b":")
    if not colon:
        return "header without a colon"
    if name.rstrip(b" \t") != name:
        return "whitespace before the colon of a header"  # RFC 9112, 5.1
    if match_field_line(name + b":") is None:
        return "malformed header name"
    return "control character in a header value"


def combine(lines: Iterable[HeaderLine]) -> dict[str, str]:
    """Return the combined values of header lines by name in lower case (RFC 9110, 5.3).

    Many lines with the same name take quadratic time, which the setting ``max_fields`` bounds.

    >>> combine([("accept", "a", "Accept"), ("accept", "b", "ACCEPT")])
    {'accept': 'a, b'}
    """
    values: dict[str, str] = {}
    for name, value, _ in lines:
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values


class Headers(Mapping[str, str]):
    """An immutable mapping from header name (any case) to combined value.

    It is made from header lines, or from a whole request head that matches the grammar.

    >>> headers = Headers([("accept", "a", "Accept"), ("accept", "b", "ACCEPT")])
    >>> headers["Accept"], headers.get_all("accept"), "host" in headers
    ('a, b', ['a', 'b'], False)
    """

    __slots__ = ("_combined", "_source")

    def __init__(self, source: Iterable[HeaderLine] | bytes = ()) -> None:
        # Parsed and combined on first use: many handlers do not read headers.
        self._source = source if isinstance(source, bytes) else tuple(source)
        self._combined: dict[str, str] = {}

    @property
    def _lines(self) -> tuple[HeaderLine, ...]:
        if isinstance(self._source, bytes):
            found = _find_lines(self._source.decode("latin-1"))
            self._source = tuple([(name.lower(), value.rstrip(" \t"), name) for name, value in found])
        return self._source

    @property
    def _values(self) -> dict[str, str]:
        """The combined values by name in lower case."""
        if not self._combined:
            self._combined = combine(self._lines)
        return self._combined

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    @overload
    def get(self, name: str, /) -> str | None: ...

    @overload
    def get(self, name: str, /, default: str) -> str: ...

    @overload
    def get(self, name: str, /, default: Default) -> str | Default: ...

    def get(self, name: str, /, default: object = None) -> object:
        """Return the combined value, or the default; faster than Mapping.get(), which catches a KeyError."""
        return (self._combined or self._values).get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._combined or self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self.lines!r})"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Every header line as (name as received, value), in the order received."""
        return [(name, value) for _, value, name in self._lines]

    def get_all(self, name: str) -> list[str]:
        """Return the value of each line with this name, in order; an empty list if it is missing."""
        return [value for lower, value, _ in self._lines if lower == name.lower()]

    def replacing(self, name: str, value: str) -> "Headers":
        """Return a copy in which one line, placed first, replaces all lines with this name."""
        others = (line for line in self._lines if line[0] != name.lower())
        return Headers([(name.lower(), value, name), *others])
