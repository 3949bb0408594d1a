"""Other threads reach a server by ``call_soon``, ``stop`` and live streams only."""

import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from selectors import DefaultSelector

import pytest

from reactor import LiveStream, Request, Response, Router, Server
from reactor.event_handler import EventHandler
from reactor.server.connection import Connection
from tests.support.process import TIMEOUT, ClientConnection
from tests.support.running import ServerThread

COUNT = 400


class Running(ServerThread):
    """A server in a thread, where each GET /live has a live stream of its own."""

    def __init__(self) -> None:
        routes = Router()
        self.streams: list[LiveStream] = []
        self.subscribed = threading.Semaphore(0)

        @routes.get("/live")
        def live(request: Request) -> Response:
            self.streams.append(LiveStream(1 << 20))
            self.subscribed.release()
            return Response(200, self.streams[-1])

        @routes.get("/")
        def root(request: Request) -> Response:
            return Response(200)

        super().__init__(routes)

    def __enter__(self) -> "Running":
        self.start()
        return self

    def subscribe(self) -> ClientConnection:
        """Request a live stream; return after its handler has returned."""
        client = ClientConnection(self.server.address[1])
        client.send_head("GET", "/live")
        assert client.read_head().startswith(b"HTTP/1.1 200 ")
        assert self.subscribed.acquire(timeout=TIMEOUT)
        return client


@pytest.fixture
def running() -> Iterator[Running]:
    with Running() as running:
        yield running


def read_chunks(client: ClientConnection) -> bytes:
    """Read a chunked body to the end of the connection; return its data."""
    rest, data = client.read_to_end(), b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        data += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return data


def test_call_soon_calls_in_the_thread_of_the_server(running: Running) -> None:
    assert running.call(threading.get_ident) == running.thread.ident


def test_call_soon_before_run_is_called_when_it_runs() -> None:
    called: list[int] = []
    running = Running()
    running.server.call_soon(called.append, 1)
    with running:
        assert running.call(lambda: called) == [1]


def test_after_close_call_soon_raises_and_stop_is_ignored() -> None:
    server = Server(Router(), port=0)
    server.close()
    server.stop()
    with pytest.raises(RuntimeError, match=r"Server\.call_soon\(\) called after"):
        server.call_soon(print)


def test_every_message_of_another_thread_arrives_in_order(running: Running) -> None:
    with running.subscribe() as client:
        stream = running.streams[0]
        messages = [b"<%d>" % number for number in range(COUNT)]
        for message in messages:
            assert stream.send(message)
        stream.close()
        running.server.stop()
        assert read_chunks(client) == b"".join(messages)


def test_a_stream_filled_by_another_thread_is_complete() -> None:
    routes = Router()

    @routes.get("/live")
    def live(request: Request) -> Response:
        stream = LiveStream()

        def fill() -> None:
            stream.send(b"early")
            stream.close()

        thread = threading.Thread(target=fill)
        thread.start()
        thread.join(TIMEOUT)
        return Response(200, stream)

    with Server(routes, port=0) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        with ClientConnection(server.address[1]) as client:
            assert client.get("/live").content == b"early"
        server.stop()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def test_four_threads_and_a_hundred_clients_lose_nothing() -> None:
    rounds = 30
    with Running() as running:
        clients = [running.subscribe() for _ in range(100)]
        staying = [number for number in range(100) if number % 4]
        sent: dict[int, list[bytes]] = {number: [] for number in range(100)}
        start = threading.Barrier(5)

        def send_messages(thread: int) -> None:
            start.wait(TIMEOUT)
            for turn in range(rounds):
                for number in range(thread, 100, 4):
                    message = b"<%d %d>" % (number, turn)
                    if running.streams[number].send(message):
                        sent[number].append(message)

        threads = [threading.Thread(target=send_messages, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        start.wait(TIMEOUT)
        for number in range(0, 100, 4):
            clients[number].sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset
            clients[number].close()
        for thread in threads:
            thread.join(TIMEOUT)
        running.server.stop()
        for number in staying:
            assert len(sent[number]) == rounds
            assert read_chunks(clients[number]) == b"".join(sent[number])
            clients[number].close()
        running.assert_ends()
        assert all(stream.closed for stream in running.streams)


def test_sending_from_threads_while_stopping_raises() -> None:
    with Running() as running:
        clients = [running.subscribe() for _ in range(8)]
        started = threading.Semaphore(0)

        def send_messages(stream: LiveStream) -> None:
            stream.send(b"first")
            started.release()
            while not stream.closed:
                stream.send(b"news")

        threads = [threading.Thread(target=send_messages, args=(stream,)) for stream in running.streams]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert started.acquire(timeout=TIMEOUT)
        running.server.stop()
        for thread in threads:
            thread.join(TIMEOUT)
            assert not thread.is_alive()
        for client in clients:
            assert client.read_to_end().endswith(b"0\r\n\r\n")
            client.close()
        running.assert_ends()


def test_streams_without_clients_leave_the_loop_asleep(running: Running) -> None:
    for _ in range(5):
        running.subscribe().close()
    running.call(lambda: None)
    while not all(stream.closed for stream in running.streams):
        running.call(lambda: None)
    for stream in running.streams:
        assert not stream.send(b"nothing")
        stream.close()
    turns: list[int] = []
    running.call(lambda: running.server.reactor.at_turn_end(lambda: turns.append(1)))
    running.call(lambda: turns.clear())
    running.call(lambda: None)
    assert len(turns) <= 2, "the loop does not sleep"


# All other methods raise in a wrong thread.

WRONG: list[Callable[[Server], object]] = [
    lambda server: server.reactor.run(),
    lambda server: server.close(),
    lambda server: server.reactor.stop(),
    lambda server: server.reactor.close(),
    lambda server: server.reactor.register(EventHandler()),
    lambda server: server.reactor.refresh(EventHandler()),
    lambda server: server.reactor.remove(EventHandler()),
    lambda server: server.reactor.at_turn_end(print),
    lambda server: server.on_signal(15),
    lambda server: next(iter(server.context.connections.values())).abort(),
    lambda server: next(iter(server.context.connections.values())).stop(),
]


@pytest.mark.parametrize("call", WRONG)
def test_a_call_from_a_wrong_thread_raises(running: Running, call: Callable[[Server], object]) -> None:
    with ClientConnection(running.server.address[1]) as client:
        assert client.get("/").status == 200
        with pytest.raises(RuntimeError, match=r"another thread.*call_soon"):
            call(running.server)
        answer = client.get("/")
        assert (answer.status, answer.headers.get("connection")) == (200, None)


def test_a_second_run_raises(running: Running) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError, match=r"Server\.run\(\) called while the server is running"):
        running.server.run()
    assert signal.getsignal(signal.SIGTERM) is before
    with ClientConnection(running.server.address[1]) as client:
        assert client.get("/").status == 200


def test_close_in_a_function_passed_to_call_soon_ends_run(running: Running) -> None:
    running.server.call_soon(running.server.close)
    running.assert_ends()


def test_close_in_a_handler_ends_run() -> None:
    routes = Router()
    server = Server(routes, port=0)

    @routes.get("/")
    def leave(request: Request) -> Response:
        server.close()
        return Response(200)

    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with ClientConnection(server.address[1]) as client:
        client.send_head("GET", "/")
        assert client.read_to_end() == b""
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    server.close()


def test_leaving_a_running_server_raises_and_stops_it() -> None:
    running = Running()
    running.start()
    with pytest.raises(RuntimeError, match="another thread"):
        running.server.__exit__(None, None, None)
    running.assert_ends()
    running.server.close()


def test_run_after_the_end_raises() -> None:
    server = Server(Router(), port=0)
    server.stop()
    server.run()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="after the server has stopped"):
            server.run()
        server.close()


