"""Results of wrk become samples, without its correction of the histogram."""

import doctest
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import BinaryIO, cast

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks.load import wrk
from benchmarks.load.clients import LoadError
from benchmarks.load.wrk import answered, histogram, uncorrected
from benchmarks.servers import workloads
from benchmarks.servers.peers import ECHO, PEERS, UPLOADS
from benchmarks.servers.process import RunningServer, run_server
from benchmarks.servers.workloads import WORKLOADS, Workload, numbered

needs_wrk = pytest.mark.skipif(wrk.missing() is not None, reason=str(wrk.missing()))
SECONDS = 0.2


def corrected(times: Counter[int], mean: int) -> Counter[int]:
    """Apply wrk's stats_correct(), from the shortest time to the longest."""
    data = Counter(times)
    for time in range(2 * mean, max(times) + 1):
        count, made_up = data[time], time - mean
        while count and made_up > mean:
            data[made_up] += count
            made_up -= mean
    return data


@pytest.mark.parametrize("seed", range(50))
def test_the_correction_of_wrk_is_reverted(seed: int) -> None:
    numbers = random.Random(seed)
    mean = numbers.randint(1, 40)
    shortest = numbers.randint(1, 60)  # also longer than the mean, as with pipelined requests
    times = Counter(shortest + int(numbers.expovariate(1 / 30)) for _ in range(200))
    shown = {time: count for time, count in corrected(times, mean).items() if count and time >= shortest}
    assert uncorrected(list(shown.items()), mean) == sorted(times.items())


@pytest.mark.parametrize("module", [wrk, workloads], ids=lambda each: each.__name__)
def test_the_examples_are_right(module: ModuleType) -> None:
    failed, attempted = doctest.testmod(module)
    assert failed == 0 < attempted


def test_the_correction_of_wrk_adds_times() -> None:
    times = Counter({10: 90, 500: 1})
    assert sum(corrected(times, 20).values()) > 2 * sum(times.values()) - 100


def test_times_without_the_correction_are_an_error() -> None:
    with pytest.raises(ValueError, match="missing correction: 80 us"):
        uncorrected([(10, 90), (100, 1)], 20)


def test_few_requests_were_not_corrected() -> None:
    assert histogram({"requests": 3, "duration": 100}, [(10, 2), (100, 1)], 4).count == 3


def test_failed_requests_are_not_counted_as_successful() -> None:
    counts = {"requests": 100, "status": 3, "timeout": 2, "bytes": 0}
    assert answered(WORKLOADS["hot"], counts) == 95


def test_large_files_are_counted_by_their_bytes() -> None:
    large = WORKLOADS["file 100 MiB"]
    counts = {"requests": 1, "status": 0, "timeout": 0, "bytes": 3 * large.size + 5}
    assert answered(large, counts) == 3
    assert answered(large, {**counts, "status": 1}) == 0


# With wrk itself.


@needs_wrk
def test_wrk_measures_a_round() -> None:
    with run_server(PEERS["bare loop"]) as server:
        sample = wrk.measure(server, WORKLOADS["hot"], 4, SECONDS)
    assert (sample.workload, sample.peer, sample.client) == ("hot", "bare loop", "wrk")
    assert (sample.asked, sample.established) == (4, 4)
    assert sample.requests > 0
    assert sample.errors == 0
    assert sample.latency.count == sample.requests  # only measured times
    assert sample.transferred >= sample.requests * len(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert 0 < sample.seconds < 2  # interrupted within its second
    assert sample.client_cpu > 0
    assert sample.resident > 0


@needs_wrk
@pytest.mark.parametrize("name", ["pipelined", "new connection", "gzip different", "upload 4 KiB"])
def test_wrk_sends_each_kind_of_request(name: str) -> None:
    workload = WORKLOADS[name]
    with run_server(PEERS["reactor"]) as server:
        sample = wrk.measure(server, workload, 4, SECONDS)
    assert sample.requests > 0
    assert sample.errors == 0
    assert sample.latency.count <= sample.requests <= workload.depth * (sample.latency.count + 4)
    if workload.needs == UPLOADS:
        assert sample.transferred == sample.requests * workload.size


@needs_wrk
def test_wrk_counts_error_statuses() -> None:
    with run_server(PEERS["reactor"]) as server:
        sample = wrk.measure(server, Workload("nowhere", ECHO, targets=("/nowhere",)), 2, 1.0)
    assert sample.requests == 0
    assert sample.failures == {"status": sample.errors}
    assert sample.errors > 0


@needs_wrk
def test_wrk_times_out_on_a_silent_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sample = wrk.measure(stand_in(listener), WORKLOADS["hot"], 2, SECONDS)
    assert (sample.requests, sample.errors, sample.failures) == (0, 2, {"timeout": 2})
    assert sample.shared_core


@needs_wrk
def test_wrk_without_a_server_is_an_error() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = stand_in(listener)
    listener.close()
    with pytest.raises(LoadError, match="unable to connect"):
        wrk.measure(server, WORKLOADS["hot"], 2, SECONDS)


@needs_wrk
@pytest.mark.parametrize(
    "name", ["hot", "pipelined", "varied", "varied 3", "pipelined varied", "gzip different"]
)
def test_wrk_sends_the_templates_in_turn_with_a_new_number_each_time(
    name: str, recorder: SimpleNamespace
) -> None:
    wrk.run(recorder.server, WORKLOADS[name], 1, SECONDS)
    heads, templates = recorder.heads, [*WORKLOADS[name].requests(f"127.0.0.1:{recorder.server.port}")]
    assert len(heads) > len(templates)
    assert len(set(heads)) == (1 if name in ("hot", "pipelined") else len(heads))
    for head in heads:
        number = int((re.search(rb"\d{12}", head) or [b"0"])[0])
        assert head == numbered(templates[number % len(templates)], number)


def read_head(stream: BinaryIO) -> bytes:
    """Read a head up to its empty line; b"" at the end or after a reset."""
    lines = []
    try:
        while (line := stream.readline()) not in (b"\r\n", b""):
            lines.append(line)
    except ConnectionResetError:
        return b""
    return b"".join([*lines, line]) if line else b""


def stand_in(listener: socket.socket) -> RunningServer:
    """Return a substitute for a running server."""
    host, port = listener.getsockname()
    url = f"http://{host}:{port}"
    known = SimpleNamespace(name="x", host=host, port=port, url=url, cpu=lambda: 0.0, resident=lambda: 0)
    known.shares_core = lambda: True
    return cast(RunningServer, known)


@pytest.fixture
def recorder() -> Iterator[SimpleNamespace]:
    """Record the request heads of one client (wrk first opens a connection to test the address)."""
    heads: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        while not heads:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                while head := read_head(stream):
                    heads.append(head)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield SimpleNamespace(server=stand_in(listener), heads=heads)
    thread.join(10)
    listener.close()
