"""The command line of the benchmarks: options, measuring, printing, saved runs, exit codes.

1. Parse the options; invalid assertions are errors before anything is measured.
2. For each question: add its samples to the run, save the run, print the tables.
3. Print targets, self-checks and skipped measurements; write the report.
4. Check the assertions.

Exit codes: 0 success; 1 an assertion does not hold, a question failed, or nothing was measured; 2 usage
error; 130 interrupted (Ctrl-C), with all samples up to then saved.
"""

import argparse
import importlib.util
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.attack.scenarios import SCENARIOS
from benchmarks.questions import QUESTIONS
from benchmarks.results.assertions import SITUATIONS, Assertion, figures_help, parse_assertion
from benchmarks.results.environment import environment
from benchmarks.results.samples import Run
from benchmarks.results.statistics import figures
from benchmarks.results.tables import closing_tables, figures_table, tables
from benchmarks.results.units import slug
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.runner.progress import Progress, estimate_seconds
from benchmarks.servers.peers import PEERS
from benchmarks.servers.workloads import WORKLOADS

Measure = Callable[[Config, Run, ShowProgress], None]

FAILED, USAGE_ERROR, INTERRUPTED = 1, 2, 130


def run(questions: Mapping[str, Measure], options: argparse.Namespace, argv: Sequence[str]) -> int:
    """Measure the questions and print the results; return the exit code."""
    if importlib.util.find_spec("psutil") is None:
        print("benchmarks: psutil is not installed (pip install psutil)", file=sys.stderr)
        return USAGE_ERROR
    session = Session(Run(environment(argv)), make_config(options), options.json, list(questions))
    for name, measure in questions.items():
        if not session.ask(name, measure):
            break
    return max(session.exit_code, print_results(session.run, options.html, options.assertions))


class Session:
    """A run in progress, saved after each question."""

    def __init__(self, run: Run, config: Config, path: Path | None, questions: Sequence[str]) -> None:
        self.run, self.config, self.path = run, config, path
        self.progress = Progress(sys.stderr, questions, estimate_seconds(config))
        self.exit_code = 0

    def ask(self, name: str, measure: Measure) -> bool:
        """Measure one question and print its tables; return False when interrupted."""
        self.progress.begin(name)
        try:
            measure(self.config, self.run, self.progress.show)
        except KeyboardInterrupt:
            self.run.skipped[f"{name}, the rest"] = "interrupted"
            self.exit_code = INTERRUPTED
        except Exception as error:  # continue with the other questions
            self.progress.clear()
            traceback.print_exc()
            self.run.skipped[f"{name}, the rest"] = f"{type(error).__name__}: {error}"
            self.exit_code = FAILED
        self.progress.end()
        self.save()
        for table in tables(self.run, name):
            print(f"{table.text()}\n", flush=True)
        return self.exit_code != INTERRUPTED

    def save(self) -> None:
        """Replace the results file atomically."""
        if self.path is not None:
            partial = self.path.with_name(f"{self.path.name}.part")
            self.run.save(partial)
            partial.replace(self.path)


def print_results(run: Run, html: Path | None, assertions: Sequence[Assertion]) -> int:
    """Print targets, self-checks and assertions, and write the report; return the exit code."""
    known = figures(run)
    for table in closing_tables(run):
        print(f"{table.text()}\n")
    if html is not None:
        # Imported only when a report is written.
        from benchmarks.report import page

        html.write_text(page(run))
        print(f"report: {html}")
    for each in assertions:
        print(each.verdict(known))
    return 0 if run.samples and all(each.holds(known) for each in assertions) else FAILED


# Saved runs.

SHOW = """Show a saved run: tables, report and assertions. Nothing is measured.

python -m benchmarks show RUN.json --html report.html --assert 'hot.floor>=0.70'
"""


