"""The endpoints without files, and behaviour common to all paths: methods, codings, HEAD."""

import zlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pytest

from reactor.http11.message import Response
from reactor.routing import Router
from tests.support.in_process import Answer, Client, Harness
from tests.support.requests import request


@pytest.fixture
def client() -> Iterator[Client]:
    with Harness() as server:
        yield server.connect()


def ask(client: Client, path: str, *lines: str, method: str = "GET", version: str = "HTTP/1.1") -> Answer:
    client.send(request(path, *lines, method=method, version=version))
    [answer] = client.responses(method)
    assert client.received == b"", "nothing comes behind the response"
    return answer


def test_root_is_200_and_empty(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"


@pytest.mark.parametrize("path", ["/?a=b", "/?", "http://test", "http://test/", "HTTP://test:80/?q"])
def test_root_accepts_equivalent_targets(client: Client, path: str) -> None:
    assert client.get(path).content == b""


@pytest.mark.parametrize(
    "path", ["//", "/none", "/echo", "/Echo/a", "/user-agent/", "/user-agent/a", "/%2F", "/files", "/files/a"]
)
def test_other_paths_are_404_and_the_connection_persists(client: Client, path: str) -> None:
    client.send(request(path))
    answer = client.assert_responds(404)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.content.count(b"\n") == 1
    client.get("/")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/echo/abc", "abc"),
        ("/echo/", ""),
        ("/echo/a/b/c", "a/b/c"),
        ("/echo/a//b/", "a//b/"),
        ("/echo//", "/"),
        ("/echo/a%20b", "a b"),
        ("/echo/a+b", "a+b"),
        ("/echo/100%25", "100%"),
        ("/echo/%2525", "%25"),
        ("/echo/a%2Fb", "a/b"),
        ("/echo/../a", "../a"),
        ("/echo/%2e%2e/a", "../a"),
        ("/echo/./a", "./a"),
        ("/echo/gr%C3%BC%c3%9fe", "gr\u00fc\u00dfe"),
        ("/echo/%E2%82%AC", "\u20ac"),
        ("/echo/%F0%9F%90%A4", "\U0001f424"),
        ("/echo/%0D%0ASet-Cookie:%20a", "\r\nSet-Cookie: a"),
        ("/echo/a?b=c", "a"),
        ("/echo/%3Fb=c", "?b=c"),
        ("http://other/echo/a", "a"),
        ("/echo/-._~!$&'()*+,;=:@", "-._~!$&'()*+,;=:@"),
    ],
)
def test_echo_returns_the_decoded_text(client: Client, path: str, content: str) -> None:
    answer = client.get(path)
    assert answer.content == content.encode("utf-8")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("lines", "content"),
    [
        (["User-Agent: curl/8.0"], b"curl/8.0"),
        (["USER-AGENT:   a b\t"], b"a b"),
        (["user-agent: gr\xfc\xdfe"], b"gr\xfc\xdfe"),
        (["User-Agent: \xf0\x9f\x90\xa4"], b"\xf0\x9f\x90\xa4"),
        (["User-Agent:"], b""),
        (["User-Agent: a", "User-Agent: b"], b"a, b"),
        ([], b""),
    ],
)
def test_user_agent_returns_the_field_byte_for_byte(client: Client, lines: list[str], content: bytes) -> None:
    answer = client.get("/user-agent", *lines)
    assert answer.content == content
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["content-length"] == str(len(content))


