"""A naive sketch of a message, for the predicates: cut at each CRLF and at the first colon, no more.

It decides nothing and refuses nothing; it shares no code with the parser, so that a fault there is
not repeated here.
"""

import re
from typing import NamedTuple

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]+")


class Chunks(NamedTuple):
    """The lines of a chunked body as far as they can be walked, and the bytes where that ended."""

    size_lines: list[bytes]
    trailers: list[bytes]
    rest: bytes  # where the walk ended: data without its CRLF, or a line without its end


class Sketch:
    """The first message in some bytes."""

    def __init__(self, data: bytes) -> None:
        message = data.lstrip(b"\r\n")
        self.before = data[: len(data) - len(message)]
        self.head, self.end, self.body = message.partition(b"\r\n\r\n")
        self.request_line, *self.lines = self.head.split(b"\r\n")
        parts = self.request_line.split(b" ")
        self.method = parts[0]
        self.version = parts[-1] if len(parts) > 1 else b""
        self.target = b" ".join(parts[1:-1])
        self.parts = parts

    def values(self, name: bytes) -> list[bytes]:
        """Return the value of each line of this name (lower case), white space around it removed."""
        found = []
        for line in self.lines:
            before, _, value = line.partition(b":")
            if before.lower() == name:
                found.append(value.strip(b" \t"))
        return found

    def members(self, name: bytes) -> list[bytes]:
        """Return the members of a list-based field, in lower case."""
        return [member.strip(b" \t").lower() for member in b",".join(self.values(name)).split(b",")]

    @property
    def chunked(self) -> bool:
        """True when the body is meant to be chunked."""
        return b"chunked" in self.members(b"transfer-encoding")

    def chunks(self) -> Chunks:
        """Walk the chunked body."""
        size_lines: list[bytes] = []
        rest = self.body
        while True:
            line, end, after = rest.partition(b"\r\n")
            if not end:
                return Chunks(size_lines, [], rest)
            size_lines.append(line)
            match = CHUNK_SIZE.match(line)
            if match is None:
                return Chunks(size_lines, [], rest)
            size = int(match[0], 16)
            if size == 0:
                section, _, left = (b"\r\n" + after).partition(b"\r\n\r\n")
                return Chunks(size_lines, section.split(b"\r\n")[1:], left)
            if after[size : size + 2] != b"\r\n":
                return Chunks(size_lines, [], after[size:])
            rest = after[size + 2 :]


def is_chunk_line(line: bytes) -> bool:
    """Check a chunk-size with its extensions, piece by piece (RFC 9112, 7.1 and 7.1.1)."""
    match = CHUNK_SIZE.match(line)
    if match is None or len(match[0]) > 16:
        return False
    rest = line[match.end() :]
    while rest:
        rest = rest.lstrip(b" \t")
        if not rest.startswith(b";"):
            return False
        rest = rest[1:].lstrip(b" \t")
        name = TOKEN.match(rest)
        if name is None:
            return False
        rest = rest[name.end() :]
        if rest.lstrip(b" \t").startswith(b"="):
            after = _after_value(rest.lstrip(b" \t")[1:].lstrip(b" \t"))
            if after is None:
                return False
            rest = after
    return True


def _after_value(rest: bytes) -> bytes | None:
    """Return what follows a token or a quoted string; None where there is neither."""
    token = TOKEN.match(rest)
    if token is not None:
        return rest[token.end() :]
    if not rest.startswith(b'"'):
        return None
    i = 1
    while i < len(rest) and rest[i] != 0x22:
        if rest[i] == 0x5C:
            i += 1
        if i >= len(rest) or rest[i] == 0x7F or (rest[i] < 0x20 and rest[i] != 0x09):
            return None
        i += 1
    return rest[i + 1 :] if i < len(rest) else None


def is_field_line(line: bytes) -> bool:
    """Check a field line (RFC 9112, 5; RFC 9110, 5.5)."""
    name, colon, value = line.partition(b":")
    return bool(colon) and TOKEN.fullmatch(name) is not None and not has_control(value)


def has_control(data: bytes) -> bool:
    """Say whether there is a control other than HTAB."""
    return any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in data)
