"""Precompressed variants of a file (NAME.gz, NAME.br, NAME.zst), which are served in place of it.

1. The variant is the first, in the client's order of preference, that exists, is not older than the file and
   begins with the signature of its format: another file may have that name. Brotli has no signature; a
   skippable frame of zstd is not accepted, because LZ4 has the same.
2. Most files have no variants. That a file has none is cached while its directory is unchanged, which one
   ``fstat`` shows; but not if the directory was changed recently, since file system clocks advance in steps.
   The change time is compared: programs that copy trees set the modification time of a directory afterwards.
"""

import io
import os
from collections.abc import Callable
from functools import lru_cache

from reactor.http11.accept import preferred_codings
from reactor.http11.errors import HTTPError

from .cache import MIN_AGE
from .closing import Closer
from .media_types import CODINGS, MediaType, file_type_of_variant
from .metadata import MTIME, FileMetadata, Representation
from .paths import SharedRoot, open_regular

SIGNATURES = {"br": b"", "zstd": b"\x28\xb5\x2f\xfd", "gzip": b"\x1f\x8b\x08"}  # RFC 8878 and 1952
MAX_CACHED_NAMES = 4096  # names without variants; the cache is cleared when it is full

Directory = tuple[int, int, int]


class PrecompressedFiles:
    """Finds the variants of files in one root. ``wall_clock`` returns seconds since the epoch."""

    def __init__(
        self, root: SharedRoot, closer: Closer, media_type: MediaType, wall_clock: Callable[[], float]
    ) -> None:
        self._root = root
        self._closer = closer
        self._media_type = media_type
        self._wall_clock = wall_clock
        # Names without variants, with the fingerprint of their directory.
        self._without_variants: dict[str, Directory] = {}
        # Each key is at most as long as a head: 2 MiB in total by default.
        self._preferred_codings = lru_cache(maxsize=64)(preferred_codings)

    def find(self, name: str, accept_encoding: str, original: FileMetadata) -> Representation | None:
        """Return the variant that the client prefers and that is not older than the original, or None."""
        parts = self._root.parts(name)
        try:
            parent = self._root.open_parent(parts)
        except OSError:
            return None
        try:
            status = os.fstat(parent)
            directory = status.st_dev, status.st_ino, status.st_ctime_ns
            if self._without_variants.get(name) == directory:
                return None
            if not any(_exists(parts[-1] + suffix.encode(), parent) for suffix in CODINGS.values()):
                self._cache_without_variants(name, directory)
                return None
            return self._open_preferred(name, parts[-1], accept_encoding, parent, original)
        finally:
            self._root.close_parent(parent)

    def _cache_without_variants(self, name: str, directory: Directory) -> None:
        if directory[2] / 1e9 + MIN_AGE < self._wall_clock():
            if len(self._without_variants) >= MAX_CACHED_NAMES:
                self._without_variants.clear()
            self._without_variants[name] = directory

    def _open_preferred(
        self, name: str, part: bytes, accept_encoding: str, parent: int, original: FileMetadata
    ) -> Representation | None:
        for coding in self._preferred_codings(accept_encoding):
            variant = self._open(name, part, coding, parent)
            if variant is not None and variant.metadata.fingerprint[MTIME] >= original.fingerprint[MTIME]:
                return variant
            if variant is not None:
                variant.close()
        return None

    def _open(self, name: str, part: bytes, coding: str, parent: int) -> Representation | None:
        try:
            file, status = open_regular(part + CODINGS[coding].encode(), parent)
        except (OSError, HTTPError):
            return None
        if not _begins_with(file, SIGNATURES[coding]):
            file.close()
            return None
        file_type = file_type_of_variant(name, self._media_type, coding)
        metadata = FileMetadata(status, file_type, self._wall_clock())
        return Representation(metadata, None, self._closer.closing_later(file, metadata.size))


def _exists(name: bytes, parent: int) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return False
    return True


def _begins_with(file: io.FileIO, signature: bytes) -> bool:
    """Return whether a file begins with a signature, and is not empty."""
    try:
        beginning = os.pread(file.fileno(), len(signature) or 1, 0)
    except OSError:
        return False
    return bool(beginning) and beginning.startswith(signature)
