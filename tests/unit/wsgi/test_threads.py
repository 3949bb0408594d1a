"""Applications in worker threads of a running server: clients that leave, stops, and slow clients."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from reactor.server.worker_pool import THREADS
from reactor.settings import Settings
from reactor.wsgi.spooled_stream import MAX_SPOOLED
from tests.support.process import TIMEOUT, ClientConnection
from tests.support.running import ServerThread
from tests.unit.wsgi.sites import TEXT, routes_of

BLOCK = bytes(64 * 1024)


class Output:
    """An iterable whose blocks are made by a test, and which says when it is closed."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self.taken = 0
        self.closes = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.taken += len(block)
            yield block

    def close(self) -> None:
        self.closes += 1
        self.closed.set()


class Application:
    """An application with the paths /quick, /wait (until the test releases it), and /output."""

    def __init__(self, output: Iterable[bytes] = ()) -> None:
        self.output = Output(output)
        self.waiting = threading.Semaphore(0)
        self.released = threading.Event()
        self.calls: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.calls.append(environ["PATH_INFO"])
        start_response("200 OK", TEXT)
        if environ["PATH_INFO"] == "/wait":
            self.waiting.release()
            assert self.released.wait(TIMEOUT)
        return self.output if environ["PATH_INFO"] == "/output" else [b"done"]


def endless() -> Iterator[bytes]:
    while True:
        yield BLOCK


class Site(ServerThread):
    """A running server of the application."""

    def __init__(self, output: Iterable[bytes] = (), **settings: float) -> None:
        self.app = Application(output)
        super().__init__(routes_of(self.app), Settings(**settings))  # type: ignore[arg-type]

    def __enter__(self) -> "Site":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.app.released.set()
        super().__exit__(*error)

    def occupy(self) -> list[ClientConnection]:
        """Let every thread wait in the application."""
        clients = [self.connect() for _ in range(THREADS)]
        for client in clients:
            client.send_head("GET", "/wait")
            assert self.app.waiting.acquire(timeout=TIMEOUT)
        return clients

    def assert_threads_are_free(self) -> None:
        """Assert that every thread takes a request."""
        self.app.released.clear()
        clients = self.occupy()
        self.app.released.set()
        for client in clients:
            assert client.answer().content == b"done"

    def unread_output(self) -> ClientConnection:
        """Request /output and read nothing of it."""
        client = ClientConnection(self.server.address[1], receive_buffer=65536)
        self._connections.append(client)
        client.send_head("GET", "/output")
        return client

    def wait_for_threads(self, condition: Callable[[], bool]) -> None:
        """Let the server take turns until a condition holds."""
        for _ in range(100_000):
            if self.call(condition):
                return
        raise AssertionError("the condition was never true")


def test_the_application_of_a_client_that_leaves_in_the_queue_is_not_called() -> None:
    with Site() as site:
        site.occupy()
        client = site.connect()
        client.send(b"POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        site.wait_for_threads(
            lambda: sum(c.served == 0 for c in site.server.context.connections.values()) == 3
        )
        client.close()
        context = site.server.context
        site.wait_for_threads(lambda: context.occupied == THREADS and not context.abandoned)
        site.app.released.set()
        site.assert_threads_are_free()
        assert "/never" not in site.app.calls


def test_the_output_of_a_client_that_leaves_before_the_first_block_is_closed() -> None:
    entered, release = threading.Event(), threading.Event()

    def output() -> Iterator[bytes]:
        entered.set()
        assert release.wait(TIMEOUT)
        yield BLOCK
        raise AssertionError("the client has left")

    with Site(output()) as site:
        client = site.unread_output()
        assert entered.wait(TIMEOUT)
        client.close()
        site.wait_for_threads(lambda: len(site.server.context.abandoned) == 1)
        release.set()
        assert site.app.output.closed.wait(TIMEOUT)
        site.assert_threads_are_free()
        assert site.app.output.closes == 1


def test_the_output_of_a_client_that_leaves_while_it_is_sent_is_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = threading.Event()

    def output() -> Iterator[bytes]:
        yield b"first"
        assert release.wait(TIMEOUT)
        yield b"second"
        raise AssertionError("the client has left")

    with Site(output()) as site:
        client = site.connect()
        client.send_head("GET", "/output")
        client.read_head()
        client.close()
        site.wait_for_threads(lambda: not site.server.context.connections)
        release.set()
        assert site.app.output.closed.wait(TIMEOUT)
        site.assert_threads_are_free()
        assert site.app.output.closes == 1
    assert "the client has left" not in caplog.text


def leave(site: Site, client: ClientConnection) -> None:
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def stop_at_once(site: Site, client: ClientConnection) -> None:
    site.server.stop()
    site.server.stop()


@pytest.mark.parametrize("first", [b"", b"first"], ids=["before the first block", "after it"])
def test_an_iterable_that_has_no_data_yet_is_closed_when_its_client_leaves(first: bytes) -> None:
    def output() -> Iterator[bytes]:
        yield first
        while True:
            yield b""

    with Site(output()) as site:
        client = site.unread_output()
        site.wait_for_threads(lambda: bool(site.app.calls))
        if first:
            client.read_head()
        client.close()
        assert site.app.output.closed.wait(TIMEOUT)
        site.assert_threads_are_free()


