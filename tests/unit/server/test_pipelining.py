"""Pipelined requests: answered in order, in a loop, and with a bounded share of each turn."""

import sys
from collections.abc import Iterator
from types import FrameType

import pytest

from reactor.http11.message import Request, Response
from reactor.routing import Router
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import (
    RecordingSink,
    answering,
    chunks,
    in_pieces,
    posting,
    read_available,
    request,
    shrink_buffers,
    unread_bytes,
    write,
)

MANY = 2500


def numbered(count: int) -> bytes:
    return b"".join(request(f"/echo/{number}") for number in range(count))


def assert_in_order(client: Client, count: int) -> None:
    assert [answer.content for answer in client.responses()] == [b"%d" % number for number in range(count)]


@pytest.fixture
def _little_recursion() -> Iterator[None]:
    limit = sys.getrecursionlimit()
    depth = sum(1 for _ in frames())
    sys.setrecursionlimit(depth + 60)
    yield
    sys.setrecursionlimit(limit)


def frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


@pytest.mark.usefixtures("_little_recursion")
def test_thousands_of_pipelined_requests_are_answered_in_order() -> None:
    with Harness() as server:
        client = server.connect()
        client.send(numbered(MANY))
        assert_in_order(client, MANY)
        client.assert_open()


@pytest.mark.usefixtures("_little_recursion")
def test_thousands_of_chunks_are_read_without_recursion() -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(request("/post", "Transfer-Encoding: chunked", method="POST") + chunks(*[b"a"] * MANY))
        assert client.assert_responds().content == b"a" * MANY


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_requests_may_arrive_in_any_pieces(size: int) -> None:
    with Harness(answering()) as server:
        client = server.connect()
        posts = [request("/post", method="POST", content=b"%d" % number) for number in range(10)]
        for piece in in_pieces(b"".join(posts), size):
            client.send(piece)
        assert_in_order(client, 10)


def test_pipelined_responses_are_sent_together() -> None:
    with Harness() as server:
        client = server.connect()
        write(client, numbered(100))
        server.reactor.turn()
        client.received, _ = read_available(client)
        assert_in_order(client, 100)


def test_requests_of_all_kinds_can_be_pipelined() -> None:
    with Harness(answering()) as server:
        client = server.connect()
        client.send(
            request("/canary", method="HEAD")
            + request("/none")
            + request("/post", "Transfer-Encoding: chunked", method="POST")
            + chunks(b"chu", b"nked")
            + request("/canary", method="OPTIONS")
            + b"\r\n"
            + request("/post", method="POST", content=b"data")
            + request("/canary", "Connection: close")
            + request("/canary")
        )
        answers = client.responses("HEAD")
        assert [answer.status for answer in answers] == [200, 404, 200, 204, 200, 200]
        assert [answer.content for answer in answers if answer.status == 200] == [
            b"",
            b"chunked",
            b"data",
            b"the canary sings",
        ]
        client.assert_closed()


def test_a_refusal_follows_the_earlier_responses() -> None:
    with Harness() as server:
        client = server.connect()
        client.send(numbered(3) + b"nonsense\r\n\r\n" + numbered(3))
        assert [answer.status for answer in client.responses()] == [200, 200, 200, 400]
        client.assert_closed()


# Backpressure.

HIGH, LOW, SIZE = 20_000, 5_000, 1_000


class Counting:
    """Routes that count their requests; each response, including its head, is SIZE bytes long."""

    def __init__(self) -> None:
        self.requests = 0
        self.length = SIZE
        self.routes = Router()
        self.routes.get("/")(self.answer)

    def answer(self, _: Request) -> Response:
        self.requests += 1
        return Response(200, b"a" * self.length)

    def measure(self) -> None:
        with Harness(self.routes) as server:
            client = server.connect()
            client.send(request())
            self.length -= len(client.read()) - SIZE
        self.requests = 0


@pytest.fixture
def counting() -> Counting:
    routes = Counting()
    routes.measure()
    return routes


def unsent(counting: Counting, client: Client, received: int) -> int:
    return counting.requests * SIZE - received - unread_bytes(client)


