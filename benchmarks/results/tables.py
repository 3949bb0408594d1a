"""Tables, for the terminal, the README and the report.

A Table contains formatted cells; it is rendered as text, as Markdown, or (by the report) as HTML.
"""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import nan

from benchmarks.results import units
from benchmarks.results.checks import Check
from benchmarks.results.samples import Run
from benchmarks.results.statistics import OURS, Figure, figures
from benchmarks.results.summary import Row, summarize
from benchmarks.results.targets import UNKNOWN, Verdict
from benchmarks.results.units import NOTHING, byte_size, format_figure, number, seconds, share

LEFT, RIGHT = "left", "right"
WIDTH, NARROWEST = 104, 14  # characters: width of a table, and minimum width of its last column
GAP = "  "

Column = tuple[str, str, Callable[[Row], str]]  # head, alignment, cell text


@dataclass(frozen=True)
class Table:
    """Columns of text; ``sides`` is the alignment of each column."""

    title: str
    heads: Sequence[str]
    sides: Sequence[str]
    lines: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return the table for a terminal; repeated values in the first column are left blank."""
        cells = [self.heads, *self.lines]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        if self.sides[-1] == LEFT:
            widths[-1] = max(NARROWEST, WIDTH - sum(widths[:-1]) - len(GAP) * (len(widths) - 1))
        above, lines = "", [self.title]
        for line in cells:
            words = ["" if line[0] == above else line[0], *line[1:]]
            above = line[0]
            lines.append(_in_columns(words, widths, self.sides))
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the table as Markdown."""
        rule = ["---:" if side == RIGHT else "---" for side in self.sides]
        cells = [self.heads, rule, *([_escaped(word) for word in line] for line in self.lines)]
        return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _in_columns(words: Sequence[str], widths: Sequence[int], sides: Sequence[str]) -> str:
    """Return one row; a left-aligned last column is wrapped."""
    start = "".join(_aligned(*each) + GAP for each in zip(words[:-1], widths[:-1], sides[:-1], strict=True))
    if sides[-1] == RIGHT:
        return start + words[-1].rjust(widths[-1])
    folded = textwrap.wrap(words[-1], widths[-1], break_on_hyphens=False)
    return f"\n{' ' * len(start)}".join([start + "".join(folded[:1]), *folded[1:]]).rstrip()


def _aligned(word: str, width: int, side: str) -> str:
    return word.rjust(width) if side == RIGHT else word.ljust(width)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


# Of samples.


def spread(figure: Figure) -> str:
    """Return the range over rounds: "minimum to maximum"."""
    if figure.rounds == 1:
        return "one round"
    low, high = format_figure(figure.low, figure.unit), format_figure(figure.high, figure.unit)
    value, gap, unit = low.partition(" ")
    return f"{value if gap and high.endswith(gap + unit) else low} to {high}"


def versus(row: Row) -> str:
    """Return reactor's rate / this peer's."""
    return format_figure(row.against.median, row.against.unit) if row.against else NOTHING


def versus_spread(row: Row) -> str:
    """Return the range of that ratio, and whether it is a tie."""
    figure = row.against
    if figure is None:
        return NOTHING
    return f"{spread(figure)}, a tie" if figure.tie else spread(figure)


def _latency(name: str, at: float) -> Column:
    return name, RIGHT, lambda row: seconds(row.percentile(at))


def _connections(row: Row) -> str:
    return f"{row.cell.x or 0:,.0f}"


def _observed(name: str, words: Callable[[float], str]) -> Column:
    return name, RIGHT, lambda row: words(row.observed.get(name, nan))


_PEER: Column = "peer", LEFT, lambda row: row.peer
_RATE: Column = "requests/s", RIGHT, lambda row: format_figure(row.rate.median, units.RATE)
_LATENCIES = (_latency("p50", 0.5), _latency("p99", 0.99), _latency("p99.9", 0.999))
_LONGEST = _latency("longest", 1)
_SERVER: Column = "CPU", RIGHT, lambda row: share(row.server_cpu)
_CLIENT: Column = "client CPU", RIGHT, lambda row: share(row.client_cpu)
_MEMORY: Column = "memory", RIGHT, lambda row: byte_size(row.resident)
_ERRORS: Column = "errors", RIGHT, lambda row: f"{row.errors:,}"
_VERSUS: Column = "reactor/peer", RIGHT, versus
_SPREAD: Column = "range of rounds", LEFT, versus_spread
_EACH: Column = (
    "per idle",
    RIGHT,
    lambda row: byte_size(row.memory_per_idle.median) if row.memory_per_idle else NOTHING,
)

