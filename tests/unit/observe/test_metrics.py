"""Metrics: exact counts of a scripted mix, both formats by Prometheus' own parsers, fixed sets of labels."""

import io
import random
import re
import string
import sys
from typing import Any

import pytest

from reactor.event_handler import DEADLINE, READ, SOON, WRITE, EventHandler
from reactor.handlers.files.store import Store
from reactor.http11.message import Response
from reactor.observe.events import EventKind
from reactor.observe.metrics import COUNTER, MetricFamily, Metrics
from reactor.observe.prometheus import OPEN, PLAIN, negotiate, render
from reactor.routing import Router
from reactor.server.state import State
from tests.support.in_process import Harness

GET = b"GET /echo/hi HTTP/1.1\r\nHost: x\r\n\r\n"


def parse(text: str, media_type: str) -> list[Any]:
    """Parse metrics with Prometheus' own parsers; skip the test if they are not installed."""
    name = "prometheus_client.openmetrics.parser" if media_type == OPEN else "prometheus_client.parser"
    parser = pytest.importorskip(name, reason="prometheus-client is not installed: pip install -e '.[dev]'")
    return list(parser.text_fd_to_metric_families(io.StringIO(text)))


def samples(metrics: Metrics, server: Harness, media_type: str = OPEN) -> dict[tuple[str, Any], float]:
    """Return all samples, read by Prometheus' own parser."""
    text = render(metrics.families(server.context), media_type)
    families = parse(text, media_type)
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(found: dict[tuple[str, Any], float], name: str, **labels: str) -> float:
    """Return the one sample with this name that has these labels."""
    matching = [
        number
        for (each, pairs), number in found.items()
        if each == name and set(labels.items()) <= set(pairs)
    ]
    assert len(matching) == 1, (name, labels, matching)
    return matching[0]


