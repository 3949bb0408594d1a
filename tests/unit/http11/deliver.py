"""Feeds bytes to a parser in chunks, and records the results, so that they can be compared."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings

# The phase between two requests; it depends on whether bytes of the next one were received.
BETWEEN = (Phase.IDLE, Phase.HEAD)


def phase_of(parser: Parser) -> Phase:
    """Return the phase, independent of the chunks: IDLE for both phases between two requests."""
    return Phase.IDLE if parser.phase in BETWEEN else parser.phase


class ParsedRequest(NamedTuple):
    """One request, as returned by the parser."""

    method: str
    target: str
    segments: tuple[str, ...]
    version: str
    lines: tuple[tuple[str, str], ...]
    length: int
    phase_after_head: Phase
    content: bytes
    phase_after_content: Phase | None  # None while the body is incomplete


class Outcome(NamedTuple):
    """The result of feeding a parser: its requests, the error if there was one, and the phase."""

    requests: tuple[ParsedRequest, ...]
    status: int | None
    phase: Phase

    @property
    def contents(self) -> list[bytes]:
        return [request.content for request in self.requests]

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.requests]


def deliver(pieces: Iterable[bytes], settings: Settings | None = None) -> Outcome:
    """Feed chunks to a new parser, reading all requests and bodies that are available after each."""
    parser = Parser(HeadReader(settings or Settings()))
    requests: list[ParsedRequest] = []
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
    """Read all of the body that was received; the parser returns a few chunks at a time."""
    pieces = []
    while parser.phase is Phase.CONTENT and (piece := parser.next_content()):
        pieces.append(piece)
    return b"".join(pieces)


def _take(parser: Parser, requests: list[ParsedRequest]) -> None:
    while True:
        if parser.phase is Phase.CONTENT:
            data = _content(parser)
            complete = parser.phase is not Phase.CONTENT
            last = requests[-1]
            requests[-1] = last._replace(
                content=last.content + data, phase_after_content=phase_of(parser) if complete else None
            )
            if not complete:
                return
        request = parser.next_request()
        if request is None:
            return
        has_content = parser.phase is Phase.CONTENT
        requests.append(
            ParsedRequest(
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


def single_bytes(data: bytes) -> Iterator[bytes]:
    """Split into single bytes."""
    return (data[i : i + 1] for i in range(len(data)))


def deliver_both(data: bytes, settings: Settings | None = None) -> Outcome:
    """Feed at once and byte by byte; assert that the result is the same, and return it."""
    whole = deliver([data], settings)
    single = deliver(single_bytes(data), settings)
    assert (whole.status, whole.requests) == (single.status, single.requests)
    assert whole.phase is single.phase
    return whole


def assert_refused(status: int, data: bytes, settings: Settings | None = None) -> None:
    """Assert that the input is rejected with this status, however it is split."""
    whole = deliver([data], settings).status
    single = deliver(single_bytes(data), settings).status
    assert (whole, single) == (status, status), data[:200]


def assert_accepted(data: bytes, settings: Settings | None = None) -> ParsedRequest:
    """Assert that the input is exactly one complete request, however it is split; return it."""
    outcome = deliver_both(data, settings)
    assert outcome.status is None, (outcome.status, data[:200])
    assert len(outcome.requests) == 1, data[:200]
    assert outcome.requests[0].phase_after_content is not None, data[:200]
    return outcome.requests[0]


def get(
    *lines: bytes, target: bytes = b"/", version: bytes = b"HTTP/1.1", host: bytes | None = b"x"
) -> bytes:
    """Write a GET request with these header lines."""
    hosts = [] if host is None else [b"Host: " + host]
    return b"\r\n".join([b"GET " + target + b" " + version, *hosts, *lines, b"", b""])


def post(*lines: bytes, content: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    """Write a POST request with these header lines, and these bytes after its head."""
    return b"\r\n".join([b"POST / " + version, b"Host: x", *lines, b"", content])


def chunked_post(body: bytes) -> bytes:
    """Write a chunked POST request; the body is already encoded."""
    return post(b"Transfer-Encoding: chunked", content=body)


def cases(table: dict[str, bytes]) -> list[object]:
    """Make a parametrize table, each row with its id."""
    return [pytest.param(data, id=name) for name, data in table.items()]
