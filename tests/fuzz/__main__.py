"""Fuzz the parser and the field readers for a given time.

    python -m tests.fuzz --seconds 60 --seed 7
    python -m tests.fuzz --only target --save found     also write the findings into a directory
    python -m tests.fuzz --only worst                   instead: measure the time of the worst inputs

Each finding is printed as a bytes literal, made as short as it gets. The exit code is 1 when there was
any. The worst inputs (``worst.py``) are not random: they are measured once, for about two minutes, and
the exit code is 1 when one of them costs too much.
"""

import argparse
import sys
from pathlib import Path

from tests.fuzz.campaign import Campaign
from tests.fuzz.cost import measure_all
from tests.fuzz.progress import Progress
from tests.fuzz.surfaces import surfaces

BATCH = 50
MAX_FINDINGS = 50  # of different kinds


def main() -> int:
    """Run the command."""
    known = surfaces()
    lines = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=lines[0])
    parser.add_argument("--seconds", type=float, default=10, help="seconds to run (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the cases (default: %(default)s)")
    parser.add_argument(
        "--only", choices=[*known, "worst"], help="fuzz only this surface; worst: measure the worst inputs"
    )
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="write each finding to a file in this directory"
    )
    arguments = parser.parse_args()
    if arguments.only == "worst":
        return 1 if measure_all() else 0
    chosen = [known[arguments.only]] if arguments.only else known.values()
    campaign = Campaign(chosen, arguments.seed)
    with Progress(arguments.seconds) as progress:
        while progress.running and len(campaign.findings) < MAX_FINDINGS:
            campaign.run(BATCH)
            progress.show(f"{campaign.cases.total()} cases, {len(campaign.findings)} findings")
    report(campaign, progress.seconds, arguments.save)
    return 1 if campaign.findings else 0


def report(campaign: Campaign, seconds: float, directory: Path | None) -> None:
    """Print the findings and the number of cases."""
    for key, finding in campaign.findings.items():
        print(f"{finding}\n    seen {campaign.occurrences[key]} times")
        if directory is not None:
            print(f"    saved as {finding.save(directory)}")
    cases = ", ".join(f"{count} {name}" for name, count in campaign.cases.items())
    print(
        f"{campaign.cases.total()} cases in {seconds:.0f} s, seed {campaign.seed} ({cases}): "
        f"{len(campaign.findings)} findings"
    )


if __name__ == "__main__":
    sys.exit(main())
