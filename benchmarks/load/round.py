"""One round of a load: connect, warm up, measure, finish.

    Phase       Requests are sent on                                     Counted
    connect     each connection once, including idle ones, in waves      served ones: "established"
    warm-up     all, as in the measurement; large transfers start        nothing
    measure     all                                                      everything
    finish      none; wait for outstanding responses                     missing ones: errors
    check idle  each idle connection once more                           still served ones: "kept"

The warm-up of a closed loop lasts until all connections have received a response, so that the measurement
starts in a steady state. A response counts in the phase in which it is received, with its whole time.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.load.clients import IdleRequester, Load, NoRequests, Requester, RequestTemplate, Tally
from benchmarks.load.histogram import Histogram
from benchmarks.load.pacing import ClosedLoop, FirstRequests, OpenLoop, precise_selector
from benchmarks.load.transfers import Download, Transfer, TransferTotals, Upload

ANSWER_TIMEOUT = 5.0  # seconds, for outstanding responses
WARM_UP = 0.2  # seconds, at most half of the measurement
CONNECT_TIMEOUT = 10.0  # seconds, plus one per 500 connections


@dataclass(frozen=True)
class RequestSpec:
    """A request and its expected response; {n} becomes a new number in each request."""

    target: str = "/echo/abc"
    content: str | None = "abc"  # expected response body; None: any
    lines: Sequence[str] = ()  # header lines in addition to Host

    def template(self, host: str) -> RequestTemplate:
        """Return the request as bytes, with the expected body."""
        head = (f"GET {self.target} HTTP/1.1", f"Host: {host}", *self.lines, "", "")
        return RequestTemplate(
            "\r\n".join(head).encode(), None if self.content is None else self.content.encode()
        )


@dataclass(frozen=True)
class Job:
    """The parameters of a round; see the options of ``python -m benchmarks.load``."""

    connections: int = 64
    seconds: float = 2.0
    rate: float = 0.0  # requests per second; 0: closed loop
    depth: int = 1  # pipelined requests per connection, in a closed loop
    idle: int = 0  # additional idle connections
    downloads: int = 0  # concurrent download clients
    download: str = ""  # their target
    download_size: int = 0
    uploads: int = 0  # concurrent upload clients
    upload: str = ""  # their target; the client's number is appended
    upload_size: int = 0


@dataclass
class Result:
    """The result of a round; times in seconds, sizes in bytes, CPU usage in cores."""

    requests: int = 0
    errors: int = 0
    answers: int = 0
    transferred: int = 0
    seconds: float = 0.0
    latency: Histogram = field(default_factory=Histogram)
    client_cpu: float = 0.0
    established: int = 0
    idle_established: int = 0
    idle_kept: int = 0
    downloaded: int = 0
    uploaded: int = 0
    failures: list[str] = field(default_factory=list)  # of downloads and uploads

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        return {**asdict(self), "latency": self.latency.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Result":
        """Return the result from JSON data."""
        return cls(**{**data, "latency": Histogram.from_json(data["latency"])})


def make_load(address: tuple[str, int], spec: RequestSpec, job: Job) -> Load:
    """Return a load for a server, with a selector that suits the job."""
    selector = precise_selector() if job.rate else None
    return Load(spec.template(f"{address[0]}:{address[1]}"), address, selector)


class Round:
    """Runs one job; ``on_phase`` is called with "begin" and "end", ``stop_early`` may end the measurement."""

    def __init__(
        self,
        load: Load,
        job: Job,
        on_phase: Callable[[str, Result], None] = lambda phase, result: None,
        stop_early: Callable[[], bool] = lambda: False,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self.load, self.job, self.result = load, job, Result()
        self._on_phase, self.stop_early, self._processor = on_phase, stop_early, processor
        self._requesters = [Requester(load) for _ in range(job.connections)]
        self._idle = [IdleRequester(load) for _ in range(job.idle)]
        self._down, self._up = TransferTotals(), TransferTotals()
        self._transfers: list[Transfer] = [
            *(Download(load, job.download, job.download_size, self._down) for _ in range(job.downloads)),
            *(Upload(load, f"{job.upload}{i}", job.upload_size, self._up) for i in range(job.uploads)),
        ]

    @property
    def idle_held(self) -> int:
        """The number of open idle connections."""
        return sum(each.connected for each in self._idle)

    def run(self) -> Result:
        """Run all phases."""
        try:
            self.result.idle_established = self._connect(self._idle)
            for each in self._idle:
                if not each.was_answered:
                    each.disconnect()  # a late response does not count
            self.result.established = self._connect(self._requesters)
            self._warm_up()
            self._measure()
            self._on_phase("end", self.result)
            self.result.failures = [*self._down.failures, *self._up.failures]
            self._check_idle()
            return self.result
        finally:
            for client in (*self._requesters, *self._idle, *self._transfers):
                client.disconnect()
            self.load.reactor.close()

    # The phases.

    def _connect(self, requesters: Sequence[Requester]) -> int:
        """Connect the requesters and send one request each; return the number of responses."""
        self.load.pace = first = FirstRequests(self.load, requesters)
        first.start()
        self.load.run(lambda: first.done, CONNECT_TIMEOUT + len(requesters) / 500)
        self.load.pace = NoRequests()
        return first.established

    def _warm_up(self) -> None:
        for transfer in self._transfers:
            transfer.connect_later(0)
        seconds = min(WARM_UP, self.job.seconds / 2)
        if self.job.rate:
            self._run_open_loop(seconds)
            return
        self.load.pace = ClosedLoop(self.load, self._requesters, self.job.depth)
        for each in self._requesters:
            each.was_answered = False
        self.load.pace.start()
        self.load.run_for(seconds)
        self.load.run(
            lambda: all(each.was_answered or not each.connected for each in self._requesters), ANSWER_TIMEOUT
        )

    def _measure(self) -> None:
        load, result = self.load, self.result
        load.tally = tally = Tally()
        carried = self._down.transferred, self._up.transferred
        self._on_phase("begin", result)
        began, used = load.now, self._processor()
        if self.job.rate:
            self._run_open_loop(self.job.seconds)
        else:
            load.run(self.stop_early, self.job.seconds)
        result.seconds = load.now - began
        result.client_cpu = (self._processor() - used) / result.seconds
        result.downloaded, result.uploaded = (
            self._down.transferred - carried[0],
            self._up.transferred - carried[1],
        )
        self._finish(began)
        result.requests, result.errors, result.answers = tally.requests, tally.errors, tally.answers
        result.transferred, result.latency = tally.transferred, tally.latency

    def _run_open_loop(self, seconds: float) -> None:
        """Run an open loop for some seconds, and wait for outstanding responses."""
        self.load.pace = pace = OpenLoop(self.load, self._requesters, self.job.rate, seconds)
        pace.start()
        self.load.run_for(seconds)
        self.load.run(lambda: pace.done, ANSWER_TIMEOUT)
        pace.stop()

    def _finish(self, began: float) -> None:
        """Stop sending; count requests due before ``began`` that have no response as lost."""
        load, tally = self.load, self.load.tally
        load.pace, load.tally = NoRequests(), Tally()

        def late() -> list[Requester]:
            return [each for each in self._requesters if each.pending and each.pending[0][0] < began]

        load.run(lambda: not late(), 0 if self.job.rate else ANSWER_TIMEOUT)
        load.tally = tally
        for each in self._requesters if self.job.rate else late():
            each.give_up()
        load.tally = Tally()

    def _check_idle(self) -> None:
        """Count the idle connections that are still served."""
        held = [each for each in self._idle if each.was_answered and each.connected]
        for each in held:
            each.arrived, each.was_answered = True, False
        self.result.idle_kept = self._connect(held)
