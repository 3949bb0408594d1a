"""The attack scenarios, their two scales, and the targets that each outcome must meet."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.attack import attackers
from benchmarks.attack.run import Outcome, Scale, Scenario

P99 = 0.100  # seconds
CPU = 0.05  # of one core
MEMORY = 16 << 20  # octets, more than before the attack
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
LINGER = "--linger-timeout"
SCENARIOS = (
    Scenario(
        "slow-heads",
        "heads that come an octet every two seconds, and never end",
        1000,
        attackers.Slow,
        expected_events={"408": 1},
        timeout_options=("--head-timeout", LINGER),
        interval=2,
        holds_still=True,
    ),
    Scenario(
        "slow-bodies",
        "uploads that come an octet every two seconds, half of them chunked",
        1000,
        attackers.SlowBody,
        expected_events={"408": 1},
        timeout_options=("--content-timeout", LINGER),
        interval=2,
        holds_still=True,
    ),
    Scenario(
        "slow-readers",
        "downloads of which nothing is taken, or 256 octets a second",
        1000,
        attackers.SlowReader,
        expected_events={"reset": 0.5},
        timeout_options=("--stall-timeout",),
        holds_still=True,
    ),
    Scenario(
        "flood",
        "silent connections, five times as many as there are places",
        2000,
        attackers.Silent,
        expected_events={"connected": 2, "closed": 1},
        max_connections=0.2,
    ),
    Scenario(
        "flood-of-heads",
        "five times as many as there are places, each with a head begun",
        2000,
        attackers.HalfHead,
        expected_events={"connected": 2},
        timeout_options=("--head-timeout", LINGER),
        max_connections=0.2,
        holds_still=True,
    ),
    Scenario(
        "descriptors",
        "uploads and downloads held open under ulimit -n 64",
        400,
        attackers.Hoarder,
        expected_events={"connected": 1},
        timeout_options=("--content-timeout", "--stall-timeout", LINGER),
        open_file_limit=64,
        min_attackers=60,
        honest=8,
        expected_log="Too many open files",
        holds_still=True,
    ),
    Scenario(
        "storm",
        "pipelined requests without end, of whose answers none is read",
        20,
        attackers.Storm,
        expected_events={"reset": 1},
        timeout_options=("--stall-timeout",),
        min_attackers=2,
    ),
    Scenario(
        "header-bombs",
        "heads too long in every way, and valid ones never seen before",
        40,
        attackers.HeaderBomb,
        expected_events={"200": 0.5, "400": 0.16, "414": 0.16, "431": 0.5},
        min_attackers=6,
    ),
    Scenario(
        "chunk-bombs",
        "chunked content too long in every way, and cut into single octets",
        40,
        attackers.ChunkBomb,
        expected_events={"201": 0.33, "400": 0.33, "413": 0.16, "431": 0.16},
        min_attackers=6,
    ),
    Scenario(
        "idle",
        "connections that say nothing, or nothing more",
        10_000,
        attackers.Idle,
        expected_events={"connected": 1, "200": 0.5},
        arrival_seconds=2.5,
        forbidden_events=("closed", "reset"),
        holds_still=True,
    ),
)


class Target(NamedTuple):
    """One target, and what was measured."""

    name: str
    met: bool
    measured: str


def percentile(times: Sequence[float], share: float) -> float:
    """Return a percentile of sorted times, in milliseconds."""
    return times[min(len(times) - 1, int(len(times) * share))] * 1e3 if times else float("nan")


def targets(scenario: Scenario, outcome: Outcome) -> Iterator[Target]:
    """Compare what came of an attack with what should."""
    p99 = percentile(outcome.times, 0.99)
    cpu, files = outcome.cpu, outcome.descriptors
    kept = outcome.resident["after"] - outcome.resident["before"]
    yield Target("attack took effect", outcome.reached, "yes" if outcome.reached else "no")
    yield Target("no errors", outcome.errors == 0, f"{outcome.errors}")
    yield Target("connections kept", outcome.kept == outcome.honest, f"{outcome.kept} of {outcome.honest}")
    yield Target("p99 under 100 ms", p99 < P99 * 1e3, f"{p99:.2f} ms")
    yield Target("attacked and idle under 5 %", cpu["quiet"] < CPU, f"{cpu['quiet']:.1%}")
    yield Target("idle afterwards under 5 %", cpu["after"] < CPU, f"{cpu['after']:.1%}")
    yield Target("memory back within 16 MiB", kept < MEMORY, f"{kept / MIB:+.1f} MiB")
    yield Target(
        "descriptors back", files["after"] == files["before"], f"{files['after'] - files['before']:+}"
    )
    yield Target("nothing left on the disk", not outcome.leftovers, f"{len(outcome.leftovers)} files")
    if outcome.max_connections:  # and one more, for as long as it takes to close another in its favour
        held = files["attack"] - files["before"] + outcome.honest
        limit = outcome.max_connections
        yield Target(f"at most {limit} held", held <= limit + 1, f"{held}")
    for what in scenario.forbidden_events:
        times = outcome.events.get(what, 0)
        yield Target(f"nobody was {what}", times == 0, f"{times}")
    wrong = outcome.events.get("wrong answers", 0) + outcome.events.get("no answer", 0)
    yield Target("attackers answered as they should", wrong == 0, f"{wrong} wrong")
    yield Target("no crash, no traceback", outcome.survived, f"exit code {outcome.exit_code}")
