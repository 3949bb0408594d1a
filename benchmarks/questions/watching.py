"""What does it cost to watch the loop?

The same small text, by this server as it is (with its access log), and by the same with each of its
ways to be watched: ``--explain`` told to a file, ``--trace`` without a limit and into /dev/null, and
``--inspect`` with nobody looking, which counts for the metrics. "Off" is not measured here, since to a
server that is not watched there is nothing to turn off: the question is then whether two commits differ,
which ``python -m benchmarks compare`` answers. Needs wrk, as the throughput does.
"""

from benchmarks.results.samples import Run
from benchmarks.runner import interleaved
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.workloads import WATCHED


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all ways to be watched to the run."""
    interleaved.measure("watching", (WATCHED,), config, run, show_progress)
