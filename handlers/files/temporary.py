"""The files of uploads that are not complete: what all have in common, and those with a temporary name.

1. An upload is written to a file in the directory of its destination. It has no name (``unnamed.py``), or a
   temporary one: in forms, in resumable uploads, and where the file system has no files without a name.
2. No descriptor of the directory is kept: ``open_parent`` opens it again by the parts of its path, without
   following symbolic links (``paths.py``). It must contain this very file. Then it is the directory in which
   the file was created, even if others were renamed or replaced.
3. A file with a temporary name is locked until it is closed first; the kernel releases the lock when the
   process ends.
4. The file of a resumable upload is closed while no request writes to it. The lock of the server protects it
   then and later (``idle_lock.py``). When it is opened again, it must be the same file with the same size.
5. If the directory was moved, or no descriptor is free to open it part by part, the file can be removed only
   while it is open: Linux knows its path.
"""

import errno
import fcntl
import itertools
import os
import stat
from collections.abc import Callable

from .paths import OPEN_ROOT, TEMPORARY_PREFIX, SharedRoot

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: if the file was replaced by a FIFO, opening it must not wait for a reader.
_REOPEN = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# The directory was replaced: by nothing, a file, a symbolic link; or the root is closed.
_REPLACED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EBADF})
_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})

# Errors of link() on file systems that have no hard links, or where the system forbids them.
_WITHOUT_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP})

_serial = itertools.count(1)


def temporary_name(prefix: str | None = None) -> str:
    """Return a temporary name that this process has not used before."""
    return f"{prefix or f'{TEMPORARY_PREFIX}{os.getpid()}-'}{next(_serial)}"


