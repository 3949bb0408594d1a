"""How fast is it? All questions, one after the other, with tables, a results file and a report.

python -m benchmarks                          all questions: about an hour
python -m benchmarks throughput files         two of them
python -m benchmarks --quick                  all, for a moment: does everything work?
python -m benchmarks show RUN.json            the tables, the report and the gates of a saved run
python -m benchmarks compare A.json B.json    what has changed
python -m benchmarks readme RUN.json          the table for the README
"""

import sys
from collections.abc import Sequence

from benchmarks.questions import ALSO_CALLED, QUESTIONS, module_of
from benchmarks.results import compare, readme_table
from benchmarks.runner import command

COMMANDS = {"show": command.show_saved, "compare": compare.main, "readme": readme_table.main}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in COMMANDS:
        return COMMANDS[words[0]](words[1:])
    parser = command.parser("benchmarks", __doc__)
    known = (*QUESTIONS, *ALSO_CALLED)
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help=f"{', '.join(QUESTIONS)} (default: all)"
    )
    options = parser.parse_args(words)
    for name in options.questions:
        if name not in known:
            parser.error(f"there is no question {name!r}; there are {', '.join(QUESTIONS)}")
    chosen = dict.fromkeys(ALSO_CALLED.get(name, name) for name in options.questions or QUESTIONS)
    if options.json is None and not options.questions:
        options.json = command.default_path()
        print(f"samples are saved in {options.json}", file=sys.stderr)
    return command.run(
        {name: module_of(name).measure for name in chosen}, options, ["-m", "benchmarks", *words]
    )


if __name__ == "__main__":
    sys.exit(main())
