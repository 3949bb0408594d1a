"""--trace: what is written passes a strict checker, agrees with the access log, and ends at its limit."""

import copy
import io
import json
import logging
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from handlers.store import Store
from reactor.http11.message import Response
from reactor.routing import Router
from reactor.trace import Trace
from tests import trace_checker
from tests.harness import Harness
from tests.process import ServerProcess, run
from tests.trace_checker import FaultError, check, read

GET = b"GET /echo/hi HTTP/1.1\r\nHost: x\r\n\r\n"


def traced(path: Path) -> list[dict[str, Any]]:
    return check(read(path.read_text()))


def live(server: Harness) -> None:
    """Let most things happen that can, with time that passes."""
    clock = server.clock

    def tick() -> float:
        clock.now += 3e-6
        return clock.now

    # Each look at the clock is a little later than the one before.
    server.reactor._clock = tick
    client = server.connect()
    client.send(GET * 20)
    client.send(b"GET /echo/aaaaaa HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
    client.send(b"POST /files/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    client.send(b"abcde")
    client.send(b"GET /files/a HTTP/1.1\r\nHost: x\r\n\r\n")
    client.read()
    others = [server.connect() for _ in range(5)]
    for other in others:
        other.sock.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGE")
    server.run()
    others[0].send(b"BAD\r\n\r\n")
    others[1].sock.close()
    server.run()
    clock.now += 20
    server.run()
    clock.now += 80
    server.run()


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[Path, list[str]]:
    """Return the trace of a mixed run, and the lines of its access log."""
    path, log = tmp_path / "trace.json", io.StringIO()
    trace = Trace(str(path))
    store = Store(str(tmp_path))
    with Harness(None, store, access_log=log, readers=[trace]) as server:
        live(server)
    trace.close()
    store.close()
    return path, log.getvalue().splitlines()


def test_a_mixed_run_passes_the_checker(mixed: tuple[Path, list[str]]) -> None:
    events = traced(mixed[0])
    json.loads(mixed[0].read_text())
    names = Counter((event["ph"], event["name"]) for event in events)
    for expected in (
        *(("X", "turn"), ("X", "select"), ("X", "on_readable"), ("X", "on_deadline"), ("X", "handler")),
        *(("X", "gzip"), ("b", "CONTINUING"), ("n", "refused"), ("C", "connections"), ("C", "ready")),
        *(("C", "in memory"), ("C", "lag"), ("s", "ready"), ("f", "ready")),
    ):
        assert names[expected], expected


def test_it_agrees_with_the_access_log_to_the_request(mixed: tuple[Path, list[str]]) -> None:
    events = traced(mixed[0])
    answered = [event["args"]["status"] for event in events if event["name"] == "answered"]
    logged = [int(line.split('" ')[1].split()[0]) for line in mixed[1]]
    assert answered == logged
    assert len(set(answered)) >= 4


def test_a_trace_of_a_real_server_that_was_killed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with ServerProcess("--trace", str(path), "--directory", str(tmp_path), "--no-access-log") as server:
        (tmp_path / "large").write_bytes(b"x" * 3_000_000)
        wire = server.connect()
        for _ in range(3):
            wire.get("/echo/hello", "Accept-Encoding: gzip")
            wire.post("/files/up", b"y" * 300_000)
            wire.get("/files/large")
        slow = server.connect(receive_buffer=4096)
        slow.send_head("GET", "/files/large")
        slow.read_head()
        several = [server.connect() for _ in range(30)]
        for each in several:
            each.get("/")
        server.get("/nothing")
        server.send_signal(signal.SIGKILL)
        server.exit_code()
    events = traced(path)
    assert [event["args"]["route"] for event in events if event["name"] == "handler"].count("/") == 30
    assert not path.read_text().endswith("]\n")


def test_a_server_that_is_stopped_ends_the_array(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with ServerProcess("--trace", str(path), "--no-access-log") as server:
        server.get("/")
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
    traced(path)
    assert isinstance(json.loads(path.read_text()), list)


def test_it_ends_at_its_limit_with_whole_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "reactor")
    path = tmp_path / "trace.json"
    trace = Trace(str(path), limit=20_000)
    with Harness(readers=[trace]) as server:
        client = server.connect()
        for _ in range(100):
            client.send(GET)
            client.read()
    trace.close()
    assert 10_000 < path.stat().st_size <= 20_000
    traced(path)
    assert [record.getMessage() for record in caplog.records] == [
        "the trace ends: it has reached its limit of 20,000 octets"
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_ends_the_trace_and_not_the_server(caplog: pytest.LogCaptureFixture) -> None:
    trace = Trace("/dev/full")
    with Harness(readers=[trace]) as server:
        assert server.connect().get("/echo/a").status == 200
        assert server.connect().get("/echo/b").status == 200
    trace.close()
    assert [record.getMessage() for record in caplog.records] == ["the trace ends: No space left on device"]


def test_a_file_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path / "none" / "x", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / "pipe", ""),
    ):
        done = run("--port", "0", "--trace", str(path))
        assert done.returncode == 3
        assert done.stderr.startswith(f"reactor: cannot write the trace {path}: {reason}")
        assert done.stderr.count("\n") == 1


def test_what_is_hostile_is_escaped_and_no_content_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    trace = Trace(str(path))
    routes = Router()
    routes.get("/{rest...}")(lambda request: Response.text("secret"))
    with Harness(routes, readers=[trace]) as server:
        target = '/a"b\\' + "x" * 500
        server.connect().send(f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: hidden\r\n\r\n".encode())
    trace.close()
    traced(path)
    text = path.read_text()
    assert "secret" not in text
    assert "hidden" not in text
    assert "x" * 300 not in text


# The checker finds what is wrong.


def plant(events: list[dict[str, Any]], kind: str) -> None:
    """Make one thing wrong."""

    def one(phase: str, name: str = "") -> dict[str, Any]:
        return next(each for each in events if each["ph"] == phase and each["name"].startswith(name))

    faults: dict[str, Any] = {
        "phase": lambda: one("X").update(ph="Q"),
        "key": lambda: one("b").pop("id"),
        "kind": lambda: one("C").update(ts="1"),
        "negative": lambda: one("X").update(dur=-1.0),
        "counter": lambda: one("C")["args"].update(open="many"),
        "nesting": lambda: one("X", "on_readable").update(dur=1e9),
        "end": lambda: one("e").update(name="WAITING"),
        "begin": lambda: events.remove(one("e")),
        "table": lambda: [each.update(name="WAITING") for each in events if each["name"] == "ACCEPTED"],
        "backwards": lambda: [each for each in events if each["ph"] == "e"][-1].update(ts=0.0),
        "arrow lost": lambda: events.remove(one("f")),
        "arrow twice": lambda: events.append(one("s")),
        "arrow early": lambda: one("f").update(ts=0.0),
        "arrow elsewhere": lambda: one("s").update(ts=-0.0),
        "arrow in no call": lambda: one("f").update(ts=one("f")["ts"] + 1),
    }
    faults[kind]()


@pytest.mark.parametrize(
    "kind",
    [
        *("phase", "key", "kind", "negative", "counter", "nesting", "end", "begin", "table", "backwards"),
        *("arrow lost", "arrow twice", "arrow early", "arrow elsewhere", "arrow in no call"),
    ],
)
def test_a_planted_fault_is_found(mixed: tuple[Path, list[str]], kind: str) -> None:
    events = copy.deepcopy(traced(mixed[0]))
    plant(events, kind)
    with pytest.raises(FaultError):
        check(events)


@pytest.mark.parametrize("text", ["", "{}\n", '[\n{"ph":"M"\n', "[\nnothing,\n"])
def test_what_is_no_trace_is_found(text: str) -> None:
    with pytest.raises((FaultError, ValueError)):
        read(text)


def test_a_part_of_a_line_at_the_end_is_left_out() -> None:
    assert trace_checker.read('[\n{"ph":"M"},\n{"ph"') == [{"ph": "M"}]
