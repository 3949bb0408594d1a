"""The worst inputs cost in proportion to their length: bytes looked at are counted, not time.

The limits of a server are lifted here, because they hide the shape of the curve: with them,
anything is linear beyond 32 KiB. Copies are counted only under the limits, where they are bounded.
"""

import pytest

from reactor.http11.parser import Parser
from reactor.settings import Settings
from tests.fuzz.counting import Counted, Tally, count
from tests.fuzz.worst import BASELINES, CHUNKED, HEAD, WORST, Input, parse, repeated

NO_LIMIT = 1 << 30
LIFTED = Settings(
    max_request_line=NO_LIMIT,
    max_field_line=NO_LIMIT,
    max_fields=NO_LIMIT,
    max_head=NO_LIMIT,
    max_chunk_line=NO_LIMIT,
)
PIECE = 64  # small enough for an input to come in hundreds of pieces
SIZE = 16 * 1024
GROWTH = 2.2  # times the work for twice the bytes; 4 would be quadratic

UNFINISHED = {
    "request line": repeated(b"a"),
    "field line": repeated(b"a", HEAD + b"A:"),
    "field lines": repeated(b"a:\r\n", HEAD),
    "chunk line": repeated(b"a", CHUNKED + b"1;a="),
    "chunk line, quoted": repeated(b'\\"', CHUNKED + b'1;a="'),
    "trailer": repeated(b"a", CHUNKED + b"0\r\nA:"),
    "trailers": repeated(b"a:\r\n", CHUNKED + b"0\r\n"),
}
PARSED = [each for each in (*BASELINES, *WORST) if each.read is parse]


@pytest.mark.parametrize("what", UNFINISHED)
def test_search_cost_is_linear_in_the_received_bytes(what: str) -> None:
    smaller, larger = (count(UNFINISHED[what](size), PIECE, LIFTED).searched for size in (SIZE, 2 * SIZE))
    assert smaller >= SIZE / 2, "nothing was counted"
    assert larger <= GROWTH * smaller


@pytest.mark.parametrize("each", PARSED, ids=lambda each: each.name)
def test_work_is_linear_within_the_limits(each: Input) -> None:
    size = 64 * 1024  # twice the longest head
    smaller, larger = (work(count(each.write(n), 1024, Settings())) for n in (size, 2 * size))
    assert smaller > 0, "nothing was counted"
    assert larger <= GROWTH * smaller


def work(tally: Tally) -> int:
    return tally.searched + tally.copied


def test_a_quadratic_parser_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Parser._check_incomplete_head

    def forgetful(self: Parser) -> None:
        wait(self)
        self._scanned = self._position

    monkeypatch.setattr(Parser, "_check_incomplete_head", forgetful)
    with pytest.raises(AssertionError, match="<="):
        test_search_cost_is_linear_in_the_received_bytes("request line")


def test_counted_bytes_behave_like_bytes() -> None:
    tally = Tally()
    data = Counted(b"ab\r\ncd", tally)
    assert (data.find(b"\r\n"), tally.searched) == (2, 4)
    assert (data.find(b"x", 1, 3), tally.searched) == (-1, 6)
    assert (data[1:3] + b"!", tally.copied) == (b"b\r!", 5)
    assert (b"!" + data, tally.copied) == (b"!ab\r\ncd", 12)
    assert ({b"ab\r\ncd": 1}[data], tally.searched) == (1, 12)
    assert isinstance(b"!" + data, Counted)
