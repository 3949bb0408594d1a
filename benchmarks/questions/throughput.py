"""How many requests a second does one core serve, compared with other servers and a loop that does nothing?

Small texts: with wrk's own short head, with a browser's, with a head that is new each time, pipelined,
and one a connection; "reactor +log" is this server with its access log. The server runs on one core and
wrk on another. All servers take turns, round by round, so that whatever the machine does
meanwhile happens to all; what counts is the ratio of each round, not the absolute figures. Needs wrk
(Debian: apt-get install wrk); servers that are not installed are left out by name.
"""

from benchmarks.results.samples import Run
from benchmarks.runner import interleaved
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.workloads import SMALL


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all peers to the run."""
    interleaved.measure("throughput", SMALL, config, run, show_progress)
