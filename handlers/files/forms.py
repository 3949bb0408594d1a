"""Forms as browsers send them, multipart/form-data: the incremental parser, and the upload of their files.

    FormState  Input                                     Next state
    PREAMBLE   anything, up to the first boundary        BOUNDARY
    BOUNDARY   "--", or white space and CRLF             EPILOGUE, or HEAD
    HEAD       field lines, up to an empty one           CONTENT
    CONTENT    octets, up to the next boundary           BOUNDARY
    EPILOGUE   anything, which is ignored                -

Octets are fed in any pieces; the reader yields a ``Part`` where one begins, and the octets of its
content (RFC 7578; RFC 2046, 5.1.1). It buffers no more than a head, or what may be the beginning of a
boundary, and looks at each octet a fixed number of times at most. What does not follow the grammar
raises HTTPError.

The files of a form go into one directory, all of them or none:

1. Each file goes to the store as it comes. Its name is the last component of the name in the form, and
   the store checks it.
2. When the form is complete all uploads are committed, one after the other. When it breaks off, none is.

Fields without a file, and files without a name (a browser sends one when none was chosen), are ignored.
"""

import os
import re
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from enum import Enum, auto
from typing import NamedTuple

from reactor.http11.errors import HTTPError
from reactor.http11.grammar import TOKEN
from reactor.http11.headers import read_field_line
from reactor.http11.message import Request

from .store import Store
from .upload import Upload

MAX_HEAD_SIZE = 8 * 1024  # octets of the head of one part
MAX_PADDING = 128  # octets of white space after a boundary, where no client sends any
MAX_PARTS = 1000
MAX_FILES = 100  # in one form

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
_replace_escaped = re.compile(r'\\"|%22|%0D|%0A').sub


class Part(NamedTuple):
    """The head of a part: the name of its field, and of its file, None where it is no file."""

    name: str
    filename: str | None


