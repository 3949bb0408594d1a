"""How long do honest requests take while the server is under attack?

Each scenario (attack/scenarios.toml) starts a server, honest keep-alive clients that send requests at fixed
times, and attackers. If a target is missed (results/targets.toml), the exit code is 1. Timeouts that would
take minutes are shortened; the report lists the commands of the servers.
"""

from benchmarks.attack.run import run_attack
from benchmarks.attack.scenarios import FULL, QUICK, SCENARIOS
from benchmarks.load.process import load_process
from benchmarks.results.samples import Run
from benchmarks.runner.rounds import Config, ShowProgress
from benchmarks.servers.process import raise_open_file_limit

ROOM = 1.2  # file descriptors per attacker
TIMEOUT = 180.0  # seconds, for a scenario


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add one sample per scenario to the run."""
    scale = QUICK if config.quick else FULL
    files = raise_open_file_limit()
    run.skipped.update({f"{each.name}: attack": each.why_not for each in config.own})
    for scenario in SCENARIOS:
        if not config.wants_workload(scenario.name):
            continue
        if scenario.count(scale) * ROOM > files:
            run.skipped[f"attack: {scenario.name}"] = f"open-file limit too low: {files:,} (ulimit -n)"
            continue
        show_progress(f"{scenario.name}: {scenario.count(scale):,} x {scenario.what}")
        with load_process(run_attack, scenario, scale) as (_, receive):
            peer, sample = receive(TIMEOUT)
        run.peers[peer.name] = peer
        run.samples.append(sample)
