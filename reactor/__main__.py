"""The entry point of ``python -m reactor``."""

import sys

from reactor.cli.main import command

sys.exit(command())
