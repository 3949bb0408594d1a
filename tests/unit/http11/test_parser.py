"""The parser: the same bytes give the same requests, bodies and phases, however they are split."""

import random

import pytest

from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings
from tests.unit.http11.deliver import cases, deliver, get, single_bytes

CHUNKED = (
    b"POST /files/a%20b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5;name=value;other="a;b\\"c"\r\nhello\r\n'
    b"00B \t; flag\r\n \r\n0\r\n\r\nwor\r\n"
    b"2;x = y\r\nld\r\n"
    b"000;last\r\nExpires: never\r\nContent-Length: 7\r\n\r\n"
)
MESSAGES = {
    "plain GET": b"GET /echo/abc HTTP/1.1\r\nHost: x\r\n\r\n",
    "no header lines": b"GET / HTTP/1.0\r\n\r\n",
    "empty lines before": b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "browser": b"GET /search?q=a%20b&lang=en HTTP/1.1\r\nHost: www.example.org:8080\r\n"
    b"Connection: keep-alive\r\nCache-Control: max-age=0\r\n"
    b'sec-ch-ua: "Chromium";v="124", "Not-A.Brand";v="99"\r\nUpgrade-Insecure-Requests: 1\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,*/*;q=0.8\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nCookie: a=b; c=d\r\nX-Empty:\r\nX-Text: caf\xe9\r\n\r\n",
    "Content-Length": b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\na\r\n\r\nGET /\n\r\0bcd",
    "Content-Length: 0": b"POST /files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "chunked": CHUNKED,
    "absolute-form": b"GET http://other:81/p?q HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    "asterisk-form": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "three pipelined": b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    b"\r\nHEAD /3 HTTP/1.1\r\nHost: x\r\n\r\n",
    "chunked between two others": b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
    + CHUNKED
    + b"GET /3 HTTP/1.1\r\nHost: x\r\n\r\n",
    "last request": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "last, with a body": b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
}
NEXT = b"PUT /next HTTP/1.1\r\nHost: y\r\nContent-Length: 4\r\n\r\nnext"


@pytest.mark.parametrize("data", cases(MESSAGES))
@pytest.mark.parametrize(
    "following", [pytest.param(b"", id="alone"), pytest.param(NEXT, id="another request follows")]
)
def test_a_message_split_anywhere_gives_the_same_requests(data: bytes, following: bytes) -> None:
    data += following
    whole = deliver([data])
    assert whole.status is None
    assert all(request.phase_after_content is not None for request in whole.requests)
    assert deliver(single_bytes(data)) == whole
    for cut in range(len(data) + 1):
        assert deliver([data[:cut], data[cut:]]) == whole, cut


@pytest.mark.parametrize("data", cases(MESSAGES))
def test_the_next_message_does_not_affect_the_previous_one(data: bytes) -> None:
    alone = deliver([data])
    followed = deliver([data + NEXT])
    assert followed.requests[: len(alone.requests)] == alone.requests
    after = followed.requests[len(alone.requests) :]
    if alone.phase is Phase.ENDED:
        assert after == ()
        assert followed.phase is Phase.ENDED
    else:
        assert [(seen.method, seen.target, seen.content) for seen in after] == [("PUT", "/next", b"next")]


@pytest.mark.parametrize("size", [2, 3, 5, 7, 16, 61])
def test_messages_in_pieces_of_any_size_give_the_same_requests(size: int) -> None:
    data = b"".join(each for name, each in MESSAGES.items() if "last" not in name and "no header" not in name)
    whole = deliver([data])
    assert len(whole.requests) == 14
    assert deliver(data[i : i + size] for i in range(0, len(data), size)) == whole


def test_a_request_is_parsed() -> None:
    (seen,) = deliver([MESSAGES["browser"]]).requests
    assert (seen.method, seen.target, seen.version) == ("GET", "/search?q=a%20b&lang=en", "HTTP/1.1")
    assert seen.lines[0] == ("Host", "www.example.org:8080")
    assert seen.lines[-2:] == (("X-Empty", ""), ("X-Text", "caf\xe9"))
    assert (seen.length, seen.content, seen.phase_after_head) == (0, b"", Phase.IDLE)


def test_chunks_are_decoded_and_trailers_are_not_merged() -> None:
    (seen,) = deliver([CHUNKED]).requests
    assert seen.content == b"hello \r\n0\r\n\r\nworld"
    assert seen.segments == ("files", "a b")
    assert seen.lines == (("Host", "x"), ("Transfer-Encoding", "chunked"))
    assert (seen.phase_after_head, seen.phase_after_content) == (Phase.CONTENT, Phase.IDLE)