def test_every_response_has_a_date_and_no_server_field(client: Client) -> None:
    for path, status in [("/", 200), ("/none", 404), ("/echo/a", 200)]:
        client.send(request(path))
        answer = client.assert_responds(status)
        assert answer.headers["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        assert "server" not in answer.headers
    client.send(b"nonsense\r\n\r\n")
    assert "date" in client.assert_responds(400).headers


def test_the_date_follows_the_clock() -> None:
    with Harness() as server:
        client = server.connect()
        dates = []
        for _ in range(3):
            dates.append(parsedate_to_datetime(client.get("/").headers["date"]).timestamp())
            server.wall += 1
            server.clock.advance(1)
        assert dates == [1_700_000_000, 1_700_000_001, 1_700_000_002]


def test_the_date_changes_when_a_second_of_the_wall_clock_begins() -> None:
    with Harness() as server:
        server.wall += 0.75
        client = server.connect()
        dates = []
        for _ in range(3):
            dates.append(parsedate_to_datetime(client.get("/").headers["date"]).timestamp())
            server.wall += 0.25
            server.clock.advance(0.25)
        assert dates == [1_700_000_000, 1_700_000_001, 1_700_000_001]


def test_the_date_can_be_turned_off() -> None:
    with Harness(date_header=False) as server:
        assert "date" not in server.connect().get("/").headers


# Methods.


@pytest.mark.parametrize("path", ["/", "/echo/abc", "/echo/", "/user-agent", "/none"])
@pytest.mark.parametrize("lines", [[], ["Accept-Encoding: gzip"]])
def test_head_is_get_without_a_body(client: Client, path: str, lines: list[str]) -> None:
    get = ask(client, path, *lines)
    head = ask(client, path, *lines, method="HEAD")
    assert (head.status, head.headers, head.content) == (get.status, get.headers, b"")


@pytest.mark.parametrize("path", ["/", "/echo/abc", "/user-agent", "http://test/"])
def test_options_is_204_with_allow(client: Client, path: str) -> None:
    answer = ask(client, path, method="OPTIONS")
    assert answer.status == 204
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("target", ["*", "http://test"])
def test_options_for_the_whole_server_is_204_with_allow(client: Client, target: str) -> None:
    answer = ask(client, target, method="OPTIONS")
    assert answer.status == 204
    assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(answer.headers["allow"].split(", "))


def test_options_of_an_unknown_path_is_404(client: Client) -> None:
    assert ask(client, "/none", method="OPTIONS").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/echo/a", "/user-agent"])
def test_other_methods_are_405_with_allow(client: Client, path: str, method: str) -> None:
    answer = ask(client, path, method=method)
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    client.get("/")


@pytest.mark.parametrize("method", ["BREW", "get", "Get", "GETX", "M-SEARCH", "!"])
@pytest.mark.parametrize("path", ["/", "/none"])
def test_an_unknown_method_is_501(client: Client, path: str, method: str) -> None:
    assert ask(client, path, method=method).status == 501
    client.get("/")


def test_connect_is_501(client: Client) -> None:
    assert ask(client, "test:80", method="CONNECT").status == 501


# Content coding (RFC 9110, 12.5.3).


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "x-gzip"),
        ("x-gzip, gzip", "gzip"),
        ("invalid-1, gzip, invalid-2", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzip ; q=1.000", "gzip"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("*", "gzip"),
        ("*;q=0.1", "gzip"),
        ("br;q=1, *;q=0.5", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        (",, gzip ,", "gzip"),
        (None, None),
        ("", None),
        ("br", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("gzip;q=0, *", None),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("identity;q=0, gzip;q=0", None),
        ("gzip;q=0.5, identity;q=0.7", None),
        ("gzip;q=0.5, identity", None),
        ("gzipped", None),
        ("gzip;q=2", None),
        ("gzip;q=-1", None),
    ],
)
def test_the_client_preference_selects_the_coding(
    client: Client, accept: str | None, coding: str | None
) -> None:
    text = "a text that is worth it " * 20
    path = "/echo/" + text.replace(" ", "%20")
    answer = client.get(path, *([] if accept is None else [f"Accept-Encoding: {accept}"]))
    assert answer.headers.get("content-encoding") == coding
    assert "accept-encoding" in answer.headers["vary"].lower()
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["content-length"] == str(len(answer.content))
    content = answer.content if coding is None else zlib.decompress(answer.content, 31)
    assert content.decode() == text


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 8, 255, 256, 257, 1000, 8000])
def test_echo_is_compressed_at_any_length(client: Client, length: int) -> None:
    answer = client.get("/echo/" + "a" * length, "Accept-Encoding: gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert zlib.decompress(answer.content, 31) == b"a" * length


def test_accept_encoding_lines_are_combined(client: Client) -> None:
    answer = client.get("/echo/a", "Accept-Encoding: br", "Accept-Encoding: gzip")
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(("path", "vary"), [("/", None), ("/none", "Accept")])
def test_responses_that_are_never_compressed_do_not_vary_by_accept_encoding(
    client: Client, path: str, vary: str | None
) -> None:
    answer = ask(client, path, "Accept-Encoding: gzip")
    assert "content-encoding" not in answer.headers
    assert answer.headers.get("vary") == vary


def test_the_authority_of_an_absolute_form_replaces_host() -> None:
    routes = Router()
    routes.get("/host")(lambda request: Response(200, request.headers["host"].encode()))
    with Harness(routes) as server:
        client = server.connect()
        assert client.get("http://other:81/host").content == b"other:81"
        assert client.get("/host").content == b"test"
