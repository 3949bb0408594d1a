"""The supervisor without processes: what it starts, replaces, stops and kills."""

import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from reactor.http11.body import JSONValue
from reactor.loop import Reactor
from reactor.server.listen import Listener, listen, listen_unix
from reactor.workers import channel
from reactor.workers import supervisor as supervisor_module
from reactor.workers.channel import Kind, pack, unpack
from reactor.workers.collection import MEASURE_TIMEOUT
from reactor.workers.metrics import decode, encode
from reactor.workers.process import Processes
from reactor.workers.supervisor import KILL_MARGIN, Supervisor, SupervisorHooks
from tests.support.in_process import Clock, EagerSelector
from tests.unit.workers.test_metrics import families

KILLED = int(signal.SIGKILL)  # a status of waitpid()
STOP_TIMEOUT = 8.0


class FakeWorker:
    """The worker's end of a channel."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)
        self._received = bytearray()

    def send(self, kind: Kind, value: JSONValue = None) -> None:
        self.sock.sendall(pack(kind, value))

    def messages(self) -> list[tuple[Kind, JSONValue]]:
        """Return the messages that have arrived since the last call."""
        try:
            self._received += self.sock.recv(1 << 20)
        except BlockingIOError:
            pass
        found = []
        while (message := unpack(self._received)) is not None:
            found.append(message)
        return found

    def kinds(self) -> list[Kind]:
        return [kind for kind, _ in self.messages()]


class FakeProcesses(Processes):
    """Records what the supervisor does to processes, whose ids are 101, 102, and so on."""

    def __init__(self) -> None:
        self.workers: dict[int, FakeWorker] = {}
        self.killed: list[tuple[int, signal.Signals]] = []
        self.ended: list[tuple[int, int]] = []
        self.reaped: set[int] = set()
        self.failures = 0  # how many of the next calls of fork fail

    def fork(self, function: Callable[[], int], blocked: Iterable[signal.Signals]) -> int:
        if self.failures:
            self.failures -= 1
            raise OSError(11, "Resource temporarily unavailable")
        pid = 101 + len(self.workers)
        self.workers[pid] = FakeWorker(function.args[-1].dup())  # type: ignore[attr-defined]
        return pid

    def kill(self, pid: int, number: signal.Signals) -> None:
        assert pid not in self.reaped, "the id may be that of another process by now"
        self.killed.append((pid, number))

    def wait(self) -> tuple[int, int] | None:
        if not self.ended:
            return None
        pid, status = self.ended.pop(0)
        self.reaped.add(pid)
        return pid, status


class Hooks(SupervisorHooks):
    """Records the calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_ready(self, supervisor: Supervisor) -> None:
        self.calls.append("ready")

    def on_reload(self) -> None:
        self.calls.append("reload")

    def on_stopping(self) -> None:
        self.calls.append("stopping")


