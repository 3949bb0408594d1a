"""From samples to figures: ratios per round, with their median and range.

    Cell        one point of measurement: question, workload, position on the axis
    Row         one peer in one cell, over all rounds: a table row, a bar or a point of a chart
    Figure      the median of one value per round, with minimum and maximum
    figures()   all figures of a run by the names that --assert and the targets use:

    hot.floor, file-4-KiB.nginx    requests/s of reactor / of a peer, on a workload
    hot.p99.nginx, hot.cpu.floor   the same of p99, and of CPU time per request: meaningful also where the
                                   client's core is the limit
    hot.rate, hot.p99, hot.cpu     reactor alone, in requests/s and seconds; p50, p999 and longest likewise
    concurrency-512.floor          with 512 connections; latency-90.p99 at 90 % of the capacity; idle-1000.p99
    attack-storm.RSS-during        resident bytes, the most during an attack; RSS-before, RSS-after likewise
    log.rate, attack.p99           and the other figures in SPECIAL

Ratios are only formed within a round, whose peers were measured right after each other. A difference within
the range over rounds is a tie.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from statistics import median
from typing import NamedTuple

from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Run, Sample
from benchmarks.results.units import BYTES, COUNT, FORMATS, RATE, RATIO, SECONDS, share, slug
from benchmarks.servers.peers import WAYS_TO_WATCH

OURS, LOGGING, WSGI, FLOOR = "reactor", "reactor +log", "reactor wsgi", "bare loop"
REACTORS = (OURS, LOGGING, *WAYS_TO_WATCH)  # with different options
AGREEMENT = "agreement"  # the workload measured by wrk and by our own client
NOT_COMPARED = (AGREEMENT, "capacity")  # workloads with two samples per round, which compare no servers
# Questions whose figures are named after the workload alone; others start with the question.
COMPARISONS = ("throughput", "files", "compression", "watching")
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "longest": 1.0}
MEMORY = ("RSS before", "RSS during", "RSS after")  # of an attack

Value = Callable[[Sample], float]
Attributes = Mapping[str, object]  # of samples
Combine = Callable[[Sample, Sample], float]  # two samples of the same round; NaN: no value


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

    def __str__(self) -> str:
        return FORMATS[self.unit](self.median)

    @property
    def plus_minus(self) -> str:
        """Half of the spread as text; empty for one round."""
        return f" \N{PLUS-MINUS SIGN}{share(self.spread / 2)}" if self.rounds > 1 else ""

    @property
    def range(self) -> str:
        """The range over rounds as text: "minimum to maximum"."""
        if self.rounds == 1:
            return "one round"
        low, high = map(FORMATS[self.unit], (self.low, self.high))
        value, gap, unit = low.partition(" ")
        return f"{value if gap and high.endswith(gap + unit) else low} to {high}"


class Cell(NamedTuple):
    """One point at which peers were measured."""

    question: str
    workload: str
    x: float | None = None

    @property
    def slug(self) -> str:
        """The prefix of the names of its figures."""
        if self.x is not None:
            return f"{slug(self.question)}-{self.x * 100 if self.question == 'latency' else self.x:.0f}"
        return slug(self.workload if self.question in COMPARISONS else f"{self.question} {self.workload}")


def combined(
    ours: Iterable[Sample], theirs: Iterable[Sample], combine: Combine, unit: str = RATIO
) -> Figure | None:
    """Return the figure of one value for each round that both have."""
    others = {each.round: each for each in theirs}
    return Figure.of((combine(our, others[our.round]) for our in ours if our.round in others), unit)


def ratio(value: Value) -> Combine:
    """Return a function that divides this value of two samples, if both are above 0."""

    def divide(our: Sample, their: Sample) -> float:
        above, below = value(our), value(their)
        return above / below if above > 0 and below > 0 else math.nan

    return divide


RATES = ratio(lambda each: each.rate if each.intended is None else math.nan)  # an open loop has a fixed rate
CPU_TIMES = ratio(lambda each: each.cpu_per_request)
P99S = ratio(lambda each: each.latency.percentile(0.99))


def bytes_per_idle(many: Sample, none: Sample) -> float:
    """Return the additional resident bytes per idle connection."""
    return (many.resident - none.resident) / many.x if many.x else math.nan


@dataclass(frozen=True)
class Row:
    """One peer in one cell. Percentiles are of all rounds together; other values are medians over rounds."""

    cell: Cell
    peer: str
    samples: Sequence[Sample]
    against: Figure | None  # reactor's rate / this peer's; None for an open loop and for reactor
    against_cpu: Figure | None  # the same of CPU time per request, also for an open loop
    against_p99: Figure | None
    bytes_per_idle: Figure | None  # None without idle connections

    @cached_property
    def rate(self) -> Figure:
        """Requests per second."""
        rates = [each.rate for each in self.samples]
        return Figure(median(rates), min(rates), max(rates), len(rates), RATE)

    @property
    def cpu(self) -> Figure | None:
        """CPU time of the server per request; None if unknown."""
        return Figure.of((each.cpu_per_request for each in self.samples), SECONDS)

    @cached_property
    def latency(self) -> Histogram:
        """The response times of all rounds."""
        everything = Histogram()
        for each in self.samples:
            everything.merge(each.latency)
        return everything

    def median(self, value: Value) -> float:
        """Return the median of a value of the samples; NaN if unknown."""
        figure = Figure.of(map(value, self.samples))
        return figure.median if figure else math.nan

    @property
    def memory(self) -> Figure | None:
        """Resident bytes; None if unknown."""
        return Figure.of((each.resident for each in self.samples), BYTES)


def rows(run: Run, question: str | None = None) -> list[Row]:
    """Return the rows of a question or of all questions, in the order of the axis."""
    cells: dict[Cell, dict[str, list[Sample]]] = {}
    for each in run.samples:
        if each.workload not in NOT_COMPARED and question in (None, each.question):
            cell = Cell(each.question, each.workload, each.x)
            cells.setdefault(cell, {}).setdefault(each.peer, []).append(each)
    found = []
    for cell, peers in sorted(cells.items(), key=lambda item: item[0].x or 0):
        for peer, some in peers.items():
            ours = peers.get(OURS, []) if peer != OURS else []
            rates, cpu, p99 = (combined(ours, some, each) for each in (RATES, CPU_TIMES, P99S))
            none = cells.get(cell._replace(x=0.0), {}).get(peer, [])
            found.append(Row(cell, peer, some, rates, cpu, p99, combined(some, none, bytes_per_idle, BYTES)))
    return found


def grouped(some: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Return rows by a key, in order."""
    groups: dict[str, list[Row]] = {}
    for row in some:
        groups.setdefault(key(row), []).append(row)
    return groups


