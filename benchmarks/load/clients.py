"""Load clients: connections that send requests, as event handlers, and their shared state.

    RequestTemplate  a request, and the expected response body
    Tally            counts and response times
    Load             the event loop, the tally of the current phase, and the pace
    Requester        one connection: sends requests, reads and compares the responses
    IdleRequester    one that sends a single request and stays connected

A free requester notifies the pace (see ``benchmarks.load.pacing``), which makes it send its next request:
at once, when one is due, or never. Response times are measured from when a request was *due*.
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
    """A request and the expected response body (None: any); {n} in either becomes a new number."""

    request: bytes
    content: bytes | None = None

    @property
    def varies(self) -> bool:
        """Whether each request is different."""
        return NUMBER.encode() in self.request

    def numbered(self, number: int) -> tuple[bytes, bytes | None]:
        """Return request and expected body, with a number filled in."""
        return numbered(self.request, number), self.content and numbered(self.content, number)


@dataclass
class Tally:
    """Counts of requests; ``latency`` includes wrong responses, and the wait for lost ones."""

    requests: int = 0  # with a correct response
    errors: int = 0  # wrong responses, requests without a response, refused connections
    answers: int = 0  # complete responses, correct or not
    transferred: int = 0  # bytes received, including heads
    latency: Histogram = field(default_factory=Histogram)

    def answered(self, seconds: float, right: bool) -> None:
        """Count a response."""
        self.answers += 1
        if right:
            self.requests += 1
        else:
            self.errors += 1
        self.latency.add(seconds)

    def lost(self, seconds: float) -> None:
        """Count a request without a response, with the time waited for it."""
        self.errors += 1
        self.latency.add(seconds)

    def refused(self) -> None:
        """Count a refused connection."""
        self.errors += 1


class Pace(Protocol):
    """Decides when requesters send requests."""

    def on_free(self, requester: "Requester") -> None:
        """Called when a requester has connected, or has received all its responses."""

    def on_lost(self, requester: "Requester") -> None:
        """Called when a requester has lost its connection; it reconnects by itself."""


class NoRequests:
    """A pace that sends no requests."""

    def on_free(self, requester: "Requester") -> None:
        """Do nothing."""

    def on_lost(self, requester: "Requester") -> None:
        """Do nothing."""


class Load(ClientGroup):
    """The shared state of all requesters of one server."""

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
        self.pending = 0  # requests without a response yet
        self._template = template
        self._constant = None if template.varies else (template.request, template.content)
        # Starts at the time in microseconds, so that two runs use different numbers.
        self._numbers = itertools.count(time.time_ns() // 1000 % 10**DIGITS)

    def next_request(self) -> tuple[bytes, bytes | None]:
        """Return the next request, and the expected response body (None: any)."""
        return self._constant or self._template.numbered(next(self._numbers) % 10**DIGITS)


class Requester(Client):
    """One connection, which sends requests when the pace says so, and reconnects when closed."""

    def __init__(self, load: Load) -> None:
        super().__init__(load)
        self.load = load
        self.was_answered = False  # whether it has received a response
        self.pending: deque[tuple[float, bytes | None]] = deque()  # due time, expected body
        self._responses = ResponseReader(load.head_cache)
        self._unsent = b""

    def send_requests(self, due: float, times: int = 1) -> None:
        """Send ``times`` requests at once, all due at ``due`` (time of the load's clock)."""
        data = b""
        for _ in range(times):
            request, content = self.load.next_request()
            self.pending.append((due, content))
            data += request
        self.load.pending += times
        self._send(data)

    @property
    def reconnects(self) -> bool:
        """Whether it reconnects when its connection has ended."""
        return True

    # Client methods.

    def on_connected(self) -> None:
        """Notify the pace."""
        self.load.pace.on_free(self)

    def on_data(self, data: bytes) -> None:
        """Process all complete responses."""
        self.load.tally.transferred += len(data)
        self._responses.feed(data)
        try:
            while self.pending and (right := self._responses.next_response(self.pending[0][1])) is not None:
                self._on_answer(right)
        except ResponseError:
            self.on_disconnect("invalid response")

    def on_sendable(self) -> None:
        """Send unsent data."""
        data, self._unsent, self.interest = self._unsent, b"", Interest.READ
        self._send(data)

    def on_disconnect(self, how: str) -> None:
        """Count lost requests and reconnect: at once after a regular close, otherwise with a delay."""
        delay = RECONNECT_DELAY if self.pending or how != "closed" else 0.0
        if how == "refused":
            self.load.tally.refused()
        self.give_up()
        self.disconnect()
        self.load.pace.on_lost(self)
        if self.reconnects:
            self.connect_later(delay)

    def give_up(self) -> None:
        """Count pending requests as lost."""
        now = self.load.clock()
        for due, _ in self.pending:
            self.load.tally.lost(now - due)
        self.load.pending -= len(self.pending)
        self.pending.clear()
        self._responses = ResponseReader(self.load.head_cache)
        self._unsent = b""

    # Helpers.

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

    def _send(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        sent = self.send(data)
        if sent < len(data) and self.connected:  # otherwise the connection was reset
            self._unsent = data[sent:]
            self.interest = Interest.BOTH
            self.load.reactor.refresh(self)


class IdleRequester(Requester):
    """Sends one request and keeps its connection open; once served, it does not reconnect."""

    arrived = False  # whether its first response has been counted

    @property
    def reconnects(self) -> bool:
        """Whether it reconnects: only until its first response."""
        return not (self.arrived or self.was_answered)
