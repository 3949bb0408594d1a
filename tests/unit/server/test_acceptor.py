"""The acceptor: its share of each turn, and the errors that ``accept`` can raise."""

import errno
import selectors
from collections.abc import Callable

import pytest

from reactor import handlers
from reactor.http11.deferred import Deferred, Steps
from reactor.http11.message import Response, do_nothing
from reactor.server.acceptor import PAUSE
from tests.support.acceptor import Site


def test_a_client_is_accepted_and_served() -> None:
    with Site(limit=10) as site:
        (client,) = site.connect()
        site.run()
        client.assert_served()


def test_a_turn_accepts_at_most_its_share() -> None:
    with Site(limit=100, turn_accepts=3) as site:
        site.connect(8)
        held = []
        for _ in range(4):
            site.reactor.turn()
            held.append(site.held)
        assert held == [3, 6, 8, 8]


def test_exactly_the_connection_limit_is_accepted() -> None:
    with Site(limit=5) as site:
        clients = site.connect(5)
        site.run()
        assert site.held == 5
        for client in clients:
            client.assert_served()
        assert site.held == 5
        assert site.listening


def steps() -> Steps:
    yield do_nothing
    return Response()


def test_a_closed_connection_counts_until_its_steps_end() -> None:
    """Clients that upload to a slow disk and disconnect must not use more descriptors than others."""
    pending: list[Callable[[], object]] = []
    routes = handlers.build()
    routes.get("/later")(lambda _: Deferred(steps()))
    with Site(limit=3, routes=routes) as site:
        site.context.in_worker = pending.append
        disconnect_each(site, 3)
        assert (site.held, len(pending)) == (0, 3)
        (waiting,) = site.connect_each(1)
        assert not waiting.held
        assert not site.listening
        pending.pop()()
        waiting.assert_served()
        (other,) = site.connect_each(1)  # the first one is idle, and is closed
        other.assert_served()
        assert (waiting.read(), waiting.ended, site.held) == (b"", True, 1)


def test_closed_connections_whose_result_is_never_known_do_not_count() -> None:
    routes = handlers.build()
    routes.get("/later")(lambda _: Deferred())
    with Site(limit=3, routes=routes) as site:
        disconnect_each(site, 3)
        for client in site.connect_each(3):
            client.assert_served()
        assert site.held == 3


def disconnect_each(site: Site, count: int) -> None:
    """Have clients request /later, and disconnect."""
    for client in site.connect_each(count):
        client.send(b"GET /later HTTP/1.1\r\nHost: test\r\n\r\n")
        client.sock.close()
        site.run()


# Errors of accept().


@pytest.mark.parametrize(
    "fault", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM], ids=errno.errorcode.get
)
def test_without_descriptors_accepting_pauses_and_no_client_is_dropped(fault: int) -> None:
    with Site(limit=10) as site:
        served = site.connect_each(3)
        site.listener.faults = [fault]
        (waiting,) = site.connect_each(1)
        assert not site.listening
        assert site.held == 3
        for client in served:
            client.assert_served()
        assert not waiting.held
        site.advance(PAUSE)
        assert site.listening
        waiting.assert_served()
        assert all(client.held for client in served)


def test_without_descriptors_accepting_is_tried_once_per_pause() -> None:
    with Site(limit=10) as site:
        site.listener.faults = [errno.EMFILE] * 4
        site.connect()
        site.run()
        assert site.listener.accepts == 1
        for accepts in (2, 3, 4):
            site.advance(PAUSE)
            assert site.listener.accepts == accepts


def test_without_descriptors_a_close_ends_the_pause() -> None:
    with Site(limit=10) as site:
        (served,) = site.connect_each(1)
        site.listener.faults = [errno.EMFILE]
        (waiting,) = site.connect_each(1)
        served.sock.close()
        site.run()
        waiting.assert_served()


@pytest.mark.parametrize("limit", [2, 10])
def test_without_descriptors_idle_connections_stay_open(limit: int) -> None:
    with Site(limit) as site:
        served = site.connect_each(2)
        site.listener.faults = [errno.EMFILE]
        site.connect_each(1)
        assert [client.held for client in served] == [True, True]


@pytest.mark.parametrize("fault", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM], ids=errno.errorcode.get)
def test_a_client_that_aborts_before_accept_does_not_block_others(fault: int) -> None:
    with Site(limit=10) as site:
        site.listener.faults = [fault]
        (client,) = site.connect()
        site.reactor.turn()
        assert client.held
        client.assert_served()


def test_clients_that_abort_before_accept_count_in_the_turn_share() -> None:
    with Site(limit=10, turn_accepts=4) as site:
        site.listener.faults = [errno.ECONNABORTED] * 6
        (client,) = site.connect()
        site.reactor.turn()
        assert site.listener.accepts == 4
        site.run()
        client.assert_served()


def test_a_closed_acceptor_keeps_served_connections() -> None:
    with Site(limit=10) as site:
        (served,) = site.connect_each(1)
        site.acceptor.close()
        served.assert_served()
        with pytest.raises(ConnectionRefusedError):
            site.connect()
        assert [key.events for key in site.selector.get_map().values()] == [selectors.EVENT_READ]


def test_a_failed_registration_after_a_pause_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    with Site(limit=10) as site:
        site.listener.faults.append(errno.EMFILE)
        (waiting,) = site.connect_each(1)
        assert not site.listening
        real_register = site.selector.register

        def refuse(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, "no space for another watch")

        monkeypatch.setattr(site.selector, "register", refuse)
        site.advance(PAUSE)
        assert not site.listening
        monkeypatch.setattr(site.selector, "register", real_register)
        site.advance(PAUSE)
        assert site.listening
        waiting.assert_served()
