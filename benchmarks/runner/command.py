"""The command line of the benchmarks: options, the run of the questions, exit codes; and saved runs.

1. The options are read; an assertion that cannot be read is refused before anything is measured.
2. Each question adds its samples to the run; its tables are printed, and the run is saved.
3. The targets, the self-checks and what was not measured are printed, the report is written.
4. The assertions are compared with the figures.

Exit codes: 0 all is well; 1 an assertion does not hold, a question failed, or nothing was measured; 2 the
command line is wrong; 130 broken off (Ctrl-C), with everything kept that was measured until then.
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
from benchmarks.results.checks import check
from benchmarks.results.environment import environment
from benchmarks.results.samples import Run
from benchmarks.results.statistics import figures
from benchmarks.results.tables import (
    checks_table,
    figures_table,
    measured_targets,
    skipped_table,
    tables,
    targets_table,
)
from benchmarks.results.targets import evaluate, score
from benchmarks.results.units import slug
from benchmarks.runner.config import Config, ShowProgress
from benchmarks.runner.progress import Progress, estimate_seconds
from benchmarks.servers.peers import PEERS
from benchmarks.servers.workloads import WORKLOADS

Measure = Callable[[Config, Run, ShowProgress], None]

FAILED, USAGE_ERROR, INTERRUPTED = 1, 2, 130


def run(questions: Mapping[str, Measure], options: argparse.Namespace, argv: Sequence[str]) -> int:
    """Ask questions, and show what comes of them; return the exit code."""
    if importlib.util.find_spec("psutil") is None:
        print("benchmarks: psutil is not installed (pip install psutil)", file=sys.stderr)
        return USAGE_ERROR
    session = Session(Run(environment(argv)), make_config(options), options.json, list(questions))
    for name, measure in questions.items():
        if not session.ask(name, measure):
            break
    return max(session.exit_code, print_results(session.run, options.html, options.assertions))


class Session:
    """A run that is being measured, and saved after each question."""

    def __init__(self, run: Run, config: Config, path: Path | None, questions: Sequence[str]) -> None:
        self.run, self.config, self.path = run, config, path
        self.progress = Progress(sys.stderr, questions, estimate_seconds(config))
        self.exit_code = 0

    def ask(self, name: str, measure: Measure) -> bool:
        """Ask one question, and print its tables; return False when it was broken off."""
        self.progress.begin(name)
        try:
            measure(self.config, self.run, self.progress.show)
        except KeyboardInterrupt:
            self.run.skipped[f"{name}, from some place on"] = "broken off"
            self.exit_code = INTERRUPTED
        except Exception as error:  # whatever it is, the other questions still have their answers
            self.progress.clear()
            traceback.print_exc()
            self.run.skipped[f"{name}, from some place on"] = f"{type(error).__name__}: {error}"
            self.exit_code = FAILED
        self.progress.end()
        self.save()
        for table in tables(self.run, name):
            print(f"{table.text()}\n", flush=True)
        return self.exit_code != INTERRUPTED

    def save(self) -> None:
        """Write the results file, so that it is whole at any time."""
        if self.path is not None:
            beside = self.path.with_name(f"{self.path.name}.part")
            self.run.save(beside)
            beside.replace(self.path)


def print_results(run: Run, html: Path | None, assertions: Sequence[Assertion]) -> int:
    """Print what comes of all samples together, and write the report; return the exit code."""
    known = figures(run)
    verdicts = evaluate(known)
    if measured_targets(verdicts):
        print(f"{targets_table(measured_targets(verdicts)).text()}\n{score(verdicts)}\n")
    if run.samples:
        print(f"{checks_table(check(run)).text()}\n")
    if run.skipped:
        print(f"{skipped_table(run).text()}\n")
    if html is not None:
        # Here, since nobody else needs it.
        from benchmarks.report import page

        html.write_text(page(run))
        print(f"report: {html}")
    for each in assertions:
        print(each.verdict(known))
    return 0 if run.samples and all(each.holds(known) for each in assertions) else FAILED


# Saved runs.

SHOW = """A run that was saved, shown again: its tables, its report, its assertions. Nothing is measured.