@pytest.mark.parametrize("media_type", [OPEN, PLAIN])
def test_a_mix_of_requests_is_counted_exactly(media_type: str, tmp_path: object) -> None:
    metrics = Metrics()
    store = Store(str(tmp_path))
    with Harness(None, store, subscribers=[metrics]) as server:
        client = server.connect()
        client.send(GET * 3)
        client.send(b"HEAD /echo/hi HTTP/1.1\r\nHost: x\r\n\r\n")
        client.send(b"POST /files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde")
        client.send(b"GET /files/a HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n")
        client.send(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        client.send(b"BAD\r\n\r\n")
        client.read()
        server.connect().send(b"GET /echo/part")
        server.connect().half_close()
        found = samples(metrics, server, media_type)
    store.close()
    count = "http_server_request_duration_seconds_count"
    assert value(found, count, http_request_method="GET", http_route="/echo/{text...}") == 3
    assert value(found, count, http_request_method="HEAD") == 1
    assert value(found, count, http_request_method="POST", http_response_status_code="201") == 1
    assert value(found, count, http_response_status_code="304") == 1
    assert value(found, count, http_response_status_code="404") == 1
    assert value(found, count, http_response_status_code="400") == 1
    with_route = [dict(pairs) for name, pairs in found if name == count and "http_route" in dict(pairs)]
    assert {labels["http_route"] for labels in with_route} == {"/echo/{text...}", "/files/{name...}"}
    assert value(found, "http_server_request_body_size_bytes_sum", http_request_method="POST") == 5
    echoes = {"http_request_method": "GET", "http_route": "/echo/{text...}"}
    assert value(found, "http_server_response_body_size_bytes_sum", **echoes) == 6
    assert value(found, "reactor_refusals_total", reason="malformed") == 1
    assert value(found, "reactor_connections_accepted_total") == 3
    assert value(found, "reactor_connections_closed_total", reason="client_closed") == 1
    assert value(found, "reactor_connections", state="RECEIVING_HEAD") == 1
    assert value(found, "reactor_connections", state="DRAINING") == 1
    assert value(found, "reactor_buffered_bytes", where="parser") == len("GET /echo/part")
    assert value(found, "http_server_active_requests") == 0
    assert value(found, "process_cpu_seconds_total") > 0
    assert value(found, "process_open_fds") > 0


def test_a_disconnected_client_is_counted_as_499() -> None:
    metrics = Metrics()
    routes = Router()
    routes.post("/take")(lambda request: Response.text("taken"))
    with Harness(routes, subscribers=[metrics]) as server:
        client = server.connect()
        client.send(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na")
        client.sock.close()
        server.run()
        found = samples(metrics, server)
    statuses = {dict(pairs).get("http_response_status_code") for _, pairs in found}
    assert statuses == {None, "499"}


def test_turns_and_ready_events_are_counted() -> None:
    metrics = Metrics()
    with Harness(subscribers=[metrics]) as server:
        client = server.connect()
        client.send(GET)
        before = samples(metrics, server)
        client.send(GET)
        after = samples(metrics, server)
    turns = value(after, "reactor_loop_turns_total") - value(before, "reactor_loop_turns_total")
    assert turns > 0
    assert value(after, "reactor_loop_turn_duration_seconds_count") == value(
        after, "reactor_loop_turns_total"
    )
    assert value(after, "reactor_loop_lag_seconds_count") == value(after, "reactor_loop_turns_total")
    ready = value(after, "reactor_loop_ready_events_total") - value(before, "reactor_loop_ready_events_total")
    assert ready == 1


@pytest.mark.parametrize(("events", "lag"), [(READ, 0.5), (WRITE, 0.5), (SOON, 0.0), (DEADLINE, 0.0)])
def test_the_wait_for_events_and_the_lag_of_ready_handles_are_counted(events: int, lag: float) -> None:
    metrics = Metrics()
    with Harness(subscribers=[metrics]) as server:
        metrics(
            [
                (EventKind.SELECTED, 1.0, 0.25, []),
                (EventKind.CALLED, 2.0, EventHandler(), events, 1.5),
                (EventKind.TURN_ENDED, 2.0, 1, 1.0),
            ]
        )
        found = samples(metrics, server)
    assert value(found, "reactor_loop_lag_seconds_sum") == lag
    assert value(found, "reactor_loop_waiting_seconds_total") == 0.25


def test_a_request_is_active_until_its_response_is_sent() -> None:
    metrics = Metrics()
    routes = Router()
    routes.get("/large")(lambda request: Response(200, b"x" * 4_000_000))
    with Harness(routes, subscribers=[metrics]) as server:
        for close in ("keep-alive", "close"):
            client = server.connect()
            client.send(f"GET /large HTTP/1.1\r\nHost: x\r\nConnection: {close}\r\n\r\n".encode())
        states = {connection.state for connection in server.context.connections.values()}
        assert states == {State.RESPONDING, State.FINISHING}
        assert value(samples(metrics, server), "http_server_active_requests") == 2
        for client in server.clients:
            client.read()
        assert value(samples(metrics, server), "http_server_active_requests") == 0


def test_a_connection_that_yields_has_an_active_request() -> None:
    metrics = Metrics()
    with Harness(subscribers=[metrics], turn_requests=1) as server:
        client = server.connect()
        client.sock.send(GET * 2)
        server.reactor.turn()
        assert client.connection.state is State.YIELDING
        assert value(samples(metrics, server), "http_server_active_requests") == 1


def test_buckets_are_cumulative_and_the_last_is_the_count() -> None:
    metrics = Metrics()
    with Harness(subscribers=[metrics]) as server:
        server.connect().send(GET * 5)
        found = samples(metrics, server)
    name = "http_server_response_body_size_bytes"
    buckets = [
        (float(dict(pairs)["le"]), number)
        for (each, pairs), number in found.items()
        if each == f"{name}_bucket"
    ]
    numbers = [number for _, number in sorted(buckets)]
    assert numbers == sorted(numbers)
    assert sorted(buckets)[-1] == (float("inf"), 5)
    assert value(found, f"{name}_count") == 5
    assert [number for bound, number in buckets if bound == 0] == [0]  # two bytes are more than none


def test_10_000_random_paths_and_methods_add_no_label() -> None:
    source = random.Random(6)
    metrics = Metrics()
    with Harness(subscribers=[metrics]) as server:

        def ask(method: str, path: str) -> None:
            client = server.connect()
            client.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            client.read()
            client.sock.close()
            server.clients.remove(client)

        for method in ("GET", "BREW"):
            for path in ("/echo/a", "/nothing"):
                ask(method, path)
        before = set(samples(metrics, server))
        for _ in range(10_000):
            word = "".join(source.choices(string.ascii_letters + string.digits, k=12))
            ask(*source.choice((("GET", f"/echo/{word}"), ("GET", f"/{word}"), (word.upper(), "/nothing"))))
        after = set(samples(metrics, server))
    assert after == before
    assert any(dict(pairs).get("http_request_method") == "_OTHER" for _, pairs in after)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/plain", PLAIN),
        ("application/openmetrics-text", OPEN),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", OPEN),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", PLAIN),
        ("application/openmetrics-text;q=0", PLAIN),
        ("APPLICATION/OPENMETRICS-TEXT", OPEN),
        (
            "application/openmetrics-text;version=0.0.1;q=0.1, "
            "application/openmetrics-text;version=1.0.0;q=0.9, text/plain;q=0.5",
            OPEN,
        ),
    ],
)
def test_accept_selects_the_format(accept: str, chosen: str) -> None:
    assert negotiate(accept) == chosen


@pytest.mark.parametrize("media_type", [OPEN, PLAIN])
def test_label_values_are_escaped(media_type: str) -> None:
    template = '/a"b\\c\nd'
    family = MetricFamily(
        "some_things", COUNTER, "", 'words with "quotes"\\', [((("http_route", template),), 1)]
    )
    text = render([family], media_type)
    (parsed,) = parse(text, media_type)
    assert parsed.samples[0].labels == {"http_route": template}


def test_every_series_has_help_type_and_openmetrics_unit() -> None:
    metrics = Metrics()
    with Harness(subscribers=[metrics]) as server:
        server.connect().send(GET)
        text = render(metrics.families(server.context), OPEN)
    names = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 15
    assert re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE) == names
    assert "# UNIT http_server_request_duration_seconds seconds" in text
    assert text.endswith("\n# EOF\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="requires /proc")
def test_process_metrics_are_read_from_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    metrics = Metrics()
    with Harness(subscribers=[metrics]) as server:
        text = render(metrics.families(server.context), PLAIN)
    for name in ("process_resident_memory_bytes", "process_open_fds"):
        figure = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert figure is not None, name
        assert float(figure[1]) > 0
    assert "process_start_time_seconds" not in text
