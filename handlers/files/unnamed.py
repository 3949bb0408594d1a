"""Unnamed files: an upload has no name until it is complete, so a killed process leaves nothing.

    Step                                 System call
    begin                                open(DIRECTORY, O_TMPFILE)
    store under a new name               link(/proc/self/fd/N, NAME), which never replaces a file
    store in place of another file       the same with a temporary name, then rename

These steps are tried before the first upload to a device. Where they fail, files with a temporary name are
used: without /proc, and on NFS, FAT, many FUSE file systems, and overlayfs on an old kernel. An old kernel
may also ignore the umask.
"""

import errno
import fcntl
import os

from .paths import SharedRoot
from .temporary import CREATE, UploadFile, temporary_name

# O_TMPFILE is that of Linux; without it a directory cannot be opened for writing, so the steps fail.
UNNAMED = os.O_WRONLY | os.O_CLOEXEC | getattr(os, "O_TMPFILE", 0)

# Errors that say nothing of a file system: it is full or broken, too many files are open, this directory must
# not be written to, or another process has used the name.
_INCONCLUSIVE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
        *(errno.EACCES, errno.EROFS, errno.EEXIST),
    }
)


class UnnamedFile(UploadFile):
    """A new file without a name; ``directory`` is the status of its open directory."""

    __slots__ = ("_directory",)

    def __init__(
        self, root: SharedRoot, parts: list[bytes], directory: os.stat_result, descriptor: int
    ) -> None:
        self._root = root
        self._generation = root.generation
        self._parts = parts
        # No other directory gets this number while the file is open.
        self._directory = directory.st_dev, directory.st_ino
        self.is_in_root = len(parts) == 1
        self.descriptor = descriptor
        self.name = None

    def check_in(self, parent: int) -> None:
        """Raise FileNotFoundError unless the file was created in an open directory; or OSError."""
        status = os.fstat(parent)
        if (status.st_dev, status.st_ino) != self._directory:
            raise FileNotFoundError(errno.ENOENT, "the directory was replaced")

    def link(self, name: bytes, parent: int) -> None:
        """Store the file; raise FileExistsError if the name exists, or OSError."""
        os.link(f"/proc/self/fd/{self.descriptor}", name, dst_dir_fd=parent)

    def replace(self, name: bytes, parent: int) -> None:
        """Store the file in place of one that may have the name; raise OSError."""
        # The clean-up of another server removes temporary files that are not locked (``leftovers.py``).
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        while self.name is None:
            temporary = temporary_name()
            try:
                self.link(temporary.encode(), parent)
            except FileExistsError:
                continue
            self.name = temporary
        super().replace(name, parent)


class UnnamedFiles:
    """Makes the unnamed files of one root."""

    def __init__(self, root: SharedRoot) -> None:
        self._root = root
        self._supported: dict[int, bool] = {}  # by device

    def create(self, parts: list[bytes], parent: int) -> UnnamedFile | None:
        """Make a file in an open directory, for the path ``parts``; return None if that is impossible.

        Raise FileNotFoundError if the directory was deleted, or OSError.
        """
        directory = os.fstat(parent)
        if not directory.st_nlink:  # otherwise the upload would fail at its end
            raise FileNotFoundError(errno.ENOENT, "the directory was deleted")
        supported = self._supported.get(directory.st_dev)
        if supported is None:
            supported = self._try_steps(directory.st_dev, parent)
        if not supported:
            return None
        try:
            descriptor = os.open(".", UNNAMED, 0o666, dir_fd=parent)
        except OSError:  # a file with a name fails too, or another file system has the number of the device
            del self._supported[directory.st_dev]
            return None
        return UnnamedFile(self._root, parts, directory, descriptor)

    def _try_steps(self, device: int, parent: int) -> bool:
        """Return whether files without a name can be used in a directory; keep the result for its device."""
        try:
            supported = can_use_unnamed(parent)
        except OSError as error:
            if error.errno in _INCONCLUSIVE:
                return False
            supported = False
        self._supported[device] = supported
        return supported


def can_use_unnamed(parent: int) -> bool:
    """Try the steps; return whether the file has the owner and permissions of one with a name.

    Raise OSError if they fail.
    """
    name = temporary_name()
    unnamed = os.open(".", UNNAMED, 0o666, dir_fd=parent)
    try:
        os.link(f"/proc/self/fd/{unnamed}", name, dst_dir_fd=parent)
        _remove(name, parent)
        named = os.open(name, CREATE, 0o666, dir_fd=parent)
        try:
            _remove(name, parent)
            one, two = os.fstat(unnamed), os.fstat(named)
        finally:
            os.close(named)
    finally:
        os.close(unnamed)
    return (one.st_mode, one.st_uid, one.st_gid) == (two.st_mode, two.st_uid, two.st_gid)


def _remove(name: str, parent: int) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except OSError:
        pass  # the clean-up of a server has removed it, or will (``leftovers.py``)
