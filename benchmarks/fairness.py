"""How long do small requests wait while another client uploads and downloads a large file?

One connection uploads a file of 512 MiB and then downloads it, as fast as it goes, while another
asks for /echo/abc again and again, each time when the answer to the last has come. Printed are the
percentiles of the small requests' times; p99 should be under 50 ms. The client's two connections
run on one core, the server on another.
"""

import argparse
import http.client
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from benchmarks.servers import CLIENT_CORE, pinned, running

PIECE = bytes(1 << 20)
TARGET = 0.050  # seconds


def upload(address: str, size: int) -> None:
    """Store a file of zeros."""
    connection = http.client.HTTPConnection(address, timeout=600)
    pieces = (PIECE for _ in range(size // len(PIECE)))
    connection.request("POST", "/files/large", pieces, {"Content-Length": str(size)})
    status = connection.getresponse().status
    connection.close()
    if status != 201:
        raise SystemExit(f"the upload got {status}")


def download(address: str, size: int) -> None:
    """Read it back, and count it."""
    connection = http.client.HTTPConnection(address, timeout=600)
    connection.request("GET", "/files/large")
    response = connection.getresponse()
    received = 0
    while octets := response.read(1 << 20):
        received += len(octets)
    connection.close()
    if received != size:
        raise SystemExit(f"the download gave {received} octets, not {size}")


def small_requests(address: str, during: threading.Thread) -> list[float]:
    """Ask while the other client is busy; return each request's seconds, sorted."""
    times = []
    connection = http.client.HTTPConnection(address, timeout=60)
    while during.is_alive():
        began = time.perf_counter()
        connection.request("GET", "/echo/abc")
        if connection.getresponse().read() != b"abc":
            raise SystemExit("a small request got a wrong answer")
        times.append(time.perf_counter() - began)
    connection.close()
    return sorted(times)


def report(name: str, address: str, work: Callable[[str, int], None], size: int) -> bool:
    """Do the work, and print how the small requests fared."""
    thread = threading.Thread(target=work, args=(address, size), daemon=True)
    began = time.perf_counter()
    thread.start()
    times = small_requests(address, thread)
    thread.join()
    rate = size / (time.perf_counter() - began) / (1 << 20)
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    verdict = "PASS" if p99 < TARGET else "MISSED"
    print(
        f"{name:8} {rate:7,.0f} MiB/s; {len(times):6,} small requests: p50 {p50 * 1e3:.2f} ms, "
        f"p99 {p99 * 1e3:.2f} ms, longest {times[-1] * 1e3:.2f} ms; p99 under 50 ms: {verdict}"
    )
    return p99 < TARGET


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both directions; return 1 when the target is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.fairness", description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=512, help="of the file (default: %(default)s)")
    size = parser.parse_args(arguments).mebibytes << 20
    # A thread that waits for the interpreter's lock would count as the server's delay.
    sys.setswitchinterval(0.0005)
    with tempfile.TemporaryDirectory() as directory:
        command = ["reactor", "--port", "0", "--no-access-log", "--directory", directory]
        with running(command) as (url, _):
            pinned(CLIENT_CORE)
            address = urlsplit(url).netloc
            passed = [report(work.__name__, address, work, size) for work in (upload, download)]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
