"""How fast does a server on this machine answer? Our own load generator, on our own event loop.

    python -m benchmarks.load 'http://127.0.0.1:4221/echo/abc' --expect abc
    python -m benchmarks.load 'http://127.0.0.1:4221/echo/{n}' --expect '{n}' --rate 5000

It does what wrk does, and what wrk cannot: it compares contents, also when each request is another one
({n} stands for a number that was never used before); it sends at a fixed rate, and counts from when
a request was due (--rate); it holds ten thousand connections, and sees at the end whether they are
still served (--idle). It works on one core, and ends by itself. The parts, in reading order:

    client_group.py   many connections, one thread     round.py       the phases of a round
    responses.py      bytes to responses               process.py     a round in a process of its own
    clients.py        connections that send requests   transfers.py   large files meanwhile
    pacing.py         when requests are sent           histogram.py   response times
    wrk.py            wrk, as a function
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

SPARE = 32  # descriptors that are no connections
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "longest": 1.0}


def report(job: Job, spec: RequestSpec, result: Result) -> str:
    """Return what came of it, for a person to read."""
    kind = f"open loop, {job.rate:,.0f} requests a second" if job.rate else "closed loop"
    compared = "contents not compared" if spec.content is None else f"{result.answers:,} contents compared"
    rate = result.requests / result.seconds
    lines = [
        f"load       {kind}, {result.established:,} of {job.connections:,} connections, "
        f"{result.seconds:.2f} s",
        f"answers    {rate:,.0f} a second, {result.requests:,} in all, {result.errors:,} errors, {compared}",
        f"latency    {percentiles(result.latency)}",
        f"client     {result.client_cpu:.0%} of a core, {result.octets / result.seconds / 1e6:,.1f} MB/s",
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
    add("url", help="http, on this machine; its path is what is asked for")
    add("--path", help="ask for this instead")
    add("--header", action="append", default=[], metavar="LINE", help="a field line; may be repeated")
    add("--expect", metavar="TEXT", help="the content of each answer (default: any)")
    add("--connections", type=int, default=64, metavar="N", help="that ask (default: %(default)s)")
    add("--seconds", type=float, default=2.0, help="how long is measured (default: %(default)s)")
    add("--rate", type=float, default=0.0, metavar="R", help="open loop: requests a second")
    add("--depth", type=int, default=1, metavar="N", help="closed loop: requests sent at once")
    add("--idle", type=int, default=0, metavar="N", help="connections held besides, served once")
    add("--json", action="store_true", help="print the result with its histogram as JSON")
    return parser


def _address(parser: argparse.ArgumentParser, url: str) -> tuple[str, int]:
    """Return where to connect; end with a message when nobody listens there, or it is elsewhere."""
    try:
        parts = urlsplit(url)
        host, port = socket.gethostbyname(parts.hostname or ""), parts.port or 80
        if parts.scheme != "http" or not ipaddress.ip_address(host).is_loopback:
            parser.error("the URL must be http, on this machine")
        socket.create_connection((host, port), 5).close()
    except (OSError, ValueError) as error:
        parser.error(f"{url}: {error}")
    return host, port


def main(arguments: Sequence[str] | None = None) -> int:
    """Load a server; return 1 when there were errors."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if min(options.seconds, options.connections, options.depth) <= 0 or min(options.rate, options.idle) < 0:
        parser.error("numbers must be positive")
    if options.connections + options.idle + SPARE > (files := raise_open_file_limit()):
        parser.error(f"the limit on open files, {files:,}, is too low (ulimit -n)")
    address = _address(parser, options.url)
    parts = urlsplit(options.url)
    target = options.path or parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    spec = RequestSpec(target, options.expect, options.header)
    job = Job(options.connections, options.seconds, options.rate, options.depth, options.idle)
    pin_to_core(CLIENT_CORE)
    gc.disable()  # requests leave no circles, and a collection would count as the server's delay
    try:
        result = Round(make_load(address, spec, job), job).run()
    finally:
        gc.enable()
    print(json.dumps(result.to_json()) if options.json else report(job, spec, result))
    return 1 if result.errors or result.established < job.connections else 0


if __name__ == "__main__":
    sys.exit(main())
