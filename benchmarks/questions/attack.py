"""How long do honest requests take while others attack the server?

This is ``benchmarks.attack``, as samples. Each scenario is one round against reactor alone: the
times are those of the honest clients during the attack, from when each request was due. Which
targets of the attack were missed is noted in the run's environment, as "attack";
``python -m benchmarks.attack`` prints all that was seen.
"""

import os
import tempfile
from pathlib import Path

from benchmarks.attack.run import AttackRun, Outcome, Scale, Scenario
from benchmarks.attack.scenarios import FULL, SCENARIOS, SMALL, targets
from benchmarks.load.client_group import raise_open_file_limit
from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.servers.process import CLIENT_CORE, pin_to_core

QUESTION = "attack"
ROOM = 1.2  # descriptors for each attacker


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add a sample of each scenario to the run."""
    scale = SMALL if config.quick else FULL
    files = raise_open_file_limit()
    for scenario in SCENARIOS:
        if config.workloads and scenario.name not in config.workloads:
            continue
        if scenario.attackers * scale.share * ROOM > files:
            run.skipped[f"attack: {scenario.name}"] = f"the limit on open files, {files:,}, is too low"
            continue
        show_progress(f"{scenario.name}: {round(scenario.attackers * scale.share):,} x {scenario.what}")
        outcome = run_pinned(scenario, scale)
        run.samples.append(sample(scenario, scale, outcome))
        missed = [f"{each.name}: {each.measured}" for each in targets(scenario, outcome) if not each.met]
        run.environment.setdefault(QUESTION, {})[scenario.name] = missed


def run_pinned(scenario: Scenario, scale: Scale) -> Outcome:
    """Run one scenario, with the server on its core, and this process on the clients'."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    with tempfile.TemporaryDirectory() as directory:
        attack_run = AttackRun(scenario, scale, Path(directory))
        try:
            pin_to_core(CLIENT_CORE)  # not before: the server would begin with what this process may use
            return attack_run.run()
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
        seconds=scale.attack + scenario.arrival_seconds * scale.share,
        latency=Histogram(outcome.times),
        server_cpu=outcome.cpu.get("attack", 0.0),
        resident=outcome.resident.get("attack", 0),
        asked=outcome.honest,
        established=outcome.kept,
        intended=outcome.honest / scale.interval,
        verified=len(outcome.times),
        client="reactor",
    )