class UploadFile:
    """A new file that is open for writing; ``name`` is its temporary name, None without one.

    ``parts`` is the path of the destination in the root; ``is_in_root``: it has one part.
    """

    __slots__ = ("_generation", "_parts", "_root", "descriptor", "is_in_root", "name")

    _generation: int
    _parts: list[bytes]
    _root: SharedRoot
    descriptor: int
    is_in_root: bool
    name: str | None

    # The directory.

    def open_parent(self) -> int:
        """Open the directory of the file, for ``SharedRoot.close_parent``.

        Raise FileNotFoundError if it was replaced, moved or removed, or does not contain the file any more;
        OSError if it cannot be opened.
        """
        root = self._root
        if self.is_in_root and root.generation == self._generation:
            return root.descriptor  # open since the file was created
        try:
            parent = root.open_parent(self._parts)
        except OSError as error:
            if error.errno in _REPLACED:
                raise FileNotFoundError(errno.ENOENT, "the directory was replaced") from None
            raise
        return self._check_parent(parent)

    def check_in(self, parent: int) -> None:
        """Raise FileNotFoundError unless the file was created in an open directory; or OSError."""
        raise NotImplementedError

    def _check_parent(self, parent: int) -> int:
        try:
            self.check_in(parent)
        except OSError:
            self._root.close_parent(parent)
            raise
        return parent

    def _open_moved_parent(self) -> int:
        """Open the directory of the open file, wherever it is now. Raise OSError.

        If no descriptor is free, close the file first, and use its own.
        """
        directory = os.path.dirname(os.readlink(f"/proc/self/fd/{self.descriptor}"))
        try:
            parent = os.open(directory, OPEN_ROOT)
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise
            self._close()
            parent = os.open(directory, OPEN_ROOT)
        return self._check_parent(parent)

    def _close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        os.close(descriptor)

    # Storing under a name in the open directory ``parent``.

    def link(self, name: bytes, parent: int) -> None:
        """Store the file, and keep a temporary name; raise FileExistsError if the name exists, or OSError."""
        raise NotImplementedError

    def replace(self, name: bytes, parent: int) -> None:
        """Store the file in place of one that may have the name; raise OSError."""
        assert self.name is not None, "a file without a temporary name cannot be renamed"
        os.rename(self.name, name, src_dir_fd=parent, dst_dir_fd=parent)
        self.name = None

    # The file.

    def suspend(self) -> None:
        """Close the file until ``reopen``, if something protects it; idempotent."""

    def reopen(self, size: int) -> None:
        """Open the file if it is suspended; raise FileNotFoundError unless it has this size, or OSError."""

    def remove(self) -> None:
        """Remove the temporary name; raise OSError. A suspended file must be the same one."""
        assert self.name is not None, "no temporary name"
        try:
            parent = self.open_parent()
        except OSError:
            if self.descriptor < 0:
                raise
            parent = self._open_moved_parent()
        try:
            if self.descriptor < 0:
                self.check_in(parent)
            os.unlink(self.name, dir_fd=parent)
        finally:
            self._root.close_parent(parent)

    def close(self, close: Callable[[int], None] = os.close) -> None:
        """Close the file, if it is not suspended, by a function. It has no temporary name any more."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            close(descriptor)


class TemporaryFile(UploadFile):
    """A new file with a temporary name; raises OSError.

    ``parent`` is the open directory. With a ``prefix`` of its name, which says what protects it, the file can
    be suspended; ``descriptor`` is -1 then. ``on_close`` is called at the end.
    """

    __slots__ = ("_identity", "_may_be_suspended", "_on_close")

    def __init__(
        self,
        root: SharedRoot,
        parts: list[bytes],
        parent: int,
        prefix: str | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._root = root
        self._generation = root.generation
        self._parts = parts
        self._may_be_suspended = prefix is not None
        self._on_close = on_close
        self.is_in_root = len(parts) == 1
        while True:
            self.name = temporary_name(prefix)
            try:
                self.descriptor = os.open(self.name, CREATE, 0o666, dir_fd=parent)
            except FileExistsError:
                continue
            try:
                # Another server that is starting may have locked and removed it (``leftovers.py``).
                fcntl.flock(self.descriptor, fcntl.LOCK_EX)
                status = os.fstat(self.descriptor)
                if status.st_nlink:
                    break
            except OSError:
                os.close(self.descriptor)
                os.unlink(self.name, dir_fd=parent)
                raise
            os.close(self.descriptor)
        self._identity = status.st_dev, status.st_ino

    def check_in(self, parent: int) -> None:
        """Raise FileNotFoundError unless an open directory contains the file; or OSError."""
        assert self.name is not None, "already stored"
        try:
            status = os.stat(self.name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno in _REPLACED:
                raise FileNotFoundError(errno.ENOENT, "the file was removed") from None
            raise
        # The number of a deleted file may belong to a new one, of another type.
        if (status.st_dev, status.st_ino) != self._identity or not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, "the file was replaced")

    def suspend(self) -> None:
        """Close the file until ``reopen``, if something protects it; idempotent."""
        if self._may_be_suspended and self.descriptor >= 0:
            self._close()

    def reopen(self, size: int) -> None:
        """Open the file if it is suspended; raise FileNotFoundError unless it has this size, or OSError."""
        if self.descriptor >= 0:
            return
        parent = self.open_parent()
        try:
            self.check_in(parent)  # the type is known before it is opened
            assert self.name is not None
            descriptor = os.open(self.name, _REOPEN, dir_fd=parent)
        finally:
            self._root.close_parent(parent)
        try:
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino, status.st_size) != (*self._identity, size):
                raise FileNotFoundError(errno.ENOENT, "the file was replaced or changed")
        except OSError:
            os.close(descriptor)
            raise
        self.descriptor = descriptor

    def link(self, name: bytes, parent: int) -> None:
        """Store the file, and keep the temporary name; raise FileExistsError if it exists, or OSError."""
        assert self.name is not None, "already stored"
        try:
            os.link(self.name, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _WITHOUT_LINKS:
                raise
            self._reserve_and_replace(name, parent)

    def _reserve_and_replace(self, name: bytes, parent: int) -> None:
        """Do what ``link`` does on a file system without hard links (FAT, some network file systems).

        An empty file reserves the name until it is replaced; another process can see it.
        """
        os.close(os.open(name, CREATE, 0o666, dir_fd=parent))
        try:
            self.replace(name, parent)
        except OSError:
            os.unlink(name, dir_fd=parent)
            raise

    def close(self, close: Callable[[int], None] = os.close) -> None:
        """Close the file, if it is not suspended, by a function; then call ``on_close``."""
        on_close, self._on_close = self._on_close, None
        try:
            super().close(close)
        finally:
            if on_close is not None:
                on_close()
