"""Tables, for the terminal, the README and the report.

A Table contains formatted cells; it is rendered as text, as Markdown, or (by the report) as HTML.
"""

import sys
import textwrap
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from benchmarks.results import statistics, units
from benchmarks.results.checks import BUSY, check
from benchmarks.results.samples import Run, errors_text
from benchmarks.results.statistics import COMPARISONS, MEMORY, Row, figures, grouped, observed, rows
from benchmarks.results.targets import Verdict, evaluate, score
from benchmarks.results.units import MIB, NOTHING, UNKNOWN, byte_size, count, number, seconds, share
from benchmarks.servers.peers import PEERS
from benchmarks.servers.workloads import WORKLOADS

LEFT, RIGHT = "left", "right"
WIDTH = 104  # characters
GAP = "  "

# Questions and servers in the table of CPU time, besides servers of the user.
MATRIX, PEERS_SHOWN = COMPARISONS[:3], ("bare loop", "nginx", "bjoern", "granian", "uvicorn", "reactor")

Cells = tuple[str, Callable[[Row], str]]  # of a column: alignment, and the text for a row


@dataclass(frozen=True)
class Table:
    """Columns of text; ``sides`` is the alignment of each column, ``note`` a sentence below the table."""

    title: str
    heads: Sequence[str]
    sides: Sequence[str]
    lines: Sequence[Sequence[str]]
    note: str = ""

    def text(self) -> str:
        """Return the table for a terminal; a long last column is wrapped."""
        cells = [self.heads, *self.lines]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        columns = [
            f"{'>' if side == RIGHT else '<'}{width}" for side, width in zip(self.sides, widths, strict=True)
        ]
        indent = " " * (sum(widths[:-1]) + len(GAP) * (len(widths) - 1))
        width = WIDTH if self.sides[-1] == LEFT else sys.maxsize
        lines = [self.title] if self.title else []
        for line in cells:
            row = GAP.join(map(format, line, columns)).rstrip()
            lines += textwrap.wrap(row, width, subsequent_indent=indent, break_on_hyphens=False)
        return "\n".join([*lines, *textwrap.wrap(self.note, WIDTH, break_on_hyphens=False)])

    def markdown(self) -> str:
        """Return the table as Markdown."""
        rule = ["---:" if side == RIGHT else "---" for side in self.sides]
        cells = [self.heads, rule, *([escaped(word) for word in line] for line in self.lines)]
        return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def escaped(word: str) -> str:
    """Return text escaped for Markdown."""
    return word.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _latency(at: float) -> Cells:
    return RIGHT, lambda row: seconds(row.latency.percentile(at)) if row.latency.count else NOTHING


def _observed(name: str, words: Callable[[float], str]) -> Cells:
    return RIGHT, lambda row: words(row.median(observed(name)))


OBSERVED = {"p99 before": seconds, "CPU idle": share, "CPU after": share, "memory kept": byte_size}
OBSERVED |= {"descriptors": count, "descriptors kept": count, **dict.fromkeys(MEMORY, byte_size)}
COLUMNS: dict[str, Cells] = {
    "of capacity": (RIGHT, lambda row: share(row.cell.x or 0)),
    **dict.fromkeys(("connections", "idle"), (RIGHT, lambda row: count(row.cell.x or 0))),
    "situation": (LEFT, lambda row: row.cell.workload),
    "peer": (LEFT, lambda row: row.peer),
    "requests/s": (RIGHT, lambda row: str(row.rate)),
    "reactor/peer": (RIGHT, lambda row: str(row.against or NOTHING)),
    "range of rounds": (
        LEFT,
        lambda row: f"{row.against.range}{', a tie' * row.against.tie}" if row.against else NOTHING,
    ),
    "p50": _latency(0.5),
    "p99": _latency(0.99),
    "p99.9": _latency(0.999),
    "longest": _latency(1),
    "worst stall": _latency(1),
    "CPU/request": (RIGHT, lambda row: str(row.cpu or UNKNOWN)),
    "CPU": (RIGHT, lambda row: share(row.median(lambda each: each.server_cpu))),
    "client CPU": (RIGHT, lambda row: share(row.median(lambda each: each.client_cpu))),
    "memory": (RIGHT, lambda row: str(row.memory or UNKNOWN)),
    **{name: _observed(name, words) for name, words in OBSERVED.items()},
    "per idle": (RIGHT, lambda row: str(row.bytes_per_idle or NOTHING)),
}


