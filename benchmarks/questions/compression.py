"""How many texts of 1,000 bytes does one core compress per second, repeated and different ones?

Requests are GET /echo/{text} with Accept-Encoding: gzip. "gzip same" repeats one text; "gzip different"
sends a new text each time. All servers compress at level 6. Some responses before and after each round
are decompressed and compared. Needs wrk.
"""

from benchmarks.results.samples import Run
from benchmarks.runner import interleaved
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.workloads import COMPRESSED


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all peers to the run."""
    interleaved.measure("compression", COMPRESSED, config, run, show_progress)
