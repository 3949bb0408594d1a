"""From samples to figures: ratios per round, with their median and range.

    Cell        one point of measurement: question, workload, position on the axis
    Figure      the median of one value per round, with minimum and maximum
    figures()   all figures of a run by the names that --assert and the targets use:

    hot.floor             requests/s of reactor / of the bare loop, on the workload "hot"
    file-4-KiB.nginx      the same against nginx, on the workload "file 4 KiB"
    hot.p99.nginx         the p99 of reactor / of nginx
    hot.cpu.floor         requests per CPU second of reactor / of the bare loop: meaningful also where
                          the client's core is the limit
    hot.rate, hot.p99     reactor alone, in requests/s and seconds; p50 and p999 likewise
    concurrency-512.floor with 512 connections; latency-90.p99 at 90 % of the capacity; idle-1000.p99
    log.rate              requests/s with the access log / without
    watching.explained    requests/s with --explain / without, with the access log; traced, inspected likewise
    idle.rate             requests/s with 10,000 idle connections / without any
    idle.bytes           resident bytes of the server per idle connection
    fairness.p99          p99 of small requests during downloads and uploads
    fairness.slowdown     that p99 / the p99 of small requests alone
    agreement.clients     requests/s measured by our own client / by wrk

Ratios are only formed within a round, whose peers were measured right after each other. A difference within
the range over rounds is a tie.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from benchmarks.results.samples import Run, Sample, by_round
from benchmarks.results.units import BYTES, RATE, RATIO, SECONDS, slug
from benchmarks.servers.peers import WAYS_TO_WATCH

OURS, LOGGING, FLOOR = "reactor", "reactor +log", "bare loop"
AGREEMENT = "agreement"  # the workload measured by wrk and by our own client
NOT_COMPARED = (AGREEMENT, "capacity")  # workloads with two samples per round, which compare no servers
# Questions whose figures are named after the workload alone; others start with the question.
COMPARISONS = ("throughput", "files", "compression", "watching")
MANY_IDLE = 10_000
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}

Value = Callable[[Sample], float]


@dataclass(frozen=True)
class Figure:
    """The median over rounds, with minimum and maximum; the unit is one of ``units``."""

    median: float
    low: float
    high: float
    rounds: int
    unit: str = RATIO

    @classmethod
    def of(cls, values: Iterable[float], unit: str = RATIO) -> "Figure | None":
        """Return the figure for one value per round; None without finite values."""
        known = sorted(value for value in values if math.isfinite(value))
        return cls(median(known), known[0], known[-1], len(known), unit) if known else None

    @property
    def tie(self) -> bool:
        """True for a ratio whose range includes 1."""
        return self.unit == RATIO and self.low <= 1 <= self.high

    @property
    def spread(self) -> float:
        """(Maximum - minimum) / median."""
        return (self.high - self.low) / abs(self.median) if self.median else math.inf


class Cell(NamedTuple):
    """One point at which peers were measured."""

    question: str
    workload: str
    x: float | None

    @property
    def slug(self) -> str:
        """The prefix of the names of its figures."""
        if self.x is not None:
            return f"{slug(self.question)}-{self.x * 100 if self.question == 'latency' else self.x:.0f}"
        return slug(self.workload if self.question in COMPARISONS else f"{self.question} {self.workload}")


def cells(run: Run) -> dict[Cell, dict[str, list[Sample]]]:
    """Return samples by cell and peer, in the order of measuring."""
    places: dict[Cell, dict[str, list[Sample]]] = {}
    for each in run.samples:
        if each.workload not in NOT_COMPARED:
            place = places.setdefault(Cell(each.question, each.workload, each.x), {})
            place.setdefault(each.peer, []).append(each)
    return places


# Values of samples.


def rate(sample: Sample) -> float:
    """Return requests per second."""
    return sample.rate


def requests_per_cpu_second(sample: Sample) -> float:
    """Return requests per second of the server's CPU time."""
    return sample.rate / sample.server_cpu if sample.server_cpu else 0.0


def percentile(share: float) -> Value:
    """Return a function that returns this percentile of a sample, in seconds."""
    return lambda sample: sample.latency.percentile(share)


def paired(ours: Iterable[Sample], theirs: Iterable[Sample]) -> Iterator[tuple[Sample, Sample]]:
    """Yield the pairs of samples of the same round."""
    others = by_round(theirs)
    for number, sample in sorted(by_round(ours).items()):
        if number in others:
            yield sample, others[number]


