"""What do 100, 1,000 and 10,000 idle connections cost, in memory and in the latency of 64 active ones?

Each idle connection has been served once and is kept open by our own load generator, while wrk (or our
own client, if wrk is not installed) sends requests on 64 others. At the end of a round each idle connection
sends another request; those without a response are lost and count as errors. Each round restarts each
server and measures all sizes in ascending order, so that its memory reflects the present connections and
the sizes are measured right after each other. The server has one core, the clients another.
"""

from dataclasses import replace

from benchmarks.load import process, wrk
from benchmarks.load.round import Job
from benchmarks.questions.concurrency import possible
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Config, ShowProgress, select_peers
from benchmarks.runner.interleaved import Rounds
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import RunningServer, run_server
from benchmarks.servers.verify import verify
from benchmarks.servers.workloads import HOT

QUESTION = "idle"
SIZES = (0, 100, 1000, 10_000)
QUICK_SIZES = (0, 100)
DEFAULT_PEERS = ("bare loop", "reactor", "nginx", "uvicorn", "granian")
WARM_UP = 0.3  # seconds


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add the samples of all sizes to the run."""
    selected = select_peers(config, DEFAULT_PEERS)
    sizes = possible(QUICK_SIZES if config.quick else SIZES, run)
    rounds = Rounds(run, selected.rounds, "with idle connections")
    for number, name in rounds.in_order(selected.peers):
        with rounds.skip_on_error(name), run_server(PEERS[name]) as server:
            run.peers[name] = server.peer
            measure_active(server, selected, WARM_UP, number)
            for size in sizes:
                show_progress(f"{size:,} idle connections, round {number} of {rounds.count}: {name}")
                run.samples.append(measure_size(size, server, selected, number))


def measure_size(size: int, server: RunningServer, config: Config, number: int) -> Sample:
    """Measure with ``size`` idle connections; those not served at the end count as errors."""
    if not size:
        return replace(measure_active(server, config, config.seconds, number), x=0.0)
    with process.hold_idle(server.address, size) as held:
        sample = measure_active(server, config, config.seconds, number)
    return replace(sample, x=float(size), errors=sample.errors + size - held.kept)


def measure_active(server: RunningServer, config: Config, seconds: float, number: int) -> Sample:
    """Measure the active connections; with wrk, compare some responses afterwards."""
    if wrk.missing() is None:
        sample = wrk.measure(server, HOT, config.connections, seconds, number, QUESTION)
        return replace(sample, verified=verify(server, PEERS[server.name], HOT))
    return process.measure(server, Job(config.connections, seconds), QUESTION, HOT.name, number)
