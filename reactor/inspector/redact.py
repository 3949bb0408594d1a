r"""Redaction of the bytes that the inspector shows: heads without secrets, and never a body.

    Bytes         What is shown
    received      all but secrets; everything after a head that announces a body is hidden until the
                  connection is idle again
    sent          the head of a response without secrets; the remaining bytes are counted

Secrets are the values of header fields and of query parameters whose names contain one of WORDS, in any
case, percent-encoded or not: ``X-Api-Key: [hidden]``, ``GET /?access_token=[hidden]&page=2``.

It works for bytes that arrive one at a time, and hides too much rather than too little: a parameter is
recognized in every line, not only in a URL, and after a body only the parser knows where the next head
begins.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

MAX_LENGTH = 600  # maximum number of characters kept of one chunk
MAX_LINE = 16_384  # bytes; longer lines are hidden
WORDS = rb"auth|key|token|secret|cookie"
HIDDEN = "[hidden]"
# A malformed Content-Length is refused, but the client has sent a body.
_CONTENT = re.compile(
    rb"content-length[ \t]*:(?![ \t]*0+[ \t]*\r?\n)|transfer-encoding[ \t]*:", re.IGNORECASE
)
_ESCAPES = {"\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\"}

_has_word = re.compile(WORDS, re.IGNORECASE).search
# A field name with one of the words, and its colon; without a colon, up to the end of the name. A bare CR
# separates lines, too: the request is refused, but its secrets are real.
_NAME = rb"(?:%b)[-!#$%%&'*+.^_`|~0-9A-Za-z]*" % WORDS
_find_field = re.compile(rb"(?:^|\r)[^:\r]*?%b(?:[ \t]*:)?[ \t]*" % _NAME, re.IGNORECASE).search
# The same in the first line of a head, where the target may contain words and colons.
_find_field_first = re.compile(rb"(?:^[^:\s]*?|\r[^:\r]*?)%b[ \t]*:[ \t]*" % _NAME, re.IGNORECASE).search
# Text without white space and separators of parameters; what separates a name from its value, encoded if
# it is in a URL that is itself a value; and the end of the value.
_find_text = re.compile(rb'[^\s?&#;"<>]+').search
_find_equals = re.compile(rb"=|%(?:25)*3D", re.IGNORECASE).finditer
_find_end = re.compile(rb'[\s&#"<>]').search


def printable(data: bytes) -> str:
    r"""Return bytes as printable ASCII with escapes, truncated to MAX_LENGTH.

    >>> printable(b"a\r\n\x00\xff")
    'a\\r\\n\\x00\\xff'
    """
    text = data[:MAX_LENGTH].decode("latin-1")
    shown = "".join(
        _ESCAPES.get(each) or (each if " " <= each <= "~" else f"\\x{ord(each):02x}") for each in text
    )
    return shown + ("..." if len(data) > MAX_LENGTH else "")


class HeadRedactor:
    """Redacts the bytes received on one connection, chunk by chunk."""

    __slots__ = ("_announces_body", "_has_begun", "_is_hiding", "_line")

    def __init__(self) -> None:
        self._line = b""  # the current line so far
        self._has_begun = False  # at least one line of the current head has been received
        self._announces_body = False  # the current head announces a body
        self._is_hiding = False

    def show(self, data: bytes) -> str:
        """Return the part of a chunk that may be shown."""
        shown = []
        while data:
            if self._is_hiding:
                shown.append(f"[{len(data)} B hidden]")
                break
            line, newline, data = data.partition(b"\n")
            shown.append(self._show_line(line + newline))
        return "".join(shown)

    def reset(self) -> None:
        """Start again: the connection is idle, so no received bytes are left."""
        self._line, self._has_begun, self._announces_body, self._is_hiding = b"", False, False, False

    def hide(self) -> None:
        """Hide everything until the connection is idle: the bytes received before are unknown."""
        self._is_hiding = True

    def _show_line(self, piece: bytes) -> str:
        start = position = len(self._line)
        line = self._line + piece
        self._line = line[: MAX_LINE + 1]
        shown = []
        for hidden, visible in self._secrets(line, len(line.rstrip(b"\r\n"))):
            shown.append(printable(line[position:hidden]))
            if start <= hidden < visible:  # otherwise it began in an earlier chunk
                shown.append(HIDDEN)
            position = max(position, visible)
        shown.append(printable(line[position:]))
        if line.endswith(b"\n"):
            self._end_line(line)
        return "".join(shown)

    def _secrets(self, line: bytes, end: int) -> Iterator[tuple[int, int]]:
        """Yield where the secrets in a line begin and end; it may still be incomplete."""
        field = (_find_field if self._has_begun else _find_field_first)(line)
        begin = min(end if field is None else field.end(), end, MAX_LINE)
        if line[:1] in (b" ", b"\t"):  # obs-fold: it may continue the secret of the line before
            begin = 0
        yield from _parameters(line[:begin])
        yield begin, end

    def _end_line(self, line: bytes) -> None:
        self._line = b""
        if line.strip(b"\r\n"):
            self._announces_body = self._announces_body or (
                self._has_begun and _CONTENT.match(line) is not None
            )
            self._has_begun = True
        elif self._has_begun:
            self._is_hiding, self._has_begun, self._announces_body = self._announces_body, False, False


def _parameters(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the values of parameters whose names contain one of WORDS begin and end."""
    position = 0
    while found := _find_text(text, position):
        name, position = found.span()
        for equals in _find_equals(text, name, position):
            if _has_word(unquote_to_bytes(unquote_to_bytes(text[name : equals.start()]))):
                end = _find_end(text, equals.end())
                position = len(text) if end is None else end.start()
                yield equals.end(), position
                break
            name = equals.end()


def head_of(response: bytes) -> bytes:
    """Return the head of a response; the rest is the body."""
    return response[: response.find(b"\r\n\r\n") + 4]


def show_outgoing(head: bytes, count: int) -> str:
    """Return the text shown for ``count`` sent bytes, which begin with ``head`` unless that is empty."""
    if not head:
        return f"[{count} B hidden]"
    rest = count - len(head)
    return HeadRedactor().show(head[:count]) + (f"[{rest} B of body]" if rest > 0 else "")
