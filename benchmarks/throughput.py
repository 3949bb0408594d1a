"""How many requests a second does one core serve, compared with a loop that does nothing else?

The server runs on one core and wrk on another. The bare loop and the server take turns, round by
round, so that whatever the machine does meanwhile happens to both; what counts is the ratio of each
round, not the absolute figures. Needs wrk (Debian: apt-get install wrk).
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.servers import CLIENT_CORE, pinned, running

FLOOR = ["benchmarks.bare_loop", "0"]
SERVER = ["reactor", "--port", "0", "--no-access-log"]
TARGET = 0.55

BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "DNT: 1",
    "Connection: keep-alive",
    "Upgrade-Insecure-Requests: 1",
    "Cache-Control: max-age=0",
)
WORKLOADS: dict[str, Sequence[str]] = {"hot": (), "browser": BROWSER}


def measure(url: str, seconds: int, connections: int, lines: Sequence[str]) -> float:
    """Return the requests a second that wrk counts; raise SystemExit when any of them failed."""
    fields = [argument for line in lines for argument in ("-H", line)]
    result = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *fields, f"{url}/echo/abc"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: pinned(CLIENT_CORE),
    )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", result.stdout)
    if rate is None or "Non-2xx" in result.stdout or "Socket errors" in result.stdout:
        raise SystemExit(f"wrk saw errors, so this run counts for nothing:\n{result.stdout}{result.stderr}")
    return float(rate[1])


def compare(floor: str, server: str, options: argparse.Namespace, lines: Sequence[str]) -> list[float]:
    """Measure both in turn; print each round and return its ratio."""
    for url in (floor, server):  # not counted: caches fill, memos too
        measure(url, 1, options.connections, lines)
    ratios = []
    for number in range(1, options.rounds + 1):
        fast = measure(floor, options.seconds, options.connections, lines)
        ours = measure(server, options.seconds, options.connections, lines)
        ratios.append(ours / fast)
        print(f"  round {number}: bare loop {fast:8,.0f}/s  reactor {ours:8,.0f}/s  ratio {ratios[-1]:.3f}")
    return ratios


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.throughput", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="of each run (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=64, help="kept alive (default: %(default)s)")
    options = parser.parse_args(arguments)
    if min(options.rounds, options.seconds, options.connections) < 1:
        parser.error("rounds, seconds and connections are at least 1")
    if shutil.which("wrk") is None:
        print("benchmarks.throughput: wrk is not installed (Debian: apt-get install wrk)", file=sys.stderr)
        return 2
    passed = True
    with running(FLOOR) as (floor, _), running(SERVER) as (server, _):
        for name, lines in WORKLOADS.items():
            print(f"{name}: GET /echo/abc, {len(lines) + 1} field lines, {options.connections} connections")
            ratios = sorted(compare(floor, server, options, lines))
            median = statistics.median(ratios)
            passed = passed and median >= TARGET
            verdict = "PASS" if median >= TARGET else "MISSED"
            print(
                f"  median ratio {median:.3f} (from {ratios[0]:.3f} to {ratios[-1]:.3f}), "
                f"target {TARGET}: {verdict}"
            )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
