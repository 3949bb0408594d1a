"""The access log cannot contain forged lines or credentials."""

import json
import logging
import re

import pytest

from reactor.logs.access_log import escape_controls
from tests.support.in_process import Harness
from tests.support.requests import answering, request
from tests.unit.logs.test_access_log import LINE, Log


@pytest.fixture
def log() -> Log:
    return Log()


ESCAPED = {*range(0x20), ord('"'), ord("\\"), *range(0x7F, 0xA0), *range(0xD800, 0xE000)}


def test_exactly_these_characters_are_escaped_and_each_escape_is_unambiguous() -> None:
    for code in (*range(0x180), 0xD7FF, 0xD800, 0xDFFF, 0xE000):
        shown = escape_controls(chr(code))
        assert shown == (f"\\x{code:02x}" if code in ESCAPED else chr(code))
    for text in (*NASTY, "\n", "\x7f"):  # otherwise \\x22 could stand for itself or for a quote
        assert re.sub(r"\\x([0-9a-f]+)", lambda match: chr(int(match[1], 16)), escape_controls(text)) == text


NASTY = ['"', "\\", '" 200 5 "-" "-" 0 c1#1', "\t", "\x85", "\xa0", "\xff", "\\x22"]


@pytest.mark.parametrize("value", NASTY)
def test_no_field_can_forge_a_line(log: Log, value: str) -> None:
    with Harness(access_log=log) as server:
        server.connect().get("/", f"User-Agent: a{value}b", f"Referer: c{value}d")
        [line] = log.getvalue().splitlines()
        match = LINE.fullmatch(line)
        assert match
        assert match["agent"] == f"a{escape_controls(value)}b"
        assert match["referer"] == f"c{escape_controls(value)}d"
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)


@pytest.mark.parametrize("value", NASTY)
def test_no_field_can_forge_a_json_object(log: Log, value: str) -> None:
    with Harness(access_log=log, log_format="json") as server:
        server.connect().get("/", f"User-Agent: a{value}b")
        [line] = log.getvalue().splitlines()
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line)["user_agent"] == f"a{value}b"


@pytest.mark.parametrize("target", ["/echo/%0a%0d", "/echo/%22", "http://test/echo/%0D%0A"])
def test_a_target_is_logged_without_decoding(log: Log, target: str) -> None:
    with Harness(access_log=log) as server:
        server.connect().get(target)
        assert log.entries[0]["line"] == f"GET {target} HTTP/1.1"


def test_raw_characters_of_a_target_are_logged_safely(log: Log) -> None:
    target = "/echo/[a]|^?{b}\\`"
    for layout, shown in (("combined", "/echo/[a]|^?{b}\\x5c`"), ("json", json.dumps(target)[1:-1])):
        with Harness(access_log=log, log_format=layout) as server:
            server.connect().get(target)
        assert shown in log.getvalue().splitlines()[-1]


@pytest.mark.parametrize("layout", ["combined", "json"])
def test_authorization_is_never_logged(log: Log, layout: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    routes = answering(lambda: None)  # type: ignore[arg-type, return-value]
    with Harness(routes, access_log=log, log_format=layout) as server:
        client = server.connect()
        for path in ("/canary", "/none", "/0"):
            client.send(request(path, "Authorization: Basic c2VjcmV0", "Proxy-Authorization: Basic c2VjcmV0"))
        client.send(b"GET / HTTP/1.1\r\nAuthorization: Basic c2VjcmV0\r\n\r\n")
        assert len(client.responses()) == 4
        assert "c2VjcmV0" not in log.getvalue() + caplog.text
