"""One round: everybody connects, the load begins, and then it is measured.

    Phase       Requests are sent by                                 Counted
    connect     each connection once, idle ones too, some at a time  answered ones: "established"
    warm-up     all, as in the measurement; large files begin        nothing
    measure     all                                                  everything
    finish      none; answers on their way are waited for            those that never come: errors
    check idle  each idle connection once more                       those still served: "kept"

The warm-up of a closed loop lasts until all connections have been answered in it, so that what is
counted is a steady state: an answer counts in the phase in which it comes, with all of its time.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.load.clients import IdleRequester, Load, NoRequests, Requester, RequestTemplate, Tally
from benchmarks.load.histogram import Histogram
from benchmarks.load.pacing import ClosedLoop, FirstRequests, OpenLoop, precise_selector
from benchmarks.load.transfers import Download, Transfer, TransferTotals, Upload

ANSWER_TIMEOUT = 5.0  # seconds, for an answer that is late
WARM_UP = 0.2  # seconds, at most half of the measurement
CONNECT_TIMEOUT = 10.0  # seconds, and one more for each 500 connections


@dataclass(frozen=True)
class RequestSpec:
    """What is asked for; "{n}" stands for a number that is another one each time."""

    target: str = "/echo/abc"
    content: str | None = "abc"  # of the answer; None for any
    lines: Sequence[str] = ()  # field lines beside Host

    def template(self, host: str) -> RequestTemplate:
        """Return it as octets."""
        head = (f"GET {self.target} HTTP/1.1", f"Host: {host}", *self.lines, "", "")
        return RequestTemplate(
            "\r\n".join(head).encode(), None if self.content is None else self.content.encode()
        )


@dataclass(frozen=True)
class Job:
    """How to load a server; see the options of ``python -m benchmarks.load``."""

    connections: int = 64
    seconds: float = 2.0
    rate: float = 0.0  # requests a second; 0 is a closed loop
    depth: int = 1  # requests at once on each connection of a closed loop
    idle: int = 0  # connections that are held besides
    downloads: int = 0  # clients that download meanwhile
    download: str = ""  # the target of it
    download_size: int = 0
    uploads: int = 0  # clients that upload meanwhile
    upload: str = ""  # the target of it, without the number of the client
    upload_size: int = 0


@dataclass
class Result:
    """What came of it; times in seconds, sizes in octets, the processor as a share of one."""

    requests: int = 0
    errors: int = 0
    answers: int = 0
    octets: int = 0
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
        """Return it as JSON has it."""
        return {**asdict(self), "latency": self.latency.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Result":
        """Make it again."""
        return cls(**{**data, "latency": Histogram.from_json(data["latency"])})


def make_load(address: tuple[str, int], spec: RequestSpec, job: Job) -> Load:
    """Make what a round needs: a server's address, and the loop that fits the job."""
    selector = precise_selector() if job.rate else None
    return Load(spec.template(f"{address[0]}:{address[1]}"), address, selector)


class Round:
    """One job; ``on_phase`` is called with "begin" and "end", ``stop_early`` may end the measurement."""

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
        """How many idle connections are held now."""
        return sum(each.connected for each in self._idle)

    def run(self) -> Result:
        """Go through the phases."""
        try:
            self.result.idle_established = self._connect(self._idle)
            for each in self._idle:
                if not each.was_answered:
                    each.disconnect()  # for good: it would come too late
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
        """Have each connect and ask once; return how many were answered."""
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
        carried = self._down.octets, self._up.octets
        self._on_phase("begin", result)
        began, used = load.now, self._processor()
        if self.job.rate:
            self._run_open_loop(self.job.seconds)
        else:
            load.run(self.stop_early, self.job.seconds)
        result.seconds = load.now - began
        result.client_cpu = (self._processor() - used) / result.seconds
        result.downloaded, result.uploaded = self._down.octets - carried[0], self._up.octets - carried[1]
        self._finish(began)
        result.requests, result.errors, result.answers = tally.requests, tally.errors, tally.answers
        result.octets, result.latency = tally.octets, tally.latency

    def _run_open_loop(self, seconds: float) -> None:
        """Follow a timetable of some seconds to its end, and wait for the last answers."""
        self.load.pace = pace = OpenLoop(self.load, self._requesters, self.job.rate, seconds)
        pace.start()
        self.load.run_for(seconds)
        self.load.run(lambda: pace.done, ANSWER_TIMEOUT)
        pace.stop()

    def _finish(self, began: float) -> None:
        """Let nobody ask any more; count as lost what was asked before a time, and is never answered."""
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
        """See which idle connections are still served."""
        held = [each for each in self._idle if each.was_answered and each.connected]
        for each in held:
            each.arrived, each.was_answered = True, False
        self.result.idle_kept = self._connect(held)
