"""The store: one directory, and what may be read and written beneath it.

1. A name is split at its slashes, and each part is checked: none is empty, "." or "..", none begins
   with a dot unless hidden names are shared, none has a backslash or NUL.
2. The parts are opened one by one, each relative to the one before, and no symbolic link is
   followed. So whatever anybody does to the tree meanwhile, no path leaves the directory.
3. A file that is small and settled is kept in memory; one ``stat``, at the end of the same way,
   tells whether it is still what stands there.
4. An upload goes to a temporary file beside its destination, and is renamed when it is whole:
   who reads sees the old content or the new, never a part of either.
5. Leftovers of a process that was killed are removed at the next start. A temporary file that is in
   use is locked, which the kernel undoes when its process ends, however it ends.

Refusals are ``ProtocolError`` with a status; the store knows no request and no connection.
"""

import errno
import fcntl
import io
import itertools
import logging
import os
import stat
from collections.abc import Callable

from handlers.shelf import LONGEST, Kept, Shelf, Stamp, stamp_of
from reactor.http11.grammar import ProtocolError
from reactor.http11.message import FileSlice

log = logging.getLogger("reactor")

LEFTOVER = ".reactor-upload-"
# Octets: how much of an upload the look at the free space counts for that was taken when it began.
AT_ONCE = 64 * 1024

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: to open a FIFO must not wait for somebody to write into it.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENXIO})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def refusal(error: OSError) -> ProtocolError:
    """Return what a client is told about a fault of the file system; raise it again when it is ours."""
    if error.errno in _ABSENT:
        return ProtocolError(404, "there is no such file")
    if error.errno in _DENIED:
        return ProtocolError(403, "the file system does not allow it")
    if error.errno in _EXHAUSTED:
        return ProtocolError(503, "too many files are open")
    if error.errno in _FULL:
        return ProtocolError(507, "there is not enough space")
    raise error


def free_space(descriptor: int) -> int:
    """Return how many octets the file system of an open file can still take."""
    space = os.fstatvfs(descriptor)
    return space.f_bavail * space.f_frsize


