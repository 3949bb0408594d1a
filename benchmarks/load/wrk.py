"""Run wrk: one round of one workload against one server, as a sample.

It corrects its histogram for coordinated omission: for each time of at least twice the mean it adds a shorter
time (by the mean), and so on. ``uncorrected`` reverts this exactly, so that samples contain only measured
times. For its other limits see ``benchmarks/README.md``.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from math import ceil
from pathlib import Path

from benchmarks.load.clients import LoadError
from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Sample
from benchmarks.servers.peers import UPLOADS
from benchmarks.servers.process import CLIENT_CORE, RunningServer, prepare_child
from benchmarks.servers.workloads import DIGITS, LARGE, NUMBER, Workload, fresh_numbers

TIMEOUT = 30  # seconds, after which a request counts as an error
FAILURES = ("connect", "read", "write", "status", "timeout")  # what wrk counts

Counts = dict[str, int]  # by name; times are in microseconds
Times = list[tuple[int, int]]  # microseconds, and how many responses took as long

SCRIPT = Path(__file__).with_name("wrk.lua")


def missing() -> str | None:
    """Return why wrk cannot be used, or None."""
    return None if shutil.which("wrk") else "wrk is not installed (Debian: apt-get install wrk)"


def measure(server: RunningServer, workload: Workload, connections: int, seconds: float) -> Sample:
    """Measure one round; return the sample, without its place in the run; raise LoadError."""
    connections = workload.connections(connections)
    used = server.cpu()
    counts, times = run(server, workload, connections, seconds)
    used = server.cpu() - used
    took, requests = counts["duration"] / 1e6, answered(workload, counts)
    failures = {name: counts[name] for name in FAILURES if counts[name]}
    if not (requests or failures):
        failures = {"timeout": connections}
    return Sample(
        *("", workload.name, server.name, 0),
        requests=requests,
        errors=sum(failures.values()),
        failures=failures,
        seconds=took,
        transferred=requests * workload.size if workload.needs == UPLOADS else counts["bytes"],
        latency=histogram(counts, times, connections),
        server_cpu=used / took,
        client_cpu=counts["cpu"] / counts["duration"],
        resident=server.resident(),
        asked=connections,
        established=max(0, connections - counts["connect"]),  # wrk only reports failed connections
        client="wrk",
        shared_core=server.shares_core(),
    )


def answered(workload: Workload, counts: Counts) -> int:
    """Return the number of successful requests; for large files, bytes received / size.

    So few large files are complete at the end of a round that incomplete ones would matter.
    """
    if workload.size >= LARGE and workload.needs != UPLOADS:
        return counts["bytes"] // workload.size if not counts["status"] else 0
    return counts["requests"] - counts["status"] - counts["timeout"]


def run(server: RunningServer, workload: Workload, connections: int, seconds: float) -> tuple[Counts, Times]:
    """Run wrk on the clients' core, and interrupt it after some seconds; return its counts and times."""
    with tempfile.TemporaryDirectory(prefix="benchmark-wrk-") as scratch:
        requests = list(workload.requests(f"{server.host}:{server.port}"))
        for number, request in enumerate(requests, 1):
            (Path(scratch) / str(number)).write_bytes(request)
        options = ["-t1", f"-c{connections}", f"-d{ceil(seconds) + TIMEOUT}s", f"--timeout={TIMEOUT}s"]
        arguments = [scratch, len(requests), NUMBER, fresh_numbers(), DIGITS, workload.depth]
        command = ["wrk", *options, "-s", str(SCRIPT), server.url, "--", *map(str, arguments)]
        output = _run(command, seconds)
    try:
        counts = json.loads(output.splitlines()[-1])
        if not counts["duration"]:
            raise ValueError("duration is 0")
    except (ValueError, LookupError) as error:
        raise LoadError(f"invalid result of wrk ({error}): {' '.join(output.split())}") from None
    return counts, counts.pop("times")


def _run(command: Sequence[str], seconds: float) -> str:
    """Run a command, and interrupt it after some seconds; return its output."""

    def prepare() -> None:
        prepare_child(CLIENT_CORE)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # until wrk handles it

    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        preexec_fn=prepare,
    )
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=seconds)[0]  # an error
        process.send_signal(signal.SIGINT)  # wrk then prints its result
        return process.communicate(timeout=2 * TIMEOUT)[0]
    except subprocess.TimeoutExpired:
        raise LoadError("timeout: wrk did not exit") from None
    finally:
        process.kill()
        process.communicate()


# The result.


def histogram(counts: Counts, times: Times, connections: int) -> Histogram:
    """Return the measured times, without wrk's correction."""
    per_connection = counts["requests"] // connections
    if per_connection:  # otherwise wrk adds none
        times = uncorrected(times, counts["duration"] // per_connection)
    measured = Histogram()
    for microseconds, count in times:
        measured.add(microseconds / 1e6, count)
    return measured


def uncorrected(times: Times, mean: int) -> Times:
    """Revert wrk's stats_correct().

    For each time t of at least twice the mean it adds t - mean, t - 2 mean, and so on while longer than
    the mean. Added times are always shorter than t, so removing them from the longest time downwards leaves
    the measured ones. wrk does not report added times below the shortest measured one. Raises ValueError
    for times without this correction.

    >>> uncorrected([(100, 1), (150, 2), (250, 2), (350, 2)], 100)
    [(100, 1), (350, 2)]
    """
    left = dict(times)
    shortest = min(left, default=0)
    for time in sorted(left, reverse=True):
        count = left[time]
        if time < 2 * mean or not count:
            continue
        for added in range(time - mean, max(mean, shortest - 1), -mean):
            left[added] = left.get(added, 0) - count
            if left[added] < 0:
                raise ValueError(f"missing correction: {added} us")
    return [(time, left[time]) for time in sorted(left) if left[time]]
