"""Default headers: valid ones, and those that belong to a single response."""

import pytest

from reactor.http11.default_headers import encode_headers, parse_header


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("X-A: 1", ("X-A", "1")),
        ("X-A:1", ("X-A", "1")),
        ("X-A: \t 1 \t", ("X-A", "1")),
        ("X-A:", ("X-A", "")),
        ("Referrer-Policy: no-referrer", ("Referrer-Policy", "no-referrer")),
        ("Link: <https://x.test/>; rel=me", ("Link", "<https://x.test/>; rel=me")),
        ("Content-Security-Policy: default-src 'self'", ("Content-Security-Policy", "default-src 'self'")),
        ("X-A: caf\xe9", ("X-A", "caf\xe9")),
    ],
)
def test_a_field_is_parsed_and_serialized(text: str, field: tuple[str, str]) -> None:
    assert parse_header(text) == field
    assert encode_headers((field,)) == f"{field[0]}: {field[1]}\r\n".encode("latin-1")


REFUSED = [
    ("", "invalid header"),
    ("X-A", "invalid header"),
    (": 1", "invalid header"),
    ("X A: 1", "invalid header"),
    (" X-A: 1", "invalid header"),
    ("X-A : 1", "invalid header"),
    ("X-\xe9: 1", "invalid header"),
    ("X-A: 1\r\nX-B: 2", "invalid header"),
    ("X-A: 1\r\n\r\n<p>", "invalid header"),
    ("X-A\r\nX-B: 2", "invalid header"),
    ("X-A: 1\n", "invalid header"),
    ("X-A: 1\r", "invalid header"),
    ("X-A: \0", "invalid header"),
    ("X-A: \x1b[2J", "invalid header"),
    ("X-A: \x7f", "invalid header"),
    ("X-A: \u20ac", "ISO 8859-1"),
    ("X-A: \u010a", "ISO 8859-1"),  # its low byte is LF
    ("X-A: \udc80", "ISO 8859-1"),
    ("\u20ac: 1", "ISO 8859-1"),
    ("Date: today", "set by the server"),
    ("content-length: 1", "set by the server"),
    ("Transfer-Encoding: chunked", "set by the server"),
    ("Connection: close", "set by the server"),
    ("Keep-Alive: timeout=5", "the connection"),
    ("Upgrade: h2c", "the connection"),
    ("Trailer: X-A", "the connection"),
]
SINGLE = [
    "Content-Type",
    "ETag",
    "Last-Modified",
    "Content-Encoding",
    "Content-Range",
    "Accept-Patch",
    "Accept-Ranges",
    "Location",
    "Vary",
    "WWW-Authenticate",
    "Allow",
    "Upload-Complete",
    "Upload-Length",
    "Upload-Limit",
    "Upload-Offset",
    "content-TYPE",
]


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=lambda text: ascii(text))
def test_an_invalid_default_header_is_a_one_line_error(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        parse_header(text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", SINGLE)
def test_a_field_of_a_single_response_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=f"{name} cannot be added to every response: it belongs to a single response"
    ):
        parse_header(f"{name}: x")
    with pytest.raises(
        ValueError, match=f"{name} cannot be added to every response: it belongs to a single response"
    ):
        encode_headers((("X-A", "1"), (name, "x")))


def test_fields_keep_their_order_and_may_be_repeated() -> None:
    assert encode_headers((("B", "1"), ("A", "2"), ("B", "3"))) == b"B: 1\r\nA: 2\r\nB: 3\r\n"
    assert encode_headers(()) == b""
