"""Safe paths: the shared root directory, and the only way to open files in it.

1. A name is split at slashes, and each part is checked: a part that is empty, "." or "..", or contains a
   backslash or NUL is rejected. A part that begins with a dot is rejected unless hidden files are shared.
2. The parts are opened one by one, each relative to its parent, without following symbolic links. No
   path can leave the directory, even if directories are replaced concurrently.

Errors are raised as ``HTTPError`` with a status.
"""

import errno
import io
import os
import stat

from reactor.http11.errors import HTTPError, quote

MAX_NAME_LENGTH = 255  # bytes; the limit of nearly every file system
TEMPORARY_PREFIX = ".reactor-upload-"  # of the names of temporary files

# O_NONBLOCK: opening a FIFO must not block until it has a writer.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_MISSING = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENXIO}
)
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_IN_USE = frozenset({errno.EAGAIN, errno.EBUSY, errno.ETXTBSY})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def not_found() -> HTTPError:
    """Return the error for a file that does not exist or is not shared."""
    return HTTPError(404, "file not found")


def http_error_from(error: OSError) -> HTTPError:
    """Return the HTTPError for a file system error; raise any unexpected error again."""
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
    raise error


class SharedRoot:
    """The shared directory. Raises OSError if it cannot be opened."""

    def __init__(self, path: str | os.PathLike[str], hidden: bool = False) -> None:
        self.hidden = hidden
        # The directory itself may be a symbolic link: the operator has chosen it.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the directory."""
        os.close(self.descriptor)

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
            if part.startswith(".") and not self.is_visible(part):
                remedy = (
                    "this name is reserved" if self.hidden else "--hidden allows names that begin with a dot"
                )
                return f"invalid file name: {quote(part)} ({remedy})"
            if not self.is_visible(part):
                return f"invalid file name: {quote(part)} (backslash and NUL are not allowed)"
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
        return self.open_parts(self.parts(name.removesuffix("/")) if name else [])

    def open_parts(self, parts: list[bytes]) -> int:
        """Open the directory with these path parts ([]: the root). Raise OSError."""
        descriptor = self.open_parent([*parts, b"."])
        # Not the root's own descriptor: the caller moves its read position and closes it.
        return os.open(".", _DIRECTORY, dir_fd=descriptor) if descriptor == self.descriptor else descriptor

    def close_parent(self, descriptor: int) -> None:
        """Close a descriptor that ``open_parent`` returned, unless it is the root's."""
        if descriptor != self.descriptor:
            os.close(descriptor)


def open_regular(name: bytes, parent: int) -> tuple[io.FileIO, os.stat_result]:
    """Open a regular file for reading; raise HTTPError(404) for anything else, or OSError.

    Opening another kind of file can have side effects (it unblocks the writer of a FIFO), so the type is
    checked before. It is checked again after opening, since the file may have been replaced in between.
    """
    if not stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        raise not_found()
    descriptor = os.open(name, READ, dir_fd=parent)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise not_found()
    return io.FileIO(descriptor), status
