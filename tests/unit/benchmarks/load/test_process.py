"""Load processes: their samples, idle connections, errors and end."""

import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import process
from benchmarks.load.process import LoadError
from benchmarks.load.round import Job
from benchmarks.runner.rounds import Config, Turn
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import RunningServer, run_server


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with run_server(PEERS["reactor"]) as started:
        yield started


def test_a_sample_contains_what_was_measured(server: RunningServer) -> None:
    sample = Turn(server, 3, Config(seconds=0.1)).sample("reactor", connections=8, name="workload", x=8.0)
    assert (sample.workload, sample.peer, sample.x, sample.client) == ("workload", "reactor", 8.0, "reactor")
    assert (sample.errors, sample.asked, sample.established) == (0, 8, 8)
    assert sample.requests == sample.verified == sample.latency.count > 0
    assert sample.intended is None
    assert sample.resident > 1 << 20
    assert sample.client_cpu > 0
    assert sample.transferred > sample.requests


def test_a_sample_of_an_open_loop_contains_its_rate(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.servers.process.CLIENT_CORE", 4096)  # not available
    sample = process.measure(server, Job(8, 0.2, 500))
    assert sample.shared_core
    assert (sample.intended, sample.requests, sample.verified) == (500, 100, 100)


def test_idle_connections_are_held_and_counted_at_the_end(server: RunningServer) -> None:
    with process.hold_idle(server, 50) as still_served:
        assert still_served() == 50


def test_idle_connections_of_a_stopped_server_are_not_kept() -> None:
    with run_server(PEERS["bare loop"]) as started, process.hold_idle(started, 5) as still_served:
        started.end()
        assert still_served() == 0


def serve(pipe: "Connection[tuple[int, Path], None]") -> None:
    """Run a server in a load process until it is ended."""
    with run_server(PEERS["bare loop"]) as started:
        pipe.send((started.address[1], started.directory))
        pipe.recv()


def test_a_terminated_load_process_cleans_up() -> None:
    with process.load_process(serve) as (_, receive):
        port, directory = receive(20)
    assert not directory.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_an_exception_in_the_load_process_is_a_load_error(server: RunningServer) -> None:
    with pytest.raises(LoadError, match="failed: TypeError"):
        process.measure(server, Job(8, "long"))  # type: ignore[arg-type]
