"""Limits: input at each limit is accepted, one byte more is rejected, however it is split."""

from collections.abc import Iterator

import pytest

from reactor.settings import Settings
from tests.unit.http11.deliver import (
    assert_accepted,
    assert_refused,
    cases,
    chunked_post,
    deliver,
    deliver_both,
    get,
    single_bytes,
)

DEFAULTS = Settings()
SMALL = Settings(
    max_request_line=40, max_field_line=30, max_fields=6, max_head=150, max_body=64, max_chunk_line=20
)
both_settings = pytest.mark.parametrize(
    "settings", [pytest.param(SMALL, id="small"), pytest.param(DEFAULTS, id="defaults")]
)


def request_line(length: int, method: bytes = b"GET") -> bytes:
    """Write a request line of this length, without its CRLF."""
    return method + b" /" + b"a" * (length - len(method) - 11) + b" HTTP/1.1"


def with_line(line: bytes) -> bytes:
    return line + b"\r\nHost: x\r\n\r\n"


def header_line(length: int, name: bytes = b"A") -> bytes:
    """Write a header line of this length, without its CRLF."""
    return name + b": " + b"v" * (length - len(name) - 2)


def head(length: int, settings: Settings) -> bytes:
    """Write a head of this length, including its empty line, with few lines, each within the limit."""
    data = b"GET / HTTP/1.1\r\nHost: x\r\n"
    missing = length - len(data) - 2
    while missing:
        take = min(missing, settings.max_field_line + 2)
        if 0 < missing - take < 5:  # leave room for one more line
            take -= 5
        data += header_line(take - 2) + b"\r\n"
        missing -= take
    return data + b"\r\n"


@both_settings
def test_a_request_line_at_its_limit_is_accepted(settings: Settings) -> None:
    line = request_line(settings.max_request_line)
    assert len(line) == settings.max_request_line
    assert len(assert_accepted(with_line(line), settings).target) == settings.max_request_line - 13
    assert_accepted(b"\r\n\r\n" + with_line(line), settings)


@both_settings
@pytest.mark.parametrize("over", [1, 2, 3, 500])
def test_a_request_line_over_its_limit_is_refused(settings: Settings, over: int) -> None:
    assert_refused(414, with_line(request_line(settings.max_request_line + over)), settings)


@both_settings
def test_a_request_line_over_its_limit_is_refused_before_it_ends(settings: Settings) -> None:
    line = request_line(settings.max_request_line + 1)
    assert_refused(414, line, settings)
    assert_refused(414, b"GET /" + b"a" * settings.max_head, settings)
    assert_refused(414, b"\r\n" + line, settings)


@both_settings
def test_a_long_method_makes_the_request_line_too_long(settings: Settings) -> None:
    fits = request_line(settings.max_request_line, b"M" * (settings.max_request_line - 11))
    assert_accepted(with_line(fits), settings)
    assert_refused(414, with_line(b"M" + fits), settings)


@both_settings
def test_a_method_alone_over_the_limit_is_a_bad_request(settings: Settings) -> None:
    limit = settings.max_request_line
    for data in (b"M" * (limit + 1), b"/" + b"a" * limit, b"M" * (limit + 1) + b" / HTTP/1.1\r\n"):
        assert_refused(400, data, settings)
        assert_refused(400, b"\r\n" + data, settings)
    assert_refused(414, b"M" * limit + b" / HTTP/1.1\r\n", settings)
    assert deliver_both(b"M" * limit, settings).status is None


@both_settings
def test_an_incomplete_request_line_at_its_limit_is_not_refused(settings: Settings) -> None:
    line = request_line(settings.max_request_line)
    for beginning in (line, line + b"\r", line + b"\r\n", line + b"\r\nH"):
        assert deliver_both(beginning, settings).status is None


@both_settings
def test_a_field_line_at_its_limit_is_accepted(settings: Settings) -> None:
    line = header_line(settings.max_field_line)
    assert len(line) == settings.max_field_line
    assert_accepted(get(line), settings)
    assert_accepted(get(line, b"B: c"), settings)


@both_settings
def test_a_field_line_over_its_limit_is_refused(settings: Settings) -> None:
    assert_refused(431, get(header_line(settings.max_field_line + 1)), settings)
    assert_refused(431, get(b"B: c", header_line(settings.max_field_line + 1), b"C: d"), settings)
    assert_refused(431, get(b"A:" + b" " * settings.max_field_line), settings)
    assert_refused(431, get(b"A" * settings.max_field_line + b":"), settings)


