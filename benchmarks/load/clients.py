"""Load clients: connections that send requests, as event handlers on our own loop, and what they share.

    RequestTemplate  what is asked for, and what must come back
    Tally            what came of it: counts, and a histogram of times
    Load             the loop, the tally of the present phase, and the pace that says who asks when
    Requester        one connection: asks, reads the answer, compares it, and is free again
    IdleRequester    one that has asked once, and stays

A requester does not know when to ask. It tells the pace that it is free, and the pace (see
``benchmarks.load.pacing``) lets it ask: at once, when something is due, or not at all. Times run from the
moment a request was *due*, which the pace knows. This module knows no figures of any server.
"""

import itertools
import selectors
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.load.client_group import RECONNECT_DELAY, Client, ClientGroup
from benchmarks.load.histogram import Histogram
from benchmarks.load.responses import HeadCache, ResponseError, ResponseReader
from benchmarks.servers.workloads import DIGITS, NUMBER, numbered
from reactor.event_handler import Interest


@dataclass(frozen=True)
class RequestTemplate:
    """A request, and the content of its answer; None for any. Both may have a number in them: {n}."""

    request: bytes
    content: bytes | None = None

    @property
    def varies(self) -> bool:
        """Say whether each request is another one."""
        return NUMBER.encode() in self.request

    def numbered(self, number: int) -> tuple[bytes, bytes | None]:
        """Return a request and its content with a number filled in."""
        return numbered(self.request, number), self.content and numbered(self.content, number)


@dataclass
class Tally:
    """What came of requests: each is in ``latency``, right or wrong, or how long it was waited for."""

    requests: int = 0  # answered, and right
    errors: int = 0  # wrong answers, requests without an answer, connections that were refused
    answers: int = 0  # whole ones, right or wrong
    octets: int = 0  # received, heads included
    latency: Histogram = field(default_factory=Histogram)

    def answered(self, seconds: float, right: bool) -> None:
        """Count an answer."""
        self.answers += 1
        if right:
            self.requests += 1
        else:
            self.errors += 1
        self.latency.add(seconds)

    def lost(self, seconds: float) -> None:
        """Count a request that got no answer: it took at least as long as it was waited for."""
        self.errors += 1
        self.latency.add(seconds)

    def refused(self) -> None:
        """Count a connection that was not taken."""
        self.errors += 1


class Pace(Protocol):
    """Says when who asks."""

    def on_free(self, requester: "Requester") -> None:
        """Let a requester ask, now or later: it has connected, or has all its answers."""

    def on_lost(self, requester: "Requester") -> None:
        """Know that a requester has lost its connection; it comes back by itself."""


class NoRequests:
    """The pace of the end: nobody asks."""

    def on_free(self, requester: "Requester") -> None:
        """Let it be."""

    def on_lost(self, requester: "Requester") -> None:
        """Let it be."""


class Load(ClientGroup):
    """The requesters of one server."""

    def __init__(
        self,
        template: RequestTemplate,
        address: tuple[str, int],
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(selector=selector, clock=clock)
        self.address = address
        self.head_cache = HeadCache()
        self.tally = Tally()
        self.pace: Pace = NoRequests()
        self.pending = 0  # requests on their way, or their answers
        self._template = template
        self._constant = None if template.varies else (template.request, template.content)
        # Microseconds, of which no run uses as many as pass: another run has other numbers.
        self._numbers = itertools.count(time.time_ns() // 1000 % 10**DIGITS)

    def next_request(self) -> tuple[bytes, bytes | None]:
        """Return a request, and the content that its answer must have; None for any."""
        return self._constant or self._template.numbered(next(self._numbers) % 10**DIGITS)


class Requester(Client):
    """One connection that asks when the pace lets it; it connects again when it was closed."""

    def __init__(self, load: Load) -> None:
        super().__init__(load)
        self.load = load
        self.was_answered = False  # whether it has had an answer
        self.pending: deque[tuple[float, bytes | None]] = deque()  # when due, and the content awaited
        self._responses = ResponseReader(load.head_cache)
        self._unsent = b""

    def send_requests(self, due: float, times: int = 1) -> None:
        """Send so many requests at once, which were due at a time of the load's clock."""
        octets = b""
        for _ in range(times):
            request, content = self.load.next_request()
            self.pending.append((due, content))
            octets += request
        self.load.pending += times
        self._send(octets)

    @property
    def reconnects(self) -> bool:
        """Whether it connects again when its connection has ended."""
        return True

    # What a client does.

    def on_connected(self) -> None:
        """Be free."""
        self.load.pace.on_free(self)

    def on_data(self, octets: bytes) -> None:
        """Look at the answers that are whole now."""
        self.load.tally.octets += len(octets)
        self._responses.feed(octets)
        try:
            while self.pending and (right := self._responses.next_response(self.pending[0][1])) is not None:
                self._on_answer(right)
        except ResponseError:
            self.on_disconnect("not understood")

    def on_sendable(self) -> None:
        """Send what is left."""
        octets, self._unsent, self.interest = self._unsent, b"", Interest.READ
        self._send(octets)

    def on_disconnect(self, how: str) -> None:
        """Count what was lost, and come back: at once when the server may close, else after a moment."""
        delay = RECONNECT_DELAY if self.pending or how != "closed" else 0.0
        if how == "refused":
            self.load.tally.refused()
        self.give_up()
        self.disconnect()
        self.load.pace.on_lost(self)
        if self.reconnects:
            self.connect_later(delay)

    def give_up(self) -> None:
        """Count the answers that are awaited as lost."""
        now = self.load.clock()
        for due, _ in self.pending:
            self.load.tally.lost(now - due)
        self.load.pending -= len(self.pending)
        self.pending.clear()
        self._responses = ResponseReader(self.load.head_cache)
        self._unsent = b""

    # Its steps.

    def _on_answer(self, right: bool) -> None:
        load = self.load
        due, _ = self.pending.popleft()
        load.pending -= 1
        load.tally.answered(load.clock() - due, right)
        self.was_answered = True
        assert self._responses.head is not None
        if self._responses.head.closes:
            self.on_disconnect("closed")
        elif not self.pending:
            load.pace.on_free(self)

    def _send(self, octets: bytes) -> None:
        if self._unsent:
            self._unsent += octets
            return
        sent = self.send(octets)
        if sent < len(octets) and self.connected:  # else it has just ended
            self._unsent = octets[sent:]
            self.interest = Interest.BOTH
            self.load.reactor.refresh(self)


class IdleRequester(Requester):
    """One that asks once, and then holds on to its connection; it does not come back to another."""

    arrived = False  # whether that is over

    @property
    def reconnects(self) -> bool:
        """Come back only as long as it never was there."""
        return not (self.arrived or self.was_answered)
