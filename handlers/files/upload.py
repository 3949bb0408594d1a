"""Uploads: write to a temporary file in the destination directory, and rename it when complete.

1. Replacement is atomic: a download gets either the old content or the new. A file of a form, and a new file
   with a condition, gets its name by ``link``, which never replaces a file.
2. A temporary file is locked while it is in use; the kernel releases the lock when the process ends.
   The temporary files of a killed process are removed after the next start (``leftovers.py``).
3. Free space is checked while data arrives. Preconditions are checked again before a file is replaced.
"""

import errno
import fcntl
import itertools
import logging
import os
from typing import Protocol

from reactor.http11.conditional import Validators
from reactor.http11.errors import HTTPError, quote
from reactor.http11.headers import Headers

from .closing import LARGE, Closer
from .paths import TEMPORARY_PREFIX, SharedRoot, http_error_from

log = logging.getLogger("reactor")

# The check for free space at the start covers this many bytes; writes after them check again.
CHECKED_AT_START = 64 * 1024

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# Errors of link() on file systems that have no hard links, or where the system forbids them.
_WITHOUT_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP})

# Errors for names that the file system does not support, such as one with a question mark on FAT.
_UNSUPPORTED_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})

_serial = itertools.count(1)


class Condition(Protocol):
    """A condition on the file that is to be replaced or removed."""

    def check(self, current: Validators | None) -> None:
        """Raise HTTPError unless it is true for a file with these validators (None: no file)."""


class UploadStore(Protocol):
    """The methods of the store that an upload calls."""

    closer: Closer
    root: SharedRoot

    def check_destination(self, parent: int, name: bytes, condition: Condition | None) -> int | None:
        """Return the size of the file, None if it does not exist; raise HTTPError or OSError."""

    def check_space(self, descriptor: int, size: int) -> None:
        """Raise HTTPError(507) if writing ``size`` more bytes would leave too little free space."""


