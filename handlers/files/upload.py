"""Uploads: write to a file in the destination directory that gets its name when it is complete.

1. Until then it has no name (``unnamed.py``), or a temporary one (``temporary.py``). The temporary files of a
   killed process are removed after the next start (``leftovers.py``).
2. Replacement is atomic: a download gets either the old content or the new. A new file gets its name by
   ``link``, which never replaces a file, unless it has a temporary name and no condition.
3. An upload holds one descriptor; none while it is suspended.
4. Free space is checked while data arrives. Preconditions are checked again before a file is replaced.
"""

import errno
import logging
import os
from typing import Protocol

from reactor.http11.conditional import Validators
from reactor.http11.errors import HTTPError, quote
from reactor.http11.headers import Headers
from reactor.routing import ViewSink

from .closing import LARGE, Closer
from .paths import SharedRoot, http_error_from
from .temporary import UploadFile

log = logging.getLogger("reactor")

# The check for free space at the start covers this many bytes; writes after them check again.
CHECKED_AT_START = 64 * 1024

# Errors for names that the file system does not support, such as one with a question mark on FAT.
_UNSUPPORTED_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


class Condition(Protocol):
    """A condition on the file that is to be replaced or removed."""

    def check(self, current: Validators | None) -> None:
        """Raise HTTPError unless it is true for a file with these validators (None: no file)."""


class UploadStore(Protocol):
    """The methods of the store that an upload calls."""

    closer: Closer
    fsync: bool
    root: SharedRoot

    def check_destination(self, parent: int, name: bytes, condition: Condition | None) -> int | None:
        """Return the size of the file, None if it does not exist; raise HTTPError or OSError."""

    def check_space(self, descriptor: int, size: int) -> None:
        """Raise HTTPError(507) if writing ``size`` more bytes would leave too little free space."""


