"""Safe paths: the shared root (a directory, or a single file), and the only way to open files in it.

1. A name is split at slashes, and each part is checked: a part that is empty, "." or "..", or contains a
   backslash or NUL is rejected. A part that begins with a dot is rejected unless hidden files are shared.
2. The parts are opened one by one, each relative to its parent, without following symbolic links. No
   path can leave the directory, even if directories are replaced concurrently.
3. If a single file is shared, its name is the only one.
4. The shared directory may be replaced. At most once a second, when a request needs it, its path is compared
   with the open directory, and opened again if they differ.

Errors are raised as ``HTTPError`` with a status.
"""

import errno
import io
import logging
import os
import stat
import time
from collections.abc import Callable, Generator
from math import inf

from reactor.http11.errors import HTTPError, quote
from reactor.http11.message import do_nothing

from .directory import Entry, EntryBatches, entry_of, read_entries

log = logging.getLogger("reactor")

MAX_NAME_LENGTH = 255  # bytes; the limit of nearly every file system
TEMPORARY_PREFIX = ".reactor-upload-"  # of the names of temporary files
CHECK_INTERVAL = 1.0  # seconds between two lookups of the path of the shared directory

# O_NONBLOCK: opening a FIFO must not block until it has a writer.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# The directory itself may be a symbolic link: the operator has chosen it.
OPEN_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_MISSING = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENXIO),
        errno.ENODEV,  # a device that was removed
        errno.ESRCH,  # a process that has ended, in /proc
        errno.ESTALE,  # a file that was removed on the server of a network file system
    }
)
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_IN_USE = frozenset({errno.EAGAIN, errno.EBUSY, errno.ETXTBSY})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def not_found() -> HTTPError:
    """Return the error for a file that does not exist or is not shared."""
    return HTTPError(404, "file not found")


def http_error_from(error: OSError) -> HTTPError:
    """Return the HTTPError for a file system error; log an unexpected one, such as that of a broken disk."""
    if error.errno in _MISSING:
        return not_found()
    if error.errno in _DENIED:
        return HTTPError(403, "permission denied by the file system")
    if error.errno in _EXHAUSTED:
        return HTTPError(503, "too many open files; try again later")
    if error.errno in _IN_USE:
        return HTTPError(503, "the file is in use; try again later")
    if error.errno in _FULL:
        return HTTPError(507, "not enough disk space")
    log.error("file system error: %s", error)
    return HTTPError(500, f"file system error: {error.strerror}")


def open_root(
    path: str | os.PathLike[str], hidden: bool = False, clock: Callable[[], float] = time.monotonic
) -> "SharedRoot":
    """Open the directory or the single file to share; raise OSError."""
    mode = os.stat(path).st_mode
    path = os.fspath(path)
    if not os.path.isabs(path):  # not abspath(), which removes "..": after a symbolic link that is wrong
        path = os.path.join(os.getcwd(), path)
    if stat.S_ISREG(mode):
        return SingleFile(path, clock)
    if not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "neither a file nor a directory")
    return SharedRoot(path, hidden, clock)


