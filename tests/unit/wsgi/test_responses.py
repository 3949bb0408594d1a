"""What an application returns, and what the client gets: in a thread and in the loop."""

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request
from reactor.http11.target import read_target
from reactor.wsgi import in_thread
from reactor.wsgi.application_call import ApplicationCall
from reactor.wsgi.error_log import ErrorLog
from tests.support.in_process import Harness, parse_response
from tests.support.requests import request
from tests.unit.wsgi.sites import TEXT, Blocks, Exchange, Fixed, exchange, routes_of

in_both = pytest.mark.parametrize("in_loop", [False, True], ids=["thread", "loop"])


def length(count: int) -> tuple[str, str]:
    return "Content-Length", str(count)


def made(content: Any) -> Any:
    """Return content; a text "blocks a b" is an iterable without a length."""
    return Blocks(*content.encode().split()[1:]) if isinstance(content, str) else content


class One:
    """An iterable that knows that it has one block."""

    def __len__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "One()"

    def __iter__(self) -> Iterator[bytes]:
        yield b"abc"


def framing(got: Exchange, method: str = "GET") -> tuple[int, bytes, str | None]:
    """Return the status, the content and the framing of the only response."""
    answer, end = parse_response(got.data, method, got.client.closed)
    assert answer is not None, got
    assert got.data[end:] == b""
    return (
        answer.status,
        answer.content,
        answer.headers.get("content-length", answer.headers.get("transfer-encoding")),
    )


@in_both
@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        ([], (), (b"", "0")),
        ([b"abc", b"", b"def"], (), (b"abcdef", "6")),
        ((b"abc",), (), (b"abc", "3")),
        ([b"abc"], (length(3),), (b"abc", "3")),
        ([b"abc", b"def"], (length(4),), (b"abcd", "4")),
        (One(), (), (b"abc", "3")),
        ((), (), (b"", "0")),
        ("blocks", (), (b"", "0")),
        ("blocks abc def", (), (b"abcdef", "chunked")),
        ("blocks abc def", (length(6),), (b"abcdef", "6")),
        ("blocks abcdef", (length(6),), (b"abcdef", "6")),
        ("blocks abc def ghi", (length(5),), (b"abcde", "5")),
        ("blocks abc def", (length(3),), (b"abc", "3")),
        ("blocks abcdef", (length(3),), (b"abc", "3")),
        ("blocks abc", (length(0),), (b"", "0")),
    ],
    ids=str,
)
def test_the_framing_of_a_response(
    content: Any, headers: tuple[tuple[str, str], ...], expected: tuple[bytes, str], in_loop: bool
) -> None:
    content = made(content)
    app = Fixed(content, "200 OK", ("X", "y"), *headers)
    got = exchange(app, in_loop=in_loop)
    assert framing(got) == (200, *expected)
    assert not got.client.closed
    assert getattr(content, "closed", 1) == 1


@in_both
@pytest.mark.parametrize("content", [[b"abcdef"], "blocks abc def", "blocks abcd ef", "blocks abcdef"])
def test_a_response_longer_than_its_content_length_is_logged(
    content: Any, in_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    exchange(Fixed(made(content), "200 OK", length(4)), in_loop=in_loop)
    assert (
        caplog.text.count("<Request GET />: the response is longer than its Content-Length of 4 bytes: cut")
        == 1
    )


def test_an_application_that_writes_too_much_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [*TEXT, length(3)])
        for _ in range(10):
            write(b"abc")
        return []

    assert framing(exchange(app)) == (200, b"abc", "3")
    assert caplog.text.count("longer than its Content-Length") == 1


@in_both
def test_too_few_bytes_are_500_if_all_are_known_and_else_a_reset(
    in_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    got = exchange(Fixed([b"abc"], "200 OK", length(4)), in_loop=in_loop)
    assert framing(got)[0] == 500
    assert "ValueError: the response has 3 bytes, but its Content-Length is 4" in caplog.text
    caplog.clear()
    got = exchange(Fixed(Blocks(b"abc"), "200 OK", length(4)), in_loop=in_loop)
    assert got.was_reset or got.client.closed
    assert framing_is_incomplete(got)
    assert "ended 1 bytes before its Content-Length of 4 bytes" in caplog.text


def framing_is_incomplete(got: Exchange) -> bool:
    return parse_response(got.data, "GET", False)[0] is None


@in_both
@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        ([b"abc"], (), "3"),
        ([b"abc"], (length(3),), "3"),
        ([], (length(7),), "7"),
        ([], (), "chunked"),
        ("blocks abc", (length(7),), "7"),
        ("blocks abc", (), "chunked"),
        ("blocks", (length(7),), "7"),
    ],
    ids=str,
)
def test_head_has_the_content_length_of_the_application(
    content: Any, headers: tuple[tuple[str, str], ...], expected: str, in_loop: bool
) -> None:
    content = made(content)
    got = exchange(Fixed(content, "200 OK", ("X", "y"), *headers), request(method="HEAD"), in_loop)
    assert framing(got, "HEAD") == (200, b"", expected)
    assert getattr(content, "closed", 1) == 1


