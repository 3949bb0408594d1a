"""How fast is it? All questions, one after the other, with tables, a results file and a report.

python -m benchmarks                          all questions: about an hour
python -m benchmarks throughput files         two of them
python -m benchmarks --quick                  all, for a moment: does everything work?
python -m benchmarks show RUN.json            the tables, the report and the assertions of a saved run
python -m benchmarks compare A.json B.json    what has changed
python -m benchmarks readme RUN.json          the table for the README
"""

import sys
from collections.abc import Sequence

from benchmarks.questions import ALIASES, QUESTIONS, question_module
from benchmarks.results import compare, readme_table
from benchmarks.runner import command

COMMANDS = {"show": command.show_saved, "compare": compare.main, "readme": readme_table.main}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    argv = sys.argv[1:] if arguments is None else arguments
    if argv and argv[0] in COMMANDS:
        return COMMANDS[argv[0]](argv[1:])
    parser = command.make_parser("benchmarks", __doc__)
    known = (*QUESTIONS, *ALIASES)
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help=f"{', '.join(QUESTIONS)} (default: all)"
    )
    options = parser.parse_args(argv)
    for name in options.questions:
        if name not in known:
            parser.error(f"there is no question {name!r}; there are {', '.join(QUESTIONS)}")
    chosen = dict.fromkeys(ALIASES.get(name, name) for name in options.questions or QUESTIONS)
    if options.json is None and not options.questions:
        options.json = command.default_results_path()
        print(f"samples are saved in {options.json}", file=sys.stderr)
    return command.run(
        {name: question_module(name).measure for name in chosen}, options, ["-m", "benchmarks", *argv]
    )


if __name__ == "__main__":
    sys.exit(main())
