"""Compare our parser with h11 and httptools for as long as you like.

    python -m tests.conformance.differential --seconds 300 --seed 7

Prints how often each listed disagreement was met, and every one that is not listed, with its bytes
made as short as they get. The exit code is 1 when there was any, 2 when an oracle is not installed.
"""

import argparse
import sys

from tests.conformance.differential.campaign import Campaign, Unlisted
from tests.conformance.differential.disagreements import DISAGREEMENTS
from tests.conformance.differential.oracles import NAMES, oracle
from tests.conformance.differential.translations import TRANSLATIONS
from tests.fuzz.minimise import minimise
from tests.fuzz.progress import Progress

BATCH = 200
MAX_FINDINGS = 50  # of different kinds


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.differential", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--seconds", type=float, default=10, help="seconds to run (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the cases (default: %(default)s)")
    parser.add_argument("--only", choices=NAMES, help="compare with this oracle only")
    arguments = parser.parse_args()
    try:
        oracles = [oracle(name) for name in ([arguments.only] if arguments.only else NAMES)]
    except ImportError as error:
        print(f"{error}: pip install h11 httptools", file=sys.stderr)
        return 2
    campaign = Campaign(oracles, arguments.seed)
    with Progress(arguments.seconds) as progress:
        while progress.running and len(campaign.unlisted) < MAX_FINDINGS:
            campaign.run(BATCH)
            progress.show(f"{campaign.cases} cases, {len(campaign.unlisted)} findings")
    report(campaign, progress.seconds)
    return 1 if campaign.unlisted else 0


def report(campaign: Campaign, seconds: float) -> None:
    """Print what was met."""
    for row in (*TRANSLATIONS, *DISAGREEMENTS):
        for name in row.oracles:
            count = campaign.listed[name, row.name]
            print(f"{count:9} {name:10} {row.name}")
    for key, finding in campaign.unlisted.items():
        print(f"{shortest(campaign, finding)}\n  seen {campaign.occurrences[key]} times")
    names = ", ".join(each.name for each in campaign.oracles)
    print(
        f"{campaign.cases} cases in {seconds:.0f} s against {names}, seed {campaign.seed}: "
        f"{campaign.accepted} accepted by us, {campaign.agreed} identical readings, "
        f"{sum(campaign.listed.values())} listed differences, {len(campaign.unlisted)} findings"
    )


def shortest(campaign: Campaign, finding: Unlisted) -> Unlisted:
    """Make the bytes of a finding as short as they get while the same difference stays."""

    def same(data: bytes) -> list[Unlisted]:
        found = [finding._replace(data=data, difference=each) for each in probe.compare(data)]
        return [each for each in found if each.key == finding.key]

    probe = Campaign(campaign.oracles, campaign.seed)
    return same(minimise(finding.data, lambda data: bool(same(data))))[0]


if __name__ == "__main__":
    sys.exit(main())