@in_both
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("content", [[b"abc"], "blocks abc", []])
def test_some_statuses_have_no_content(status: str, content: Any, in_loop: bool) -> None:
    got = exchange(Fixed(made(content), status, ("X", "y"), length(3)), in_loop=in_loop)
    assert framing(got) == (int(status[:3]), b"", None)


@in_both
def test_http_1_0_keeps_the_connection_if_the_length_is_known(in_loop: bool) -> None:
    sent = request("/", "Connection: keep-alive", version="HTTP/1.0")
    assert not exchange(Fixed(Blocks(b"a", b"b"), "200 OK", length(2)), sent, in_loop).client.closed
    got = exchange(Fixed(Blocks(b"a", b"b")), sent, in_loop)
    assert got.client.closed
    assert got.data.endswith(b"\r\n\r\nab")


# start_response, at any time.


@in_both
def test_a_generator_may_call_start_response_lazily(in_loop: bool) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        yield b""
        start_response("201 Created", TEXT)
        yield b"abc"

    assert framing(exchange(app, in_loop=in_loop)) == (201, b"abc", "chunked")


@in_both
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("content", [[b"abc"], [], "blocks abc", "blocks"])
def test_an_application_that_does_not_call_start_response_is_500(
    content: Any, method: str, in_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    content = made(content)
    got = exchange(lambda environ, start: content, request(method=method), in_loop)
    assert got.data.startswith(b"HTTP/1.1 500 ")
    assert "the application did not call start_response()" in caplog.text
    assert getattr(content, "closed", 1) == 1


@in_both
def test_exc_info_replaces_headers_that_are_not_sent(in_loop: bool) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        error = ValueError()
        start_response("503 Busy", TEXT, (ValueError, error, error.__traceback__))  # type: ignore[arg-type]
        return [b"abc"]

    assert framing(exchange(app, in_loop=in_loop)) == (503, b"abc", "3")


@in_both
def test_exc_info_raises_after_the_first_block(in_loop: bool, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"abc"
        error = KeyError("too late")
        start_response("500 Error", TEXT, (KeyError, error, error.__traceback__))  # type: ignore[arg-type]
        yield b"never"

    got = exchange(app, in_loop=in_loop)
    assert framing_is_incomplete(got)
    assert got.client.closed
    assert b"never" not in got.data
    assert "too late" in caplog.text


@in_both
@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        ([], (), b"onetwo"),
        ([b"three"], (), b"onetwothree"),
        ("blocks three", (), b"onetwothree"),
        ([b"three"], (length(11),), b"onetwothree"),
        ([], (length(6),), b"onetwo"),
    ],
)
def test_write_sends_before_the_iterable(
    content: Any, headers: tuple[tuple[str, str], ...], expected: bytes, in_loop: bool
) -> None:
    content = made(content)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [*TEXT, *headers])
        for data in (b"one", b"", b"two"):
            write(data)
        return content  # type: ignore[no-any-return]

    status, sent, _ = framing(exchange(app, in_loop=in_loop))
    assert (status, sent) == (200, expected)


# Failures.


@in_both
@pytest.mark.parametrize("block", ["text", 5, bytearray(b"abc"), None])
def test_blocks_of_another_type_are_500(block: Any, in_loop: bool, caplog: pytest.LogCaptureFixture) -> None:
    for content in ([block], Blocks(block)):
        assert framing(exchange(Fixed(content), in_loop=in_loop))[0] == 500
    name = type(block).__name__
    assert (
        caplog.text.count(f"TypeError: the application returned a block of type {name} (expected bytes)") == 2
    )


