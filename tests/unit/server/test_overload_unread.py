"""The acceptor at the connection limit: a connection with unread input is not idle; what a pause logs."""

import errno
from itertools import cycle, islice

import pytest

from reactor.server.acceptor import PAUSE
from tests.support.acceptor import WHOLE, Client, Site


def answer(client: Client) -> bytes:
    """Return the bytes that have arrived."""
    received = b""
    try:
        while data := client.sock.recv(65536):
            received += data
    except BlockingIOError:
        pass
    return received


@pytest.mark.parametrize("limit", [1, 2, 10])
@pytest.mark.parametrize("turn_accepts", [1, 7, 64, 200])
def test_simultaneous_clients_with_requests_are_all_answered(limit: int, turn_accepts: int) -> None:
    with Site(limit, turn_accepts) as site:
        clients = site.connect(100)
        for client in clients:
            client.sock.sendall(WHOLE)
        site.run()
        assert site.held <= limit
        answers = [answer(client) for client in clients]
        assert [data[:13] for data in answers] == [b"HTTP/1.1 200 "] * 100
        assert {data.count(b"HTTP/1.1") for data in answers} == {1}


def test_a_client_with_an_unread_request_is_not_idle() -> None:
    with Site(limit=3) as site:
        served = site.connect_each(3)
        for client in served:
            client.assert_served()
        newer = site.connect(3)
        for client in served + newer:
            client.sock.sendall(WHOLE)
        site.run()
        assert [answer(client)[:13] for client in served + newer] == [b"HTTP/1.1 200 "] * 6


def test_silent_clients_replace_only_silent_clients() -> None:
    with Site(limit=10) as site:
        silent = site.connect(100)
        site.run()
        assert site.held == 10
        assert [client.held for client in silent] == [False] * 90 + [True] * 10
        for client in silent[:90]:
            client.assert_dropped()
        site.connect(1)[0].assert_served()
        assert not silent[90].held


def test_clients_with_requests_are_answered_among_silent_ones() -> None:
    with Site(limit=10) as site:
        clients = site.connect(100)
        asking = clients[::5]
        for client in asking:
            client.sock.sendall(WHOLE)
        site.run()
        assert [answer(client)[:13] for client in asking] == [b"HTTP/1.1 200 "] * 20
        assert site.held <= 10


# A pause is logged once a minute.


def warnings(caplog: pytest.LogCaptureFixture) -> int:
    return sum("not accepting connections" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "faults", [[errno.EMFILE], [errno.EMFILE, errno.ENFILE]], ids=["one", "two by turns"]
)
def test_a_pause_is_logged_once_a_minute(faults: list[int], caplog: pytest.LogCaptureFixture) -> None:
    with Site(limit=10) as site:
        site.listener.faults = list(islice(cycle(faults), 1000))
        site.connect()
        site.run()
        assert warnings(caplog) == 1
        began = site.clock.now
        while site.clock.now < began + 60 - 2 * PAUSE:
            site.advance(PAUSE)
        assert warnings(caplog) == 1
        assert site.listener.accepts > 200, "accepting was not tried after each pause"
        for _ in range(4):
            site.advance(PAUSE)
        assert warnings(caplog) == 2


def test_a_pause_after_an_accept_is_not_logged_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Site(limit=10) as site:
        for _ in range(5):
            site.listener.faults = [errno.EMFILE]
            site.connect_each(1)
            site.advance(PAUSE)
            site.advance(1)
        assert site.held == 5
        assert warnings(caplog) == 1
