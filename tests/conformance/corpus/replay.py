"""How a request of the corpus is delivered, and how what came of it is checked.

    Way      What is sent
    whole    all bytes at once
    single   byte by byte
    pieces   in pieces of 97 bytes; only of what is over 2 KiB
    canary   all at once, and another request right after it

Once all is sent and answered the client says that it sends no more, and reads to the end. The canary is
the point: if a server sees the end of a request elsewhere than the one before it, the next request,
perhaps of another client, is misread. So a judgement has two parts. *Violations* are about that, and hold
for every server: what is invalid is refused, and nothing after it answered; what is valid is answered
once, and what is after it, too, unless the request says ``close``. *Differences* are from what the
built-in server promises: this very status, an orderly end, the canary's own answer.

This module knows no socket.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.conformance.corpus.entry import Entry

CANARY = b"GET /echo/canary HTTP/1.1\r\nHost: corpus.test\r\n\r\n"
LONG = 2048  # bytes
PIECE = 97  # bytes
# Statuses that say that the request itself was not understood or not wanted.
REFUSALS = frozenset({400, 408, 411, 413, 414, 417, 431, 501, 505})


class Delivery(NamedTuple):
    """One way to deliver an entry."""

    way: str
    pieces: list[bytes]
    canary: bool = False


class Reply(NamedTuple):
    """One final response."""

    status: int
    closes: bool  # whether it says that the connection ends
    content: bytes


class Outcome(NamedTuple):
    """What a client saw: whole responses, bytes that are not a response, and how the connection ended."""

    replies: list[Reply]
    rest: bytes
    ended: bool  # the server has closed, or has said that it sends no more, before the client did
    was_reset: bool = False


class Judgement(NamedTuple):
    """What is wrong with an outcome, in words."""

    violations: list[str]
    differences: list[str]


def deliveries(entry: Entry) -> Iterator[Delivery]:
    """Yield the ways to deliver an entry."""
    data = entry.data
    yield Delivery("whole", [data])
    yield Delivery("single", cut(data, 1))
    if len(data) > LONG:
        yield Delivery("pieces", cut(data, PIECE))
    yield Delivery("canary", [data + CANARY], canary=True)


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def expected_replies(entry: Entry, canary: bool) -> int:
    """Return how many final responses there are when all is right."""
    if entry.status is None:
        return 0
    return 2 if canary and entry.keep_alive else 1


def check_outcome(entry: Entry, canary: bool, outcome: Outcome) -> Judgement:
    """Say what is wrong with an outcome."""
    if entry.request is None:
        violations = list(_violations_of_invalid(entry, outcome))
    else:
        violations = list(_violations_of_valid(entry, canary, outcome))
    if outcome.rest:
        violations.append(f"bytes that are not a response: {outcome.rest[:60]!r}")
    return Judgement(violations, list(_differences(entry, canary, outcome)))


def _violations_of_invalid(entry: Entry, outcome: Outcome) -> Iterator[str]:
    if any(reply.status < 400 for reply in outcome.replies):
        yield f"accepted with {outcome.replies[0].status}"
    if len(outcome.replies) > 1:
        yield "the request after it was answered"
    if entry.status is not None and not outcome.replies and not outcome.ended:
        yield "neither answered nor closed"


def _violations_of_valid(entry: Entry, canary: bool, outcome: Outcome) -> Iterator[str]:
    if len(outcome.replies) != expected_replies(entry, canary):
        yield f"{len(outcome.replies)} responses instead of {expected_replies(entry, canary)}"
    for reply in outcome.replies[:1]:
        if reply.status in REFUSALS and reply.status != entry.status:
            yield f"refused with {reply.status}"


def _differences(entry: Entry, canary: bool, outcome: Outcome) -> Iterator[str]:
    statuses = [reply.status for reply in outcome.replies]
    if entry.status is None:
        # Behind a request that is not complete, the canary is a part of it, and a faulty one perhaps.
        if any(status != 400 for status in statuses) or (statuses and not canary):
            yield f"answered with {statuses} instead of closing"
        return
    if statuses[:1] != [entry.status]:
        yield f"answered with {statuses[:1]} instead of {entry.status}"
    if entry.keep_alive == outcome.ended:
        yield "closed" if outcome.ended else "not closed"
    if outcome.was_reset:
        yield "reset"
    for reply in outcome.replies[:1]:
        if reply.closes == entry.keep_alive:
            yield "the Connection field of the response is wrong"
    for reply in outcome.replies[1:]:
        if (reply.status, reply.content) != (200, b"canary"):
            yield f"wrong response to the canary: {reply.status} {reply.content[:60]!r}"


# Bytes to responses, of any server.


def read_replies(data: bytes, method: str, ended: bool) -> tuple[list[Reply], bytes]:
    """Read all whole responses, the interim ones left out; return them with the bytes left over.

    ``method`` is the first request's, ``ended`` whether the connection is at its end.
    """
    replies: list[Reply] = []
    while True:
        found = _read_reply(data, "GET" if replies else method, ended)
        if found is None:
            return replies, data
        reply, length = found
        data = data[length:]
        if reply.status >= 200:
            replies.append(reply)


def _read_reply(data: bytes, method: str, ended: bool) -> tuple[Reply, int] | None:
    end = data.find(b"\r\n\r\n") + 4
    match = re.match(rb"HTTP/1\.([01]) ([1-9][0-9]{2})[ \r]", data)
    if end < 4 or match is None:
        return None
    status = int(match[2])
    fields = _fields(data[:end])
    options = fields.get(b"connection", b"").lower()
    closes = b"close" in options or (match[1] == b"0" and b"keep-alive" not in options)
    if method == "HEAD" or status < 200 or status in (204, 304):
        return Reply(status, closes, b""), end
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        content, after = _read_chunks(data, end)
    elif b"content-length" in fields:
        after = end + int(fields[b"content-length"])
        content = data[end:after]
    else:
        content, after = data[end:], len(data) if ended else -1
    return (Reply(status, closes, content), after) if 0 <= after <= len(data) else None


def _fields(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return {name.lower(): value.strip() for name, _, value in lines}


def _read_chunks(data: bytes, start: int) -> tuple[bytes, int]:
    """Return the content and the position after it, -1 when it is not whole."""
    pieces: list[bytes] = []
    while (end := data.find(b"\r\n", start)) >= 0:
        size = int(data[start:end].partition(b";")[0], 16)
        start = end + 2 + size + 2
        if not size:
            return b"".join(pieces), start
        pieces.append(data[end + 2 : start - 2])
    return b"".join(pieces), -1
