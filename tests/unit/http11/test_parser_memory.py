"""A parser without unread input holds no data, since most connections are usually idle."""

import gc

import pytest

from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 50000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"c350\r\n" + b"a" * 50_000  # incomplete


def held(parser: Parser) -> int:
    """Return how many bytes a parser keeps in memory.

    The garbage collector returns what an object refers to, whatever the names of its attributes; a buffer
    without other references is kept alive by the parser alone.
    """
    kept = gc.get_referents(parser)
    kept += [each for reader in kept if hasattr(reader, "complete") for each in gc.get_referents(reader)]
    return sum(len(each) for each in kept if isinstance(each, (bytes, bytearray, memoryview)))


def read(parser: Parser, *pieces: bytes) -> int:
    """Feed chunks and read all available requests and bodies; return the number of requests."""
    requests = 0
    for piece in pieces:
        parser.feed(piece)
        while True:
            if parser.phase is Phase.CONTENT:
                parser.next_content()
                if parser.phase is Phase.CONTENT:
                    break
            elif parser.next_request() is None:
                break
            else:
                requests += 1
    return requests


@pytest.fixture
def parser() -> Parser:
    return Parser(HeadReader(Settings()))


def test_the_memory_measurement_sees_buffered_bytes(parser: Parser) -> None:
    read(parser, GET[:-1])
    assert held(parser) >= len(GET) - 1
    parser.end()
    assert held(parser) == 0


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([GET], id="one request"),
        pytest.param([GET[:10], GET[10:]], id="one request in two pieces"),
        pytest.param([GET * 2000], id="many requests at once"),
        pytest.param([(GET * 2000)[:-5], GET[-5:]], id="many requests in two pieces"),
        pytest.param([GET * 2000 + b"\r\n"], id="many requests and an empty line"),
        pytest.param([GET, b"\r", b"\n"], id="an empty line byte by byte"),
        pytest.param([POST + b"a" * 50_000], id="head and body together"),
        pytest.param([POST, b"a" * 50_000], id="body after its head"),
        pytest.param([CHUNKED + CHUNK + b"\r\n0\r\n\r\n"], id="chunks"),
        pytest.param([CHUNKED + CHUNK, b"\r\n0\r\n", b"\r\n"], id="chunks in pieces"),
        pytest.param([GET * 1000 + CHUNKED + b"0\r\n\r\n"], id="many requests and an empty chunked body"),
    ],
)
def test_an_idle_parser_holds_nothing(parser: Parser, pieces: list[bytes]) -> None:
    assert read(parser, *pieces) > 0
    assert parser.phase is Phase.IDLE
    assert parser.buffered == 0
    assert held(parser) == 0


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([POST], id="a head"),
        pytest.param([GET * 1000 + POST], id="many requests and a head"),
        pytest.param([POST + b"a" * 49_999], id="head and body together"),
        pytest.param([POST, b"a" * 20_000, b"a" * 20_000], id="body in pieces"),
        pytest.param([CHUNKED + CHUNK], id="a chunk"),
        pytest.param([CHUNKED, CHUNK[:20_000], CHUNK[20_000:]], id="a chunk in pieces"),
    ],
)
def test_a_parser_keeps_no_body_bytes_after_reading(parser: Parser, pieces: list[bytes]) -> None:
    assert read(parser, *pieces) > 0
    if parser.phase is Phase.CONTENT and pieces[-1].endswith(b"\r\n\r\n"):
        parser.next_content()
    assert parser.phase is Phase.CONTENT
    assert held(parser) == 0
