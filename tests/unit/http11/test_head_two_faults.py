"""A head with two faults is rejected with the same status, however it is split."""

import pytest

from tests.unit.http11.deliver import deliver

HOST = b"Host: test\r\n"
LONG = b"a" * 9000

HEADS = [
    pytest.param(b"GET / HTTP/2.0\r\nHost: a\nb\r\n\r\n", id="version, bare LF"),
    pytest.param(b"GET / HTTP/2.0\r\nHost: a\rb\r\n\r\n", id="version, bare CR"),
    pytest.param(b"GET / HTTP/2.0\r\nHost: a\0b\r\n\r\n", id="version, NUL"),
    pytest.param(b"GET / HTTP/2.0\r\nHost: a\r\r\n\r\n", id="version, bare CR at the end"),
    pytest.param(b"GET / HTTP/2.0\nHost: a\r\n\r\n", id="version before a bare LF"),
    pytest.param(b"GET /\0 HTTP/2.0\r\nHost: a\r\n\r\n", id="NUL, version"),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: br\r\nX: a\nb\r\n\r\n", id="coding, bare LF"
    ),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"Expect: 200-ok\r\nX: a\0\r\n\r\n", id="expectation, NUL"),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0\r\nExpect: 200-ok\r\n\r\n", id="NUL, expectation"),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 101 + b"Y: \n\r\n\r\n", id="fields, bare LF"),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"X: " + LONG + b"\0\r\n\r\n", id="long field, NUL"),
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"X: \0" + LONG + b"\r\n\r\n", id="NUL, long field"),
    pytest.param(b"GET /" + LONG + b" HTTP/2.0\r\n" + HOST + b"\r\n", id="long line, version"),
    pytest.param(b"GET /" + LONG + b"\0 HTTP/1.1\r\n" + HOST + b"\r\n", id="long line with NUL"),
    pytest.param(b"GET /" + LONG + b" HTTP/1.1\r\nHost: \0\r\n\r\n", id="long line, then NUL"),
    pytest.param(b"GET /\0" + LONG + b" HTTP/1.1\r\n" + HOST + b"\r\n", id="NUL, long line"),
    pytest.param(
        b"GET / HTTP/1.1\r\n" + HOST + (b"X: " + b"a" * 8000 + b"\r\n") * 5 + b"Y: \0\r\n\r\n",
        id="long head, NUL",
    ),
    pytest.param(
        b"GET / HTTP/1.1\r\n" + HOST + b"Y: \0\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 5 + b"\r\n",
        id="NUL, long head",
    ),
    pytest.param(b"GET / HTTP/2.0\r\nA B\r\n\r\n", id="version, field line"),
    pytest.param(b"GET https://x/ HTTP/1.1\r\nA B\r\n\r\n", id="target, field line"),
    pytest.param(b"GET https://x/ HTTP/2.0\r\n\r\n", id="target, version"),
    pytest.param(b"GET https://x/ HTTP/1.1\r\nExpect: 200-ok\r\n\r\n", id="target, expectation"),
    pytest.param(b"GET https://x/ HTTP/1.1\r\n" + b"X: a\r\n" * 102 + b"\r\n", id="target, fields"),
    pytest.param(
        b"GET https://x/ HTTP/1.1\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 5 + b"\r\n",
        id="target, long head",
    ),
    pytest.param(b"GET https://x/ HTTP/1.1\r\n\n\r\n\r\n", id="target, bare LF"),
    pytest.param(b"M" * 9000 + b" / HTTP/2.0\r\n\r\n", id="long method, version"),
    pytest.param(b"M" * 9000 + b"\0 / HTTP/1.1\r\n\r\n", id="long method, NUL"),
    pytest.param(b"\r\n" * 9 + b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", id="empty lines, version"),
    pytest.param(b"\r\n\nGET / HTTP/2.0\r\n" + HOST + b"\r\n", id="bare LF before the line, version"),
]


@pytest.mark.parametrize("data", HEADS)
def test_a_head_with_two_faults_has_one_status_byte_by_byte(data: bytes) -> None:
    whole = deliver([data]).status
    assert whole is not None
    assert deliver(data[place : place + 1] for place in range(len(data))).status == whole


@pytest.mark.parametrize("data", HEADS)
def test_a_head_with_two_faults_has_one_status_wherever_it_is_cut(data: bytes) -> None:
    whole = deliver([data]).status
    cuts = {*range(1, min(60, len(data))), *range(max(1, len(data) - 60), len(data))}
    assert {deliver([data[:cut], data[cut:]]).status for cut in sorted(cuts)} == {whole}


@pytest.mark.parametrize("data", HEADS)
def test_a_head_with_two_faults_has_one_status_whatever_follows(data: bytes) -> None:
    following = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
    assert deliver([data + following]).status == deliver([data]).status
