"""The property of the parser: what must be true of any input.

1. What comes out is a request, None for "more", or ProtocolError: with a status from 400 to 599 and a
   reason that can be printed in one line. Never another exception.
2. However the bytes are cut, the outcome is the same, and so it is for a parser that shares its
   caches with all earlier parsers.
3. After a refusal no request follows. The limits bound the buffer.
"""

import zlib
from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from reactor.http11.errors import HTTPError, ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.message import Request
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings

LONG = 4000  # bytes; what is longer is not delivered one by one


class Outcome(NamedTuple):
    """What came out of one delivery: each request in full, the last one's content, and the end."""

    requests: tuple[tuple[object, ...], ...]
    contents: tuple[bytes, ...]
    end: str


def difference(expected: Outcome, outcome: Outcome) -> str:
    """Describe how two outcomes differ."""
    if expected.end != outcome.end:
        return f"{expected.end} becomes {outcome.end}"
    return "different requests" if expected.requests != outcome.requests else "different body"


def fault_of_refusal(error: HTTPError) -> str | None:
    """Check a refusal: its status, and a reason that is one printable line."""
    if error.status not in range(400, 600):
        return f"refused with {error.status}, which is not an error status"
    if not error.reason or not error.reason.isprintable() or not error.reason.isascii():
        return f"refused with an unprintable reason: {error.reason!r}"
    return None


class BrokenPropertyError(Exception):
    """The property does not hold; the text says how."""


class ParserProperty:
    """Checks bytes under some settings; one delivery of each shares a cache of heads with all before."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.heads = HeadReader(settings)

    def check(self, data: bytes) -> str | None:
        """Return what is wrong with the outcome for these bytes, or None."""
        try:
            expected = self.deliver([data], HeadReader(self.settings))
            for how, pieces in cuts(data):
                outcome = self.deliver(pieces, HeadReader(self.settings))
                if outcome != expected:
                    return f"{how} instead of whole: {difference(expected, outcome)}"
            for _ in range(3):  # a head is cached when it is received for the second time
                outcome = self.deliver([data], self.heads)
                if outcome != expected:
                    return f"cached heads change the outcome: {difference(expected, outcome)}"
        except BrokenPropertyError as fault:
            return str(fault)
        except Exception as error:
            return f"raises {type(error).__name__}: {error}"
        return None

    def deliver(self, pieces: Iterable[bytes], heads: HeadReader) -> Outcome:
        """Feed the pieces to a fresh parser, and take all that each makes possible."""
        parser = Parser(heads)
        consumer = Consumer(parser, self.settings)
        try:
            for piece in pieces:
                parser.feed(piece)
                consumer.consume()
        except ProtocolError as error:
            fault = fault_of_refusal(error)
            if fault is not None:
                raise BrokenPropertyError(fault) from error
            check_lost(parser)
            return consumer.outcome(f"refused with {error.status}")
        return consumer.outcome(parser.phase.name)


class Consumer:
    """Takes requests and their contents out of one parser."""

    def __init__(self, parser: Parser, settings: Settings) -> None:
        self.parser = parser
        # The limit of a trailer section excludes its empty line, of which one byte may have come.
        self.limit = max(settings.max_head + 1, settings.max_chunk_line + 2, settings.max_field_line + 2)
        self.requests: list[tuple[object, ...]] = []
        self.contents: list[bytes] = []

    def consume(self) -> None:
        """Take until more bytes are needed; check that not too many of them are kept."""
        while self._consume_one():
            pass
        waiting = self.parser.buffered
        if self.parser.phase is Phase.IDLE and waiting:
            raise BrokenPropertyError("an idle parser has buffered bytes")
        if waiting > self.limit:
            raise BrokenPropertyError(f"{waiting} bytes are buffered, over the limit of {self.limit}")

    def _consume_one(self) -> bool:
        if self.parser.phase is Phase.CONTENT:
            data = self.parser.next_content()
            self.contents[-1] += data
            return self.parser.phase is not Phase.CONTENT or bool(data)
        request = self.parser.next_request()
        if request is None:
            return False
        if not isinstance(request, Request):
            raise BrokenPropertyError(f"returns {type(request).__name__}")
        self.requests.append(described(request))
        self.contents.append(b"")
        return True

    def outcome(self, end: str) -> Outcome:
        """Sum up; the part read of a body refused later depends on the cuts, and is never used."""
        contents = self.contents[:-1] if end.startswith("refused") else self.contents
        return Outcome(tuple(self.requests), tuple(contents), end)


def described(request: Request) -> tuple[object, ...]:
    """Write down all that a request says."""
    head = request.head
    if head.version not in (0, 1) or head.length < -1 or head.coding not in (None, "gzip", "x-gzip"):
        raise BrokenPropertyError(
            f"invalid head: version {head.version}, length {head.length}, coding {head.coding}"
        )
    return (
        request.method,
        str(request.target),
        request.target.segments,
        request.version,
        tuple(request.headers.lines),
        head.length,
        head.keep_alive,
        head.expects_continue,
        head.coding,
    )


def check_lost(parser: Parser) -> None:
    """Check that a parser reads nothing after a refusal."""
    parser.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    if parser.phase is not Phase.ENDED or parser.next_request() is not None:
        raise BrokenPropertyError("continues after a refusal")


def cuts(data: bytes) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Cut in several ways; the places depend on the bytes alone."""
    if len(data) <= LONG:
        yield "byte by byte", (data[i : i + 1] for i in range(len(data)))
    yield "cut between CR and LF", _cut_at(data, [i + 1 for i, byte in enumerate(data) if byte == 0x0D])
    random = Random(zlib.crc32(data))
    yield "cut at random", _cut_at(data, sorted(random.choices(range(len(data) + 1), k=4)))


def _cut_at(data: bytes, places: list[int]) -> list[bytes]:
    ends = [*places, len(data)]
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False) if a < b]
