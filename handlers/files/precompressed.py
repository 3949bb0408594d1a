"""What stands beside a file: the same content in a coding, made before, such as ``NAME.gz``.

1. Of the codings that a client prefers the first one counts that stands there, and is not older than
   the file.
2. Most files have no such variants. That is remembered for as long as their directory is unchanged,
   which one look at it tells; it is not, while the directory has only just been changed, since the
   clock of a file system goes in steps.

It knows no request, and nothing of how a client says what it prefers.
"""

import os
from collections.abc import Callable, Iterable

from reactor.http11.errors import HTTPError

from .cache import SETTLED
from .media_types import CODINGS, MediaType, kind_in_coding
from .metadata import Description, Representation
from .paths import SharedRoot, open_regular

MOST = 4096  # names that are remembered; then they are forgotten

Directory = tuple[int, int, int]


class PrecompressedFiles:
    """Finds representations in a coding beneath one tree. The wall clock is in seconds since the epoch."""

    def __init__(self, tree: SharedRoot, media_type: MediaType, wall_clock: Callable[[], float]) -> None:
        self._tree = tree
        self._media_type = media_type
        self._wall_clock = wall_clock
        self._alone: dict[
            str, Directory
        ] = {}  # names with nothing beside them, by the state of the directory

    def find(self, name: str, codings: Iterable[str], than: Description) -> Representation | None:
        """Return the first of these that stands beside a file, and is not older; None when none does."""
        parts = self._tree.parts(name)
        try:
            parent = self._tree.open_parent(parts)
        except OSError:
            return None
        try:
            status = os.fstat(parent)
            directory = status.st_dev, status.st_ino, status.st_mtime_ns
            if self._alone.get(name) == directory:
                return None
            if not any(_exists(parts[-1] + suffix.encode(), parent) for suffix in CODINGS.values()):
                self._remember(name, directory)
                return None
            return self._first(name, parts[-1], codings, parent, than)
        finally:
            self._tree.close_parent(parent)

    def _remember(self, name: str, directory: Directory) -> None:
        if directory[2] / 1e9 + SETTLED < self._wall_clock():
            if len(self._alone) >= MOST:
                self._alone.clear()
            self._alone[name] = directory

    def _first(
        self, name: str, part: bytes, codings: Iterable[str], parent: int, than: Description
    ) -> Representation | None:
        for coding in codings:
            found = self._open(name, part, coding, parent)
            if found is not None and found.about.stamp[3] >= than.stamp[3]:
                return found
            if found is not None:
                found.close()
        return None

    def _open(self, name: str, part: bytes, coding: str, parent: int) -> Representation | None:
        try:
            file, status = open_regular(part + CODINGS[coding].encode(), parent)
        except (OSError, HTTPError):
            return None
        kind = kind_in_coding(name, self._media_type, coding)
        return Representation(Description(status, kind, self._wall_clock()), None, file)


def _exists(name: bytes, parent: int) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return True