def show_saved(arguments: Sequence[str] | None = None) -> int:
    """Show a saved run; return 1 when an assertion does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks show",
        description=SHOW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Run.load, metavar="RUN.json")
    parser.add_argument("--figures", action="store_true", help="print only the list of all figures, by name")
    add_output_options(parser)
    options = parser.parse_args(arguments)
    run = options.run
    if options.figures:
        print(figures_table(run).text())
        return 0
    for question in QUESTIONS:
        for table in tables(run, question):
            print(f"{table.text()}\n")
    return print_results(run, options.html, options.assertions)


# Options.


def make_parser(name: str, docstring: str | None) -> argparse.ArgumentParser:
    """Return a parser for the options that all questions share."""
    result = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=docstring,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config = Config()
    add = result.add_argument
    add(
        "--rounds",
        type=_positive(int),
        default=config.rounds,
        metavar="N",
        help="number of rounds (default: %(default)s)",
    )
    add(
        "--seconds",
        type=_positive(float),
        default=config.seconds,
        metavar="SECONDS",
        help="duration of a round (default: %(default)s)",
    )
    add(
        "--connections",
        type=_positive(int),
        default=config.connections,
        metavar="N",
        help="concurrent connections of the load (default: %(default)s)",
    )
    add(
        "--peers",
        type=_names(PEERS),
        default=(),
        metavar="A,B",
        help="measure only these servers and reactor",
    )
    workloads = (*WORKLOADS, *SITUATIONS, *(each.name for each in SCENARIOS))
    add("--workloads", type=_names(workloads), default=(), metavar="X,Y", help="measure only these workloads")
    add(
        "--quick",
        action="store_true",
        help="measure one short round of small sizes, to check that everything works",
    )
    add("--json", type=_file, metavar="FILE", help="save all samples to FILE after each question")
    add_output_options(result)
    return result


def add_output_options(result: argparse.ArgumentParser) -> None:
    """Add the options for the results of a run."""
    add = result.add_argument
    add("--html", type=_file, metavar="FILE", help="write an HTML report with charts to FILE")
    add(
        "--assert",
        dest="assertions",
        type=parse_assertion,
        action="append",
        default=[],
        metavar="EXPR",
        help="exit with status 1 unless EXPR holds, for example 'hot.floor>=0.70'; repeatable",
    )
    add("--list-figures", action=ListFigures, help="list the figures that --assert accepts, and exit")


class ListFigures(argparse.Action):
    """An option that lists the names of figures and exits."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the list and exit."""
        print(figures_help())
        parser.exit()


def make_config(options: argparse.Namespace) -> Config:
    """Return the configuration from the options."""
    return Config(
        rounds=options.rounds,
        seconds=options.seconds,
        connections=options.connections,
        peers=options.peers,
        workloads=options.workloads,
        quick=options.quick,
    )


def default_results_path() -> Path:
    """Return the results file of a complete run without --json."""
    return Path(tempfile.gettempdir()) / f"benchmarks-{datetime.now():%Y%m%d-%H%M%S}.json"


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"invalid value: {text!r} (must be greater than 0)")
        return value

    return number


def _names(known: Sequence[str] | Mapping[str, object]) -> Callable[[str], tuple[str, ...]]:
    """Return a parser for comma-separated names; file-4-kib also matches "file 4 KiB"."""
    by_slug = {slug(name).lower(): name for name in known}

    def names(text: str) -> tuple[str, ...]:
        words = [word for word in text.split(",") if word.strip()]
        unknown = [word for word in words if slug(word).lower() not in by_slug]
        if unknown or not words:
            wrong = f"unknown name: {', '.join(unknown)}" if unknown else "missing name"
            raise argparse.ArgumentTypeError(f"{wrong} (choose from {', '.join(known)})")
        return tuple(by_slug[slug(word).lower()] for word in words)

    return names


def _file(text: str) -> Path:
    """Return the path of an output file; check that it can be written before an hour of measuring."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"cannot write file: {text!r}")
    return path
