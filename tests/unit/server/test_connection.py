"""A connection from its first request to its end: keep-alive, pipelining, expectations, failures."""

import logging
from pathlib import Path

import pytest

from reactor.http11.errors import HTTPError
from reactor.http11.message import FileSlice, LiveStream, Request, Response
from reactor.routing import Router
from tests.support.in_process import Harness
from tests.support.requests import CANARY, answering, chunks, connect_tcp, read_available, request, write


def test_a_request_is_answered_and_the_connection_persists() -> None:
    with Harness() as server:
        client = server.connect()
        assert client.get("/echo/abc").content == b"abc"
        assert client.get("/").content == b""
        server.clock.advance(74)
        client.assert_open()
        server.clock.advance(1.1)
        client.assert_closed()


# Persistence.


@pytest.mark.parametrize(
    ("version", "lines", "connection"),
    [
        ("HTTP/1.1", ["Connection: close"], "close"),
        ("HTTP/1.1", ["Connection: Close, TE"], "close"),
        ("HTTP/1.1", ["Connection: TE", "connection: CLOSE"], "close"),
        ("HTTP/1.1", ["Connection: keep-alive, close"], "close"),
        ("HTTP/1.0", [], "close"),
        ("HTTP/1.0", ["Connection: close"], "close"),
        ("HTTP/1.0", ["Connection: keep-alive, close"], "close"),
    ],
)
def test_connection_close_is_honoured_in_the_same_turn(
    version: str, lines: list[str], connection: str
) -> None:
    with Harness() as server:
        client = server.connect()
        write(client, request("/echo/a", *lines, version=version))
        server.reactor.turn()
        client.received, ended = read_available(client)
        assert ended
        assert client.assert_responds().headers["connection"] == connection
        client.close()
        server.reactor.turn()
        assert not server.context.connections


def test_bytes_after_the_last_response_do_not_reset_it() -> None:
    with Harness() as server:
        client = connect_tcp(server)
        write(client, request("/echo/" + "a" * 5_000, "Connection: close"))
        server.reactor.turn()
        write(client, b"\r\n")  # as some clients do (RFC 9112, 2.2)
        server.reactor.turn()
        assert client.assert_responds().content == b"a" * 5_000
        assert client.closed
        assert not client.was_reset


@pytest.mark.parametrize(
    ("version", "lines", "connection"),
    [
        ("HTTP/1.1", [], None),
        ("HTTP/1.1", ["Connection: keep-alive"], None),
        ("HTTP/1.1", ["Connection: closed"], None),
        ("HTTP/1.2", [], None),
        ("HTTP/1.0", ["Connection: keep-alive"], "keep-alive"),
        ("HTTP/1.0", ["Connection: Keep-Alive, TE"], "keep-alive"),
    ],
)
def test_a_connection_is_kept_alive(version: str, lines: list[str], connection: str | None) -> None:
    with Harness() as server:
        client = server.connect()
        for _ in range(3):
            client.send(request("/echo/a", *lines, version=version))
            answer = client.assert_responds()
            assert answer.headers.get("connection") == connection
            assert answer.content == b"a"
            assert not client.closed


@pytest.mark.parametrize("following", [CANARY, b"\x00\xff\r\n\r\n", b"a" * 200_000])
def test_bytes_after_connection_close_are_ignored(following: bytes) -> None:
    with Harness() as server:
        client = server.connect()
        client.send(request("/echo/a", "Connection: close") + following)
        assert client.assert_responds().content == b"a"
        client.assert_closed()
        assert not client.was_reset


# Expect: 100-continue (RFC 9110, 10.1.1).


def asking(path: str, *lines: str, version: str = "HTTP/1.1") -> bytes:
    return request(
        path, *(lines or ["Content-Length: 5"]), "Expect: 100-continue", method="POST", version=version
    )


@pytest.mark.parametrize(
    ("line", "content"),
    [("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", chunks(b"hello"))],
)
def test_expect_100_continue_is_answered(line: str, content: bytes) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        for _ in range(2):
            client.send(asking("/post", line))
            assert client.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.received = b""
            client.send(content)
            assert client.assert_responds().content == b"hello"


@pytest.mark.parametrize("sent", [b"h", b"hello", b"hello" + CANARY])
def test_no_100_continue_after_the_body_has_begun(sent: bytes) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(asking("/post") + sent)
        client.send(b"hello"[len(sent) :])
        answers = client.responses()
        assert [answer.status for answer in answers] == [200] * len(answers)
        assert answers[0].content == b"hello"


