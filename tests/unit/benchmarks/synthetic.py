"""A synthetic run with plausible, reproducible figures, for tests and for viewing a report.

``python -m tests.unit.benchmarks.synthetic FILE`` writes it as a results file.
"""

import math
import random
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Peer, Run, Sample

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
    "http.server": 2_100,
}
THROUGHPUT = {"hot": 1.0, "browser": 0.93, "varied": 0.7, "pipelined": 2.6, "new connection": 0.3}
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
ONLY_TEXTS = ("bare loop", "reactor +log")
CONNECTIONS = (1, 8, 64, 512, 4096, 10_000)
IDLE = (0, 100, 1000, 10_000)
SHARES = (0.5, 0.7, 0.9)
SITUATIONS = {"alone": 1.0, "during downloads": 3.0, "during uploads": 2.2, "during both": 4.5}
SCENARIOS = {"slow-heads": 0.003, "slow-bodies": 0.006, "storm": 0.05, "header-bombs": 0.12}


class Maker:
    """Creates samples with reproducible noise."""

    def __init__(self, rounds: int, detail: int) -> None:
        self.rounds, self._detail = rounds, detail
        self._random = random.Random(4)
        self._normal = [NormalDist().inv_cdf((each + 0.5) / detail) for each in range(detail)]
        self._machine = {number: self._random.uniform(0.85, 1.05) for number in range(1, rounds + 1)}

    def sample(
        self, question: str, workload: str, peer: str, round: int, rate: float, connections: int = 64
    ) -> Sample:
        """Return a closed-loop sample for which Little's law holds."""
        rate *= self._machine[round] * self._random.uniform(0.97, 1.03)
        mean = connections / rate
        latency = self.times(mean, 2.0 * rate)
        seconds = latency.count * mean / connections
        return Sample(
            question=question,
            workload=workload,
            peer=peer,
            round=round,
            requests=latency.count,
            seconds=seconds,
            transferred=latency.count * SIZES.get(workload, 150),
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
    for question, workloads in (("throughput", THROUGHPUT), ("compression", COMPRESSION), ("files", FILES)):
        for workload, factor in workloads.items():
            run.samples += _comparison(maker, question, workload, factor)
    for peer, cost in WATCHING.items():
        run.samples += [
            maker.sample("watching", "watched", peer, number, HOT["reactor +log"] * cost)
            for number in range(1, maker.rounds + 1)
        ]
    run.samples += _concurrency(maker) + _latency(maker) + _idle(maker) + _fairness(maker)
    run.samples += _attack(maker) + _agreement(maker)
    return run


def _comparison(maker: Maker, question: str, workload: str, factor: float) -> list[Sample]:
    peers = HOT if question == "throughput" else {k: v for k, v in HOT.items() if k not in ONLY_TEXTS}
    if workload == "hot":
        peers = dict(HOT)
    else:
        peers = {name: rate for name, rate in peers.items() if name != "reactor +log"}
    return [
        maker.sample(question, workload, peer, number, rate * factor * _lean(workload, peer))
        for number in range(1, maker.rounds + 1)
        for peer, rate in peers.items()
    ]


def _lean(workload: str, peer: str) -> float:
    """Return the relative speed of a peer with a workload."""
    if workload == "pipelined" and peer not in ("reactor", "bare loop"):
        return 0.35
    return 1.25 if workload.startswith("file") and peer == "nginx" else 1.0


def _concurrency(maker: Maker) -> list[Sample]:
    return [
        replace(
            maker.sample("concurrency", "hot", peer, number, HOT[peer] * strength, connections),
            x=float(connections),
            client="reactor",
        )
        for connections, strength in zip(CONNECTIONS, (0.3, 0.9, 1.0, 0.95, 0.8, 0.7), strict=True)
        for number in range(1, maker.rounds + 1)
        for peer in ("bare loop", "reactor", "nginx", "bjoern", "uvicorn", "granian", "aiohttp")
    ]


def _latency(maker: Maker) -> list[Sample]:
    samples = []
    for share in SHARES:
        for number in range(1, maker.rounds + 1):
            for peer in ("reactor", "nginx", "bjoern", "uvicorn", "granian"):
                rate = HOT[peer] * share
                made = maker.sample("latency", "hot", peer, number, rate)
                times = maker.times(0.4 / HOT[peer] / (1 - share))
                samples.append(replace(made, x=share, intended=rate, latency=times, client="reactor"))
    return samples


def _idle(maker: Maker) -> list[Sample]:
    each = {"reactor": 1300, "nginx": 700, "uvicorn": 9000, "granian": 2600, "bjoern": 1500}
    base = {"reactor": 27 << 20, "nginx": 9 << 20, "uvicorn": 38 << 20, "granian": 45 << 20}
    samples = []
    for idle in IDLE:
        for number in range(1, maker.rounds + 1):
            for peer, size in each.items():
                made = maker.sample("idle", "hot", peer, number, HOT[peer] * (1 - idle / 150_000))
                resident = base.get(peer, 22 << 20) + idle * size + 4096 * number
                samples.append(replace(made, x=float(idle), resident=resident, client="reactor"))
    return samples


def _fairness(maker: Maker) -> list[Sample]:
    return [
        replace(
            maker.sample("fairness", situation, peer, number, rate / factor, 8),
            client="reactor",
        )
        for situation, factor in SITUATIONS.items()
        for number in range(1, maker.rounds + 1)
        for peer, rate in (("reactor", 9000.0), ("nginx", 11_000.0), ("uvicorn", 3500.0))
    ]


def _attack(maker: Maker) -> list[Sample]:
    return [
        replace(
            maker.sample("attack", name, "reactor", 1, 500, 50),
            latency=maker.times(mean),
            intended=500.0,
            client="reactor",
        )
        for name, mean in SCENARIOS.items()
    ]


def _agreement(maker: Maker) -> list[Sample]:
    return [
        replace(maker.sample("throughput", "agreement", "nginx", number, rate), client=client)
        for number in range(1, maker.rounds + 1)
        for client, rate in (("wrk", 20_000.0), ("reactor", 19_400.0))
    ]


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
}


if __name__ == "__main__":
    make_run(detail=6000).save(Path(sys.argv[1]))
