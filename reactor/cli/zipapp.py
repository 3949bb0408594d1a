"""Build ``reactor.pyz``, the whole server in one file, for Python 3.11 or later.

    python3 -m reactor.cli.zipapp [FILE]

It packs the package that it is part of, in a checkout or an installation, with the standard library only.
"""

import argparse
import shutil
import sys
import tempfile
import zipapp
from collections.abc import Sequence
from pathlib import Path

from reactor import handlers

PACKAGE = Path(__file__).parents[1]
HANDLERS = Path(handlers.__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file that the arguments name, by default ``reactor.pyz`` in the current directory."""
    parser = argparse.ArgumentParser(
        prog="python -m reactor.cli.zipapp", description="Build the whole server in one executable file."
    )
    parser.add_argument("file", nargs="?", default="reactor.pyz", help="file to write (default: %(default)s)")
    target = parser.parse_args(arguments).file
    ignore = shutil.ignore_patterns("__pycache__", "handlers")
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copytree(PACKAGE, folder / "reactor", ignore=ignore)
            shutil.copytree(HANDLERS, folder / "reactor" / "handlers", ignore=ignore)
            (folder / "__main__.py").write_text("import reactor.__main__\n")
            zipapp.create_archive(folder, target, "/usr/bin/env python3", compressed=True)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: cannot write {target!r}: {error.strerror or error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
