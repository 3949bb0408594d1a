r"""Redaction of the bytes that the inspector shows: heads without secrets, and never a body.

    Bytes         What is shown
    received      all but secrets: a line that names Authorization or Cookie is cut after the name; everything
                  after a head that announces a body is hidden until the connection is idle again
    sent          the head of a response; the remaining bytes are counted

It works for bytes that arrive one at a time, and hides too much rather than too little: after a body only the
parser knows where the next head begins.
"""

import re

MAX_LENGTH = 600  # maximum number of characters kept of one chunk
_SECRETS = (b"authorization", b"cookie")
_CONTENT = re.compile(rb"(?:content-length[ \t]*:[ \t]*0*[1-9+-]|transfer-encoding[ \t]*:)", re.IGNORECASE)
_ESCAPES = {"\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\"}


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
        start = len(self._line)
        line = self._line = self._line + piece
        lower = line.lower()
        ends = [index + len(word) for word in _SECRETS if (index := lower.find(word)) >= 0]
        # A continuation line (obs-fold) may contain the secret of the line before; so may an overlong line.
        if line[:1] in (b" ", b"\t") or start > 16_384:
            ends.append(0)
        end = min(ends, default=len(line))
        text = printable(line[start:end]) + ("[hidden]" if start <= end < len(line.rstrip(b"\r\n")) else "")
        if line.endswith(b"\n"):
            text += printable(line[len(line.rstrip(b"\r\n")) :]) if end < len(line) else ""
            self._end_line(line)
        return text

    def _end_line(self, line: bytes) -> None:
        self._line = b""
        if line.strip(b"\r\n"):
            self._announces_body = self._announces_body or (
                self._has_begun and _CONTENT.match(line) is not None
            )
            self._has_begun = True
        elif self._has_begun:
            self._is_hiding, self._has_begun, self._announces_body = self._announces_body, False, False


def head_of(response: bytes) -> bytes:
    """Return the head of a response, which may be shown; the rest is the body."""
    return response[: response.find(b"\r\n\r\n") + 4]


def show_outgoing(head: bytes, count: int) -> str:
    """Return the text shown for ``count`` sent bytes, which begin with ``head`` unless that is empty."""
    if not head:
        return f"[{count} B hidden]"
    rest = count - len(head)
    return printable(head[:count]) + (f"[{rest} B of body]" if rest > 0 else "")
