"""Precompressed variants of a file (NAME.gz, NAME.br, NAME.zst) that are served in place of it.

1. The variant is the first, in the client's order of preference, that exists and is not older than
   the file.
2. Most files have no variants. That is remembered for as long as their directory is unchanged, which
   one ``fstat`` shows; not, however, while the directory has only just been changed, since the clock of
   a file system advances in steps.

It knows no request.
"""

import os
from collections.abc import Callable
from functools import lru_cache

from reactor.http11.accept import preferred_codings
from reactor.http11.errors import HTTPError

from .cache import MIN_AGE
from .media_types import CODINGS, MediaType, file_type_of_variant
from .metadata import FileMetadata, Representation
from .paths import SharedRoot, open_regular

MAX_REMEMBERED = 4096  # names without variants; when there are more, all are forgotten

Directory = tuple[int, int, int]


class PrecompressedFiles:
    """Finds the variants of the files of one root. The wall clock is in seconds since the epoch."""

    def __init__(self, root: SharedRoot, media_type: MediaType, wall_clock: Callable[[], float]) -> None:
        self._root = root
        self._media_type = media_type
        self._wall_clock = wall_clock
        # Names without variants, with the state of their directory.
        self._without_variants: dict[str, Directory] = {}
        # At most a head each: 2 MiB by default.
        self._preferred_codings = lru_cache(maxsize=64)(preferred_codings)

    def find(self, name: str, accept_encoding: str, original: FileMetadata) -> Representation | None:
        """Return the variant that a client prefers, if one exists and is not older than the original."""
        parts = self._root.parts(name)
        try:
            parent = self._root.open_parent(parts)
        except OSError:
            return None
        try:
            status = os.fstat(parent)
            directory = status.st_dev, status.st_ino, status.st_mtime_ns
            if self._without_variants.get(name) == directory:
                return None
            if not any(_exists(parts[-1] + suffix.encode(), parent) for suffix in CODINGS.values()):
                self._remember(name, directory)
                return None
            return self._first(name, parts[-1], accept_encoding, parent, original)
        finally:
            self._root.close_parent(parent)

    def _remember(self, name: str, directory: Directory) -> None:
        if directory[2] / 1e9 + MIN_AGE < self._wall_clock():
            if len(self._without_variants) >= MAX_REMEMBERED:
                self._without_variants.clear()
            self._without_variants[name] = directory

    def _first(
        self, name: str, part: bytes, accept_encoding: str, parent: int, original: FileMetadata
    ) -> Representation | None:
        for coding in self._preferred_codings(accept_encoding):
            found = self._open(name, part, coding, parent)
            if found is not None and found.metadata.fingerprint[3] >= original.fingerprint[3]:
                return found
            if found is not None:
                found.close()
        return None

    def _open(self, name: str, part: bytes, coding: str, parent: int) -> Representation | None:
        try:
            file, status = open_regular(part + CODINGS[coding].encode(), parent)
        except (OSError, HTTPError):
            return None
        variant = file_type_of_variant(name, self._media_type, coding)
        return Representation(FileMetadata(status, variant, self._wall_clock()), None, file)


def _exists(name: bytes, parent: int) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return True
