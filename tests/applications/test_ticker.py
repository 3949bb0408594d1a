"""The ticker: what its readers receive, also after they connect again."""

import signal
from collections.abc import Iterator
from threading import Thread
from urllib.request import urlopen

import pytest

from reactor import Server
from reactor.testing import Client, ClientStream, running
from tests.applications import ticker
from tests.support.process import ServerProcess


@pytest.fixture
def client() -> Iterator[Client]:
    ticker.history.clear()
    ticker.readers.clear()
    with Client(ticker.routes) as client:
        yield client


def read(stream: ClientStream, count: int) -> list[tuple[str, str]]:
    """Return the ids and prices of so many events, the next ones."""
    received = b""
    while received.count(b"\n\n") < count:
        received += stream.read(at_least=1)
    events = [event.split("\n") for event in received.decode().removesuffix("\n\n").split("\n\n")]
    return [(identity.removeprefix("id: "), data.removeprefix("data: ")) for identity, data in events]


def connect(client: Client, last: str | None = None) -> ClientStream:
    return client.stream("GET", "/prices", headers={} if last is None else {"Last-Event-ID": last})


def test_all_readers_receive_what_is_posted(client: Client) -> None:
    with connect(client) as one, connect(client) as two:
        assert client.post("/price", json=12.5).status == 204
        assert read(one, 1) == read(two, 1) == list(ticker.history) == [(ticker.history[0][0], "12.50")]


def test_readers_receive_what_another_thread_publishes(client: Client) -> None:
    with connect(client) as reader:
        thread = Thread(target=ticker.publish, args=[7])
        thread.start()
        assert read(reader, 1)[0][1] == "7.00"
        thread.join()


@pytest.mark.parametrize(
    ("published", "last", "expected"),
    [
        (3, 0, [1, 2]),
        (3, 1, [2]),
        (3, None, [0, 1, 2]),  # a new reader
        (103, 50, list(range(51, 103))),
        (103, 2, list(range(3, 103))),  # not in the history any more
    ],
)
def test_readers_receive_what_they_missed(
    client: Client, published: int, last: int | None, expected: list[int]
) -> None:
    with connect(client) as reader:
        for price in range(published):
            ticker.publish(price)
        received = read(reader, published)
    with connect(client, None if last is None else received[last][0]) as reader:
        assert read(reader, len(expected)) == [received[number] for number in expected]


def test_a_reader_that_left_is_forgotten(client: Client) -> None:
    with connect(client):
        assert len(ticker.readers) == 1
    client.post("/price", json=1)
    assert ticker.readers == set()


def test_a_reader_that_is_too_slow_has_to_connect_again(client: Client) -> None:
    with connect(client) as reader:
        while ticker.readers:
            ticker.publish(1)
        while not reader.ended:
            reader.read(at_least=1)


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b'"12"', 422, "expected a number"),
        (b"true", 422, "expected a number"),
        (b"-1", 422, "expected a number"),
        (b"9" * 400, 422, "expected a number"),
        (b"9" * 5000, 400, "invalid JSON"),
        (b"NaN", 400, "invalid JSON"),
        (b"12,5", 400, "invalid JSON"),
    ],
)
def test_invalid_prices_are_refused(client: Client, content: bytes, status: int, reason: str) -> None:
    response = client.post("/price", content=content, headers={"Content-Type": "application/json"})
    assert (response.status, response.text[: len(reason)]) == (status, reason)
    assert not ticker.history


def test_wrong_methods_and_head(client: Client) -> None:
    assert client.get("/price").headers["allow"] == "POST, OPTIONS"
    assert client.head("/prices").content == b""


def test_a_server_ends_the_streams_when_it_stops() -> None:
    servers: list[Server] = []
    with running(ticker.routes, on_ready=servers.append) as url, urlopen(f"{url}/prices") as response:
        assert b"EventSource" in urlopen(url).read()
        servers[0].stop()
        response.read()


@pytest.mark.system
def test_ctrl_c_ends_the_feed_and_the_streams() -> None:
    with ServerProcess("0", command=("-m", "tests.applications.ticker")) as server:
        reader = server.connect()
        reader.send_head("GET", "/prices")
        assert b"text/event-stream" in reader.read_head()
        while b"data: " not in reader.received:
            reader.received += reader.sock.recv(1024)
        server.send_signal(signal.SIGINT)
        assert reader.read_to_end().endswith(b"\r\n0\r\n\r\n")
        assert (server.exit_code(), server.stderr.rest()) == (0, [])
