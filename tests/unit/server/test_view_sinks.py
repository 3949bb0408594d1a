"""Sinks that take views of a buffer that all connections share: what is written to them, and how much."""

from collections.abc import Callable
from typing import Any

import pytest

from reactor.http11.errors import HTTPError
from reactor.http11.message import HeaderPairs, Response
from reactor.observe.events import Event, EventKind
from reactor.routing import InterimSink, Router, ViewSink
from reactor.settings import KIB
from tests.support.in_process import Harness
from tests.support.requests import (
    CANARY,
    RecordingSink,
    chunks,
    in_pieces,
    posting,
    request,
    shrink_buffers,
    write,
)

BODY = bytes(range(250)) * 40
HEAD = request("/post", f"Content-Length: {len(BODY)}", method="POST")


class Views(RecordingSink, ViewSink):
    """A sink that takes views, copies them, and records their types."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.types: list[type] = []
        self._fails_at = fails_at

    def write(self, data: bytes | memoryview) -> None:
        self.types.append(type(data))
        super().write(bytes(data))
        if self._fails_at is not None and sum(map(len, self.pieces)) > self._fails_at:
            raise HTTPError(507, "planted")


class InformingViews(Views, InterimSink):
    """The same with interim responses."""

    interim: tuple[int, HeaderPairs] | None = None

    def write(self, data: bytes | memoryview) -> None:
        super().write(data)
        self.interim = (104, (("Count", "x" * 200),))


class Bytes(RecordingSink):
    """A sink that takes only bytes, and records their types."""

    def __init__(self) -> None:
        super().__init__()
        self.types: list[type] = []

    def write(self, data: bytes) -> None:
        self.types.append(type(data))
        super().write(data)


def sizes(sink: RecordingSink) -> list[int]:
    return [len(piece) for piece in sink.pieces]


@pytest.mark.parametrize(
    ("make", "head", "body", "types"),
    [
        pytest.param(Views, HEAD, BODY, {memoryview}, id="views"),
        pytest.param(Bytes, HEAD, BODY, {bytes}, id="bytes"),
        pytest.param(
            Views,
            request("/post", "Transfer-Encoding: chunked", method="POST"),
            chunks(BODY[:5000], BODY[5000:]),
            {bytes},
            id="chunks",
        ),
    ],
)
@pytest.mark.parametrize("turn_requests", [1, 64])  # with 1, a turn ends between the head and the body
@pytest.mark.parametrize("size", [1, 999, 1000, 1001, len(BODY) + len(CANARY)])
def test_only_sinks_that_take_views_of_a_known_length_get_them(
    make: Callable[[], Any], head: bytes, body: bytes, types: set[type], size: int, turn_requests: int
) -> None:
    sink = make()
    with Harness(posting(sink), turn_read_file=1000, turn_read=3000, turn_requests=turn_requests) as server:
        client = server.connect()
        client.send(head)
        for piece in in_pieces(body + CANARY, size):
            client.send(piece)
        answer, canary = client.responses()
        assert (answer.content, canary.content) == (BODY, b"the canary sings")
        assert set(sink.types) == types


def test_a_turn_reads_at_most_its_share_into_the_buffer() -> None:
    sink = Views()
    with Harness(posting(sink), turn_read=len(HEAD) + 100, turn_read_file=3000) as server:
        client = server.connect()
        assert write(client, HEAD + BODY + CANARY) == len(HEAD + BODY + CANARY)
        for _ in range(5):
            server.reactor.turn()
        assert list(zip(sink.types, sizes(sink), strict=True)) == [
            (bytes, 100),  # behind the head
            *[(memoryview, 3000)] * 3,
            (memoryview, 900),
        ]
        assert [answer.status for answer in client.responses()] == [200, 200]


def test_bodies_that_share_the_buffer_are_not_mixed() -> None:
    sinks = [Views() for _ in range(3)]
    opened = iter(sinks)
    routes = Router()
    routes.post("/post", sink=lambda _: next(opened))(lambda request: Response(200, request.content))
    with Harness(routes, turn_read_file=1000) as server:
        clients = [server.connect() for _ in sinks]
        bodies = [bytes([number]) * 5000 for number in range(3)]
        for client in clients:
            client.send(request("/post", "Content-Length: 5000", method="POST"))
        for start in range(0, 5000, 1250):
            for client, body in zip(clients, bodies, strict=True):
                client.send(body[start : start + 1250])
        assert [client.assert_responds().content for client in clients] == bodies
        assert [set(sink.types) for sink in sinks] == [{memoryview}] * 3


def test_subscribers_see_the_bytes_of_views() -> None:
    received: list[bytes] = []

    def record(events: list[Event]) -> None:
        received.extend(event[3] for event in events if event[0] is EventKind.RECEIVED)

    sink = Views()
    with Harness(posting(sink), turn_read_file=1000, subscribers=[record]) as server:
        client = server.connect()
        for piece in (HEAD, BODY[:2500], BODY[2500:]):
            client.send(piece)
        client.assert_responds(200)
    assert memoryview in sink.types
    assert {type(data) for data in received} == {bytes}
    assert b"".join(received) == HEAD + BODY


@pytest.mark.parametrize("fails_at", [0, 1000, 9000])
def test_a_sink_may_refuse_a_view(fails_at: int) -> None:
    sink = Views(fails_at)
    with Harness(posting(sink), turn_read_file=1000) as server:
        client = server.connect()
        for piece in (HEAD, BODY + CANARY):  # the rest of the body is short, and is discarded
            client.send(piece)
        assert [answer.status for answer in client.responses()] == [507, 200]
        assert sink.times_closed == 1
        assert sum(sizes(sink)) <= fails_at + 1000


def test_the_rate_of_views_is_measured() -> None:
    sink = Views()
    with Harness(posting(sink), min_rate=100, content_timeout=20) as server:
        client = server.connect()
        client.send(HEAD)
        for _ in range(3):
            client.send(bytes(2000))
            server.clock.advance(20)
            client.assert_open()
        client.send(bytes(1999))
        server.clock.advance(20)
        client.assert_responds(408)
        assert set(sink.types) == {memoryview}


@pytest.mark.parametrize("low_water", [0, 64 * KIB])
def test_views_are_right_while_the_client_does_not_read(low_water: int) -> None:
    """Unsent interim responses may delay the body, but no received part of it: the buffer is reused."""
    sink = InformingViews()
    with Harness(posting(sink), low_water=low_water, turn_read_file=1000) as server:
        client = server.connect()
        shrink_buffers(client)
        client.send(HEAD)
        sent = 0
        while sent < len(BODY) and server.run() + write(client, BODY[sent : sent + 1]):
            sent += 1
            server.run()
        answers = []
        while sent < len(BODY):
            sent += write(client, BODY[sent:])
            answers += client.responses()
        *_, answer = answers + client.responses()
        assert answer.content == BODY
        assert set(sink.types) == {memoryview}
