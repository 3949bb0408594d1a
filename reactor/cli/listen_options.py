"""Listen options: --listen and --unix, and the sockets that a service manager passes."""

import argparse
from collections.abc import Sequence

from reactor.cli.option_types import Group
from reactor.server.listen import Listener


def add_options(group: Group) -> None:
    """Add the options to a group."""


def open_listeners(options: argparse.Namespace) -> Sequence[Listener]:
    """Open the listening sockets that are used in place of --host and --port; raise StartError."""
    return ()
