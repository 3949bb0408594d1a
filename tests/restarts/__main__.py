"""Restart servers under load, and print how many requests failed: ``python -m tests.restarts``."""

import argparse
import sys

from tests.restarts.rolling import DELAYS, HEADER, Setup, experiment, missing
from tests.restarts.servers import SERVERS, is_installed

ALL = [Setup("reactor", proxy) for proxy in DELAYS]
ALL += [Setup(name, "haproxy") for name in SERVERS if name != "reactor"]
SETUPS = {str(setup): setup for setup in ALL}


def main() -> int:
    """Run the experiments; return 1 if a request to Reactor failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.restarts", description=__doc__)
    parser.add_argument("--restarts", type=int, default=20, help="restarts of each server (default: 20)")
    parser.add_argument(
        "--python", default=sys.executable, help="Python that has the other servers (default: this one)"
    )
    parser.add_argument(
        "--only", action="append", choices=list(SETUPS), help="one of the setups; may be repeated"
    )
    options = parser.parse_args()
    failed = 0
    print(HEADER)
    for name in options.only or SETUPS:
        setup = SETUPS[name]
        python = sys.executable if setup.server == "reactor" else options.python
        if program := missing(setup) or ("" if is_installed(setup.server, python) else setup.server):
            print(f"| {name} | skipped: {program} is not installed |", flush=True)
            continue
        result = experiment(setup, options.restarts, python)
        print(result.row(name), flush=True)
        failed += result.failed if setup.server == "reactor" else 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
