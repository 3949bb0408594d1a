"""The attack scenarios, two scales, and the targets of each outcome."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.attack import attackers
from benchmarks.attack.run import Outcome, Scale, Scenario

P99 = 0.100  # seconds
CPU = 0.05  # of one core
MEMORY = 16 << 20  # bytes, more than before the attack
MIB = 1 << 20

FULL = Scale(
    share=1,
    honest=50,
    interval=0.1,
    before=1,
    attack=6,
    quiet=2,
    after=1.5,
    timeout=5,
    interval_factor=1,
    max_wait=20,
)
SMALL = Scale(
    share=0.05,
    honest=10,
    interval=0.05,
    before=0.1,
    attack=0.4,
    quiet=0.4,
    after=0.4,
    timeout=0.8,
    interval_factor=0.2,
    max_wait=4,
)
LINGER = "REACTOR_LINGER_TIMEOUT"
SCENARIOS = (
    Scenario(
        "slow-heads",
        "endless heads, one byte every two seconds",
        1000,
        attackers.Slow,
        expected_events={"408": 1},
        timeouts=("REACTOR_HEAD_TIMEOUT", LINGER),
        interval=2,
        holds_still=True,
    ),
    Scenario(
        "slow-bodies",
        "uploads, one byte every two seconds, half of them chunked",
        1000,
        attackers.SlowBody,
        expected_events={"408": 1},
        timeouts=("REACTOR_CONTENT_TIMEOUT", LINGER),
        interval=2,
        holds_still=True,
    ),
    Scenario(
        "slow-readers",
        "downloads that read nothing, or 256 bytes per second",
        1000,
        attackers.SlowReader,
        expected_events={"reset": 0.5},
        timeouts=("REACTOR_STALL_TIMEOUT",),
        holds_still=True,
    ),
    Scenario(
        "flood",
        "silent connections, five times the connection limit",
        2000,
        attackers.Silent,
        expected_events={"connected": 2, "closed": 1},
        max_connections=0.2,
    ),
    Scenario(
        "flood-of-heads",
        "connections with an incomplete head, five times the connection limit",
        2000,
        attackers.HalfHead,
        expected_events={"connected": 2},
        timeouts=("REACTOR_HEAD_TIMEOUT", LINGER),
        max_connections=0.2,
        holds_still=True,
    ),
    Scenario(
        "descriptors",
        "stalled uploads and downloads, with ulimit -n 64",
        400,
        attackers.Hoarder,
        expected_events={"connected": 1},
        timeouts=("REACTOR_CONTENT_TIMEOUT", "REACTOR_STALL_TIMEOUT", LINGER),
        open_file_limit=64,
        min_attackers=60,
        honest=8,
        expected_log="Too many open files",
        holds_still=True,
    ),
    Scenario(
        "storm",
        "endless pipelined requests, responses never read",
        20,
        attackers.Storm,
        expected_events={"reset": 1},
        timeouts=("REACTOR_STALL_TIMEOUT",),
        min_attackers=2,
    ),
    Scenario(
        "header-bombs",
        "oversized heads, and valid ones that no cache contains",
        40,
        attackers.HeaderBomb,
        expected_events={"200": 0.5, "400": 0.16, "414": 0.16, "431": 0.5},
        min_attackers=6,
    ),
    Scenario(
        "chunk-bombs",
        "oversized chunked bodies, and chunks of one byte",
        40,
        attackers.ChunkBomb,
        expected_events={"201": 0.33, "400": 0.33, "413": 0.16, "431": 0.16},
        min_attackers=6,
    ),
    Scenario(
        "idle",
        "idle connections, half of them after one request",
        10_000,
        attackers.Idle,
        expected_events={"connected": 1, "200": 0.5},
        arrival_seconds=2.5,
        forbidden_events=("closed", "reset"),
        holds_still=True,
    ),
)


class Target(NamedTuple):
    """One target, and the measured value."""

    name: str
    met: bool
    measured: str


def percentile(times: Sequence[float], share: float) -> float:
    """Return a percentile of sorted times, in milliseconds."""
    return times[min(len(times) - 1, int(len(times) * share))] * 1e3 if times else float("nan")


def targets(scenario: Scenario, outcome: Outcome) -> Iterator[Target]:
    """Yield the targets of an outcome."""
    p99 = percentile(outcome.times, 0.99)
    cpu, files = outcome.cpu, outcome.descriptors
    kept = outcome.resident["after"] - outcome.resident["before"]
    yield Target("attack took effect", outcome.reached, "yes" if outcome.reached else "no")
    yield Target("no errors", outcome.errors == 0, f"{outcome.errors}")
    yield Target("connections kept", outcome.kept == outcome.honest, f"{outcome.kept} of {outcome.honest}")
    yield Target("p99 under 100 ms", p99 < P99 * 1e3, f"{p99:.2f} ms")
    yield Target("CPU attacked but otherwise idle under 5 %", cpu["quiet"] < CPU, f"{cpu['quiet']:.1%}")
    yield Target("CPU after the attack under 5 %", cpu["after"] < CPU, f"{cpu['after']:.1%}")
    yield Target("memory after the attack within 16 MiB", kept < MEMORY, f"{kept / MIB:+.1f} MiB")
    yield Target(
        "descriptors after the attack as before",
        files["after"] == files["before"],
        f"{files['after'] - files['before']:+}",
    )
    yield Target("no leftover files", not outcome.leftovers, f"{len(outcome.leftovers)} files")
    if outcome.max_connections:  # one more is open while another is closed in its favour
        held = files["attack"] - files["before"] + outcome.honest
        limit = outcome.max_connections
        yield Target(f"at most {limit} connections", held <= limit + 1, f"{held}")
    for what in scenario.forbidden_events:
        times = outcome.events.get(what, 0)
        yield Target(f"no attacker {what}", times == 0, f"{times}")
    wrong = outcome.events.get("wrong responses", 0) + outcome.events.get("no response", 0)
    yield Target("expected responses to attackers", wrong == 0, f"{wrong} wrong")
    yield Target("no crash, no traceback", outcome.survived, f"exit code {outcome.exit_code}")
