"""The expression for whole heads and the reader of single lines agree on validity and meaning."""

import random

import pytest

from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader, _request_line_fault
from reactor.http11.headers import combine, read_header_line
from reactor.http11.parser import Parser
from reactor.settings import Settings

HEADS = [
    b"GET /a%20b/c?d=e&%7B HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nX-Request-Id:1\r\n\r\n",
    b"POST http://h/p HTTP/1.0\r\nhost:\tx\r\nContent-Length: 3\r\nA:\r\nB: \xe9 \t\r\na: 2\r\n\r\n",
    b"CONNECT x:80 HTTP/1.1\r\nHOST: x:80\r\nConnection: close, a\r\n\r\n",
    b"OPTIONS * HTTP/1.3\r\nHost: x\r\nExpect: 100-continue\r\nAccept-Encoding: gzip\r\n\r\n",
]
BYTES = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"%",
    b"/",
    b"?",
    b"\x7f",
    b"\x80",
    b"A",
    b"\r\n ",
    b"\r\n:",
]


def damaged(head: bytes, rng: random.Random) -> bytes:
    """Return a head with up to three bytes replaced, inserted or removed, and the empty line kept."""
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(head) - 4)
        head = head[:at] + rng.choice([b"", *BYTES]) + head[at + rng.randrange(2) :]
    return head if head.find(b"\r\n\r\n") == len(head) - 4 else HEADS[0]


def read_line_by_line(head: bytes) -> list[tuple[str, str, str]]:
    """Read the lines of a head one by one; raise ProtocolError."""
    request_line, *lines = head[:-4].split(b"\r\n")
    fault = _request_line_fault(request_line, len(request_line))
    if fault is not None:
        raise fault[1]
    return [read_header_line(line) for line in lines]


@pytest.mark.parametrize("seed", range(4))
def test_both_readers_agree(seed: int) -> None:
    rng = random.Random(seed)
    valid = 0
    for _ in range(2000):
        data = damaged(rng.choice(HEADS), rng)
        reader = HeadReader(Settings())
        try:
            lines = read_line_by_line(data)
        except ProtocolError:
            with pytest.raises(ProtocolError):
                reader.read(data)
            continue
        assert reader._match(data), data
        try:
            _, target, head, headers = reader.read(data)
        except ProtocolError:
            continue  # the headers contradict each other
        valid += 1
        if target.authority is None:
            assert headers.lines == [(name, value) for _, value, name in lines], data
            assert head.host == combine(lines).get("host")
    assert 200 < valid < 1900


def test_the_largest_limit_of_header_lines_is_accepted() -> None:
    reader = HeadReader(Settings(max_fields=2**53 - 1))
    assert reader.read(HEADS[0])[3]["x-request-id"] == "1"
    reader.read_trailers(b"A: b\r\nC: d")


def refusal(pieces: list[bytes]) -> str | None:
    """Return why a head that is received in these pieces is invalid; None if it is valid."""
    parser = Parser(HeadReader(Settings()))
    try:
        for piece in pieces:
            parser.feed(piece)
            parser.next_request()
    except ProtocolError as error:
        return error.reason
    return None


@pytest.mark.parametrize("seed", range(4))
def test_the_error_is_the_same_in_one_piece_and_byte_by_byte(seed: int) -> None:
    rng = random.Random(seed)
    refused = set()
    for _ in range(1000):
        data = damaged(rng.choice(HEADS), rng)
        whole = refusal([data])
        assert refusal([data[i : i + 1] for i in range(len(data))]) == whole, data
        refused.add(whole)
    assert len(refused) > 9
