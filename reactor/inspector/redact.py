r"""Redaction of the bytes that the inspector shows: heads without their secrets; never content.

    came in       a line that names Authorization or Cookie is cut after the name; what follows a head that
                  announces content is hidden until the connection is idle again
    went out      the head of a response; the rest is counted

It works for bytes that arrive one by one, and errs by hiding: after content only the parser knows where the
next head begins.
"""

import re

MAX_LENGTH = 600  # characters of one piece that are kept
_SECRETS = (b"authorization", b"cookie")
_CONTENT = re.compile(rb"(?:content-length[ \t]*:[ \t]*0*[1-9+-]|transfer-encoding[ \t]*:)", re.IGNORECASE)
_ESCAPES = {"\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\"}


def printable(data: bytes) -> str:
    r"""Write bytes so that every one of them is seen, and cut what is long.

    >>> printable(b"a\r\n\x00\xff")
    'a\\r\\n\\x00\\xff'
    """
    text = data[:MAX_LENGTH].decode("latin-1")
    shown = "".join(
        _ESCAPES.get(each) or (each if " " <= each <= "~" else f"\\x{ord(each):02x}") for each in text
    )
    return shown + ("..." if len(data) > MAX_LENGTH else "")


class HeadRedactor:
    """Redacts the incoming bytes of one connection, in the pieces in which they arrive."""

    __slots__ = ("_announces", "_begun", "_hides", "_line")

    def __init__(self) -> None:
        self._line = b""  # what has come of the present line
        self._begun = False  # a line of the present head has come
        self._announces = False  # the present head announces content
        self._hides = False

    def show(self, data: bytes) -> str:
        """Return what may be shown of a piece."""
        shown = []
        while data:
            if self._hides:
                shown.append(f"[{len(data)} octets of content]")
                break
            line, newline, data = data.partition(b"\n")
            shown.append(self._show_line(line + newline))
        return "".join(shown)

    def idle(self) -> None:
        """Begin anew: nothing of what came is left over."""
        self._line, self._begun, self._announces, self._hides = b"", False, False, False

    def hide(self) -> None:
        """Hide everything until the connection is idle: what came before is not known."""
        self._hides = True

    def _show_line(self, piece: bytes) -> str:
        start = len(self._line)
        line = self._line = self._line + piece
        lower = line.lower()
        ends = [index + len(word) for word in _SECRETS if (index := lower.find(word)) >= 0]
        # A line that continues another (obs-fold) has its secret, and so may one that is too long to keep.
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
            self._announces = self._announces or (self._begun and _CONTENT.match(line) is not None)
            self._begun = True
        elif self._begun:
            self._hides, self._begun, self._announces = self._announces, False, False


def head_of(response: bytes) -> bytes:
    """Return the head of a response, which may be shown: what follows it is content."""
    return response[: response.find(b"\r\n\r\n") + 4]


def show_outgoing(head: bytes, count: int) -> str:
    """Return what may be shown of ``count`` sent bytes, which begin with ``head`` unless that is empty."""
    if not head:
        return f"[{count} octets]"
    rest = count - len(head)
    return printable(head[:count]) + (f"[{rest} octets of content]" if rest > 0 else "")
