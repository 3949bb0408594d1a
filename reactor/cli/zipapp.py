"""Build ``reactor.pyz``: the whole server in one file, which Python 3.11 or later runs.

    python3 -m reactor.cli.zipapp [FILE]

It packs the package that it is part of, in a checkout or an installation, by the standard library alone.
"""

import shutil
import sys
import tempfile
import zipapp
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def main(arguments: Sequence[str]) -> None:
    """Write the file that the arguments name, ``reactor.pyz`` in the working directory by default."""
    (target,) = arguments or ["reactor.pyz"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Follows the symbolic link to handlers/, which zipapp alone would leave out.
        shutil.copytree(PACKAGE, folder / "reactor", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "__main__.py").write_text("import reactor.__main__\n")
        zipapp.create_archive(folder, target, "/usr/bin/env python3", compressed=True)


if __name__ == "__main__":
    main(sys.argv[1:])
