"""``python -m reactor``: the command line."""

import sys

from reactor.cli.main import command

sys.exit(command())
