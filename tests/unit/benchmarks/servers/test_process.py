"""Server processes: readiness, resource usage, and cleanup of all processes and files."""

import http.client
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

import psutil

from benchmarks.servers import process
from benchmarks.servers.peers import PEERS, Adapter
from benchmarks.servers.process import RunningServer, StartError, run_server

FAMILY = """
import runpy, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import signal; signal.sigwait([signal.SIGUSR1])"])
sys.argv = ["bare_loop", sys.argv[1]]
runpy.run_module("benchmarks.bare_loop", run_name="__main__")
"""


def script(code: str) -> Adapter:
    return Adapter("a script", [sys.executable, "-c", code, "{port}"])


def ask(server: RunningServer, target: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def assert_refuses(server: RunningServer) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, 10).close()


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that makes free_port return these ports first."""

    def take(*taken: int) -> None:
        left, free_port = list(taken), process.free_port
        monkeypatch.setattr(process, "free_port", lambda: left.pop(0) if left else free_port())

    return take


def test_it_answers_as_long_as_it_is_used_and_no_longer() -> None:
    with run_server(PEERS["reactor"]) as server:
        assert ask(server, "/echo/abc") == (200, b"abc")
        assert server.url == f"http://{server.host}:{server.port}"
    assert_refuses(server)
    assert not psutil.pid_exists(server.pid)


def test_it_says_what_it_is_and_how_it_was_started() -> None:
    with run_server(PEERS["reactor"], options=["--max-connections", "7"]) as server:
        assert server.name == server.peer.name == "reactor"
        assert f"--port {server.port}" in server.peer.command
        assert server.peer.command.endswith("--no-access-log --max-connections 7")
        assert server.peer.version == PEERS["reactor"].version()


def test_it_serves_the_directory_that_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"content")
    with run_server(PEERS["reactor"], tmp_path) as server:
        assert ask(server, "/files/name") == (200, b"content")
    assert (tmp_path / "name").exists()


def test_a_directory_of_its_own_is_removed() -> None:
    with run_server(PEERS["reactor"]) as server:
        assert server.directory.is_dir()
    assert not server.directory.parent.exists()


def test_it_costs_processor_and_memory() -> None:
    with run_server(PEERS["bare loop"]) as server:
        used = server.cpu()
        while server.cpu() == used:  # until the CPU clock advances
            ask(server, "/echo/abc")
        assert 1 << 20 < server.resident() < 1 << 30


def test_all_processes_count_and_all_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_TIMEOUT", 0.05)  # they ignore SIGTERM
    with run_server(script(FAMILY)) as server:
        parent, child = server.processes()
        assert parent.pid == server.pid
        assert server.resident() > parent.memory_info().rss
    assert not parent.is_running()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert_refuses(server)


def test_it_is_ended_when_measuring_fails() -> None:
    with pytest.raises(ZeroDivisionError), run_server(PEERS["bare loop"]) as server:
        raise ZeroDivisionError
    assert_refuses(server)


def test_what_does_not_start_says_why_in_one_line() -> None:
    with (
        pytest.raises(StartError, match=r"reactor did not start: exit code 2: .*--nonsense") as caught,
        run_server(PEERS["reactor"], options=["--nonsense"]),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_what_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START_TIMEOUT", 0.05)
    monkeypatch.setattr(process, "TRIES", 1)
    silent = script("import signal; signal.sigwait([signal.SIGTERM])")
    with pytest.raises(StartError, match="a script did not start: no response within"), run_server(silent):
        pass


def test_what_is_missing_is_not_started() -> None:
    absent = Adapter("absent", ["false"], ["no-such-distribution"])
    with pytest.raises(StartError, match="no-such-distribution is not installed"), run_server(absent):
        pass


def test_somebody_else_who_answers_on_the_port_is_not_mistaken_for_it(
    ports: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "TRIES", 1)
    with run_server(PEERS["bare loop"]) as other:
        ports(other.port)
        with pytest.raises(StartError, match="exit code"), run_server(PEERS["reactor"]):
            pass


def test_another_port_is_tried_when_one_is_taken(ports: Callable[[int], None]) -> None:
    with run_server(PEERS["bare loop"]) as other:
        ports(other.port)
        with run_server(PEERS["reactor"]) as server:
            assert server.port != other.port
            assert ask(server, "/echo/abcd") == (200, b"abcd")
