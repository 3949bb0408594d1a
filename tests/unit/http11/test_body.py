"""Text and JSON of a request body: what is decoded, and what is refused with which reason."""

import math
import sys
from contextlib import suppress

import pytest

from reactor.http11.body import _CHARSETS, JSONValue, read_json, read_text
from reactor.http11.errors import HTTPError

JSON = "application/json"


def refusal(content: bytes, content_type: str | None = JSON) -> tuple[int, str]:
    """Return the status and the reason with which content is refused as JSON."""
    with pytest.raises(HTTPError) as caught:
        read_json(content, content_type)
    assert caught.value.reason.isascii()
    assert caught.value.reason.isprintable()
    return caught.value.status, caught.value.reason


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": [1, -2.5, true, null, "\xc3\xa9\\u00e9"]}', {"a": [1, -2.5, True, None, "\xe9\xe9"]}),
        (b" null\r\n", None),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\\\ud800"', "\\ud800"),
        (b"\xef\xbb\xbf[]", []),
        (b"1e308", 1e308),
        (b"1" * 4300, int("1" * 4300)),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_json_is_parsed(content: bytes, value: JSONValue) -> None:
    assert read_json(content, JSON) == value


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON;charset=utf-8",
        "application/json ; x",
        "application/problem+json",
    ],
)
def test_the_types_of_json(content_type: str) -> None:
    assert read_json(b"1", content_type) == 1


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "text/json", "application/jsonp", "application/x-www-form-urlencoded"),
        *(
            "text/plain; application/json",
            "text/plain;x=a+json",
            "+json",
            "a/+json",
            "x+json",
            "a/b,c/d+json",
        ),
        *("application/json, application/json", "multipart/form-data; boundary=x"),
    ],
)
def test_another_type_is_415(content_type: str) -> None:
    status, reason = refusal(b"1", content_type)
    assert (status, repr(content_type)[:41] in reason) == (415, True)
    assert "(expected Content-Type: application/json)" in reason


def test_a_missing_type_is_415() -> None:
    assert refusal(b"1", None) == (415, "missing Content-Type (expected Content-Type: application/json)")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty request body (expected JSON)"),
        (b" ", "invalid JSON: Expecting value: line 1 column 2 (char 1)"),
        (b"\xff", "invalid JSON: not UTF-8 at byte 0"),
        ("[1]".encode("utf-16-le"), "invalid JSON: Expecting value: line 1 column 2 (char 1)"),
        (b"[1\n,", "invalid JSON: Expecting value: line 2 column 2 (char 4)"),
        (b"1 2", "invalid JSON: Extra data: line 1 column 3 (char 2)"),
        (b'{"a": NaN}', "invalid JSON: NaN is not a number of JSON"),
        (b"-Infinity", "invalid JSON: -Infinity is not a number of JSON"),
        (b"[1e309]", "invalid JSON: a number is too large: '1e309'"),
        (b"-1e309", "invalid JSON: a number is too large: '-1e309'"),
        (b"[" * 100_000, "invalid JSON: nested too deeply"),
        (b'{"a":' * 100_000, "invalid JSON: nested too deeply"),
        (b'["\\uD800"]', "invalid JSON: a string has an unpaired surrogate, such as \\ud800"),
        (b'{"\\udc00\\ud800": 1}', "invalid JSON: a string has an unpaired surrogate, such as \\ud800"),
        (b"1" * 4301, "invalid JSON: an integer has more than 4300 digits"),
    ],
)
def test_invalid_json_is_400(content: bytes, reason: str) -> None:
    assert sys.get_int_max_str_digits() == 4300
    assert refusal(content) == (400, reason)


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        (b"\xc3\xa9", "", "\xe9"),
        (b"\xc3\xa9", "text/plain", "\xe9"),
        (b"\xc3\xa9", 'text/plain; x=1; Charset="UTF-8"', "\xe9"),
        (b"\xe9", "text/plain; charset=iso-8859-1", "\xe9"),
        (b"\xe9", "text/plain;charset=latin1", "\xe9"),
        (b"\x80", "text/plain;charset=Windows-1252", "\u20ac"),
        (b"\xff\xfea\0", "text/plain;charset=utf-16", "a"),
        (b"", "text/plain;charset=us-ascii", ""),
    ],
)
def test_text_is_decoded(content: bytes, content_type: str, text: str) -> None:
    assert read_text(content, content_type) == text


@pytest.mark.parametrize("content", [b"", b"61"])
@pytest.mark.parametrize(
    "charset",
    [
        *(
            "rot13",
            "rot_13",
            "hex",
            "hex_codec",
            "base64",
            "bz2",
            "zip",
            "uu",
            "quopri",
            "mbcs",
            "utf-7",
            "idna",
        ),
        *("punycode", "unicode_escape", "raw_unicode_escape", "undefined", "none", "", '""', "os", "../os"),
    ],
)
def test_a_charset_that_does_not_encode_text_is_415(charset: str, content: bytes) -> None:
    with pytest.raises(HTTPError) as caught:
        read_text(content, f"text/plain; charset={charset}")
    expected = f"unsupported charset: {charset.strip(chr(34))!r} (expected utf-8)"
    assert (caught.value.status, caught.value.reason) == (415, expected)


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        (b"a\xff", "", "request body is not valid utf-8: byte 1"),
        (b"a\xff", "text/plain; charset=UTF-8", "request body is not valid UTF-8: byte 1"),
        (b"a", "text/plain; charset=utf-16", "request body is not valid utf-16: byte 0"),
        (b"a", "text/plain; charset", "malformed parameters: '; charset' (expected ; NAME=VALUE or ; NAME="),
    ],
)
def test_undecodable_text_is_400(content: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(HTTPError) as caught:
        read_text(content, content_type)
    assert (caught.value.status, caught.value.reason[: len(reason)]) == (400, reason)


@pytest.mark.parametrize("charset", sorted(_CHARSETS))
def test_no_charset_fails_in_another_way(charset: str) -> None:
    for content in (b"", bytes(range(256)), b"\x1b$B\xff", b"+2AA-~{", b"\xff"):
        with suppress(HTTPError):
            assert read_text(content, f"text/plain; charset={charset}").encode() is not None


def test_numbers_are_finite() -> None:
    value = read_json(b"[1.5, 1e-400]", JSON)
    assert isinstance(value, list)
    assert all(isinstance(each, float) and math.isfinite(each) for each in value)
