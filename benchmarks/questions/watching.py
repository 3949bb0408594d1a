"""What do --explain, --trace and --inspect cost?

One small response, served with the access log, and with each of these in addition: ``--explain`` writing
to a file, ``--trace`` without a limit into /dev/null, and ``--inspect`` without an open page, which still
collects metrics. The cost of having these options, unused, is a comparison of two commits: use
``python -m benchmarks compare``. Needs wrk.
"""

from benchmarks.results.samples import Run
from benchmarks.runner import interleaved
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.workloads import WATCHED


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all observe options to the run."""
    interleaved.measure("watching", (WATCHED,), config, run, show_progress)
