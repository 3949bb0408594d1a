"""The store: the files beneath one directory, as they are read and replaced.

1. A file that is small and settled is kept in memory; one ``stat``, at the end of the way that
   ``handlers/files/paths.py`` goes, tells whether it is still what stands there.
2. PrecompressedFiles a file may stand the same content in a coding (``handlers/files/precompressed.py``).
3. An upload goes to a temporary file beside its destination, and is renamed when it is whole
   (``handlers/files/upload.py``). What stands there is shown to whoever has conditions.

Refusals are ``HTTPError`` with a status; the store knows no request and no connection.
"""

import errno
import io
import os
import stat
import time
from collections.abc import Callable
from functools import partial

from reactor.http11.conditional import Validators
from reactor.http11.errors import HTTPError

from .cache import LONGEST, CacheEntry, FileCache
from .media_types import LONGEST_MAGIC, MediaType, kind_of, octets
from .metadata import Description, Representation, stamp_of, validators_of
from .paths import SharedRoot, absent, open_regular, refusal
from .precompressed import PrecompressedFiles
from .upload import Upload, create_temporary, remove_leftovers

# Given the validators of what stands under a name, None for nothing: raises HTTPError to refuse.
Condition = Callable[[Validators | None], None]


def free_space(descriptor: int) -> int:
    """Return how many octets the file system of an open file can still take."""
    space = os.fstatvfs(descriptor)
    return space.f_bavail * space.f_frsize


class Store:
    """The files beneath one directory; raises OSError when there is no such directory.

    The wall clock, in seconds since the epoch, comes in from outside.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        hidden: bool = False,
        fsync: bool = False,
        min_free_space: int = 0,
        free_space: Callable[[int], int] = free_space,
        media_type: MediaType = octets,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.fsync = fsync
        self.wall_clock = wall_clock
        self._min_free_space = min_free_space
        self._free_space = free_space
        self._media_type = media_type
        self.serves_pages = media_type is not octets
        self._tree = SharedRoot(path, hidden)
        self.beside = PrecompressedFiles(self._tree, media_type, wall_clock)
        self.is_visible = self._tree.is_visible
        self._shelf = FileCache()
        self._closing: list[Callable[[], None]] = []

    def close(self) -> None:
        """Let go of the directory, after whatever is to be done before."""
        for function in self._closing:
            function()
        self._tree.close()

    def when_closed(self, function: Callable[[], None]) -> None:
        """Have a function called when the store is closed: who holds uploads must let go of them."""
        self._closing.append(function)

    # Reading.

    def open_directory(self, name: str) -> int:
        """Open a directory, "" for the shared one; return its descriptor. Raise HTTPError."""
        try:
            return self._tree.open_directory(name)
        except OSError as error:
            raise refusal(error) from None

    def find(self, name: str) -> Representation:
        """Return what a regular file holds, from memory or open. Raise HTTPError."""
        kept = self._shelf.get(name)
        parts = self._tree.parts(name) if kept is None else kept.parts
        try:
            parent = self._tree.open_parent(parts)
            try:
                if kept is not None and kept.content is not None:
                    status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
                    if stamp_of(status) == kept.about.stamp:
                        return kept.content
                file, status = open_regular(parts[-1], parent)
            finally:
                self._tree.close_parent(parent)
        except OSError as error:
            raise refusal(error) from None
        now = self.wall_clock()
        known = kept is not None and stamp_of(status) == kept.about.stamp
        if kept is not None and known and not self._shelf.takes_content(kept.about, now):
            return Representation(kept.about, None, file)
        return self._read(name, parts, file, status, now)

    def _read(
        self, name: str, parts: list[bytes], file: io.FileIO, status: os.stat_result, now: float
    ) -> Representation:
        """Represent an open file, and keep for the next time what is worth it."""
        about = Description(status, kind_of(name, self._media_type, _peek(file, LONGEST_MAGIC)), now)
        found = Representation(about, None, file)
        content = None
        if self._shelf.takes_content(about, now):
            octets = _peek(file, LONGEST)
            # Unless it changes under our hands.
            if len(octets) == about.size and stamp_of(os.fstat(file.fileno())) == about.stamp:
                file.close()
                found = content = Representation(about, octets, None)
        self._shelf.keep(name, CacheEntry(parts, about, content))
        return found

    # Writing.

    def create(self, name: str, size: int = 0, condition: Condition | None = None) -> Upload:
        """Begin an upload of at least ``size`` octets. Raise HTTPError.

        The condition is asked now, and again in the moment in which the content would be replaced.
        """
        try:
            parts = self._tree.parts(name)
        except HTTPError:
            raise HTTPError(404, self._tree.fault_of(name)) from None
        parent = self._open_destination(parts)
        try:
            replaces = self._check_destination(parent, parts[-1], condition)
            self.check_space(parent, size)
            again = condition and partial(self._check_destination, parent, parts[-1], condition)
            return Upload(self, parent, create_temporary(parent), parts[-1], size, replaces, again)
        except BaseException as error:
            self.close_parent(parent)
            if isinstance(error, OSError):
                if error.errno == errno.ENAMETOOLONG:
                    raise HTTPError(404, self._tree.fault_of(name)) from None
                raise refusal(error) from None
            raise

    def remove(self, name: str, condition: Condition | None = None) -> None:
        """Remove a file. Raise HTTPError: 404 where there is none, 409 for a directory."""
        parts = self._tree.parts(name)
        try:
            parent = self._tree.open_parent(parts)
            try:
                if not self._check_destination(parent, parts[-1], condition):
                    raise absent()
                os.unlink(parts[-1], dir_fd=parent)
            finally:
                self._tree.close_parent(parent)
        except OSError as error:
            raise refusal(error) from None
        self._shelf.drop(name)

    def check_space(self, descriptor: int, size: int) -> None:
        """Raise HTTPError(507) when ``size`` octets more would leave too little space."""
        if self._free_space(descriptor) - size < self._min_free_space:
            raise HTTPError(507, "there is not enough space")

    def close_parent(self, descriptor: int) -> None:
        """Close the directory of an upload, unless it is the root."""
        self._tree.close_parent(descriptor)

    def remove_leftovers(self) -> int:
        """Remove what a killed process left; return how many files that were."""
        return remove_leftovers(self._tree)

    def _open_destination(self, parts: list[bytes]) -> int:
        try:
            return self._tree.open_parent(parts)
        except FileNotFoundError:
            raise HTTPError(409, "its directory does not exist") from None
        except OSError as error:
            raise refusal(error) from None

    def _check_destination(self, parent: int, name: bytes, condition: Condition | None) -> bool:
        """See that a name may be taken, or what has it removed; return whether something has it.

        Raise HTTPError, or OSError.
        """
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            status = None
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise HTTPError(409, "there is a directory of this name")
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise absent()
        if condition is not None:
            condition(status and validators_of(status, self.wall_clock()))
        return status is not None


def _peek(file: io.FileIO, count: int) -> bytes:
    """Return the first octets of a file; none where it cannot be read, which sending it will show."""
    try:
        return os.pread(file.fileno(), count, 0)
    except OSError:
        return b""
