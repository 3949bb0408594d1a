"""The collection of the metrics of all workers, for the first one, which serves /metrics.

    Event                       Action
    COLLECT from a worker       send MEASURE to every worker, unless a collection is in progress
    MEASURED from a worker      keep its metrics; if all have answered, send COLLECTED
    a worker has ended          continue without its answer
    MEASURE_TIMEOUT has passed  send COLLECTED without the metrics that are missing

A worker that has not answered, because its loop is blocked, gets no other MEASURE until it answers.
"""

from collections.abc import Mapping, Sequence

from reactor.http11.body import JSONValue
from reactor.loop import Reactor
from reactor.timer import Timer
from reactor.workers.channel import Channel, Kind
from reactor.workers.metrics import WorkerMetrics, decode, encode
from reactor.workers.policy import WorkerRecord, WorkerState

MEASURE_TIMEOUT = 1.0  # seconds


class Collection:
    """Collects the metrics of workers over their channels, which are by the worker's number."""

    def __init__(
        self, reactor: Reactor, workers: Sequence[WorkerRecord], channels: Mapping[int, Channel]
    ) -> None:
        self._reactor = reactor
        self._workers = workers
        self._channels = channels
        self._metrics = WorkerMetrics()
        self._unanswered: set[int] = set()  # workers that have not answered the latest MEASURE
        self._timer: Timer | None = None  # while a collection is in progress

    def begin(self) -> None:
        """Request the metrics of every worker."""
        if self._timer is not None:
            return
        self._timer = Timer(self._reactor, MEASURE_TIMEOUT, self._finish)
        for each in self._present() - self._unanswered:
            self._unanswered.add(each)
            self._channels[each].send(Kind.MEASURE)

    def add(self, worker: int, value: JSONValue) -> None:
        """Keep the answer of a worker."""
        self._metrics.update(worker, decode(value))
        self._remove_unanswered(worker)

    def end(self, worker: int) -> None:
        """Continue without a worker whose process has ended."""
        self._metrics.end(worker)
        self._remove_unanswered(worker)

    def _remove_unanswered(self, worker: int) -> None:
        self._unanswered.discard(worker)
        if self._timer is not None and not self._unanswered:
            self._timer.cancel()
            self._finish()

    def _finish(self) -> None:
        """Send the metrics of the workers that have answered to the first one."""
        self._timer = None
        families = self._metrics.families(self._workers, self._present() - self._unanswered)
        first = self._channels.get(1)
        if first is not None and not first.send(Kind.COLLECTED, encode(families)):
            first.send(Kind.COLLECTED, [])  # too long

    def _present(self) -> set[int]:
        return {each.number for each in self._workers if each.state is not WorkerState.ABSENT}