def test_a_first_block_above_all_limits_is_sent() -> None:
    block = bytes(MAX_SPOOLED + 2_000_000)
    with Site([block]) as site:
        client = site.connect()
        client.send_head("GET", "/output")
        assert client.answer().content == block
        site.assert_threads_are_free()


@pytest.mark.parametrize("end", [leave, stop_at_once])
def test_a_thread_that_waits_above_the_mark_is_freed(end: Callable[[Site, ClientConnection], None]) -> None:
    with Site(endless()) as site:
        client = site.unread_output()
        site.wait_for_threads(lambda: site.app.output.taken > MAX_SPOOLED)
        assert not site.app.output.closed.is_set()
        end(site, client)
        if end is leave:
            assert site.app.output.closed.wait(TIMEOUT)
            site.assert_threads_are_free()
        else:
            site.assert_ends()
            site.server.close()
            assert site.app.output.closed.wait(TIMEOUT)
        assert site.app.output.closes == 1


def test_a_client_that_reads_nothing_frees_its_thread_after_the_write_timeout() -> None:
    with Site(endless(), stall_timeout=0.2) as site:
        site.unread_output()
        assert site.app.output.closed.wait(TIMEOUT)
        site.assert_threads_are_free()


def test_slow_readers_of_ordinary_responses_hold_no_thread() -> None:
    size = 2 * 1024 * 1024
    with Site() as site:
        outputs = [Output([BLOCK] * (size // len(BLOCK))) for _ in range(8 * THREADS)]
        remaining = iter(outputs)

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] != "/output":
                return site.app(environ, start_response)
            start_response("200 OK", TEXT)
            return next(remaining)

        site.server.context.router = routes_of(app)
        clients = [site.unread_output() for _ in outputs]
        for output in outputs:
            assert output.closed.wait(TIMEOUT)
        site.assert_threads_are_free()
        for client in clients:
            assert client.answer().content == bytes(size)


def test_slow_senders_hold_no_thread() -> None:
    with Site() as site:
        for _ in range(8 * THREADS):
            site.connect().send(b"POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234")
        site.assert_threads_are_free()
        assert "/quick" not in site.app.calls


def test_any_number_of_requests_may_wait_behind_a_stream() -> None:
    release = threading.Event()

    def output() -> Iterator[bytes]:
        yield b"first"
        assert release.wait(TIMEOUT)

    with Site(output(), max_head=500, turn_read=300) as site:
        client = site.connect()
        client.send_head("GET", "/output")
        client.read_head()
        client.send(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        site.wait_for_threads(lambda: any(c.unparsed > 500 for c in site.server.context.connections.values()))
        release.set()
        site.wait_for_threads(lambda: len(site.app.calls) == 101)


def test_a_graceful_stop_waits_for_a_response_in_progress() -> None:
    release = threading.Event()

    def output() -> Iterator[bytes]:
        yield b"first"
        assert release.wait(TIMEOUT)
        yield b"second"

    with Site(output()) as site:
        client = site.connect()
        client.send_head("GET", "/output")
        while b"first" not in client.received:
            client.received += client.sock.recv(1000)
        site.server.stop()
        site.call(lambda: None)
        release.set()
        assert client.answer().content == b"firstsecond"
        client.close()
        site.assert_ends()


def test_each_block_is_sent_without_delay() -> None:
    steps = threading.Semaphore(0)

    def output() -> Iterator[bytes]:
        for number in range(5):
            assert steps.acquire(timeout=TIMEOUT)
            yield b"%d" % number

    with Site(output()) as site:
        client = site.connect()
        client.send_head("GET", "/output")
        for number in range(5):
            steps.release()
            while b"1\r\n%d\r\n" % number not in client.received:
                client.received += client.sock.recv(1000)
        assert client.answer().content == b"01234"


def test_the_address_of_the_server_is_in_the_environ() -> None:
    seen: list[tuple[str, str]] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append((environ["SERVER_NAME"], environ["SERVER_PORT"]))
        start_response("200 OK", TEXT)
        return [b"x"]

    with ServerThread(routes_of(app)) as running:
        running.connect().get("/")
        host, port = running.server.address
    assert seen == [(host, str(port))]


def test_without_a_thread_a_request_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Site(endless()) as site, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        client = site.connect()
        client.send_head("GET", "/output")
        assert client.answer().status == 503
        assert site.app.calls == []  # in the loop, the output would wait for itself
        patch.undo()
        site.assert_threads_are_free()


def test_the_number_of_threads_is_that_of_the_server() -> None:
    app = Application()
    with ServerThread(routes_of(app), threads=5) as running:
        clients = [running.connect() for _ in range(6)]
        for client in clients:
            client.send_head("GET", "/wait")
        for _ in range(5):
            assert app.waiting.acquire(timeout=TIMEOUT)
        assert not app.waiting.acquire(blocking=False)
        app.released.set()
        for client in clients:
            assert client.answer().content == b"done"


def test_an_application_in_the_loop_that_blocks_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    slow = threading.Event()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        slow.wait(0.02)
        start_response("200 OK", TEXT)
        return [b"x"]

    caplog.set_level(logging.WARNING)
    with ServerThread(routes_of(app, in_loop=True), Settings(slow_turn=0.01)) as running:
        running.connect().get("/")
    assert "blocked the loop" in caplog.text
