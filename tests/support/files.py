"""The file system that tests use, and the files of uploads in it."""

import os
from pathlib import Path

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.unnamed import can_use_unnamed


def supports_unnamed(path: Path) -> bool:
    """Return whether a directory can have files without a name."""
    directory = os.open(path, os.O_RDONLY)
    try:
        return can_use_unnamed(directory)
    except OSError:
        return False
    finally:
        os.close(directory)


def open_uploads(directory: Path, process: int | str = "self") -> list[Path]:
    """Return the files of uploads that are open below a directory, named or not, by their paths in /proc."""
    found = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        file = Path(os.readlink(link)) if link.is_symlink() else link
        # Linux shows a file without a name as "#", its inode, and " (deleted)".
        if file.is_relative_to(directory) and file.name.startswith((TEMPORARY_PREFIX, "#")):
            found.append(link)
    return found