class FormState(Enum):
    """The state of a reader: the rows of the table above."""

    PREAMBLE = auto()
    BOUNDARY = auto()
    HEAD = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class OpenFileLimit:
    """Limits the files that all forms of one server hold open; each costs up to two descriptors.

    They may have an eighth of the descriptors; other files, and connections, need the rest.
    """

    def __init__(self) -> None:
        self._count = 0

    def acquire(self) -> None:
        """Count one more; raise HTTPError(503) when there are too many."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY and self._count >= limit // 16:
            raise HTTPError(503, "too many concurrent form uploads; try again later")
        self._count += 1

    def release(self) -> None:
        """Count one less."""
        self._count -= 1


class FormUpload:
    """A sink for a form whose files go into a directory, "" or a name with a slash at its end."""

    def __init__(self, store: Store, request: Request, directory: str, open_files: OpenFileLimit) -> None:
        os.close(store.open_directory(directory))  # refused before any content is read
        self._reader = FormReader(read_boundary(request.headers.get("Content-Type")))
        self._store = store
        self._open_files = open_files
        self._directory = directory
        self._open = ExitStack()
        self._uploads: list[Upload] = []
        self._current: Upload | None = None

    def write(self, octets: bytes) -> None:
        """Take a piece of the form; raise HTTPError."""
        for each in self._reader.feed(octets):
            if isinstance(each, Part):
                self._current = self._begin(each)
            elif self._current is not None:
                self._current.write(each)

    def finish(self) -> "FormUpload":
        """Return the form itself, for the handler to commit; raise HTTPError when it is not whole."""
        self._reader.end()
        if not self._uploads:
            raise HTTPError(400, "the form contains no file")
        return self

    def commit(self) -> None:
        """Commit all files."""
        for upload in self._uploads:
            upload.finish().commit(late=True)

    def close(self) -> None:
        """Close the files; remove those that were not committed."""
        self._open.close()

    def _begin(self, part: Part) -> Upload | None:
        """Begin the upload of a part; None when it is no file."""
        if not part.filename:
            return None
        if len(self._uploads) == MAX_FILES:
            raise HTTPError(413, f"too many files in the form (limit: {MAX_FILES})")
        # Some clients send the whole path.
        name = part.filename.replace("\\", "/").rpartition("/")[2]
        self._open_files.acquire()
        self._open.callback(self._open_files.release)
        upload = self._store.create(self._directory + name)
        self._open.callback(upload.close)
        self._uploads.append(upload)
        return upload


class FormReader:
    """Reads one form, as in the table."""

    def __init__(self, boundary: bytes) -> None:
        # delimiter := CRLF "--" boundary; the first may stand without its CRLF, which is put before it.
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")
        self._searched = 0  # octets of a head in which its end does not begin
        self._parts = 0
        self.state = FormState.PREAMBLE

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
        """Check that the form is complete; raise HTTPError(400)."""
        if self.state is not FormState.EPILOGUE:
            raise HTTPError(400, "incomplete form: the closing boundary is missing")

    def _step(self) -> Part | bytes | None:
        """Read what the state expects; the state stays the same when more is needed."""
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
        """Return the octets before the next delimiter; of the last, as many as cannot be part of one."""
        buffer = self._buffer
        end = buffer.find(self._delimiter)
        if end >= 0:
            content = bytes(memoryview(buffer)[:end])
            del buffer[: end + len(self._delimiter)]
            self.state = FormState.BOUNDARY
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
            self.state = FormState.EPILOGUE
            return
        end = buffer.find(b"\r\n", 0, MAX_PADDING + 2)
        line = bytes(buffer[: MAX_PADDING + 2] if end < 0 else buffer[:end])
        unfinished = end < 0 and (line == b"-" or line.strip(b" \t") == b"\r")
        if len(line.rstrip(b"\r")) > MAX_PADDING or (line.strip(b" \t") and not unfinished):
            raise HTTPError(400, "malformed boundary line in the form")
        if end < 0:
            return
        del buffer[:end]  # its CRLF stays: before an empty line it is the end of an empty head
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise HTTPError(413, f"too many parts in the form (limit: {MAX_PARTS})")
        self.state = FormState.HEAD

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
        self.state = FormState.CONTENT
        return _read_part(lines)

    def _check_head(self, length: int) -> None:
        if length > MAX_HEAD_SIZE:
            raise HTTPError(400, f"headers of a form part too large: over {MAX_HEAD_SIZE} bytes")


def read_boundary(content_type: str | None) -> bytes:
    """Return the boundary that a Content-Type names; raise HTTPError, 415 where it is no form."""
    media, semicolon, parameters = (content_type or "").partition(";")
    if media.strip(" \t").lower() != "multipart/form-data":
        raise HTTPError(415, "invalid Content-Type for an upload to a directory (expected multipart/form-data)")
    boundary = _parameters(semicolon + parameters).get("boundary", "")
    if _is_boundary(boundary) is None:
        raise HTTPError(400, "missing or malformed boundary in Content-Type")
    return boundary.encode("ascii")


def _read_part(lines: list[bytes]) -> Part:
    """Read the field lines of a part: Content-Disposition counts (RFC 7578, 4.2), others do not."""
    values = [value for name, value, _ in map(read_field_line, lines) if name == "content-disposition"]
    kind, semicolon, parameters = (values or [""])[0].partition(";")
    found = _parameters(semicolon + parameters)
    if len(values) != 1 or kind.strip(" \t").lower() != "form-data" or "name" not in found:
        raise HTTPError(400, "malformed form part (expected one Content-Disposition: form-data with a name)")
    return Part(found["name"], found.get("filename"))


def _parameters(text: str) -> dict[str, str]:
    """Read parameters, the first of each name; raise HTTPError(400) where there is anything else."""
    found: dict[str, str] = {}
    position = 0
    while match := _match_parameter(text, position):
        position = match.end()
        value = match[3] if match[2] is None else _replace_escaped(_unescape, match[2])
        found.setdefault(match[1].lower(), _from_utf8(value))
    if text[position:].strip(" \t;"):
        raise HTTPError(400, "malformed header parameters in the form")
    return found


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPED[match[0]]


def _from_utf8(value: str) -> str:
    """Decode what came as octets: browsers send names in UTF-8 (RFC 7578, 5.1)."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPError(400, "name in the form is not valid UTF-8") from None
