"""How long do honest requests take while the server is under attack?

Runs the scenarios of ``benchmarks.attack``, one round each, against reactor only. The times are those of
the honest clients during the attack, measured from when each request was due. Missed targets are saved
in the run's environment as "attack"; ``python -m benchmarks.attack`` prints all observations.
"""

import os
import tempfile
from pathlib import Path

from benchmarks.attack.run import AttackRun, Outcome, Scale, Scenario
from benchmarks.attack.scenarios import FULL, SCENARIOS, SMALL, targets
from benchmarks.load.client_group import raise_open_file_limit
from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Run, Sample
from benchmarks.runner.rounds import Config, ShowProgress
from benchmarks.servers.process import CLIENT_CORE, pin_to_core

QUESTION = "attack"
SECONDS, QUICK_SECONDS = 14.0, 2.0  # of a scenario, about
ROOM = 1.2  # file descriptors per attacker


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add one sample per scenario to the run."""
    scale = SMALL if config.quick else FULL
    files = raise_open_file_limit()
    run.skipped.update({f"{each.name}: {QUESTION}": each.why_not for each in config.own})
    for scenario in SCENARIOS:
        if not config.wants_workload(scenario.name):
            continue
        if scenario.attackers * scale.share * ROOM > files:
            run.skipped[f"attack: {scenario.name}"] = f"open-file limit too low: {files:,} (ulimit -n)"
            continue
        show_progress(f"{scenario.name}: {round(scenario.attackers * scale.share):,} x {scenario.what}")
        outcome = run_pinned(scenario, scale)
        run.samples.append(sample(scenario, scale, outcome))
        missed = [f"{each.name}: {each.measured}" for each in targets(scenario, outcome) if not each.met]
        run.environment.setdefault(QUESTION, {})[scenario.name] = missed


def estimate(config: Config) -> float:
    """Return the estimated duration in seconds."""
    wanted = [each for each in SCENARIOS if config.wants_workload(each.name)]
    return len(wanted) * (QUICK_SECONDS if config.quick else SECONDS)


def run_pinned(scenario: Scenario, scale: Scale) -> Outcome:
    """Run one scenario, with the server pinned to its core and this process to the clients' core."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    with tempfile.TemporaryDirectory() as directory:
        attack_run = AttackRun(scenario, scale, Path(directory))
        try:
            pin_to_core(CLIENT_CORE)  # only now: the server must not inherit it
            return attack_run.run()
        finally:
            if allowed:
                os.sched_setaffinity(0, allowed)


def sample(scenario: Scenario, scale: Scale, outcome: Outcome) -> Sample:
    """Return the honest clients' requests as a sample."""
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
