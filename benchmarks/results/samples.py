"""What was measured: one sample a round, and the file that holds all samples of a run.

Everything that is shown (ratios, targets, tables, charts, comparisons) is worked out from samples,
so that there is one thing to measure and one to trust:

    a Sample is one round of one workload against one server (a peer), at one place on the axis
    of its question; a Run is all of them, with where and how they were measured

Rounds of different peers with one number were measured right after each other: their ratio is what
counts, since whatever the machine did meanwhile happened to both. This module measures nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load.histogram import Histogram

FORMAT = 1


@dataclass(frozen=True)
class Sample:
    """One round. Times are in seconds, sizes in octets, processors in cores (1.0 is one core, busy)."""

    question: str  # the script: "throughput", "concurrency", "latency", "idle", ...
    workload: str  # "hot", "browser", "file 4 KiB", ...
    peer: str  # "reactor", "bare loop", "nginx", ...; "reactor +log" is reactor with its access log
    round: int  # from 1
    x: float | None = None  # the place on the question's axis: connections, share of capacity, idle ones
    requests: int = 0  # answered, and right
    errors: int = 0  # everything else: wrong status, wrong content, refused, reset, timed out
    seconds: float = 0.0  # how long was measured
    octets: int = 0  # received by the client, or sent by it where the question is about uploads
    latency: Histogram = field(default_factory=Histogram)
    server_cpu: float = 0.0
    client_cpu: float = 0.0
    resident: int = 0  # of the server, at the end of the round, with all its processes
    asked: int = 0  # connections that the client wanted
    established: int = 0  # connections that it had
    intended: float | None = None  # requests a second that an open-loop client meant to send
    verified: int | None = None  # answers whose content was compared octet by octet; None: none were
    client: str = ""  # "wrk" or "reactor" (our own client)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Peer:
    """One server that was measured: what it said of its version, and the command that started it."""

    name: str
    version: str
    command: str


@dataclass
class Run:
    """All samples of a run, and what they were measured on."""

    environment: dict[str, Any] = field(default_factory=dict)  # python, machine, kernel, commit, started ...
    peers: dict[str, Peer] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # what was not measured, by name, and why
    samples: list[Sample] = field(default_factory=list)

    def select(self, **wanted: Any) -> list[Sample]:
        """Return the samples with these values, in the order of measuring."""
        return [each for each in self.samples if all(getattr(each, k) == v for k, v in wanted.items())]

    def save(self, path: Path) -> None:
        """Write the run as JSON."""
        path.write_text(json.dumps(to_json(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Run":
        """Read a run; raise ValueError for a file that holds none."""
        try:
            return from_json(json.loads(path.read_text()))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} holds no results of a run: {error}") from None


def to_json(run: Run) -> dict[str, Any]:
    """Return what ``save`` writes."""
    return {
        "format": FORMAT,
        "environment": run.environment,
        "peers": [asdict(peer) for peer in run.peers.values()],
        "skipped": run.skipped,
        "samples": [{**_plain(each), "latency": each.latency.to_json()} for each in run.samples],
    }


def from_json(data: dict[str, Any]) -> Run:
    """Make a run again from what ``save`` wrote; raise ValueError for another format."""
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']} is not {FORMAT}")
    samples = [
        Sample(**{**each, "latency": Histogram.from_json(each["latency"])}) for each in data["samples"]
    ]
    peers = {each["name"]: Peer(**each) for each in data["peers"]}
    return Run(data["environment"], peers, data["skipped"], samples)


def _plain(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in sample.__dataclass_fields__}


def by_round(samples: Iterable[Sample]) -> dict[int, Sample]:
    """Return samples by the number of their round."""
    return {each.round: each for each in samples}
