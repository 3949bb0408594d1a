"""Samples (the result of one round) and runs (all samples), and the results file.

All ratios, targets, tables, charts and comparisons are computed from samples:

    Sample  one round of one workload against one server (a peer), at one point on the question's axis
    Run     all samples, and the environment in which they were measured

Rounds of different peers with the same number were measured right after each other, so their ratio is
largely free of noise from the machine.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load.histogram import Histogram

FORMAT = 2


@dataclass(frozen=True)
class Sample:
    """One round. Times are in seconds, sizes in bytes, CPU usage in cores (1.0: one busy core)."""

    question: str  # "throughput", "concurrency", "latency", "idle", ...
    workload: str  # "hot", "browser", "file 4 KiB", ...
    peer: str  # "reactor", "bare loop", "nginx", ...; "reactor +log" is reactor with its access log
    round: int  # from 1
    x: float | None = None  # point on the question's axis: connections, share of capacity, idle connections
    requests: int = 0  # with a correct response
    errors: int = 0  # wrong status, wrong body, connection refused or reset, timeout
    failures: dict[str, int] = field(
        default_factory=dict
    )  # errors by status or reason: {"503": 12, "reset": 3}
    seconds: float = 0.0  # duration of the measurement
    transferred: int = 0  # bytes received by the client; for uploads, bytes sent
    latency: Histogram = field(default_factory=Histogram)
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    resident: int = 0  # memory of all the server's processes at the end of the round
    asked: int = 0  # connections requested
    established: int = 0  # connections established
    intended: float | None = None  # requests per second scheduled by an open loop
    verified: int | None = None  # responses whose body was compared; None: none
    client: str = ""  # "wrk" or "reactor" (our own client)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Peer:
    """A measured server: its version, and the command that started it."""

    name: str
    version: str
    command: str


@dataclass
class Run:
    """All samples of a run, and their environment."""

    environment: dict[str, Any] = field(default_factory=dict)  # python, machine, kernel, commit, started ...
    peers: dict[str, Peer] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # what was not measured, and why
    samples: list[Sample] = field(default_factory=list)

    def select(self, **wanted: Any) -> list[Sample]:
        """Return the samples with these attributes, in the order of measuring."""
        return [each for each in self.samples if all(getattr(each, k) == v for k, v in wanted.items())]

    def save(self, path: Path) -> None:
        """Write the run as JSON."""
        path.write_text(json.dumps(to_json(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Run":
        """Read a run; raise ValueError for an invalid results file."""
        try:
            return from_json(json.loads(path.read_text()))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"invalid results file: {path}: {error}") from None


def to_json(run: Run) -> dict[str, Any]:
    """Return the run as JSON data."""
    return {
        "format": FORMAT,
        "environment": run.environment,
        "peers": [asdict(peer) for peer in run.peers.values()],
        "skipped": run.skipped,
        "samples": [{**_plain(each), "latency": each.latency.to_json()} for each in run.samples],
    }


def from_json(data: dict[str, Any]) -> Run:
    """Return the run from JSON data; raise ValueError for an unsupported format."""
    if data["format"] != FORMAT:
        raise ValueError(f"unsupported format: {data['format']} (expected {FORMAT})")
    samples = [
        Sample(**{**each, "latency": Histogram.from_json(each["latency"])}) for each in data["samples"]
    ]
    peers = {each["name"]: Peer(**each) for each in data["peers"]}
    return Run(data["environment"], peers, data["skipped"], samples)


def _plain(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in sample.__dataclass_fields__}


def by_round(samples: Iterable[Sample]) -> dict[int, Sample]:
    """Return samples by round."""
    return {each.round: each for each in samples}
