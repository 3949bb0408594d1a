"""Measuring and showing: options, questions, results, exit codes.

Invalid options, and servers of the user that do not respond, are errors before anything is measured. The run
is saved after each question.

Exit codes: 0 success; 1 an assertion does not hold, a target is missed under attack, a question failed, or
nothing was measured; 2 usage error; 130 interrupted (Ctrl-C), with all samples up to then saved.
"""

import argparse
import random
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.attack.scenarios import SCENARIOS
from benchmarks.questions import QUESTIONS, question_module
from benchmarks.results.assertions import SITUATIONS, Assertion, parse_assertion
from benchmarks.results.compare import parser_of
from benchmarks.results.environment import environment
from benchmarks.results.samples import Run
from benchmarks.results.statistics import figures
from benchmarks.results.tables import closing_tables, figures_table, tables
from benchmarks.results.targets import ATTACKED, MISSED, evaluate
from benchmarks.results.units import slug
from benchmarks.runner.progress import Progress
from benchmarks.runner.rounds import Config
from benchmarks.servers.own import at_url, by_command, checked, in_checkout
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import StartError
from benchmarks.servers.workloads import WORKLOADS

QUICK_SECONDS = 0.3  # of each round
FAILED, USAGE_ERROR, INTERRUPTED = 1, 2, 130


def run(questions: Sequence[str], options: argparse.Namespace, argv: Sequence[str]) -> int:
    """Measure the questions and print the results; return the exit code."""
    try:
        config = make_config(options)
    except StartError as error:
        print("\n  ".join([f"benchmarks: {error.reason}", *error.output]), file=sys.stderr)
        return USAGE_ERROR
    print(f"seed: {config.seed}", file=sys.stderr)
    run, code = Run({**environment(argv), "seed": config.seed}), 0
    progress = Progress(sys.stderr, questions)
    for name in questions:
        progress.begin(name)
        try:
            question_module(name).measure(config, run, progress.show)
        except KeyboardInterrupt:
            run.skipped[f"{name}, the rest"] = "interrupted"
            code = INTERRUPTED
        except Exception as error:  # continue with the other questions
            print(f"\n{traceback.format_exc()}", file=sys.stderr)
            run.skipped[f"{name}, the rest"] = f"{type(error).__name__}: {error}"
            code = FAILED
        progress.end()
        if options.json is not None:
            run.save(options.json)
        print_tables(run, [name])
        if code == INTERRUPTED:
            break
    if not (run.samples or run.skipped):
        chosen = ", ".join(map(slug, options.workloads))
        reason = f"no workload of {', '.join(questions)} selected by --workloads {chosen}"
        print(f"benchmarks: {reason}", file=sys.stderr)
    return max(code, print_results(run, options.html, options.assertions))


def print_tables(run: Run, questions: Iterable[str]) -> None:
    """Print the tables of questions; nothing for those that were not measured."""
    for question in questions:
        for table in tables(run, question):
            print(f"{table.text()}\n", flush=True)


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
    verdicts = evaluate(known)
    missed = any(each.target.workload == ATTACKED and each.result == MISSED for each in verdicts)
    return 0 if run.samples and not missed and all(each.holds(known) for each in assertions) else FAILED


SHOW = """Show a saved run: tables, report and assertions. Nothing is measured.

python -m benchmarks show RUN.json --html report.html --assert 'hot.floor>=0.70'
"""


def show_saved(arguments: Sequence[str] | None = None) -> int:
    """Show a saved run; return 1 when an assertion does not hold."""
    parser = parser_of("python -m benchmarks show", SHOW)
    parser.add_argument("run", type=Run.load, metavar="RUN.json")
    parser.add_argument("--figures", action="store_true", help="print only the list of all figures, by name")
    add_output_options(parser.add_argument)
    options = parser.parse_args(arguments)
    if options.figures:
        print(figures_table(options.run).text())
        return 0
    print_tables(options.run, QUESTIONS)
    return print_results(options.run, options.html, options.assertions)


