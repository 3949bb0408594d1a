"""How many requests per second does one core serve, compared with other servers and with a bare loop?

Small responses: with wrk's short request head, a browser's head, a different head each time, pipelined
requests, and one request per connection. "reactor +log" is this server with its access log. The server runs
on one core and wrk on another. All servers take turns, round by round, so that noise on the machine affects
all of them; what counts is the ratio within a round, not the absolute figures. Needs wrk (Debian: apt-get
install wrk). Servers that are not installed are skipped and listed.
"""

from benchmarks.results.samples import Run
from benchmarks.runner import interleaved
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.workloads import SMALL


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all peers to the run."""
    interleaved.measure("throughput", SMALL, config, run, show_progress)
