"""The client for tests of an application, in memory, and the server that runs during a test."""

import http.client
import json
import logging
import re
import threading
from collections.abc import Iterator
from functools import partial
from inspect import signature
from itertools import repeat
from pathlib import Path
from typing import Any, get_type_hints
from urllib.request import urlopen

import pytest

from reactor import Deferred, FileSlice, HTTPError, LiveStream, Request, Response, Router, Server, Settings
from reactor.http11.form import Form
from reactor.routing import BufferSink, InterimSink
from reactor.testing import Client, running
from reactor.testing.running import ServerOptions
from reactor.wsgi import mount
from tests.support.requests import RecordingSink


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
    bodies: list[Any] = [{"json": 1, "form": {}}, {"json": 1, "files": {}}, {"content": [], "files": {}}]
    for options in bodies:
        with pytest.raises(ValueError, match="more than one body"):
            client.post("/echo", **options)
    with pytest.raises(TypeError, match="params"):
        client.get("/echo", params={})  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="Invalid header value"):
        client.get("/echo", headers={"X-A": "1\r\nX-B: 2"})
    assert client.get("/echo").status == 200


@pytest.mark.parametrize("content", ["text", {"a": 1}, 1, 0, ["text"], [1]])
def test_content_that_is_not_bytes_is_refused(
    application: Application, client: Client, content: object
) -> None:
    shown = re.escape(repr(content[0] if isinstance(content, list) else content))
    with pytest.raises(TypeError, match=rf"^invalid .*content: {shown} \(expected bytes"):
        client.post("/echo", content=content)  # type: ignore[arg-type]
    assert not application.requests
    assert client.get("/echo").status == 200


def test_files_are_sent_as_a_form(application: Application, client: Client) -> None:
    received: list[Form] = []

    @application.routes.post("/form")
    def keep_form(request: Request) -> str:
        received.append(request.form())
        return ""

    fields = {"a": "x & \xe4\r\n", "b": [1, "+"], "c": "", "d": [], "e": b"f"}
    picture = b"\r\n--\0\xff\r\n"
    files: dict[str, Any] = {
        "photo": ("a.png", picture, "image/png"),
        "list": [b"1", ("2.txt", b"", "text/plain; charset=utf-8")],
        "none": [],
    }
    client.post("/form", form=fields, files=files)
    client.post("/form", form=fields)
    client.post("/form", files={})
    with_files, form, empty = received
    assert list(with_files.items()) == list(form.items())
    assert with_files.get_all("b") == ["1", "+"]
    assert (with_files["a"], with_files["c"], with_files["e"]) == ("x & \xe4\r\n", "", "f")
    assert with_files.files.get_all("photo") == [("a.png", "image/png", picture)]
    assert with_files.files.get_all("list") == [
        ("list", "application/octet-stream", b"1"),
        ("2.txt", "text/plain; charset=utf-8", b""),
    ]
    assert (len(with_files.files), len(empty), len(empty.files)) == (2, 0, 0)


def test_names_in_a_form_are_written_as_by_browsers(application: Application, client: Client) -> None:
    name = 'a"\r\n\xe4\u20ac\\%'
    sent = client.post(
        "/echo", form={name: b"\xff"}, files={name: (name, b"PNG", "image/png"), "plain": b""}
    ).json()
    boundary = sent[2]["content-type"].removeprefix("multipart/form-data; boundary=")
    written = '"a%22%0D%0A\xe4\u20ac\\%"'.encode().decode("latin-1")
    delimiter = f"--{boundary}\r\nContent-Disposition: form-data; name="
    assert sent[3] == (
        f"{delimiter}{written}\r\n\r\n\xff\r\n"
        f"{delimiter}{written}; filename={written}\r\nContent-Type: image/png\r\n\r\nPNG\r\n"
        f'{delimiter}"plain"; filename="plain"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n'
        f"--{boundary}--\r\n"
    )


