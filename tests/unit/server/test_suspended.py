"""A suspended process (SIGSTOP, Ctrl-Z, a laptop): bytes that have arrived take precedence over deadlines."""

import selectors
from collections.abc import Callable, Iterator

import pytest

from reactor.http11.message import Response
from tests.support import in_process
from tests.support.in_process import Client, EagerSelector, Harness
from tests.support.requests import CANARY, answering, connect_tcp, request

SUSPENDED_FOR = 100.0  # seconds, longer than every timeout
POST = request("/post", "Content-Length: 5", method="POST")
LARGE = 1 << 20


class SuspendedSelector(EagerSelector):
    """A selector that polls, then suspends the process, then returns the result."""

    suspend: Callable[[], None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        if self.suspend is not None:
            suspend, self.suspend = self.suspend, None
            suspend()
        return ready


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setattr(in_process, "EagerSelector", SuspendedSelector)
    with Harness(answering(lambda: Response(200, b"a" * LARGE))) as server:
        yield server


def suspend(server: Harness, client_acts: Callable[[], object]) -> None:
    """Suspend the server in its sleep, let its client act, and resume it."""

    def pass_time() -> None:
        client_acts()
        server.clock.now += SUSPENDED_FOR

    assert isinstance(server.selector, SuspendedSelector)
    server.selector.suspend = pass_time
    server.reactor.turn()
    assert server.selector.suspend is None


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [
        (b"", CANARY),
        (CANARY, CANARY),
        (CANARY[:1], CANARY[1:]),
        (CANARY[:-1], CANARY[-1:]),
        (POST, b"hello"),
        (POST + b"h", b"ello"),
    ],
    ids=["first request", "next request", "head", "end of a head", "body", "end of a body"],
)
def test_requests_received_during_a_suspension_are_answered(
    server: Harness, before: bytes, meanwhile: bytes
) -> None:
    client = server.connect()
    client.send(before)
    client.responses()
    suspend(server, lambda: client.sock.send(meanwhile))
    assert client.assert_responds().content in (b"the canary sings", b"hello")
    client.assert_open()


def test_a_client_that_read_during_a_suspension_gets_the_rest(server: Harness) -> None:
    client = connect_tcp(server)
    client.send(request("/0"))
    received = bytearray()

    def read() -> None:
        while True:
            try:
                received.extend(client.sock.recv(1 << 16))
            except BlockingIOError:
                return

    suspend(server, read)
    assert received
    assert not client.closed
    client.received = bytes(received)
    assert len(client.assert_responds().content) == LARGE


def test_a_body_received_during_a_suspension_is_accepted(server: Harness) -> None:
    client = server.connect()
    asking = request("/post", "Content-Length: 5", "Expect: 100-continue", method="POST")
    client.send(asking[:-1])
    suspend(server, lambda: client.sock.send(asking[-1:]))
    assert client.assert_responds(100)
    client.send(b"hello")
    assert client.assert_responds().content == b"hello"


@pytest.mark.parametrize("before", [b"", CANARY, CANARY[:-1], POST])
def test_a_client_that_sent_nothing_during_a_suspension_times_out(server: Harness, before: bytes) -> None:
    client: Client = server.connect()
    client.send(before)
    client.responses()
    suspend(server, lambda: None)
    client.read()
    assert client.closed
