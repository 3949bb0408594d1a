"""Form uploads (multipart/form-data): an incremental parser, and a sink that stores the files of a form.

    FormState  Input                                     Next state
    PREAMBLE   anything, up to the first boundary        BOUNDARY
    BOUNDARY   "--", or optional white space and CRLF    EPILOGUE, or HEAD
    HEAD       header lines, up to an empty line         CONTENT
    CONTENT    data, up to the next boundary             BOUNDARY
    EPILOGUE   anything (ignored)                        -

The reader accepts input in chunks of any size. It yields a ``Part`` when a part begins, then the chunks of
its content (RFC 7578; RFC 2046, 5.1.1). It buffers at most the head of a part or the possible beginning of
a boundary, and scans each byte a bounded number of times. Malformed input raises HTTPError.

The files of a form are stored in one directory:

1. Each file is written to a temporary file while it is received. The file's name is the last component of
   the name in the form, and is checked by the store.
2. The files are committed one after the other when the form is complete. An incomplete form stores nothing.
   If a file cannot be committed, those before it stay.

Fields without a file, and files without a name (browsers send one if no file was chosen), are ignored.
"""

import os
import re
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from enum import Enum, auto
from typing import NamedTuple

from reactor.http11.errors import HTTPError, quote
from reactor.http11.grammar import TOKEN
from reactor.http11.headers import read_header_line
from reactor.http11.message import Request

from .store import Store
from .upload import Upload

MAX_HEAD_SIZE = 8 * 1024  # bytes of the head of one part
MAX_PADDING = 128  # bytes of white space after a boundary; clients send none
MAX_PARTS = 1000
MAX_FILES = 100  # in one form

# boundary := 0*69<bchars> bcharsnospace                                           RFC 2046, 5.1.1
# bchars := bcharsnospace / " "
# bcharsnospace := DIGIT / ALPHA / "'" / "(" / ")" / "+" / "_" / "," / "-" / "." / "/" / ":" / "=" / "?"
_BCHARS = r"0-9A-Za-z'()+_,\-./:=?"
_is_boundary = re.compile(rf"[{_BCHARS} ]{{0,69}}[{_BCHARS}]").fullmatch

# parameter = token "=" ( token / quoted-string ), after ";"                       RFC 9110, 5.6.6
# Browsers escape quotes, CR and LF in a quoted-string as %22, %0D and %0A; some tools escape a quote with a
# backslash. A backslash before any other character is literal.
_match_parameter = re.compile(
    r";[ \t]*(" + TOKEN.decode() + r')=(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))[ \t]*(?=;|\Z)'
).match
_ESCAPED = {r"\"": '"', "%22": '"', "%0D": "\r", "%0A": "\n"}
_replace_escaped = re.compile(r'\\"|%22|%0D|%0A').sub


class Part(NamedTuple):
    """The head of a part: its field name, and its file name (None if it is not a file)."""

    name: str
    filename: str | None


