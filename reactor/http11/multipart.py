"""An incremental parser of forms (multipart/form-data).

    FormState  Input                                     Next state
    PREAMBLE   anything, up to the first boundary        BOUNDARY
    BOUNDARY   "--", or optional white space and CRLF    EPILOGUE, or HEAD
    HEAD       header lines, up to an empty line         CONTENT
    CONTENT    data, up to the next boundary             BOUNDARY
    EPILOGUE   anything (ignored)                        -

The reader accepts input in chunks of any size. It yields a ``Part`` when a part begins, then the chunks of
its content (RFC 7578; RFC 2046, 5.1.1). It buffers at most the head of a part or the possible beginning of
a boundary, and scans each byte a bounded number of times. Malformed input raises HTTPError.

A part that contains files in another way, or encoded, is refused: its content would be wrong, or lost.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import unquote

from reactor.http11.content_type import media_type, parameters
from reactor.http11.errors import HTTPError, quote
from reactor.http11.headers import Headers, read_header_line

MULTIPART = "multipart/form-data"
MAX_HEAD_SIZE = 8 * 1024  # bytes of the head of one part
MAX_PADDING = 128  # bytes of white space after a boundary; clients send none
MAX_PARTS = 1000

# boundary := 0*69<bchars> bcharsnospace                                           RFC 2046, 5.1.1
# bchars := bcharsnospace / " "
# bcharsnospace := DIGIT / ALPHA / "'" / "(" / ")" / "+" / "_" / "," / "-" / "." / "/" / ":" / "=" / "?"
_BCHARS = r"0-9A-Za-z'()+_,\-./:=?"
_is_boundary = re.compile(rf"[{_BCHARS} ]{{0,69}}[{_BCHARS}]").fullmatch

# The name parameters of RFC 2231 that are a part of a name only.
_is_name_section = re.compile(r"filename\*[0-9]+\*?").fullmatch

# ext-value = charset "'" [ language ] "'" value-chars                             RFC 8187, 3.2.1
# value-chars = *( pct-encoded / attr-char )
# attr-char = ALPHA / DIGIT / "!" / "#" / "$" / "&" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~"
_match_ext_value = re.compile(
    r"(utf-8|iso-8859-1)'[0-9a-z-]*'((?:%[0-9a-f]{2}|[0-9a-z!#$&+\-.^_`|~])*)", re.ASCII | re.IGNORECASE
).fullmatch

# Content-Transfer-Encodings of content that is sent as it is                      RFC 2045, 6.2
_AS_IS = frozenset({"7bit", "8bit", "binary"})


class Part(NamedTuple):
    """The head of a part: its field name, its file name (None if it is not a file), and its Content-Type."""

    name: str
    filename: str | None
    content_type: str = ""


class FormState(Enum):
    """The state of a reader; see the table above."""

    PREAMBLE = auto()
    BOUNDARY = auto()
    HEAD = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class FormReader:
    """An incremental parser for one form, as in the table above."""

    def __init__(self, boundary: bytes) -> None:
        # delimiter := CRLF "--" boundary; the first may lack its CRLF, so the buffer starts with one.
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")
        self._searched = 0  # bytes of a head already searched for its end
        self._line_end = 0  # bytes before the content: a CRLF that ends the head, and may begin a delimiter
        self._parts = 0
        self.state = FormState.PREAMBLE

    def feed(self, data: bytes | memoryview) -> Iterator[Part | bytes]:
        """Add data and yield what can be parsed; exhaust the iterator before the next call."""
        self._buffer += data
        while True:
            before = self.state
            item = self._step()
            if item:
                yield item
            if self.state is before:
                return

    def end(self) -> None:
        """Check that the form is complete; raise HTTPError(400)."""
        if self.state is not FormState.EPILOGUE:
            raise HTTPError(400, "incomplete form: the closing boundary is missing")

    def _step(self) -> Part | bytes | None:
        """Parse what the state expects; the state is unchanged if more data is needed."""
        state = self.state
        if state is FormState.CONTENT or state is FormState.PREAMBLE:
            content = self._read_content()
            return content if state is FormState.CONTENT else None
        if state is FormState.BOUNDARY:
            self._read_boundary_end()
        elif state is FormState.HEAD:
            return self._read_head()
        else:
            self._buffer.clear()
        return None

    def _read_content(self) -> bytes:
        """Return the data up to the next delimiter; keep a tail that may be the beginning of one."""
        buffer = self._buffer
        end = buffer.find(self._delimiter)
        if end >= 0:
            content = bytes(memoryview(buffer)[self._line_end : end])
            del buffer[: end + len(self._delimiter)]
            self.state = FormState.BOUNDARY
            return content
        end = buffer.find(b"\r", max(0, len(buffer) - len(self._delimiter) + 1))  # a delimiter has one CR
        if end < 0:
            end = len(buffer)
        content = bytes(memoryview(buffer)[self._line_end : end])
        del buffer[:end]
        if end:
            self._line_end = 0
        return content

    def _read_boundary_end(self) -> None:
        """Parse what follows a delimiter: "--", or the end of the line."""
        buffer = self._buffer
        if buffer.startswith(b"--"):
            self.state = FormState.EPILOGUE
            return
        end = buffer.find(b"\r\n", 0, MAX_PADDING + 2)
        line = bytes(buffer[: MAX_PADDING + 2] if end < 0 else buffer[:end])
        unfinished = end < 0 and (line == b"-" or line.strip(b" \t") == b"\r")
        if len(line.rstrip(b"\r")) > MAX_PADDING or (line.strip(b" \t") and not unfinished):
            raise HTTPError(400, "malformed boundary line in the form")
        if end < 0:
            return
        del buffer[:end]  # keep the CRLF: followed by another one, it ends an empty head
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise HTTPError(413, f"too many parts in the form (limit: {MAX_PARTS})")
        self.state = FormState.HEAD

    def _read_head(self) -> Part | None:
        """Return the head of a part; None if it is incomplete."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", self._searched)
        self._check_head(len(buffer) - 3 if end < 0 else end)  # CRLF CRLF may be incomplete
        if end < 0:
            self._searched = max(0, len(buffer) - 3)
            return None
        lines = bytes(buffer[2:end]).split(b"\r\n") if end else []
        del buffer[: end + 2]
        self._searched = 0
        self._line_end = 2
        self.state = FormState.CONTENT
        return _read_part(lines)

    def _check_head(self, length: int) -> None:
        if length > MAX_HEAD_SIZE:
            raise HTTPError(400, f"headers of a form part too large: over {MAX_HEAD_SIZE} bytes")


