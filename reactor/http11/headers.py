"""Headers: the field lines of one message, in order, found without regard to case.

1. A field line is read by ``read_field_line``: octets to a checked name and value.
2. Lines of one name combine into one value, joined by a comma, as RFC 9110, 5.3 has it. So a field
   that must stand once (Host, Content-Length) and stands twice becomes a value that its own
   grammar refuses; nobody needs to count lines.

Headers never change, so that one object can serve every request with the same octets. This module
knows no field by its meaning.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, overload

from reactor.http11.errors import ProtocolError
from reactor.http11.grammar import match_field_line

Default = TypeVar("Default")

# One field line, checked: the name in lower case, the value, the name as it was written.
FieldLine = tuple[str, str, str]


def read_field_line(line: bytes) -> FieldLine:
    """Check one field line, given without its CRLF (RFC 9112, 5); raise ProtocolError(400)."""
    match = match_field_line(line)
    if match is None:
        raise ProtocolError(400, _fault(line))
    # obs-text is opaque (RFC 9110, 5.5): ISO 8859-1 keeps each octet as one character.
    name = match[1].decode("ascii")
    return name.lower(), match[2].strip(b" \t").decode("latin-1"), name


def _fault(line: bytes) -> str:
    """Say in words why this is no field line."""
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


def combine(lines: Iterable[FieldLine]) -> dict[str, str]:
    """Return the combined values of field lines by their names in lower case (RFC 9110, 5.3).

    A name with many lines is copied for each: the setting ``max_fields`` limits how many there are.

    >>> combine([("accept", "a", "Accept"), ("accept", "b", "ACCEPT")])
    {'accept': 'a, b'}
    """
    values: dict[str, str] = {}
    for name, value, _ in lines:
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values


class Headers(Mapping[str, str]):
    """An unchangeable mapping from field name (any case) to combined value, as a str.

    >>> headers = Headers([("accept", "a", "Accept"), ("accept", "b", "ACCEPT")])
    >>> headers["Accept"], headers.get_all("accept"), "host" in headers
    ('a, b', ['a', 'b'], False)
    """

    __slots__ = ("_combined", "_lines")

    def __init__(self, lines: Iterable[FieldLine] = ()) -> None:
        self._lines = tuple(lines)
        self._combined: dict[str, str] = {}  # made when it is asked for: many handlers never do

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
        """Return the combined value, or the default; no exception is made and caught on the way."""
        return (self._combined or self._values).get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._combined or self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self.lines!r})"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Every field line as (name as written, value), in the order received."""
        return [(name, value) for _, value, name in self._lines]

    @property
    def line_count(self) -> int:
        """How many field lines there are; the length counts names."""
        return len(self._lines)

    def get_all(self, name: str) -> list[str]:
        """Return the value of each line of this name, in order; an empty list when there is none."""
        return [value for lower, value, _ in self._lines if lower == name.lower()]

    def replacing(self, name: str, value: str) -> "Headers":
        """Return a copy with one line of this name, first, in place of all of them."""
        others = (line for line in self._lines if line[0] != name.lower())
        return Headers([(name.lower(), value, name), *others])

    def followed_by(self, line: FieldLine) -> "Headers":
        """Return a copy with one line more, at the end."""
        return Headers((*self._lines, line))
