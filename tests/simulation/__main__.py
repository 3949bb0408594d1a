"""Run many seeds, or one with a trace of every turn.

python -m tests.simulation --seeds 1000 --first 1     stops at the first failure, and prints its seed
python -m tests.simulation --seed 17 --trace          the same seed again, with a trace in words
"""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.simulation import Outcome, run_seed


def main() -> int:
    """Run the seeds that were asked for; return 0 if all passed, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, default=1000, help="number of seeds to run (default: 1000)")
    parser.add_argument("--first", type=int, default=1, help="first seed (default: 1)")
    parser.add_argument("--seed", type=int, help="run this seed only")
    parser.add_argument("--trace", action="store_true", help="print a trace of every turn (with --seed)")
    parser.add_argument("--keep-going", action="store_true", help="continue after a failure")
    options = parser.parse_args()
    if options.seed is not None:
        return run_one(options.seed, options.trace)
    return run_many(options.first, options.seeds, options.keep_going)


def run_one(seed: int, with_trace: bool) -> int:
    """Run one seed."""
    trace: list[str] | None = [] if with_trace else None
    outcome = run_seed(seed, trace)
    for line in trace or ():
        print(line)
    print(describe(outcome))
    return bool(outcome.failure)


def run_many(first: int, count: int, keep_going: bool) -> int:
    """Run many seeds and report progress."""
    began = shown = time.monotonic()
    outcomes: list[Outcome] = []
    failed = 0
    for seed in range(first, first + count):
        outcome = run_seed(seed)
        outcomes.append(outcome._replace(failure=""))
        if outcome.failure:
            failed += 1
            print(f"\r{describe(outcome)}", flush=True)
            print(f"replay it: python -m tests.simulation --seed {seed} --trace", flush=True)
            if not keep_going:
                break
        if time.monotonic() - shown > 0.5:
            shown = time.monotonic()
            print(f"\r{summary(outcomes, failed, shown - began)}", end="", file=sys.stderr, flush=True)
    print(f"\r{summary(outcomes, failed, time.monotonic() - began)}")
    print(excuses(outcomes))
    return bool(failed)


def describe(outcome: Outcome) -> str:
    """Print the result of one seed."""
    if outcome.failure:
        return f"seed {outcome.seed} FAILS at {outcome.failure}"
    return (
        f"seed {outcome.seed} passes: {outcome.turns} turns, {outcome.clients} clients "
        f"({outcome.excused} of them excused), {outcome.answers} answers checked"
    )


def summary(outcomes: list[Outcome], failed: int, seconds: float) -> str:
    """Return a summary: how many seeds passed, and how much they covered."""
    turns = sum(outcome.turns for outcome in outcomes)
    clients = sum(outcome.clients for outcome in outcomes)
    excused = sum(outcome.excused for outcome in outcomes)
    answers = sum(outcome.answers for outcome in outcomes)
    return (
        f"{len(outcomes) - failed} of {len(outcomes)} seeds passed: {turns:,} turns, {clients:,} clients "
        f"({excused:,} excused), {answers:,} answers checked, {seconds:.0f} s"
    )


def excuses(outcomes: list[Outcome]) -> str:
    """Return a table: the share of the clients that may get fewer answers than requests, by reason."""
    clients = sum(outcome.clients for outcome in outcomes)
    refused = sum(outcome.refused for outcome in outcomes)
    excused = sum(outcome.excused for outcome in outcomes)
    connected = clients - refused
    shortened = sum(outcome.shortened for outcome in outcomes)
    reasons = sum((outcome.excuses for outcome in outcomes), Counter[str]())
    lines = [
        (connected - excused - shortened, "must get the answer to every request"),
        (shortened, "must get every answer made before the server closed the connection early"),
        (excused, "are excused: what they get must be right, but may be less"),
    ]
    table = [f"{connected:,} clients were connected, of which"]
    table += [f"{count / max(connected, 1):6.1%} {text}" for count, text in lines]
    table += ["Reasons for less than every answer (the first one of each client):"]
    table += [f"{count / max(connected, 1):6.1%} {reason}" for reason, count in reasons.most_common()]
    return "\n".join(table)


if __name__ == "__main__":
    sys.exit(main())
