"""Benchmark HTTP servers side by side: Reactor, well-known others, and your own.

python -m benchmarks                          every question (about an hour)
python -m benchmarks throughput files         selected questions
python -m benchmarks --quick                  a short run that only checks that everything works
python -m benchmarks show RUN.json            tables, report and assertions of a saved run
python -m benchmarks compare A.json B.json    compare two saved runs
python -m benchmarks readme RUN.json          the table of targets as Markdown

Your own server next to reactor and the floor (a bare loop that sends a constant response):

python -m benchmarks throughput --url http://127.0.0.1:8000/items
python -m benchmarks throughput --command 'uvicorn app:app --port {port}'
python -m benchmarks attack --checkout ../before          another checkout of Reactor

Every response must be like the first one: status 2xx, with the same body. Turn off the access log for a fair
comparison. Questions that need the application of the benchmarks skip such a server. A server at a URL is
not started, stopped or pinned to a core; its CPU time and memory are unknown if its process cannot be seen.
"""

import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.questions import QUESTIONS
from benchmarks.results import compare, readme_table
from benchmarks.runner import command

COMMANDS = {"show": command.show_saved, "compare": compare.main, "readme": readme_table.main}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    argv = sys.argv[1:] if arguments is None else arguments
    if argv and argv[0] in COMMANDS:
        return COMMANDS[argv[0]](argv[1:])
    listed = "\n".join(f"  {name:12} {question}" for name, question in QUESTIONS.items())
    parser = command.make_parser(f"{__doc__ or ''}\nquestions:\n{listed}")
    options = parser.parse_args(argv)
    if importlib.util.find_spec("psutil") is None:
        parser.error("psutil is not installed (pip install psutil)")
    asked = options.questions or (["throughput"] if options.own else QUESTIONS)
    if options.json is None and len(asked) == len(QUESTIONS):
        options.json = Path(tempfile.gettempdir()) / f"benchmarks-{datetime.now():%Y%m%d-%H%M%S}.json"
        print(f"saving samples to {options.json}", file=sys.stderr)
    return command.run([*dict.fromkeys(asked)], options, ["-m", "benchmarks", *argv])


if __name__ == "__main__":
    sys.exit(main())
