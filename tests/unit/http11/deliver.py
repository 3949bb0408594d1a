"""Delivers octets to a parser in pieces, and tells what came out, so that deliveries can be compared."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings

# Between two requests the parser is in one of these, depending on whether the next has begun to come.
BETWEEN = (Phase.IDLE, Phase.HEAD)


def phase_of(parser: Parser) -> Phase:
    """Return the phase as every delivery has it: IDLE for all that is between two requests."""
    return Phase.IDLE if parser.phase in BETWEEN else parser.phase


class Seen(NamedTuple):
    """One request as a reader of the parser sees it."""

    method: str
    target: str
    segments: tuple[str, ...]
    version: str
    lines: tuple[tuple[str, str], ...]
    length: int
    phase_after_head: Phase
    content: bytes
    phase_after_content: Phase | None  # None while content is missing


class Outcome(NamedTuple):
    """What came of a delivery: its requests, how it was refused if it was, and where the parser stands."""

    requests: tuple[Seen, ...]
    status: int | None
    phase: Phase

    @property
    def contents(self) -> list[bytes]:
        return [request.content for request in self.requests]

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.requests]


def deliver(pieces: Iterable[bytes], settings: Settings | None = None) -> Outcome:
    """Feed the pieces one after the other to a fresh parser, taking all that each makes possible."""
    parser = Parser(HeadReader(settings or Settings()))
    requests: list[Seen] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            _take(parser, requests)
    except ProtocolError as error:
        refusal = error
    else:
        return Outcome(tuple(requests), None, parser.phase)
    assert parser.phase is Phase.ENDED
    assert refusal.reason
    assert refusal.reason.isprintable()
    parser.feed(get(target=b"/after"))
    assert parser.next_request() is None
    return Outcome(tuple(requests), refusal.status, parser.phase)


def _content(parser: Parser) -> bytes:
    """Take all content that has come, which the parser hands out a few chunks at a time."""
    pieces = []
    while parser.phase is Phase.CONTENT and (piece := parser.next_content()):
        pieces.append(piece)
    return b"".join(pieces)


def _take(parser: Parser, requests: list[Seen]) -> None:
    while True:
        if parser.phase is Phase.CONTENT:
            octets = _content(parser)
            complete = parser.phase is not Phase.CONTENT
            last = requests[-1]
            requests[-1] = last._replace(
                content=last.content + octets, phase_after_content=phase_of(parser) if complete else None
            )
            if not complete:
                return
        request = parser.next_request()
        if request is None:
            return
        has_content = parser.phase is Phase.CONTENT
        requests.append(
            Seen(
                request.method,
                str(request.target),
                tuple(request.target.segments),
                request.version,
                tuple(request.headers.lines),
                request.head.length,
                phase_of(parser),
                b"",
                None if has_content else phase_of(parser),
            )
        )


def one_by_one(octets: bytes) -> Iterator[bytes]:
    """Cut into single octets."""
    return (octets[i : i + 1] for i in range(len(octets)))


def both_ways(octets: bytes, settings: Settings | None = None) -> Outcome:
    """Deliver whole and octet by octet; assert that the outcome is the same, and return it."""
    whole = deliver([octets], settings)
    single = deliver(one_by_one(octets), settings)
    assert (whole.status, whole.requests) == (single.status, single.requests)
    assert whole.phase is single.phase
    return whole


def assert_refused(status: int, octets: bytes, settings: Settings | None = None) -> None:
    """Assert that the octets are refused with this status, however they arrive."""
    whole = deliver([octets], settings).status
    single = deliver(one_by_one(octets), settings).status
    assert (whole, single) == (status, status), octets[:200]


def assert_accepted(octets: bytes, settings: Settings | None = None) -> Seen:
    """Assert that the octets are exactly one complete request, however they arrive; return it."""
    outcome = both_ways(octets, settings)
    assert outcome.status is None, (outcome.status, octets[:200])
    assert len(outcome.requests) == 1, octets[:200]
    assert outcome.requests[0].phase_after_content is not None, octets[:200]
    return outcome.requests[0]


def get(
    *lines: bytes, target: bytes = b"/", version: bytes = b"HTTP/1.1", host: bytes | None = b"x"
) -> bytes:
    """Write a GET request with these field lines."""
    hosts = [] if host is None else [b"Host: " + host]
    return b"\r\n".join([b"GET " + target + b" " + version, *hosts, *lines, b"", b""])


def post(*lines: bytes, content: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    """Write a POST request with these field lines and octets behind its head."""
    return b"\r\n".join([b"POST / " + version, b"Host: x", *lines, b"", content])


def chunked_post(body: bytes) -> bytes:
    """Write a POST request whose message body is given as it is on the wire."""
    return post(b"Transfer-Encoding: chunked", content=body)


def cases(table: dict[str, bytes]) -> list[object]:
    """Make a parametrize table, each row with its id."""
    return [pytest.param(octets, id=name) for name, octets in table.items()]