COMPARISON = (_PEER, _RATE, _VERSUS, _SPREAD, *_LATENCIES, _SERVER, _CLIENT)
COLUMNS: dict[str, Sequence[Column]] = {
    "concurrency": (
        *(("connections", RIGHT, _connections), _PEER, _RATE, _VERSUS),
        *(*_LATENCIES, _SERVER, _CLIENT, _MEMORY),
    ),
    "latency": (
        *(("of capacity", RIGHT, lambda row: share(row.cell.x or 0)), _PEER, _RATE),
        *(*_LATENCIES, _LONGEST, _SERVER, _CLIENT),
    ),
    "idle": (("idle", RIGHT, _connections), _PEER, _RATE, *_LATENCIES, _MEMORY, _EACH, _SERVER, _CLIENT),
    "fairness": (
        *(("small requests", LEFT, lambda row: row.cell.workload), _PEER),
        *(*_LATENCIES, _LONGEST, _SERVER, _CLIENT),
    ),
    "attack": (
        *(("attack", LEFT, lambda row: row.cell.workload), _observed("p99 before", seconds)),
        *(*_LATENCIES[:2], _LONGEST, _ERRORS, _SERVER),
        *(_observed("CPU idle", share), _observed("CPU after", share)),
        *(_MEMORY, _observed("memory kept", byte_size)),
        *(_observed("descriptors", number), _observed("descriptors kept", number)),
    ),
}


def table_of(title: str, columns: Sequence[Column], rows: Iterable[Row]) -> Table:
    """Return a table with these columns."""
    lines = [[cell(row) for _, _, cell in columns] for row in rows]
    return Table(title, [head for head, _, _ in columns], [side for _, side, _ in columns], lines)


def by_workload(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by workload."""
    workloads: dict[str, list[Row]] = {}
    for row in rows:
        workloads.setdefault(row.cell.workload, []).append(row)
    return workloads


def tables(run: Run, question: str) -> list[Table]:
    """Return the tables of a question: one, or one per workload."""
    rows = summarize(run, question)
    if not rows:
        return []
    if question in COLUMNS:
        return [table_of(question, COLUMNS[question], rows)]
    return [table_of(f"{question}: {name}", COMPARISON, some) for name, some in by_workload(rows).items()]


# Of verdicts.


def targets_table(verdicts: Iterable[Verdict]) -> Table:
    """Return the table of targets."""
    lines = []
    for verdict in verdicts:
        target, figure = verdict.target, verdict.figure
        measured = (
            [format_figure(figure.median, figure.unit), spread(figure)] if figure else [NOTHING, NOTHING]
        )
        lines.append([target.workload, str(target), *measured, verdict.words])
    heads = ("workload", "target", "median", "range of rounds", "verdict")
    return Table("targets", heads, (LEFT, LEFT, RIGHT, LEFT, LEFT), lines)


def measured_targets(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts on targets whose figure was measured."""
    return [verdict for verdict in verdicts if verdict.result != UNKNOWN]


def checks_table(checks: Iterable[Check]) -> Table:
    """Return the table of self-checks."""
    lines = [[each.name, each.result, each.words] for each in checks]
    return Table("self-checks", ("check", "result", "details"), (LEFT, LEFT, LEFT), lines)


def peers_table(run: Run) -> Table:
    """Return the table of measured servers."""
    lines = [[each.name, each.version, units.portable(each.command)] for each in run.peers.values()]
    return Table("peers", ("peer", "version", "command"), (LEFT, LEFT, LEFT), lines)


def skipped_table(run: Run) -> Table:
    """Return the table of skipped measurements."""
    lines = [[what, why] for what, why in run.skipped.items()]
    return Table("not measured", ("skipped", "reason"), (LEFT, LEFT), lines)


def figures_table(run: Run) -> Table:
    """Return the table of all figures of a run."""
    lines = [
        [name, format_figure(each.median, each.unit), spread(each), each.unit]
        for name, each in figures(run).items()
    ]
    return Table("", ("figure", "median", "range of rounds", "unit"), (LEFT, RIGHT, LEFT, LEFT), lines)


def is_ours(peer: str) -> bool:
    """Return whether a peer is this server, with any options."""
    return peer.startswith(OURS)
