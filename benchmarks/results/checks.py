"""Can the figures of a run be believed? Each check says PASS, WARN, or why it could not look.

    Little's law     connections = how many times were taken a second x their mean, within 5 %
    client's core    less than 95 % busy: else the client was measured, and not the server
    connections      as many as were asked for
    errors           none
    contents         of every sample, some answers were compared octet by octet
    spread           between the rounds' ratios, at most 25 % of their median
    clients agree    wrk and our own client, measuring one server, within 10 %
    quiet machine    hardly anything else ran when the run began

Little's law holds for a closed loop alone, in which each connection always has a request on its way.
It is not applied to open loops; to new connections, whose making is in none of the times; nor where a
connection asked less than 20 times, of which the last, unanswered, would count too much. Of requests
that are sent at once wrk takes one time for all, and so do we. wrk does not count how long its own loop
takes to send the next request: with a server as fast as itself it sees fewer connections than there are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.results.samples import Run, Sample
from benchmarks.results.statistics import AGREEMENT, Figure, agreement, figures
from benchmarks.results.targets import TARGETS
from benchmarks.results.units import share

PASS, WARN, SKIPPED = "PASS", "WARN", "not applied"

LITTLE, BUSY, SPREAD, AGREE = 0.05, 0.95, 0.25, 0.10
ENOUGH = 20  # times of each connection
QUIET = 0.5  # of load average, for each core
NAMED = 3  # places that a warning names


@dataclass(frozen=True)
class Check:
    """One question to the run, the answer, and what it rests on."""

    name: str
    result: str
    words: str


def check(run: Run) -> list[Check]:
    """Ask all questions."""
    return [
        littles_law(run),
        clients_core(run),
        established(run),
        no_errors(run),
        contents(run),
        spread(run),
        clients_agree(run),
        quiet_machine(run),
    ]


# Of samples.


def applies(sample: Sample) -> bool:
    """Say whether Little's law can be applied."""
    closed = sample.intended is None and sample.workload != "new connection"
    return closed and sample.latency.count >= ENOUGH * max(1, sample.established)


def deviation(sample: Sample) -> float:
    """Return by how much Little's law is not met: -0.1 is ten per cent fewer than there were."""
    on_their_way = sample.latency.count / sample.seconds * sample.latency.mean()
    return on_their_way / max(1, sample.established) - 1


def littles_law(run: Run) -> Check:
    """Compare connections with what times and their number say."""
    applied = [each for each in run.samples if applies(each)]
    note = f"connections = rate x mean time within {share(LITTLE)}"
    left_out = len(run.samples) - len(applied)
    note += f"; {left_out} samples left out: open loop, new connections, or too few" if left_out else ""
    return _all("Little's law", applied, lambda each: abs(deviation(each)) <= LITTLE, _deviated, note)


def _deviated(sample: Sample) -> str:
    return f"{deviation(sample):+.0%}"


def clients_core(run: Run) -> Check:
    """See whether the client was the bottleneck."""
    return _all(
        "client's core",
        run.samples,
        lambda each: each.client_cpu < BUSY,
        lambda each: share(each.client_cpu),
        f"less than {share(BUSY)} busy",
    )


def established(run: Run) -> Check:
    """Compare connections that were there with those that were asked for."""
    return _all(
        "connections",
        run.samples,
        lambda each: each.established == each.asked,
        lambda each: f"{each.established:,} of {each.asked:,}",
        "as many as were asked for",
    )


def no_errors(run: Run) -> Check:
    """Look for errors."""
    return _all("errors", run.samples, lambda each: not each.errors, lambda each: f"{each.errors:,}", "none")


def contents(run: Run) -> Check:
    """See whether answers were compared."""
    return _all(
        "contents",
        run.samples,
        lambda each: bool(each.verified),
        lambda each: "none compared",
        "answers compared octet by octet with every sample",
    )


def _all(
    name: str,
    samples: Iterable[Sample],
    good: Callable[[Sample], bool],
    describe: Callable[[Sample], str],
    words: str,
) -> Check:
    """Ask each sample; name a few of those that are not good."""
    samples = list(samples)
    bad = [each for each in samples if not good(each)]
    if not samples:
        return Check(name, SKIPPED, "there is no sample to apply it to")
    if not bad:
        return Check(name, PASS, f"{words} ({len(samples):,} samples)")
    places: dict[str, str] = {}
    for each in bad:
        places.setdefault(_place(each), describe(each))
    first = [f"{place}: {shown}" for place, shown in list(places.items())[:NAMED]]
    more = f"; and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return Check(name, WARN, f"{words}; not so in {len(bad):,} of {len(samples):,}: {'; '.join(first)}{more}")


def _place(sample: Sample) -> str:
    x = "" if sample.x is None else f" {sample.x:g}"
    return f"{sample.question}{x}, {sample.workload}, {sample.peer}"


# Of rounds.


def spread(run: Run) -> Check:
    """Look for targets whose figures differ much from round to round."""
    known = figures(run)
    measured = {each.figure: known[each.figure] for each in TARGETS if each.figure in known}
    several = {name: figure for name, figure in measured.items() if figure.rounds > 1}
    if not several:
        return Check("spread", SKIPPED, "there is but one round")
    wide = {name: figure.spread for name, figure in several.items() if figure.spread > SPREAD}
    words = f"least and greatest of a target's figure at most {share(SPREAD)} of the median apart"
    if not wide:
        return Check("spread", PASS, f"{words} ({len(several)} figures)")
    worst = sorted(wide, key=lambda name: -wide[name])[:NAMED]
    named = ", ".join(f"{name} {share(wide[name])}" for name in worst)
    return Check("spread", WARN, f"{words}; not so in {len(wide)} of {len(several)}: {named}")


def clients_agree(run: Run) -> Check:
    """Compare what the two clients say of one server."""
    figure = agreement(run)
    if figure is None:
        return Check("clients agree", SKIPPED, "the run has no server that both clients measured")
    busy = max(each.client_cpu for each in run.select(workload=AGREEMENT))
    good = abs(figure.median - 1) <= AGREE and busy < BUSY
    return Check("clients agree", PASS if good else WARN, _agreed(figure, busy))


def _agreed(figure: Figure, busy: float) -> str:
    return (
        f"ours / wrk: {figure.median:.2f} ({figure.low:.2f} to {figure.high:.2f}), "
        f"within {share(AGREE)}; the busier one at {share(busy)} of its core"
    )


def quiet_machine(run: Run) -> Check:
    """See whether others used the machine when the run began."""
    load, cores = run.environment.get("load"), run.environment.get("cores")
    if not isinstance(load, int | float) or not isinstance(cores, int) or not cores:
        return Check("quiet machine", SKIPPED, "the load at the start is not known")
    words = f"load average {load:.2f} on {cores} cores at the start"
    return Check("quiet machine", PASS if load <= QUIET * cores else WARN, words)
