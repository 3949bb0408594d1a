"""The serializer: framing and persistence of every kind of response."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from reactor.http11 import serializer as serializer_module
from reactor.http11.message import Content, FileSlice, LiveStream, Response
from reactor.http11.serializer import ChunkSource, Serializer, has_length, interim
from tests.unit.http11.written import DATE, TEXT, OpenFile, Pieces, answer, whole, write

# Bytes.


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("content", [b"", b"a", TEXT])
def test_bytes_have_a_content_length(content: bytes, version: int) -> None:
    data, body = write(Response(200, content), version=version)
    assert body is None
    read = answer(data)
    assert (read.status, read.content, read.headers["content-length"]) == (200, content, str(len(content)))
    assert "transfer-encoding" not in read.headers


def test_a_response_has_exactly_these_bytes() -> None:
    response = Response(200, b"hi", (("Content-Type", "text/plain"), ("X-A", "1")))
    assert write(response)[0] == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: 1\r\n" + DATE + b"Content-Length: 2\r\n\r\nhi"
    )


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK"),
        (201, b"HTTP/1.1 201 Created"),
        (404, b"HTTP/1.1 404 Not Found"),
        (413, b"HTTP/1.1 413 Content Too Large"),
        (414, b"HTTP/1.1 414 URI Too Long"),
        (431, b"HTTP/1.1 431 Request Header Fields Too Large"),
        (505, b"HTTP/1.1 505 HTTP Version Not Supported"),
        (299, b"HTTP/1.1 299 "),
        (599, b"HTTP/1.1 599 "),
    ],
)
@pytest.mark.parametrize("version", [0, 1])
def test_the_status_line_has_our_version_and_a_phrase(status: int, line: bytes, version: int) -> None:
    first, _, _ = write(Response(status), version=version)[0].partition(b"\r\n")
    assert first.startswith(line)
    assert first.count(b" ") >= 2  # the space after the status is required even before an empty phrase


@pytest.mark.parametrize(
    ("version", "keep_alive", "connection"),
    [(1, True, None), (1, False, "close"), (0, True, "keep-alive"), (0, False, "close")],
)
@pytest.mark.parametrize("status", [200, 204, 304, 400])
def test_the_connection_field_matches_keep_alive(
    version: int, keep_alive: bool, connection: str | None, status: int
) -> None:
    for _ in range(2):  # the second time from the cache
        data, _ = write(Response(status), version=version, keep_alive=keep_alive)
        assert answer(data).headers.get("connection") == connection


def test_each_response_has_the_current_date() -> None:
    response = Response(200, b"hi")
    for date in (b"Date: one\r\n", b"Date: two\r\n", b"Date: one\r\n"):
        assert answer(write(response, date=date)[0]).headers["date"] == date[6:-2].decode()
    assert "date" not in answer(write(response, date=b"")[0]).headers


@pytest.mark.parametrize("date", [DATE, b""])
@pytest.mark.parametrize("content", [b"", TEXT, Pieces(b"a")])
def test_every_head_ends_with_one_empty_line(date: bytes, content: Content) -> None:
    for version in (0, 1):
        data, _ = write(Response(200, content), version=version, date=date)
        head, _, _ = data.partition(b"\r\n\r\n")
        assert head.count(b"Date: ") == bool(date)
        assert all(b": " in line for line in head.split(b"\r\n")[1:])


# Statuses and methods without content.


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("content", [b"", TEXT])
def test_a_bodiless_status_has_no_body_and_no_length(status: int, method: str, content: bytes) -> None:
    data, body = write(Response(status, content), method)
    assert body is None
    assert data.endswith(b"\r\n\r\n")
    assert data.count(b"\r\n\r\n") == 1
    assert not {"content-length", "transfer-encoding"} & answer(data, method).headers.keys()


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize("kind", ["file", "pieces", "live"])
def test_a_bodiless_status_closes_the_body_it_was_given(
    status: int, version: int, coding: str | None, kind: str
) -> None:
    file, pieces, live = OpenFile(), Pieces(b"hello"), LiveStream()
    contents: dict[str, Content] = {"file": FileSlice(file, 0, 5), "pieces": pieces, "live": live}
    closing: dict[str, OpenFile | Pieces | LiveStream] = {"file": file, "pieces": pieces, "live": live}
    response = Response(status, contents[kind], compress_min_size=0)
    data, body = write(response, version=version, coding=coding)
    assert body is None
    assert not {"content-length", "transfer-encoding"} & answer(data).headers.keys()
    assert closing[kind].closed


@pytest.mark.parametrize("status", [-1, 0, 20, 99, 100, 101, 199, 600, 1000])
def test_a_status_that_is_not_final_is_refused(status: int) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="status"):
            write(Response(status))


@pytest.mark.parametrize(("status", "is_interim"), [(99, False), (100, True), (199, True), (200, False)])
def test_only_an_interim_status_makes_an_interim_response(status: int, is_interim: bool) -> None:
    with nullcontext() if is_interim else pytest.raises(ValueError, match=f"interim status: {status}"):
        assert interim(status).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("size", [0, 300, 5000])
def test_head_has_the_same_head_as_get(coding: str | None, version: int, size: int) -> None:
    response = Response(200, TEXT * 10, (("Content-Type", "text/plain"),), 256)
    response.content = (TEXT * 10)[:size]
    got, _ = write(response, "GET", version, coding=coding)
    data, body = write(response, "HEAD", version, coding=coding)
    assert body is None
    assert data == got.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@pytest.mark.parametrize("version", [0, 1])
def test_head_closes_a_file(version: int) -> None:
    file = OpenFile()
    data, body = write(Response(200, FileSlice(file, 3, 12345)), "HEAD", version)
    assert (body, file.closed) == (None, True)
    assert answer(data, "HEAD").headers["content-length"] == "12345"


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize("min_size", [None, 0])
def test_head_closes_an_iterator(version: int, coding: str | None, min_size: int | None) -> None:
    pieces = Pieces(b"a")
    _, body = write(Response(200, pieces, compress_min_size=min_size), "HEAD", version, coding=coding)
    assert (body, pieces.closed) == (None, True)


def test_head_closes_a_live_stream() -> None:
    live = LiveStream()
    data, body = write(Response(200, live), "HEAD")
    assert (body, live.closed) == (None, True)
    assert answer(data, "HEAD").status == 200


# Files.


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_file_has_a_content_length_and_stays_open(version: int, coding: str | None) -> None:
    content = FileSlice(OpenFile(), 7, 100)
    data, body = write(Response(200, content, compress_min_size=0), version=version, coding=coding)
    assert body is content
    assert not content.file.closed  # type: ignore[attr-defined]
    assert data.endswith(b"Content-Length: 100\r\n\r\n")
    assert b"Content-Encoding" not in data


# Streams.


@pytest.mark.parametrize(
    "pieces", [(), (b"",), (b"a",), (b"a", b"", b"bc", b""), (b"x" * 300, b"\r\n0\r\n\r\n")]
)
def test_pieces_are_chunked_in_http_1_1(pieces: tuple[bytes, ...]) -> None:
    data, body = write(Response(200, Pieces(*pieces)))
    assert isinstance(body, ChunkSource)
    assert not body.live
    read = answer(whole(data, body))
    assert read.content == b"".join(pieces)
    assert read.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in read.headers


@pytest.mark.parametrize("pieces", [(), (b"",), (b"a", b"", b"bc")])
def test_pieces_end_with_the_connection_in_http_1_0(pieces: tuple[bytes, ...]) -> None:
    data, body = write(Response(200, Pieces(*pieces)), version=0, keep_alive=False)
    read = answer(whole(data, body), closed=True)
    assert (read.content, read.headers["connection"]) == (b"".join(pieces), "close")
    assert not {"content-length", "transfer-encoding"} & read.headers.keys()


@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize("version", [0, 1])
def test_closing_a_stream_closes_its_iterator(coding: str | None, version: int) -> None:
    for steps in (0, 1):
        pieces = Pieces(b"a", b"b")
        _, body = write(
            Response(200, pieces, compress_min_size=0), version=version, keep_alive=False, coding=coding
        )
        assert isinstance(body, ChunkSource)
        for _ in range(steps):
            next(body.chunks)
        assert not pieces.closed
        body.close()
        assert pieces.closed


def test_an_iterator_without_close_is_allowed() -> None:
    _, body = write(Response(200, [b"a"]))
    assert isinstance(body, ChunkSource)
    body.close()


def test_a_generator_is_closed_with_its_stream() -> None:
    ends = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            ends.append("closed")

    _, body = write(Response(200, pieces()))
    assert isinstance(body, ChunkSource)
    next(body.chunks)
    body.close()
    assert ends == ["closed"]


# What a serializer caches.


def test_the_fields_of_equal_responses_are_checked_once_by_each_serializer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = count_calls(monkeypatch, "check_header")
    for serializer in (Serializer(), Serializer()):
        before = len(checked)
        for _ in range(3):
            assert b"\r\nA: b\r\n" in write(Response(200, b"", (("A", "b"),)), serializer=serializer)[0]
        assert len(checked) == before + 1


def test_the_fields_of_a_bounded_number_of_responses_are_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = count_calls(monkeypatch, "check_header")
    serializer = Serializer()
    for _ in range(2):
        for number in range(3000):
            write(Response(200, b"", (("A", str(number)),)), serializer=serializer)
    assert len(checked) == 6000


def test_cached_bytes_are_compressed_at_most_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = count_calls(monkeypatch, "gzip_bytes")
    response = Response(200, TEXT, compress_min_size=0)
    expected = write(response, coding="gzip")
    for serializer in (Serializer(), Serializer()):
        compressed.clear()
        for _ in range(5):
            assert write(response, coding="gzip", serializer=serializer) == expected
        assert compressed == [TEXT, TEXT]  # cached when it is sent for the second time


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """Record the calls of a function in the serializer's module, by their first argument."""
    function = getattr(serializer_module, name)
    calls: list[object] = []

    def noting(*args: object) -> object:
        calls.append(args[0])
        return function(*args)

    monkeypatch.setattr(serializer_module, name, noting)
    return calls


