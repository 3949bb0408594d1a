"""RFC 9110: what it asks of fields, received and sent, and no other test shows."""

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from reactor.handlers.files.store import Store
from tests.support.in_process import Harness
from tests.support.requests import answering, request

# Fields whose value is a list, among those that the server sends (RFC 9110, 5.6.1).
LISTS = {"allow", "connection", "content-encoding", "transfer-encoding", "vary"}
REQUESTS = {
    "root": request("/"),
    "echo": request("/echo/a", "Accept-Encoding: gzip"),
    "head": request("/echo/a", method="HEAD"),
    "options": request("/echo/a", method="OPTIONS"),
    "options of the server": request("*", method="OPTIONS"),
    "download": request("/files/file"),
    "upload": request("/files/new", method="POST", content=b"hello"),
    "not found": request("/none"),
    "not allowed": request("/", method="PUT"),
    "not implemented": request("/", method="BREW"),
    "close": request("/user-agent", "User-Agent: a", "Connection: close"),
    "HTTP/1.0": request("/echo/a", "Connection: keep-alive", version="HTTP/1.0"),
    "malformed": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "too slow": b"GET / HT",
}
EACH_REQUEST = pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS.keys())


def fields_of_the_answer(data: bytes, directory: Path) -> tuple[list[tuple[str, str]], bytes]:
    """Return the field lines of the answer, names in lower case, and what is after the head."""
    (directory / "file").write_bytes(b"content")
    store = Store(directory)
    with Harness(store=store) as server:
        client = server.connect()
        client.send(data)
        if not (answer := client.read()):
            server.clock.advance(20.01)
            answer = client.read()
    store.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode("ascii").split("\r\n")[1:])
    return [(name.lower(), value) for name, _, value in lines], body


# Fields sent.


@EACH_REQUEST
def test_no_field_is_sent_twice(data: bytes, tmp_path: Path) -> None:
    lines, _ = fields_of_the_answer(data, tmp_path)
    assert lines
    assert {name: count for name, count in Counter(name for name, _ in lines).items() if count > 1} == {}


@EACH_REQUEST
def test_no_list_is_sent_with_an_empty_member(data: bytes, tmp_path: Path) -> None:
    lines, _ = fields_of_the_answer(data, tmp_path)
    for name, value in lines:
        assert value
        assert name not in LISTS or all(re.fullmatch(r"[\w-]+", each) for each in value.split(", "))


@EACH_REQUEST
def test_a_body_has_a_content_type(data: bytes, tmp_path: Path) -> None:
    lines, body = fields_of_the_answer(data, tmp_path)
    types = [value for name, value in lines if name == "content-type"]
    assert not body or len(types) == 1
    assert all(re.fullmatch(r"[a-z]+/[a-z-]+(; charset=utf-8)?", value) for value in types)


def test_a_compressed_file_has_no_content_encoding(tmp_path: Path) -> None:
    data = gzip.compress(b"content")
    (tmp_path / "file.gz").write_bytes(data)
    store = Store(tmp_path)
    with Harness(store=store) as server:
        answer = server.connect().get("/files/file.gz", "Accept-Encoding: gzip")
        assert answer.content == data
        assert "content-encoding" not in answer.headers
    store.close()


@pytest.mark.parametrize(
    ("seconds", "date"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"),
        (1_700_000_000.999, "Tue, 14 Nov 2023 22:13:20 GMT"),
        (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
    ],
)
def test_the_date_is_an_imf_fixdate(seconds: float, date: str) -> None:
    with Harness() as server:
        server.wall = seconds
        assert server.connect().get("/").headers["date"] == date


# Fields received.


@pytest.mark.parametrize("value", [", close", "close,", ",,\t, close ,,", "TE,,close"])
def test_empty_members_of_connection_are_ignored(value: str) -> None:
    with Harness() as server:
        client = server.connect()
        client.send(request("/echo/a", f"Connection: {value}"))
        assert client.assert_responds().headers["connection"] == "close"
        client.assert_closed()


@pytest.mark.parametrize("value", ["100-continue,", ",100-continue", ", 100-continue\t,,"])
def test_empty_members_of_expect_are_ignored(value: str) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(request("/post", f"Expect: {value}", "Content-Length: 5", method="POST"))
        assert client.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.received = b""
        client.send(b"hello")
        assert client.assert_responds().content == b"hello"


@pytest.mark.parametrize("value", ["", ",", " , ,"])
def test_an_empty_expect_is_ignored(value: str) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(request("/post", f"Expect: {value}", method="POST", content=b"hello"))
        assert client.assert_responds().content == b"hello"


@pytest.mark.parametrize(
    "line",
    [
        "Accept: image/png",
        "Accept: text/plain;q=0, */*;q=0",
        "Accept: nonsense",
        "Accept-Charset: utf-16",
        "Accept-Charset: utf-8;q=0",
        "Accept-Language: tlh",
        "Accept-Encoding: br, identity;q=0",
        "Accept-Encoding: *;q=0",
    ],
)
def test_an_unsatisfiable_preference_is_ignored(line: str) -> None:
    with Harness() as server:
        answer = server.connect().get("/echo/abc", line)
        assert answer.content == b"abc"
        assert answer.headers["content-type"] == "text/plain"
        assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "line",
    [
        "Max-Forwards: 0",
        "Via: 1.1 proxy",
        "Authorization: Basic Og==",
        "From: me",
        "Referer: ::",
        "Unheard-Of: of",
        "Close: yes",
        "Keep-Alive: timeout=1, max=1",
        "Proxy-Connection: close",
        "Cache-Control: only-if-cached",
        "Content-Encoding: unknown",
    ],
)
def test_an_irrelevant_field_is_ignored(line: str) -> None:
    with Harness() as server:
        client = server.connect()
        assert client.get("/echo/abc", line) == client.get("/echo/abc")
