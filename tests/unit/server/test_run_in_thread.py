"""Blocking functions in handlers: ``Server.run_in_thread``, and what happens when too many wait."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from reactor import Deferred, HTTPError, Request, Response, Router, Server
from reactor.handlers.files.store import Store
from reactor.http11.deferred import Steps
from reactor.server.thread_result import ThreadResult
from reactor.server.worker_pool import MAX_QUEUED, THREADS
from tests.support.in_process import Harness
from tests.support.process import TIMEOUT
from tests.support.requests import RecordingSink, request
from tests.support.running import ServerThread


class Work:
    """Functions for worker threads."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.released = threading.Event()
        self.calls: list[int] = []

    def wait(self) -> str:
        self.started.release()
        assert self.released.wait(TIMEOUT)
        return "done"

    def note(self, number: int) -> None:
        self.calls.append(number)


@pytest.fixture
def work() -> Iterator[Work]:
    one = Work()
    yield one
    one.released.set()


def fail(error: BaseException) -> str:
    raise error


def wait_until(running: ServerThread, condition: Callable[[], bool]) -> None:
    """Wait until a condition, which is checked in the loop, is true."""
    ends = time.monotonic() + TIMEOUT
    while not running.call(condition):
        assert time.monotonic() < ends, "the condition does not become true"


