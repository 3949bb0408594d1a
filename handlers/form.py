"""A form as browsers send it, multipart/form-data, read piece by piece (RFC 7578; RFC 2046, 5.1.1).

    State      What comes                                Then
    PREAMBLE   anything, up to the first boundary        BOUNDARY
    BOUNDARY   "--", or white space and CRLF             EPILOGUE, or HEAD
    HEAD       field lines, up to an empty one           CONTENT
    CONTENT    octets, up to the next boundary           BOUNDARY
    EPILOGUE   anything, which means nothing             -

Octets are fed in any pieces; what comes out is a ``Part`` where one begins, and the octets of its
content. No more is kept than a head, or what may be the beginning of a boundary, and none of it is
looked at more than a fixed number of times. What does not follow the grammar raises ProtocolError.

It knows no file: what becomes of a part is for whoever reads.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from reactor.http11.grammar import TOKEN, ProtocolError
from reactor.http11.headers import read_field_line

LONGEST_HEAD = 8 * 1024  # octets of the head of one part
LONGEST_PADDING = 128  # octets of white space behind a boundary, of which nobody sends any
MOST_PARTS = 1000

# boundary := 0*69<bchars> bcharsnospace                                           RFC 2046, 5.1.1
# bchars := bcharsnospace / " "
# bcharsnospace := DIGIT / ALPHA / "'" / "(" / ")" / "+" / "_" / "," / "-" / "." / "/" / ":" / "=" / "?"
_BCHARS = r"0-9A-Za-z'()+_,\-./:=?"
_is_boundary = re.compile(rf"[{_BCHARS} ]{{0,69}}[{_BCHARS}]").fullmatch

# parameter = token "=" ( token / quoted-string ), here after ";"                  RFC 9110, 5.6.6
# Browsers write a quoted-string in which only %22, %0D and %0A stand for what it cannot hold, and
# some tools escape a quote by a backslash; a backslash before anything else stands for itself.
_match_parameter = re.compile(
    r";[ \t]*(" + TOKEN.decode() + r')=(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))[ \t]*(?=;|\Z)'
).match
_ESCAPED = {r"\"": '"', "%22": '"', "%0D": "\r", "%0A": "\n"}
_find_escaped = re.compile(r'\\"|%22|%0D|%0A').sub


class Part(NamedTuple):
    """The head of a part: the name of its field, and of its file, None where it is no file."""

    name: str
    filename: str | None


class State(Enum):
    """Where a reader stands: the rows of the table above."""

    PREAMBLE = auto()
    BOUNDARY = auto()
    HEAD = auto()
    CONTENT = auto()
    EPILOGUE = auto()


PREAMBLE, BOUNDARY, HEAD, CONTENT, EPILOGUE = State


def boundary_of(content_type: str | None) -> bytes:
    """Return the boundary that a Content-Type names; raise ProtocolError, 415 where it is no form."""
    media, semicolon, parameters = (content_type or "").partition(";")
    if media.strip(" \t").lower() != "multipart/form-data":
        raise ProtocolError(415, "a directory takes a form (multipart/form-data); a file needs a name")
    boundary = _parameters(semicolon + parameters).get("boundary", "")
    if _is_boundary(boundary) is None:
        raise ProtocolError(400, "the form has no boundary, or a malformed one")
    return boundary.encode("ascii")


class FormReader:
    """Reads one form, as the table says."""

    def __init__(self, boundary: bytes) -> None:
        # delimiter := CRLF "--" boundary; the first may stand without its CRLF, which is put before it.
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")
        self._searched = 0  # octets of a head in which its end does not begin
        self._parts = 0
        self.state = PREAMBLE

    def feed(self, octets: bytes) -> Iterator[Part | bytes]:
        """Take octets; yield what is complete, all of which must be taken before the next are fed."""
        self._buffer += octets
        while True:
            before = self.state
            made = self._step()
            if made:
                yield made
            if self.state is before:
                return

    def end(self) -> None:
        """See that the form is whole; raise ProtocolError(400)."""
        if self.state is not EPILOGUE:
            raise ProtocolError(400, "the form ends before its last boundary")

    def _step(self) -> Part | bytes | None:
        """Read what the state asks for; it stays as it is when more is needed."""
        state = self.state
        if state is CONTENT or state is PREAMBLE:
            content = self._read_content()
            return content if state is CONTENT else None
        if state is BOUNDARY:
            self._read_boundary_end()
        elif state is HEAD:
            return self._read_head()
        else:
            self._buffer.clear()
        return None

    def _read_content(self) -> bytes:
        """Return the octets before the next delimiter; of the last, as many as cannot be part of one."""
        buffer = self._buffer
        end = buffer.find(self._delimiter)
        if end >= 0:
            content = bytes(memoryview(buffer)[:end])
            del buffer[: end + len(self._delimiter)]
            self.state = BOUNDARY
            return content
        end = max(0, len(buffer) - len(self._delimiter) + 1)
        start = buffer.find(b"\r", end)  # a delimiter begins with the one CR that it has
        content = bytes(memoryview(buffer)[: start if start >= 0 else len(buffer)])
        del buffer[: len(content)]
        return content

    def _read_boundary_end(self) -> None:
        """Read what follows a delimiter: the end of the form, or of the line."""
        buffer = self._buffer
        if buffer.startswith(b"--"):
            self.state = EPILOGUE
            return
        end = buffer.find(b"\r\n", 0, LONGEST_PADDING + 2)
        line = bytes(buffer[: LONGEST_PADDING + 2] if end < 0 else buffer[:end])
        unfinished = end < 0 and (line == b"-" or line.strip(b" \t") == b"\r")
        if len(line.rstrip(b"\r")) > LONGEST_PADDING or (line.strip(b" \t") and not unfinished):
            raise ProtocolError(400, "malformed boundary in the form")
        if end < 0:
            return
        del buffer[:end]  # its CRLF stays: before an empty line it is the end of an empty head
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise ProtocolError(413, f"the form has over {MOST_PARTS} parts")
        self.state = HEAD

    def _read_head(self) -> Part | None:
        """Return the head of a part when it is whole."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", self._searched)
        self._check_head(len(buffer) - 3 if end < 0 else end)  # its end may have begun
        if end < 0:
            self._searched = max(0, len(buffer) - 3)
            return None
        lines = bytes(buffer[2:end]).split(b"\r\n")
        del buffer[: end + 4]
        self._searched = 0
        self.state = CONTENT
        return _read_part(lines)

    def _check_head(self, length: int) -> None:
        if length > LONGEST_HEAD:
            raise ProtocolError(400, f"the head of a part of the form is over {LONGEST_HEAD} octets")