def read_boundary(content_type: str) -> bytes:
    """Return the boundary from Content-Type; raise HTTPError(400) if it is missing or malformed."""
    boundary = parameters(content_type).get("boundary", "")
    if _is_boundary(boundary) is None:
        raise HTTPError(400, "missing or malformed boundary in Content-Type")
    return boundary.encode("ascii")


def _read_part(lines: list[bytes]) -> Part:
    """Parse the header lines of a part (RFC 7578, 4); raise HTTPError."""
    headers = Headers(map(read_header_line, lines))
    disposition = headers.get("content-disposition", "")
    values = parameters(disposition)
    if media_type(disposition) != "form-data" or "name" not in values:
        raise HTTPError(
            400,
            f"missing or invalid Content-Disposition in the form: {quote(disposition)}"
            " (expected form-data with a name)",
        )
    filename = _read_filename(values)
    coding = headers.get("content-transfer-encoding", "binary")
    if coding.lower() not in _AS_IS:
        raise HTTPError(
            415,
            f"unsupported Content-Transfer-Encoding in the form: {quote(coding)}"
            " (expected 7bit, 8bit or binary)",
        )
    content_type = headers.get("content-type", "")
    if filename is None and content_type.lower().startswith("multipart/"):
        raise HTTPError(415, "nested multipart in the form (send each file in a part with a filename)")
    return Part(_from_utf8(values["name"]), filename, content_type)


def _read_filename(values: dict[str, str]) -> str | None:
    """Return the file name among the parameters, None without one; ``filename*`` takes precedence."""
    extended = values.get("filename*")
    if extended is None:
        if any(map(_is_name_section, values)):
            raise HTTPError(400, "unsupported filename*0 in the form (expected filename or filename*)")
        return _from_utf8(values["filename"]) if "filename" in values else None
    match = _match_ext_value(extended)
    try:
        if match is not None:
            return unquote(match[2], match[1], "strict")
    except UnicodeDecodeError:
        pass
    raise HTTPError(400, f"invalid filename* in the form: {quote(extended)} (example: UTF-8''na%C3%AFve.txt)")


def _from_utf8(value: str) -> str:
    """Decode a value that was decoded as Latin-1: browsers send names in UTF-8 (RFC 7578, 5.1)."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPError(400, f"name in the form is not valid UTF-8: {quote(value)}") from None
