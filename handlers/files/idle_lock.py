"""The lock of a server on its resumable uploads, whose files are closed while no request writes to them.

The clean-up of another server, or of this one, removes temporary files without a lock. So while a server has
resumable uploads, it keeps one more temporary file, empty and locked, in its shared directory. The name of an
upload's file says where this lock is:

    .reactor-upload-4711-9f3a51c2-1          the lock
    .reactor-upload-4711-9f3a51c2-1.2.7      an upload, two directories below the lock

Two servers may share different directories of the same tree, so the lock may be above the directory that is
cleaned. Only its name and whether it is locked are looked at there. The kernel releases it when the process
ends.
"""

import fcntl
import os
import re
import secrets

from .open_files import OpenFileLimit
from .paths import OPEN_ROOT, READ, TEMPORARY_PREFIX, SharedRoot
from .temporary import TemporaryFile

# Four digits: a request target of 8,190 bytes has fewer directories.
_match_upload = re.compile(rf"({re.escape(TEMPORARY_PREFIX)}[^.]+)\.([0-9]{{1,4}})\.[0-9]+").fullmatch


class IdleLock:
    """A locked file in the root, which exists while the lock is used."""

    def __init__(self, root: SharedRoot, open_files: OpenFileLimit) -> None:
        self._root = root
        self._open_files = open_files  # counts the files that cannot be suspended
        self.generation = root.generation
        self._file: TemporaryFile | None = None
        self._uses = 0

    def create_file(self, parts: list[bytes], parent: int) -> TemporaryFile:
        """Create a file that can be suspended, or one that cannot if the lock cannot be created.

        Parameters are those of ``TemporaryFile``; raise OSError, or HTTPError(503) for too many open files.
        """
        prefix: str | None
        try:
            prefix, release = f"{self._acquire()}.{len(parts) - 1}.", self._release
        except OSError:
            # The shared directory itself may be read-only: the file stays open, and locked.
            self._open_files.acquire()
            prefix, release = None, self._open_files.release
        try:
            return TemporaryFile(self._root, parts, parent, prefix, release)
        except OSError:
            release()
            raise

    def _acquire(self) -> str:
        """Begin to use the lock; return its name. Raise OSError."""
        if self._file is None:
            # No earlier server had this name, even one with the same process id.
            prefix = f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}-"
            self._file = TemporaryFile(self._root, [b""], self._root.descriptor, prefix)
        assert self._file.name is not None, "the lock has a name until it is removed"
        self._uses += 1
        return self._file.name

    def _release(self) -> None:
        """End the use; remove the file after the last one."""
        self._uses -= 1
        if self._uses or self._file is None:
            return
        file, self._file = self._file, None
        try:
            file.remove()
        except OSError:
            pass  # the clean-up removes it
        finally:
            file.close()


def is_protected(name: str, directory: int) -> bool:
    """Return whether the file of an upload is protected by the lock of its server, or that is unknown."""
    match = _match_upload(name)
    if match is None:
        return False
    try:
        root = os.open("/".join([".."] * int(match[2])) or ".", OPEN_ROOT, dir_fd=directory)
    except OSError:
        return True
    try:
        return _is_locked(match[1], root)
    finally:
        os.close(root)


def _is_locked(name: str, directory: int) -> bool:
    try:
        descriptor = os.open(name, READ, dir_fd=directory)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as in leftovers.py
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