Special = Callable[[Run], Figure | None]  # returns a figure of its own name; None if it was not measured


def _of(question: str, workload: str, peer: str = OURS, x: float | None = None) -> dict[str, object]:
    return {"question": question, "workload": workload, "peer": peer, "x": x}


def _versus(ours: Attributes, theirs: Attributes, combine: Combine = RATES, unit: str = RATIO) -> Special:
    """Return a function that combines the samples with these attributes, round by round."""
    return lambda run: combined(run.select(**ours), run.select(**theirs), combine, unit)


def _worst(value: Value, unit: str = RATIO) -> Special:
    """Return a function that returns the greatest value of all attacks."""

    def greatest(run: Run) -> Figure | None:
        some = [value(each) for peer in (OURS, WSGI) for each in run.select(question="attack", peer=peer)]
        return Figure.of([max(filter(math.isfinite, some), default=math.nan)], unit)

    return greatest


def observed(name: str) -> Value:
    """Return a function that returns what a sample observed; NaN if it did not."""
    return lambda sample: sample.observed.get(name, math.nan)


_HOT, _LOGGING = _of("throughput", "hot"), _of("throughput", "hot", LOGGING)
_MANY, _NONE = _of("idle", "hot", x=10_000), _of("idle", "hot", x=0)
_WRK, _OWN = {"workload": AGREEMENT, "client": "wrk"}, {"workload": AGREEMENT, "client": "reactor"}
SPECIAL: dict[str, Special] = {
    "log.rate": _versus(_LOGGING, _HOT),  # requests/s with the access log / without it
    "log.cpu": _versus(_LOGGING, _HOT, CPU_TIMES),
    **{  # requests/s with --explain, --trace or --inspect / without it, both with the access log
        f"watching.{name}": _versus(_of("watching", "watched", name), _of("watching", "watched", LOGGING))
        for name in WAYS_TO_WATCH
    },
    "idle.rate": _versus(_MANY, _NONE),  # requests/s with 10,000 idle connections / without any
    "idle.bytes": _versus(_MANY, _NONE, bytes_per_idle, BYTES),
    "agreement.clients": _versus(_OWN, _WRK),  # requests/s measured by our own client / by wrk
    # The worst of all attacks. "CPU-idle" is while attacked but otherwise idle, "kept" is after - before.
    "attack.p99": _worst(lambda each: each.latency.percentile(0.99), SECONDS),
    "attack.errors": _worst(lambda each: each.errors, COUNT),
    "attack.CPU-idle": _worst(observed("CPU idle")),
    "attack.CPU-after": _worst(observed("CPU after")),
    "attack.memory-kept": _worst(observed("memory kept"), BYTES),
    "attack.descriptors-kept": _worst(observed("descriptors kept"), COUNT),
}


def figures(run: Run) -> dict[str, Figure]:
    """Return all figures of a run by name."""
    found = rows(run)
    slugs = peer_slugs(row.peer for row in found)
    named: dict[str, Figure | None] = {}
    for row in found:
        cell, peer = row.cell.slug, slugs[row.peer]
        if row.peer == OURS:
            named |= {f"{cell}.rate": row.rate, f"{cell}.cpu": row.cpu}
            for name, share in PERCENTILES.items():
                times = (each.latency.percentile(share) for each in row.samples)
                named[f"{cell}.{name}"] = Figure.of(times, SECONDS)
            for name in MEMORY:
                named[f"{cell}.{slug(name)}"] = Figure.of(map(observed(name), row.samples), BYTES)
        elif row.peer not in REACTORS:
            named[f"{cell}.{peer}"] = row.against
            named[f"{cell}.cpu.{peer}"] = row.against_cpu
            named[f"{cell}.p99.{peer}"] = row.against_p99
    named |= {name: special(run) for name, special in SPECIAL.items()}
    return {name: figure for name, figure in named.items() if figure is not None}


def peer_slugs(peers: Iterable[str]) -> dict[str, str]:
    """Return a different name for each peer, for use in the names of figures.

    >>> names = peer_slugs(["http.server", "127.0.0.1:80", "127.0.0.1-80", "rate", "!"])
    >>> print(*names.values())
    floor http-server 127-0-0-1-80 127-0-0-1-80-2 rate-2 peer
    """
    names = {FLOOR: "floor"}
    for peer in peers:
        plain = slug(peer) or "peer"
        taken = {"rate", "cpu", *PERCENTILES, *names.values()}
        numbered = chain([plain], (f"{plain}-{number}" for number in count(2)))
        names.setdefault(peer, next(name for name in numbered if name not in taken))
    return names
