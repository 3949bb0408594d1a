"""An acceptor of one worker process of several: it lets the others accept when it has more connections."""

import itertools
from collections.abc import Iterator

from reactor.server.sharing import COURTESY, SHARED_ACCEPTS
from tests.support.acceptor import Site


class Sharing:
    """Shares the listening socket with one other process, which has ``others`` connections."""

    def __init__(self, others: int) -> None:
        self.connection_numbers: Iterator[int] = itertools.count(2, 3)
        self.others = others

    def keep_signal(self, number: int) -> bool:
        return True

    def is_ahead(self, connections: int) -> bool:
        return connections > self.others


def test_a_worker_accepts_until_it_is_ahead() -> None:
    with Site(limit=100, sharing=Sharing(others=2)) as site:
        site.connect(5)
        site.run()
        assert (site.held, site.listening) == (3, False)


def test_after_a_moment_a_worker_accepts_what_the_others_left() -> None:
    with Site(limit=100, sharing=Sharing(others=2)) as site:
        clients = site.connect(5)
        site.run()
        site.advance(COURTESY / 2)
        assert site.held == 3
        site.advance(COURTESY / 2)
        assert (site.held, site.listening) == (5, True)
        for client in clients:
            client.assert_served()


def test_a_worker_continues_when_the_other_has_caught_up() -> None:
    sharing = Sharing(others=0)
    with Site(limit=100, sharing=sharing) as site:
        site.connect(2)
        site.run()
        assert (site.held, site.listening) == (1, False)
        sharing.others = 10
        site.advance(COURTESY)
        assert (site.held, site.listening) == (2, True)
        site.connect(5)
        site.run()
        assert site.held == 7


def test_a_burst_is_accepted_in_shares_with_pauses() -> None:
    with Site(limit=100, sharing=Sharing(others=-1)) as site:
        site.connect(SHARED_ACCEPTS * 2 + 1)
        site.run()
        held = [site.held]
        for _ in range(3):
            site.advance(COURTESY)
            held.append(site.held)
        assert held == [0, SHARED_ACCEPTS, 2 * SHARED_ACCEPTS, 2 * SHARED_ACCEPTS + 1]


def test_a_worker_that_stops_drains_the_queue_although_it_is_ahead() -> None:
    with Site(limit=100, sharing=Sharing(others=-1)) as site:
        site.connect(SHARED_ACCEPTS + 5)
        site.run()
        site.shutdown.begin()
        site.run()
        assert site.held == SHARED_ACCEPTS + 5
