"""The serializer: valid response headers, and compression."""

import gzip

import pytest

from reactor.http11.message import LiveStream, Response
from reactor.http11.serializer import ChunkSource
from tests.unit.http11.written import SHARE, TEXT, Pieces, answer, whole, write


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\0b"),
        ("X", "a\x7f"),
        ("X", "\r\n"),
        ("X", "a\n"),
        ("X", "\u20ac"),
        ("X", "a\u010ab"),  # its low byte is LF
        ("X\r\nY", "a"),
        ("X\n", "a"),
        ("X ", "a"),
        (" X", "a"),
        ("X Y", "a"),
        ("", "a"),
        ("X\0", "a"),
        ("X:", "a"),
        ("X: a\t", "b"),
        ("Connection:close,", "a"),
        ("\xc9", "a"),
        ("\u20ac", "a"),
        ("Content-Length", "5"),
        ("content-length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("TRANSFER-ENCODING", "chunked"),
        ("Connection", "close"),
        ("Date", "today"),
    ],
)
def test_a_field_that_breaks_the_head_or_its_framing_is_refused(name: str, value: str) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=r"."):
            write(Response(200, b"hi", (("A", "b"), (name, value))))


@pytest.mark.parametrize(
    ("name", "value"), [("X", ""), ("X", "a: b"), ("X", "caf\xe9"), ("!#$%&'*+-.^_`|~0", "a\tb")]
)
def test_any_other_field_is_written_unchanged(name: str, value: str) -> None:
    assert f"\r\n{name}: {value}\r\n".encode("latin-1") in write(Response(200, b"", ((name, value),)))[0]


def test_repeated_fields_keep_their_order() -> None:
    data, _ = write(Response(200, b"", (("Set-Cookie", "b"), ("X", "1"), ("Set-Cookie", "a"))))
    assert b"Set-Cookie: b\r\nX: 1\r\nSet-Cookie: a\r\n" in data


# Compression.


@pytest.mark.parametrize("coding", ["gzip", "x-gzip"])
def test_compressed_bytes_have_content_encoding_and_length(coding: str) -> None:
    data, body = write(Response(200, TEXT, compress_min_size=256), coding=coding)
    read = answer(whole(data, body))
    assert gzip.decompress(read.content) == TEXT
    assert read.headers["content-encoding"] == coding
    assert read.headers["vary"] == "Accept-Encoding"
    assert read.headers["content-length"] == str(len(read.content))
    assert len(read.content) < len(TEXT)


@pytest.mark.parametrize(("length", "compressed"), [(255, False), (256, True), (257, True)])
def test_bytes_are_compressed_from_the_minimum_size_on(length: int, compressed: bool) -> None:
    data, _ = write(Response(200, TEXT[:length], compress_min_size=256), coding="gzip")
    read = answer(data)
    assert ("content-encoding" in read.headers) == compressed
    assert read.headers["vary"] == "Accept-Encoding"
    assert (gzip.decompress(read.content) if compressed else read.content) == TEXT[:length]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_bytes_of_any_length_are_compressed_with_minimum_zero(length: int) -> None:
    read = answer(write(Response(200, TEXT[:length], compress_min_size=0), coding="gzip")[0])
    assert read.headers["content-encoding"] == "gzip"
    assert gzip.decompress(read.content) == TEXT[:length]


def test_vary_is_sent_only_with_negotiated_content() -> None:
    assert answer(write(Response(200, TEXT, compress_min_size=0))[0]).headers["vary"] == "Accept-Encoding"
    assert answer(write(Response(304, compress_min_size=0))[0]).headers["vary"] == "Accept-Encoding"
    for coding in (None, "gzip"):
        headers = answer(write(Response(200, TEXT), coding=coding)[0]).headers
        assert not {"vary", "content-encoding"} & headers.keys()


@pytest.mark.parametrize("length", [SHARE, SHARE + 1, 10 * SHARE])
@pytest.mark.parametrize("version", [0, 1])
def test_bytes_longer_than_a_share_are_compressed(length: int, version: int) -> None:
    content = (TEXT * 20)[:length]
    keep_alive = version == 1
    data, body = write(
        Response(200, content, compress_min_size=256), version=version, keep_alive=keep_alive, coding="gzip"
    )
    read = answer(whole(data, body), closed=not keep_alive)
    assert gzip.decompress(read.content) == content
    assert read.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("version", [0, 1])
def test_pieces_are_compressed_one_by_one(version: int) -> None:
    pieces = TEXT, b"", TEXT[:7]
    data, body = write(
        Response(200, Pieces(*pieces), compress_min_size=256),
        version=version,
        keep_alive=False,
        coding="gzip",
    )
    read = answer(whole(data, body), closed=True)
    assert gzip.decompress(read.content) == b"".join(pieces)
    assert (read.headers["content-encoding"], read.headers["vary"]) == ("gzip", "Accept-Encoding")


def test_compression_does_not_delay_a_live_stream() -> None:
    live = LiveStream()
    data, body = write(Response(200, live, compress_min_size=0), coding="gzip")
    assert isinstance(body, ChunkSource)
    live.send(b"now")
    assert next(body.chunks) == b"3\r\nnow\r\n"
    assert b"Content-Encoding" not in data
