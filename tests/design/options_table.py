"""The table of all options in ``handlers/README.md``, generated from the parser.

python -m tests.design.options_table      replaces the table between the two markers
"""

import argparse
import re
from collections.abc import Iterator

from reactor.cli.option_types import FileOnly, variable
from reactor.cli.options import make_parser
from tests.design.sources import ROOT

FILE = ROOT / "handlers" / "README.md"
BEGIN, END = "<!-- options: written by python -m tests.design.options_table -->\n", "<!-- /options -->\n"

FILE_ONLY = """
### Configuration file and environment only

Most of these options tune internals: flow control, and how the clients share an iteration of the event loop.
They have no form on the command line.

| name in the file | environment variable | default | effect |
|---|---|---|---|
"""


def options_table() -> str:
    """Return a Markdown table for each group of options: option, default, help."""
    parts = []
    parser = make_parser()
    for group in parser._action_groups:
        shown = [action for action in group._group_actions if not isinstance(action, FileOnly)]
        rows = [_row(action) for action in shown if action.dest != "help"]
        title = str(group.title)
        if rows:
            parts.append(
                f"\n### {title[:1].upper() + title[1:]}\n\n| option | default | effect |\n|---|---|---|\n"
            )
            parts.extend(rows)
    parts.append(FILE_ONLY)
    parts.extend(_file_only_row(action) for action in parser._actions if isinstance(action, FileOnly))
    return "".join(parts) + "\n"


def _file_only_row(action: FileOnly) -> str:
    name = action.dest.replace("_", "-")
    return f"| `{name}` | `{variable(action)}` | {action.shown} | {action.effect} |\n"


def _row(action: argparse.Action) -> str:
    help_text = (action.help or "") % vars(action)
    written = re.search(r"\(default: (.*)\)$", help_text)
    default = written[1] if written else "off" if action.nargs == 0 else "none"
    effect = re.sub(r" \(default: .*\)$", "", help_text).replace("|", "\\|")
    names = ", ".join(action.option_strings)
    return f"| `{(names + _value(action)).strip()}` | {default} | {effect} |\n"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    choices = "{" + ",".join(action.choices or ()) + "}"
    value = action.metavar or (choices if action.choices else action.dest.upper())
    return f" [{value}]" if action.nargs == "?" else f" {value}"


def split(text: str) -> Iterator[str]:
    """Yield the text up to the table, the table, and the rest."""
    before, begin, rest = text.partition(BEGIN)
    table, end, after = rest.partition(END)
    yield from (before + begin, table, end + after)


if __name__ == "__main__":
    head, _, tail = split(FILE.read_text())
    FILE.write_text(head + options_table() + tail)