def test_a_body_with_content_length_is_not_parsed() -> None:
    (seen,) = deliver([MESSAGES["Content-Length"]]).requests
    assert seen.content == b"a\r\n\r\nGET /\n\r\0bcd"


def test_the_phase_is_idle_before_any_byte() -> None:
    parser = Parser(HeadReader(Settings()))
    phases = [parser.phase]
    for piece in (b"\r\n", b"G", b"ET / HTTP/1.1\r\nHost: x\r\n\r", b"\n\r\n", b"\r\n"):
        parser.feed(piece)
        while parser.next_request() is not None:
            pass
        phases.append(parser.phase)
    assert phases == [Phase.IDLE, Phase.IDLE, Phase.HEAD, Phase.HEAD, Phase.IDLE, Phase.IDLE]


def test_the_phases_of_the_last_request_are_content_and_ended() -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\na")
    assert parser.next_request() is not None
    phase = parser.phase
    assert phase is Phase.CONTENT
    assert parser.next_request() is None
    assert parser.next_content() == b"a"
    assert parser.next_content() == b""
    parser.feed(b"bGET / HTTP/1.1\r\n")
    assert parser.next_content() == b"b"
    assert parser.phase is Phase.ENDED
    parser.feed(b"\0")
    assert parser.next_request() is None
    assert parser.phase is Phase.ENDED


def test_the_last_request_leaves_nothing_in_the_buffer() -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + get())
    assert parser.next_request() is not None
    assert (parser.phase, parser.buffered, parser.next_request()) == (Phase.ENDED, 0, None)


def test_end_between_two_requests_ignores_the_second() -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(get() + get())
    assert parser.next_request() is not None
    parser.end()
    assert (parser.phase, parser.buffered, parser.next_request()) == (Phase.ENDED, 0, None)


def test_end_ignores_the_rest_of_the_body_and_later_bytes() -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(post_in_progress := b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
    assert parser.next_request() is not None
    parser.end()
    parser.feed(post_in_progress)
    assert (parser.phase, parser.buffered, parser.next_request()) == (Phase.ENDED, 0, None)


def test_a_malformed_head_can_be_read_in_part_after_its_error() -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(b"HEAD /x HTTP/1.1\r\nUser-Agent: a\r\nnonsense\r\n\r\n")
    with pytest.raises(ProtocolError):
        parser.next_request()
    request = parser.partial_request()
    assert (parser.phase, request.method, str(request.target)) == (Phase.ENDED, "HEAD", "/x")
    assert request.headers["user-agent"] == "a"


def test_buffered_counts_unparsed_bytes() -> None:
    parser = Parser(HeadReader(Settings()))
    assert parser.buffered == 0
    parser.feed(get() + b"GET /half")
    assert parser.buffered == len(get()) + 9
    assert parser.next_request() is not None
    assert parser.buffered == 9
    assert parser.next_request() is None
    parser.feed(b"way")
    assert parser.buffered == 12


def mutated(data: bytes, source: random.Random) -> bytes:
    """Change, delete, repeat or insert a few bytes."""
    for _ in range(source.randint(1, 3)):
        place = source.randrange(len(data))
        length = source.randint(0, 3)
        piece = source.choice(
            [
                b"",
                b"\r",
                b"\n",
                b"\r\n",
                b"\0",
                b" ",
                b"\t",
                b":",
                b",",
                b"0",
                b"%",
                b"\xff",
                data[place : place + 9],
            ]
        )
        data = data[:place] + piece + data[place + length :]
    return data


@pytest.mark.parametrize("seed", range(40))
def test_damaged_messages_have_one_outcome_however_they_are_split(seed: int) -> None:
    source = random.Random(seed)
    for data in MESSAGES.values():
        damaged = mutated(data, source) + NEXT
        whole = deliver([damaged])
        cut = source.randrange(len(damaged))
        for pieces in (single_bytes(damaged), [damaged[:cut], damaged[cut:]]):
            outcome = deliver(pieces)
            assert outcome.phase is whole.phase, damaged
            assert (outcome.status is None) == (whole.status is None), damaged
            complete = [seen for seen in outcome.requests if seen.phase_after_content]
            assert complete == [seen for seen in whole.requests if seen.phase_after_content], damaged
