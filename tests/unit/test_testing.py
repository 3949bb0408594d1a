"""The client for tests of an application, in memory, and the server that runs during a test."""

import http.client
import json
import logging
import threading
from collections.abc import Iterator
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, get_type_hints
from urllib.request import urlopen

import pytest

from reactor import Deferred, FileSlice, HTTPError, LiveStream, Request, Response, Router, Server, Settings
from reactor.routing import BufferSink, InterimSink
from reactor.testing import Client, running
from reactor.testing.running import ServerOptions


class Application:
    """Routes, and what their handlers keep."""

    def __init__(self) -> None:
        self.routes = Router()
        self.requests: list[Request] = []
        self.stream = LiveStream()
        self.deferred = Deferred()
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            self.routes.route(method, "/echo")(self.echo)
        self.routes.get("/stream")(lambda request: Response.stream(self.stream))
        self.routes.get("/deferred")(lambda request: self.deferred)

    def echo(self, request: Request) -> Response:
        """Respond with the request."""
        self.requests.append(request)
        names = ("host", "content-type", "content-length", "x-a", "cookie", "accept-encoding")
        fields = {name: request.headers.get(name) for name in names if name in request.headers}
        return Response.json([request.method, request.query, fields, request.content.decode("latin-1")])


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def client(application: Application) -> Iterator[Client]:
    with Client(application.routes) as made:
        yield made


HOST = {"host": "localhost"}
JSON_HEADERS = {"content-type": "application/json", "content-length": "8"}


@pytest.mark.parametrize(
    ("method", "options", "fields", "content"),
    [
        ("get", {}, {}, ""),
        ("delete", {}, {}, ""),
        ("options", {}, {}, ""),
        ("post", {}, {"content-length": "0"}, ""),
        ("put", {"content": b"\0\xff"}, {"content-length": "2"}, "\0\xff"),
        ("patch", {"json": {"a": 1}}, JSON_HEADERS, '{"a": 1}'),
        (
            "post",
            {"form": {"a": "x y", "b": ["1", "\xe4"]}},
            {"content-type": "application/x-www-form-urlencoded", "content-length": "16"},
            "a=x+y&b=1&b=%C3%A4",
        ),
        ("get", {"headers": {"X-A": "1", "Host": "a.example"}}, {"host": "a.example", "x-a": "1"}, ""),
        ("get", {"headers": [("X-A", "1"), ("X-A", "2")]}, {"x-a": "1, 2"}, ""),
        (
            "post",
            {"json": [], "headers": {"content-type": "a/b"}},
            {"content-type": "a/b", "content-length": "2"},
            "[]",
        ),
        ("get", {"headers": {"Accept-Encoding": "x"}}, {"accept-encoding": "x"}, ""),
    ],
)
def test_a_request_arrives_as_described(
    client: Client, method: str, options: dict[str, Any], fields: dict[str, str], content: str
) -> None:
    if "form" in options:
        fields = fields | {"content-length": str(len(content))}
    response = getattr(client, method)("/echo?a=\xe4 b", **options)
    assert response.json() == [method.upper(), "a=%C3%A4%20b", HOST | fields, content]


def test_the_response_has_status_headers_and_content() -> None:
    routes = Router()
    cookies = (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
    routes.get("/")(
        lambda request: Response(
            201, "\xe4".encode("latin-1"), (("Content-Type", "text/plain; charset=latin-1"), *cookies)
        )
    )
    with Client(routes) as client:
        response = client.get("/")
        assert (response.status, response.content, response.text) == (201, b"\xe4", "\xe4")
        assert response.headers["CONTENT-type"] == "text/plain; charset=latin-1"
        assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
        assert repr(response) == "<201 Created, text/plain; charset=latin-1, 1 bytes: b'\\xe4'>"
        head = client.head("/")
        assert (head.status, head.content, head.headers["Content-Length"]) == (201, b"", "1")
        assert client.get("/missing").status == 404


def test_what_is_wrong_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="more than one body"):
        client.post("/echo", json=1, form={})
    with pytest.raises(TypeError, match="params"):
        client.get("/echo", params={})  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="Invalid header value"):
        client.get("/echo", headers={"X-A": "1\r\nX-B: 2"})
    assert client.get("/echo").status == 200