# Options.


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the command that measures."""
    parser = parser_of("python -m benchmarks", description)
    parser.usage = "python -m benchmarks [QUESTION ...] [OPTION ...]"
    words = "what to measure (default: all; with --url or --command: throughput)"
    parser.add_argument("questions", nargs="*", type=_name(QUESTIONS), metavar="QUESTION", help=words)

    add = parser.add_argument_group("servers").add_argument
    words = "measure only these servers and reactor (default: those that the question needs; with --url or"
    words += f" --command: bare-loop): {', '.join(map(slug, PEERS))}"
    add("--peers", type=_names(PEERS), default=(), metavar="A,B", help=words)
    words = "measure also the server at this loopback address, by requests for the URL's path; repeatable"
    add("--url", type=at_url, action="append", dest="own", default=[], metavar="URL", help=words)
    words = "measure also the server that this command starts on port {port}, by requests for /; repeatable"
    add("--command", type=by_command, action="append", dest="own", metavar="CMD", help=words)
    words = "measure also Reactor from the checkout in this directory, such as an older commit; repeatable"
    add("--checkout", type=in_checkout, action="append", dest="own", metavar="DIR", help=words)

    add = parser.add_argument_group("measurement").add_argument
    add("--rounds", type=_positive(int), metavar="N", help=f"number of rounds (default: {Config.rounds})")
    words = f"duration of a round in seconds (default: {Config.seconds:g})"
    add("--seconds", type=_positive(float), metavar="SECONDS", help=words)
    words = f"concurrent connections (default: {Config.connections})"
    add("--connections", type=_positive(int), default=Config.connections, metavar="N", help=words)
    words = "seed of the texts and the order of header lines, other ones in each round (default: random)"
    add("--seed", type=int, default=random.randrange(10**6), metavar="N", help=words)
    workloads = (*WORKLOADS, *SITUATIONS, *(each.name for each in SCENARIOS))
    words = f"measure only these workloads: {', '.join(map(slug, workloads))}"
    add("--workloads", type=_names(workloads), default=(), metavar="X,Y", help=words)
    words = f"check that everything works: small sizes, one round of {QUICK_SECONDS:g} seconds"
    add("--quick", action="store_true", help=words)

    add = parser.add_argument_group("results").add_argument
    add("--json", type=_file, metavar="FILE", help="save all samples to FILE after each question")
    add_output_options(add)
    return parser


def add_output_options(add: Callable[..., object]) -> None:
    """Add the options for the results of a run, by a parser's or a group's ``add_argument``."""
    add("--html", type=_file, metavar="FILE", help="write an HTML report with charts to FILE")
    kind = {"type": parse_assertion, "action": "append", "default": [], "metavar": "EXPR"}
    words = "exit with status 1 unless EXPR holds, for example 'hot.floor>=0.70'; repeatable"
    add("--assert", dest="assertions", help=words, **kind)


def make_config(options: argparse.Namespace) -> Config:
    """Return the configuration from the options; raise StartError."""
    return Config(
        rounds=options.rounds or (1 if options.quick else Config.rounds),
        seconds=options.seconds or (QUICK_SECONDS if options.quick else Config.seconds),
        connections=options.connections,
        peers=options.peers or (("bare loop",) if options.own else ()),
        workloads=options.workloads,
        quick=options.quick,
        own=checked(options.own),
        seed=options.seed,
    )


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"invalid value: {text!r} (must be greater than 0)")
        return value

    return number


def _name(known: Iterable[str]) -> Callable[[str], str]:
    """Return a parser for a name; file-4-kib also matches "file 4 KiB"."""
    by_slug = {slug(name).lower(): name for name in known}

    def name(text: str) -> str:
        if found := by_slug.get(slug(text).lower()):
            return found
        choice = ", ".join(map(slug, by_slug.values()))
        raise argparse.ArgumentTypeError(f"unknown name: {text!r} (choose from {choice})")

    return name


def _names(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a parser for comma-separated names."""
    return lambda text: tuple(map(_name(known), text.split(",")))


def _file(text: str) -> Path:
    """Return the path of an output file; check that it can be written before an hour of measuring."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        reason = "is a directory" if path.is_dir() else f"directory not found: {str(path.parent)!r}"
        raise argparse.ArgumentTypeError(f"cannot write file: {text!r}: {reason}")
    return path