def _read_part(lines: list[bytes]) -> Part:
    """Read the field lines of a part: Content-Disposition counts (RFC 7578, 4.2), others do not."""
    values = [value for name, value, _ in map(read_field_line, lines) if name == "content-disposition"]
    kind, semicolon, parameters = (values or [""])[0].partition(";")
    found = _parameters(semicolon + parameters)
    if len(values) != 1 or kind.strip(" \t").lower() != "form-data" or "name" not in found:
        raise ProtocolError(400, "a part of the form has no name")
    return Part(found["name"], found.get("filename"))


def _parameters(text: str) -> dict[str, str]:
    """Read parameters, the first of each name; raise ProtocolError(400) where there is anything else."""
    found: dict[str, str] = {}
    position = 0
    while match := _match_parameter(text, position):
        position = match.end()
        value = match[3] if match[2] is None else _find_escaped(lambda each: _ESCAPED[each[0]], match[2])
        found.setdefault(match[1].lower(), _from_utf8(value))
    if text[position:].strip(" \t;"):
        raise ProtocolError(400, "malformed parameters in the form")
    return found


def _from_utf8(value: str) -> str:
    """Decode what came as octets: browsers send names in UTF-8 (RFC 7578, 5.1)."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError(400, "a name in the form is not UTF-8") from None