def test_a_connection_is_kept_and_replaced_when_closed(application: Application) -> None:
    numbers: list[int | None] = []
    application.routes.get("/number")(lambda request: Response.text(str(len(numbers))))
    with Client(application.routes) as client:
        for headers in ({}, {}, {"Connection": "close"}, {}):
            response = client.get("/number", headers=headers)
            assert response.status == 200
            numbers.append(next(iter(client._server._context.connections), None))
    assert numbers == [1, 1, None, 2]


def test_cookies_are_kept(application: Application, client: Client) -> None:
    headers = (("Set-Cookie", "a=1; Secure; HttpOnly"), ("Set-Cookie", "b=2; Path=/elsewhere"))
    application.routes.get("/set")(lambda request: Response(200, b"", headers))
    application.routes.get("/unset")(lambda request: Response(200, b"", {"Set-Cookie": "a=; Max-Age=0"}))
    client.get("/set")
    assert client.get("/echo").json()[2]["cookie"] == "a=1"
    assert client.get("/echo", headers={"Cookie": "c=3"}).json()[2]["cookie"] == "c=3"
    client.get("/unset")
    assert "cookie" not in client.get("/echo").json()[2]


def test_files_and_large_contents_pass_unchanged(tmp_path: Path) -> None:
    large = bytes(range(256)) * 20_000  # more than a socket in memory takes
    (tmp_path / "file").write_bytes(large)
    routes = Router()
    routes.get("/file")(
        lambda request: Response(200, FileSlice((tmp_path / "file").open("rb"), 1, len(large) - 1))
    )
    routes.post("/length")(lambda request: Response.text(str(len(request.content))))
    with Client(routes) as client:
        assert client.get("/file").content == large[1:]
        assert client.post("/length", content=large[: 1 << 20]).text == str(1 << 20)
        assert client.post("/length", content=large).status == 413


def test_settings_and_peer_reach_the_server(application: Application) -> None:
    with Client(application.routes, Settings(max_head=200), peer="192.0.2.1") as client:
        client.get("/echo")
        assert application.requests[0].peer == "192.0.2.1"
        assert client.get("/echo", headers={"X-A": "a" * 500}).status == 431


# Errors of the application.


class PlantedError(Exception):
    """An error that a handler raises."""


def fails(request: Request) -> Response:
    raise PlantedError


def fails_later(request: Request) -> Deferred:
    def steps() -> Any:
        yield lambda: fails(request)

    return Deferred(steps())


def breaks_off(request: Request) -> Response:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise PlantedError

    return Response.stream(chunks())


def returns_nothing(request: Request) -> Any:
    return None


@pytest.mark.parametrize("handler", [fails, fails_later, returns_nothing])
def test_an_error_of_a_handler_is_raised_or_answered_by_500(application: Application, handler: Any) -> None:
    application.routes.get("/fails")(handler)
    expected = RuntimeError if handler is returns_nothing else PlantedError
    with Client(application.routes) as client:
        for send in (client.get, partial(client.stream, "GET")):
            with pytest.raises(expected, match="returned None" if handler is returns_nothing else None):
                send("/fails")
        assert client.get("/echo").status == 200
        assert len(client._server._context.connections) == 1
    with Client(application.routes, raise_errors=False) as client:
        assert client.get("/fails").status == 500


def test_an_exception_that_a_worker_thread_logs_is_raised(application: Application, client: Client) -> None:
    def steps(error: Exception | None) -> Any:
        yield lambda: logging.getLogger("reactor").error("planted", exc_info=error)
        return Response.text("done")

    application.routes.get("/fails")(lambda request: Deferred(steps(PlantedError())))
    application.routes.get("/logs")(lambda request: Deferred(steps(None)))
    with pytest.raises(PlantedError):
        client.get("/fails")
    assert client.get("/logs").text == "done"


