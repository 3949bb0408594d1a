"""Worker options: --workers."""

import argparse
import os
from typing import Protocol

from reactor.cli.option_types import Group

MAX_WORKERS = 256


def add_options(group: Group) -> None:
    """Add the options to a group."""
    group.add_argument(
        "--workers",
        type=workers,
        default=1,
        metavar="N",
        help="number of processes that serve; auto: one for each usable CPU. Each has its own limits and its "
        "own table of failed logins; --inspect, --explain and --trace observe the first one "
        "(default: %(default)s)",
    )


def workers(text: str) -> int:
    """Parse a number of workers, or "auto"."""
    if text == "auto":
        return min(_usable_cpus(), MAX_WORKERS)
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(
            f"invalid number of workers: {text!r} (expected 1 to {MAX_WORKERS}, or auto)"
        )
    return int(text)


def _usable_cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


class _Parser(Protocol):
    """Reports an error, and exits."""

    def error(self, message: str) -> object:
        """Report an error, and exit."""


def check(parser: _Parser, options: argparse.Namespace) -> None:
    """Report an option that cannot be used with several workers; exit."""
    if options.workers > 1 and options.resumable:
        parser.error(
            f"{options.origins['resumable']} needs a single process, which keeps the state of the uploads: "
            f"omit it, or {options.origins['workers']}"
        )
