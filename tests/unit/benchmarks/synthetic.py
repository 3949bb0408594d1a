"""A synthetic run with plausible, reproducible figures, for tests and for viewing a report.

``python -m tests.unit.benchmarks.synthetic FILE`` writes it as a results file.
"""

import math
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Peer, Run, Sample
from benchmarks.results.statistics import Cell

Change = Mapping[str, Any] | Callable[[Sample], Mapping[str, Any]] | None  # attributes to change

# Requests per second on the workload "hot".
HOT: Mapping[str, float] = {
    "bare loop": 61_000,
    "reactor": 43_500,
    "reactor +log": 36_500,
    "nginx": 58_000,
    "bjoern": 41_000,
    "uvicorn": 12_400,
    "granian": 19_500,
    "gunicorn": 3_900,
    "waitress": 5_200,
    "aiohttp": 9_800,
    "tornado": 4_400,
}
THROUGHPUT = {"hot": 1.0, "browser": 0.93, "varied": 0.7, "varied 3": 0.6}
THROUGHPUT |= {"pipelined": 2.6, "pipelined varied": 1.1, "new connection": 0.3}
COMPRESSION = {"gzip same": 0.45, "gzip different": 0.4}
FILES = {
    "file 4 KiB": 0.55,
    "file 64 KiB": 0.4,
    "file 1 MiB": 0.1,
    "file 100 MiB": 0.001,
    "upload 4 KiB": 0.3,
    "upload 1 MiB": 0.03,
}
SIZES = {"file 100 MiB": 100 << 20, "upload 1 MiB": 1 << 20}
WATCHING = {"reactor": 1.2, "reactor +log": 1.0, "explained": 0.4, "traced": 0.5, "inspected": 0.8}
CONNECTIONS = {1: 0.3, 8: 0.9, 64: 1.0, 512: 0.95, 4096: 0.8, 10_000: 0.7}  # with relative speeds
IDLE = (0, 100, 1000, 10_000)
IDLE_SIZES = {  # without and per idle connection
    "reactor": (27 << 20, 1300),
    "nginx": (9 << 20, 700),
    "bjoern": (22 << 20, 1500),
    "uvicorn": (38 << 20, 9000),
    "granian": (45 << 20, 2600),
}
SHARES = (0.5, 0.7, 0.9)
SITUATIONS = {"alone": 1.0, "during downloads": 3.0, "during uploads": 2.2, "during both": 4.5}
OBSERVED = {
    "p99 before": 0.002,
    "CPU idle": 0.01,
    "CPU after": 0.0,
    "memory kept": 3 << 20,
    "RSS before": 26 << 20,
    "RSS during": 31 << 20,
    "RSS after": 29 << 20,
    "descriptors": 1000.0,
    "descriptors kept": 0.0,
}
SCENARIOS = {"slow-heads": 0.003, "pipelines": 0.006, "compressions": 0.006, "listings": 0.006}
SCENARIOS |= {"storm": 0.05, "header-bombs": 0.12}


class Maker:
    """Creates samples with reproducible noise."""

    def __init__(self, rounds: int, detail: int) -> None:
        self.rounds, self._detail = rounds, detail
        self._random = random.Random(4)
        self._normal = [NormalDist().inv_cdf((each + 0.5) / detail) for each in range(detail)]
        self._machine = {number: self._random.uniform(0.85, 1.05) for number in range(1, rounds + 1)}

    def sample(self, cell: Cell, peer: str, round: int, rate: float, connections: int) -> Sample:
        """Return a closed-loop sample for which Little's law holds."""
        rate *= self._machine[round] * self._random.uniform(0.97, 1.03)
        mean = connections / rate
        latency = self.times(mean, 2.0 * rate)
        seconds = latency.count * mean / connections
        return Sample(
            question=cell.question,
            workload=cell.workload,
            peer=peer,
            round=round,
            requests=latency.count,
            seconds=seconds,
            transferred=latency.count * SIZES.get(cell.workload, 150),
            latency=latency,
            server_cpu=self._random.uniform(0.96, 1.0),
            client_cpu=min(0.9, rate / 90_000),
            resident=26 << 20,
            asked=connections,
            established=connections,
            verified=8,
            client="wrk",
        )

    def times(self, mean: float, count: float = 5000) -> Histogram:
        """Return times scattered around a mean, with a long tail."""
        tail = self._random.uniform(0.04, 0.05)
        times = [math.exp(0.25 * z + tail * max(z, 0.0) ** 2.5) for z in self._normal]
        factor = mean * self._detail / sum(times)
        histogram = Histogram()
        for time in times:
            histogram.add(time * factor, max(1, round(count / self._detail)))
        return histogram


