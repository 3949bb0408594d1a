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

The files of a form are stored in one directory, all of them or none:

1. Each file is written to a temporary file while it is received. The file's name is the last component of
   the name in the form, and is checked by the store (``names.py``).
2. When the form is complete, each file gets its name. No file is replaced: if the name exists, the file gets
   the next one that does not (``a (2).txt``). If one fails, the names of those before it are removed.

Fields without a file, and empty files without a name (browsers send one if no file was chosen), are ignored.
A part that contains files in another way, or encoded, is refused: it would be stored wrong, or lost.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import unquote

from reactor.http11.errors import HTTPError, quote
from reactor.http11.grammar import TOKEN
from reactor.http11.headers import Headers, read_header_line
from reactor.http11.message import Request
from reactor.routing import ViewSink

from .closing import LARGE
from .names import last_component, numbered
from .store import Store
from .upload import Upload, commit_error_from

MAX_HEAD_SIZE = 8 * 1024  # bytes of the head of one part
MAX_PADDING = 128  # bytes of white space after a boundary; clients send none
MAX_PARTS = 1000
MAX_FILES = 100  # in one form
MAX_NAMES = 1000  # tried for one file

# boundary := 0*69<bchars> bcharsnospace                                           RFC 2046, 5.1.1
# bchars := bcharsnospace / " "
# bcharsnospace := DIGIT / ALPHA / "'" / "(" / ")" / "+" / "_" / "," / "-" / "." / "/" / ":" / "=" / "?"
_BCHARS = r"0-9A-Za-z'()+_,\-./:=?"
_is_boundary = re.compile(rf"[{_BCHARS} ]{{0,69}}[{_BCHARS}]").fullmatch

# parameters = *( OWS ";" OWS [ parameter ] )                                      RFC 9110, 5.6.6
# parameter = token "=" ( token / quoted-string )
# Browsers escape quotes, CR and LF in a quoted-string as %22, %0D and %0A; some tools escape a quote with a
# backslash. A backslash before any other character is literal.
_match_parameter = re.compile(
    r"(?:;[ \t]*)+(" + TOKEN.decode() + r')=("((?:[^"\\]|\\.)*)"|[^\s";]*)[ \t]*(?=;|\Z)'
).match
# The name parameters of RFC 2231 that are a part of a name only.
_is_name_section = re.compile(r"filename\*[0-9]+\*?").fullmatch
_ESCAPED = {r"\"": '"', "%22": '"', "%0D": "\r", "%0A": "\n"}
_replace_escaped = re.compile(r'\\"|%22|%0D|%0A').sub

# ext-value = charset "'" [ language ] "'" value-chars                             RFC 8187, 3.2.1
# value-chars = *( pct-encoded / attr-char )
# attr-char = ALPHA / DIGIT / "!" / "#" / "$" / "&" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~"
_match_ext_value = re.compile(
    r"(utf-8|iso-8859-1)'[0-9a-z-]*'((?:%[0-9a-f]{2}|[0-9a-z!#$&+\-.^_`|~])*)", re.ASCII | re.IGNORECASE
).fullmatch

# Content-Transfer-Encodings of content that is sent as it is                      RFC 2045, 6.2
_AS_IS = frozenset({"7bit", "8bit", "binary"})


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


