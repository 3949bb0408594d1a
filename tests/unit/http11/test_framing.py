"""Invalid input: Content-Length and Transfer-Encoding; each case with a similar valid one."""

import pytest

from tests.support.malformed import MALFORMED_CODINGS, MALFORMED_LENGTHS, UNKNOWN_CODINGS, values
from tests.unit.http11.deliver import (
    assert_accepted,
    assert_refused,
    cases,
    deliver_both,
    get,
    post,
)

CODINGS_WITH_CONTROLS = {
    "vertical tab": b"\x0bchunked",
    "form feed": b"chunked\x0c",
    "NUL": b"chunked\0",
    "CR": b"\rchunked",
    "LF": b"\nchunked",
    "control": b"chunk\x01ed",
}


@pytest.mark.parametrize("length", cases(values(MALFORMED_LENGTHS)))
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_a_malformed_content_length_is_refused(length: bytes, version: bytes) -> None:
    assert_refused(400, post(b"Content-Length: " + length, content=b"hello", version=version))


@pytest.mark.parametrize("other", [b"5", b"6", b"0", b"", b"05", b"x"])
@pytest.mark.parametrize("name", [b"Content-Length", b"content-length", b"CONTENT-LENGTH"])
def test_a_repeated_content_length_is_refused(other: bytes, name: bytes) -> None:
    assert_refused(400, post(b"Content-Length: 5", name + b": " + other, content=b"hello"))
    assert_refused(400, post(name + b": " + other, b"A: b", b"Content-Length: 5", content=b"hello"))


@pytest.mark.parametrize(
    "length", [b"5", b"05", b" \t5\t ", b"0000000000000000000000005", b"0" * 5000 + b"5"]
)
def test_a_content_length_is_decimal_digits(length: bytes) -> None:
    assert assert_accepted(post(b"Content-Length: " + length, content=b"hello")).content == b"hello"


@pytest.mark.parametrize(
    "length", [b"1" + b"0" * 17, b"9" * 18, b"9" * 19, b"18446744073709551621", b"9" * 8000]
)
def test_a_huge_content_length_does_not_overflow(length: bytes) -> None:
    outcome = deliver_both(post(b"Content-Length: " + length, content=b"hello"))
    assert outcome.requests[0].length >= 10**17
    assert outcome.requests[0].phase_after_content is None


def test_a_content_length_of_zero_is_an_empty_body() -> None:
    assert deliver_both(post(b"Content-Length: 0") + get(target=b"/next")).targets == [
        "/",
        "/next",
    ]


@pytest.mark.parametrize("coding", cases(values(MALFORMED_CODINGS) | CODINGS_WITH_CONTROLS))
def test_an_invalid_transfer_encoding_is_refused(coding: bytes) -> None:
    assert_refused(400, post(b"Transfer-Encoding: " + coding, content=b"0\r\n\r\n"))


@pytest.mark.parametrize("coding", cases(values(UNKNOWN_CODINGS)))
def test_an_unknown_transfer_coding_is_not_implemented(coding: bytes) -> None:
    assert_refused(501, post(b"Transfer-Encoding: " + coding, content=b"0\r\n\r\n"))


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"CHUNKED", b" \tchunked \t"])
def test_chunked_is_accepted_in_any_case(coding: bytes) -> None:
    for colon in (b":", b": "):
        data = post(b"transfer-ENCODING" + colon + coding, content=b"1\r\na\r\n0\r\n\r\n")
        assert assert_accepted(data).content == b"a"


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (b"chunked", b"chunked", 400),
        (b"chunked", b"identity", 400),
        (b"chunked", b"", 400),
        (b"", b"chunked", 400),
        (b"gzip", b"chunked", 501),
        (b"identity", b"chunked", 501),
    ],
)
def test_a_repeated_transfer_encoding_is_refused(first: bytes, second: bytes, status: int) -> None:
    lines = (b"Transfer-Encoding: " + first, b"A: b", b"transfer-encoding: " + second)
    assert_refused(status, post(*lines, content=b"0\r\n\r\n"))


@pytest.mark.parametrize("length", [b"0", b"5", b"", b"x", b"5, 5"])
def test_content_length_together_with_transfer_encoding_is_refused(length: bytes) -> None:
    lines = b"Transfer-Encoding: chunked", b"Content-Length: " + length
    assert_refused(400, post(*lines, content=b"0\r\n\r\n"))
    assert_refused(400, post(*reversed(lines), content=b"0\r\n\r\n"))
    assert_refused(400, post(b"Transfer-Encoding: gzip", b"Content-Length: 5", content=b"hello"))


@pytest.mark.parametrize("coding", [b"chunked", b"gzip", b"identity", b"", b"gzip, chunked"])
def test_transfer_encoding_in_http_1_0_is_refused(coding: bytes) -> None:
    data = post(b"Transfer-Encoding: " + coding, content=b"0\r\n\r\n", version=b"HTTP/1.0")
    assert_refused(400, data)


@pytest.mark.parametrize(
    "lines",
    [
        (b"Transfer-Encoding : chunked",),
        (b"Transfer-Encoding\t: chunked",),
        (b"Transfer-Encoding\0: chunked",),
        (b"Transfer-Encoding\x0b: chunked",),
        (b" Transfer-Encoding: chunked",),
        (b"Transfer-Encoding:", b" chunked"),
        (b"A: b", b" Transfer-Encoding: chunked"),
        (b"A: b\rTransfer-Encoding: chunked",),
        (b"A: b\nTransfer-Encoding: chunked",),
        (b"Transfer-Encoding chunked",),
        (b"Transfer-Encoding: chun", b"\tked"),
        (b"Content-Length : 5",),
        (b"Content-Length: 5", b" 5"),
        (b"Content Length: 5",),
    ],
)
def test_disguised_framing_is_refused(lines: tuple[bytes, ...]) -> None:
    assert_refused(400, post(*lines, content=b"0\r\n\r\n"))


@pytest.mark.parametrize(
    "line", [b"Transfer_Encoding: chunked", b"Content_Length: 5", b"X-Content-Length: 5"]
)
def test_similar_field_names_do_not_affect_framing(line: bytes) -> None:
    assert assert_accepted(post(line)).length == 0
