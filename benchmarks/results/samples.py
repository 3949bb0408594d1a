"""Samples (the result of one round) and runs (all samples), and the results file.

All ratios, targets, tables, charts and comparisons are computed from samples. Rounds of different peers with
the same number were measured right after each other, so noise from the machine hardly affects their ratio.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load.histogram import Histogram

FORMAT = 2
MAYBE_UNKNOWN = ("server_cpu", "client_cpu", "resident")  # NaN in a sample, null in the results file


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
    failures: dict[str, int] = field(default_factory=dict)  # errors by status or reason: {"503": 12}
    seconds: float = 0.0  # duration of the measurement
    transferred: int = 0  # bytes received by the client; for uploads, bytes sent
    latency: Histogram = field(default_factory=Histogram)
    server_cpu: float = math.nan  # NaN: unknown
    client_cpu: float = math.nan
    resident: float = math.nan  # memory of all the server's processes at the end of the round
    asked: int = 0  # connections requested
    established: int = 0  # connections established
    intended: float | None = None  # requests per second scheduled by an open loop
    verified: int | None = None  # responses whose body was compared; None: none
    client: str = ""  # "wrk" or "reactor" (our own client)
    shared_core: bool = False  # whether server and load generator may have run on the same core
    observed: dict[str, float] = field(default_factory=dict)  # what else a question measures, by name

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def cpu_per_request(self) -> float:
        """CPU seconds of the server per request; NaN if unknown."""
        return self.server_cpu / self.rate if self.rate else math.nan


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

    @property
    def rounds(self) -> int:
        """The number of rounds."""
        return max((each.round for each in self.samples), default=0)

    def select(self, **wanted: Any) -> list[Sample]:
        """Return the samples with these attributes, in the order of measuring."""
        return [each for each in self.samples if all(getattr(each, k) == v for k, v in wanted.items())]

    def save(self, path: Path) -> None:
        """Replace a file, at once, by the run as JSON."""
        partial = path.with_name(f"{path.name}.part")
        partial.write_text(json.dumps(to_json(self), indent=1) + "\n")
        partial.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> "Run":
        """Read a run; raise argparse.ArgumentTypeError for an invalid results file."""
        try:
            return from_json(json.loads(Path(path).read_text()))
        except OSError as error:
            reason = f"cannot read results file: {path}: {error.strerror}"
        except KeyError as error:
            reason = f"invalid results file: {path}: missing {error} (expected: written by --json)"
        except (ValueError, TypeError, AttributeError) as error:
            reason = f"invalid results file: {path}: {error} (expected: written by --json)"
        raise argparse.ArgumentTypeError(reason)


def errors_text(samples: Iterable[Sample]) -> str:
    """Return the number of failed requests, and their statuses or reasons.

    >>> errors_text([Sample("files", "hot", "nginx", 1, errors=13, failures={"reset": 1, "503": 12})])
    '13 (503: 12, reset: 1)'
    """
    total, reasons = 0, Counter[str]()
    for each in samples:
        total += each.errors
        reasons.update(each.failures)
    listed = ", ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common())
    return f"{total:,} ({listed})" if listed else f"{total:,}"


def to_json(run: Run) -> dict[str, Any]:
    """Return the run as JSON data."""
    samples = []
    for each in run.samples:
        unknown = {name: None for name in MAYBE_UNKNOWN if math.isnan(getattr(each, name))}
        samples.append({**vars(each), **unknown, "latency": each.latency.to_json()})
    return {
        "format": FORMAT,
        "environment": run.environment,
        "peers": [asdict(peer) for peer in run.peers.values()],
        "skipped": run.skipped,
        "samples": samples,
    }


def from_json(data: dict[str, Any]) -> Run:
    """Return the run from JSON data; raise ValueError for an unsupported format."""
    if data["format"] != FORMAT:
        raise ValueError(f"unsupported format: {data['format']} (supported: {FORMAT}); measure again")
    samples = []
    for each in data["samples"]:
        unknown = {name: math.nan for name in MAYBE_UNKNOWN if each[name] is None}
        samples.append(Sample(**{**each, **unknown, "latency": Histogram.from_json(each["latency"])}))
    peers = {each["name"]: Peer(**each) for each in data["peers"]}
    return Run(data["environment"], peers, data["skipped"], samples)
