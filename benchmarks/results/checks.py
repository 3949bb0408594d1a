"""Self-checks of a run: is the measurement itself plausible? Each gives PASS, WARN or "not applied".

They are explained in ``benchmarks/README.md``. Little's law only holds for a closed loop, in which each
connection always has a request outstanding. It is not applied to fewer than 20 requests per connection: the
last, incomplete request would distort the result. For pipelined requests wrk records one time per batch.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.results.samples import Run, Sample, errors_text
from benchmarks.results.statistics import AGREEMENT, SPECIAL, Cell, figures
from benchmarks.results.targets import evaluate
from benchmarks.results.units import share

PASS, WARN, SKIPPED = "PASS", "WARN", "not applied"

LITTLE, BUSY, SPREAD, AGREE = 0.05, 0.95, 0.25, 0.10
ENOUGH = 20  # times per connection, at least
QUIET = 0.5  # load average per core, at most
NAMED = 3  # places listed in a warning


@dataclass(frozen=True)
class Check:
    """The result of one self-check, and a sentence that explains it."""

    name: str
    result: str
    words: str


@dataclass(frozen=True)
class SampleCheck:
    """A check of each sample; ``rule`` is what holds for a good sample, in words."""

    name: str
    rule: str
    holds: Callable[[Sample], bool]
    describe: Callable[[Sequence[Sample]], str]  # of one place
    applies: Callable[[Sample], bool] = lambda _: True
    left_out: str = ""  # the samples that it does not apply to

    def check(self, samples: Sequence[Sample]) -> Check:
        """Check all samples; a warning lists the first few places."""
        applied = [each for each in samples if self.applies(each)]
        others = len(samples) - len(applied)
        note = f" (not applied to {others:,} others: {self.left_out})" if others else ""
        places: dict[str, list[Sample]] = {}
        for each in applied:
            if not self.holds(each):
                cell = Cell(each.question, each.workload, each.x)
                places.setdefault(f"{cell.slug}, {each.peer}", []).append(each)
        if not applied:
            return Check(self.name, SKIPPED, f"no samples{note}")
        if not places:
            return Check(self.name, PASS, f"{self.rule} in all {len(applied):,} samples{note}")
        wrong = sum(map(len, places.values()))
        listed = shortened([f"{name}: {self.describe(some)}" for name, some in places.items()])
        words = f"{self.rule}: not true for {wrong:,} of {len(applied):,} samples{note}: {listed}"
        return Check(self.name, WARN, words)


def shortened(listed: Sequence[str]) -> str:
    """Return the first few of a list as text, and the number of the others."""
    more = [f"and {len(listed) - NAMED} more"] if len(listed) > NAMED else []
    return "; ".join([*listed[:NAMED], *more])


def in_equilibrium(sample: Sample) -> bool:
    """Return whether Little's law applies to a sample."""
    closed = sample.intended is None and sample.workload != "new connection"
    return closed and sample.latency.count >= ENOUGH * max(1, sample.established)


def deviation(sample: Sample) -> float:
    """Return the relative deviation from Little's law: -0.1 is 10 % fewer connections than established."""
    outstanding = sample.latency.count / sample.seconds * sample.latency.mean()
    return outstanding / max(1, sample.established) - 1


SAMPLE_CHECKS = (
    SampleCheck(
        "Little's law",
        f"connections = rate x mean time within {share(LITTLE)}",
        lambda each: abs(deviation(each)) <= LITTLE,
        lambda some: f"{max(map(deviation, some), key=abs):+.0%}",
        in_equilibrium,
        "open loop, new connections or too few requests",
    ),
    SampleCheck(
        "client's core",
        f"the load generator's core was less than {share(BUSY)} busy",
        lambda each: each.client_cpu < BUSY,
        lambda some: share(max(each.client_cpu for each in some)),
        lambda each: not math.isnan(each.client_cpu),
        "unknown CPU time",
    ),
    SampleCheck(
        "own cores",
        "server and load generator had a core each",
        lambda each: not each.shared_core,
        lambda some: "1 round" if len(some) == 1 else f"{len(some)} rounds",
    ),
    SampleCheck(
        "connections",
        "all requested connections were established",
        lambda each: each.established == each.asked,
        lambda some: f"{min(each.established for each in some):,} of {some[0].asked:,}",
    ),
    SampleCheck("errors", "no request failed", lambda each: not each.errors, errors_text),
    SampleCheck(
        "bodies",
        "some response bodies were compared byte by byte",
        lambda each: bool(each.verified),
        lambda some: "1 round" if len(some) == 1 else f"{len(some)} rounds",
    ),
)


def check(run: Run) -> list[Check]:
    """Run all self-checks."""
    of_samples = [each.check(run.samples) for each in SAMPLE_CHECKS]
    return [*of_samples, spread(run), clients_agree(run), quiet_machine(run)]


def summary(checks: Iterable[Check]) -> str:
    """Return how many checks passed, as text."""
    named = {PASS: "passed", WARN: "with a warning", SKIPPED: "not applied"}
    counts = Counter(each.result for each in checks)
    return ", ".join(f"{counts[result]} {words}" for result, words in named.items() if counts[result])


def spread(run: Run) -> Check:
    """Check that the figures of targets vary little between rounds."""
    several = [each for each in evaluate(figures(run)) if each.figure.rounds > 1]
    wide = [each for each in several if each.figure.spread > SPREAD]
    if not several:
        return Check("spread", SKIPPED, "no target was measured in more than one round")
    if not wide:
        return Check("spread", PASS, f"the rounds of all {len(several)} targets lie within {share(SPREAD)}")
    wide.sort(key=lambda each: -each.figure.spread)
    listed = shortened([f"{each.target.figure}: {share(each.figure.spread)}" for each in wide])
    words = f"the rounds lie more than {share(SPREAD)} apart for {len(wide)} of {len(several)} targets"
    return Check("spread", WARN, f"{words}: {listed}")


def clients_agree(run: Run) -> Check:
    """Compare the rates of one server measured by both clients."""
    figure = SPECIAL["agreement.clients"](run)
    if figure is None:
        return Check("clients agree", SKIPPED, "no server was measured by both wrk and our own client")
    busy = max(each.client_cpu for each in run.select(workload=AGREEMENT))
    good = abs(figure.median - 1) <= AGREE and busy < BUSY
    words = (
        f"our own client measures {figure.median:.2f} times the rate that wrk measures "
        f"({figure.low:.2f} to {figure.high:.2f}; limit {share(AGREE)}); the busier of the two used "
        f"{share(busy)} of its core"
    )
    return Check("clients agree", PASS if good else WARN, words)


def quiet_machine(run: Run) -> Check:
    """Check the load average at the start."""
    load, cores = run.environment.get("load"), run.environment.get("cores")
    if not isinstance(load, int | float) or not isinstance(cores, int) or not cores:
        return Check("quiet machine", SKIPPED, "the load average at the start is unknown")
    words = f"the load average was {load:.2f} on {cores} cores at the start"
    return Check("quiet machine", PASS if load <= QUIET * cores else WARN, words)
