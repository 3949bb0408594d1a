"""``python -m reactor``: the command line."""

import sys

from reactor.cli import main

sys.exit(main())
