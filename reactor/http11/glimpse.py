"""What can be read of a request that is refused: for the line in the log, and the form of the answer.

Whoever refuses a request does not know for certain what it asks for. But the answer to HEAD has no
content (RFC 9110, 9.3.2), and the log says what came as far as it can be read. Nothing else may
depend on it: a request that was glimpsed is never served.
"""

import re

from reactor.http11.grammar import TOKEN, ProtocolError
from reactor.http11.headers import FieldLine, Headers, read_field_line
from reactor.http11.message import Head, Request
from reactor.http11.target import Target

MOST_LINES = 32

_match_request_line = re.compile(rb"(" + TOKEN + rb") ([^ ]+) HTTP/1\.([0-9])\r\n").match


def glimpse(octets: bytes) -> Request:
    """Make a request of the beginning of a head; without a readable request line its target is empty."""
    match = _match_request_line(octets)
    if match is None:
        method = "HEAD" if octets.startswith(b"HEAD ") else ""
        return Request(method, Target("", ()), Head(1, Headers(), persistent=False))
    lines = octets[match.end() :].split(b"\r\n", MOST_LINES)[:MOST_LINES]
    headers = Headers([field_line for line in lines for field_line in _readable(line)])
    target = Target(match[2].decode("latin-1"), ())
    return Request(match[1].decode("ascii"), target, Head(min(int(match[3]), 1), headers, persistent=False))


def _readable(octets: bytes) -> list[FieldLine]:
    """Return the field line, when it is one."""
    try:
        return [read_field_line(octets)]
    except ProtocolError:
        return []
