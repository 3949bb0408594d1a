"""Invalid input: the chunked coding; each case with a similar valid one."""

import pytest

from tests.support.malformed import (
    LINE_ENDS_IN_EXTENSIONS,
    MALFORMED_CHUNK_SIZES,
    MALFORMED_CHUNKS,
    MALFORMED_EXTENSIONS,
    MALFORMED_TRAILERS,
    values,
)
from tests.unit.http11.deliver import (
    assert_accepted,
    assert_refused,
    cases,
    chunked_post,
    deliver,
    single_bytes,
)

DATA = b"\r\nhello\r\n0\r\n\r\n"
BODIES = {
    **{f"size-{name}": size + DATA for name, size in values(MALFORMED_CHUNK_SIZES).items()},
    **{
        f"extension-{name}": b"5;" + extension + DATA
        for name, extension in values(MALFORMED_EXTENSIONS).items()
    },
    **values(MALFORMED_CHUNKS),
    **{
        f"trailer-{name}": b"\r\n".join([b"0", *lines, b"", b""])
        for name, (_, lines) in MALFORMED_TRAILERS.items()
    },
    "last chunk with size -0": b"-0\r\n\r\n",
    "superscript digit as size": b"\xb2\r\nhe\r\n0\r\n\r\n",
    "NUL": b"5\0\r\nhello\r\n0\r\n\r\n",
    "CR": b"5\r\r\nhello\r\n0\r\n\r\n",
    "bare CR": b"5\rhello\r\n0\r\n\r\n",
    "bare LF": b"5\nhello\r\n0\r\n\r\n",
    **values(LINE_ENDS_IN_EXTENSIONS),
    "extension with a control": b"5;a=\x01\r\nhello\r\n0\r\n\r\n",
    "extension with NUL": b"5;a\0\r\nhello\r\n0\r\n\r\n",
    "data and bare LF": b"5\r\nhello\n0\r\n\r\n",
    "data and bare CR": b"5\r\nhello\r0\r\n\r\n",
    "data and LF CR": b"5\r\nhello\n\r0\r\n\r\n",
    "data and two CRs": b"5\r\nhello\r\r\n0\r\n\r\n",
    "last chunk and bare LF": b"0\n\r\n",
    "trailers and bare LF": b"0\r\n\n",
    "trailer with a control": b"0\r\nA: \x01\r\n\r\n",
    "trailer with NUL": b"0\r\nA: b\0\r\n\r\n",
    "trailer with a bare CR": b"0\r\nA: b\rc\r\n\r\n",
    "trailer with a bare LF": b"0\r\nA: b\nc: d\r\n\r\n",
    "next request as a trailer": b"0\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
}
CHUNKS = {
    "plain": b"5\r\nhello\r\n0\r\n\r\n",
    "leading zero": b"05\r\nhello\r\n0\r\n\r\n",
    "16 digits": b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n",
    "one byte per chunk": b"1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n",
    "name": b"5;a\r\nhello\r\n0;b\r\n\r\n",
    "name and value": b"5;a=b\r\nhello\r\n0;c=d\r\n\r\n",
    "white space": b"5 ; a = b\t;\tc\r\nhello\r\n0\r\n\r\n",
    "quoted value": b'5;a="b; \\" c\xe9"\r\nhello\r\n0\r\n\r\n',
    "empty quotes": b'5;a=""\r\nhello\r\n0\r\n\r\n',
    "many": b"5" + b";a=b" * 100 + b"\r\nhello\r\n0\r\n\r\n",
    "trailers": b"5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n",
    "untrusted trailers": b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: y\r\n\r\n",
}


@pytest.mark.parametrize("body", cases(BODIES))
def test_a_malformed_chunk_is_refused(body: bytes) -> None:
    assert_refused(400, chunked_post(body))


@pytest.mark.parametrize("body", cases(CHUNKS))
def test_a_well_formed_chunk_is_accepted(body: bytes) -> None:
    seen = assert_accepted(chunked_post(body))
    assert seen.content == b"hello"
    assert seen.lines == (("Host", "x"), ("Transfer-Encoding", "chunked"))


def test_chunk_sizes_are_hexadecimal_in_any_case() -> None:
    data = bytes(range(256))
    for size in (b"aF", b"Af", b"AF", b"af"):
        seen = assert_accepted(chunked_post(size + b"\r\n" + data[:0xAF] + b"\r\n0\r\n\r\n"))
        assert seen.content == data[:0xAF]


def test_body_before_a_malformed_chunk_is_incomplete() -> None:
    data = chunked_post(b"5\r\nhello\r\nx\r\n")
    for pieces in ([data], single_bytes(data)):
        outcome = deliver(pieces)
        assert outcome.status == 400
        assert outcome.requests[0].phase_after_content is None


@pytest.mark.parametrize("last", [b"\n", b"5\n", b"5\r\nhellox", b"5\r\nhello\n", b"0\r\n\n"])
def test_a_malformed_byte_is_refused_when_it_arrives(last: bytes) -> None:
    assert deliver([*single_bytes(chunked_post(b"5\r\nhello\r\n" + last))]).status == 400
