"""Does the server go on serving its honest clients, whatever others do to it?

Each scenario starts a server, has honest keep-alive clients ask it at fixed times, and lets a crowd
of attackers at it: slow heads, slow bodies, slow readers, more connections than there are places,
no descriptors left, a pipelined storm that nobody reads, heads and chunks that are bombs, ten
thousand idle connections. No honest client may see an error or lose its connection; p99 of their
times should be under 100 ms; a server that is attacked and has nothing else to do should use less
than 5 % of its core; and when the attackers have left, descriptors and memory should be back where
they were. All clients run on one core and the server on another. Where waiting for the server's
own deadlines would take minutes, shorter ones are given by options, which are printed. Needs psutil.
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
    """Print what came of an attack; return True when every target is met."""
    print(f"{scenario.name}: {outcome.attackers:,} x {scenario.what}")
    ulimit = f" (ulimit -n {scenario.open_file_limit})" if scenario.open_file_limit else ""
    print(f"  server       {outcome.options or 'its defaults'}{ulimit}")
    events = ", ".join(f"{what} {count:,}" for what, count in sorted(outcome.events.items()))
    print(f"  attackers    {events}")
    print(
        f"  honest       {len(outcome.times):,} requests, {outcome.errors} errors, "
        f"{outcome.kept} of {outcome.honest} connections kept"
    )
    for name, times in (("  before", outcome.times_before), ("  attacked", outcome.times)):
        print(
            f"  {name:11}p50 {percentile(times, 0.5):.2f} ms, p99 {percentile(times, 0.99):.2f} ms, "
            f"longest {percentile(times, 1):.2f} ms"
        )
    cpu, files = outcome.cpu, outcome.descriptors
    print(
        f"  processor    {cpu['attack']:.1%} attacked, {cpu['quiet']:.1%} attacked and else idle, "
        f"{cpu['after']:.1%} afterwards"
    )
    memory = {phase: octets / MIB for phase, octets in outcome.resident.items()}
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
    """Run the scenarios; return 1 when a target is missed, 2 when they cannot be run."""
    parser = argparse.ArgumentParser(prog="benchmarks.attack", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a twentieth of the attackers, for a moment")
    parser.add_argument(
        "--only", metavar="NAME", choices=[each.name for each in SCENARIOS], help="one scenario"
    )
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("psutil") is None:
        print("benchmarks.attack: psutil is not installed (pip install psutil)", file=sys.stderr)
        return 2
    pin_to_core(CLIENT_CORE)
    scale = SMALL if options.small else FULL
    files = raise_open_file_limit()
    print(
        f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores: what others do there counts, too"
    )
    passed = []
    for scenario in SCENARIOS:
        if options.only in (None, scenario.name):
            if scenario.attackers * scale.share * 1.2 > files:
                print(f"{scenario.name}: not run, the limit on open files, {files}, is too low (ulimit -n)")
                passed.append(False)
                continue
            passed.append(report(scenario, run_attack(scenario, scale)))
    print(f"{sum(passed)} of {len(passed)} scenarios met every target")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
