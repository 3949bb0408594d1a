"""Send requests to a server on this machine and report rates and response times.

    python -m benchmarks.load 'http://127.0.0.1:4221/echo/abc' --expect abc
    python -m benchmarks.load 'http://127.0.0.1:4221/echo/{n}' --expect '{n}' --rate 5000

This is our own load generator, on reactor's event loop. Unlike wrk, it compares response bodies, also with a
different request each time ({n} is replaced with a new number); it can send at a fixed rate and time each
request from when it was due (--rate); and it can keep thousands of idle connections open and check at the end
whether they are still served (--idle). It uses one core. The parts, in reading order:

    client_group.py   many connections, one thread     round.py       the phases of a round
    responses.py      parsing responses                process.py     running a round in a child process
    clients.py        connections that send requests   transfers.py   downloads and uploads
    pacing.py         when requests are sent           histogram.py   response times
    wrk.py            running wrk
"""

import argparse
import gc
import ipaddress
import json
import socket
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from benchmarks.load.client_group import raise_open_file_limit
from benchmarks.load.histogram import Histogram
from benchmarks.load.round import Job, RequestSpec, Result, Round, make_load
from benchmarks.servers.process import CLIENT_CORE, pin_to_core

SPARE = 32  # file descriptors besides the connections
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "longest": 1.0}


def report(job: Job, spec: RequestSpec, result: Result) -> str:
    """Return the result as text."""
    kind = f"open loop, {job.rate:,.0f} requests/s" if job.rate else "closed loop"
    compared = "bodies not compared" if spec.content is None else f"{result.answers:,} bodies compared"
    rate = result.requests / result.seconds
    lines = [
        f"load       {kind}, {result.established:,} of {job.connections:,} connections, "
        f"{result.seconds:.2f} s",
        f"responses  {rate:,.0f} per second, {result.requests:,} in total, {result.errors:,} errors, "
        f"{compared}",
        f"latency    {percentiles(result.latency)}",
        f"client     {result.client_cpu:.0%} of a core, "
        f"{result.transferred / result.seconds / 1e6:,.0f} MB/s",
    ]
    if job.idle:
        lines.append(
            f"idle       {result.idle_established:,} of {job.idle:,} established, {result.idle_kept:,} kept"
        )
    return "\n".join(lines)


def percentiles(latency: Histogram) -> str:
    """Return percentiles in milliseconds.

    >>> percentiles(Histogram([0.001] * 98 + [0.2] * 2))
    'p50 1.00 ms, p90 1.00 ms, p99 198.47 ms, p99.9 198.47 ms, longest 198.47 ms'
    """
    return ", ".join(f"{name} {latency.percentile(share) * 1e3:.2f} ms" for name, share in SHARES.items())


def _parser() -> argparse.ArgumentParser:
    text, _, _ = (__doc__ or "").partition("The parts, in")
    parser = argparse.ArgumentParser(
        prog="benchmarks.load",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", help="http URL on this machine")
    add("--path", metavar="TARGET", help="request target (default: path and query of the URL)")
    add(
        "--header",
        action="append",
        default=[],
        metavar="LINE",
        help="header line to add to each request; repeatable",
    )
    add("--expect", metavar="TEXT", help="expected response body (default: do not compare)")
    add("--connections", type=int, default=64, metavar="N", help="active connections (default: %(default)s)")
    add("--seconds", type=float, default=2.0, help="duration of the measurement (default: %(default)s)")
    add(
        "--rate",
        type=float,
        default=0.0,
        metavar="R",
        help="send R requests per second (open loop; default: closed loop)",
    )
    add("--depth", type=int, default=1, metavar="N", help="pipelined requests per connection (closed loop)")
    add("--idle", type=int, default=0, metavar="N", help="additional idle connections, each served once")
    add("--json", action="store_true", help="print the result and its histogram as JSON")
    return parser


def _address(parser: argparse.ArgumentParser, url: str) -> tuple[str, int]:
    """Return the address of a URL; exit with an error unless it is local and accepts connections."""
    try:
        parts = urlsplit(url)
        host, port = socket.gethostbyname(parts.hostname or ""), parts.port or 80
        if parts.scheme != "http" or not ipaddress.ip_address(host).is_loopback:
            parser.error(f"unsupported URL: {url} (must be http, on a loopback address)")
        socket.create_connection((host, port), 5).close()
    except (OSError, ValueError) as error:
        parser.error(f"{url}: {error}")
    return host, port


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one round; return 1 if there were errors."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if min(options.seconds, options.connections, options.depth) <= 0 or min(options.rate, options.idle) < 0:
        parser.error("seconds, connections and depth must be greater than 0, rate and idle not negative")
    if options.connections + options.idle + SPARE > (files := raise_open_file_limit()):
        parser.error(f"open-file limit too low: {files:,} (ulimit -n)")
    address = _address(parser, options.url)
    parts = urlsplit(options.url)
    target = options.path or parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    spec = RequestSpec(target, options.expect, options.header)
    job = Job(options.connections, options.seconds, options.rate, options.depth, options.idle)
    pin_to_core(CLIENT_CORE)
    gc.disable()  # requests create no reference cycles, and a collection would delay responses
    try:
        result = Round(make_load(address, spec, job), job).run()
    finally:
        gc.enable()
    print(json.dumps(result.to_json()) if options.json else report(job, spec, result))
    return 1 if result.errors or result.established < job.connections else 0


if __name__ == "__main__":
    sys.exit(main())
