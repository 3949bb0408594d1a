"""CORS: what is an origin, and which fields let its pages read answers."""

import pytest

from reactor.http11.cors import cors_fields, preflight_fields, read_origin


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
def test_an_origin_is_read_as_browsers_write_it(text: str, origin: str) -> None:
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
def test_what_is_no_origin_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin") as refused:
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
def test_credentials_are_for_one_origin_that_can_be_trusted(
    origin: str, credentials: bool, sent: bool
) -> None:
    fields = dict(cors_fields(origin, credentials))
    assert fields["Access-Control-Allow-Origin"] == origin
    assert fields.get("Access-Control-Allow-Credentials") == ("true" if sent else None)
    exposed = fields["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Content-Range", "Location", "Upload-Offset"} <= set(exposed)


def test_a_preflight_is_told_the_methods_of_the_path_and_the_fields_that_may_be_sent() -> None:
    fields = dict(preflight_fields("GET, HEAD"))
    assert fields["Access-Control-Allow-Methods"] == "GET, HEAD"
    accepted = fields["Access-Control-Allow-Headers"].split(", ")
    assert {"*", "Authorization", "Content-Type", "Range", "If-Match"} <= set(accepted)
    assert int(fields["Access-Control-Max-Age"]) > 0