class FormUpload(ViewSink):
    """A sink that stores the files of a form in a directory ("", or a name that ends with a slash)."""

    def __init__(self, store: Store, request: Request, directory: str) -> None:
        os.close(store.open_directory(directory))  # refuse before the body is read
        self._reader = FormReader(read_boundary(request.headers.get("Content-Type")))
        self._store = store
        self._directory = directory
        self._directory_descriptor: int | None = None  # while the form is committed, until it is closed
        self._cleanup = ExitStack()
        self._linked = ExitStack()  # removes the names of the files
        self._uploads: list[tuple[Upload, str]] = []  # with the names in the form
        self._current: Upload | None = None
        self._part = Part("", None)
        self._unstored = 0  # bytes of the form, until it is committed

    def write(self, data: bytes | memoryview) -> None:
        """Parse a chunk of the form; raise HTTPError."""
        self._unstored += len(data)
        for each in self._reader.feed(data):
            if isinstance(each, Part):
                self._current = self._begin(each)
                self._part = each
            elif self._current is not None:
                self._current.write(each)
            elif self._part.filename is not None:
                raise HTTPError(400, 'missing file name: a file of the form has filename=""')

    def finish(self) -> "FormUpload":
        """Return itself for the handler to commit; raise HTTPError if the form is incomplete."""
        self._reader.end()
        if not self._uploads:
            raise HTTPError(400, "the form contains no file")
        return self

    def commit(self) -> None:
        """Store all files, or none; raise HTTPError."""
        try:
            self._directory_descriptor = parent = self._open_directory()
            for upload, _ in self._uploads:
                upload.prepare(parent)
            with ExitStack() as linked:
                next_number: dict[str, int] = {}
                for upload, name in self._uploads:
                    next_number[name] = link_new(upload, parent, name, next_number.get(name, 1)) + 1
                    linked.callback(upload.unlink, parent)
                self._linked = linked.pop_all()
                self._unstored = 0
        except OSError as error:
            raise commit_error_from(error) from None

    def _open_directory(self) -> int:
        """Open the directory of the first file, until the form is closed. Raise OSError or HTTPError."""
        root = self._store.root
        parent = self._uploads[0][0].open_parent()
        try:
            descriptor = os.dup(parent)  # the shared directory may be closed before the form is
        finally:
            root.close_parent(parent)
        self._cleanup.callback(os.close, descriptor)
        return descriptor

    def sync(self) -> None:
        """Write all files to the disk; raise OSError. May be called in another thread."""
        for upload, _ in self._uploads:
            upload.sync()

    def sync_directory(self) -> None:
        """Write the names of the files to the disk; on an error remove them, and raise OSError."""
        assert self._directory_descriptor is not None, "form not committed"
        try:
            os.fsync(self._directory_descriptor)
        except OSError:
            self._linked.close()
            raise

    def close(self) -> None:
        """Remove the temporary names; close the files, in the background if they are large."""
        parent = None if self._unstored else self._directory_descriptor
        for upload, _ in self._uploads:
            upload.remove(parent)
        if self._unstored >= LARGE:
            self._store.closer.in_background(self._cleanup.close)
        else:
            self._cleanup.close()

    def _begin(self, part: Part) -> Upload | None:
        """Begin the upload of a part; return None if it is not a file."""
        if not part.filename:
            return None
        if len(self._uploads) == MAX_FILES:
            raise HTTPError(413, f"too many files in the form (limit: {MAX_FILES})")
        name = last_component(part.filename)
        self._store.open_files.acquire()
        self._cleanup.callback(self._store.open_files.release)
        upload = self._store.create(self._directory + name, is_new=True)
        self._cleanup.callback(upload.close)
        self._uploads.append((upload, name))
        return upload


def link_new(upload: Upload, parent: int, name: str, first: int) -> int:
    """Store a file in an open directory under the first free name, numbered from ``first``.

    Return its number.

    Raise HTTPError(409) if all names exist, or OSError.
    """
    for number in range(first, MAX_NAMES + 1):
        try:
            upload.link(numbered(name, number).encode(), parent)
        except FileExistsError:
            continue
        return number
    last = quote(numbered(name, MAX_NAMES))
    raise HTTPError(409, f"all names from {quote(name)} to {last} exist; rename the file and upload it again")


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
    """Parse the header lines of a part (RFC 7578, 4); raise HTTPError."""
    headers = Headers(map(read_header_line, lines))
    disposition = headers.get("content-disposition", "")
    kind, semicolon, parameters = disposition.partition(";")
    values = _parameters(semicolon + parameters)
    if kind.strip(" \t").lower() != "form-data" or "name" not in values:
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
    if filename is None and headers.get("content-type", "").lower().startswith("multipart/"):
        raise HTTPError(415, "nested multipart in the form (send each file in a part with a filename)")
    return Part(_from_utf8(values["name"]), filename)


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


def _parameters(text: str) -> dict[str, str]:
    """Parse parameters; the first one with a name wins. Raise HTTPError(400) if they are malformed."""
    values: dict[str, str] = {}
    position = 0
    while match := _match_parameter(text, position):
        position = match.end()
        name = match[1].lower()
        is_quoted = match[3] is not None and not name.endswith("*")  # an ext-value is never quoted
        values.setdefault(name, _replace_escaped(_unescape, match[3]) if is_quoted else match[2])
    if text[position:].strip(" \t;"):
        rest = quote(text[position:])
        raise HTTPError(400, f'malformed parameters: {rest} (expected ; NAME=VALUE or ; NAME="VALUE")')
    return values


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPED[match[0]]


def _from_utf8(value: str) -> str:
    """Decode a value that was decoded as Latin-1: browsers send names in UTF-8 (RFC 7578, 5.1)."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPError(400, f"name in the form is not valid UTF-8: {quote(value)}") from None
