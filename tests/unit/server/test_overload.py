"""The acceptor at the connection limit: which connection is closed, and when accepting is paused."""

from collections.abc import Iterator

import pytest

from reactor.server.acceptor import PAUSE
from reactor.server.state import State
from reactor.trusted_proxies import TrustedProxies
from tests.support.acceptor import PART, Site


@pytest.fixture
def full_of_busy() -> Iterator[Site]:
    """A limit of two connections, both with incomplete requests, and a third client that waits."""
    with Site(limit=2) as site:
        for client in site.connect_each(2):
            client.assert_served()
            client.send(PART)
        site.connect_each(1)
        yield site


def test_new_connections_are_closed_before_served_idle_ones() -> None:
    with Site(limit=3) as site:
        (served,) = site.connect_each(1)
        served.assert_served()
        site.advance(60)
        halves = site.connect_each(2)
        for client in halves:
            client.send(PART)
            site.advance(1)
        newer = site.connect_each(1)
        halves[0].assert_dropped()
        newer += site.connect_each(1)
        assert served.held
        served.assert_served()
        assert [client.held for client in (halves[1], *newer)] == [True, False, True]


def test_connections_without_a_proxy_header_are_closed_before_served_ones() -> None:
    with Site(limit=2, keep_alive_timeout=10.0, proxy_header_timeout=100.0) as site:
        site.context.trusted_proxies = TrustedProxies(["127.0.0.1"])
        site.context.first_state_of_proxies = State.RECEIVING_PROXY_HEADER
        served, silent = site.connect_each(2)
        served.send(b"PROXY UNKNOWN\r\n")
        served.assert_served()
        (newer,) = site.connect_each(1)
        silent.assert_dropped()
        assert served.held
        assert newer.held


def test_an_empty_line_does_not_count_as_a_request() -> None:
    with Site(limit=3) as site:
        (served,) = site.connect_each(1)
        served.assert_served()
        site.advance(60)
        for client in site.connect_each(2):
            client.send(b"\r")
            client.send(b"\n")
        site.connect_each(2)
        assert served.held
        served.assert_served()


def test_without_idle_connections_a_client_is_not_accepted() -> None:
    with Site(limit=1) as site:
        site.connect_each(1)[0].send(PART)
        (waiting,) = site.connect()
        site.run()
        assert not waiting.held
        assert not site.listening


@pytest.mark.parametrize("come", [6, 9, 10, 11, 64])
def test_the_connection_limit_is_never_exceeded(come: int) -> None:
    with Site(limit=5, turn_accepts=7) as site:
        clients = site.connect(come)
        for _ in range(50):
            site.reactor.turn()
            assert site.held <= 5
            site.clock.now += 0.001
        assert [client.held for client in clients] == [False] * (come - 5) + [True] * 5


def test_twice_the_limit_at_once_does_not_spin() -> None:
    with Site(limit=2) as site:
        clients = site.connect(10)
        site.run()
        assert site.held == 2
        site.advance(PAUSE)
        assert [client.held for client in clients] == [False] * 8 + [True] * 2


# At the limit, with idle connections.


def test_the_longest_idle_connection_is_closed() -> None:
    with Site(limit=3) as site:
        first, second, third = site.connect_each(3)
        for client in (second, first, third):
            client.assert_served()
            site.advance(1)
        (fourth,) = site.connect_each(1)
        second.assert_dropped()
        assert [client.held for client in (first, third, fourth)] == [True] * 3
        fourth.assert_served()
        (fifth,) = site.connect_each(1)
        first.assert_dropped()
        assert [client.held for client in (third, fourth, fifth)] == [True] * 3


def test_silent_connections_are_closed_before_idle_ones() -> None:
    with Site(limit=3) as site:
        (served,) = site.connect_each(1)
        served.assert_served()
        site.advance(60)  # so that it would also be the first to be closed for being idle
        silent = site.connect_each(2)
        newer = site.connect_each(1)
        silent[0].assert_dropped()
        newer += site.connect_each(1)
        silent[1].assert_dropped()
        assert served.held
        served.assert_served()
        assert all(client.held for client in newer)


def test_among_equally_idle_connections_the_oldest_is_closed() -> None:
    with Site(limit=3) as site:
        clients = site.connect(3)
        site.run()
        site.clock.now += 1
        site.connect()
        site.run()
        assert [client.held for client in clients] == [False, True, True]


def test_a_busy_connection_is_never_closed() -> None:
    with Site(limit=3) as site:
        busy, idle, other_busy = site.connect_each(3)
        for client in (busy, other_busy):
            client.assert_served()
            client.send(PART)
        idle.assert_served()
        site.advance(1)
        newer = site.connect_each(4)
        idle.assert_dropped()
        assert busy.held
        assert other_busy.held
        assert [client.held for client in newer] == [False, False, False, True]
        busy.send(b"st\r\n\r\n")
        assert busy.sock.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_connection_that_became_busy_is_not_closed() -> None:
    with Site(limit=3) as site:
        first, second, third = site.connect_each(3)
        for client in (first, second, third):
            client.assert_served()
            site.advance(1)
        site.connect_each(1)
        first.assert_dropped()
        second.send(PART)
        site.clients[-1].assert_served()
        site.clients[-1].send(PART)
        site.connect_each(1)
        third.assert_dropped()
        assert second.held


# At the limit, without idle connections.


def test_accepting_pauses_without_idle_connections(full_of_busy: Site) -> None:
    site = full_of_busy
    assert site.held == 2
    assert not site.clients[2].held
    assert not site.listening
    assert site.selector.timeout is not None
    assert 0 < site.selector.timeout <= PAUSE


def test_a_pause_ends_when_a_connection_closes(full_of_busy: Site) -> None:
    site = full_of_busy
    site.clients[0].sock.close()
    site.run()
    assert site.listening
    site.clients[2].assert_served()


def test_a_pause_ends_after_its_time(full_of_busy: Site) -> None:
    site = full_of_busy
    site.advance(PAUSE)
    assert not site.listening
    assert not site.clients[2].held
    site.clients[1].send(b"st\r\n\r\n")
    site.advance(PAUSE)
    assert site.listening
    site.clients[2].assert_served()
    assert site.clients[0].held
    assert not site.clients[1].held


def test_the_reason_of_a_pause_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with Site(limit=1) as site:
        site.connect_each(1)[0].send(PART)
        site.connect_each(1)
    assert "not accepting connections: connection limit reached" in caplog.text