def test_a_response_that_breaks_off_is_raised(application: Application) -> None:
    application.routes.get("/fails")(breaks_off)
    with Client(application.routes) as client, pytest.raises(PlantedError):
        client.get("/fails")
    with Client(application.routes, raise_errors=False) as client:
        with pytest.raises(http.client.IncompleteRead):
            client.get("/fails")
        assert client.get("/echo").status == 200


def test_a_refusal_is_not_an_error(application: Application, client: Client) -> None:
    def refuses(request: Request) -> Response:
        raise HTTPError(503, "full")

    application.routes.get("/full")(refuses)
    assert (client.get("/full").status, client.get("/full").text) == (503, "full\n")


def test_an_error_in_another_thread_is_not_raised(application: Application, client: Client) -> None:
    application.routes.get("/fails")(fails)

    def get_from_another_server(request: Request) -> Response:
        with running(application.routes) as url, pytest.raises(OSError, match="500"):
            urlopen(url + "/fails", timeout=10)
        return Response()

    application.routes.get("/nested")(get_from_another_server)
    assert client.get("/nested").status == 200


# Responses that are known later.


def test_steps_run_in_a_worker_thread_and_are_waited_for(application: Application, client: Client) -> None:
    threads = []

    def steps() -> Any:
        threads.append(threading.get_ident())
        yield lambda: threads.append(threading.get_ident())
        threads.append(threading.get_ident())
        return Response.text("done")

    application.routes.get("/steps")(lambda request: Deferred(steps()))
    assert client.get("/steps").text == "done"
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [True, False, True]


def test_a_deferred_is_resolved_from_any_thread(application: Application, client: Client) -> None:
    entered = threading.Event()

    def resolve() -> None:
        entered.wait(10)
        application.deferred.resolve(Response.text("late"))

    thread = threading.Thread(target=resolve)
    thread.start()

    @application.routes.get("/resolved")
    def deferred(request: Request) -> Deferred:
        entered.set()
        return application.deferred

    assert client.get("/resolved").text == "late"
    thread.join()


def test_a_response_that_never_comes_names_the_state(application: Application) -> None:
    with Client(application.routes, timeout=0.01) as client:
        with pytest.raises(TimeoutError, match=r"no response within 0.01 s: c1 .* AWAITING_RESULT"):
            client.get("/deferred")
        assert client.get("/echo").status == 200
        assert application.deferred.closed


def test_waiting_takes_few_turns(application: Application) -> None:
    turns: list[None] = []
    with Client(application.routes, timeout=0.05) as client:
        client._server._reactor.at_turn_end(lambda: turns.append(None))
        with pytest.raises(TimeoutError):
            client.get("/deferred")
    assert len(turns) < 20


def test_calls_of_other_threads_are_made_before_reading(application: Application) -> None:
    with Client(application.routes, timeout=0.01) as client, client.stream("GET", "/stream") as response:
        with pytest.raises(TimeoutError):
            client.get("/deferred")
        client.get("/echo")  # closes that connection

        def act() -> None:
            application.deferred.resolve(Response())
            application.stream.send(b"a")

        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        assert response.read() == b"a"


def test_the_loop_belongs_to_the_thread_of_the_request(application: Application, client: Client) -> None:
    def steps() -> Any:
        yield partial(client._server._reactor.check_thread, "this")

    application.routes.get("/steps")(lambda request: Deferred(steps()))
    with pytest.raises(RuntimeError, match="this called from another thread"):
        client.get("/steps")


# Streams.


def test_a_stream_gives_what_was_sent_and_ends(application: Application, client: Client) -> None:
    stream = application.stream
    with client.stream("GET", "/stream") as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "application/octet-stream")
        assert (response.read(), response.ended) == (b"", False)
        stream.send(b"one")
        assert response.read() == b"one"
        assert response.read() == b""
        stream.send(b"two")
        assert client.get("/echo").status == 200  # on another connection
        stream.send(b"three" * 1000)
        assert response.read() == b"two" + b"three" * 1000
        stream.send(b"end")
        stream.close()
        assert (response.read(), response.ended) == (b"end", True)
        assert response.read(at_least=1) == b""


