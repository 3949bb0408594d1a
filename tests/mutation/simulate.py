"""Run the seeds 1 to N of the simulation and print what each has shown; stop at the first failure.

A program of its own, because it runs in the copy, with the faulty server. Each line is a seed and its digest,
the last one the list of all imported files.
"""

import sys

from tests.simulation.simulation import run_seed


def main() -> int:
    """Run the seeds; return 1 if one failed."""
    for seed in range(1, int(sys.argv[1]) + 1):
        outcome = run_seed(seed)
        print(seed, outcome.failure or outcome.observed)
        if outcome.failure:
            return 1
    print(*sorted(str(getattr(module, "__file__", "")) for module in tuple(sys.modules.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
