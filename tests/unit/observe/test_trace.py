"""The trace: its lines, which always pass the checker, its size limit, and its failures."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from reactor.observe.events import Event, EventCallback, EventKind
from reactor.observe.trace import Trace
from reactor.observe.trace_format import MAX_END_SIZE, MAX_EVENT_SIZE, MAX_LENGTH, to_json
from reactor.server.state import State
from tests.support.in_process import Clock
from tests.support.process import head
from tests.support.trace import GET, Ticking, mixed_run, one_by_one, site, traced
from tests.support.trace_checker import Event as Line
from tests.support.trace_checker import answers, events_of, faults, logged


def read(tmp_path: Path) -> list[Line]:
    text = (tmp_path / "trace").read_text()
    assert faults(text) == []
    return events_of(text)


def named(events: list[Line], phase: str, name: str) -> list[Line]:
    return [event for event in events if event["ph"] == phase and event["name"] == name]


@pytest.mark.parametrize("clock", [Ticking, Clock], ids=["time passes", "time stands still"])
def test_a_mixed_run_passes_the_checker(tmp_path: Path, clock: type[Clock]) -> None:
    with traced(tmp_path, clock) as server:
        mixed_run(server)
    events = read(tmp_path)
    states = {state.name for state in State if state is not State.CLOSED}
    assert {event["name"] for event in events if event["ph"] == "b"} == {"connection", *states}
    assert {event["name"] for event in events if event["ph"] == "X"} == {
        "turn",
        "select",
        "on_readable",
        "on_writable",
        "on_deadline",
        "on_soon",
        "handler",
        "gzip",
    }
    assert len(named(events, "n", "refused")) == 3


def test_the_trace_agrees_with_the_access_log(tmp_path: Path) -> None:
    with traced(tmp_path) as server:
        mixed_run(server)
    lines = server.log.getvalue().splitlines()
    assert len(lines) > 15
    assert answers(read(tmp_path)) == logged(lines)


def test_batching_of_events_does_not_change_the_trace(tmp_path: Path) -> None:
    paths = [tmp_path / "trace", tmp_path / "other"]
    whole, single = (Trace(str(path)) for path in paths)
    with site(tmp_path, subscribers=[whole, one_by_one(single)]) as server:
        mixed_run(server)
    whole.close()
    single.close()
    assert paths[0].read_text() == paths[1].read_text()


def test_a_turn_that_did_not_end_is_closed(tmp_path: Path) -> None:
    trace = Trace(str(tmp_path / "trace"))
    ends: list[Event] = []

    def forgetful(events: list[Event]) -> None:
        ends.extend(event for event in events if event[0] is EventKind.TURN_ENDED)
        trace([event for event in events if event[0] is not EventKind.TURN_ENDED or len(ends) < 3])

    with site(tmp_path, subscribers=[forgetful]) as server:
        server.connect().send(GET)
        server.connect().send(GET)
        last = len(ends)
    trace.close()
    turns = named(events_of((tmp_path / "trace").read_text()), "X", "turn")
    assert [turn["args"]["turn"] for turn in turns] == [1, 2, last]


def test_a_request_is_traced_with_its_steps(tmp_path: Path) -> None:
    with traced(tmp_path) as server:
        client = server.connect()
        request = head("GET", "/echo/" + "a" * 50, "Accept-Encoding: gzip")
        client.send(request)
        response = client.read()
    events = read(tmp_path)
    [handler] = named(events, "X", "handler")
    assert handler["args"] == {
        "connection": 1,
        "method": "GET",
        "route": "/echo/{text...}",
        "target": "/echo/" + "a" * 50,
        "status": 200,
    }
    [gzip] = named(events, "X", "gzip")
    assert gzip["args"] == {"bytes": 50}
    [hook] = [each for each in named(events, "X", "on_readable") if each["args"]["sent"]]
    assert hook["args"] == {
        "connection": 1,
        "fd": hook["args"]["fd"],
        "readiness": "read",
        "received": len(request),
        "sent": len(response),
    }
    assert hook["args"]["fd"] > 2
    [end] = named(events, "e", "connection")
    assert end["args"] == {"reason": "server_closed"}


def test_sent_file_bytes_and_buffered_bytes_are_traced(tmp_path: Path) -> None:
    with traced(tmp_path) as server:
        client = server.connect()
        client.send(head("GET", "/files/large"))
        waiting = server.connect()
        waiting.send(b"GET /half")
        client.responses()
        waiting.send(b" HTTP/1.1\r\nHost: x\r\n\r\n")
    events = read(tmp_path)
    assert sum(event["args"]["sent"] for event in named(events, "X", "on_writable")) > 100_000
    values = [event["args"]["value"] for event in named(events, "C", "buffered bytes")]
    assert len(b"GET /half") in values
    assert values[-1] == 0
    assert [event["args"]["value"] for event in named(events, "C", "connections")] == [1, 2]


def test_continuing_with_pipelined_requests_has_no_arrow(tmp_path: Path) -> None:
    with traced(tmp_path) as server:
        server.connect().send(GET * 70)
    events = read(tmp_path)
    [hook] = named(events, "X", "on_soon")
    assert hook["args"].keys() == {"connection", "fd", "received", "sent"}
    [turn] = [
        each for each in named(events, "X", "turn") if each["ts"] <= hook["ts"] <= each["ts"] + each["dur"]
    ]
    assert turn["args"]["ready"] == 0
    lags = [event for event in named(events, "C", "lag in ms") if event["ts"] <= turn["ts"] + turn["dur"]]
    assert lags[-1]["args"]["value"] == 0
    assert turn["ts"] not in [event["ts"] for event in events if event["ph"] == "s"]
    assert hook["ts"] not in [event["ts"] for event in events if event["ph"] == "f"]


def test_the_lag_is_the_wait_of_the_last_ready_handle(tmp_path: Path) -> None:
    with traced(tmp_path) as server:
        clients = [server.connect() for _ in range(5)]
        server.run()
        for client in clients:
            client.sock.send(GET)
        server.run()
    events = read(tmp_path)
    [turn] = [event for event in named(events, "X", "turn") if event["args"]["ready"] == 5]
    hooks = [event for event in named(events, "X", "on_readable") if event["args"]["received"]]
    [select] = [event for event in named(events, "X", "select") if event["ts"] == turn["ts"]]
    waited = hooks[-1]["ts"] - select["ts"] - select["dur"]
    [lag] = [event for event in named(events, "C", "lag in ms") if event["ts"] == turn["ts"] + turn["dur"]]
    assert lag["args"]["value"] == pytest.approx(waited / 1000, abs=0.002)
    assert waited > 10, "four other handlers were called before"


def test_fields_and_bodies_are_hidden_and_targets_truncated(tmp_path: Path) -> None:
    with traced(tmp_path) as server:
        client = server.connect()
        client.send(head("GET", "/echo/" + "b" * 1000, "Authorization: Basic c2VjcmV0", "X-Other: secret"))
        client.send(head("POST", "/files/new", "Content-Length: 6") + b"secret")
        assert len(client.responses()) == 2
    text = (tmp_path / "trace").read_text()
    assert faults(text) == []
    assert "secret" not in text
    assert "c2VjcmV0" not in text
    assert max(map(len, re.findall("b+", text))) <= MAX_LENGTH


@pytest.mark.parametrize("text", ["a", "a" * 500, '"' * 500, "\0" * 500, "\U0001f600" * 500, "\ud800" * 150])
def test_quoted_texts_are_truncated(text: str) -> None:
    assert len(to_json(text)) <= 2 * MAX_LENGTH + 2


# Its limit.


@pytest.mark.parametrize("limit", [0, 1000, 10_000, 30_000, 60_000, 90_000])
@pytest.mark.parametrize("split", [lambda trace: trace, one_by_one], ids=["by turns", "by events"])
def test_a_trace_ends_with_a_whole_turn_at_its_limit(
    tmp_path: Path, limit: int, split: Callable[[Trace], EventCallback], caplog: pytest.LogCaptureFixture
) -> None:
    trace = Trace(str(tmp_path / "trace"), limit)
    with site(tmp_path, subscribers=[split(trace)]) as server:
        clients = [server.connect() for _ in range(5)]
        for _ in range(20):
            for client in clients:
                client.send(GET)
    trace.close()
    size = (tmp_path / "trace").stat().st_size
    assert size <= max(limit, 600)
    assert size > limit - MAX_EVENT_SIZE * 60 - MAX_END_SIZE * 6, "the trace ended too early"
    assert read(tmp_path)[-1]["args"] == {"reason": "full"}
    records = [record for record in caplog.records if "limit" in record.message]
    assert len(records) == 1
    assert len(server.log.getvalue().splitlines()) == 100


@pytest.mark.parametrize("seed", range(5))
def test_no_event_exceeds_the_reserved_length(tmp_path: Path, seed: int) -> None:
    sizes: list[float] = []
    trace = Trace(str(tmp_path / "trace"))

    def measure(events: list[Event]) -> None:
        count, before = len(events), (tmp_path / "trace").stat().st_size
        trace(events)
        sizes.append(((tmp_path / "trace").stat().st_size - before) / count)

    with site(tmp_path, subscribers=[measure]) as server:
        client = server.connect()
        client.send(head("GET", "/echo/" + "\\^%22"[: seed + 1] * 300, "Accept-Encoding: gzip"))
        client.send(head("A" * 300, "/" + "x" * 300))
        mixed_run(server)
    trace.close()
    assert 0 < max(sizes) < MAX_EVENT_SIZE


# A file that fails.


def test_a_full_disk_is_logged_once_and_ends_the_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trace = Trace("/dev/full")
    with site(tmp_path, subscribers=[trace]) as server:
        for _ in range(3):
            server.connect().get("/")
    trace.close()
    assert len(server.log.getvalue().splitlines()) == 3
    records = [record for record in caplog.records if "trace" in record.message]
    assert [(record.levelno, record.message) for record in records] == [
        (logging.ERROR, "trace '/dev/full': write failed, tracing stopped: No space left on device")
    ]


def test_a_disk_that_fills_up_leaves_a_trace_of_whole_turns(tmp_path: Path) -> None:
    with traced(tmp_path) as server:
        server.connect().get("/")
        with patch("os.write", side_effect=OSError(28, "No space left on device")):
            server.connect().get("/")
        server.connect().get("/")
    text = (tmp_path / "trace").read_text()
    assert faults(text, closed=False) == []
    assert len(answers(events_of(text))) == 1
    assert len(server.log.getvalue().splitlines()) == 3


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    trace = Trace(str(tmp_path / "trace"))
    trace.close()
    trace.close()
    trace([(EventKind.TURN_ENDED, 0.0, 1, 0.0)])
    assert [event["ph"] for event in read(tmp_path)] == ["M", "M", "i"]
