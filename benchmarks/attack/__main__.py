"""Does the server keep serving honest clients while it is under attack?

Each scenario starts a server, honest keep-alive clients that send requests at fixed times, and attackers:
slow heads, slow bodies, slow readers, more connections than the connection limit, exhausted file descriptors,
pipelined requests without reading, oversized heads and chunks, 10,000 idle connections. Targets: no honest
client has an error or loses its connection, and their p99 is under 100 ms; an attacked but otherwise idle
server uses less than 5 % of its core; after the attack, file descriptors and memory are back at their earlier
values. All clients run on one core, the server on another. Timeouts that would take minutes are shortened by
options, which are printed. Needs psutil.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence

from benchmarks.attack.run import Outcome, Scenario, run_attack
from benchmarks.attack.scenarios import FULL, MIB, SCENARIOS, SMALL, percentile, targets
from benchmarks.load.client_group import raise_open_file_limit
from benchmarks.servers.process import CLIENT_CORE, pin_to_core


def report(scenario: Scenario, outcome: Outcome) -> bool:
    """Print the outcome of an attack; return True if all targets are met."""
    print(f"{scenario.name}: {outcome.attackers:,} x {scenario.what}")
    ulimit = f" (ulimit -n {scenario.open_file_limit})" if scenario.open_file_limit else ""
    print(f"  options      {outcome.options or 'defaults'}{ulimit}")
    events = ", ".join(f"{what} {count:,}" for what, count in sorted(outcome.events.items()))
    print(f"  attackers    {events}")
    print(
        f"  honest       {len(outcome.times):,} requests, {outcome.errors} errors, "
        f"{outcome.kept} of {outcome.honest} connections kept"
    )
    for name, times in (("  before", outcome.times_before), ("  during", outcome.times)):
        print(
            f"  {name:11}p50 {percentile(times, 0.5):.2f} ms, p99 {percentile(times, 0.99):.2f} ms, "
            f"longest {percentile(times, 1):.2f} ms"
        )
    cpu, files = outcome.cpu, outcome.descriptors
    print(
        f"  CPU          {cpu['attack']:.1%} during, {cpu['quiet']:.1%} attacked but otherwise idle, "
        f"{cpu['after']:.1%} after"
    )
    memory = {phase: resident / MIB for phase, resident in outcome.resident.items()}
    print(
        f"  memory       {memory['before']:.1f} MiB before, {memory['attack']:.1f} during, "
        f"{memory['after']:.1f} after"
    )
    print(f"  descriptors  {files['before']} before, {files['attack']:,} during, {files['after']} after")
    passed = True
    for target in targets(scenario, outcome):
        passed = passed and target.met
        print(f"  {'PASS  ' if target.met else 'MISSED'}       {target.name}: {target.measured}")
    return passed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios; return 1 if a target is missed, 2 if they cannot be run."""
    parser = argparse.ArgumentParser(prog="benchmarks.attack", description=__doc__)
    parser.add_argument("--small", action="store_true", help="run briefly, with a twentieth of the attackers")
    parser.add_argument(
        "--only", metavar="NAME", choices=[each.name for each in SCENARIOS], help="run only this scenario"
    )
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("psutil") is None:
        print("benchmarks.attack: psutil is not installed (pip install psutil)", file=sys.stderr)
        return 2
    pin_to_core(CLIENT_CORE)
    scale = SMALL if options.small else FULL
    files = raise_open_file_limit()
    print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores (other load affects the results)")
    passed = []
    for scenario in SCENARIOS:
        if options.only in (None, scenario.name):
            if scenario.attackers * scale.share * 1.2 > files:
                print(f"{scenario.name}: skipped: open-file limit too low: {files} (ulimit -n)")
                passed.append(False)
                continue
            passed.append(report(scenario, run_attack(scenario, scale)))
    print(f"{sum(passed)} of {len(passed)} scenarios met every target")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