def test_a_flood_of_calls_does_not_starve_clients(running: Running) -> None:
    ended = threading.Event()

    def flood() -> None:
        while not ended.is_set():
            running.server.call_soon(sum, range(2000))

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        with ClientConnection(running.server.address[1]) as client:
            for _ in range(3):
                assert client.get("/").status == 200
    finally:
        ended.set()
        thread.join(TIMEOUT)
    running.server.stop()
    running.assert_ends()


def test_a_stream_cannot_be_sent_in_two_responses() -> None:
    routes, stream = Router(), LiveStream()
    routes.get("/live")(lambda request: Response(200, stream))
    server = Server(routes, port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    with ClientConnection(server.address[1]) as first, ClientConnection(server.address[1]) as second:
        first.send_head("GET", "/live")
        assert b" 200 " in first.read_head()
        assert second.get("/live").status == 500
        stream.send(b"news")
        stream.close()
        server.stop()
        assert read_chunks(first) == b"news"
    thread.join(TIMEOUT)
    server.close()


@pytest.mark.parametrize("data", ["text", bytearray(b"a"), memoryview(b"a"), [1], None, 5])
def test_sending_anything_but_bytes_is_a_type_error(data: object) -> None:
    with pytest.raises(TypeError, match=r"LiveStream\.send\(\) takes bytes, not"):
        LiveStream().send(data)  # type: ignore[arg-type]


def test_a_stream_does_not_keep_its_connection_alive(running: Running) -> None:
    running.subscribe().close()
    while not running.streams[0].closed:
        running.call(lambda: None)
    running.call(gc.collect)
    context = running.server.context

    def connections() -> list[Connection]:
        found = [each for each in gc.get_objects() if isinstance(each, Connection)]
        return [each for each in found if each._context is context]

    assert running.call(connections) == []


def test_the_next_run_after_a_failed_one_can_be_stopped() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with Server(Router(), port=0) as server:
        with pytest.raises(ZeroDivisionError):
            server.run(fail)
        server.run(server.stop)


def test_close_when_it_is_ready_ends_run() -> None:
    server = Server(Router(), port=0)
    server.run(server.close)
    assert server.reactor.thread is None


def test_a_server_runs_from_its_callback_on() -> None:
    def run_again() -> None:
        with pytest.raises(RuntimeError, match="called while the server is running"):
            server.run(server.stop)
        server.stop()

    with Server(Router(), port=0) as server:
        server.run(run_again)


def test_a_run_leaves_nothing_registered() -> None:
    with DefaultSelector() as selector, Server(Router(), port=0, selector=selector) as server:
        before = len(selector.get_map())
        during: list[int] = []

        def fail() -> None:
            during.append(len(selector.get_map()))
            raise ZeroDivisionError

        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                server.run(fail)
            assert len(selector.get_map()) == before
        assert during == [before + 1] * 2
