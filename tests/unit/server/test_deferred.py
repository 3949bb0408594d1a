"""Responses that are known later: the connection waits for them, and other clients do not."""

import gc
import inspect
import io
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from reactor import Deferred, HTTPError, Request, Response
from reactor.event_handler import Interest
from reactor.http11.deferred import Steps
from reactor.routing import Router
from reactor.server.context import ServerState
from reactor.server.state import State
from reactor.server.worker_pool import THREADS
from tests.support.in_process import Client, Harness
from tests.support.process import TIMEOUT
from tests.support.requests import CANARY, RecordingSink, answering, request
from tests.support.running import ServerThread

LATER = request("/later")
POST = request("/post", method="POST", content=b"hello")


class Site(Harness):
    """A server with the routes /later and /post, which answer when the test resolves a Deferred."""

    def __init__(self, turn_read: int = 65536) -> None:
        self.deferred: list[Deferred] = []
        self.sink = RecordingSink()
        self.log = io.StringIO()
        routes = answering()
        routes.get("/later")(self.later)
        routes = with_post(routes, self.sink, self.later)
        super().__init__(routes, access_log=self.log, max_head=500, turn_read=turn_read)

    def later(self, request: Request) -> Deferred:
        self.deferred.append(Deferred())
        return self.deferred[-1]

    def resolve(self, text: str = "late") -> None:
        """Resolve the next Deferred."""
        self.deferred.pop(0).resolve(Response.text(text))
        self.run()

    @property
    def lines(self) -> list[str]:
        """The lines of the access log: the request line and the status."""
        return [
            " ".join(line.split('"')[1::2][:1] + line.split('"')[2].split()[:1])
            for line in self.log.getvalue().splitlines()
        ]


def with_post(routes: Router, sink: RecordingSink, handler: Callable[[Request], Deferred]) -> Router:
    made = Router()
    made.get("/later")(handler)
    made.post("/post", sink=sink.open)(handler)
    made.get("/canary")(lambda _: Response(200, b"the canary sings"))
    return made


@pytest.fixture
def server() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def client(server: Site) -> Client:
    return server.connect()


def test_the_connection_waits_for_the_response_and_others_do_not(server: Site, client: Client) -> None:
    client.send(LATER)
    client.assert_open()
    assert client.connection.state is State.AWAITING_RESULT
    assert server.run() == 0, "waiting causes turns"
    assert server.connect().get("/canary").content == b"the canary sings"
    server.clock.advance(59)
    client.assert_open()
    server.resolve()
    assert client.assert_responds().content == b"late"
    assert client.get("/canary").content == b"the canary sings"


@pytest.mark.parametrize("resolve", ["before", "in the handler's turn"])
def test_a_response_that_is_known_at_once_is_sent(resolve: str) -> None:
    routes = answering()

    @routes.get("/now")
    def now(request: Request) -> Deferred:
        deferred = Deferred(done_at_once() if resolve != "before" else None)
        if resolve == "before":
            deferred.resolve(Response.text("now"))
        return deferred

    def done_at_once() -> Steps:
        if (yield int) == 0:
            return Response.text("now")
        raise AssertionError

    limit = sys.getrecursionlimit()
    with Harness(routes) as server:
        client = server.connect()
        sys.setrecursionlimit(len(inspect.stack()) + 100)
        try:
            client.send(request("/now") * 300 + CANARY)
        finally:
            sys.setrecursionlimit(limit)
        answers = client.responses()
    assert [answer.content for answer in answers] == [b"now"] * 300 + [b"the canary sings"]


def test_pipelined_requests_are_answered_in_order(server: Site, client: Client) -> None:
    client.send(CANARY + LATER + CANARY + LATER + CANARY)
    assert [answer.content for answer in client.responses()] == [b"the canary sings"]
    server.resolve("first")
    assert [answer.content for answer in client.responses()] == [b"first", b"the canary sings"]
    server.resolve("second")
    assert [answer.content for answer in client.responses()] == [b"second", b"the canary sings"]


def test_more_than_a_head_of_pipelined_bytes_is_left_in_the_socket() -> None:
    with Site(turn_read=300) as server:
        client = server.connect()
        client.send(LATER)
        client.send(CANARY * 200)
        assert server.run() == 0
        assert client.connection.unparsed == 600
        server.resolve()
        assert len(client.responses()) == 201


def test_a_connection_with_enough_pipelined_bytes_does_not_wait_for_more(
    server: Site, client: Client
) -> None:
    client.send(LATER + CANARY * 200)
    assert (client.connection.state, client.connection.interest) == (State.AWAITING_RESULT, Interest.NONE)
    assert server.run() == 0
    server.resolve()
    assert len(client.responses()) == 201