def test_a_stream_is_fed_from_another_thread(application: Application, client: Client) -> None:
    with client.stream("GET", "/stream") as response:
        thread = threading.Thread(target=lambda: [application.stream.send(b"%d" % n) for n in range(10)])
        thread.start()
        content = b""
        while len(content) < 10:
            content += response.read(at_least=1)
        thread.join()
    assert content == b"0123456789"


def test_closing_a_stream_disconnects(application: Application, client: Client) -> None:
    with client.stream("GET", "/stream"):
        assert not application.stream.closed
    assert application.stream.closed
    assert not client._server._context.connections


def test_waiting_for_a_silent_stream_times_out(application: Application) -> None:
    with Client(application.routes, timeout=0.01) as client, client.stream("GET", "/stream") as response:
        with pytest.raises(TimeoutError, match="WAITING"):
            response.read(at_least=1)
        application.stream.send(b"a")
        assert response.read() == b"a"


def test_an_endless_stream_is_not_read_endlessly(application: Application, client: Client) -> None:
    closed = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"a" * 1_000_000
        finally:
            closed.append(True)

    application.routes.get("/endless")(lambda request: Response.stream(chunks()))
    with client.stream("GET", "/endless") as response:
        for _ in range(3):
            assert set(response.read()) == {97}
        assert not closed
    assert closed
    with client.stream("GET", "/endless"):
        client.get("/echo")
    assert len(closed) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stream_without_content_ends(client: Client, method: str) -> None:
    with client.stream(method, "/missing") as response:
        content = response.read(at_least=1)
        assert (content, response.ended) == (b"no resource at this path\n" if method == "GET" else b"", True)


def test_a_short_content_is_read_as_a_stream(application: Application, client: Client) -> None:
    application.routes.get("/short")(lambda request: Response.text("ab"))
    with client.stream("GET", "/short") as response:
        assert (response.read(), response.ended) == (b"ab", True)


def test_interim_responses_are_skipped(application: Application, client: Client) -> None:
    class Sink(BufferSink, InterimSink):
        interim = 104, (("X-A", "1"),)

    application.routes.post("/upload", lambda request: Sink(100))(application.echo)
    assert client.post("/upload", content=b"abc").json()[3] == "abc"


def test_nothing_is_sent_after_close(application: Application) -> None:
    client = Client(application.routes)
    assert client.get("/echo").status == 200
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match=r"after Client\.close"):
        client.get("/echo")


# A real server.


def test_a_server_runs_during_the_block(application: Application) -> None:
    servers: list[Server] = []
    with (
        running(application.routes, servers.append, default_headers=(("X-A", "1"),)) as url,
        urlopen(url + "/echo", timeout=10) as response,
    ):
        assert (json.load(response)[0], response.headers["X-A"]) == ("GET", "1")
    with pytest.raises(RuntimeError, match=r"after Server\.close"):
        servers[0].call_soon(print)
    assert not [each for each in threading.enumerate() if each.name.startswith("reactor-server")]


def test_the_response_that_is_being_sent_is_completed(application: Application) -> None:
    with running(application.routes, settings=Settings(linger_timeout=0.01)) as url:
        response = urlopen(url + "/stream", timeout=10)
        application.stream.send(b"last")
    with response:
        assert response.read() == b"last"


def test_errors_of_the_block_and_of_the_thread_are_raised(application: Application) -> None:
    def fail(server: Server) -> None:
        raise PlantedError

    with pytest.raises(PlantedError), running(application.routes, fail):
        pytest.fail("the server has not started")
    with pytest.raises(KeyError), running(application.routes):
        raise KeyError

    def stop(request: Request) -> Response:
        raise SystemExit

    application.routes.get("/exit")(stop)
    with (
        pytest.raises(SystemExit),
        running(application.routes) as url,
        pytest.raises(OSError, match="closed"),
    ):
        urlopen(url + "/exit", timeout=10)


def test_the_options_are_those_of_the_server() -> None:
    chosen = {"routes", "port", "selector", "clock", "wall_clock"}
    assert set(get_type_hints(ServerOptions)) == set(signature(Server).parameters) - chosen