python -m benchmarks show RUN.json --html report.html --assert 'hot.floor>=0.70'
"""


def show_saved(arguments: Sequence[str] | None = None) -> int:
    """Show a saved run; return 1 when an assertion does not hold, 2 for a file that holds no run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks show",
        description=SHOW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN.json")
    parser.add_argument("--figures", action="store_true", help="print all figures by their names instead")
    add_output_options(parser)
    options = parser.parse_args(arguments)
    try:
        run = Run.load(options.run)
    except (OSError, ValueError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if options.figures:
        print(figures_table(run).text())
        return 0
    for question in QUESTIONS:
        for table in tables(run, question):
            print(f"{table.text()}\n")
    return print_results(run, options.html, options.assertions)


# Options.


def make_parser(name: str, docstring: str | None) -> argparse.ArgumentParser:
    """Return what reads the options that all questions share."""
    result = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=docstring,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config = Config()
    add = result.add_argument
    add("--rounds", type=_positive(int), default=config.rounds, metavar="N", help="(default: %(default)s)")
    add(
        "--seconds",
        type=_positive(float),
        default=config.seconds,
        help="of each round (default: %(default)s)",
    )
    add(
        "--connections",
        type=_positive(int),
        default=config.connections,
        metavar="N",
        help="(default: %(default)s)",
    )
    add("--peers", type=_names(PEERS), default=(), metavar="A,B", help="only these, and reactor")
    workloads = (*WORKLOADS, *SITUATIONS, *(each.name for each in SCENARIOS))
    add("--workloads", type=_names(workloads), default=(), metavar="X,Y", help="only these")
    add("--quick", action="store_true", help="small sizes, one short round: does everything work?")
    add("--json", type=_file, metavar="FILE", help="save all samples there, after each question")
    add_output_options(result)
    return result


def add_output_options(result: argparse.ArgumentParser) -> None:
    """Add the options of whatever shows a run."""
    add = result.add_argument
    add("--html", type=_file, metavar="FILE", help="write the report there: one file, with charts")
    add(
        "--assert",
        dest="assertions",
        type=parse_assertion,
        action="append",
        default=[],
        metavar="EXPR",
        help="exit with 1 unless this holds, as 'hot.floor>=0.70'; may be repeated",
    )
    add("--list-figures", action=ListFigures, help="print what --assert understands, and exit")


class ListFigures(argparse.Action):
    """Prints how figures are named, and ends."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Do it."""
        print(figures_help())
        parser.exit()


def make_config(options: argparse.Namespace) -> Config:
    """Return the configuration that the options make."""
    return Config(
        rounds=options.rounds,
        seconds=options.seconds,
        connections=options.connections,
        peers=options.peers,
        workloads=options.workloads,
        quick=options.quick,
    )


def default_results_path() -> Path:
    """Return where a whole run is saved when nobody says where, so that it is not lost."""
    return Path(tempfile.gettempdir()) / f"benchmarks-{datetime.now():%Y%m%d-%H%M%S}.json"


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    return number


def _names(known: Sequence[str] | Mapping[str, object]) -> Callable[[str], tuple[str, ...]]:
    """Return what reads names with commas between them; file-4-kib is as good as "file 4 KiB"."""
    by_slug = {slug(name).lower(): name for name in known}

    def names(text: str) -> tuple[str, ...]:
        words = [word for word in text.split(",") if word.strip()]
        unknown = [word for word in words if slug(word).lower() not in by_slug]
        if unknown or not words:
            wrong = f"there is no {', '.join(unknown)}" if unknown else "no name is given"
            raise argparse.ArgumentTypeError(f"{wrong}; known are {', '.join(known)}")
        return tuple(by_slug[slug(word).lower()] for word in words)

    return names


def _file(text: str) -> Path:
    """Return a path that can be written; find out before an hour has been measured for it."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path
