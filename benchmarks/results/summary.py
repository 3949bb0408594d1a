"""Summary of one peer in one cell, over all rounds: a table row, a bar or a point of a chart.

Percentiles are of the times of all rounds together; other values are medians over rounds. ``against`` is
reactor's rate / this peer's, round by round.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Run, Sample
from benchmarks.results.statistics import OURS, Cell, Figure, cells, closed, memory_per_idle, rate, ratios
from benchmarks.results.units import RATE


@dataclass(frozen=True)
class Row:
    """One peer in one cell; times are in seconds, memory in bytes, CPU usage in cores."""

    cell: Cell
    peer: str
    rate: Figure
    latency: Histogram
    server_cpu: float
    client_cpu: float
    resident: float
    errors: int
    connections: int
    open_loop: bool
    against: Figure | None  # reactor's rate / this peer's; None for an open loop and for reactor
    memory_per_idle: Figure | None  # bytes; None without idle connections
    observed: dict[str, float]  # of the first sample

    def percentile(self, share: float) -> float:
        """Return a percentile of the response times, in seconds."""
        return self.latency.percentile(share)


def summarize(run: Run, question: str) -> list[Row]:
    """Return the rows of a question, in the order of its axis."""
    places = {cell: peers for cell, peers in cells(run).items() if cell.question == question}
    ordered = sorted(places, key=lambda cell: cell.x or 0)
    none = next((peers for cell, peers in places.items() if cell.x == 0), {})
    return [
        _row(cell, peer, samples, places[cell].get(OURS, []), none.get(peer, []))
        for cell in ordered
        for peer, samples in places[cell].items()
    ]


def _row(cell: Cell, peer: str, samples: list[Sample], ours: list[Sample], none: list[Sample]) -> Row:
    figure = Figure.of(map(rate, samples), RATE)
    assert figure is not None  # a rate is always a number
    compared = peer != OURS and closed(samples)
    return Row(
        cell,
        peer,
        figure,
        merged(samples),
        _median(samples, lambda each: each.server_cpu),
        _median(samples, lambda each: each.client_cpu),
        _median(samples, lambda each: each.resident),
        sum(each.errors for each in samples),
        samples[0].asked,
        not closed(samples),
        Figure.of(ratios(ours, samples)) if compared else None,
        memory_per_idle(samples, none) if cell.question == "idle" else None,
        samples[0].observed,
    )


def merged(samples: Iterable[Sample]) -> Histogram:
    """Return one histogram of the times of all samples."""
    everything = Histogram()
    for sample in samples:
        everything.merge(sample.latency)
    return everything


def _median(samples: Iterable[Sample], value: Callable[[Sample], float]) -> float:
    return median(map(value, samples))
