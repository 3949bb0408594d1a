r"""Structured fields: items and dictionaries in header values (RFC 9651), as far as this server uses them.

    Value                          Function           Result
    ?0;a=1                         parse_item         False
    42                             parse_item         42
    sha-256=:q80=:, a="b", c=(1)   parse_dictionary   {"sha-256": b"\xab\xcd", "a": None, "c": None}

A value of another type is None, since no header of this server has it. So is a malformed value: the caller
ignores the header, or refuses the request (RFC 9651, 4.2). Parameters are checked and dropped. Header lines
with the same name are combined by commas, so a repeated item is malformed.
"""

import re
from binascii import a2b_base64
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

# bare-item = sf-integer / sf-decimal / sf-string / sf-token / sf-binary          RFC 9651, 3.3
#             / sf-boolean / sf-date / sf-displaystring
# sf-integer = ["-"] 1*15DIGIT; sf-decimal = ["-"] 1*12DIGIT "." 1*3DIGIT
# sf-string = DQUOTE *( unescaped / "%" / bs-escaped ) DQUOTE
# unescaped = %x20-21 / %x23-24 / %x26-5B / %x5D-7E; bs-escaped = "\" ( DQUOTE / "\" )
# sf-token = ( ALPHA / "*" ) *( tchar / ":" / "/" )
# sf-binary = ":" base64 ":"; base64 = *( ALPHA / DIGIT / "+" / "/" ) *"="         padding is optional: 4.2.7
# sf-boolean = "?" ( "0" / "1" ); sf-date = "@" sf-integer
# sf-displaystring = "%" DQUOTE *( unescaped / "\" / pct-encoded ) DQUOTE          UTF-8: 4.2.10
# pct-encoded = "%" lc-hexdig lc-hexdig
match_bare_item = re.compile(
    r"""
    -?[0-9]{1,12}\.[0-9]{1,3} | @-?[0-9]{1,15} | (?P<integer>-?[0-9]{1,15})
    | "(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"
    | [A-Za-z*][!\#$%&'*+\-.^_`|~0-9A-Za-z:/]*
    | :(?P<binary>(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}={0,2}|[A-Za-z0-9+/]{3}=?)?):
    | \?(?P<boolean>[01])
    | %"(?P<display_string>(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*)"
    """,
    re.VERBOSE,
).match

# parameters = *( ";" *SP parameter ); parameter = param-key [ "=" bare-item ]     RFC 9651, 3.1.2
# key = ( lcalpha / "*" ) *( lcalpha / DIGIT / "_" / "-" / "." / "*" )
KEY = r"[a-z*][a-z0-9_\-.*]*"
match_parameter = re.compile(rf"; *{KEY}(=?)").match

# inner-list = "(" *SP [ sf-item *( 1*SP sf-item ) *SP ] ")" parameters            RFC 9651, 3.1.1
match_list_start = re.compile(r"\( *").match
match_list_end = re.compile(r"\)").match
match_list_separator = re.compile(r" +| *(?=\))").match

# sf-dictionary = dict-member *( OWS "," OWS dict-member )                         RFC 9651, 3.2
# dict-member = key ( parameters / ( "=" ( sf-item / inner-list )))
match_member_key = re.compile(rf"({KEY})(=?)").match
match_comma = re.compile(r"[ \t]*,[ \t]*").match

BareItem = int | bool | bytes | None


def parse_item(value: str) -> BareItem:
    """Parse an item: an integer, a boolean or a byte sequence. Return None for any other value."""
    reader = _Reader(value)
    try:
        item = reader.read_item()
    except ValueError:
        return None
    return item if reader.at_end else None


def parse_dictionary(value: str) -> dict[str, BareItem] | None:
    """Parse a dictionary; return None if it is malformed. If a key is repeated, its last member counts."""
    reader = _Reader(value)
    members: dict[str, BareItem] = {}
    try:
        while not reader.at_end:
            if members:
                reader.take(match_comma)
            key, equals = reader.take(match_member_key).groups()
            members[key] = reader.read_member() if equals else reader.read_parameters(True)
    except ValueError:
        return None
    return members


class _Reader:
    """Reads the parts of a value from left to right; raises ValueError for a malformed one."""

    __slots__ = ("_position", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._position = 0

    @property
    def at_end(self) -> bool:
        """True if the value is read completely."""
        return self._position == len(self._value)

    def take(self, match_here: Callable[[str, int], re.Match[str] | None]) -> re.Match[str]:
        """Read what matches at the current position."""
        match = match_here(self._value, self._position)
        if match is None:
            raise ValueError(f"malformed structured field at position {self._position}")
        self._position = match.end()
        return match

    def read_member(self) -> BareItem:
        """Read the value of a member: an item, or an inner list, whose value is None."""
        if match_list_start(self._value, self._position) is None:
            return self.read_item()
        self.take(match_list_start)
        while match_list_end(self._value, self._position) is None:
            self.read_item()
            self.take(match_list_separator)
        self.take(match_list_end)
        return self.read_parameters(None)

    def read_item(self) -> BareItem:
        """Read an item and its parameters."""
        return self.read_parameters(self._read_bare_item())

    def read_parameters(self, item: BareItem) -> BareItem:
        """Read the parameters of an item; return the item."""
        while self._value.startswith(";", self._position):
            if self.take(match_parameter)[1]:
                self._read_bare_item()
        return item

    def _read_bare_item(self) -> BareItem:
        match = self.take(match_bare_item)
        text = match[match.lastgroup] if match.lastgroup else ""
        if match.lastgroup == "integer":
            return int(text)
        if match.lastgroup == "boolean":
            return text == "1"
        if match.lastgroup == "binary":
            return a2b_base64(text + "==")  # adds the padding that may be missing; any more is ignored
        unquote_to_bytes(text).decode("utf-8")  # a display string
        return None