@pytest.mark.parametrize("lines", [[], ["Content-Length: 0"]])
def test_no_100_continue_without_a_body(lines: list[str]) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(request("/post", "Expect: 100-continue", *lines, method="POST"))
        client.assert_responds(200)


def test_no_100_continue_for_http_1_0() -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(asking("/post", version="HTTP/1.0"))
        client.assert_open()
        client.send(b"hello")
        assert client.assert_responds().content == b"hello"


# Without Expect, short bodies are discarded: test_discarded_bodies.py.
@pytest.mark.parametrize(
    ("path", "length", "status"), [("/none", 5, 404), ("/canary", 5, 405), ("/post", 2**30 + 1, 413)]
)
def test_a_refused_body_is_not_requested_or_read(path: str, length: int, status: int) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(asking(path, f"Content-Length: {length}"))
        assert client.assert_responds(status).headers["connection"] == "close"
        client.assert_closed()
        client.send(b"hello" + CANARY)
        assert client.sock.recv(1) == b""


# Failures of the application.


def raising(error: Exception) -> Router:
    def fail(_: Request) -> Response:
        raise error

    routes = answering()
    routes.get("/fail")(fail)
    routes.post("/fail")(fail)
    return routes


def test_an_exception_in_a_handler_is_a_500_and_a_logged_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with Harness(raising(ValueError("a secret"))) as server:
        client, other = server.connect(), server.connect()
        client.send(request("/fail"))
        answer = client.assert_responds(500)
        assert b"secret" not in answer.content
        assert b"Traceback" not in answer.content
        assert answer.headers["content-type"].startswith("text/plain")
        [record] = caplog.records
        assert record.levelno == logging.ERROR
        assert record.exc_info is not None
        assert "a secret" in caplog.text
        client.get("/canary")
        other.get("/canary")


def test_an_http_error_of_a_handler_is_its_response(caplog: pytest.LogCaptureFixture) -> None:
    with Harness(raising(HTTPError(409, "not now"))) as server:
        client = server.connect()
        client.send(request("/fail", method="POST", content=b"hello"))
        assert client.assert_responds(409).content == b"not now\n"
        client.get("/canary")
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Response(200, b"", (("Bad Name", "1"),)), id="malformed field name"),
        pytest.param(Response(200, b"", (("X", "1\r\nSet-Cookie: forged"),)), id="split"),
        pytest.param(Response(200, b"", (("Content-Length", "7"),)), id="Content-Length of its own"),
        pytest.param(Response(200, b"", (("X", "\u20ac"),)), id="character beyond ISO 8859-1"),
        pytest.param(Response(1000), id="status of four digits"),
        pytest.param(Response(None), id="status of None"),  # type: ignore[arg-type]
        pytest.param(Response(200, None), id="content of None"),  # type: ignore[arg-type]
        pytest.param(Response(200, 5), id="content of int"),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_result_that_is_not_a_response_is_a_500(
    response: Response, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Harness(answering(lambda: response)) as server:
        client = server.connect()
        client.send(request("/0", "Connection: keep-alive", version=version))
        assert b"forged" not in client.assert_responds(500).content
        client.get("/canary")
        assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (
            Response(200, b"", (["X-A", "1"],)),  # type: ignore[arg-type]
            "headers must be (name, value) tuples of strings, not (['X-A', '1'],)",
        ),
        (Response(200, "text"), "content must be bytes or an iterable of bytes, not str"),  # type: ignore[arg-type]
        (Response(200, 5), "content must be bytes or an iterable of bytes, not int"),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_the_log_says_what_is_wrong_with_a_response(
    response: Response, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Harness(answering(lambda: response)) as server:
        client = server.connect()
        client.send(request("/0"))
        client.assert_responds(500)
    assert f"TypeError: response {reason}" in caplog.text


def test_a_file_of_an_invalid_response_is_closed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    with open(tmp_path / "file", "rb") as file:
        faulty = Response(200, FileSlice(file, 0, 5), (("Bad Name", "1"),))
        with Harness(answering(lambda: faulty)) as server:
            client = server.connect()
            client.send(request("/0"))
            client.assert_responds(500)
            assert file.closed


def test_a_live_stream_of_an_invalid_response_is_closed() -> None:
    stream = LiveStream()
    with Harness(answering(lambda: Response(200, stream, (("Bad Name", "1"),)))) as server:
        client = server.connect()
        client.send(request("/0"))
        client.assert_responds(500)
        assert stream.closed
