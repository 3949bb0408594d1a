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
    assert {"Accept-Encoding", "Accept-Patch"} <= set(exposed)  # sent with 415


def test_a_preflight_response_lists_methods_and_fields() -> None:
    fields = dict(preflight_headers("GET, HEAD"))
    assert fields["Access-Control-Allow-Methods"] == "GET, HEAD"
    accepted = fields["Access-Control-Allow-Headers"].split(", ")
    assert {"*", "Authorization", "Content-Type", "Range", "If-Match", "Repr-Digest"} <= set(accepted)
    assert int(fields["Access-Control-Max-Age"]) > 0


def sent(*lines: tuple[str, str], host: str | None = "a.test:81") -> Request:
    headers = Headers([(name.lower(), value, name) for name, value in lines])
    return Request("POST", Target("/", ("",)), Head(1, host=host), headers)


SAME = [
    ("http://a.test:81", "a.test:81"),
    ("HTTP://A.test:81", "a.TEST:81"),
    ("https://a.test:81", "a.test:81"),  # a proxy adds TLS
    ("https://a.test", "a.test"),
    ("https://a.test", "a.test:80"),
    ("https://a.test", "a.test:443"),
    ("http://a.test", "a.test:443"),
    ("https://a.test:80", "a.test"),
    ("http://a.test:443", "a.test:80"),
    ("http://a.test", "a.test:"),
    ("http://127.0.0.1:4221", "127.0.0.1:4221"),
    ("http://[::1]:4221", "[::1]:4221"),
    ("https://[2001:DB8::1]", "[2001:db8::1]:443"),
    ("https://[::1]", "[::1]"),
]
OTHER = [
    ("http://a.test", "a.test:81"),
    ("http://a.test:81", "a.test"),
    ("http://a.test:8", "a.test:80"),
    ("http://a.test:8080", "a.test:80"),
    ("http://a.test:4430", "a.test"),
    ("http://evil.test", "a.test"),
    ("http://a.test.evil.test", "a.test"),
    ("http://evil.a.test", "a.test"),
    ("http://a.test.", "a.test"),
    ("http://[::2]", "[::1]"),
    ("http://[::443]", "[::]"),
    ("http://[::]:1", "[::1]"),
    ("http://a.test", ""),
    ("http://a.test", None),
]
# Values of Origin that no page of this server can have.
NEVER = [
    "null",
    "NULL",
    "",
    "a.test",
    "//a.test",
    "http://",
    "http://a.test/",
    "http://a.test/path",
    "http://a.test:",
    "http://user@a.test",
    "http://a.test http://a.test",
    "http://a.test, http://a.test",
    "null, http://a.test",
    "http://a.test#",
    "http://a_test:port",
    "file://",
    "http://*",
    "http://\xe9.test",
]


@pytest.mark.parametrize(("origin", "host"), SAME)
def test_an_origin_is_the_same_if_host_and_port_are(origin: str, host: str) -> None:
    request = sent(("Origin", origin), host=host)
    assert not is_cross_origin(request)
    assert not is_cross_origin(request, check_site=False)


@pytest.mark.parametrize(("origin", "host"), OTHER)
def test_an_origin_with_another_host_or_port_is_another(origin: str, host: str | None) -> None:
    request = sent(("Origin", origin), host=host)
    assert is_cross_origin(request)
    assert is_cross_origin(request, check_site=False)


@pytest.mark.parametrize("host", ["a.test", "", None, "null", ","])
@pytest.mark.parametrize("origin", NEVER, ids=ascii)
@pytest.mark.parametrize("site", [None, "same-origin", "none", "cross-site"])
def test_null_and_malformed_origins_are_always_cross_origin(
    origin: str, host: str | None, site: str | None
) -> None:
    lines = [("Origin", origin), *([("Sec-Fetch-Site", site)] if site else [])]
    assert is_cross_origin(sent(*lines, host=host))
    assert is_cross_origin(sent(*lines, host=host), check_site=False)


@pytest.mark.parametrize("origin", ["http://a.test:81", "null"])
def test_repeated_origins_are_cross_origin(origin: str) -> None:
    for site in ((), (("Sec-Fetch-Site", "same-origin"),)):
        assert is_cross_origin(sent(("Origin", "http://a.test:81"), ("Origin", origin), *site))


@pytest.mark.parametrize(
    ("sites", "expected"),
    [
        (["same-origin"], False),
        (["none"], False),
        (["same-site"], True),
        (["cross-site"], True),
        ([""], True),
        (["SAME-ORIGIN"], True),
        (["same-origin;a"], True),
        (["unknown"], True),
        (["same-origin", "same-origin"], True),
        (["none", "cross-site"], True),
        (["same-origin, none"], True),
    ],
)
@pytest.mark.parametrize("origin", [None, "http://a.test:81", "https://proxy.test:8443"])
def test_sec_fetch_site_decides(sites: list[str], expected: bool, origin: str | None) -> None:
    lines = [*((("Origin", origin),) if origin else ()), *(("Sec-Fetch-Site", site) for site in sites)]
    assert is_cross_origin(sent(*lines)) is expected
    assert is_cross_origin(sent(*lines), check_site=False) is (origin == "https://proxy.test:8443")


def test_a_request_without_these_headers_is_not_cross_origin() -> None:
    for host in ("a.test", "", None):
        assert not is_cross_origin(sent(host=host))