@pytest.mark.parametrize(
    ("lines", "version", "closes"),
    [((), "HTTP/1.1", False), (("Connection: close",), "HTTP/1.1", True), ((), "HTTP/1.0", True)],
)
def test_connections_persist_as_after_other_responses(
    server: Site, client: Client, lines: tuple[str, ...], version: str, closes: bool
) -> None:
    client.send(request("/later", *lines, version=version))
    server.resolve()
    assert client.assert_responds().content == b"late"
    client.read()
    assert client.closed == closes


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_errors_are_answered_as_those_of_a_handler(
    server: Site, client: Client, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    for error, status in ((HTTPError(409, "planted"), 409), (ValueError("planted"), 500)):
        client.send(request("/later", method=method))
        server.deferred.pop().fail(error)
        (answer,) = client.responses(method)
        assert answer.status == status
    assert "unhandled exception in the handler of <Request " in caplog.text


def test_the_body_is_closed_once_after_the_response_is_known(server: Site, client: Client) -> None:
    client.send(POST)
    assert server.sink.steps == ["open", "write", "finish"]
    server.resolve()
    client.assert_responds()
    assert server.sink.times_closed == 1
    assert client.get("/canary").status == 200


@pytest.mark.parametrize("data", [LATER, POST, CANARY + POST])
@pytest.mark.parametrize("go", [Client.close, Client.half_close])
def test_a_client_that_disconnects_is_noticed(
    server: Site, client: Client, data: bytes, go: Callable[[Client], None]
) -> None:
    client.send(data)
    (deferred,) = server.deferred
    assert not deferred.closed
    go(client)
    assert (deferred.closed, client.connection.state) == (True, State.CLOSED)
    assert server.sink.times_closed == 0, "the handler may still use the body"
    content = Content()
    deferred.resolve(Response(200, content))
    assert content.closed == 1
    assert server.sink.times_closed == (b"POST" in data)
    assert not server.context.abandoned
    assert server.lines[-1] == f"{'POST /post' if b'POST' in data else 'GET /later'} HTTP/1.1 499"
    assert len(server.lines) == data.count(b"HTTP/1.1")


@pytest.mark.parametrize("client_leaves", [True, False])
def test_a_deferred_that_the_application_drops_releases_the_request_body(
    server: Site, client: Client, client_leaves: bool
) -> None:
    client.send(POST)
    if client_leaves:
        client.close()
    else:
        server.clock.advance(61)  # the result timeout
        client.assert_responds(503)
    assert (server.sink.times_closed, list(server.context.abandoned)) == (0, [client.connection])
    gc.disable()  # released without a garbage collection
    server.deferred.clear()
    gc.enable()
    assert (server.sink.times_closed, server.context.abandoned) == (1, {})


class Content:
    """A body that counts how often it is closed."""

    closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"content"

    def close(self) -> None:
        self.closed += 1


def test_a_response_is_logged_once_with_the_time_that_it_took(server: Site, client: Client) -> None:
    client.send(LATER)
    server.clock.advance(3)
    assert server.lines == []
    server.resolve()
    client.assert_responds()
    assert server.lines == ["GET /later HTTP/1.1 200"]
    assert " 3000000 " in server.log.getvalue().replace("\n", " ")


def test_an_exception_after_the_client_has_disconnected_is_logged(
    server: Site, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (HTTPError(409, "expected"), ValueError("planted")):
        client = server.connect()
        client.send(LATER)
        client.close()
        server.deferred.pop().fail(error)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.getMessage() == "c3: unhandled exception of a result that was no longer awaited"


def test_a_response_that_is_known_when_the_client_is_reset_is_dropped(server: Site, client: Client) -> None:
    client.send(POST)
    content = Content()
    deferred = server.deferred.pop()
    deferred.resolve(Response(200, content))  # and no turn sends it
    client.connection.abort()
    assert (content.closed, server.sink.times_closed) == (1, 1)
    assert not server.context.abandoned


def test_a_late_notification_does_not_drop_the_next_result() -> None:
    """Another thread may resolve a Deferred just before it is sent; the loop is notified a turn later."""
    with Site() as server:
        notifications: list[Callable[[], object]] = []
        server.context._call_soon = notifications.append
        client = server.connect()
        client.send(LATER)
        content = Content()
        server.deferred.pop().resolve(Response(200, content))
        client.connection.on_soon()  # finds the result before the loop is notified
        client.send(POST)
        client.connection.abort()
        for notify in notifications:
            notify()
        assert (content.closed, server.sink.times_closed) == (1, 0), "the handler still uses the body"
        (second,) = server.deferred
        second.resolve(Response.text("late"))
        notifications.pop()()
        assert server.sink.times_closed == 1
        assert not server.context.abandoned


def test_a_deferred_that_is_returned_twice_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    deferred = Deferred()
    deferred.resolve(Response.text("once"))
    routes = answering()
    routes.get("/same")(lambda _: deferred)
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/same") * 2)
        assert [answer.status for answer in client.responses()] == [200, 500]
    assert "a Deferred can be returned only once" in caplog.text


def test_a_graceful_stop_waits_for_the_response(server: Site, client: Client) -> None:
    client.send(LATER)
    server.context.enter(ServerState.STOPPING)
    client.connection.stop()
    client.assert_open()
    server.resolve()
    answer = client.assert_responds()
    assert (answer.content, answer.headers["connection"]) == (b"late", "close")
    client.read()
    assert client.closed


# With the threads of a server.


def test_steps_run_in_a_worker_thread_of_the_server() -> None:
    threads: list[int] = []
    routes = Router()

    @routes.get("/")
    def root(request: Request) -> Deferred:
        return Deferred(steps())

    def steps() -> Steps:
        threads.append(threading.get_ident())
        threads.append((yield threading.get_ident))
        threads.append(threading.get_ident())
        return Response.text("done")

    with ServerThread(routes) as running:
        client = running.connect()
        client.send_head("GET", "/")
        assert client.read_head().startswith(b"HTTP/1.1 200 ")
    assert threads[0] == threads[2] == running.thread.ident
    assert threads[1] != running.thread.ident


def test_a_deferred_is_resolved_by_another_thread() -> None:
    deferred = Deferred()
    returned = threading.Event()
    routes = Router()

    @routes.get("/")
    def root(request: Request) -> Deferred:
        returned.set()
        return deferred

    with ServerThread(routes) as running:
        client = running.connect()
        client.send_head("GET", "/")
        assert returned.wait(TIMEOUT)
        deferred.resolve(Response.text("done"))
        assert client.read_head().startswith(b"HTTP/1.1 200 ")


def test_closing_the_server_ends_steps_and_closes_their_bodies(caplog: pytest.LogCaptureFixture) -> None:
    started, release = threading.Event(), threading.Event()
    sink = RecordingSink()
    routes = Router()
    after: list[str] = []

    @routes.post("/", sink=sink.open)
    def post(request: Request) -> Deferred:
        return Deferred(steps())

    def steps() -> Steps:
        try:
            yield block
        except GeneratorExit:
            after.append("the steps are ended")
            raise
        after.append("the next step")
        return Response.text("done")

    def block() -> None:
        started.set()
        assert release.wait(TIMEOUT)
        after.append("the step has ended")

    def close(body: RecordingSink) -> None:
        after.append("the body is closed")

    sink.close = lambda: close(sink)  # type: ignore[method-assign]
    running = ServerThread(routes)
    with running:
        client = running.connect()
        client.send(request("/", method="POST", content=b"hello"))
        assert started.wait(TIMEOUT)
        client.close()
        threading.Timer(0.01, release.set).start()
    assert after == ["the step has ended", "the steps are ended", "the body is closed"]
    assert caplog.records == []


def test_closing_the_server_waits_only_for_steps_that_have_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    started, release = threading.Semaphore(0), threading.Event()
    routes = Router()
    sink = RecordingSink()
    queued = threading.Semaphore(0)
    steps_run: list[int] = []

    @routes.post("/", sink=sink.open)
    def post(request: Request) -> Deferred:
        return Deferred(steps())

    def steps() -> Steps:
        running.server.call_soon(queued.release)  # in the next turn, when the step waits for a thread
        yield block
        return Response.text("done")

    def block() -> None:
        started.release()
        assert release.wait(TIMEOUT)
        steps_run.append(1)

    def wait_for_steps() -> None:
        release.set()
        close_pool()

    running = ServerThread(routes)
    close_pool = running.server._workers.close
    monkeypatch.setattr(running.server._workers, "close", wait_for_steps)
    with running:
        for _ in range(THREADS + 3):
            running.connect().send(request("/", method="POST", content=b"hello"))
            assert queued.acquire(timeout=TIMEOUT)
        for _ in range(THREADS):
            assert started.acquire(timeout=TIMEOUT)
    assert len(steps_run) == THREADS
    assert sink.times_closed == THREADS + 3