@both_settings
def test_the_maximum_number_of_fields_is_accepted(settings: Settings) -> None:
    lines = [b"A: b"] * (settings.max_fields - 1)
    assert len(assert_accepted(get(*lines), settings).lines) == settings.max_fields
    assert_refused(431, get(*lines, b"A: b"), settings)
    assert_refused(431, get(*lines, b"A: b", b"A: b"), settings)


@both_settings
def test_a_head_at_its_limit_is_accepted(settings: Settings) -> None:
    data = head(settings.max_head, settings)
    assert len(data) == settings.max_head
    assert_accepted(data, settings)
    assert_accepted(b"\r\n" + data, settings)
    assert deliver([data + data, data], settings).status is None


@both_settings
@pytest.mark.parametrize("over", [1, 2, 4])
def test_a_head_over_its_limit_is_refused(settings: Settings, over: int) -> None:
    assert_refused(431, head(settings.max_head + over, settings), settings)


@both_settings
def test_a_head_is_refused_as_soon_as_it_must_exceed_its_limit(settings: Settings) -> None:
    fits = head(settings.max_head, settings)
    for missing in (1, 3, 5):
        assert deliver_both(fits[:-missing], settings).status is None
    assert_refused(431, head(settings.max_head + 100, settings)[: settings.max_head], settings)


@both_settings
def test_the_head_limit_applies_to_each_pipelined_head(settings: Settings) -> None:
    data = head(settings.max_head, settings) * 3
    assert len(deliver_both(data, settings).requests) == 3
    outcome = deliver([data + head(settings.max_head + 1, settings)], settings)
    assert (len(outcome.requests), outcome.status) == (3, 431)


def test_a_head_limit_below_the_request_line_limit_is_431() -> None:
    settings = Settings(max_head=100)
    assert_accepted(get(target=b"/" + b"a" * (100 - len(get()))), settings)
    assert_refused(431, get(target=b"/" + b"a" * (101 - len(get()))), settings)
    assert_refused(431, get(target=b"/" + b"a" * 100), settings)
    assert_refused(431, b"GET /" + b"a" * 200 + b" HTTP/1.0\r\n\r\n", settings)


# The chunked coding.


@both_settings
def test_a_chunk_line_at_its_limit_is_accepted(settings: Settings) -> None:
    line = b"1;" + b"e" * (settings.max_chunk_line - 2)
    assert assert_accepted(chunked_post(line + b"\r\na\r\n0\r\n\r\n"), settings).content == b"a"
    assert_refused(400, chunked_post(line + b"e\r\na\r\n0\r\n\r\n"), settings)
    assert_refused(400, chunked_post(line + b"e"), settings)
    assert_refused(400, chunked_post(line + b"eeeeeeee"), settings)
    for beginning in (line, line + b"\r"):
        assert deliver_both(chunked_post(beginning), settings).status is None


EXTENSIONS = {
    "a name": b";a",
    "a value": b';a="b"',
    "white space": b" \t;a",
    "two": b";a;b=c",
}


@pytest.mark.parametrize("extension", cases(EXTENSIONS))
def test_the_extensions_of_a_body_have_a_limit_in_total(extension: bytes) -> None:
    settings = Settings(max_chunk_extensions=3 * len(extension))
    chunk, last = b"1%b\r\na\r\n" % extension, b"0%b\r\n\r\n" % extension
    for fits in (chunk * 3 + b"0\r\n\r\n", chunk * 2 + last, chunk + b"1\r\na\r\n" * 9 + chunk + last):
        assert_accepted(chunked_post(fits), settings)
    for exceeds in (chunk * 3 + last, chunk * 4, chunk * 3 + b"0;a\r\n", chunk * 3 + b"fffffff;a\r\n"):
        assert_refused(400, chunked_post(exceeds), settings)


def test_the_extensions_of_each_body_are_counted_for_themselves() -> None:
    body = b"1;aaaa\r\na\r\n0\r\n\r\n"
    outcome = deliver_both(chunked_post(body) * 5, Settings(max_chunk_extensions=5))
    assert (outcome.status, len(outcome.requests)) == (None, 5)
    assert_accepted(chunked_post(b"01\r\na\r\n000\r\n\r\n"), Settings(max_chunk_extensions=0))


def test_a_chunk_size_has_at_most_16_digits() -> None:
    assert assert_accepted(chunked_post(b"0" * 15 + b"1\r\na\r\n" + b"0" * 16 + b"\r\n\r\n")).content == b"a"
    assert_refused(400, chunked_post(b"0" * 16 + b"1\r\na\r\n0\r\n\r\n"))
    assert_refused(400, chunked_post(b"1\r\na\r\n" + b"0" * 17 + b"\r\n\r\n"))
    assert_refused(413, chunked_post(b"F" * 16 + b"\r\n"))
    assert_refused(400, chunked_post(b"F" * 17 + b"\r\n"))