class SharedRoot:
    """The shared directory, given by its absolute path. Raises OSError if it cannot be opened.

    ``check`` must be called before it is used, if the clock has reached ``check_at``. ``generation`` is
    incremented when another directory is opened.
    """

    is_single_file = False

    def __init__(self, path: str, hidden: bool, clock: Callable[[], float]) -> None:
        self.hidden = hidden
        self.generation = 0
        self._problem = ""  # why the path cannot be opened
        self._path = path
        self._clock = clock
        self.check_at = self._refresh_at = clock() + CHECK_INTERVAL
        self._before_replacement: Callable[[], None] = do_nothing
        self._open()

    def _open(self) -> None:
        self.descriptor = os.open(self._path, OPEN_ROOT)
        status = os.fstat(self.descriptor)
        self._identity = status.st_dev, status.st_ino  # no other directory gets it while this one is open

    def close(self) -> None:
        """Close the directory."""
        descriptor, self.descriptor = self.descriptor, -1
        self.generation += 1
        os.close(descriptor)

    def before_replacement(self, function: Callable[[], None]) -> None:
        """Register a function that is called before another directory is opened, and this one closed."""
        self._before_replacement = function

    def check(self) -> None:
        """Look up the path, at most once a second; raise HTTPError(503) if it cannot be opened."""
        now = self._clock()
        if now >= self._refresh_at:
            self.refresh()
            self._refresh_at = now + CHECK_INTERVAL
            self.check_at = -inf if self._problem else self._refresh_at
        if self._problem:
            raise self.unavailable()

    def refresh(self) -> int | None:
        """Open the directory that has the path now, unless it is the open one; log a change.

        Return the generation, or None if the path cannot be opened.
        """
        problem, generation = self._problem, self.generation
        try:
            status, former = os.stat(self._path), self.descriptor
            if (status.st_dev, status.st_ino) != self._identity:
                self._before_replacement()
                self._open()
                os.close(former)
                self.generation += 1
            self._problem = ""
        except OSError as error:
            self._problem = str(error.strerror)
            if not problem:
                log.warning("the shared directory %r is unavailable: %s", self._path, error.strerror)
            return None
        if problem:
            log.info("the shared directory %r is available again", self._path)
        elif self.generation != generation:
            log.info("the shared directory %r was replaced: sharing the new one", self._path)
        return self.generation

    def unavailable(self) -> HTTPError:
        """Return the error for a request while the directory is missing."""
        reason = self._problem or "it was deleted"
        return HTTPError(
            503, f"the shared directory is unavailable: {reason}; try again later", (("Retry-After", "1"),)
        )

    def is_visible(self, part: str) -> bool:
        """Return whether a part of a path is valid and may be shared."""
        if not part or "\\" in part or "\0" in part:
            return False
        if not part.startswith("."):
            return True
        return self.hidden and part not in (".", "..") and not part.startswith(TEMPORARY_PREFIX)

    def explain_invalid_name(self, name: str) -> str:
        """Return the reason why a name cannot be used for an upload."""
        for part in name.split("/"):
            if not part:
                return "missing file name, or empty path segment (expected NAME or DIRECTORY/NAME)"
            if "\\" in part or "\0" in part:
                return f"invalid file name: {quote(part)} (backslash and NUL are not allowed)"
            if part in (".", "..") or part.startswith(TEMPORARY_PREFIX):
                return f"invalid file name: {quote(part)} (this name is reserved)"
            if not self.is_visible(part):
                return f"invalid file name: {quote(part)} (--hidden allows names that begin with a dot)"
            length = len(part.encode("utf-8"))
            if length > MAX_NAME_LENGTH:
                return f"file name too long: {length} bytes (limit: {MAX_NAME_LENGTH})"
        return f"path too long: {len(name.encode('utf-8'))} bytes"

    def parts(self, name: str) -> list[bytes]:
        """Split a name into the parts of a path; raise HTTPError(404) if one is invalid.

        Parts are bytes, so that names on disk are UTF-8 regardless of the locale.
        """
        parts = name.split("/")
        if not all(map(self.is_visible, parts)):
            raise not_found()
        return list(map(str.encode, parts))

    def open_parent(self, parts: list[bytes]) -> int:
        """Open the parent directory of a path, part by part; return its descriptor. Raise OSError.

        For a path of one part this is the root's own descriptor, which ``close_parent`` leaves open.
        """
        descriptor = self.descriptor
        for part in parts[:-1]:
            try:
                child = os.open(part, _DIRECTORY, dir_fd=descriptor)
            finally:
                self.close_parent(descriptor)
            descriptor = child
        return descriptor

    def open_directory(self, name: str) -> int:
        """Open a directory ("": the root); return its descriptor. Raise HTTPError or OSError."""
        descriptor = self.open_parts(self.parts(name.removesuffix("/")) if name else [])
        try:
            if not os.fstat(descriptor).st_nlink:  # a deleted directory can be read: it is empty
                raise not_found() if name else self.unavailable()
        except (OSError, HTTPError):
            os.close(descriptor)
            raise
        return descriptor

    def entries(self, name: str) -> EntryBatches:
        """Return the entries of a directory ("": the root), in batches. Raise HTTPError or OSError."""
        return read_entries(self.open_directory(name), self.is_visible)

    def open_parts(self, parts: list[bytes]) -> int:
        """Open the directory with these path parts ([]: the root). Raise OSError."""
        descriptor = self.open_parent([*parts, b"."])
        # Not the root's own descriptor: the caller moves its read position and closes it.
        return os.open(".", _DIRECTORY, dir_fd=descriptor) if descriptor == self.descriptor else descriptor

    def close_parent(self, descriptor: int) -> None:
        """Close a descriptor that ``open_parent`` returned, unless it is the root's."""
        if descriptor != self.descriptor:
            os.close(descriptor)


