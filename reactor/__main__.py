"""``python -m reactor``: the command line."""

import sys

from reactor.cli import command

sys.exit(command())
