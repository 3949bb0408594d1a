"""How long do honest requests take while others attack the server?

This is ``benchmarks.attack``, as samples. Each scenario is one round against reactor alone: the
times are those of the honest clients during the attack, from when each request was due. Which
targets of the attack were missed is noted in the run's environment, as "attack";
``python -m benchmarks.attack`` prints all that was seen.
"""

import os
import tempfile
from pathlib import Path

from benchmarks.attack.run import Outcome, Scale, Scenario, Siege
from benchmarks.attack.scenarios import FULL, SCENARIOS, SMALL, targets
from benchmarks.load.client_group import raise_limit
from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Plan, Say
from benchmarks.servers.process import CLIENT_CORE, pinned

QUESTION = "attack"
ROOM = 1.2  # descriptors for each attacker


def measure(plan: Plan, run: Run, say: Say) -> None:
    """Add a sample of each scenario to the run."""
    scale = SMALL if plan.quick else FULL
    files = raise_limit()
    for scenario in SCENARIOS:
        if plan.workloads and scenario.name not in plan.workloads:
            continue
        if scenario.attackers * scale.share * ROOM > files:
            run.skipped[f"attack: {scenario.name}"] = f"the limit on open files, {files:,}, is too low"
            continue
        say(f"{scenario.name}: {round(scenario.attackers * scale.share):,} x {scenario.what}")
        outcome = besiege(scenario, scale)
        run.samples.append(sample(scenario, scale, outcome))
        missed = [f"{each.name}: {each.measured}" for each in targets(scenario, outcome) if not each.met]
        run.environment.setdefault(QUESTION, {})[scenario.name] = missed


def besiege(scenario: Scenario, scale: Scale) -> Outcome:
    """Run one scenario, with the server on its core, and this process on the clients'."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    with tempfile.TemporaryDirectory() as directory:
        siege = Siege(scenario, scale, Path(directory))
        try:
            pinned(CLIENT_CORE)  # not before: the server would begin with what this process may use
            return siege.run()
        finally:
            if allowed:
                os.sched_setaffinity(0, allowed)


def sample(scenario: Scenario, scale: Scale, outcome: Outcome) -> Sample:
    """Return what the honest clients met with."""
    return Sample(
        question=QUESTION,
        workload=scenario.name,
        peer="reactor",
        round=1,
        requests=len(outcome.times),
        errors=outcome.errors,
        seconds=scale.attack + scenario.come_in * scale.share,
        latency=Histogram(outcome.times),
        server_cpu=outcome.cpu.get("attack", 0.0),
        resident=outcome.resident.get("attack", 0),
        asked=outcome.honest,
        established=outcome.kept,
        intended=outcome.honest / scale.interval,
        verified=len(outcome.times),
        client="reactor",
    )
