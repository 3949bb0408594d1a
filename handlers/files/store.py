"""The file store: reads, replaces and removes the files of one directory; or reads a single file.

1. Small files that were not modified recently are cached in memory (``cache.py``). Each use validates the
   cache entry with one ``stat`` through a safe path (``paths.py``).
2. A file may have precompressed variants (``precompressed.py``), if they are enabled.
3. An upload is written to a file in the destination directory that gets its name when it is complete
   (``upload.py``). Preconditions are evaluated for the file that it replaces.
4. Large files that are replaced or removed are closed in the background (``closing.py``).

Errors are raised as ``HTTPError`` with a status. The store does not depend on requests or connections.
"""

import errno
import io
import os
import stat
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from threading import BoundedSemaphore

from reactor.http11.deferred import Call
from reactor.http11.errors import HTTPError

from .cache import MAX_FILE_SIZE, CacheEntry, FileCache
from .closing import LARGE, Closer
from .directory import Entries, EntryBatches
from .idle_lock import IdleLock
from .leftovers import remove_leftovers
from .media_types import MediaType, binary, file_type
from .metadata import MTIME, FileMetadata, Representation, fingerprint_of, validators_of
from .names import find_refused_character, refused_character
from .open_files import OpenFileLimit
from .paths import MAX_NAME_LENGTH, http_error_from, not_found, open_regular, open_root
from .precompressed import PrecompressedFiles
from .temporary import TemporaryFile, UploadFile
from .unnamed import UnnamedFiles
from .upload import Condition, Upload

MAX_COMPRESSIONS = 64  # each takes 256 KiB; beyond it, files are sent uncompressed


def free_space(descriptor: int) -> int:
    """Return the free space, in bytes, of the file system that holds an open file."""
    space = os.fstatvfs(descriptor)
    return space.f_bavail * space.f_frsize


