"""Cross-origin requests: parsing of origins, CORS headers, and detection of other origins."""

import pytest

from reactor.http11.cors import cors_headers, is_cross_origin, preflight_headers, read_origin
from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request
from reactor.http11.target import Target


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("null", "null"),
        ("https://example.com", "https://example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("HTTPS://Example.COM", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:8080", "http://example.com:8080"),
        ("http://example.com:443", "http://example.com:443"),
        ("moz-extension://0e5a-77", "moz-extension://0e5a-77"),
    ],
)
def test_an_origin_is_normalized_like_in_a_browser(text: str, origin: str) -> None:
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "https://",
        "https:///",
        "https://example.com/",
        "https://example.com/path",
        "https://example.com?q",
        "https://example.com#f",
        "https://user@example.com",
        "https://example.com:",
        "https://example.com:http",
        "https://a.test, https://b.test",
        "https://a.test https://b.test",
        "https://a.test\r\nX-B: 2",
        "https://a.test\n",
        "null\n",
        "**",
        "https://*.test",
        "https://\xe9.test",
        "https://\u0661.test",
        "https://a.test\0",
    ],
    ids=ascii,
)
def test_an_invalid_origin_is_a_one_line_error(text: str) -> None:
    with pytest.raises(ValueError, match="invalid origin") as refused:
        read_origin(text)
    assert str(refused.value).isprintable() or "\xe9" in text


@pytest.mark.parametrize(
    ("origin", "credentials", "sent"),
    [
        ("*", False, False),
        ("*", True, False),
        ("null", True, False),
        ("https://a.test", False, False),
        ("https://a.test", True, True),
    ],
)
def test_credentials_are_allowed_for_a_single_origin_only(origin: str, credentials: bool, sent: bool) -> None:
    fields = dict(cors_headers(origin, credentials))
    assert fields["Access-Control-Allow-Origin"] == origin
    assert fields.get("Access-Control-Allow-Credentials") == ("true" if sent else None)
    exposed = fields["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Content-Range", "Location", "Upload-Length", "Upload-Offset"} <= set(exposed)


def test_a_preflight_response_lists_methods_and_fields() -> None:
    fields = dict(preflight_headers("GET, HEAD"))
    assert fields["Access-Control-Allow-Methods"] == "GET, HEAD"
    accepted = fields["Access-Control-Allow-Headers"].split(", ")
    assert {"*", "Authorization", "Content-Type", "Range", "If-Match"} <= set(accepted)
    assert int(fields["Access-Control-Max-Age"]) > 0


def sent(*lines: tuple[str, str], host: str | None = "a.test:81") -> Request:
    headers = Headers([(name.lower(), value, name) for name, value in lines])
    return Request("POST", Target("/", ("",)), Head(1, headers, host=host))


@pytest.mark.parametrize(
    ("origin", "host", "any_scheme", "http"),
    [
        ("http://a.test:81", "a.test:81", False, False),
        ("https://a.test:81", "a.test:81", False, True),
        ("HTTP://A.test:81", "a.TEST:81", False, False),
        ("http://a.test", "a.test:81", True, True),
        ("http://evil.test", "a.test:81", True, True),
        ("null", "a.test:81", True, True),
        ("http://a.test", None, True, True),
    ],
)
def test_an_origin_is_compared_with_the_host(origin: str, host: str, any_scheme: bool, http: bool) -> None:
    request = sent(("Origin", origin), host=host)
    assert is_cross_origin(request) is any_scheme
    assert is_cross_origin(request, "http") is http
    assert is_cross_origin(request, "http", check_site=False) is http


@pytest.mark.parametrize(
    ("site", "expected"),
    [("same-origin", False), ("none", False), ("same-site", True), ("cross-site", True), ("", False)],
)
def test_sec_fetch_site_is_used_if_checked(site: str, expected: bool) -> None:
    assert is_cross_origin(sent(("Sec-Fetch-Site", site))) is expected
    assert is_cross_origin(sent(("Sec-Fetch-Site", site)), check_site=False) is False


def test_a_request_without_origin_fields_is_not_cross_origin() -> None:
    assert not is_cross_origin(sent())