@in_both
def test_an_exception_before_the_first_block_is_500(in_loop: bool, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        raise KeyError("secret")

    blocks = Blocks(error=KeyError("secret"))
    for each in (app, Fixed(blocks)):
        got = exchange(each, in_loop=in_loop)
        assert framing(got)[0] == 500
        assert b"secret" not in got.data
    assert caplog.text.count("KeyError: 'secret'") == 2
    assert blocks.closed == 1


@in_both
@pytest.mark.parametrize("headers", [(("X", "y"),), (length(100),)])
def test_an_exception_after_the_first_block_resets_the_connection(
    headers: tuple[tuple[str, str], ...], in_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = Blocks(b"abc", error=KeyError("reason"))
    got = exchange(Fixed(blocks, "200 OK", *headers), in_loop=in_loop)
    assert framing_is_incomplete(got)
    assert got.client.closed
    assert blocks.closed == 1
    assert "KeyError: 'reason'" in caplog.text
    assert in_loop or "after the first block of the response to <Request GET />" in caplog.text


def test_an_exception_of_the_interpreter_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise SystemExit(3)  # this line is in the traceback

    assert framing(exchange(app))[0] == 500
    assert "the application raised SystemExit(3)" in caplog.text
    assert "this line is in the traceback" in caplog.text


@in_both
@pytest.mark.parametrize("error", [KeyError("reason"), SystemExit(1)], ids=repr)
def test_an_exception_in_close_is_logged(
    error: BaseException, in_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Blocks):
        def close(self) -> None:
            super().close()
            raise error

    blocks, app = Failing(b"abc"), Fixed()
    app.content = blocks
    assert framing(exchange(app, in_loop=in_loop)) == (200, b"abc", "chunked")
    assert "unhandled exception in close() of the application" in caplog.text
    assert blocks.closed == 1
    assert app.environ[0]["wsgi.input"].closed


@in_both
def test_the_code_after_the_last_block_is_run(in_loop: bool) -> None:
    blocks = Blocks(b"abc")
    exchange(Fixed(blocks, "200 OK", length(3)), in_loop=in_loop)
    assert blocks.ended
    assert blocks.closed == 1


def test_one_block_is_taken_in_a_turn_of_the_loop() -> None:
    taken: list[bytes] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        for data in (b"a", b"b", b"c", b"d"):
            taken.append(data)
            yield data

    with Harness(routes_of(app, in_loop=True)) as server:
        client = server.connect()
        client.sock.send(request())
        counts = []
        while len(taken) < 4:
            server.reactor.turn()
            counts.append(len(taken))
    assert counts[-3:] == [2, 3, 4]


def test_a_graceful_stop_does_not_end_a_response_from_the_loop() -> None:
    blocks = Blocks(*[bytes(100_000)] * 30)
    with Harness(routes_of(Fixed(blocks), in_loop=True)) as server:
        client = server.connect()
        client.sock.send(request())
        for _ in range(10):
            server.reactor.turn()
        client.connection.stop()
        assert (blocks.ended, blocks.closed) == (False, 0)
        assert client.assert_responds().content == bytes(3_000_000)
    assert blocks.closed == 1


def test_a_first_block_of_content_length_makes_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_thread, "SpooledStream", None)
    blocks = Blocks(b"abc")
    assert framing(exchange(Fixed(blocks, "200 OK", length(3)))) == (200, b"abc", "3")
    assert framing(exchange(Fixed(Blocks(b"abc"))))[0] == 500  # the stream is missed


def test_a_call_has_no_result_timeout() -> None:
    work: list[Callable[[], object]] = []
    with Harness(routes_of(Fixed([b"late"])), in_worker=work.append, result_timeout=30.0) as server:
        client = server.connect()
        client.send(request())
        server.clock.advance(86_400)
        client.assert_open()
        (call,) = work
        call()
        assert client.assert_responds().content == b"late"


# Calls that never begin.


def refuse(function: object) -> None:
    raise RuntimeError("no thread")


@pytest.mark.parametrize("end", ["start", "abort", "close twice"])
def test_a_call_that_does_not_begin_closes_the_body(end: str) -> None:
    body, blocks = BytesIO(b"abc"), Blocks(b"x")
    read = Request("GET", read_target("GET", b"/"), Head(1), Headers())
    call = ApplicationCall(Fixed(blocks), read, {"wsgi.input": body}, body, ErrorLog(), set())
    response = in_thread.ThreadedResponse(call)
    if end == "start":
        with pytest.raises(RuntimeError, match="no thread"):
            response.start(refuse, refuse, lambda _: None)
    elif end == "abort":
        response.abort()
    else:
        call.call(lambda data: None)
        call.close()
        call.close()
        assert blocks.closed == 1
    assert body.closed
