"""Benchmark the server against others: tables on the terminal, a results file (JSON), an HTML report.

python -m benchmarks                          every question (about an hour)
python -m benchmarks throughput files         selected questions
python -m benchmarks --quick                  a short run that only checks that everything works
python -m benchmarks show RUN.json            tables, report and assertions of a saved run
python -m benchmarks compare A.json B.json    compare two saved runs
python -m benchmarks readme RUN.json          the table of targets as Markdown
"""

import sys
from collections.abc import Sequence

from benchmarks.questions import ALIASES, QUESTIONS, question_module
from benchmarks.results import compare, readme_table
from benchmarks.runner import command

COMMANDS = {"show": command.show_saved, "compare": compare.main, "readme": readme_table.main}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    argv = sys.argv[1:] if arguments is None else arguments
    if argv and argv[0] in COMMANDS:
        return COMMANDS[argv[0]](argv[1:])
    parser = command.make_parser("benchmarks", __doc__)
    known = (*QUESTIONS, *ALIASES)
    parser.add_argument(
        "questions",
        nargs="*",
        metavar="QUESTION",
        help=f"what to measure: {', '.join(QUESTIONS)} (default: all)",
    )
    options = parser.parse_args(argv)
    for name in options.questions:
        if name not in known:
            parser.error(f"unknown question: {name!r} (choose from {', '.join(QUESTIONS)})")
    chosen = dict.fromkeys(ALIASES.get(name, name) for name in options.questions or QUESTIONS)
    if options.json is None and not options.questions:
        options.json = command.default_results_path()
        print(f"saving samples to {options.json}", file=sys.stderr)
    return command.run(
        {name: question_module(name).measure for name in chosen}, options, ["-m", "benchmarks", *argv]
    )


if __name__ == "__main__":
    sys.exit(main())
