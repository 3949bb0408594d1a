"""Response content and sinks whose ``close`` fails: it is logged, and everything else is closed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reactor.http11.message import Content, FileSlice, Response
from reactor.routing import Router
from tests.support.in_process import Client, Harness
from tests.support.requests import CANARY, RecordingSink, answering, chunks, request


class PlantedError(Exception):
    """Raised by ``close``."""


def endless() -> Iterator[bytes]:
    try:
        while True:
            yield b"a" * 10_000
    finally:
        raise PlantedError("in finally")


class Rows:
    """Content whose ``close`` fails."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        raise PlantedError("in close")


class Handle:
    """An open file whose ``close`` fails, as on a network file system."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "rb")  # noqa: SIM115

    def fileno(self) -> int:
        return self.file.fileno()

    def close(self) -> None:
        self.file.close()
        raise PlantedError("in close")


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "file").write_bytes(b"a" * 10**6)
    return str(tmp_path / "file")


CONTENTS = pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: endless(), id="a generator"),
        pytest.param(lambda _: Rows([b"a" * 10_000] * 100), id="rows"),
        pytest.param(lambda path: FileSlice(Handle(path), 0, 10**6), id="a file"),
    ],
)


def disconnect(client: Client) -> None:
    client.close()


def abort(client: Client) -> None:
    client.connection.abort()


def stall(client: Client) -> None:
    client.server.clock.advance(61)


def planted(caplog: pytest.LogCaptureFixture) -> int:
    return sum(bool(each.exc_info and each.exc_info[0] is PlantedError) for each in caplog.records)


@CONTENTS
@pytest.mark.parametrize("end", [disconnect, abort, stall])
def test_a_failing_close_of_a_response_body_closes_the_connection(
    make: Callable[[str], Content], end: Callable[[Client], None], path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Harness(answering(lambda: Response(200, make(path)))) as server:
        client = server.connect()
        client.send(request("/0"))
        end(client)
        assert not server.context.connections
        assert client.connection.handle.fileno() == -1
        assert not server.selector.get_map()
        assert planted(caplog) == 1
        server.connect().get("/canary")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: Rows([b"a" * 500_000] * 2), id="rows"),
        pytest.param(lambda path: FileSlice(Handle(path), 0, 10**6), id="a file"),
    ],
)
def test_a_failing_close_after_sending_does_not_affect_responses(
    make: Callable[[str], Content], path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Harness(answering(lambda: Response(200, make(path)))) as server:
        client = server.connect()
        client.send(request("/0") + CANARY)
        assert [answer.content for answer in client.responses()] == [b"a" * 10**6, b"the canary sings"]
        assert planted(caplog) == 1


class BadSink(RecordingSink):
    """A sink whose ``close`` fails."""

    def close(self) -> None:
        super().close()
        raise PlantedError("in close")


def post_to(sink: BadSink, status: int = 200) -> Router:
    routes = answering()
    routes.post("/sink", sink=sink.open)(lambda request: Response(status, request.content))
    return routes


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_failing_close_of_a_sink_does_not_affect_the_response(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    sink = BadSink()
    with Harness(post_to(sink)) as server:
        client = server.connect()
        client.send(request("/sink", method="POST", content=content) + CANARY)
        assert [answer.content for answer in client.responses()] == [content, b"the canary sings"]
        assert sink.times_closed == 1
        assert planted(caplog) == 1


def break_framing(client: Client) -> None:
    client.send(b"zz\r\n")
    client.assert_responds(400)
    client.close()


@pytest.mark.parametrize("end", [disconnect, abort, Client.half_close, break_framing])
def test_a_failing_close_of_an_aborted_sink_closes_the_connection(
    end: Callable[[Client], None], caplog: pytest.LogCaptureFixture
) -> None:
    sink = BadSink()
    with Harness(post_to(sink)) as server:
        client = server.connect()
        client.send(request("/sink", "Transfer-Encoding: chunked", method="POST") + chunks(b"hello")[:-5])
        end(client)
        assert not server.context.connections
        assert client.connection.handle.fileno() == -1
        assert sink.times_closed == 1
        assert planted(caplog) == 1
