"""Framing: where the body of a request begins and ends (RFC 9112, 6).

1. ``body_length`` determines the length of the body from two headers.
2. A reader extracts the body from the bytes that follow the head: ``LengthReader`` counts bytes,
   ``ChunkedReader`` (``chunked.py``) parses chunks.

Readers buffer nothing: they are passed a buffer and a position, and return the next position.
"""

from typing import Protocol

from reactor.http11.errors import ProtocolError, quote
from reactor.http11.grammar import is_content_length

CHUNKED = -1


def body_length(coding: str | None, length: str | None, version: int) -> int:
    """Return the length of a request's body in bytes, CHUNKED for a chunked one (RFC 9112, 6.3).

    ``coding`` is the value of Transfer-Encoding, ``length`` that of Content-Length, and ``version`` the
    minor version. Raise ProtocolError (400 or 501) if the framing is invalid or ambiguous.
    """
    if coding is not None:
        if version == 0:  # RFC 9112, 6.1: not defined in HTTP/1.0, so the framing is invalid
            raise ProtocolError(400, "Transfer-Encoding is not allowed in HTTP/1.0")
        if length is not None:  # RFC 9112, 6.3 rule 3
            raise ProtocolError(400, "both Content-Length and Transfer-Encoding")
        _check_transfer_codings(coding)
        return CHUNKED
    if length is None:
        return 0
    if is_content_length(length) is None:  # RFC 9112, 6.3 rule 5
        raise ProtocolError(400, f"malformed Content-Length: {quote(length)} (expected digits)")
    # More than 18 digits exceed any limit, and int() raises an error for thousands of digits.
    digits = length.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else 10**18


def _check_transfer_codings(value: str) -> None:
    """Accept exactly one "chunked" (RFC 9112, 6.1 and 7)."""
    codings = [coding.strip(" \t").lower() for coding in value.split(",")]
    if codings == ["chunked"]:
        return
    if codings[-1] != "chunked" and "chunked" in codings:
        raise ProtocolError(400, "chunked is not the final transfer coding")
    if codings.count("chunked") > 1 or "" in codings:
        raise ProtocolError(400, f"malformed Transfer-Encoding: {quote(value)} (expected chunked)")
    raise ProtocolError(501, f"unsupported Transfer-Encoding: {quote(value)} (expected chunked)")


class BodyReader(Protocol):
    """Reads a body from a buffer."""

    @property
    def remaining(self) -> float:
        """The number of bytes that have not been read: infinity if it is not known, 0 at the end."""

    def read(self, buffer: bytes, position: int) -> tuple[bytes, int]:
        """Return the part of the body from ``position`` on, and the position after what was read."""


class LengthReader:
    """Reads a body of a known length."""

    __slots__ = ("remaining",)

    def __init__(self, length: int) -> None:
        self.remaining = length

    def read(self, buffer: bytes, position: int) -> tuple[bytes, int]:
        """Return the part of the body from ``position`` on, and the position after it."""
        end = min(len(buffer), position + self.remaining)
        self.remaining -= end - position
        return buffer[position:end], end
