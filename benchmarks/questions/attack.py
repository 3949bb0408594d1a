"""How long do honest requests take while the server is under attack?

Timeouts that would take minutes are shortened; the report lists the commands of the servers.
"""

from benchmarks.attack.files import missing_space
from benchmarks.attack.run import run_attack
from benchmarks.attack.scenarios import FULL, QUICK, SCENARIOS
from benchmarks.load.process import load_process
from benchmarks.results.samples import Run
from benchmarks.runner.rounds import Config, ShowProgress
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import raise_open_file_limit

ROOM = 1.2  # file descriptors per attacker
TIMEOUT = 240.0  # seconds, for a scenario


def measure(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Add a sample of each server in each scenario to the run."""
    scale = QUICK if config.quick else FULL
    files = raise_open_file_limit()
    run.skipped.update({f"{each.name}: attack": each.why_not for each in config.own if each.target})
    reactors = [*(each for each in config.own if not each.target), PEERS["reactor"]]
    for scenario in filter(lambda each: config.wants_workload(each.name), SCENARIOS):
        reason = missing_space(scenario, scale)
        if scenario.count(scale) * ROOM > files:
            reason = f"open-file limit too low: {files:,} (ulimit -n)"
        if reason:
            run.skipped[f"attack: {scenario.name}"] = reason
            continue
        for server in [PEERS[name] for name in scenario.peers] or reactors:
            if not_installed := server.missing():
                run.skipped[f"{server.name}: {scenario.name}"] = not_installed
                continue
            show_progress(f"{scenario.name}: {scenario.count(scale):,} x {scenario.what}: {server.name}")
            with load_process(run_attack, server, scenario, scale) as (_, receive):
                peer, sample = receive(TIMEOUT)
            run.peers[peer.name] = peer
            run.samples.append(sample)
