"""Server processes: readiness, resource usage, and cleanup of all processes and files."""

import socket
import sys
import time
import urllib.request
from dataclasses import replace
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
child = "import signal; signal.sigwait([signal.SIGUSR1])"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
sys.argv = ["bare_loop", sys.argv[1]]
runpy.run_module("benchmarks.bare_loop", run_name="__main__")
"""


def script(code: str) -> Adapter:
    return Adapter("a script", [sys.executable, "-c", f"import sys; {code}", "{port}"])


def ask(server: RunningServer, target: str) -> bytes:
    with urllib.request.urlopen(f"{server.url}{target}", timeout=10) as response:
        return bytes(response.read())


def assert_refuses(server: RunningServer) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, 10).close()


def test_a_server_runs_inside_the_context_only() -> None:
    with run_server(PEERS["reactor"]) as server:
        assert ask(server, "/echo/abc") == b"abc"
        assert server.directory.is_dir()
        (main,) = server.processes()
    assert_refuses(server)
    assert not main.is_running()
    assert not server.directory.parent.exists()
    assert server.processes() == []


def test_a_peer_has_its_version_and_command_line() -> None:
    with run_server(PEERS["reactor"]) as server:
        assert server.name == server.peer.name == "reactor"
        assert f"--port {server.port}" in server.peer.command
        assert server.peer.command.endswith("--no-access-log")
        assert server.peer.version == PEERS["reactor"].version()


def test_a_server_serves_the_given_directory(tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"content")
    with run_server(PEERS["reactor"], tmp_path) as server:
        assert ask(server, "/files/name") == b"content"
    assert (tmp_path / "name").exists()


def test_processor_time_and_memory_are_measured() -> None:
    with run_server(PEERS["bare loop"]) as server:
        used = server.cpu()
        while server.cpu() == used:  # until the CPU clock advances
            ask(server, "/echo/abc")
        assert 1 << 20 < server.resident() < 1 << 30


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no clock for another process")
def test_processor_time_is_exact() -> None:
    before = time.process_time()
    assert before < process.cpu_seconds(psutil.Process()) < time.process_time()


@pytest.mark.skipif(len(psutil.Process().cpu_affinity()) < 2, reason="needs two cores")
def test_a_server_on_the_core_of_the_load_generator_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    own = psutil.Process().cpu_affinity()
    with run_server(PEERS["bare loop"]) as server:
        assert not server.shares_core()
        assert psutil.Process().cpu_affinity() == own
        for core in (process.SERVER_CORE, 4096):  # the same one, or one that is not available
            monkeypatch.setattr(process, "CLIENT_CORE", core)
            assert server.shares_core()
    monkeypatch.undo()
    assert server.shares_core(), "a server without a visible process"


def test_child_processes_count_and_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_TIMEOUT", 0.05)  # they ignore SIGTERM
    with run_server(Adapter("a family", [sys.executable, "-c", FAMILY, "{port}"])) as server:
        parent, child = server.processes()
        assert server.resident() > parent.memory_info().rss
    assert not parent.is_running()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert_refuses(server)


def test_a_server_can_be_restarted() -> None:
    with run_server(PEERS["reactor"]) as server:
        (first,) = server.processes()
        server.end()
        server.start()
        (second,) = server.processes()
        assert second != first
        assert not first.is_running()
        assert ask(server, "/echo/abc") == b"abc"


def test_a_server_is_ended_when_measuring_fails() -> None:
    with pytest.raises(ZeroDivisionError), run_server(PEERS["bare loop"]) as server:
        raise ZeroDivisionError
    assert_refuses(server)


def test_a_server_that_exits_has_a_reason_in_one_line() -> None:
    with (
        pytest.raises(StartError, match=r"reactor did not start: exit code 2: .*--nonsense") as caught,
        run_server(replace(PEERS["reactor"], argv=[*PEERS["reactor"].argv, "--nonsense"])),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.reason == "reactor did not start: exit code 2"
    assert "--nonsense" in caught.value.output[-1]


def test_the_last_ten_lines_of_output_are_kept() -> None:
    with (
        pytest.raises(StartError) as caught,
        run_server(script("print(*range(20), sep='\\n', file=sys.stderr)")),
    ):
        pass
    assert caught.value.output == [str(number) for number in range(10, 20)]


def test_a_server_that_never_responds_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START_TIMEOUT", 0.05)
    silent = script("import signal; signal.sigwait([signal.SIGTERM])")
    with (
        pytest.raises(StartError, match=r"a script did not start: no response on port \d+ within"),
        run_server(silent),
    ):
        pass


def test_a_missing_server_is_not_started() -> None:
    absent = Adapter("absent", ["false"], ["no-such-distribution"])
    with pytest.raises(StartError, match="no-such-distribution is not installed"), run_server(absent):
        pass


def test_another_server_on_the_port_is_not_mistaken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_server(PEERS["bare loop"]) as other:
        monkeypatch.setattr(process, "free_port", lambda: other.port)
        with pytest.raises(StartError, match="exit code"), run_server(PEERS["reactor"]):
            pass
