"""``HTTPError`` and ``ProtocolError``: an error response's status, reason and headers."""

import pytest

import reactor
from reactor.http11.errors import HTTPError, MissingFieldError, ProtocolError, content_too_large
from reactor.http11.head import HeadReader
from reactor.http11.header_pairs import HeaderSource
from reactor.http11.parser import Parser
from reactor.settings import Settings

BOTH = [HTTPError, ProtocolError]


@pytest.mark.parametrize("error_type", BOTH)
@pytest.mark.parametrize("status", [400, 404, 418, 499, 500, 599])
def test_an_error_has_a_status_and_a_reason(error_type: type[HTTPError], status: int) -> None:
    error = error_type(status, "why")
    assert (error.status, error.reason) == (status, "why")


@pytest.mark.parametrize("error_type", BOTH)
@pytest.mark.parametrize("status", [-1, 0, 99, 100, 200, 204, 302, 304, 399, 600, 1000, "404", None])
def test_a_status_other_than_4xx_or_5xx_is_a_value_error(error_type: type[HTTPError], status: int) -> None:
    with pytest.raises(ValueError, match="status"):
        error_type(status, "why")


@pytest.mark.parametrize("error_type", BOTH)
def test_an_error_may_have_headers(error_type: type[HTTPError]) -> None:
    assert error_type(404, "why").headers == ()
    assert error_type(405, "why", (("Allow", "GET"),)).headers == (("Allow", "GET"),)


def test_protocol_error_is_an_exported_http_error() -> None:
    assert issubclass(ProtocolError, HTTPError)
    assert reactor.HTTPError is HTTPError


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"SSH-2.0@x / HTTP/1.1", "malformed method: 'SSH-2.0@x'"),
        (b"GET / HTTP/2.0", "unsupported HTTP version: 'HTTP/2.0' (supported: HTTP/1.0, HTTP/1.1)"),
        (b"GET / HTTP/1.1\r\nHost: a b", "malformed host: 'a b'"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: \xe9", r"unsupported Expect: '\xe9' (expected 100-continue)"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"-" * 41,
            f"malformed Content-Length: '{'-' * 40}'... (expected digits)",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip",
            "unsupported Transfer-Encoding: 'gzip' (expected chunked)",
        ),
    ],
)
def test_a_refusal_shows_the_value_of_the_client_in_ascii_and_shortened(head: bytes, reason: str) -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(head + b"\r\n\r\n")
    with pytest.raises(ProtocolError) as refused:
        parser.next_request()
    assert refused.value.reason == reason


@pytest.mark.parametrize(("limit", "size"), [(1 << 30, "1 GiB"), (3 << 10, "3 KiB"), (1025, "1025 bytes")])
def test_a_limit_is_written_with_its_unit(limit: int, size: str) -> None:
    assert content_too_large(limit).reason == f"request body exceeds {size}"


@pytest.mark.parametrize(
    "headers", [{"A": "1", "B": "2"}, [("A", "1"), ("B", "2")], (("A", "1"), ("B", "2"))]
)
def test_an_error_takes_headers_as_a_response_does(headers: HeaderSource) -> None:
    assert HTTPError(404, "gone", headers).headers == (("A", "1"), ("B", "2"))


def test_the_text_of_an_error_is_its_reason() -> None:
    assert str(HTTPError(404, "no such item")) == "no such item"
    assert str(MissingFieldError("field", "q")) == "missing field: 'q'"
