"""Self-checks of a run: is the measurement itself plausible? Each gives PASS, WARN or "not applied".

    Little's law     connections = responses per second x mean response time, within 5 %
    client's core    less than 95 % busy; otherwise the client was the bottleneck
    connections      all requested connections were established
    errors           none
    bodies           some response bodies of each sample were compared byte by byte
    spread           the range of a target's figure over the rounds is at most 25 % of its median
    clients agree    wrk and our own client measure the same rate, within 10 %
    quiet machine    the load average at the start was low

Little's law only holds for a closed loop, in which each connection always has a request outstanding. It is
not applied to open loops, to "new connection" (no time includes connecting), or to fewer than 20 requests per
connection (the last, incomplete request would distort the result). For pipelined requests wrk records one
time per batch. wrk's times exclude the time to send the next request, so with a server as fast as wrk
itself the result is less than the number of connections.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.results.samples import Run, Sample
from benchmarks.results.statistics import AGREEMENT, Figure, agreement, figures
from benchmarks.results.targets import TARGETS
from benchmarks.results.units import share

PASS, WARN, SKIPPED = "PASS", "WARN", "not applied"

LITTLE, BUSY, SPREAD, AGREE = 0.05, 0.95, 0.25, 0.10
ENOUGH = 20  # times per connection, at least
QUIET = 0.5  # load average per core, at most
NAMED = 3  # places listed in a warning


@dataclass(frozen=True)
class Check:
    """The result of one self-check, with an explanation."""

    name: str
    result: str
    words: str


def check(run: Run) -> list[Check]:
    """Run all self-checks."""
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
    """Return whether Little's law applies to a sample."""
    closed = sample.intended is None and sample.workload != "new connection"
    return closed and sample.latency.count >= ENOUGH * max(1, sample.established)


def deviation(sample: Sample) -> float:
    """Return the relative deviation from Little's law: -0.1 is 10 % fewer connections than established."""
    outstanding = sample.latency.count / sample.seconds * sample.latency.mean()
    return outstanding / max(1, sample.established) - 1


def littles_law(run: Run) -> Check:
    """Check connections = rate x mean time."""
    applied = [each for each in run.samples if applies(each)]
    note = f"connections = rate x mean time within {share(LITTLE)}"
    left_out = len(run.samples) - len(applied)
    note += (
        f"; not applied to {left_out} samples: open loop, new connections or too few requests"
        if left_out
        else ""
    )
    return _all("Little's law", applied, lambda each: abs(deviation(each)) <= LITTLE, _deviated, note)


def _deviated(sample: Sample) -> str:
    return f"{deviation(sample):+.0%}"


def clients_core(run: Run) -> Check:
    """Check that the client was not the bottleneck."""
    return _all(
        "client's core",
        run.samples,
        lambda each: each.client_cpu < BUSY,
        lambda each: share(each.client_cpu),
        f"less than {share(BUSY)} busy",
    )


def established(run: Run) -> Check:
    """Check that all requested connections were established."""
    return _all(
        "connections",
        run.samples,
        lambda each: each.established == each.asked,
        lambda each: f"{each.established:,} of {each.asked:,}",
        "all requested connections established",
    )


def no_errors(run: Run) -> Check:
    """Check that there were no errors."""
    return _all(
        "errors", run.samples, lambda each: not each.errors, lambda each: f"{each.errors:,}", "no errors"
    )


def contents(run: Run) -> Check:
    """Check that response bodies were compared."""
    return _all(
        "bodies",
        run.samples,
        lambda each: bool(each.verified),
        lambda each: "none compared",
        "some response bodies of each sample compared byte by byte",
    )


def _all(
    name: str,
    samples: Iterable[Sample],
    good: Callable[[Sample], bool],
    describe: Callable[[Sample], str],
    words: str,
) -> Check:
    """Apply a check to each sample; a warning lists a few that fail."""
    samples = list(samples)
    bad = [each for each in samples if not good(each)]
    if not samples:
        return Check(name, SKIPPED, "no samples")
    if not bad:
        return Check(name, PASS, f"{words} ({len(samples):,} samples)")
    places: dict[str, str] = {}
    for each in bad:
        places.setdefault(_place(each), describe(each))
    first = [f"{place}: {shown}" for place, shown in list(places.items())[:NAMED]]
    more = f"; and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return Check(
        name, WARN, f"{words}; not in {len(bad):,} of {len(samples):,} samples: {'; '.join(first)}{more}"
    )


def _place(sample: Sample) -> str:
    x = "" if sample.x is None else f" {sample.x:g}"
    return f"{sample.question}{x}, {sample.workload}, {sample.peer}"


# Of rounds.


def spread(run: Run) -> Check:
    """Check that the figures of targets vary little between rounds."""
    known = figures(run)
    measured = {each.figure: known[each.figure] for each in TARGETS if each.figure in known}
    several = {name: figure for name, figure in measured.items() if figure.rounds > 1}
    if not several:
        return Check("spread", SKIPPED, "only one round")
    wide = {name: figure.spread for name, figure in several.items() if figure.spread > SPREAD}
    words = f"range of a target's figure over rounds at most {share(SPREAD)} of its median"
    if not wide:
        return Check("spread", PASS, f"{words} ({len(several)} figures)")
    worst = sorted(wide, key=lambda name: -wide[name])[:NAMED]
    named = ", ".join(f"{name} {share(wide[name])}" for name in worst)
    return Check("spread", WARN, f"{words}; not in {len(wide)} of {len(several)} figures: {named}")


def clients_agree(run: Run) -> Check:
    """Compare the rates of one server measured by both clients."""
    figure = agreement(run)
    if figure is None:
        return Check("clients agree", SKIPPED, "no server measured by both clients")
    busy = max(each.client_cpu for each in run.select(workload=AGREEMENT))
    good = abs(figure.median - 1) <= AGREE and busy < BUSY
    return Check("clients agree", PASS if good else WARN, _agreed(figure, busy))


def _agreed(figure: Figure, busy: float) -> str:
    return (
        f"our client / wrk: {figure.median:.2f} ({figure.low:.2f} to {figure.high:.2f}), "
        f"limit {share(AGREE)}; busier client at {share(busy)} of its core"
    )


def quiet_machine(run: Run) -> Check:
    """Check the load average at the start."""
    load, cores = run.environment.get("load"), run.environment.get("cores")
    if not isinstance(load, int | float) or not isinstance(cores, int) or not cores:
        return Check("quiet machine", SKIPPED, "load average at the start unknown")
    words = f"load average {load:.2f} on {cores} cores at the start"
    return Check("quiet machine", PASS if load <= QUIET * cores else WARN, words)