class Site(ServerThread):
    """A server whose route / runs a function in a thread and returns its result."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        routes = Router()
        self.deferred: list[Deferred] = []

        @routes.get("/")
        def root(request: Request) -> Deferred:
            self.deferred.append(self.server.run_in_thread(function, *arguments))
            return self.deferred[-1]

        @routes.get("/other")
        def other(request: Request) -> str:
            return "other"

        @routes.get("/forget")
        def forget(request: Request) -> str:
            self.server.run_in_thread(function, *arguments)
            return "forgotten"

        super().__init__(routes)

    def __enter__(self) -> "Site":
        self.start()
        return self

    def get(self, path: str = "/") -> tuple[bytes, bytes]:
        """Return the status line and the content of a response."""
        client = self.connect()
        client.send_head("GET", path, "Connection: close")
        head, _, content = client.read_to_end().partition(b"\r\n\r\n")
        return head.split(b"\r\n")[0], content


@pytest.mark.parametrize(
    ("result", "content"),
    [("text", b"text"), ({"a": 1}, b'{"a":1}'), (Response(200, b"a"), b"a")],
    ids=["str", "dict", "Response"],
)
def test_a_handler_returns_the_result_of_a_function(result: object, content: bytes) -> None:
    threads: list[int | None] = []

    def function(*arguments: object) -> object:
        threads.append(threading.current_thread().ident)
        return arguments[0]

    with Site(function, result, 2) as running:
        assert running.get() == (b"HTTP/1.1 200 OK", content)
        assert threads[0] != running.thread.ident


def test_other_requests_are_answered_meanwhile(work: Work) -> None:
    with Site(work.wait) as running:
        client = running.connect()
        client.send_head("GET", "/")
        assert work.started.acquire(timeout=TIMEOUT)
        assert running.get("/other")[1] == b"other"
        work.released.set()
        assert client.read_head().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("error", "status", "messages"),
    [
        (HTTPError(409, "taken"), b"409 Conflict", []),
        (KeyError("planted"), b"500 Internal Server Error", ["unhandled exception in the handler of "]),
        (SystemExit(3), b"500 Internal Server Error", ["unhandled exception in the handler of "]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_is_handled_like_one_of_the_handler(
    error: BaseException, status: bytes, messages: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with Site(fail, error) as running:
        for _ in range(THREADS + 1):  # no thread has ended
            assert running.get()[0] == b"HTTP/1.1 " + status
        running.call(list)
    expected = messages * (THREADS + 1)
    assert len(caplog.records) == len(expected)
    for record, message in zip(caplog.records, expected, strict=True):
        assert message in record.getMessage()


def test_a_result_that_is_none_is_an_error_of_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    with Site(list[int]().clear) as running:
        assert running.get()[0].startswith(b"HTTP/1.1 500 ")
    (record,) = caplog.records
    assert f"the handler {__name__}.Site.__init__.<locals>.root of GET / returned None" in record.getMessage()


@pytest.mark.parametrize("error", [None, KeyError("planted"), HTTPError(400, "planted")])
def test_an_exception_of_a_result_that_no_handler_returns_is_logged(
    error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()

    def function() -> None:
        ended.set()
        if error is not None:
            raise error

    with Site(function) as running:
        assert running.get("/forget")[1] == b"forgotten"
        assert ended.wait(TIMEOUT)
        wait_until(running, lambda: error is None or bool(caplog.records))
    name = f"{__name__}.{function.__qualname__}"
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ([] if error is None else [f"unhandled exception in {name}, run in a thread"])


def test_a_handler_may_return_a_result_that_has_failed_already(caplog: pytest.LogCaptureFixture) -> None:
    later: list[Callable[[], object]] = []

    def call_soon(function: Callable[[], object]) -> bool:
        later.append(function)
        return True

    result = ThreadResult(lambda: fail(HTTPError(409, "taken")), call_soon)
    result.call()
    routes = Router()
    routes.get("/")(lambda _: result)
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/"))
        client.assert_responds(409)
        later.pop()()
    assert caplog.records == []


def test_a_client_that_disconnects_is_noticed(work: Work) -> None:
    with Site(work.wait) as running:
        client = running.connect()
        client.send_head("GET", "/")
        assert work.started.acquire(timeout=TIMEOUT)
        client.close()
        wait_until(running, lambda: not running.server.context.connections)
        assert running.deferred[0].closed
        assert running.call(lambda: running.server.context.occupied) == 1
        work.released.set()
        wait_until(running, lambda: running.server.context.occupied == 0)


def test_it_can_be_called_in_any_thread_and_not_after_close(work: Work) -> None:
    with Server(Router(), port=0) as server:
        server.run_in_thread(work.note, 1)
        other = threading.Thread(target=server.run_in_thread, args=(work.note, 2))
        other.start()
        other.join(TIMEOUT)
    assert sorted(work.calls) == [1, 2]
    with pytest.raises(RuntimeError, match=r"Server.run_in_thread\(\) called after Server.close\(\)"):
        server.run_in_thread(work.note, 3)


# A full queue.


def test_run_in_thread_raises_503_when_the_queue_is_full(work: Work) -> None:
    with Server(Router(), port=0) as server:
        for _ in range(THREADS):
            server.run_in_thread(work.wait)
        for _ in range(THREADS):
            assert work.started.acquire(timeout=TIMEOUT)
        for number in range(MAX_QUEUED):
            assert not server.context.worker_queue_is_full()
            server.run_in_thread(work.note, number)
        assert server.context.worker_queue_is_full()  # for steps
        with pytest.raises(HTTPError) as caught:
            server.run_in_thread(work.note, -1)
        work.released.set()
    assert (caught.value.status, caught.value.headers) == (503, (("Retry-After", "10"),))
    assert len(work.calls) == MAX_QUEUED
    assert -1 not in work.calls


@pytest.mark.parametrize("is_full", [False, True])
def test_steps_do_not_begin_when_the_queue_is_full(is_full: bool) -> None:
    begun: list[int] = []
    sink = RecordingSink()

    def steps() -> Steps:
        begun.append(1)
        yield int
        return "done"

    routes = Router()
    routes.post("/", sink=sink.open)(lambda _: Deferred(steps()))
    with Harness(routes) as server:
        server.context.worker_queue_is_full = lambda: is_full
        client = server.connect()
        client.send(request("/", method="POST", content=b"1"))
        answer = client.assert_responds(503 if is_full else 200)
        assert answer.headers.get("retry-after") == ("10" if is_full else None)
        assert (begun, sink.times_closed) == ([] if is_full else [1], 1)
        client.send(request("/", method="POST", content=b"1"))  # the connection persists
        client.assert_responds(503 if is_full else 200)


def test_results_without_steps_and_those_that_have_begun_need_no_room() -> None:
    routes = Router()
    resolved = Deferred()
    resolved.resolve("resolved")
    result = ThreadResult(lambda: "result", lambda function: True)
    result.call()
    routes.get("/0")(lambda _: resolved)
    routes.get("/1")(lambda _: result)
    with Harness(routes) as server:
        server.context.worker_queue_is_full = lambda: True
        assert server.connect().get("/0").content == b"resolved"
        assert server.connect().get("/1").content == b"result"


def test_an_upload_with_fsync_is_not_stored_when_the_queue_is_full(tmp_path: Path) -> None:
    with Harness(store=Store(tmp_path, fsync=True)) as server:
        server.context.worker_queue_is_full = lambda: True
        client = server.connect()
        client.send(request("/files/a", method="POST", content=b"hello"))
        assert client.assert_responds(503).headers["retry-after"] == "10"
        assert list(tmp_path.iterdir()) == []
        server.context.worker_queue_is_full = lambda: False
        client.send(request("/files/a", method="POST", content=b"hello"))
        client.assert_responds(201)
    assert (tmp_path / "a").read_bytes() == b"hello"


def test_an_upload_with_fsync_has_no_timeout(tmp_path: Path) -> None:
    work: list[Callable[[], object]] = []
    with Harness(store=Store(tmp_path, fsync=True), in_worker=work.append) as server:
        client = server.connect()
        client.send(request("/files/a", method="POST", content=b"hello"))
        server.clock.advance(100_000)
        client.assert_open()
        while work:
            work.pop()()
        client.assert_responds(201)


# Functions that do not end.


@pytest.mark.parametrize("kind", ["steps", "function"])
def test_a_function_that_does_not_end_does_not_keep_the_server_open(
    kind: str, work: Work, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = RecordingSink()
    routes = Router()

    @routes.post("/", sink=sink.open)
    def root(request: Request) -> Deferred:
        return running.server.run_in_thread(work.wait) if kind == "function" else Deferred(steps())

    def steps() -> Steps:
        yield work.wait
        return "done"

    running = ServerThread(routes)
    workers = running.server._workers
    threads = threading.enumerate()
    monkeypatch.setattr(workers, "close", partial(workers.close, 0.01))
    with running:
        client = running.connect()
        client.send(request("/", method="POST", content=b"1"))
        assert work.started.acquire(timeout=TIMEOUT)
    assert [record.getMessage() for record in caplog.records] == [
        f"worker threads still running after 0.01 s: {__name__}.Work.wait"
    ]
    assert sink.times_closed == 0, "the body is closed while a function may use it"
    assert caplog.records[0].levelno == logging.WARNING
    work.released.set()
    for thread in set(threading.enumerate()) - set(threads):
        thread.join(TIMEOUT)


def test_a_handler_may_set_the_timeout_of_a_result(work: Work) -> None:
    results: list[ThreadResult] = []
    routes = Router()

    @routes.get("/")
    def root(request: Request) -> Deferred:
        results.append(ThreadResult(work.wait, lambda function: True))
        results[-1].timeout = 5.0
        return results[-1]

    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/"))
        server.clock.advance(5.1)
        client.assert_responds(503)
        assert results[0].closed
