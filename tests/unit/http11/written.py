"""Serializes responses and parses the result."""

from collections.abc import Iterator

from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request, Response
from reactor.http11.serializer import Body, ChunkSource, Serializer
from reactor.http11.target import Target
from tests.support.in_process import Answer, parse_response

DATE = b"Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
SHARE = 1000
SERIALIZER = Serializer()  # shared by all tests, so that its caches contain the results of other tests
TEXT = b"to be or not to be, " * 40


class OpenFile:
    """An open file that remembers whether it was closed."""

    closed = False

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.closed = True


class Pieces:
    """Content in chunks that remembers whether it was closed."""

    closed = False

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed = True


def write(
    response: Response,
    method: str = "GET",
    version: int = 1,
    keep_alive: bool = True,
    coding: str | None = None,
    date: bytes = DATE,
    serializer: Serializer = SERIALIZER,
) -> tuple[bytes, Body]:
    head = Head(version, keep_alive=keep_alive, coding=coding)
    request = Request(method, Target("/", ("",)), head, Headers())
    return serializer.serialize(request, response, keep_alive, date, SHARE)[:2]


def whole(data: bytes, body: Body) -> bytes:
    """Return all bytes that are sent, including the whole body of a stream."""
    if isinstance(body, ChunkSource):
        return data + b"".join(body.chunks)
    assert body is None
    return data


def answer(data: bytes, method: str = "GET", closed: bool = False) -> Answer:
    """Parse one response; assert that no bytes follow."""
    read, length = parse_response(data, method, closed)
    assert read is not None, data
    assert length == len(data)
    return read
