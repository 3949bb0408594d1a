"""How many texts of 1,000 octets a second does one core compress, the same one and different ones?

Each is asked for as /echo/{text} with Accept-Encoding: gzip; "gzip same" is one text again and again,
"gzip different" one that was never asked for before. All compress at level 6. Every answer that is
looked at, before and after each round, is decompressed and compared. Needs wrk.
"""

from benchmarks.results.samples import Run
from benchmarks.runner import interleaved
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.workloads import COMPRESSED


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all peers to the run."""
    interleaved.measure("compression", COMPRESSED, config, run, show_progress)
