"""The worker's side of the channel: what it does with messages and signals."""

import signal
import socket
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace

import pytest

from reactor.loop import Reactor
from reactor.observe.metrics import MetricFamily
from reactor.server.context import ServerState
from reactor.server.listen import Listener, listen
from reactor.server.server import STOP
from reactor.workers import channel
from reactor.workers.balance import ConnectionCounts
from reactor.workers.channel import Kind
from reactor.workers.metrics import encode
from reactor.workers.worker import MAX_TEXT, Worker
from tests.support.in_process import EagerSelector
from tests.unit.workers.test_metrics import families
from tests.unit.workers.test_supervisor import FakeWorker


class FakeServer:
    """Records the calls of a worker."""

    def __init__(self) -> None:
        self.reactor = self.run_loop = Reactor(EagerSelector())
        self.context = SimpleNamespace(state=ServerState.RUNNING, occupied=3)
        self.calls: list[str] = []

    def stops_on(self, number: int) -> bool:
        return number != signal.SIGUSR1

    def stop(self) -> None:
        self.calls.append("stop")
        self.context.state = ServerState.STOPPING

    def reload(self) -> None:
        self.calls.append("reload")

    def log_connections(self) -> None:
        self.calls.append("log")

    def call_soon(self, function: object) -> None:
        assert callable(function)
        function()


class Site:
    """Worker 2 of 3, its server, and the supervisor's end of the channel."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.supervisor = FakeWorker(ours)
        self.listener: Listener = listen("127.0.0.1", 0)
        self.counts = ConnectionCounts(3)
        self.worker = Worker(2, 3, 0, theirs, [self.listener], self.counts)
        self.server = FakeServer()
        self.started: list[str] = []
        self.worker.report_ready(
            self.server,  # type: ignore[arg-type]
            ["line"],
            lambda: self.started.append("started"),
        )
        self.theirs = theirs

    def receive(self, *kinds: Kind) -> list[str]:
        """Send messages to the worker; return what the server was called for."""
        for each in kinds:
            self.supervisor.send(each)
        for _ in range(3):
            self.server.reactor.turn()
        return self.server.calls


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    yield one
    one.server.reactor.close()
    for each in (one.listener, one.theirs, one.supervisor.sock):
        each.close()


def test_it_reports_that_it_is_ready(site: Site) -> None:
    assert site.supervisor.messages() == [(Kind.READY, ["line"])]
    assert site.receive(Kind.STARTED) == []
    assert site.started == ["started"]


def test_connections_are_numbered_for_all_workers(site: Site) -> None:
    assert list(islice(site.worker.connection_numbers, 3)) == [2, 5, 8]


def test_a_signal_is_reported_once_and_not_handled(site: Site) -> None:
    site.supervisor.messages()
    assert [site.worker.keep_signal(number) for number in (signal.SIGTERM, signal.SIGINT)] == [False, False]
    assert site.supervisor.messages() == [(Kind.LEAVING, None)]
    assert site.worker.keep_signal(signal.SIGUSR1)
    assert site.worker.keep_signal(STOP)


@pytest.mark.parametrize(
    ("kinds", "calls", "outlives", "ready"),
    [
        ([], [], True, True),
        ([Kind.LEAVE], ["stop"], True, True),
        ([Kind.STOP], ["stop"], False, False),
        ([Kind.LEAVE, Kind.STOP], ["stop"], False, False),
        ([Kind.STOP, Kind.STOP], ["stop"], False, False),
        ([Kind.STOP_NOW], ["stop", "stop"], True, False),
        ([Kind.STOP, Kind.STOP_NOW], ["stop", "stop"], False, False),
        ([Kind.RELOAD], ["reload"], True, True),
        ([Kind.LOG_CONNECTIONS], ["log"], True, True),
    ],
)
def test_messages(site: Site, kinds: list[Kind], calls: list[str], outlives: bool, ready: bool) -> None:
    assert site.receive(*kinds) == calls
    assert site.listener.outlives_process is outlives
    assert site.worker.is_ready() is ready


@pytest.mark.parametrize("is_stopping", [False, True])
def test_it_stops_when_the_supervisor_has_ended(
    site: Site, is_stopping: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if is_stopping:
        site.receive(Kind.LEAVE)
    site.supervisor.sock.close()
    assert site.receive() == ["stop"]
    assert not site.listener.outlives_process
    assert caplog.messages == ([] if is_stopping else ["the supervisor has ended; stopping"])


def test_a_long_failure_is_shortened(site: Site) -> None:
    site.supervisor.messages()
    site.worker.report_failure("a message", "x" * MAX_TEXT + "the end")
    ((kind, value),) = site.supervisor.messages()
    assert kind is Kind.FAILED
    assert value == ["a message", "x" * (MAX_TEXT - 7) + "the end"]


def test_metrics_that_are_too_long_are_replaced_by_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.supervisor.messages()
    site.worker.measure_with(lambda server: families(4))
    monkeypatch.setattr(channel, "MAX_MESSAGE", 100)
    site.receive(Kind.MEASURE)
    assert site.supervisor.messages() == [(Kind.MEASURED, [])]


def test_its_connections_are_counted_while_it_serves(site: Site) -> None:
    site.receive()
    assert site.counts.is_ahead(1, 5)  # 3 here
    site.receive(Kind.LEAVE)
    assert not site.counts.is_ahead(1, 5)


def test_it_measures_and_collects(site: Site) -> None:
    collected: list[list[MetricFamily]] = []
    site.worker.measure_with(lambda server: families(4))
    site.supervisor.messages()
    site.worker.collect(collected.append)
    site.worker.collect(collected.append)  # the answer to the first request is for both
    site.receive(Kind.MEASURE)
    assert site.supervisor.messages() == [(Kind.COLLECT, None), (Kind.MEASURED, encode(families(4)))]
    site.supervisor.send(Kind.COLLECTED, encode(families(4)))
    site.receive()
    assert [encode(each) for each in collected] == [encode(families(4))] * 2
    site.worker.collect(collected.append)
    assert site.supervisor.messages() == [(Kind.COLLECT, None)]
