"""Several workers: started, replaced and stopped by their supervisor, as a user sees it."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import pytest

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from tests.support.process import ROOT, TIMEOUT, ClientConnection, Lines, head, run
from tests.support.workers import Load, WorkersProcess, is_running, open_files, run_all
from tests.unit.inspector.microscope import NOTE
from tests.unit.logs.test_access_log import LINE

pytestmark = pytest.mark.usefixtures("no_ignored_signals")

# A WSGI application; the worker that calls it in its loop is blocked until something writes to a FIFO.
APPLICATION = """
import os, signal

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/gate"):
        with open({folder!r} + path) as gate:
            gate.read()
    if path == "/exit":
        os._exit(7)
    start_response("200 OK", [("Content-Type", "text/plain")])
    manager = [name for name in os.environ if name.startswith(("NOTIFY_", "WATCHDOG_"))]
    return [f"{{environ['wsgi.multiprocess']}} {{os.getpid()}} {{manager}}".encode()]
"""


class Applications(WorkersProcess):
    """Workers that serve the application above, in their loops."""

    def __init__(
        self, tmp_path: Path, *options: str, workers: int = 2, extra: Mapping[str, str] | None = None
    ) -> None:
        self._gates = [tmp_path / f"gate{number}" for number in range(workers)]
        for gate in self._gates:
            os.mkfifo(gate)
        (tmp_path / "planted.py").write_text(APPLICATION.format(folder=str(tmp_path)))
        super().__init__(
            *("--wsgi", "planted:app", "--threads", "0", *options),
            workers=workers,
            extra={"PYTHONPATH": f"{ROOT}:{tmp_path}", **(extra or {})},
            launcher=("setsid",),
        )
        self.blocked: list[ClientConnection] = []
        self._open: list[TextIO] = []

    def __exit__(self, *error: object) -> None:
        self.unblock()
        super().__exit__(*error)

    def block(self, workers: int = 2) -> None:
        """Block the loops of so many workers, each by a client that waits for its response."""
        for gate in self._gates[:workers]:
            client = self.connect()
            client.send_head("GET", f"/{gate.name}")
            self.blocked.append(client)
            # Waits until a worker reads. It accepts nothing else then, so that the next one is another.
            self._open.append(gate.open("w"))

    def unblock(self) -> None:
        """Let the loops continue."""
        while self._open:
            self._open.pop().close()


def test_the_start_line_comes_once_and_all_end_with_the_supervisor() -> None:
    with WorkersProcess(workers=3) as server:
        assert "; 3 workers" in server.start_line
        pids = server.worker_pids()
        assert len(pids) == 3
        server.terminate()
        assert server.exit_code() == 0
        assert not any(map(is_running, pids))
        assert server.stderr.rest() == ["reactor: SIGTERM: stopping 3 workers"]


def test_a_killed_worker_takes_only_the_requests_inside_it() -> None:
    with WorkersProcess("--no-access-log") as server:
        load = Load(server.port)
        load.wait_for(50)
        killed = server.worker_pids()[0]
        os.kill(killed, signal.SIGKILL)
        line = server.wait_for_line("killed")
        assert re.search(rf"worker \d \(pid {killed}\) was killed by SIGKILL; starting another", line)
        load.wait_for(50)
        outcomes = load.stop()
        failures = sum(count for outcome, count in outcomes.items() if outcome != "200")
        assert failures <= 4, outcomes  # one for each client
        assert "ConnectionRefusedError" not in outcomes
        assert len(server.worker_pids()) == 2
        assert killed not in server.worker_pids()


def test_a_worker_that_is_stopped_alone_is_replaced_without_a_failure() -> None:
    with WorkersProcess("--no-access-log") as server:
        load = Load(server.port)
        load.wait_for(50)
        pid = server.worker_pids()[0]
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGTERM)  # the second one does not stop it immediately
        server.wait_for_line(f"(pid {pid}) got a signal: stopping it")
        server.wait_for_line(f"(pid {pid}) has stopped; starting another")
        load.wait_for(50)
        assert set(load.stop()) == {"200"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_group_drains_the_accept_queue(tmp_path: Path, number: signal.Signals) -> None:
    with Applications(tmp_path) as server:
        server.block()
        waiting = [server.connect() for _ in range(20)]
        for client in waiting:
            client.send_head("GET", "/")
        os.killpg(server.pid, number)
        server.wait_for_line("stopping 2 workers")
        server.unblock()
        for client in (*server.blocked, *waiting):
            assert client.answer().status == 200
            client.assert_closed()
            client.close()
        assert server.exit_code() == 0


def test_the_second_signal_stops_all_immediately() -> None:
    with WorkersProcess("--shutdown-timeout", "3600") as server:
        clients = [server.connect() for _ in range(8)]
        for client in clients:
            client.send(head("GET", "/")[:-2])
        assert server.get("/").status == 200
        server.terminate()
        server.wait_for_line("SIGTERM: stopping 2 workers")
        server.terminate()
        server.wait_for_line("SIGTERM: stopping immediately")
        assert server.exit_code() == 0


def test_a_blocked_worker_is_killed(tmp_path: Path) -> None:
    with Applications(tmp_path) as server:
        server.block(1)
        server.terminate()
        server.wait_for_line("stopping 2 workers")
        server.terminate()
        server.wait_for_line("has not stopped in 1.5 s: killing it")
        assert server.exit_code() == 0


def test_the_workers_end_when_the_supervisor_is_killed() -> None:
    with WorkersProcess() as server:
        pids = server.worker_pids()
        server.process.kill()
        lines = server.stderr.rest()  # the workers hold the pipe
        assert sorted(lines) == [
            f"reactor: error: worker {number}: the supervisor has ended; stopping" for number in (1, 2)
        ]
        assert len(pids) == 2


def test_a_worker_that_keeps_ending_is_started_later_each_time(tmp_path: Path) -> None:
    with Applications(tmp_path) as server:
        for _ in range(3):  # at least two of these are of the same worker
            with server.connect() as client:
                client.send_head("GET", "/exit")
                assert client.read_to_end() == b""
            if not server.wait_for_line("ended with exit code 7").endswith("; starting another"):
                break
        line = server.stderr.next()
        assert re.search(r"worker \d keeps ending: 2 times in \S+ s; next start in 1 s$", str(line))


@pytest.mark.parametrize("options", [[], ["--inspect", "127.0.0.1:0"]])
def test_the_workers_inherit_nothing_from_each_other(options: list[str], tmp_path: Path) -> None:
    manager = {"NOTIFY_SOCKET": str(tmp_path / "missing")}
    with WorkersProcess(*options, workers=3, extra=manager) as server:
        for pid in server.worker_pids()[1:]:  # the inspector is in the first one
            links = open_files(pid)
            assert sum(link == "anon_inode:[eventpoll]" for link in links) == 1
            # The listening socket, two wake-up pairs, and the channel.
            assert sum(link.startswith("socket:") for link in links) == 6


def test_unfinished_uploads_are_removed_after_the_start_and_after_a_worker_was_killed(tmp_path: Path) -> None:
    stale = tmp_path / f"{TEMPORARY_PREFIX}stale"
    stale.touch()
    with WorkersProcess("--directory", str(tmp_path)) as server:
        assert server.wait_for_line("removed") == "reactor: worker 1: removed 1 unfinished upload"
        stale.touch()
        os.kill(server.worker_pids()[1], signal.SIGKILL)
        assert server.wait_for_line("removed") == "reactor: worker 2: removed 1 unfinished upload"


def test_the_trace_of_a_killed_worker_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with WorkersProcess("--trace", str(path)) as server:
        server.keep_asking_until(lambda: path.stat().st_size > 0)
        first = server.worker_pids()[0]
        os.kill(first, signal.SIGKILL)
        server.wait_for_line("was killed by SIGKILL; starting another")
        before = path.read_bytes()
        server.send_signal(signal.SIGUSR1)  # handled when the next one is ready
        server.wait_for_line("worker 1: open connections: 0")
        assert path.read_bytes() == before != b""


# Starts that fail.


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["/missing/directory"], ["cannot share '/missing/directory': No such file or directory"]),
        (["--wsgi", "missing_module"], ["cannot load --wsgi 'missing_module': no module"]),
        (["--wsgi", "failing"], ["Traceback", "ZeroDivisionError: ", "cannot load --wsgi 'failing'"]),
        (["--wsgi", "exiting"], ["ended with exit code 9 before it was ready"]),
        (["--inspect", "{used}"], ["cannot listen on 127.0.0.1 port"]),
        (["--port", "{used}"], ["cannot listen on 127.0.0.1 port"]),
    ],
)
def test_a_failed_start_is_reported_once(tmp_path: Path, options: list[str], expected: list[str]) -> None:
    (tmp_path / "failing.py").write_text("1 / 0")
    (tmp_path / "exiting.py").write_text("import os\nos._exit(9)")
    with socket.create_server(("127.0.0.1", 0)) as used:
        arguments = [each.format(used=used.getsockname()[1]) for each in options]
        if "--port" not in arguments:
            arguments += ["--port", "0"]
        process = run(*arguments, "--workers", "3", PYTHONPATH=f"{ROOT}:{tmp_path}")
    assert process.returncode == 3
    for text in expected:
        assert process.stderr.count(text) == 1, process.stderr
    assert process.stderr.count("reactor: ") == 1


# Signals that do not stop.


def test_sighup_reloads_all_workers(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("me:old\n")
    with WorkersProcess("--auth", f"@{file}", launcher=("setsid",)) as server:
        assert server.get("/", "Authorization: Basic bWU6b2xk").status == 200
        file.write_text("me:new\n")
        server.send_signal(signal.SIGHUP)
        lines = {server.wait_for_line("reloaded the password file") for _ in range(2)}
        assert {line[:18] for line in lines} == {"reactor: worker 1:", "reactor: worker 2:"}
        for _ in range(6):
            assert server.get("/", "Authorization: Basic bWU6bmV3").status == 200


def test_sigusr1_lists_the_workers_and_their_connections() -> None:
    with WorkersProcess() as server:
        server.send_signal(signal.SIGUSR1)
        lines = {server.wait_for_line("open connections") for _ in range(2)}
        assert lines == {f"reactor: worker {number}: open connections: 0" for number in (1, 2)}


def test_an_application_knows_that_there_are_other_processes(tmp_path: Path) -> None:
    with Applications(tmp_path) as server:
        served = {server.get("/").content.decode() for _ in range(4)}
        pids = server.worker_pids()
        assert served <= {f"True {pid} []" for pid in pids}


# The access log.


@pytest.mark.parametrize("kind", ["file", "appended file", "pipe", "socket"])
def test_lines_of_two_workers_are_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    reading, writing = socket.socketpair()
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if kind == "appended file" else 0)
    file = os.open(path, flags)
    output = {"pipe": subprocess.PIPE, "socket": writing.fileno()}.get(kind, file)
    with reading, WorkersProcess(stdout=output) as server:
        os.close(file)
        writing.close()
        from_socket = Lines(reading.makefile())
        agent = f"User-Agent: {'a' * 700}"

        def ask() -> None:
            for _ in range(10):
                with ClientConnection(server.port) as client:
                    for _ in range(10):
                        assert client.get("/echo/" + "x" * 500, agent).status == 200

        run_all([ask] * 8)
        server.terminate()
        assert server.exit_code() == 0
        lines = (
            {"pipe": server.stdout, "socket": from_socket}[kind].rest() if kind in ("pipe", "socket") else []
        )
        lines += path.read_text().splitlines()
        messages = "\n".join(server.stderr.rest())
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    # A pipe or socket that is read too slowly loses whole lines.
    dropped = sum(map(int, re.findall(r"dropped (\d+) access log lines", messages)))
    assert len(lines) + dropped == 800
    assert not dropped or kind in ("pipe", "socket")
    requests = {line.rpartition(" ")[2] for line in lines}
    assert len(requests) == len(lines)  # c<connection>#<request> is unique
    connections = {int(each[1:].partition("#")[0]) % 2 for each in requests}
    assert connections == {0, 1}  # both workers have served


# Metrics.


def metrics(port: int) -> dict[str, float]:
    """Return all samples, by name and labels."""
    with ClientConnection(port) as client:
        answer = client.get("/metrics")
    assert answer.status == 200
    samples = [line.rpartition(" ") for line in answer.content.decode().splitlines() if line[:1] != "#"]
    return {name: float(value) for name, _, value in samples}


def inspector_port(server: WorkersProcess) -> int:
    """Return the port of the inspector."""
    match = NOTE.search(server.start_line)
    assert match is not None
    return int(match[1])


def test_metrics_are_sums_also_after_a_worker_was_killed() -> None:
    with WorkersProcess("--inspect", "127.0.0.1:0") as server:
        port = inspector_port(server)
        for _ in range(20):
            assert server.get("/echo/x").status == 200
        before = metrics(port)
        assert before["reactor_connections_accepted_total"] == 20
        assert sum(before[f'reactor_worker_requests_total{{worker="{each}"}}'] for each in (1, 2)) == 20
        assert all(before[f'reactor_worker_up{{worker="{each}"}}'] == 1 for each in (1, 2))
        assert 'process_open_fds{worker="2"}' in before
        assert "process_open_fds" not in before
        for pid in server.worker_pids():  # one after the other, so that one serves
            os.kill(pid, signal.SIGKILL)
            server.wait_for_line(f"(pid {pid}) was killed by SIGKILL; starting another")
        for _ in range(5):
            assert server.get("/echo/x").status == 200
        after = metrics(port)  # on the same port: the socket waits for the next first worker
        assert after["reactor_connections_accepted_total"] == 25
        assert sum(after[f'reactor_worker_restarts_total{{worker="{each}"}}'] for each in (1, 2)) == 2


def test_a_blocked_worker_is_missing_from_the_metrics(tmp_path: Path) -> None:
    with Applications(tmp_path, "--inspect", "127.0.0.1:0") as server:
        port = inspector_port(server)
        for _ in range(8):
            assert server.get("/").status == 200
        before = metrics(port)
        first = server.worker_pids()[0]
        while is_blocked(first, server):  # the inspector is in the first worker: block the other one
            server.unblock()
            assert server.blocked.pop().answer().status == 200
        after = metrics(port)
        assert after['reactor_worker_up{worker="2"}'] == 0
        assert after["reactor_connections_accepted_total"] >= before["reactor_connections_accepted_total"]
        assert 'process_open_fds{worker="2"}' not in after
        server.unblock()
        assert server.blocked.pop().answer().status == 200
        # Each try waits for a second at most.
        assert any(metrics(port)['reactor_worker_up{worker="2"}'] == 1 for _ in range(int(TIMEOUT)))


def test_readyz_is_about_all_workers() -> None:
    with WorkersProcess("--inspect", "127.0.0.1:0", "--shutdown-delay", "3600") as server:
        with ClientConnection(inspector_port(server)) as probe:
            assert probe.get("/readyz").status == 200
            first = server.worker_pids()[0]
            os.kill(first, signal.SIGTERM)
            server.wait_for_line(f"(pid {first}) got a signal: stopping it")
            for _ in range(10_000):  # until the first worker, which still accepts, answers
                if server.get("/").headers.get("connection") == "close":
                    break
            else:
                raise AssertionError("the first worker does not stop")
            assert probe.get("/readyz").status == 200
            server.terminate()
            server.wait_for_line("stopping 2 workers")
            while probe.get("/readyz").status == 200:
                pass
            assert probe.get("/readyz").status == 503
        server.terminate()
        assert server.exit_code() == 0


def is_blocked(pid: int, server: Applications) -> bool:
    """Block a worker, and return whether it is this one."""
    server.block(1)
    return any("/gate" in each for each in open_files(pid))


# Sockets and the service manager.


def test_workers_share_a_unix_socket_whose_file_is_removed_at_the_end(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with WorkersProcess("--unix", path, "--no-access-log") as server:
        load = Load(path)
        load.wait_for(50)
        for pid in server.worker_pids()[:1]:
            os.kill(pid, signal.SIGTERM)
        server.wait_for_line("has stopped; starting another")
        load.wait_for(50)
        assert set(load.stop()) == {"200"}
        server.terminate()
        assert server.exit_code() == 0
    assert not os.path.exists(path)


@pytest.mark.parametrize("options", [["--inspect", "{used}"], ["/missing/directory"]])
def test_a_failed_start_leaves_no_unix_socket(tmp_path: Path, options: list[str]) -> None:
    path = str(tmp_path / "s")
    with socket.create_server(("127.0.0.1", 0)) as used:
        arguments = [each.format(used=used.getsockname()[1]) for each in options]
        assert run("--workers", "2", "--unix", path, *arguments).returncode == 3
    assert not os.path.exists(path)


def test_the_unix_socket_stays_until_the_workers_stop_accepting(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with WorkersProcess("--unix", path, "--shutdown-delay", "3600") as server:
        server.terminate()
        server.wait_for_line("stopping 2 workers")
        with ClientConnection(path) as client:
            assert client.get("/").status == 200
        server.terminate()
        assert server.exit_code() == 0


def test_a_restart_of_all_workers_with_a_passed_socket_loses_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as passed:
        load = Load(passed.getsockname()[1])
        try:
            for _ in range(3):
                with WorkersProcess("--no-access-log", passed=[passed]) as server:
                    load.wait_for(50)
                    server.terminate()
                    assert server.exit_code() == 0
            with WorkersProcess("--no-access-log", passed=[passed]):
                load.wait_for(50)
                assert set(load.stop()) == {"200"}
        finally:
            load.stop()


def test_the_supervisor_notifies_the_service_manager_and_replaces_a_blocked_worker(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(TIMEOUT)
        manager.bind(str(tmp_path / "notify"))
        extra = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "400000"}
        with Applications(tmp_path, extra=extra) as server:
            assert manager.recv(4096) == b"READY=1\nSTATUS=serving"
            assert manager.recv(4096) == b"WATCHDOG=1"
            assert manager.recv(4096) == b"STATUS=serving; workers: 2 of 2"
            assert server.get("/").content.endswith(b" []")  # workers do not see the manager
            server.block(1)
            server.wait_for_line("is blocked for 0.4 s: killing it")
            server.wait_for_line("was killed by SIGKILL; starting another")
            server.send_signal(signal.SIGHUP)
            while manager.recv(4096)[:9] != b"RELOADING":
                pass
            server.terminate()
            while manager.recv(4096) != b"STOPPING=1\nSTATUS=stopping":
                pass
            assert server.exit_code() == 0
