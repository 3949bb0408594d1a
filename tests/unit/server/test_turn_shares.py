"""A connection's share of a turn is counted in requests and chunks, not in bytes."""

import socket
from typing import Any

import pytest

from reactor.event_handler import EventHandler, Interest
from reactor.http11.chunked import CHUNKS_PER_CALL
from reactor.http11.message import Request, Response
from reactor.loop import Reactor
from reactor.routing import Router
from tests.support.in_process import Harness

GET = b"GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
PLAIN = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
GET_WITH_BODY = GET[:-2] + b"Content-Length: 1\r\n\r\nx"
POST, EMPTY_PUT = GET_WITH_BODY.replace(b"GET", b"POST"), GET.replace(b"GET", b"PUT")
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class CountingSink:
    """A sink that counts the bytes written to it."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)

    def finish(self) -> int:
        return self.size

    def close(self) -> None:
        pass


def counting_routes(sink: CountingSink) -> Router:
    routes = Router()

    @routes.post("/", sink=lambda request: sink)
    def count(request: Request) -> Response:
        return Response.text(str(request.upload))

    return routes


def test_a_turn_answers_at_most_its_share_of_requests() -> None:
    with Harness(turn_requests=3) as server:
        client = server.connect()
        client.sock.sendall(GET * 8)
        answered = []
        for _ in range(4):
            server.reactor.turn()
            answered.append(client.connection.served)
        assert answered == [3, 6, 8, 8]
        assert len(client.responses()) == 8


@pytest.mark.parametrize(
    ("requests", "settings"),
    [
        (GET, {"turn_requests": 3}),
        (GET, {"turn_compress": 2001}),
        (GET_WITH_BODY, {"turn_compress": 2001}),
        (POST, {"turn_compress": 2001}),
        (EMPTY_PUT, {"turn_compress": 2001}),  # opens its sink for an empty body, too
        (PLAIN, {"high_water": 3000, "low_water": 2000}),
        (PLAIN, {"turn_read": len(PLAIN) * 3}),
    ],
    ids=["requests", "GET", "GET with a body", "POST", "PUT", "buffer", "bytes read"],
)
def test_each_limit_ends_the_share_of_a_turn(requests: bytes, settings: dict[str, Any]) -> None:
    routes, contents = Router(), iter(range(8))  # compressed content is cached: each one is different
    for register in (routes.get("/"), routes.post("/"), routes.put("/", lambda _: CountingSink())):
        register(lambda _: Response(200, b"%d" % next(contents) * 1000, compress_min_size=0))
    with Harness(routes, **settings) as server:
        client = server.connect()
        client.sock.sendall(requests * 8)
        server.reactor.turn()
        assert client.connection.served == 3
        assert len(client.responses()) == 8


def test_a_turn_reads_at_most_its_share_of_chunks() -> None:
    sink = CountingSink()
    chunks = 10 * CHUNKS_PER_CALL
    with Harness(counting_routes(sink), turn_requests=3) as server:
        client = server.connect()
        client.sock.sendall(CHUNKED + b"1\r\na\r\n" * chunks + b"0\r\n\r\n")
        taken = []
        while sink.size < chunks:
            server.reactor.turn()
            taken.append(sink.size)
        shares = [after - before for before, after in zip([0, *taken], taken, strict=False)]
        assert max(shares) <= 3 * CHUNKS_PER_CALL
        assert client.assert_responds().content == b"%d" % chunks


def test_turn_shares_do_not_postpone_the_rate_check() -> None:
    with Harness(counting_routes(CountingSink()), turn_requests=1) as server:
        client = server.connect()
        client.send(CHUNKED)
        for _ in range(3):
            client.send(b"1\r\na\r\n" * 40)
            client.assert_open()
            server.clock.advance(6)
        client.send(b"1\r\na\r\n" * 40)
        server.clock.advance(2.1)
        client.assert_responds(408)


def test_a_deadline_far_in_the_future_does_not_overflow() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reactor = Reactor()
        calls = []

        class Reader(EventHandler):
            def on_readable(self) -> None:
                calls.append(self.handle.recv(1))

        reactor.register(Reader(ours, Interest.READ, deadline=reactor.now + 9e15))
        theirs.send(b"x")
        reactor.turn()
        reactor.close()
        assert calls == [b"x"]