class SingleFile(SharedRoot):
    """A root with one file, which may be replaced. Raises OSError if it cannot be opened.

    A symbolic link is followed if it is one at the start: the target has the name of the link.
    """

    is_single_file = True

    def __init__(self, path: str, clock: Callable[[], float]) -> None:
        try:
            self._name = os.fsencode(os.path.basename(path)).decode("utf-8")
        except UnicodeDecodeError:
            raise OSError(errno.EILSEQ, "the file name is not UTF-8") from None
        self._link = path if os.path.islink(path) else None
        target = os.path.realpath(path) if self._link else path
        os.close(os.open(target, READ))
        self._target = os.fsencode(os.path.basename(target))
        super().__init__(os.path.dirname(target), False, clock)

    def refresh(self) -> int | None:
        """Open the directory of the file again if it was replaced; follow the symbolic link again."""
        if self._link is not None:
            self._path, name = os.path.split(os.path.realpath(self._link))
            self.generation += os.fsencode(name) != self._target
            self._target = os.fsencode(name)
        return super().refresh()

    def unavailable(self) -> HTTPError:
        """Return the error for a request while the file has no directory: the file does not exist."""
        return not_found()

    def is_visible(self, part: str) -> bool:
        """Return whether this is the name of the file."""
        return part == self._name

    def parts(self, name: str) -> list[bytes]:
        """Return the path of the file; raise HTTPError(404) for any other name."""
        if name != self._name:
            raise not_found()
        return [self._target]

    def open_directory(self, name: str) -> int:
        """Raise HTTPError(404): no directory is shared."""
        raise not_found()

    def entries(self, name: str) -> Generator[list[Entry], None, None]:
        """Return the entry of the file, if it exists. Raise HTTPError for any name but ""."""
        if name:
            raise not_found()
        return self._entries()

    def _entries(self) -> Generator[list[Entry], None, None]:
        try:
            status = os.stat(self._target, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError:
            return
        entry = entry_of(self._name, status)
        if entry is not None and not entry.is_directory:
            yield [entry]


def open_regular(
    name: bytes | str, parent: int | None, follow_symlinks: bool = False
) -> tuple[io.FileIO, os.stat_result]:
    """Open a regular file for reading; raise HTTPError(404) for anything else, or OSError.

    Without a ``parent``, the name is a path.

    Opening another kind of file can have side effects (it unblocks the writer of a FIFO), so the type is
    checked before. It is checked again after opening, since the file may have been replaced in between.
    """
    if not stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=follow_symlinks).st_mode):
        raise not_found()
    descriptor = os.open(name, READ & ~os.O_NOFOLLOW if follow_symlinks else READ, dir_fd=parent)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise not_found()
    except (OSError, HTTPError):
        os.close(descriptor)
        raise
    return io.FileIO(descriptor), status
