"""start_response: what it accepts, drops and refuses."""

import sys
from typing import Any

import pytest

from reactor.wsgi.start_response import StartResponse


def start(status: Any = "200 OK", headers: Any = (), reported: set[str] | None = None) -> StartResponse:
    made = StartResponse(lambda data: None, set() if reported is None else reported)
    made(status, list(headers) if isinstance(headers, tuple) else headers)
    return made


@pytest.mark.parametrize(
    ("status", "headers", "error", "message"),
    [
        (200, (), TypeError, "invalid status: 200 (expected a string, such as '200 OK')"),
        (b"200 OK", (), TypeError, "invalid status: b'200 OK'"),
        ("OK", (), ValueError, "invalid status: 'OK' (expected 200 to 599"),
        ("100 Continue", (), ValueError, "invalid status: '100 Continue'"),
        ("600 X", (), ValueError, "invalid status: '600 X'"),
        ("200OK", (), ValueError, "invalid status: '200OK'"),
        ("200 OK\r\nX: y", (), ValueError, "invalid status: "),
        ("200 \u20ac", (), ValueError, "invalid status: "),
        (
            "200 OK",
            {"A": "b"},
            TypeError,
            "invalid headers: {'A': 'b'} (expected a list of (name, value) tuples)",
        ),
        ("200 OK", None, TypeError, "invalid headers: None"),
        ("200 OK", ("A: b",), TypeError, "invalid header: 'A: b' (expected a tuple of two strings)"),
        ("200 OK", (("A", 1),), TypeError, "invalid header: ('A', 1)"),
        ("200 OK", ((b"A", b"b"),), TypeError, "invalid header: (b'A', b'b')"),
        ("200 OK", (("A", "b\r\nX: y"),), ValueError, "invalid header 'A'"),
        ("200 OK", (("A B", "c"),), ValueError, "invalid header 'A B'"),
        ("200 OK", (("A", "\u20ac"),), ValueError, "can't encode"),
        ("200 OK", (("Content-Length", "-1"),), ValueError, "invalid Content-Length: '-1' (expected digits)"),
        ("200 OK", (("Content-Length", "9" * 19),), ValueError, "invalid Content-Length: "),
        (
            "200 OK",
            (("Content-Length", "1"), ("content-length", "2")),
            ValueError,
            "two values of Content-Length",
        ),
    ],
)
def test_invalid_arguments_are_refused(
    status: Any, headers: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        start(status, headers)
    assert message in str(raised.value)


def test_valid_arguments_are_kept() -> None:
    headers = (("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Server", "S\xe9"), ("Content-Length", "07"))
    made = start("404 Nothing h\xe9re", headers)
    assert (made.status, made.headers, made.length) == (404, headers[:3], 7)
    assert start("204", ()).status == 204


def test_headers_of_the_connection_are_dropped_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    reported: set[str] = set()
    names = (
        "Connection",
        "keep-alive",
        "Transfer-Encoding",
        "Upgrade",
        "TE",
        "Trailer",
        "Proxy-Authenticate",
    )
    for _ in range(2):
        made = start(headers=(*((name, "x") for name in names), ("Date", "x"), ("X", "y")), reported=reported)
        assert made.headers == (("X", "y"),)
    assert len(caplog.records) == len(names)
    assert "dropped the header connection of the application: it belongs to the connection" in caplog.text


def test_a_second_call_needs_exc_info() -> None:
    made = start("200 OK", (("A", "1"),))
    with pytest.raises(RuntimeError, match="called again without exc_info"):
        made("500 Error", [])
    assert made.status == 200


def test_exc_info_replaces_the_headers_until_they_are_sent() -> None:
    made = start("200 OK", (("Content-Length", "1"),))
    try:
        raise KeyError("reason")
    except KeyError:
        made("500 Error", [("B", "2")], sys.exc_info())
        assert (made.status, made.headers, made.length) == (500, (("B", "2"),), None)
        made.sent = True
        with pytest.raises(KeyError, match="reason"):
            made("502 Error", [], sys.exc_info())
    assert made.status == 500