class Site:
    """A supervisor of two workers with a fake clock; its workers are driven by the test."""

    def __init__(self, listener: Listener | None = None) -> None:
        self.clock = Clock()
        self.processes = FakeProcesses()
        self.hooks = Hooks()
        self.lines: list[list[str]] = []
        self.listener = listener or listen("127.0.0.1", 0)
        self.supervisor = Supervisor(
            2,
            lambda worker: 0,
            [self.listener],
            STOP_TIMEOUT,
            self.lines.append,
            self.hooks,
            reactor=Reactor(EagerSelector(), self.clock),
            processes=self.processes,
        )

    @property
    def states(self) -> list[str]:
        return [each.state.name for each in self.supervisor.workers]

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass, and let the supervisor take turns."""
        self.clock.now += seconds
        for _ in range(5):
            self.supervisor.reactor.turn()

    def worker(self, pid: int) -> FakeWorker:
        return self.processes.workers[pid]

    def make_ready(self, *pids: int) -> None:
        for pid in pids:
            self.worker(pid).send(Kind.READY, [f"line of {pid}"])
        self.run()
        for pid in pids:
            self.worker(pid).messages()

    def end(self, pid: int, status: int = 0) -> None:
        """Let a process end."""
        self.worker(pid).sock.close()
        self.processes.ended.append((pid, status))
        self.supervisor.on_signal(signal.SIGCHLD)
        self.run()

    def close(self) -> None:
        self.supervisor.close()
        self.listener.close()
        for each in self.processes.workers.values():
            each.sock.close()


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Site]:
    caplog.set_level("INFO")
    monkeypatch.setattr(supervisor_module, "has_controlling_terminal", lambda: False)
    site = Site()
    site.supervisor.start()
    yield site
    site.close()
    assert [each for each in caplog.get_records("call") if each.exc_info] == []  # unhandled exceptions


@pytest.fixture
def site(starting: Site) -> Site:
    """Return a site whose workers, 101 and 102, serve."""
    starting.make_ready(101, 102)
    return starting


# Starting.


def test_the_lines_of_the_first_worker_are_printed_when_all_are_ready(starting: Site) -> None:
    starting.worker(102).send(Kind.READY, ["second"])
    starting.run()
    assert (starting.lines, starting.hooks.calls) == ([], [])
    starting.worker(101).send(Kind.READY, ["first"])
    starting.run()
    assert (starting.lines, starting.hooks.calls) == ([["first"]], ["ready"])
    assert starting.worker(101).kinds() == [Kind.STARTED]
    assert starting.worker(102).kinds() == []


def test_the_first_failure_ends_the_start(starting: Site) -> None:
    starting.make_ready(102)
    starting.worker(101).send(Kind.FAILED, ["no such directory", "a traceback"])
    starting.run()
    failure = starting.supervisor.failure
    assert (str(failure), failure and failure.details) == ("no such directory", "a traceback")
    assert starting.worker(102).kinds() == [Kind.STOP_NOW]
    starting.end(101, 3 << 8)
    starting.worker(102).send(Kind.FAILED, ["later", ""])
    starting.end(102)
    assert str(starting.supervisor.failure) == "no such directory"
    assert len(starting.processes.workers) == 2


def test_a_failure_that_is_read_after_the_end_is_the_reason(
    starting: Site, caplog: pytest.LogCaptureFixture
) -> None:
    starting.worker(101).send(Kind.FAILED, ["no such directory", ""])
    starting.end(101, 3 << 8)
    assert str(starting.supervisor.failure) == "no such directory"
    assert starting.processes.killed == [(102, signal.SIGTERM)]
    starting.end(102, signal.SIGTERM)
    assert caplog.messages == []  # the failure says it all


def test_a_worker_that_ends_before_all_are_ready_ends_the_start(starting: Site) -> None:
    starting.end(102, KILLED)
    assert str(starting.supervisor.failure) == "worker 2 (pid 102) was killed by SIGKILL before it was ready"


def test_a_first_fork_that_fails_ends_the_start() -> None:
    site = Site()
    site.processes.failures = 1
    site.supervisor.start()
    assert str(site.supervisor.failure) == "cannot start worker 1: Resource temporarily unavailable"
    assert site.states == ["ABSENT", "ABSENT"]
    site.close()


# Replacing.


def test_a_worker_that_ended_is_replaced_at_once_then_later(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.end(102, KILLED)
    assert list(site.processes.workers) == [101, 102, 103]
    assert "worker 2 (pid 102) was killed by SIGKILL; starting another" in caplog.messages
    site.make_ready(103)
    site.run(1.5)
    site.end(103, 1 << 8)
    assert caplog.messages[-2:] == [
        "worker 2 (pid 103) ended with exit code 1",
        "worker 2 keeps ending: 2 times in 1.5 s; next start in 1 s",
    ]
    site.run(0.9)
    assert len(site.processes.workers) == 3
    site.run(0.1)
    assert len(site.processes.workers) == 4
    assert site.states == ["RUNNING", "STARTING"]


def test_a_replacement_gets_no_start_message(site: Site) -> None:
    site.end(101, KILLED)
    site.worker(103).send(Kind.READY, ["again"])
    site.run()
    assert site.lines == [["line of 101"]]
    assert site.worker(103).kinds() == []
    assert site.hooks.calls == ["ready"]


def test_a_replacement_that_cannot_start_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.end(101, KILLED)
    site.worker(103).send(Kind.FAILED, ["no such directory", ""])
    site.run()
    assert caplog.messages[-1] == "worker 1 (pid 103) cannot start: no such directory"
    site.end(103, 3 << 8)
    assert site.supervisor.failure is None
    site.run(1.0)
    assert site.states == ["STARTING", "RUNNING"]


def test_a_fork_that_fails_is_tried_again(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.processes.failures = 2
    site.run(100.0)
    site.end(102, KILLED)
    message = "cannot start worker 2: Resource temporarily unavailable; trying again in 1 s"
    assert caplog.messages[1:] == [message]
    site.run(0.9)
    assert caplog.messages[1:] == [message]
    site.run(0.1)
    assert caplog.messages[1:] == [message] * 2
    assert site.states == ["RUNNING", "ABSENT"]
    site.run(1.0)
    assert site.states == ["RUNNING", "STARTING"]
    site.end(103, KILLED)
    assert caplog.messages[-1] == "worker 2 keeps ending: 3 times in 2 s; next start in 2 s"


def test_no_worker_waits_for_one_that_has_ended(site: Site) -> None:
    site.supervisor.counts.set(2, 0)
    assert site.supervisor.counts.is_ahead(1, 5)
    site.end(102, KILLED)
    assert not site.supervisor.counts.is_ahead(1, 5)


def test_children_of_others_are_ignored(site: Site) -> None:
    site.processes.ended.append((999, 0))
    site.end(102, KILLED)
    site.end(103, KILLED)  # the next start is delayed
    site.processes.ended.append((103, 0))  # another child with the same id
    site.supervisor.on_signal(signal.SIGCHLD)
    assert site.states == ["RUNNING", "ABSENT"]


# Stopping.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_are_stopped_gracefully_then_immediately(site: Site, number: signal.Signals) -> None:
    site.supervisor.on_signal(number)
    assert site.hooks.calls == ["ready", "stopping"]
    assert site.listener.fileno() < 0
    assert [site.worker(pid).kinds() for pid in (101, 102)] == [[Kind.STOP]] * 2
    site.end(101)
    site.supervisor.on_signal(number)
    assert site.worker(102).kinds() == [Kind.STOP_NOW]
    site.run(KILL_MARGIN)
    assert site.processes.killed == [(102, signal.SIGKILL)]
    site.end(102, KILLED)
    assert len(site.processes.workers) == 2
    assert site.supervisor.failure is None


def test_a_worker_that_has_stopped_is_not_killed(site: Site) -> None:
    site.supervisor.on_signal(signal.SIGTERM)
    site.end(101)
    site.run(STOP_TIMEOUT + KILL_MARGIN)
    assert site.processes.killed == [(102, signal.SIGKILL)]


def test_a_worker_that_does_not_stop_is_killed(site: Site) -> None:
    site.supervisor.on_signal(signal.SIGTERM)
    site.run(STOP_TIMEOUT + KILL_MARGIN - 0.1)
    assert site.processes.killed == []
    site.run(0.1)
    assert site.processes.killed == [(101, signal.SIGKILL), (102, signal.SIGKILL)]


def test_a_stop_cancels_the_next_start_and_ends_a_worker_that_is_starting(site: Site) -> None:
    site.end(101, KILLED)
    site.end(103, KILLED)  # the next start of the first worker is delayed
    site.end(102, KILLED)
    assert site.states == ["ABSENT", "STARTING"]
    site.supervisor.on_signal(signal.SIGTERM)
    assert site.processes.killed == [(104, signal.SIGTERM)]
    site.run(5.0)
    assert len(site.processes.workers) == 4
    site.worker(104).send(Kind.READY, [])  # it was ready at the same time
    site.run()
    assert site.states == ["ABSENT", "STOPPING"]


@pytest.mark.parametrize("with_terminal", [False, True])
def test_sighup_reloads_or_stops(site: Site, monkeypatch: pytest.MonkeyPatch, with_terminal: bool) -> None:
    monkeypatch.setattr(site.supervisor, "_has_terminal", with_terminal)
    for _ in range(2):  # closing a terminal can send it twice
        site.supervisor.on_signal(signal.SIGHUP)
    expected = [Kind.STOP] if with_terminal else [Kind.RELOAD] * 2
    assert [site.worker(pid).kinds() for pid in (101, 102)] == [expected] * 2
    assert site.hooks.calls[1:] == (["stopping"] if with_terminal else ["reload"] * 2)


def test_sigusr1_logs_all_connections(site: Site) -> None:
    site.supervisor.on_signal(signal.SIGUSR1)
    assert [site.worker(pid).kinds() for pid in (101, 102)] == [[Kind.LOG_CONNECTIONS]] * 2


# A signal to one worker.


def test_a_worker_leaves_alone_and_is_replaced(site: Site) -> None:
    site.worker(102).send(Kind.LEAVING)
    site.run()
    assert site.worker(102).kinds() == []  # the supervisor may be about to get the same signal
    site.run(0.2)
    assert (site.worker(102).kinds(), site.worker(101).kinds()) == ([Kind.LEAVE], [])
    assert site.states == ["RUNNING", "STOPPING"]
    site.end(102)
    assert site.states == ["RUNNING", "STARTING"]
    assert site.listener.fileno() >= 0


def test_a_signal_to_the_whole_group_stops_all(site: Site) -> None:
    site.worker(101).send(Kind.LEAVING)
    site.worker(102).send(Kind.LEAVING)
    site.run()
    site.supervisor.on_signal(signal.SIGINT)
    site.run(0.2)
    assert [site.worker(pid).kinds() for pid in (101, 102)] == [[Kind.STOP]] * 2


def test_a_worker_that_does_not_leave_is_killed(site: Site) -> None:
    site.worker(102).send(Kind.LEAVING)
    site.run()
    site.run(0.2)
    site.run(STOP_TIMEOUT + KILL_MARGIN)
    assert site.processes.killed == [(102, signal.SIGKILL)]


def test_the_successor_of_a_worker_that_was_leaving_is_left_alone(site: Site) -> None:
    site.worker(102).send(Kind.LEAVING)
    site.run()
    site.end(102, KILLED)
    site.make_ready(103)
    site.run(0.2)
    assert site.worker(103).kinds() == []


# Metrics and the watchdog.


def collected(worker: FakeWorker) -> dict[str, float]:
    """Return the samples without labels of the answer, and those by worker."""
    (message,) = [value for kind, value in worker.messages() if kind is Kind.COLLECTED]
    return {
        f"{family.name}{dict(labels).get('worker', '')}": value
        for family in decode(message)
        for labels, value in family.series
        if isinstance(value, (int, float))
    }


def test_metrics_are_collected_from_all(site: Site) -> None:
    site.worker(101).send(Kind.COLLECT)
    site.run()
    for pid, requests in ((101, 3), (102, 4)):
        assert site.worker(pid).kinds() == [Kind.MEASURE]
        site.worker(pid).send(Kind.MEASURED, encode(families(requests)))
    site.run()
    found = collected(site.worker(101))
    assert (found["reactor_sent_bytes"], found["reactor_worker_up1"], found["reactor_worker_up2"]) == (
        70,
        1,
        1,
    )


def test_a_worker_that_does_not_answer_is_missing_after_a_second(site: Site) -> None:
    for expected in ([Kind.MEASURE], []):  # it is not asked again
        site.worker(101).send(Kind.COLLECT)
        site.run()
        assert site.worker(102).kinds() == expected
        site.worker(101).send(Kind.MEASURED, encode(families(3)))
        site.run(MEASURE_TIMEOUT - 0.1)
        assert Kind.COLLECTED not in site.worker(101).kinds()
        site.run(0.1)
        found = collected(site.worker(101))
        assert (found["reactor_sent_bytes"], found["reactor_worker_up2"]) == (30, 0)
    site.worker(102).send(Kind.MEASURED, encode(families(4)))
    site.run()
    site.worker(101).send(Kind.COLLECT)
    site.run()
    assert site.worker(102).kinds() == [Kind.MEASURE]


def test_two_requests_for_metrics_get_one_answer(site: Site) -> None:
    site.worker(101).send(Kind.COLLECT)
    site.run()
    site.worker(101).send(Kind.COLLECT)  # from the successor of an ended process, for example
    for pid in (101, 102):
        site.worker(pid).send(Kind.MEASURED, encode(families(3)))
    site.run()
    assert collected(site.worker(101))["reactor_sent_bytes"] == 60
    site.run(MEASURE_TIMEOUT)
    assert site.worker(101).kinds() == []


def test_metrics_that_are_too_long_are_replaced_by_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.worker(101).send(Kind.COLLECT)
    site.run()
    for pid in (101, 102):
        site.worker(pid).send(Kind.MEASURED, encode(families(3)))
    monkeypatch.setattr(channel, "MAX_MESSAGE", len(pack(Kind.MEASURED, encode(families(3)))))
    site.run()
    assert site.worker(101).messages() == [(Kind.MEASURE, None), (Kind.COLLECTED, [])]


def test_a_worker_that_ends_without_an_answer_is_not_waited_for(site: Site) -> None:
    site.worker(101).send(Kind.COLLECT)
    site.run()
    site.worker(101).send(Kind.MEASURED, encode(families(3)))
    site.end(102, KILLED)
    assert collected(site.worker(101))["reactor_sent_bytes"] == 30


def test_the_last_answer_of_a_worker_that_ends_is_counted(site: Site) -> None:
    site.worker(101).send(Kind.COLLECT)
    site.run()
    site.worker(101).send(Kind.MEASURED, encode(families(3)))
    site.worker(102).send(Kind.MEASURED, encode(families(4)))  # still counted
    site.end(102, KILLED)
    assert collected(site.worker(101))["reactor_sent_bytes"] == 70


def test_a_worker_that_does_not_report_is_killed(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    check = partial(site.supervisor.kill_blocked_workers, 5.0)
    check()
    for _ in range(2):
        site.run(2.5)
        check()
        assert site.processes.killed == []
    site.worker(101).send(Kind.ALIVE)
    site.run(0.1)
    check()
    assert site.processes.killed == [(102, signal.SIGKILL)]
    assert caplog.messages[-1] == "worker 2 (pid 102) is blocked for 5 s: killing it"
    site.end(102, KILLED)
    for _ in range(3):
        site.run(2.5)
        check()  # 103 is not ready yet
    assert site.processes.killed[1:] == [(101, signal.SIGKILL)]


def test_a_worker_that_never_reports_is_killed(site: Site) -> None:
    site.supervisor.kill_blocked_workers(5.0)
    site.end(102, KILLED)
    site.make_ready(103)
    for _ in range(3):
        site.worker(101).send(Kind.ALIVE)
        site.run(2.5)
        site.supervisor.kill_blocked_workers(5.0)
    assert site.processes.killed == [(103, signal.SIGKILL)]


def test_workers_are_not_killed_after_all_processes_were_suspended(site: Site) -> None:
    site.supervisor.kill_blocked_workers(5.0)
    site.run(3600.0)
    site.supervisor.kill_blocked_workers(5.0)
    site.run(2.5)
    site.supervisor.kill_blocked_workers(5.0)
    assert site.processes.killed == []


@pytest.mark.parametrize("is_replaced", [False, True])
def test_the_file_of_a_unix_socket_is_removed_though_no_worker_was_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
) -> None:
    """Another server may have started since a worker removed the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervisor_module, "has_controlling_terminal", lambda: False)
    site = Site(listen_unix("s", 0o660))
    site.supervisor.start()
    site.supervisor.on_signal(signal.SIGTERM)
    assert Path("s").exists()  # the workers still accept
    if is_replaced:
        Path("s").unlink()
        with listen_unix("s", 0o660) as other:
            site.close()
            assert Path("s").exists()
            assert other.fileno() >= 0
    else:
        site.close()
    assert not Path("s").exists()
