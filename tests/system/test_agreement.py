"""--explain, --trace, /metrics and the access log report the same number of requests for one run."""

import json
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.process import ClientConnection, ServerProcess, head
from tests.support.trace_checker import answers, events_of, faults
from tests.unit.inspector.microscope import NOTE

parser = pytest.importorskip(
    "prometheus_client.parser", reason="prometheus-client is not installed: pip install -e '.[dev]'"
)

# What --explain prints for a request that was answered, or refused.
TOLD = re.compile(r"(?:\S+ \S+ \(|refused with )([0-9]{3})(?=[):])")


def live(server: ServerProcess) -> int:
    """Send many different requests; return their number."""
    asked = 0
    for number in range(20):
        client = server.connect()
        for _ in range(5):
            client.send(head("GET", f"/echo/{number}", "Accept-Encoding: gzip") * 4)
            for _ in range(4):
                client.answer()
        client.post(f"/files/{number}", b"x" * 10_000)
        client.get(f"/files/{number}")
        client.get(f"/files/{number}", "If-None-Match: *")
        client.get(f"/files/{number}", "Range: bytes=0-9")
        client.get("/nothing")
        client.send_head("HEAD", "/")
        client.answer("HEAD")
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        client.answer()
        asked += 5 * 4 + 7
        client.close()
    return asked


def test_the_four_agree_to_the_request(tmp_path: Path) -> None:
    trace, shared = tmp_path / "trace.json", tmp_path / "shared"
    shared.mkdir()
    options = ("--inspect", "127.0.0.1:0", "--trace", str(trace), "--explain", "--log-format", "json")
    with ServerProcess(*options, "--directory", str(shared)) as server:
        asked = live(server)
        inspector = NOTE.search(server.start_line)
        assert inspector is not None
        with ClientConnection(int(inspector[1])) as client:
            text = client.get("/metrics").content.decode()
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        log = Counter(json.loads(line)["status"] for line in server.stdout.rest())
        told = Counter(
            int(status)
            for line in server.stderr.rest()
            if line.startswith("turn ")
            for status in TOLD.findall(line)
        )
    assert faults(trace.read_text()) == []
    traced = Counter(status for _, _, status, _ in answers(events_of(trace.read_text())))
    counted: Counter[int] = Counter()
    octets = 0
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "http_server_request_duration_seconds_count":
                counted[int(sample.labels["http_response_status_code"])] += int(sample.value)
            if sample.name == "http_server_response_body_size_bytes_sum":
                octets += int(sample.value)
    assert log.total() == asked
    assert log == traced == counted == told
    assert set(log) == {200, 201, 206, 304, 404, 400}
    assert octets > 20 * 10_000


def test_the_octets_agree_with_the_access_log(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    with ServerProcess(
        "--inspect", "127.0.0.1:0", "--log-format", "json", "--directory", str(shared)
    ) as server:
        live(server)
        inspector = NOTE.search(server.start_line)
        assert inspector is not None
        with ClientConnection(int(inspector[1])) as client:
            text = client.get("/metrics").content.decode()
        server.send_signal(signal.SIGTERM)
        logged = sum(json.loads(line)["body_bytes"] for line in server.stdout.rest())
    sums = re.findall(r"^http_server_response_body_size_bytes_sum\S* (\S+)$", text, re.MULTILINE)
    assert sum(map(float, sums)) == logged > 0
