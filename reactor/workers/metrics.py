"""The metrics of all workers: sums, and a series for each worker where a sum would say nothing.

    process_..., reactor_loop_...   one series for each worker, with the label ``worker``
    reactor_worker_...              written by the supervisor, with the label ``worker``
    all others                      sums over the workers, with the names and labels of a single process

A counter never decreases: what an ended process had counted when it last answered is kept, and so is the
last answer of one that does not answer. Gauges count the workers that have answered.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from reactor.http11.body import JSONValue
from reactor.observe.metrics import COUNTER, GAUGE, Histogram, Labels, MetricFamily, Value
from reactor.workers.policy import WorkerRecord

PER_WORKER = ("process_", "reactor_loop_")

# The series of one family, by labels.
Series = dict[Labels, Value]


def encode(families: Iterable[MetricFamily]) -> JSONValue:
    """Return metric families as JSON."""
    return [
        [
            name,
            kind,
            unit,
            text,
            [[[list(pair) for pair in labels], _encode(value)] for labels, value in series],
        ]
        for name, kind, unit, text, series in families
    ]


def _encode(value: Value) -> JSONValue:
    return [list(value.bounds), list(value.counts), value.sum] if isinstance(value, Histogram) else value


def decode(value: Any) -> list[MetricFamily]:
    """Return metric families from what ``encode`` has returned."""
    return [
        MetricFamily(
            name,
            kind,
            unit,
            text,
            [(tuple((key, label) for key, label in labels), _decode(each)) for labels, each in series],
        )
        for name, kind, unit, text, series in value
    ]


def _decode(value: Any) -> Value:
    if not isinstance(value, list):
        return float(value) if isinstance(value, float) else int(value)
    histogram = Histogram(tuple(value[0]))
    histogram.counts, histogram.sum = list(value[1]), value[2]
    return histogram


class WorkerMetrics:
    """The latest metrics of each worker, and what earlier processes had counted."""

    def __init__(self) -> None:
        self._latest: dict[int, list[MetricFamily]] = {}
        self._ended: dict[str, MetricFamily] = {}  # counters and histograms

    def update(self, worker: int, families: list[MetricFamily]) -> None:
        """Keep the answer of a worker."""
        self._latest[worker] = families

    def end(self, worker: int) -> None:
        """Keep what a process had counted, which has ended."""
        for family in self._latest.pop(worker, ()):
            if family.kind != GAUGE and not family.name.startswith(PER_WORKER):
                _add(self._ended, family)

    def families(self, workers: Sequence[WorkerRecord], answered: set[int]) -> list[MetricFamily]:
        """Return the families of all workers; ``answered`` are those whose metrics are current."""
        total: dict[str, MetricFamily] = {}
        for worker in sorted(self._latest):
            for family in self._latest[worker]:
                if family.name.startswith(PER_WORKER):
                    if worker in answered:
                        _add(total, _labelled(family, worker))
                elif worker in answered or family.kind != GAUGE:
                    _add(total, family)
        for family in self._ended.values():
            _add(total, family)
        return [*total.values(), *self._of_workers(workers, answered)]

    def _of_workers(self, workers: Sequence[WorkerRecord], answered: set[int]) -> list[MetricFamily]:
        current = {worker: self._latest[worker] for worker in answered if worker in self._latest}
        return [
            _by_worker(
                "reactor_worker_up",
                GAUGE,
                "1 if the worker answers within a second, else 0.",
                {each.number: int(each.number in answered) for each in workers},
            ),
            _by_worker(
                "reactor_worker_connections",
                GAUGE,
                "Open connections of each worker.",
                {worker: _sum(families, "reactor_connections") for worker, families in current.items()},
            ),
            _by_worker(
                "reactor_worker_requests",
                COUNTER,
                "Requests answered by the current process of each worker.",
                {
                    worker: _sum(families, "http_server_request_duration_seconds")
                    for worker, families in current.items()
                },
            ),
            _by_worker(
                "reactor_worker_restarts",
                COUNTER,
                "Processes started in place of one that had ended.",
                {each.number: each.restarts for each in workers},
            ),
        ]


def _add(total: dict[str, MetricFamily], family: MetricFamily) -> None:
    """Add the values of a family to those of the family with the same name; share no object with it."""
    name, kind, unit, text, _ = family
    before = total.get(name)
    values: Series = {} if before is None else dict(before.series)
    for labels, value in family.series:
        values[labels] = _plus(values.get(labels), value)
    total[name] = MetricFamily(name, kind, unit, text, list(values.items()))


def _plus(one: Value | None, other: Value) -> Value:
    if not isinstance(other, Histogram):
        return other if one is None or isinstance(one, Histogram) else one + other
    result = Histogram(other.bounds)
    result.counts, result.sum = list(other.counts), other.sum
    if isinstance(one, Histogram):
        result.counts = [first + second for first, second in zip(one.counts, other.counts, strict=True)]
        result.sum += one.sum
    return result


def _labelled(family: MetricFamily, worker: int) -> MetricFamily:
    label = ("worker", str(worker))
    return family._replace(series=[((label, *labels), value) for labels, value in family.series])


def _by_worker(name: str, kind: str, text: str, values: dict[int, float]) -> MetricFamily:
    series: list[tuple[Labels, Value]] = [
        ((("worker", str(worker)),), value) for worker, value in sorted(values.items())
    ]
    return MetricFamily(name, kind, "", text, series)


def _sum(families: Iterable[MetricFamily], name: str) -> float:
    """Return the sum of all values of a family; of a histogram, the number of values."""
    values = [value for family in families if family.name == name for _, value in family.series]
    return sum(sum(value.counts) if isinstance(value, Histogram) else value for value in values)
