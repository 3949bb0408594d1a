"""The response parser: any chunking, comparison of bodies, invalid responses."""

import pytest

from benchmarks.load.responses import MAX_HEAD, ResponseError, ResponseReader, read_head
from tests.unit.benchmarks.load.load_server import answer


def verdicts(data: bytes, expected: bytes, piece: int = 1 << 20) -> list[str]:
    """Parse responses from data that arrives in pieces."""
    answers, found = ResponseReader(), []
    for start in range(0, len(data), piece):
        answers.feed(data[start : start + piece])
        while (failure := answers.next_response(expected)) is not None:
            found.append(failure)
    return found


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
def test_responses_are_parsed_in_pieces_of_any_size(piece: int) -> None:
    data = answer(b"abc") + answer(b"abd") + answer(b"") + answer(b"abc", status=b"404 Not Found")
    assert verdicts(data + answer(b"abc"), b"abc", piece) == ["", "wrong body", "wrong body", "404", ""]


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_chunked_responses_are_compared_when_complete(piece: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    bodies = (b"3\r\nabc\r\n0\r\n\r\n", b"1;x=y\r\na\r\n2\r\nbd\r\n0\r\nTrailer: x\r\n\r\n", b"0\r\n\r\n")
    data = b"".join(head + body for body in bodies) + answer(b"abc")
    assert verdicts(data, b"abc", piece) == ["", "wrong body", "wrong body", ""]


@pytest.mark.parametrize("content", [b"ab", b"abcd", b"xbc", b"abx"])
def test_a_body_that_differs_is_wrong(content: bytes) -> None:
    assert verdicts(answer(content), b"abc", 1) == ["wrong body"]


def test_an_incomplete_response_is_none() -> None:
    assert verdicts(answer(b"abc")[:-1], b"abc") == []


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n",
        b"x" * (MAX_HEAD + 1),
    ],
)
def test_an_invalid_response_is_an_error(data: bytes) -> None:
    with pytest.raises(ResponseError):
        verdicts(data, b"")


@pytest.mark.parametrize(
    ("version", "line", "closes"),
    [
        (b"1.1", b"", False),
        (b"1.1", b"Connection: Close", True),
        (b"1.0", b"", True),
        (b"1.0", b"Connection: keep-alive", False),
    ],
)
def test_the_head_says_whether_the_connection_closes(version: bytes, line: bytes, closes: bool) -> None:
    data = answer(b"", *filter(None, [line])).replace(b"1.1", version)
    assert read_head(data).closes is closes