class FormState(Enum):
    """The state of a reader; see the table above."""

    PREAMBLE = auto()
    BOUNDARY = auto()
    HEAD = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class OpenFileLimit:
    """Limits the number of files that all form uploads of one server keep open.

    Each needs up to two descriptors. They may use an eighth of the descriptor limit; connections and other
    files need the rest.
    """

    def __init__(self) -> None:
        self._count = 0

    def acquire(self) -> None:
        """Count an open file; raise HTTPError(503) at the limit."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY and self._count >= limit // 16:
            raise HTTPError(
                503, f"too many files in concurrent form uploads (limit: {limit // 16}); try again later"
            )
        self._count += 1

    def release(self) -> None:
        """Stop counting a file that was closed."""
        self._count -= 1


class FormUpload:
    """A sink that stores the files of a form in a directory ("", or a name that ends with a slash)."""

    def __init__(self, store: Store, request: Request, directory: str, file_limit: OpenFileLimit) -> None:
        os.close(store.open_directory(directory))  # refuse before the body is read
        self._reader = FormReader(read_boundary(request.headers.get("Content-Type")))
        self._store = store
        self._file_limit = file_limit
        self._directory = directory
        self._cleanup = ExitStack()
        self._uploads: list[Upload] = []
        self._current: Upload | None = None

    def write(self, data: bytes) -> None:
        """Parse a chunk of the form; raise HTTPError."""
        for each in self._reader.feed(data):
            if isinstance(each, Part):
                self._current = self._begin(each)
            elif self._current is not None:
                self._current.write(each)

    def finish(self) -> "FormUpload":
        """Return itself for the handler to commit; raise HTTPError if the form is incomplete."""
        self._reader.end()
        if not self._uploads:
            raise HTTPError(400, "the form contains no file")
        return self

    def commit(self) -> None:
        """Commit all files."""
        for upload in self._uploads:
            upload.finish().commit(touch=True)

    def close(self) -> None:
        """Close the files; remove those that were not committed."""
        self._cleanup.close()

    def _begin(self, part: Part) -> Upload | None:
        """Begin the upload of a part; return None if it is not a file."""
        if not part.filename:
            return None
        if len(self._uploads) == MAX_FILES:
            raise HTTPError(413, f"too many files in the form (limit: {MAX_FILES})")
        # Some clients send the full path.
        name = part.filename.replace("\\", "/").rpartition("/")[2]
        self._file_limit.acquire()
        self._cleanup.callback(self._file_limit.release)
        upload = self._store.create(self._directory + name)
        self._cleanup.callback(upload.close)
        self._uploads.append(upload)
        return upload


class FormReader:
    """An incremental parser for one form, as in the table above."""

    def __init__(self, boundary: bytes) -> None:
        # delimiter := CRLF "--" boundary; the first may lack its CRLF, so the buffer starts with one.
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")
        self._searched = 0  # bytes of a head already searched for its end
        self._parts = 0
        self.state = FormState.PREAMBLE

    def feed(self, data: bytes) -> Iterator[Part | bytes]:
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
            content = bytes(memoryview(buffer)[:end])
            del buffer[: end + len(self._delimiter)]
            self.state = FormState.BOUNDARY
            return content
        end = max(0, len(buffer) - len(self._delimiter) + 1)
        start = buffer.find(b"\r", end)  # a delimiter has one CR, its first byte
        content = bytes(memoryview(buffer)[: start if start >= 0 else len(buffer)])
        del buffer[: len(content)]
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
        lines = bytes(buffer[2:end]).split(b"\r\n")
        del buffer[: end + 4]
        self._searched = 0
        self.state = FormState.CONTENT
        return _read_part(lines)

    def _check_head(self, length: int) -> None:
        if length > MAX_HEAD_SIZE:
            raise HTTPError(400, f"headers of a form part too large: over {MAX_HEAD_SIZE} bytes")


def read_boundary(content_type: str | None) -> bytes:
    """Return the boundary from Content-Type; raise HTTPError (415 if it is not multipart/form-data)."""
    media, semicolon, parameters = (content_type or "").partition(";")
    if media.strip(" \t").lower() != "multipart/form-data":
        found = f"invalid Content-Type for an upload to a directory: {quote(media)}"
        raise HTTPError(415, f"{found} (expected multipart/form-data; or add a file name to the URL)")
    boundary = _parameters(semicolon + parameters).get("boundary", "")
    if _is_boundary(boundary) is None:
        raise HTTPError(400, "missing or malformed boundary in Content-Type")
    return boundary.encode("ascii")


def _read_part(lines: list[bytes]) -> Part:
    """Parse the header lines of a part; all but Content-Disposition are ignored (RFC 7578, 4.2)."""
    values = [value for name, value, _ in map(read_header_line, lines) if name == "content-disposition"]
    kind, semicolon, parameters = (values or [""])[0].partition(";")
    names = _parameters(semicolon + parameters)
    if len(values) != 1 or kind.strip(" \t").lower() != "form-data" or "name" not in names:
        raise HTTPError(400, "malformed form part (expected one Content-Disposition: form-data with a name)")
    return Part(names["name"], names.get("filename"))


def _parameters(text: str) -> dict[str, str]:
    """Parse parameters; the first one with a name wins. Raise HTTPError(400) if they are malformed."""
    values: dict[str, str] = {}
    position = 0
    while match := _match_parameter(text, position):
        position = match.end()
        value = match[3] if match[2] is None else _replace_escaped(_unescape, match[2])
        values.setdefault(match[1].lower(), _from_utf8(value))
    if text[position:].strip(" \t;"):
        raise HTTPError(400, "malformed header parameters (Content-Type or Content-Disposition)")
    return values


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPED[match[0]]


def _from_utf8(value: str) -> str:
    """Decode a value that was decoded as Latin-1: browsers send names in UTF-8 (RFC 7578, 5.1)."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPError(400, "name in the form is not valid UTF-8") from None
