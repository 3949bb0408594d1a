"""Headers: the field lines of one message, in order, found without regard to case.

1. A field line is read by ``read_field_line``: octets to a checked name and value.
2. Lines of one name combine into one value, joined by a comma, as RFC 9110, 5.3 has it. So a field
   that must stand once (Host, Content-Length) and stands twice becomes a value that its own
   grammar refuses; nobody needs to count lines.

Headers never change, so that one object can serve every request with the same octets. This module
knows no field by its meaning.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reactor.http11.grammar import ProtocolError, match_field_line

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
        return "folded field line"  # obs-fold: RFC 9112, 5.2
    name, colon, _ = line.partition(b":")
    if not colon:
        return "field line without a colon"
    if name.rstrip(b" \t") != name:
        return "white space before the colon of a field line"  # RFC 9112, 5.1
    if match_field_line(name + b":") is None:
        return "malformed field name"
    return "control character in a field value"


class Headers(Mapping[str, str]):
    """An unchangeable mapping from field name (any case) to combined value, as a str.

    >>> headers = Headers([("accept", "a", "Accept"), ("accept", "b", "ACCEPT")])
    >>> headers["Accept"], headers.get_all("accept"), "host" in headers
    ('a, b', ['a', 'b'], False)
    """

    __slots__ = ("_combined", "_lines")

    def __init__(self, lines: Iterable[FieldLine] = ()) -> None:
        self._lines = tuple(lines)
        self._combined = {name: value for name, value, _ in self._lines}
        if len(self._combined) < len(self._lines):
            self._combine()

    def _combine(self) -> None:
        """Join the values of lines with one name."""
        for name in self._combined:
            self._combined[name] = ", ".join(self.get_all(name))

    def __getitem__(self, name: str) -> str:
        return self._combined[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the combined value, or the default; no exception is made and caught on the way."""
        return self._combined.get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._combined)

    def __len__(self) -> int:
        return len(self._combined)

    def __repr__(self) -> str:
        return f"Headers({self.lines!r})"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Every field line as (name as written, value), in the order received."""
        return [(name, value) for _, value, name in self._lines]

    def values_of(self, names: tuple[str, ...]) -> tuple[str | None, ...]:
        """Return the combined values of several names, given in lower case; None for each that is absent."""
        return tuple(map(self._combined.get, names))

    def get_all(self, name: str) -> list[str]:
        """Return the value of each line of this name, in order; an empty list when there is none."""
        return [value for lower, value, _ in self._lines if lower == name.lower()]

    def replacing(self, name: str, value: str) -> "Headers":
        """Return a copy with one line of this name, first, in place of all of them."""
        others = (line for line in self._lines if line[0] != name.lower())
        return Headers([(name.lower(), value, name), *others])