def ratios(ours: Iterable[Sample], theirs: Iterable[Sample], value: Value = rate) -> list[float]:
    """Return ours / theirs for each round that both have."""
    pairs = ((value(our), value(their)) for our, their in paired(ours, theirs))
    return [our / their for our, their in pairs if our > 0 and their > 0]


def closed(samples: Iterable[Sample]) -> bool:
    """Return whether the samples are of a closed loop, so that their rate depends on the server."""
    return all(each.intended is None for each in samples)


# Names.


def peer_slug(peer: str) -> str:
    """Return a peer's name for use in the names of figures."""
    return "floor" if peer == FLOOR else slug(peer)


def figures(run: Run) -> dict[str, Figure]:
    """Return all figures of a run by name."""
    named: dict[str, Figure | None] = {}
    places = cells(run)
    for cell, peers in places.items():
        if OURS in peers:
            named.update(_of_cell(cell, peers))
    named.update(_of_log(places))
    named.update(_of_watching(places))
    named.update(_of_idle(places))
    named.update(_of_fairness(places))
    named["agreement.clients"] = agreement(run)
    return {name: figure for name, figure in named.items() if figure is not None}


def _of_cell(cell: Cell, peers: dict[str, list[Sample]]) -> Iterator[tuple[str, Figure | None]]:
    ours = peers[OURS]
    yield f"{cell.slug}.rate", Figure.of(map(rate, ours), RATE)
    for name, share in PERCENTILES.items():
        yield f"{cell.slug}.{name}", Figure.of(map(percentile(share), ours), SECONDS)
    for peer, theirs in peers.items():
        if peer not in (OURS, LOGGING, *WAYS_TO_WATCH):
            if closed(theirs):
                yield f"{cell.slug}.{peer_slug(peer)}", Figure.of(ratios(ours, theirs))
            yield (
                f"{cell.slug}.cpu.{peer_slug(peer)}",
                Figure.of(ratios(ours, theirs, requests_per_cpu_second)),
            )
            yield f"{cell.slug}.p99.{peer_slug(peer)}", Figure.of(ratios(ours, theirs, percentile(0.99)))


def _of_log(places: dict[Cell, dict[str, list[Sample]]]) -> Iterator[tuple[str, Figure | None]]:
    peers = places.get(Cell("throughput", "hot", None), {})
    if OURS in peers and LOGGING in peers:
        yield "log.rate", Figure.of(ratios(peers[LOGGING], peers[OURS]))


def _of_watching(places: dict[Cell, dict[str, list[Sample]]]) -> Iterator[tuple[str, Figure | None]]:
    peers = places.get(Cell("watching", "watched", None), {})
    for name in WAYS_TO_WATCH:
        watched = peers.get(name)
        if watched and LOGGING in peers:
            yield f"watching.{name}", Figure.of(ratios(watched, peers[LOGGING]))


def _of_idle(places: dict[Cell, dict[str, list[Sample]]]) -> Iterator[tuple[str, Figure | None]]:
    with_idle = {cell.x: peers[OURS] for cell, peers in places.items() if _is_idle(cell) and OURS in peers}
    many, none = with_idle.get(MANY_IDLE), with_idle.get(0)
    if many and none:
        if closed(many):
            yield "idle.rate", Figure.of(ratios(many, none))
        yield "idle.bytes", memory_per_idle(many, none)


def _is_idle(cell: Cell) -> bool:
    return cell.question == "idle"


def memory_per_idle(many: Iterable[Sample], none: Iterable[Sample]) -> Figure | None:
    """Return the resident bytes per idle connection."""
    pairs = ((held, free) for held, free in paired(many, none) if held.x)
    return Figure.of([(held.resident - free.resident) / (held.x or 1) for held, free in pairs], BYTES)


def _of_fairness(places: dict[Cell, dict[str, list[Sample]]]) -> Iterator[tuple[str, Figure | None]]:
    both = places.get(Cell("fairness", "during both", None), {}).get(OURS)
    alone = places.get(Cell("fairness", "alone", None), {}).get(OURS)
    if both:
        yield "fairness.p99", Figure.of(map(percentile(0.99), both), SECONDS)
    if both and alone:
        yield "fairness.slowdown", Figure.of(ratios(both, alone, percentile(0.99)))


def agreement(run: Run) -> Figure | None:
    """Return requests/s measured by our own client / by wrk; None unless both measured."""
    samples = run.select(workload=AGREEMENT)
    clients: dict[str, list[Sample]] = {"wrk": [], "reactor": []}
    for each in samples:
        clients.setdefault(each.client, []).append(each)
    return Figure.of(ratios(clients["reactor"], clients["wrk"]))
