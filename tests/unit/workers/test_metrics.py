"""The metrics of all workers: sums that never decrease, and series for each worker."""

import json

import pytest

from reactor.observe.metrics import COUNTER, GAUGE, HISTOGRAM, Histogram, MetricFamily
from reactor.observe.prometheus import PLAIN, render
from reactor.workers.metrics import WorkerMetrics, decode, encode
from reactor.workers.policy import WorkerRecord

WORKERS = [WorkerRecord(1), WorkerRecord(2)]
ROUTE = (("http_route", "/"),)


def families(requests: int, open_connections: int = 0) -> list[MetricFamily]:
    """Return what a worker measures that has answered so many requests, each in 0.5 s."""
    durations = Histogram((0.1, 1.0))
    for _ in range(requests):
        durations.add(0.5)
    name = "http_server_request_duration_seconds"
    return [
        MetricFamily(name, HISTOGRAM, "seconds", "Time.", [(ROUTE, durations)] if requests else []),
        MetricFamily("reactor_connections", GAUGE, "", "Open.", [((("state", "IDLE"),), open_connections)]),
        MetricFamily("reactor_sent_bytes", COUNTER, "bytes", "Sent.", [((), requests * 10)]),
        MetricFamily("reactor_loop_turns", COUNTER, "", "Turns.", [((), requests)]),
        MetricFamily("process_open_fds", GAUGE, "", "Files.", [((), 9.0)]),
    ]


def samples(metrics: WorkerMetrics, *answered: int) -> dict[str, str]:
    """Return the samples of all workers, without buckets."""
    lines = render(metrics.families(WORKERS, set(answered)), PLAIN).splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line[0] != "#" and "_bucket" not in line)


def test_counters_gauges_and_histograms_are_sums() -> None:
    metrics = WorkerMetrics()
    metrics.update(1, families(3, 5))
    metrics.update(2, families(4, 6))
    found = samples(metrics, 1, 2)
    assert found["reactor_sent_bytes_total"] == "70"
    assert found['reactor_connections{state="IDLE"}'] == "11"
    assert found['http_server_request_duration_seconds_count{http_route="/"}'] == "7"
    assert found['http_server_request_duration_seconds_sum{http_route="/"}'] == "3.5"
    assert found['reactor_worker_requests_total{worker="2"}'] == "4"
    assert found['reactor_worker_connections{worker="1"}'] == "5"


def test_the_buckets_are_sums() -> None:
    metrics = WorkerMetrics()
    metrics.update(1, families(3))
    metrics.update(2, families(4))
    text = render(metrics.families(WORKERS, {1, 2}), PLAIN)
    assert 'duration_seconds_bucket{http_route="/",le="0.1"} 0\n' in text
    assert 'duration_seconds_bucket{http_route="/",le="1.0"} 7\n' in text


@pytest.mark.parametrize("name", ["process_open_fds", "reactor_loop_turns_total"])
def test_what_has_no_sum_has_a_label(name: str) -> None:
    metrics = WorkerMetrics()
    metrics.update(1, families(1))
    metrics.update(2, families(1))
    found = [each for each in samples(metrics, 1, 2) if each.startswith(name)]
    assert found == [f'{name}{{worker="{number}"}}' for number in (1, 2)]


def test_a_counter_does_not_decrease_when_a_worker_ends() -> None:
    metrics = WorkerMetrics()
    for requests in (3, 5, 2):  # three processes of the same worker
        metrics.update(1, families(1, 5))
        metrics.update(2, families(requests, 6))
        metrics.end(2)
    found = samples(metrics, 1)
    assert found["reactor_sent_bytes_total"] == "110"
    assert found['http_server_request_duration_seconds_count{http_route="/"}'] == "11"
    assert found['reactor_connections{state="IDLE"}'] == "5"
    assert 'reactor_loop_turns_total{worker="2"}' not in found
    metrics.end(2)  # ended again before it was measured
    assert samples(metrics, 1) == found


def test_a_worker_that_does_not_answer_is_down_and_its_counters_stay() -> None:
    metrics = WorkerMetrics()
    metrics.update(1, families(3, 5))
    metrics.update(2, families(4, 6))
    found = samples(metrics, 1)
    assert (found['reactor_worker_up{worker="1"}'], found['reactor_worker_up{worker="2"}']) == ("1", "0")
    assert found["reactor_sent_bytes_total"] == "70"
    assert found['reactor_connections{state="IDLE"}'] == "5"
    assert 'process_open_fds{worker="2"}' not in found
    assert 'reactor_worker_requests_total{worker="2"}' not in found


def test_the_measured_values_are_not_changed() -> None:
    metrics, measured = WorkerMetrics(), families(3)
    metrics.update(1, measured)
    metrics.update(2, families(1))
    assert [samples(metrics, 1, 2) for _ in range(2)] == [samples(metrics, 1, 2)] * 2
    metrics.end(1)
    assert samples(metrics, 2)["reactor_sent_bytes_total"] == "40"
    assert encode(measured) == encode(families(3))


def test_no_name_is_used_twice() -> None:
    metrics = WorkerMetrics()
    metrics.update(1, families(1))
    metrics.update(2, families(2))
    names = [each.name for each in metrics.families(WORKERS, {1, 2})]
    assert len(names) == len(set(names))


def test_families_survive_encoding() -> None:
    before = families(3, 5)
    after = decode(json.loads(json.dumps(encode(before))))
    assert render(after, PLAIN) == render(before, PLAIN)
    assert [each.kind for each in after] == [each.kind for each in before]