class Store:
    """The files of one directory, or a single file. Raises OSError if it cannot be opened.

    ``min_free_space`` is the number of bytes that uploads must leave free. ``precompressed`` enables variants
    of files, but not of a single file. ``wall_clock`` returns seconds since the epoch, ``clock`` seconds that
    never go backwards.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        hidden: bool = False,
        fsync: bool = False,
        min_free_space: int = 0,
        free_space: Callable[[int], int] = free_space,
        media_type: MediaType = binary,
        precompressed: bool = False,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fsync = fsync
        self.wall_clock = wall_clock
        self._min_free_space = min_free_space
        self._free_space = free_space
        self._media_type = media_type
        self.serves_pages = media_type is not binary  # index.html in place of a listing
        self._clock = clock
        self.root = open_root(path, hidden, clock)
        self.open_files = OpenFileLimit()
        self._idle_lock = IdleLock(self.root, self.open_files)
        self._unnamed = UnnamedFiles(self.root)
        self.closer = Closer()
        self.is_single_file = self.root.is_single_file
        self.precompressed: PrecompressedFiles | None = None
        if precompressed and not self.is_single_file:
            self.precompressed = PrecompressedFiles(self.root, self.closer, media_type, wall_clock)
        self.compressions = BoundedSemaphore(MAX_COMPRESSIONS)  # files that are being compressed
        self._cache = FileCache()
        self._cached_generation = self.root.generation
        self._close_callbacks: list[Callable[[], None]] = []

    def close(self) -> None:
        """Call the functions passed to ``on_close``, then close the directory."""
        for function in self._close_callbacks:
            function()
        self.root.close()

    def on_close(self, function: Callable[[], None]) -> None:
        """Register a function that ``close`` calls first (to close unfinished uploads)."""
        self._close_callbacks.append(function)

    def close_in_background(self, in_background: Call) -> None:
        """Use a function that calls others in the background, for closing large files."""
        self.closer.use(in_background)

    def check(self) -> None:
        """Look up the shared path, at most once a second; raise HTTPError if it cannot be opened."""
        self.root.check()
        if self.root.generation != self._cached_generation:
            self._cached_generation = self.root.generation
            self._cache = FileCache()

    # Reading.

    def open_directory(self, name: str) -> int:
        """Open a directory ("": the shared one); return its descriptor. Raise HTTPError."""
        self.check()
        try:
            return self.root.open_directory(name)
        except OSError as error:
            raise http_error_from(error) from None

    def entries(self, name: str) -> EntryBatches:
        """Return the entries of a directory ("": the shared one), in batches. Raise HTTPError."""
        self.check()
        with ExitStack() as stack:
            self.open_files.acquire()
            stack.callback(self.open_files.release)
            try:
                entries = self.root.entries(name)
            except OSError as error:
                raise http_error_from(error) from None
            if isinstance(entries, Entries):
                entries.on_close(stack.pop_all().close)
        return entries

    def find(self, name: str) -> Representation:
        """Return the representation of a regular file, from the cache, or by opening it. Raise HTTPError."""
        if self._clock() >= self.root.check_at:  # here and in ``create`` to save two calls per request
            self.check()
        entry = self._cache.get(name)
        parts = self.root.parts(name) if entry is None else entry.parts
        try:
            parent = self.root.open_parent(parts)
            try:
                if entry is not None and entry.representation is not None:
                    status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
                    if fingerprint_of(status) == entry.metadata.fingerprint:
                        return entry.representation
                file, status = open_regular(parts[-1], parent)
            finally:
                self.root.close_parent(parent)
        except OSError as error:
            raise http_error_from(error) from None
        now = self.wall_clock()
        is_unchanged = entry is not None and fingerprint_of(status) == entry.metadata.fingerprint
        if entry is not None and is_unchanged and not self._cache.accepts_content(entry.metadata, now):
            return Representation(entry.metadata, None, self.closer.closing_later(file, status.st_size))
        return self._read(name, parts, file, status, now)

    def _read(
        self, name: str, parts: list[bytes], file: io.FileIO, status: os.stat_result, now: float
    ) -> Representation:
        """Create the representation of an open file and cache it."""
        has_variants = self.precompressed is not None
        metadata = FileMetadata(status, file_type(name, self._media_type, has_variants), now)
        result = Representation(metadata, None, self.closer.closing_later(file, metadata.size))
        cached = None
        if self._cache.accepts_content(metadata, now):
            data = _read_unchanged(file, metadata)
            if data is not None:
                file.close()
                result = cached = Representation(metadata, data, None)
        if metadata.fingerprint[MTIME] <= now * 1e9:  # in the future, Last-Modified is missing only for now
            self._cache.put(name, CacheEntry(parts, metadata, cached))
        return result

    # Writing.

    def create(
        self,
        name: str,
        size: int = 0,
        condition: Condition | None = None,
        is_new: bool = False,
        is_resumable: bool = False,
    ) -> Upload:
        """Begin an upload; ``size`` is the expected size in bytes, 0 if unknown. Raise HTTPError.

        The condition is checked now, and again just before the file is replaced. With ``is_new`` no file is
        replaced: the upload is to be stored by ``link``. An invalid name is 400 then, and 404 otherwise. With
        ``is_resumable`` the upload can be suspended.
        """
        if self._clock() >= self.root.check_at:
            self.check()
        refused = find_refused_character(name, name.rfind("/") + 1)
        if refused is not None:
            raise refused_character(refused)
        try:
            parts = self.root.parts(name)
            if is_new and len(parts[-1]) > MAX_NAME_LENGTH:
                raise not_found()
        except HTTPError:
            raise HTTPError(400 if is_new else 404, self.root.explain_invalid_name(name)) from None
        try:
            parent = self.root.descriptor if len(parts) == 1 else self.root.open_parent(parts)  # saves a call
        except FileNotFoundError:
            raise no_parent() from None
        except OSError as error:
            raise http_error_from(error) from None
        try:
            replaced = None if is_new else self.check_destination(parent, parts[-1], condition)
            self.check_space(parent, size)
            file: UploadFile | None = None
            if is_resumable:
                file = self._current_idle_lock().create_file(parts, parent)
            elif not is_new:
                file = self._unnamed.create(parts, parent)
            if file is None:
                file = TemporaryFile(self.root, parts, parent)
        except OSError as error:
            if error.errno == errno.ENOENT:  # the open directory was deleted
                raise no_parent() from None
            if error.errno == errno.ENAMETOOLONG:
                raise HTTPError(404, self.root.explain_invalid_name(name)) from None
            raise http_error_from(error) from None
        finally:
            if parent != self.root.descriptor:
                os.close(parent)
        return Upload(self, file, parts[-1], size, replaced, condition)

    def _current_idle_lock(self) -> IdleLock:
        """Return the lock in the open directory; uploads into a former one keep theirs."""
        if self._idle_lock.generation != self.root.generation:
            self._idle_lock = IdleLock(self.root, self.open_files)
        return self._idle_lock

    def remove(self, name: str, condition: Condition | None = None) -> None:
        """Remove a file. Raise HTTPError: 404 if it does not exist, 409 if it is a directory."""
        self.root.refresh()  # not at most once a second: a file of a former directory would be removed
        self.check()
        parts = self.root.parts(name)
        try:
            parent = self.root.open_parent(parts)
            try:
                size = self.check_destination(parent, parts[-1], condition)
                if size is None:
                    raise not_found()
                kept = self.closer.keep(parts[-1], parent) if size >= LARGE else None
                try:
                    os.unlink(parts[-1], dir_fd=parent)
                finally:
                    if kept is not None:
                        self.closer.close(kept)
            finally:
                self.root.close_parent(parent)
        except OSError as error:
            raise http_error_from(error) from None
        self._cache.drop(name)

    def check_space(self, descriptor: int, size: int) -> None:
        """Raise HTTPError(507) if writing ``size`` more bytes would leave too little free space."""
        if self._free_space(descriptor) - size < self._min_free_space:
            raise HTTPError(
                507, f"not enough disk space: less than {self._min_free_space} bytes would be free"
            )

    def remove_leftovers(self) -> Generator[int, None, None]:
        """Remove the temporary files of killed processes in small steps; yield the number removed by each."""
        return remove_leftovers(self.root, self.closer)

    def check_destination(self, parent: int, name: bytes, condition: Condition | None) -> int | None:
        """Check that a name may be written or removed; return the size of the file, None without one.

        Raise HTTPError or OSError.
        """
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            status = None
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise HTTPError(409, "a directory with this name exists")
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise not_found()
        if condition is not None:
            condition.check(status and validators_of(status, self.wall_clock()))
        return None if status is None else status.st_size


def no_parent() -> HTTPError:
    """Return the error for an upload into a directory that does not exist."""
    return HTTPError(409, "the parent directory does not exist (uploads do not create directories)")


def _read_unchanged(file: io.FileIO, metadata: FileMetadata) -> bytes | None:
    """Return the content of a small file; None if it changed, or on an error, which sending reports."""
    try:
        data = os.pread(file.fileno(), MAX_FILE_SIZE, 0)
        status = os.fstat(file.fileno())
    except OSError:
        return None
    return data if len(data) == metadata.size and fingerprint_of(status) == metadata.fingerprint else None
