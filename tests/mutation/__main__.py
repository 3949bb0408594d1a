"""Plant random faults in the server and list those that the default tests or the simulation do not find.

    python -m tests.mutation --seed 7 --count 20       the same faults again for the same seed and sources
    python -m tests.mutation --only simulation --count 100
    python -m tests.mutation --where reactor/loop.py   faults of this file only
    python -m tests.mutation --where reactor/loop.py:120:compare:4711      this fault only
    python -m tests.mutation --list                    print the faults, and plant none

The working tree is copied, and only the copy is changed. A fault that the default tests do not find takes a
whole run of them. The exit code is 1 if a rate is below the bound given with --min-tests or
--min-simulation, or if the tests or the simulation fail without a fault.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import SystemRandom

from tests.design.sources import ROOT
from tests.mutation.campaign import DefaultTests, Simulation, Verdict, draw, read_sources
from tests.mutation.copy import Copy
from tests.mutation.operators import Fault

Judge = DefaultTests | Simulation
Results = dict[Fault, dict[str, Verdict]]
SHARED_MEMORY = Path("/dev/shm")  # the default tests write ten thousand files
NAMES = {"tests": "default tests", "simulation": "simulation"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.count < 1 or options.seeds < 1:
        parser.error(f"invalid --count or --seeds: {min(options.count, options.seeds)} (must be at least 1)")
    sources = read_sources(options.root)
    faults = draw(sources, options.seed, options.count, options.where)
    if not faults:
        parser.error(f"no fault matches --where {options.where!r} (try --list)")
    print(f"seed {options.seed}: {len(faults)} faults", flush=True)
    if options.list:
        print("\n".join(f"{fault}  {change(fault, sources)}" for fault in faults))
        return 0
    memory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="mutation-", dir=memory) as place:
        copy = Copy(options.root, Path(place), options.hang)
        judges: dict[str, Judge] = {
            "tests": DefaultTests(copy),
            "simulation": Simulation(copy, options.seeds),
        }
        judges = {name: judge for name, judge in judges.items() if options.only in (None, name)}
        for name, judge in judges.items():
            show(f"{NAMES[name]} without a fault")
            if output := judge.check():
                print(f"{output}\nThe {NAMES[name]} failed without a fault.", file=sys.stderr)
                return 1
        results = plant_all(copy, faults, judges)
    return report(results, sources, {"tests": options.min_tests, "simulation": options.min_simulation})


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--seed",
        type=int,
        default=SystemRandom().randrange(10_000),
        help="seed of the draw (default: random)",
    )
    parser.add_argument("--count", type=int, default=20, help="number of faults (default: %(default)s)")
    parser.add_argument("--only", choices=NAMES, help="run only the default tests, or only the simulation")
    parser.add_argument(
        "--where", default="", metavar="TEXT", help="draw among faults whose name contains TEXT"
    )
    parser.add_argument("--list", action="store_true", help="print the faults that are drawn, and plant none")
    parser.add_argument(
        "--seeds", type=int, default=300, help="seeds of the simulation for each fault (default: %(default)s)"
    )
    parser.add_argument(
        "--hang",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="time without output (default: %(default)g)",
    )
    parser.add_argument("--min-tests", type=float, default=0.0, metavar="PERCENT", help="bound for the tests")
    parser.add_argument(
        "--min-simulation", type=float, default=0.0, metavar="PERCENT", help="bound for the simulation"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)  # for its own tests
    return parser


def plant_all(copy: Copy, faults: Sequence[Fault], judges: Mapping[str, Judge]) -> Results:
    """Plant each fault and let the judges look for it; print a line for each."""
    results: Results = {}
    for number, fault in enumerate(faults, 1):
        began = time.monotonic()
        results[fault] = {}
        with copy.planted(fault):
            for name, judge in judges.items():
                show(f"{number} of {len(faults)}: {fault}: {NAMES[name]}")
                results[fault][name] = judge.judge(fault)
        show("")
        words = "  ".join(f"{name}: {describe(verdict)}" for name, verdict in results[fault].items())
        print(f"{number:3} {fault}  {words}  {time.monotonic() - began:.0f} s", flush=True)
    return results


def report(results: Results, sources: Mapping[str, bytes], bounds: Mapping[str, float]) -> int:
    """Print the faults that were not found, and the rates; return 1 if one is below its bound."""
    failed = False
    for name in next(iter(results.values())):
        verdicts = {fault: judged[name] for fault, judged in results.items() if judged[name].visible}
        survivors = [fault for fault, verdict in verdicts.items() if not verdict.found]
        for fault in survivors:
            print(f"\nnot found by the {NAMES[name]}: {fault}\n{change(fault, sources)}")
        found = len(verdicts) - len(survivors)
        rate = 100 * found / len(verdicts) if verdicts else 100.0
        unseen = (
            f"; {len(results) - len(verdicts)} others change nothing that it sees"
            if name == "simulation"
            else ""
        )
        print(f"\n{NAMES[name]}: {found} of {len(verdicts)} faults found ({rate:.0f} %){unseen}")
        failed |= rate < bounds[name]
    return int(failed)


def describe(verdict: Verdict) -> str:
    """Describe what became of a fault."""
    if verdict.found:
        return f"found by {verdict.how[:100]}"
    return "NOT FOUND" if verdict.visible else "not visible"


def change(fault: Fault, sources: Mapping[str, bytes]) -> str:
    """Return the changed lines of a fault, before and after."""
    source = sources[fault.path]
    before, after = source.decode().splitlines(), fault.apply(source).decode().splitlines()
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    return "\n".join([*(f"- {old}" for old, _ in changed), *(f"+ {new}" for _, new in changed)])


def show(text: str) -> None:
    """Show the progress, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the command that runs, and removes the copy
    sys.exit(main())