class Upload:
    """An upload in progress: a sink that writes to a temporary file in the open directory ``parent``.

    ``replaced`` is the size of the file with this name, None if it did not exist when the upload began. The
    ``condition``, if any, is checked again before that file is replaced.
    """

    __slots__ = (
        "_checked_bytes_left",
        "_condition",
        "_descriptor",
        "_generation",
        "_name",
        "_parent",
        "_replaces_large",
        "_size",
        "_store",
        "_temporary",
        "replaces",
    )

    def __init__(
        self,
        store: UploadStore,
        parent: int,
        temporary: tuple[int, str],
        name: bytes,
        size: int,
        replaced: int | None,
        condition: Condition | None = None,
    ) -> None:
        self._store = store
        self._generation = store.root.generation
        self._checked_bytes_left = min(size, CHECKED_AT_START)
        self._parent = parent
        self._descriptor = temporary[0]
        self._temporary: str | None = temporary[1]
        self._name = name
        self._size = 0
        self._condition = condition
        self.replaces = replaced is not None
        self._replaces_large = replaced is not None and replaced >= LARGE

    def write(self, data: bytes) -> None:
        """Append data; raise HTTPError(507) if there is not enough space."""
        self._checked_bytes_left -= len(data)
        if self._checked_bytes_left < 0:
            self._store.check_space(self._parent, len(data))
        size = self._size
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(self._descriptor, view, size)
                size, view = size + written, view[written:]
        except OSError as error:
            self._truncate()
            raise http_error_from(error) from None
        self._size = size

    def _truncate(self) -> None:
        """Truncate to the last complete write, so that a resumed upload has no partial data."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            log.warning("cannot truncate an unfinished upload: %s", error.strerror)

    def finish(self) -> "Upload":
        """Return the upload itself, for the handler to commit."""
        return self

    def commit(self, touch: bool = False) -> None:
        """Give the temporary file its final name, replacing any existing file that the condition allows.

        ``touch``: set the modification time to now, since the last data may have arrived long ago.
        """
        assert self._temporary is not None, "upload already committed"
        if self._store.root.refresh() != self._generation:
            raise root_replaced()
        try:
            if touch:
                os.utime(self._descriptor)
            if self._condition is None or not self._create(self._condition):
                kept = None
                # While more than one part of the body was received, the name may have got a large file.
                if self._replaces_large or self._size > CHECKED_AT_START:
                    kept = self._store.closer.keep(self._name, self._parent)
                try:
                    os.rename(self._temporary, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
                finally:
                    if kept is not None:
                        self._store.closer.close(kept)
                self._temporary = None
        except OSError as error:
            raise commit_error_from(error) from None

    def _create(self, condition: Condition) -> bool:
        """Check the condition; link the file if none has its name. Return False if it must be replaced.

        A rename would also replace a file that another process creates after the check.
        """
        while self._store.check_destination(self._parent, self._name, condition) is None:
            try:
                self.link(self._name)
            except FileExistsError:
                continue
            return True
        return False

    # Writing to the disk; these may be called in another thread, and raise OSError.

    def sync(self) -> None:
        """Write the content to the disk."""
        os.fsync(self._descriptor)

    def sync_directory(self) -> None:
        """Write the names in the directory to the disk."""
        os.fsync(self._parent)

    # Storing under a new name, in these steps; each raises OSError.

    @property
    def directory(self) -> tuple[int, int]:
        """The device and inode of the directory of the file."""
        status = os.fstat(self._parent)
        return status.st_dev, status.st_ino

    def prepare(self) -> None:
        """Set the modification time to now; raise HTTPError(409) if the shared directory was replaced."""
        if self._store.root.refresh() != self._generation:
            raise root_replaced()
        os.utime(self._descriptor)

    def link(self, name: bytes) -> None:
        """Store the file under a name; raise FileExistsError if it exists.

        The temporary name remains until ``close``.
        """
        assert self._temporary is not None, "upload already committed"
        parent = self._parent
        try:
            os.link(self._temporary, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _WITHOUT_LINKS:
                raise
            self._reserve_and_rename(self._temporary, name)
        self._name = name

    def _reserve_and_rename(self, temporary: str, name: bytes) -> None:
        """Do what ``link`` does on a file system without hard links (FAT, some network file systems).

        An empty file reserves the name until the rename replaces it; another process can see it.
        """
        os.close(os.open(name, _CREATE, 0o666, dir_fd=self._parent))
        try:
            os.rename(temporary, name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        except OSError:
            os.unlink(name, dir_fd=self._parent)
            raise
        self._temporary = None

    def unlink(self) -> None:
        """Undo ``link``, unless the name belongs to another file by now; log a failure."""
        try:
            current = os.stat(self._name, dir_fd=self._parent, follow_symlinks=False)
            if os.path.samestat(current, os.fstat(self._descriptor)):
                os.unlink(self._name, dir_fd=self._parent)
        except OSError as error:
            log.warning("cannot remove %r, a file of a failed form: %s", self._name.decode(), error.strerror)

    def close(self) -> None:
        """Close the file; remove it unless it was committed, and log a failure."""
        try:
            if self._temporary is not None:
                os.unlink(self._temporary, dir_fd=self._parent)
        except FileNotFoundError:
            pass  # already removed by another process
        except OSError as error:
            log.warning("cannot remove the unfinished upload %r: %s", self._temporary, error.strerror)
        finally:
            try:
                if self._size >= LARGE:
                    self._store.closer.close(self._descriptor)
                else:
                    os.close(self._descriptor)
            finally:
                os.close(self._parent)


def require_length(headers: Headers) -> None:
    """Raise HTTPError(411) for a request that is not chunked, unless it has a Content-Length.

    RFC 9110, 15.5.12. Without both, an empty body and a client that forgot the length look the same.
    """
    if "content-length" not in headers:
        raise HTTPError(
            411, "missing Content-Length or Transfer-Encoding (an upload of 0 bytes needs Content-Length: 0)"
        )


def check_complete(headers: Headers) -> None:
    """Check that the body is not a part of a file: it would be stored as the file. Raise HTTPError(400)."""
    if headers.get("content-range") is not None:  # RFC 9110, 14.5
        raise HTTPError(400, "partial uploads by Content-Range are not supported")


def check_coding(headers: Headers) -> None:
    """Check that the body is not encoded (RFC 9110, 8.4); raise HTTPError(415)."""
    coding = headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        reason = f"Content-Encoding is not supported for uploads: {quote(coding)}"
        raise HTTPError(415, reason, (("Accept-Encoding", "identity"),))


def root_replaced() -> HTTPError:
    """Return the error for an upload into a directory that is no longer the shared one."""
    return HTTPError(409, "the shared directory was replaced or removed during the upload")


def commit_error_from(error: OSError) -> HTTPError:
    """Return the HTTPError for a failure to store a complete upload."""
    if isinstance(error, IsADirectoryError):
        return HTTPError(409, "a directory with this name exists")
    if isinstance(error, FileNotFoundError):
        return HTTPError(409, "the temporary file was deleted during the upload")
    if error.errno in _UNSUPPORTED_NAME:
        return HTTPError(
            400, "the file system does not support this file name: it is too long, or has a special character"
        )
    return http_error_from(error)


def create_temporary(parent: int) -> tuple[int, str]:
    """Create and lock a temporary file in a directory; return its descriptor and its name."""
    while True:
        name = f"{TEMPORARY_PREFIX}{os.getpid()}-{next(_serial)}"
        try:
            descriptor = os.open(name, _CREATE, 0o666, dir_fd=parent)
        except FileExistsError:
            continue
        try:
            # Another server that is starting may have locked and removed it (``leftovers.py``).
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor, name
        except OSError:
            os.close(descriptor)
            os.unlink(name, dir_fd=parent)
            raise
        os.close(descriptor)