# Live streams of a known length.


def stream_of(length: int, *blocks: bytes) -> LiveStream:
    stream = LiveStream(length=length)
    for block in blocks:
        stream.send(block)
    stream.close()
    return stream


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("length", "blocks", "sent"),
    [(0, (), b""), (6, (b"abc", b"def"), b"abcdef"), (4, (b"abc", b"def"), b"abcd"), (0, (b"abc",), b"")],
)
def test_a_stream_of_a_known_length_has_a_content_length(
    length: int, blocks: tuple[bytes, ...], sent: bytes, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    response = Response(200, stream_of(length, *blocks))
    assert has_length(response)
    data, body = write(response, version=version)
    read = answer(whole(data, body))
    assert (read.content, read.headers["content-length"]) == (sent, str(length))
    assert "transfer-encoding" not in read.headers
    assert ("is longer than its Content-Length" in caplog.text) == (len(b"".join(blocks)) > length)


def test_a_stream_that_is_too_short_fails() -> None:
    _, body = write(Response(200, stream_of(5, b"abc")))
    assert isinstance(body, ChunkSource)
    assert next(body.chunks) == b"abc"
    with pytest.raises(OSError, match="ended 2 bytes before its Content-Length of 5 bytes"):
        next(body.chunks)


def test_no_data_yet_is_not_the_end_of_a_stream_of_a_known_length() -> None:
    stream = LiveStream(length=3)
    _, body = write(Response(200, stream))
    assert isinstance(body, ChunkSource)
    assert next(body.chunks) == b""
    stream.send(b"abc")
    assert next(body.chunks) == b"abc"
