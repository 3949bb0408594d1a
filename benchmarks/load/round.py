"""A job, and its phases: what our own load generator does in one round.

    Phase       Requests are sent on                                     Counted
    connect     each connection once, in waves                           served ones: "established"
    warm up     all, as in the measurement                               nothing
    measure     all                                                      everything

The requests of an open loop that have no response after some seconds are errors, and so are those of a closed
loop that were sent before the measurement and have none at its end.

The warm-up of a closed loop lasts until all connections have received a response, so that the measurement
starts in a steady state. A response counts in the phase in which it is received, with its whole time.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from benchmarks.load.clients import ClientGroup, Requester, Tally, send_nothing
from benchmarks.load.pacing import OpenLoop, PreciseSelector, closed_loop, once
from benchmarks.results.samples import Sample
from benchmarks.servers.workloads import HOT
from reactor.loop import Reactor

ANSWER_TIMEOUT = 5.0  # seconds, for outstanding responses
WAVE = 64  # connections opened at the same time: less than any server's backlog
WARM_UP = 0.2  # seconds, at most half of the measurement
CONNECT_TIMEOUT = 10.0  # seconds, plus one per 500 connections


@dataclass(frozen=True)
class Job:
    """The parameters of a round; {n} in target and expected body is a new number each time."""

    connections: int = 64
    seconds: float = 2.0
    rate: float = 0.0  # requests per second; 0: closed loop
    target: str = "/echo/abc"
    expected: bytes = b"abc"  # response body
    idle: bool = False  # whether connections are only held open: one request each, and no reconnecting


class Round:
    """A context manager that runs the phases of a job; its connections are closed at the end."""

    def __init__(self, address: tuple[str, int], job: Job) -> None:
        self.job = job
        request = next(HOT.at(job.target).requests(f"{address[0]}:{address[1]}"))
        reactor = Reactor(PreciseSelector() if job.rate else None)
        self.group = ClientGroup(address, request, job.expected, reactor)
        self.requesters = [Requester(self.group) for _ in range(job.connections)]
        self._established = 0

    def __enter__(self) -> "Round":
        return self

    def __exit__(self, *exception: object) -> None:
        for client in self.requesters:
            client.disconnect()
        self.group.reactor.close()

    # The phases; they raise LoadError.

    def connect(self) -> int:
        """Connect all requesters and send one request each; return the number of responses."""
        self._established = self._ask_once(self.requesters)
        self.group.returning = not self.job.idle
        return self._established

    def warm_up(self) -> None:
        """Send requests as in the measurement."""
        seconds = min(WARM_UP, self.job.seconds / 2)
        if self.job.rate:
            self.run_open_loop(seconds)
            return
        for each in self.requesters:
            each.was_answered = False
        self.group.start(closed_loop, self.requesters)
        self.group.run_for(seconds)
        self._wait_for_answers(self.requesters, ANSWER_TIMEOUT)

    def measure(self) -> Sample:
        """Measure; return a sample without what only the measuring process knows."""
        group = self.group
        group.tally = tally = Tally()
        began, used = group.clock(), time.process_time()
        if self.job.rate:
            self.run_open_loop(self.job.seconds)
        else:
            group.run_for(self.job.seconds)
        seconds, used = group.clock() - began, time.process_time() - used
        group.pace = send_nothing
        self._time_out(before=began)
        return replace(self.sample(tally, seconds), client_cpu=used / seconds)

    def sample(self, tally: Tally, seconds: float) -> Sample:
        """Return the counts of a tally as a sample."""
        return Sample(
            *("", "", "", 0),
            **vars(tally),
            errors=tally.failures.total(),
            seconds=seconds,
            asked=self.job.connections,
            established=self._established,
            intended=self.job.rate or None,
            client="reactor",
        )

    def still_served(self) -> int:
        """Return on how many of the connections another request is answered."""
        return self._ask_once([each for each in self.requesters if each.was_answered and each.connected])

    def run_open_loop(self, seconds: float) -> None:
        """Run an open loop for some seconds; wait for outstanding responses."""
        group, rate = self.group, self.job.rate
        pace = OpenLoop(group, rate, max(1, round(rate * seconds)))
        group.start(pace.on_free, self.requesters)
        group.run_for(seconds)
        group.run(lambda: pace.done, ANSWER_TIMEOUT)
        pace.stop()
        group.pace = send_nothing
        self._time_out()

    def _time_out(self, before: float = inf) -> None:
        """Count the requests that were due before a time and have no response as lost."""
        for each in self.requesters:
            if each.pending and each.pending[0] < before:
                each.on_disconnect("timeout")

    def _ask_once(self, requesters: Sequence[Requester]) -> int:
        """Send one request on each connection, and connect first where necessary; count the responses."""
        end = self.group.clock() + CONNECT_TIMEOUT + len(requesters) / 500
        for start in range(0, len(requesters), WAVE):
            wave = requesters[start : start + WAVE]
            for each in wave:
                each.was_answered = False
                if not each.connected:
                    each.connect_later(0)
            self.group.start(once, wave)
            self._wait_for_answers(wave, end - self.group.clock())
        self.group.pace = send_nothing
        return sum(each.was_answered for each in requesters)

    def _wait_for_answers(self, requesters: Sequence[Requester], seconds: float) -> None:
        """Wait until each requester has received a response, or has lost its connection for good."""
        self.group.run(
            lambda: all(each.was_answered or not (each.connected or each.connecting) for each in requesters),
            seconds,
        )