class Store:
    """The files beneath one directory; raises OSError when there is no such directory."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        hidden: bool = False,
        fsync: bool = False,
        min_free_space: int = 0,
        free_space: Callable[[int], int] = free_space,
        shelf: Shelf | None = None,
    ) -> None:
        self.hidden = hidden
        self.fsync = fsync
        self.min_free_space = min_free_space
        self.free_space = free_space
        # The directory itself may be a link: whoever starts the server has chosen it.
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._serial = itertools.count(1)
        self._shelf = Shelf() if shelf is None else shelf

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._root)

    # What handlers ask for.

    def content(self, name: str) -> bytes | FileSlice:
        """Return the content of a regular file, from memory or as an open file. Raise ProtocolError."""
        kept = self._shelf.get(name)
        parts = self._parts(name) if kept is None else kept.parts
        try:
            parent = self._open_parent(parts)
            try:
                if kept is not None:
                    status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
                    if stamp_of(status) == kept.stamp:
                        return kept.octets
                    self._shelf.drop(name)
                descriptor = os.open(parts[-1], _READ, dir_fd=parent)
            finally:
                self.close_parent(parent)
        except OSError as error:
            raise refusal(error) from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise ProtocolError(404, "there is no such file")
        file = io.FileIO(descriptor)
        if self._shelf.takes(status):
            self._keep(name, parts, descriptor, stamp_of(status))
        return FileSlice(file, 0, status.st_size)

    def open_directory(self, name: str) -> int:
        """Open a directory, "" for the shared one; return its descriptor. Raise ProtocolError."""
        parts = self._parts(name.removesuffix("/")) if name else []
        try:
            descriptor = self._open_parent([*parts, b"."])
            # Another than the root's own: whoever reads a directory moves on in it, and closes it.
            return os.open(".", _DIRECTORY, dir_fd=descriptor) if descriptor == self._root else descriptor
        except OSError as error:
            raise refusal(error) from None

    def _keep(self, name: str, parts: list[bytes], descriptor: int, stamp: Stamp) -> None:
        """Keep the content of an open file for the next time, unless it changes under our hands."""
        try:
            octets = os.pread(descriptor, LONGEST, 0)
        except OSError:
            return  # whoever sends it will meet the same fault
        if stamp_of(os.fstat(descriptor)) == stamp and len(octets) == stamp[2]:
            self._shelf.keep(name, Kept(parts, stamp, octets))

    def create(self, name: str, size: int = 0) -> "Upload":
        """Begin an upload of at least ``size`` octets. Raise ProtocolError."""
        parts = self._parts(name)
        try:
            parent = self._open_parent(parts)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise ProtocolError(409, "its directory does not exist") from None
            raise refusal(error) from None
        try:
            self._check_destination(parent, parts[-1])
            self.check_space(parent, size)
            return Upload(self, parent, self._create_temporary(parent), parts[-1], size)
        except BaseException as error:
            self.close_parent(parent)
            if isinstance(error, OSError):
                raise refusal(error) from None
            raise

    def check_space(self, descriptor: int, size: int) -> None:
        """Raise ProtocolError(507) when ``size`` octets more would leave too little space."""
        if self.free_space(descriptor) - size < self.min_free_space:
            raise ProtocolError(507, "there is not enough space")

    def remove_leftovers(self) -> int:
        """Remove what a killed process left; return how many files that were."""
        removed = 0
        for _, _, names, directory in os.fwalk(".", dir_fd=self._root):
            for name in names:
                if name.startswith(LEFTOVER):
                    removed += _remove_unlocked(name, directory)
        return removed

    # Paths.

    def _parts(self, name: str) -> list[bytes]:
        """Split a name into the parts of a path beneath the directory; raise ProtocolError(404).

        They are octets, so that names are UTF-8 on the disk whatever the locale.
        """
        parts = name.split("/")
        if not all(map(self.is_visible, parts)):
            raise ProtocolError(404, "there is no such file")
        return [part.encode("utf-8") for part in parts]

    def is_visible(self, part: str) -> bool:
        """Say whether a part of a path is one that may be asked for."""
        hidden = part.startswith(".") and (not self.hidden or part in (".", ".."))
        return not (not part or hidden or "\\" in part or "\0" in part or part.startswith(LEFTOVER))

    def _open_parent(self, parts: list[bytes]) -> int:
        """Open the directory of a path, part by part; return its descriptor. Raise OSError.

        Of a path with one part that is the root itself, which ``close_parent`` leaves open.
        """
        descriptor = self._root
        for part in parts[:-1]:
            try:
                child = os.open(part, _DIRECTORY, dir_fd=descriptor)
            finally:
                self.close_parent(descriptor)
            descriptor = child
        return descriptor

    def close_parent(self, descriptor: int) -> None:
        """Close the directory of a path, unless it is the root."""
        if descriptor != self._root:
            os.close(descriptor)

    def _check_destination(self, parent: int, name: bytes) -> None:
        """See that an upload may take a name; raise ProtocolError, or OSError."""
        try:
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            raise ProtocolError(409, "there is a directory of this name")
        if not stat.S_ISREG(mode):
            raise ProtocolError(404, "there is no such file")

    def _create_temporary(self, parent: int) -> tuple[int, str]:
        """Create a file of a new name, locked; return its descriptor and its name."""
        while True:
            name = f"{LEFTOVER}{os.getpid()}-{next(self._serial)}"
            try:
                descriptor = os.open(name, _CREATE, 0o666, dir_fd=parent)
            except FileExistsError:
                continue
            try:
                # Another server's start may hold it for a moment, and have removed it by then.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_nlink:
                    return descriptor, name
            except OSError:
                os.close(descriptor)
                os.unlink(name, dir_fd=parent)
                raise
            os.close(descriptor)


class Upload:
    """An upload on its way: a sink that writes to a temporary file, and becomes the content."""

    __slots__ = ("_descriptor", "_name", "_parent", "_promised", "_store", "_temporary")

    def __init__(self, store: Store, parent: int, temporary: tuple[int, str], name: bytes, size: int) -> None:
        self._store = store
        self._promised = min(size, AT_ONCE)
        self._parent = parent
        self._descriptor = temporary[0]
        self._temporary: str | None = temporary[1]
        self._name = name

    def write(self, octets: bytes) -> None:
        """Append octets; raise ProtocolError(507) when the space runs out."""
        self._promised -= len(octets)
        if self._promised < 0:
            self._store.check_space(self._parent, len(octets))
        try:
            view = memoryview(octets)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise refusal(error) from None

    def finish(self) -> "Upload":
        """Return the upload itself, for the handler to commit."""
        return self

    def commit(self) -> None:
        """Let the content stand under its name, whole, in place of what stood there."""
        assert self._temporary is not None, "an upload is committed once"
        try:
            if self._store.fsync:
                os.fsync(self._descriptor)
            os.rename(self._temporary, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
            self._temporary = None
            if self._store.fsync:
                os.fsync(self._parent)
        except IsADirectoryError:
            raise ProtocolError(409, "there is a directory of this name") from None
        except FileNotFoundError:
            raise ProtocolError(409, "it was removed while it was coming in") from None
        except OSError as error:
            raise refusal(error) from None

    def close(self) -> None:
        """Close the file; remove it, unless it was committed."""
        try:
            if self._temporary is not None:
                os.unlink(self._temporary, dir_fd=self._parent)
        except FileNotFoundError:
            pass  # somebody has tidied up
        finally:
            try:
                os.close(self._descriptor)
            finally:
                self._store.close_parent(self._parent)


def _remove_unlocked(name: str, directory: int) -> bool:
    """Remove a leftover, unless a living process holds it."""
    try:
        descriptor = os.open(name, _READ, dir_fd=directory)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=directory)
    except OSError as error:
        if not isinstance(error, BlockingIOError):
            log.warning("cannot remove the leftover %s: %s", name, error.strerror)
        return False
    finally:
        os.close(descriptor)
    return True
