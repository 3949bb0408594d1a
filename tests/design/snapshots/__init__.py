"""Snapshots of the texts that users read and of all limits, so that each change is made on purpose.

    help.txt        the output of --help, 100 columns wide
    messages.txt    every log message and every error message of the product, by file; why connections close
    limits.txt      the numbers that are constants of a module, by file; Settings has the others

``python -m tests.design.snapshots`` writes them; tests/design/test_snapshots.py compares them.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest.mock import patch

from reactor.cli.options import make_parser
from reactor.server.state import CloseReason
from tests.design.snapshots.limits import limits_of
from tests.design.snapshots.messages import messages_of
from tests.design.sources import read_sources

FOLDER = Path(__file__).parent
COMMAND = "python -m tests.design.snapshots"


@cache
def help_text() -> str:
    """Return the output of --help."""
    with patch.dict(os.environ, COLUMNS="100", PYTHON_COLORS="0"):
        return make_parser().format_help()


@cache
def message_text() -> str:
    """Return all messages, one a line, with the file and the kind of each; then the reasons in the log."""
    reasons = [f"close reason {each}: {each.text}" for each in CloseReason]
    return "".join(f"{text}\n" for text in (*messages_of(read_sources("reactor", "handlers")), *reasons))


@cache
def limit_text() -> str:
    """Return all limits, one a line, with the file of each."""
    return "".join(f"{text}\n" for text in limits_of(read_sources("reactor", "handlers")))


SNAPSHOTS: dict[str, Callable[[], str]] = {
    "help.txt": help_text,
    "messages.txt": message_text,
    "limits.txt": limit_text,
}


def write_snapshots(folder: Path = FOLDER) -> None:
    """Write all snapshots."""
    for name, text in SNAPSHOTS.items():
        (folder / name).write_text(text(), encoding="utf-8")