class Upload(ViewSink):
    """An upload in progress: a sink that writes to a new file in the directory of its destination.

    ``replaced`` is the size of the file with this name, None if it did not exist when the upload began. The
    ``condition``, if any, is checked again before that file is replaced.
    """

    __slots__ = (
        "_checked_bytes_left",
        "_condition",
        "_file",
        "_generation",
        "_name",
        "_replaces_large",
        "_size",
        "_store",
        "replaces",
    )

    def __init__(
        self,
        store: UploadStore,
        file: UploadFile,
        name: bytes,
        size: int,
        replaced: int | None,
        condition: Condition | None = None,
    ) -> None:
        self._store = store
        self._generation = store.root.generation
        self._checked_bytes_left = min(size, CHECKED_AT_START)
        self._file = file
        self._name = name
        self._size = 0
        self._condition = condition
        self.replaces = replaced is not None
        self._replaces_large = replaced is not None and replaced >= LARGE

    def write(self, data: bytes | memoryview) -> None:
        """Append data; raise HTTPError(507) if there is not enough space."""
        self._checked_bytes_left -= len(data)
        if self._checked_bytes_left < 0:
            self._store.check_space(self._file.descriptor, len(data))
        size, descriptor = self._size, self._file.descriptor
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, size)
                size, view = size + written, view[written:]
        except OSError as error:
            self._truncate()
            raise http_error_from(error) from None
        self._size = size

    def _truncate(self) -> None:
        """Truncate to the last complete write, so that a resumed upload has no partial data."""
        try:
            os.ftruncate(self._file.descriptor, self._size)
        except OSError as error:
            log.warning("cannot truncate an unfinished upload: %s", error.strerror)

    def finish(self) -> "Upload":
        """Return the upload itself, for the handler to commit."""
        return self

    # A resumable upload is suspended between two requests.

    @property
    def is_outdated(self) -> bool:
        """Whether another directory is shared since it began: it cannot be stored."""
        return self._store.root.generation != self._generation

    def suspend(self) -> None:
        """Close the file until ``reopen``, if possible; idempotent."""
        self._file.suspend()

    def reopen(self) -> None:
        """Open the file again; raise HTTPError: 409 if it or its directory was replaced or removed."""
        try:
            self._file.reopen(self._size)
        except FileNotFoundError as error:
            raise commit_error_from(error) from None
        except OSError as error:
            raise http_error_from(error) from None

    def commit(self, touch: bool = False) -> None:
        """Give the file its name, replacing any existing file that the condition allows.

        ``touch``: set the modification time to now, since the last data may have arrived long ago.
        """
        file, root = self._file, self._store.root
        try:
            if touch:
                os.utime(file.descriptor)
            if root.refresh() != self._generation:
                raise root_replaced()
            parent = root.descriptor if file.is_in_root else file.open_parent()  # saves a call
            try:
                # Without a condition, a rename stores a new file as well.
                may_create = self._condition is not None or (file.name is None and not self.replaces)
                if not (may_create and self._create(parent)):
                    self._replace(parent)
                if self._store.fsync:
                    # From now on the directory is needed, not the content: hold one descriptor, not two.
                    os.dup2(parent, file.descriptor, inheritable=False)
            finally:
                if parent != root.descriptor:
                    os.close(parent)
        except OSError as error:
            raise commit_error_from(error) from None

    def open_parent(self) -> int:
        """Open the directory of the upload, for ``SharedRoot.close_parent``.

        Raise HTTPError(409) if the shared directory was replaced, FileNotFoundError if the directory was
        replaced or removed, or OSError.
        """
        if self._store.root.refresh() != self._generation:
            raise root_replaced()
        return self._file.open_parent()

    def _create(self, parent: int) -> bool:
        """Check the condition; link the file if none has its name. Return False if it must be replaced.

        A rename would also replace a file that another process creates after the check.
        """
        file, name, condition = self._file, self._name, self._condition
        while condition is None or self._store.check_destination(parent, name, condition) is None:
            try:
                file.link(name, parent)
            except FileExistsError:
                if condition is None:
                    break
                continue
            if file.name is not None:
                self.remove(parent)
            return True
        self._replaces_large = True  # perhaps
        return False

    def _replace(self, parent: int) -> None:
        """Store the file in place of another; close a large one in the background."""
        # While more than one part of the body was received, the name may have got a large file.
        may_be_large = self._replaces_large or self._size > CHECKED_AT_START
        kept = self._store.closer.keep(self._name, parent) if may_be_large else None
        try:
            self._file.replace(self._name, parent)
        finally:
            if kept is not None:
                self._store.closer.close(kept)

    # Writing to the disk; these may be called in another thread, and raise OSError.

    def sync(self) -> None:
        """Write the content to the disk."""
        os.fsync(self._file.descriptor)

    def sync_directory(self) -> None:
        """Write the names in the directory to the disk, after ``commit``."""
        os.fsync(self._file.descriptor)

    # Storing under a new name, in these steps, in the open directory ``parent``; each raises OSError.

    def prepare(self, parent: int) -> None:
        """Set the modification time to now; raise HTTPError(409) if the shared directory was replaced.

        Raise FileNotFoundError if the temporary file is not in the directory.
        """
        if self._store.root.refresh() != self._generation:
            raise root_replaced()
        self._file.check_in(parent)
        os.utime(self._file.descriptor)

    def link(self, name: bytes, parent: int) -> None:
        """Store the file under a name; raise FileExistsError if it exists.

        The temporary name remains until ``remove``.
        """
        self._file.link(name, parent)
        self._name = name

    def unlink(self, parent: int) -> None:
        """Undo ``link``, unless the name belongs to another file by now; log a failure."""
        try:
            current = os.stat(self._name, dir_fd=parent, follow_symlinks=False)
            if os.path.samestat(current, os.fstat(self._file.descriptor)):
                os.unlink(self._name, dir_fd=parent)
        except OSError as error:
            log.warning("cannot remove %r, a file of a failed form: %s", self._name.decode(), error.strerror)

    # Closing.

    def close(self) -> None:
        """Close the file; remove it unless it was committed, and log a failure.

        After ``remove`` it may be called in another thread, if the upload cannot be suspended.
        """
        file, is_large = self._file, self._size >= LARGE
        try:
            if file.name is not None:
                if is_large:
                    self._keep_open()
                self.remove()
        finally:
            file.close(self._store.closer.close if is_large else os.close)

    def _keep_open(self) -> None:
        """Open a suspended file, so that removing it does not free its blocks (``closing.py``)."""
        try:
            self._file.reopen(self._size)
        except OSError:
            pass

    def remove(self, parent: int | None = None) -> None:
        """Remove the temporary name, if there is one, in the open directory ``parent``; log a failure."""
        name = self._file.name
        if name is None:
            return
        try:
            if parent is None:
                self._file.remove()
            else:
                os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass  # already removed by another process
        except OSError as error:
            log.warning("cannot remove the unfinished upload %r: %s", name, error.strerror)
        finally:
            self._file.name = None


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
        return HTTPError(
            409, "the directory, or the temporary file in it, was replaced or removed during the upload"
        )
    if error.errno in _UNSUPPORTED_NAME:
        return HTTPError(
            400, "the file system does not support this file name: it is too long, or has a special character"
        )
    return http_error_from(error)