@pytest.mark.parametrize(
    "file", ["text", None, ("a", b""), ("a", "text", "a/b"), (b"1", b"2"), ("a", b"", "a/b\r\nX: y"), [["x"]]]
)
def test_an_invalid_file_is_refused(client: Client, file: Any) -> None:
    with pytest.raises(
        TypeError, match=r"invalid file 'photo': .* a tuple of file name, bytes and media type"
    ):
        client.post("/echo", files={"photo": file})


def test_an_iterable_content_arrives_part_by_part(application: Application, client: Client) -> None:
    sink = RecordingSink()
    application.routes.post("/upload", sink.open)(application.echo)
    sent = []

    def parts() -> Iterator[bytes]:
        assert sink.steps == ["open"]
        for part in (b"a", b"bc" * 50_000, b"", b"d"):
            yield part
            sent.append(part)
            assert b"".join(sink.pieces) == b"".join(sent)
        assert sink.steps[-1] == "write"

    echo = client.post("/upload", content=parts()).json()
    assert (echo[2], echo[3]) == (HOST, "a" + "bc" * 50_000 + "d")
    assert (sink.pieces[0], sink.pieces[-1]) == (b"a", b"d")
    assert application.requests[0].headers["transfer-encoding"] == "chunked"
    assert client.post("/echo", content=[]).json() == ["POST", "", HOST, ""]
    assert client.post("/echo", content=memoryview(b"a")).json()[3] == "a"


def test_an_iterable_content_ends_when_it_is_refused(application: Application) -> None:
    application.routes.post("/small", lambda request: BufferSink(1000))(application.echo)
    with Client(application.routes) as client:
        assert client.post("/small", content=repeat(b"a" * 100)).status == 413
        assert client.get("/echo").status == 200


def test_an_error_while_content_is_received_is_raised(application: Application, client: Client) -> None:
    sink = RecordingSink("write")
    application.routes.post("/upload", sink.open)(application.echo)
    with pytest.raises(ValueError, match="the secret of write"):
        client.post("/upload", content=repeat(b"a"))
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


@pytest.mark.parametrize("in_loop", [False, True])
def test_what_a_wsgi_application_logs_is_not_an_error(application: Application, in_loop: bool) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        print("a line", file=environ["wsgi.errors"])
        environ["wsgi.errors"].write("an incomplete line")
        start_response("200 OK", [])
        return [b"a"]

    mount(application.routes, app, "/app", in_loop)
    with Client(application.routes) as client:
        assert client.get("/app").text == "a"


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


def test_a_handler_uses_threads_of_a_server_that_does_not_run(application: Application) -> None:
    with Server(application.routes, port=0) as server, Client(application.routes) as client:
        application.routes.get("/thread")(lambda request: server.run_in_thread(lambda: "done"))
        application.routes.get("/fails")(lambda request: server.run_in_thread(fails, request))
        assert client.get("/thread").text == "done"
        with pytest.raises(PlantedError):
            client.get("/fails")


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


def test_waiting_for_the_end_of_a_stream_times_out(application: Application) -> None:
    expected = r"^no end of the response, whose head was sent \(client\.stream.* within 0.01 s: c1 .* WAITING"
    with Client(application.routes, timeout=0.01) as client:
        with pytest.raises(TimeoutError, match=expected):
            client.get("/stream")
        with pytest.raises(TimeoutError, match="no response within"):
            client.get("/deferred")


def test_waiting_for_a_silent_stream_times_out(application: Application) -> None:
    with Client(application.routes, timeout=0.01) as client, client.stream("GET", "/stream") as response:
        with pytest.raises(TimeoutError, match=r"no further content within 0.01 s: .* WAITING"):
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
    chosen = {"routes", "port", "selector", "clock", "wall_clock", "sharing"}
    assert set(get_type_hints(ServerOptions)) == set(signature(Server).parameters) - chosen