class Shown(NamedTuple):
    """How a question is shown; see questions.toml."""

    question: str
    title: str
    headlines: Sequence[tuple[str, str, str]]
    columns: Sequence[Sequence[str]]
    notes: Mapping[str, str] = MappingProxyType({})


_TEXT = Path(__file__).with_name("questions.toml").read_text("utf-8")
SHOWN = {question: Shown(**shown) for question, shown in tomllib.loads(_TEXT).items()}


def tables(run: Run, question: str) -> list[Table]:
    """Return the tables of a question; one per workload for comparisons."""

    def title(row: Row) -> str:
        return f"{question}: {row.cell.workload}" if question in COMPARISONS else question

    found = []
    for name, some in grouped(rows(run, question), title).items():
        failed = failures(some)
        for heads in SHOWN[question].columns:
            sides = [COLUMNS[head][0] for head in heads]
            lines = [[COLUMNS[head][1](row) for head in heads] for row in some]
            found.append(Table(name, heads, sides, lines))
        if failed:
            found[-1] = replace(found[-1], note=f"errors: {'; '.join(failed)}")
    return found


def failures(some: Sequence[Row]) -> list[str]:
    """Return the failed requests of each row that has any, with their statuses or reasons."""
    failed = [row for row in some if any(each.errors for each in row.samples)]
    return [f"{row.cell.slug}, {row.peer}: {errors_text(row.samples)}" for row in failed]


def targets_table(verdicts: Sequence[Verdict]) -> Table:
    """Return the table of targets."""
    lines = [
        [each.target.workload, str(each.target), str(each.figure), each.figure.range, each.words]
        for each in verdicts
    ]
    heads = ("workload", "target", "median", "range of rounds", "verdict")
    return Table(f"targets: {score(verdicts)}", heads, (LEFT, LEFT, RIGHT, LEFT, LEFT), lines)


def cpu_table(run: Run) -> Table:
    """Return the table of CPU time per request, and of rates for large files."""
    cells: dict[str, dict[str, str]] = {}
    for row in filter(lambda each: each.cell.question in MATRIX, rows(run)):
        name, peer = row.cell.workload, row.peer
        if peer == statistics.LOGGING:
            name, peer = f"{name}, access log", statistics.OURS
        words = f"{number(row.cpu.median * 1e6)}{row.cpu.plus_minus}" if row.cpu else UNKNOWN
        if name in WORKLOADS and WORKLOADS[name].size >= MIB:
            words = f"{row.rate}/s{row.rate.plus_minus}"
        words += " *" * any(each.client_cpu >= BUSY for each in row.samples)
        cells.setdefault(name, {})[peer] = words
    known = (*PEERS_SHOWN, *(peer for peer in run.peers if peer not in PEERS))
    peers = [peer for peer in known if any(peer in line for line in cells.values())]
    lines = [[name, *(line.get(peer, NOTHING) for peer in peers)] for name, line in cells.items()]
    title = "CPU time per request in µs; for large files requests/s; * limited by the client"
    return Table(title, ("workload", *peers), (LEFT, *[RIGHT] * len(peers)), lines)


def summary_tables(run: Run) -> list[Table]:
    """Return the tables of CPU time and of targets, if anything was measured for them."""
    return [each for each in (cpu_table(run), targets_table(evaluate(figures(run)))) if each.lines]


def run_tables(run: Run) -> dict[str, Table]:
    """Return the tables on a whole run, by title; those without lines are left out."""
    checks = [[each.name, each.result, each.words] for each in check(run)] if run.samples else []
    peers = [[each.name, each.version, units.portable(each.command)] for each in run.peers.values()]
    known = [[name, str(each)] for name, each in run.environment.items() if not isinstance(each, dict)]
    several = {
        "self-checks": (("check", "result", "details"), checks),
        "servers": (("peer", "version", "command"), peers),
        "not measured": (("skipped", "reason"), [[what, why] for what, why in run.skipped.items()]),
        "environment": (("name", "value"), known),
    }
    return {
        title: Table(title, heads, [LEFT] * len(heads), lines)
        for title, (heads, lines) in several.items()
        if lines
    }


def closing_tables(run: Run) -> list[Table]:
    """Return the tables below those of the questions: summary, self-checks, what was not measured."""
    shown = map(run_tables(run).get, ("self-checks", "not measured"))
    return [*summary_tables(run), *filter(None, shown)]


def figures_table(run: Run) -> Table:
    """Return the table of all figures of a run."""
    lines = [[name, str(each), each.range, each.unit] for name, each in figures(run).items()]
    return Table("", ("figure", "median", "range of rounds", "unit"), (LEFT, RIGHT, LEFT, LEFT), lines)
