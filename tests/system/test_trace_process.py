"""--trace of a real server: mixed clients, every kind of exit, and errors that prevent the start."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.process import ClientConnection, ServerProcess, head, run
from tests.support.trace_checker import Event, answers, events_of, faults, logged

LARGE = os.urandom(1 << 20)
MANY = 200


def options(tmp_path: Path, *more: str) -> tuple[str, ...]:
    (tmp_path / "shared").mkdir(exist_ok=True)
    (tmp_path / "shared" / "large").write_bytes(LARGE)
    return ("--directory", str(tmp_path / "shared"), "--trace", str(tmp_path / "trace"), *more)


def mixed_run(server: ServerProcess) -> None:
    """Connect clients of all kinds, and wait for the response to each."""
    client = server.connect()
    client.send(head("GET", "/echo/hi") * 20)
    assert [client.answer().status for _ in range(20)] == [200] * 20
    assert client.get("/echo/" + "a" * 1000, "Accept-Encoding: gzip").headers["content-encoding"] == "gzip"
    assert client.get("/files/large").content == LARGE
    assert client.post("/files/new", LARGE).status == 201
    assert client.get("/nothing").status == 404
    slow = server.connect(receive_buffer=4096)
    slow.send_head("GET", "/files/large")
    refused = server.connect()
    refused.send(b"BAD\r\n\r\n")
    assert refused.answer().status == 400
    many = [server.connect() for _ in range(MANY)]
    for each in many:
        each.send_head("GET", "/")
    assert [each.answer().status for each in many] == [200] * MANY
    assert slow.answer().content == LARGE


def check(tmp_path: Path, closed: bool = True) -> list[Event]:
    text = (tmp_path / "trace").read_text()
    assert faults(text, closed) == []
    return events_of(text)


def test_a_mixed_run_passes_the_checker_and_has_the_answers_of_the_log(tmp_path: Path) -> None:
    with ServerProcess(*options(tmp_path)) as server:
        mixed_run(server)
        server.connect().send_head("POST", "/files/half", "Content-Length: 9")
        server.get("/")
        for _ in range(2):
            server.send_signal(signal.SIGTERM)
            while "stopping" not in (server.stderr.next() or "stopping"):
                pass
        assert server.exit_code() == 0
        lines = server.stdout.rest()
    events = check(tmp_path)
    assert answers(events) == logged(lines)
    assert len(lines) == 20 + 4 + 1 + 1 + MANY + 1 + 1
    ids = {event["id"] for event in events if event["ph"] == "b"}
    assert len(ids) == MANY + 5
    assert events[-1]["args"] == {"reason": "closed"}


def test_what_is_left_by_a_kill_passes_the_checker(tmp_path: Path) -> None:
    with ServerProcess(*options(tmp_path)) as server:
        mixed_run(server)
        server.get("/")
        server.get("/")  # begins after the turn of the previous one
        server.kill()
        lines = server.stdout.rest()
    told = answers(check(tmp_path, closed=False))
    assert len(told) > MANY
    assert len(set(logged(lines)) - set(told)) <= 1, "events from before the last turn are missing"


@pytest.mark.parametrize("count", range(3))
def test_a_kill_in_the_middle_of_much_work_leaves_whole_lines(tmp_path: Path, count: int) -> None:
    with ServerProcess(*options(tmp_path, "--no-access-log")) as server:
        clients = [server.connect() for _ in range(20)]
        for client in clients:
            client.send(head("GET", "/") * (500 + count * 500))
        for _ in range(300):
            clients[0].answer()
        server.kill()
    assert answers(check(tmp_path, closed=False))


def test_a_trace_ends_at_its_limit_and_the_server_goes_on(tmp_path: Path) -> None:
    with ServerProcess(*options(tmp_path), extra={"REACTOR_TRACE_LIMIT": "64K"}) as server:
        client = server.connect()
        for _ in range(400):
            assert client.get("/").status == 200
        line = server.stderr.next()
        server.kill()
        assert server.stderr.rest() == []
    reason = "size limit reached (trace-limit 65536), tracing stopped"
    assert line == f"reactor: warning: trace {str(tmp_path / 'trace')!r}: {reason}"
    assert 32 << 10 < (tmp_path / "trace").stat().st_size <= 64 << 10
    assert check(tmp_path)[-1]["args"] == {"reason": "full"}


def test_a_disk_without_room_ends_the_trace_and_not_the_server(tmp_path: Path) -> None:
    # A limit on the size of files stands in for a small disk: it cuts a write short in the same way.
    launcher = ("sh", "-c", 'ulimit -f 40; exec "$@"', "sh")
    with ServerProcess(*options(tmp_path), launcher=launcher) as server:
        client = server.connect()
        for _ in range(400):
            assert client.get("/").status == 200
        line = server.stderr.next()
        server.kill()
        assert server.stderr.rest() == []
    path = str(tmp_path / "trace")
    assert line == f"reactor: error: trace {path!r}: write failed, tracing stopped: File too large"
    assert answers(check(tmp_path, closed=False))


def test_a_full_disk_from_the_beginning(tmp_path: Path) -> None:
    with ServerProcess("--trace", "/dev/full") as server:
        assert server.get("/").status == 200
        assert server.get("/").status == 200
        server.kill()
        assert server.stderr.rest() == [
            "reactor: error: trace '/dev/full': write failed, tracing stopped: No space left on device"
        ]


@pytest.mark.parametrize("name", ["missing/trace", "", "."])
def test_a_file_that_cannot_be_opened_keeps_the_server_from_starting(tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name}"
    done = run("--port", "0", "--trace", path)
    assert done.returncode == 3
    assert done.stderr.startswith(f"reactor: cannot write the trace file {path!r}: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_port_that_is_taken_is_told_with_a_trace_too(tmp_path: Path) -> None:
    with ServerProcess() as server:
        done = run("--port", str(server.port), *options(tmp_path))
    assert done.returncode == 3
    assert str(server.port) in done.stderr
    check(tmp_path)


def test_a_limit_that_is_no_size_is_refused() -> None:
    assert run(REACTOR_TRACE_LIMIT="much").returncode == 2


def test_without_the_option_there_is_no_trace(tmp_path: Path) -> None:
    with ServerProcess("--directory", str(tmp_path)) as server, ClientConnection(server.port) as client:
        assert client.get("/").status == 200
    assert list(tmp_path.iterdir()) == []
