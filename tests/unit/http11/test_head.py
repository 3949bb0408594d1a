"""Invalid input: request lines, versions and line ends; each case with a similar valid one."""

import pytest

from reactor.http11.parser import Phase
from tests.support.malformed import (
    MALFORMED_METHODS,
    MALFORMED_REQUEST_LINES,
    MALFORMED_VERSIONS,
    OTHER_MAJOR_VERSIONS,
    values,
)
from tests.unit.http11.deliver import assert_accepted, assert_refused, cases, deliver_both, get

HEADS = {
    **{
        name: line.replace(b"TARGET", b"/") + b"\r\nHost: x\r\n\r\n"
        for name, line in values(MALFORMED_REQUEST_LINES).items()
    },
    **{
        f"method-{name}": method + b" / HTTP/1.1\r\nHost: x\r\n\r\n"
        for name, method in values(MALFORMED_METHODS).items()
    },
    "no version, and a field with spaces": b"GET /\r\nHost: x\r\nUser-Agent: a b c\r\n\r\n",
    "no version, and a long field": b"GET /\r\nHost:"
    + b"x" * 8100
    + b"\r\nX-Long:"
    + b"y" * 8000
    + b" a b\r\n\r\n",
    "one word, and no field": b"x\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL": b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a field line first": b"Host: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03",
}
STRAY_CONTROLS = {
    "LF instead of every CRLF": b"GET / HTTP/1.1\nHost: x\n\n",
    "LF after the request line": b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    "LF after the field line": b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    "LF between two field lines": get(b"A: b\nC: d"),
    "LF instead of the empty line": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "LF before the request line": b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "LF after an empty line": b"\r\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "CR instead of every CRLF": b"GET / HTTP/1.1\rHost: x\r\rx",
    "CR in the method": b"G\rET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "CR in the target": b"GET /\r HTTP/1.1\r\nHost: x\r\n\r\n",
    "CR after the version": b"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n",
    "CR before the request line": b"\rGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "CR after an empty line": b"\r\n\rGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two CRs before an LF, first": b"\r\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "CR before a field name": get(b"\rA: b"),
    "CR in a field name": get(b"A\rB: c"),
    "CR before the colon": get(b"A\r: b"),
    "CR after the colon": get(b"A:\rb"),
    "CR in a value": get(b"A: b\rc"),
    "CR and another line in a value": get(b"A: b\rContent-Length: 5"),
    "CR after a value": get(b"A: b\r"),
    "CR before the last line end": b"GET / HTTP/1.1\r\nHost: x\r\n\r\r\n\r\n",
    "LF before a field name": get(b"\nA: b"),
    "LF in a field name": get(b"A\nB: c"),
    "LF after a value": get(b"A: b\n"),
    "LF CR": get(b"A: b\n\rC: d"),
    "NUL before the request line": b"\0GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL after the version": b"GET / HTTP/1.1\0\r\nHost: x\r\n\r\n",
    "NUL in a field name": get(b"A\0B: c"),
    "NUL in a value": get(b"A: b\0c"),
    "NUL as a value": get(b"A: \0"),
    "NUL as a line": get(b"\0"),
}


@pytest.mark.parametrize("data", cases(HEADS))
def test_a_malformed_request_line_is_refused(data: bytes) -> None:
    assert_refused(400, data)


@pytest.mark.parametrize("version", cases(values(MALFORMED_VERSIONS)))
def test_a_malformed_version_is_refused(version: bytes) -> None:
    assert_refused(400, get(version=version))


@pytest.mark.parametrize("version", cases(values(OTHER_MAJOR_VERSIONS)))
def test_other_major_versions_are_not_supported(version: bytes) -> None:
    assert_refused(505, get(version=version))


def test_the_preface_of_http_2_is_not_supported() -> None:
    assert_refused(505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert_refused(505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.2", b"HTTP/1.9"])
def test_other_minor_versions_are_treated_as_1_1(version: bytes) -> None:
    assert assert_accepted(get(version=version)).version == "HTTP/1.1"


def test_http_1_0_is_supported() -> None:
    assert assert_accepted(get(version=b"HTTP/1.0")).version == "HTTP/1.0"


REQUEST_LINES = {
    **values(MALFORMED_REQUEST_LINES),
    **{name: b"GET TARGET " + version for name, version in values(MALFORMED_VERSIONS).items()},
    "words": b"hello",
    "SSH": b"SSH-2.0-OpenSSH_9.6",
    "SMTP": b"EHLO example.org",
    "Redis": b"*1",
    "lower-case version": b"GET TARGET http/1.1",
    "raw angle brackets": b"GET /<a> HTTP/1.1",
    "broken escape": b"GET /% HTTP/1.1",
}


@pytest.mark.parametrize("line", cases(REQUEST_LINES))
def test_a_malformed_request_line_is_refused_when_it_is_complete(line: bytes) -> None:
    data = line.replace(b"TARGET", b"/") + b"\r\n"
    for following in (b"", b"H", b"Host: x\r\n", b"A\0"):
        assert_refused(400, data + following)
        assert_refused(400, b"\r\n" + data + following)


def test_a_request_line_that_is_not_served_is_refused_when_it_is_complete() -> None:
    assert_refused(505, b"GET / HTTP/2.0\r\n")
    assert_refused(421, b"GET https://x/ HTTP/1.1\r\n")


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"BREW /[a]|?{} HTTP/1.0", b"OPTIONS * HTTP/1.9"])
def test_a_valid_request_line_waits_for_its_fields(line: bytes) -> None:
    for beginning in (line + b"\r\n", line + b"\r\nHost: x\r\n", b"\r\n" + line + b"\r\nA"):
        outcome = deliver_both(beginning)
        assert (outcome.status, outcome.phase) == (None, Phase.HEAD)


@pytest.mark.parametrize("data", cases(STRAY_CONTROLS))
def test_a_stray_control_character_is_refused(data: bytes) -> None:
    assert_refused(400, data)


@pytest.mark.parametrize(
    "beginning", [b"GET / HT\n", b"GET / HTTP/1.1\r\nA: \0", b"GET / HTTP/1.1\r\nA: b\rc", b"\0"]
)
def test_a_control_character_is_refused_in_an_incomplete_head(beginning: bytes) -> None:
    assert_refused(400, beginning)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_leading_empty_lines_are_skipped(count: int) -> None:
    assert assert_accepted(b"\r\n" * count + get()).target == "/"


@pytest.mark.parametrize("count", [9, 10, 100])
def test_too_many_leading_empty_lines_are_refused(count: int) -> None:
    assert_refused(400, b"\r\n" * count + get())
    assert_refused(400, b"\r\n" * count)


@pytest.mark.parametrize(
    "method", [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"TRACE", b"PATCH", b"get", b"M-SEARCH"]
)
def test_any_token_is_a_valid_method(method: bytes) -> None:
    assert assert_accepted(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n").method == method.decode()