def test_parsing_pauses_at_high_water_and_resumes_at_low_water(counting: Counting) -> None:
    with Harness(counting.routes, high_water=HIGH, low_water=LOW) as server:
        client = server.connect()
        shrink_buffers(client)
        write(client, request() * 200)
        received, resumed = 0, []
        server.run()
        assert 0 < counting.requests < 200
        while received < 200 * SIZE:
            assert unsent(counting, client, received) <= HIGH + SIZE
            data = client.sock.recv(700)
            received += len(data)
            before, requests = unsent(counting, client, received), counting.requests
            server.reactor.turn()
            if counting.requests > requests:
                resumed.append(before)
            if counting.requests == 200:
                break
        assert resumed, "the remaining requests were never answered"
        assert max(resumed) <= LOW


def test_a_client_that_does_not_read_is_not_read_from(counting: Counting) -> None:
    with Harness(counting.routes, high_water=HIGH, low_water=LOW, turn_read=1000) as server:
        client = server.connect()
        shrink_buffers(client)
        written = 0
        while data := write(client, request() * 100):
            written += data
            server.run()
            assert written < 10**7, "the server reads without limit"
        assert unsent(counting, client, 0) <= HIGH + SIZE
        assert server.run() == 0, "the server runs turns without progress"


def test_a_slow_reader_gets_every_response(counting: Counting) -> None:
    with Harness(counting.routes, high_water=HIGH, low_water=LOW) as server:
        client = server.connect()
        shrink_buffers(client)
        write(client, request() * 200)
        server.run()
        assert [answer.status for answer in client.responses()] == [200] * 200


# Fairness.


def test_pipelining_does_not_starve_other_clients(counting: Counting) -> None:
    with Harness(counting.routes, high_water=HIGH, low_water=LOW) as server:
        greedy, modest = server.connect(), server.connect()
        write(greedy, request() * 200)
        server.reactor.turn()
        assert 0 < counting.requests < 100
        requests = counting.requests
        write(modest, request())
        server.reactor.turn()
        assert read_available(modest)[0].startswith(b"HTTP/1.1 200")
        assert counting.requests - requests < 100
        assert [answer.status for answer in greedy.responses()] == [200] * 200


def test_an_upload_does_not_starve_other_clients() -> None:
    sink = RecordingSink()
    with Harness(posting(sink), turn_read=1000) as server:
        greedy, modest = server.connect(), server.connect()
        write(greedy, request("/post", method="POST", content=b"a" * 50_000))
        write(modest, request("/canary"))
        server.reactor.turn()
        assert read_available(modest)[0].startswith(b"HTTP/1.1 200")
        assert sum(map(len, sink.pieces)) < 1000


def test_a_stream_does_not_starve_other_clients() -> None:
    given = []

    def pieces() -> Iterator[bytes]:
        for number in range(100):
            given.append(number)
            yield b"a"

    with Harness(answering(lambda: Response(200, pieces()))) as server:
        greedy, modest = server.connect(), server.connect()
        write(greedy, request("/0"))
        write(modest, request("/canary"))
        server.reactor.turn()
        assert read_available(modest)[0].startswith(b"HTTP/1.1 200")
        assert len(given) < 5
        assert greedy.responses()[0].content == b"a" * 100


def test_pending_requests_survive_an_exiting_handler() -> None:
    called = []

    def answer(_: Request) -> Response:
        called.append(1)
        if len(called) == 100:
            raise SystemExit
        return Response.text("a")

    routes = Router()
    routes.get("/a")(answer)
    with Harness(routes) as server:
        client = server.connect()
        with pytest.raises(SystemExit):
            client.send(request("/a") * 200)
        assert client.connection.deadline == client.connection.reactor_deadline
        assert len(client.responses()) == 199
        assert client.connection.state is State.IDLE


def test_pending_requests_of_a_closed_connection_are_dropped() -> None:
    with Harness() as server:
        client = server.connect()
        write(client, numbered(200))
        server.reactor.turn()
        connection = client.connection
        assert connection.state.name == "YIELDING"
        connection.abort()
        connection.on_soon()  # as where the inspector holds the loop before this call
        assert connection.state.name == "CLOSED"
        assert connection.served == 64
