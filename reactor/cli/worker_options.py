"""Worker options: --workers."""

from reactor.cli.option_types import Group


def add_options(group: Group) -> None:
    """Add the options to a group."""