@both_settings
def test_a_chunked_body_over_its_limit_is_refused_before_reading(settings: Settings) -> None:
    assert deliver_both(chunked_post(b"%x\r\n" % settings.max_body), settings).status is None
    assert_refused(413, chunked_post(b"%x\r\n" % (settings.max_body + 1)), settings)
    assert_refused(413, chunked_post(b"1\r\na\r\n%x\r\n" % settings.max_body), settings)
    assert deliver_both(chunked_post(b"1\r\na\r\n%x\r\n" % (settings.max_body - 1)), settings).status is None


def test_a_chunked_body_at_its_limit_is_accepted() -> None:
    data = b"a" * SMALL.max_body
    assert assert_accepted(chunked_post(b"40\r\n%b\r\n0\r\n\r\n" % data), SMALL).content == data
    ones = b"1\r\na\r\n" * SMALL.max_body
    assert assert_accepted(chunked_post(ones + b"0\r\n\r\n"), SMALL).content == data
    assert_refused(413, chunked_post(ones + b"1\r\na\r\n0\r\n\r\n"), SMALL)


def test_an_empty_body_is_accepted_with_a_limit_of_zero() -> None:
    settings = Settings(max_body=0)
    assert assert_accepted(chunked_post(b"0\r\n\r\n"), settings).content == b""
    assert_refused(413, chunked_post(b"1\r\n"), settings)


def with_trailers(*lines: bytes) -> bytes:
    return chunked_post(b"\r\n".join([b"1\r\na\r\n0", *lines, b"", b""]))


@both_settings
def test_a_trailer_line_at_its_limit_is_accepted(settings: Settings) -> None:
    line = header_line(settings.max_field_line)
    assert assert_accepted(with_trailers(line), settings).content == b"a"
    assert_accepted(with_trailers(b"B: c", line, b"C: d"), settings)


@both_settings
@pytest.mark.parametrize("over", [1, 2, 3, 50])
def test_a_trailer_line_over_its_limit_is_refused(settings: Settings, over: int) -> None:
    line = header_line(settings.max_field_line + over)
    assert_refused(431, with_trailers(line), settings)
    assert_refused(431, with_trailers(b"B: c", line, b"C: d"), settings)


@both_settings
def test_trailers_are_refused_as_soon_as_they_must_exceed_the_limit(settings: Settings) -> None:
    beginning = chunked_post(b"0\r\n" + header_line(settings.max_head - 2))
    assert deliver_both(beginning, settings).status is None
    assert deliver_both(beginning + b"\r", settings).status is None
    assert_refused(431, beginning + b"v", settings)


@both_settings
def test_the_maximum_number_of_trailers_is_accepted(settings: Settings) -> None:
    lines = [b"A: b"] * settings.max_fields
    assert assert_accepted(with_trailers(*lines), settings).content == b"a"
    assert_refused(431, with_trailers(*lines, b"A: b"), settings)


def trailer_section(length: int, settings: Settings) -> Iterator[bytes]:
    """Write lines of this total length, including CRLFs."""
    while length:
        take = min(length, settings.max_field_line + 2)
        if 0 < length - take < 5:
            take -= 5
        yield header_line(take - 2)
        length -= take


def test_a_trailer_section_at_its_limit_is_accepted() -> None:
    settings = Settings(max_field_line=60, max_head=150)
    assert_accepted(with_trailers(*trailer_section(150, settings)), settings)
    assert_refused(431, with_trailers(*trailer_section(151, settings)), settings)


def test_a_long_trailer_section_at_its_default_limit_is_accepted() -> None:
    fits = with_trailers(*trailer_section(DEFAULTS.max_head, DEFAULTS))
    over = with_trailers(*trailer_section(DEFAULTS.max_head + 1, DEFAULTS))
    assert_accepted(fits)
    assert_refused(431, over)


@pytest.mark.parametrize("endless", [b"a", b"A: b\r\n", b"GET / HTTP/1.1\r\nA: b" + b"c" * 40_000, b"\r\n"])
def test_an_endless_head_is_refused_at_its_limit(endless: bytes) -> None:
    data = endless * (2 * DEFAULTS.max_head // len(endless) + 1)
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for byte in single_bytes(data):
            taken += 1
            yield byte

    assert deliver(counted()).status in (400, 414, 431)
    assert taken <= DEFAULTS.max_head