def make_run(rounds: int = 7, detail: int = 200) -> Run:
    """Return a complete run; ``detail`` is the number of times in each histogram."""
    maker = Maker(rounds, detail)
    run = Run(dict(ENVIRONMENT))
    command = "/usr/bin/python3 -m {} --port 4000"
    run.peers = {name: Peer(name, f"{name} 1.0", command.format(name)) for name in (*HOT, *WATCHING)}
    run.skipped = {"waitress: file 1 MiB": "wrong body at byte 1,024"}

    def add(cell: Cell, rates: Mapping[str, float], change: Change = None, connections: int = 64) -> None:
        """Add all rounds; ``change`` says that our own client measured, and what else to change."""
        for number in range(1, (1 if cell.question == "attack" else rounds) + 1):
            for peer, rate in rates.items():
                sample = replace(maker.sample(cell, peer, number, rate, connections), x=cell.x)
                if change is not None:
                    changes = change(sample) if callable(change) else change
                    sample = replace(sample, client="reactor", **changes)
                run.samples.append(sample)

    for question, workloads in (("throughput", THROUGHPUT), ("compression", COMPRESSION), ("files", FILES)):
        for workload, factor in workloads.items():
            left_out = {"bare loop": question != "throughput", "reactor +log": workload != "hot"}
            rates = {peer: rate * factor * _lean(workload, peer) for peer, rate in HOT.items()}
            add(Cell(question, workload), {peer: rates[peer] for peer in rates if not left_out.get(peer)})
    add(Cell("watching", "watched"), {peer: HOT["reactor +log"] * cost for peer, cost in WATCHING.items()})
    for size, strength in CONNECTIONS.items():
        several = ("bare loop", "reactor", "nginx", "bjoern", "uvicorn", "granian", "aiohttp")
        add(Cell("concurrency", "hot", size), {peer: HOT[peer] * strength for peer in several}, {}, size)
    for share in SHARES:

        def due(sample: Sample, share: float = share) -> dict[str, Any]:
            times = maker.times(0.4 / HOT[sample.peer] / (1 - share))
            return {"intended": HOT[sample.peer] * share, "latency": times}

        add(Cell("latency", "hot", share), {peer: HOT[peer] * share for peer in IDLE_SIZES}, due)
    for idle in IDLE:
        add(Cell("idle", "hot", idle), {peer: HOT[peer] * (1 - idle / 150_000) for peer in IDLE_SIZES}, _idle)
    for situation, factor in SITUATIONS.items():
        rates = {"reactor": 9000.0 / factor, "nginx": 11_000.0 / factor, "uvicorn": 3500.0 / factor}
        add(Cell("fairness", situation), rates, {}, 8)
    for name, mean in SCENARIOS.items():
        attacked = {"latency": maker.times(mean), "intended": 500.0, "observed": OBSERVED}
        add(Cell("attack", name), {"reactor": 500.0}, attacked, 50)
    add(Cell("throughput", "agreement"), {"nginx": 20_000.0})
    add(Cell("throughput", "agreement"), {"nginx": 19_400.0}, {})
    return run


def _lean(workload: str, peer: str) -> float:
    """Return the relative speed of a peer with a workload."""
    if workload == "pipelined" and peer not in ("reactor", "bare loop"):
        return 0.35
    return 1.25 if workload.startswith("file") and peer == "nginx" else 1.0


def _idle(sample: Sample) -> dict[str, Any]:
    base, each = IDLE_SIZES[sample.peer]
    return {"resident": base + (sample.x or 0) * each + 4096 * sample.round}


ENVIRONMENT = {
    "python": "3.11.7",
    "implementation": "CPython",
    "platform": "Linux-6.1-x86_64",
    "kernel": "Linux 6.1",
    "cpu": "Example CPU at 3 GHz",
    "cores": 2,
    "load": 0.12,
    "commit": "abc1234",
    "dirty": False,
    "started": "2026-11-24T14:00:00Z",
    "wrk": "wrk 4.1.0",
    "command": "python -m benchmarks",
    "seed": 7,
}


if __name__ == "__main__":
    make_run(detail=6000).save(Path(sys.argv[1]))
