"""Headers: an ordered, immutable, case-insensitive mapping; and the bytes that are valid in a header."""

import string
from collections.abc import Callable

import pytest

from reactor.http11.errors import ProtocolError
from reactor.http11.headers import Headers, read_header_line
from tests.unit.http11.deliver import deliver, get, single_bytes

HEADERS = Headers(
    [
        ("host", "x", "Host"),
        ("accept", "a", "Accept"),
        ("x-empty", "", "X-Empty"),
        ("accept", "b, c", "ACCEPT"),
        ("accept", "", "accept"),
    ]
)


@pytest.mark.parametrize("name", ["Accept", "accept", "ACCEPT", "aCCept"])
def test_lookup_ignores_case(name: str) -> None:
    assert HEADERS[name] == HEADERS.get(name) == "a, b, c, "
    assert name in HEADERS
    assert HEADERS.get_all(name) == ["a", "b, c", ""]


def test_a_missing_field_is_not_found() -> None:
    assert "cookie" not in HEADERS
    assert HEADERS.get("cookie") is None
    assert HEADERS.get("cookie", "none") == "none"
    assert HEADERS.get_all("cookie") == []
    with pytest.raises(KeyError):
        HEADERS["cookie"]


def test_an_empty_field_is_present() -> None:
    assert "x-empty" in HEADERS
    assert HEADERS["X-Empty"] == HEADERS.get("X-Empty", "none") == ""


def test_lines_keep_their_case_and_order() -> None:
    assert HEADERS.lines == [
        ("Host", "x"),
        ("Accept", "a"),
        ("X-Empty", ""),
        ("ACCEPT", "b, c"),
        ("accept", ""),
    ]


def test_headers_are_a_mapping_of_names_in_lower_case() -> None:
    assert list(HEADERS) == ["host", "accept", "x-empty"]
    assert len(HEADERS) == 3
    assert dict(HEADERS) == {"host": "x", "accept": "a, b, c, ", "x-empty": ""}
    assert list(HEADERS.items()) == list(dict(HEADERS).items())
    assert Headers() == {}
    assert not Headers()


def test_replacing_makes_a_copy_and_leaves_the_original() -> None:
    before = HEADERS.lines
    copy = HEADERS.replacing("ACCEPT", "z")
    assert copy.lines == [("ACCEPT", "z"), ("Host", "x"), ("X-Empty", "")]
    assert copy["accept"] == "z"
    assert HEADERS.lines == before
    assert Headers().replacing("Host", "x").lines == [("Host", "x")]


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: headers.__setitem__("host", "y"),
        lambda headers: headers.__delitem__("host"),
        lambda headers: headers.update({"host": "y"}),
        lambda headers: headers.pop("host"),
        lambda headers: headers.clear(),
        lambda headers: headers.setdefault("cookie", "y"),
        lambda headers: setattr(headers, "lines", []),
        lambda headers: setattr(headers, "host", "y"),
    ],
)
def test_headers_cannot_be_changed(change: Callable[[Headers], object]) -> None:
    headers = Headers([("host", "x", "Host")])
    with pytest.raises((AttributeError, TypeError)):
        change(headers)
    assert headers.lines == [("Host", "x")]


def test_changing_a_returned_list_does_not_change_headers() -> None:
    lines = [("host", "x", "Host")]
    headers = Headers(lines)
    lines.append(("cookie", "y", "Cookie"))
    headers.lines.clear()
    headers.get_all("host").clear()
    dict(headers).clear()
    assert headers.lines == [("Host", "x")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b" A: b", "obsolete line folding in a header"),
        (b"\tA: b", "obsolete line folding in a header"),
        (b"A b", "header without a colon"),
        (b"", "header without a colon"),
        (b"A : b", "whitespace before the colon of a header"),
        (b"A\t: b", "whitespace before the colon of a header"),
        (b": b", "malformed header name"),
        (b"A B: c", "malformed header name"),
        (b"A: \0", "control character in a header value"),
        (b"A: b\rc", "control character in a header value"),
    ],
)
def test_the_error_describes_the_field_line(line: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_header_line(line)
    assert (caught.value.status, caught.value.reason) == (400, reason)


ALPHANUMERIC = frozenset((string.ascii_letters + string.digits).encode())
TCHAR = ALPHANUMERIC | frozenset(b"!#$%&'*+-.^_`|~")
UNRESERVED = ALPHANUMERIC | frozenset(b"-._~")
SUB_DELIMS = frozenset(b"!$&'()*+,;=")
PCHAR = UNRESERVED | SUB_DELIMS | frozenset(b":@")
PATH_BYTES = PCHAR | frozenset(b"/[]|^")  # as browsers send them
VCHAR = frozenset(range(0x21, 0x7F))
OBS_TEXT = frozenset(range(0x80, 0x100))


@pytest.mark.parametrize(
    ("before", "following", "legal"),
    [
        pytest.param(b"G", b"T / HTTP/1.1\r\nHost: x\r\n\r\n", TCHAR, id="method"),
        pytest.param(b"GET /a", b"b HTTP/1.1\r\nHost: x\r\n\r\n", PATH_BYTES | frozenset(b"?"), id="path"),
        pytest.param(
            b"GET /?a", b"b HTTP/1.1\r\nHost: x\r\n\r\n", PATH_BYTES | frozenset(b"?{}\\`"), id="query"
        ),
        pytest.param(b"GET / HTTP/1.", b"\r\nHost: x\r\n\r\n", frozenset(b"0123456789"), id="version"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a", b"b\r\n\r\n", (UNRESERVED | SUB_DELIMS) - {44}, id="host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a:1", b"\r\n\r\n", frozenset(b"0123456789 \t"), id="port"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA", b"B: c\r\n\r\n", TCHAR | {58}, id="field name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n", b": c\r\n\r\n", TCHAR, id="field name alone"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nA: b", b"c\r\n\r\n", VCHAR | OBS_TEXT | {9, 32}, id="field value"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0",
            b"\r\n\r\n",
            frozenset(b"0 \t"),
            id="length",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0",
            b"\r\n\r\n",
            frozenset(b"0"),
            id="chunk size",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;a",
            b"b\r\n\r\n",
            TCHAR | frozenset(b"=;"),
            id="chunk extension",
        ),
    ],
)
def test_every_byte_is_accepted_exactly_where_the_grammar_allows(
    before: bytes, following: bytes, legal: frozenset[int]
) -> None:
    for cut in (lambda data: [data], single_bytes):
        accepted = set()
        for byte in range(256):
            outcome = deliver(cut(before + bytes([byte]) + following))
            if outcome.status is None and outcome.requests and outcome.requests[0].phase_after_content:
                accepted.add(byte)
        assert sorted(accepted) == sorted(legal)


def test_an_unknown_field_is_kept_unchanged() -> None:
    (seen,) = deliver([get(b"X-Whatever: 1, 2;q=3")]).requests
    assert seen.lines[-1] == ("X-Whatever", "1, 2;q=3")
