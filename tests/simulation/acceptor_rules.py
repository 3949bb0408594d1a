"""The rules of the acceptor: whom it may close, how much it accepts in a turn, and how long it may pause.

    limit       at the end of a turn, no more connections are open than the limit
    eviction    of the least useful group that exists: delayed after a wrong password, silent, then
                dispensable, then idle between requests; in it, the connection whose timeout would end first,
                and none with unread bytes; and none at all if no connection waits for a request
    no pause    at the limit, while a connection could be closed
    share       a turn accepts at most ``turn_accepts`` connections
    pause       it ends after ``PAUSE``, or in the turn in which a connection is closed
    progress    a client that waits to be accepted while there is room is accepted

The rules of eviction are implemented a second time here, from a copy of the connections that is taken before
the acceptor is called. While the accept queue is drained, connections that have been answered are closed
first.
"""

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from reactor.event_handler import EventHandler
from reactor.server.acceptor import AcceptorState
from reactor.server.connection import Connection
from reactor.server.state import State

if TYPE_CHECKING:
    from tests.simulation.site import Site

MAX_TURNS_WITHOUT_ACCEPTING = 100  # in a row, although a client waits and there is room
PAUSE = 0.25  # seconds
DELAYED = -1  # the rank of a connection whose response to a wrong password is delayed
SILENT = (State.ACCEPTED, State.RECEIVING_PROXY_HEADER)
WAITING_FOR_REQUEST = (*SILENT, State.IDLE)


class Candidate(NamedTuple):
    """A connection before the acceptor was called."""

    rank: int | None  # lower ranks are closed first; None for those that must stay
    deadline: float
    connection: Connection


class AcceptorRules:
    """Watches the acceptor of one site."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._candidates: dict[int, Candidate] = {}
        self._some_wait_for_request = False
        self._accepted = 0  # connections in this turn
        self._accepted_in_queue = 0  # while draining
        self._was_paused = False
        self._pause_ends = 0.0
        self._turns_overdue = 0
        self._turns_without_accepting = 0
        self._turn_of_snapshot = -1

    def before_call(self, handler: EventHandler) -> None:
        """Copy what is known of the connections, before a call that may accept others."""
        site = self._site
        if handler not in (site.acceptor, site.signals, site.shutdown):
            return
        connections = site.context.connections
        self._candidates = {}
        # A later call of another handler in the turn in which the acceptor paused replaces what it has seen.
        self._turn_of_snapshot = site.world.turn if handler is site.acceptor else -1
        if site.context.occupied + site.settings.turn_accepts < site.limit:
            return
        self._some_wait_for_request = any(each.state in WAITING_FOR_REQUEST for each in connections.values())
        for connection in connections.values():
            self._candidates[connection.number] = Candidate(rank(connection), connection.deadline, connection)

    def note_accept(self) -> None:
        """Count a connection."""
        self._accepted += 1

    def check_eviction(self, connection: Connection, before: State | None) -> None:
        """Check that of all connections, this one was to be closed; its state was ``before``."""
        site = self._site
        draining = site.acceptor.state is not AcceptorState.ACCEPTING
        if draining:  # connections that were accepted and stopped in this turn are closed, too
            return
        evicted = self._candidates.get(connection.number)
        if evicted is None and before in SILENT:  # accepted in this turn
            self._some_wait_for_request = True
            evicted = Candidate(0, inf, connection)
        if evicted is None or evicted.rank is None:
            site.world.fail(f"{connection!r} is closed for another, and was being served")
        is_delayed = evicted.rank == DELAYED
        if not is_delayed and not self._some_wait_for_request:
            site.world.fail(f"{connection!r} is closed for another, and none waited for a request")
        if not is_delayed and connection.handle.tcp.up:
            site.world.fail(f"{connection!r} is closed for another, with bytes unread")
        for number, other in self._candidates.items():
            if other.rank is None or number not in site.context.connections or other.connection.handle.tcp.up:
                continue
            if (other.rank, other.deadline) < (evicted.rank, evicted.deadline):
                site.world.fail(f"{connection!r} is closed for another, and not {other.connection!r}")

    def was_delayed(self, connection: Connection) -> bool:
        """Return whether the response of a connection was delayed before the acceptor was called."""
        candidate = self._candidates.get(connection.number)
        return candidate is not None and candidate.rank == DELAYED

    def check_turn(self) -> None:
        """Check what the last turn has accepted."""
        site, acceptor = self._site, self._site.acceptor
        if len(site.context.connections) > site.limit:
            site.world.fail(f"{len(site.context.connections)} connections are open, limit {site.limit}")
        if acceptor.state is AcceptorState.ACCEPTING:
            if self._accepted > site.settings.turn_accepts:
                site.world.fail(f"{self._accepted} connections were accepted in a turn")
            self._check_pause()
            self._check_progress()
        self._accepted = 0

    def _check_pause(self) -> None:
        site, acceptor = self._site, self._site.acceptor
        now = site.reactor.now
        is_paused = not acceptor.interest
        called = any(handler is acceptor for handler, _ in site.reactor.called)
        if is_paused and self._was_paused and not called:
            if any(state is State.CLOSED for _, _, state in site.changed):
                site.world.fail("a connection was closed, and the acceptor still pauses")
            self._turns_overdue += site.reactor.began > self._pause_ends
            if self._turns_overdue > MAX_TURNS_WITHOUT_ACCEPTING:
                site.world.fail(f"the acceptor should have ended its pause {self._turns_overdue} turns ago")
        elif is_paused:
            self._pause_ends, self._turns_overdue = now + PAUSE, 0
            self._check_reason()
        if is_paused and acceptor.deadline > now + PAUSE:
            site.world.fail(f"the acceptor pauses for {acceptor.deadline - now:.3f} s")
        self._was_paused = is_paused

    def _check_reason(self) -> None:
        """Check that the acceptor does not pause while it could close a connection."""
        site = self._site
        if site.network.exhausted or self._turn_of_snapshot != site.world.turn:
            return
        waiting = [each.connection for each in self._candidates.values() if each.rank is not None]
        if self._some_wait_for_request and waiting and not any(each.handle.tcp.up for each in waiting):
            site.world.fail(f"the acceptor pauses, and could have closed one of {waiting}")

    def _check_progress(self) -> None:
        site = self._site
        room = site.context.occupied < site.limit and not site.network.is_full
        listener = site.listener.descriptor
        still = site.listener.waiting and room and site.acceptor.interest and not self._accepted
        if still and listener not in site.network.denied:
            self._turns_without_accepting += 1
        else:
            self._turns_without_accepting = 0
        if self._turns_without_accepting > MAX_TURNS_WITHOUT_ACCEPTING:
            site.world.fail(f"{len(site.listener.waiting)} clients wait to be accepted, and there is room")


def rank(connection: Connection) -> int | None:
    """Return how soon a connection is to be closed for another one; None if it must stay."""
    if connection.is_delayed:
        return DELAYED
    state = connection.state
    if state in SILENT:
        return 0
    if state is State.DRAINING or (state in (State.IDLE, State.RECEIVING_HEAD) and not connection.served):
        return 1
    return 2 if state is State.IDLE else None
