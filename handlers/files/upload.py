"""Uploads: a temporary file in the directory of its destination, renamed when it is complete.

1. A reader gets the old content or the new, never a part of either.
2. A temporary file that is in use is locked, which the kernel undoes when its process ends, however
   it ends. Leftovers of a process that was killed are removed at the next start.
3. Free space is checked as octets come; conditions are checked again before the old content goes.
4. A digest that the client sends is checked as the content comes (RFC 9530):

       Repr-Digest: sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:

   Unknown algorithms are ignored. A malformed digest of a known one is refused, since the client
   relies on its being checked.

An upload is a sink: it is given octets, and knows no request.
"""

import base64
import binascii
import fcntl
import hashlib
import itertools
import logging
import os
import re
from hmac import compare_digest
from typing import Protocol

from reactor.http11.conditional import Validators
from reactor.http11.errors import HTTPError

from .paths import READ, TEMPORARY_PREFIX, SharedRoot, http_error_from

log = logging.getLogger("reactor")

# Octets of an upload that the check of the free space at its beginning covers.
PRECHECKED_SIZE = 64 * 1024

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}

# sf-binary = ":" *( ALPHA / DIGIT / "+" / "/" / "=" ) ":"                         RFC 8941, 3.3.5
# and parameters after it, which are ignored.
_match_binary = re.compile(r":([A-Za-z0-9+/=]*):[ ]*(?:;.*)?", re.ASCII).fullmatch

_serial = itertools.count(1)


class Condition(Protocol):
    """What must be true of the file that is replaced or removed."""

    def check(self, current: Validators | None) -> None:
        """Raise HTTPError unless it is true of a file with these validators, None for no file."""


class UploadTarget(Protocol):
    """The store of an upload, as the upload uses it."""

    fsync: bool

    def check_destination(self, parent: int, name: bytes, condition: Condition | None) -> bool:
        """Return whether a name has a file; raise HTTPError or OSError when none may be stored there."""

    def check_space(self, descriptor: int, size: int) -> None:
        """Raise HTTPError(507) when ``size`` octets more would leave too little space."""

    def close_parent(self, descriptor: int) -> None:
        """Close the directory of a path, unless it is the root."""


class Upload:
    """An upload in progress: a sink that writes to a temporary file, which becomes the content.

    ``replaces`` says whether there was a file of this name when it began. The ``condition``, if there is one,
    is checked again before that file is replaced.
    """

    __slots__ = (
        "_condition",
        "_descriptor",
        "_name",
        "_parent",
        "_precheck_left",
        "_size",
        "_target",
        "_temporary",
        "replaces",
    )

    def __init__(
        self,
        target: UploadTarget,
        parent: int,
        temporary: tuple[int, str],
        name: bytes,
        size: int,
        replaces: bool,
        condition: Condition | None = None,
    ) -> None:
        self._target = target
        self._precheck_left = min(size, PRECHECKED_SIZE)
        self._parent = parent
        self._descriptor = temporary[0]
        self._temporary: str | None = temporary[1]
        self._name = name
        self._size = 0
        self._condition = condition
        self.replaces = replaces

    def write(self, octets: bytes) -> None:
        """Append octets; raise HTTPError(507) when the space runs out."""
        self._precheck_left -= len(octets)
        if self._precheck_left < 0:
            self._target.check_space(self._parent, len(octets))
        size = self._size
        try:
            view = memoryview(octets)
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
        except OSError:
            log.warning("cannot truncate an unfinished upload")

    def finish(self) -> "Upload":
        """Return the upload itself, for the handler to commit."""
        return self

    def commit(self, late: bool = False) -> None:
        """Rename the temporary file to its name, in place of the file that was there.

        ``late`` says that its last octets may have come some time ago: the file is modified now.
        """
        assert self._temporary is not None, "an upload is committed once"
        try:
            if self._condition is not None:
                self._target.check_destination(self._parent, self._name, self._condition)
            if late:
                os.utime(self._descriptor)
            if self._target.fsync:
                os.fsync(self._descriptor)
            os.rename(self._temporary, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
            self._temporary = None
            if self._target.fsync:
                os.fsync(self._parent)
        except IsADirectoryError:
            raise HTTPError(409, "a directory with this name exists") from None
        except FileNotFoundError:
            raise HTTPError(409, "the temporary file was deleted during the upload") from None
        except OSError as error:
            raise http_error_from(error) from None

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
                self._target.close_parent(self._parent)


class CheckedUpload:
    """An upload whose content must have the digests that the client sent: a sink."""

    __slots__ = ("_digests", "_hashes", "_upload")

    def __init__(self, upload: Upload, digests: dict[str, bytes]) -> None:
        self._upload = upload
        self._digests = digests
        self._hashes = {name: ALGORITHMS[name]() for name in digests}

    def write(self, octets: bytes) -> None:
        """Append octets."""
        self._upload.write(octets)
        for each in self._hashes.values():  # only what was taken
            each.update(octets)

    def finish(self) -> Upload:
        """Return the upload; raise HTTPError(400) if its content has another digest."""
        for name, digest in self._digests.items():
            if not compare_digest(self._hashes[name].digest(), digest):
                raise HTTPError(400, f"the content does not have the {name} of Repr-Digest")
        return self._upload.finish()

    def close(self) -> None:
        """Close the upload."""
        self._upload.close()


def read_digests(value: str) -> dict[str, bytes]:
    """Read a Repr-Digest field: digests by algorithm; raise HTTPError(400).

    >>> read_digests("unixsum=3, md5=:aaaa:")
    {}
    """
    digests = {}
    for member in value.split(","):
        name, _, rest = member.strip(" \t").partition("=")
        if name in ALGORITHMS:
            digests[name] = _read_binary(rest, ALGORITHMS[name]().digest_size)
    return digests


def _read_binary(text: str, size: int) -> bytes:
    match = _match_binary(text)
    try:
        octets = base64.b64decode(match[1], validate=True) if match else b""
    except binascii.Error:
        octets = b""
    if len(octets) != size:
        raise HTTPError(400, "malformed Repr-Digest (expected sha-256=:BASE64: or sha-512=:BASE64:)")
    return octets


def create_temporary(parent: int) -> tuple[int, str]:
    """Create a file of a new name in a directory, locked; return its descriptor and its name."""
    while True:
        name = f"{TEMPORARY_PREFIX}{os.getpid()}-{next(_serial)}"
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


def remove_leftovers(root: SharedRoot) -> int:
    """Remove what killed processes left beneath a directory; return how many files that were."""
    removed = 0
    pending: list[list[bytes]] = [[]]
    while pending:
        parts = pending.pop()
        try:
            directory = root.open_parts(parts)
        except OSError as error:
            log.warning("cannot search %s for leftover temporary files: %s", b"/".join(parts).decode(), error.strerror)
            continue
        try:
            names, directories = _scan(directory)
            removed += sum(_remove_unlocked(name, directory) for name in names)
        finally:
            os.close(directory)
        pending += [[*parts, name] for name in directories]
    return removed


def _scan(directory: int) -> tuple[list[str], list[bytes]]:
    """Return the names of the leftovers in a directory, and those of the directories in it."""
    with os.scandir(directory) as found:
        entries = [(each.name, each.is_dir(follow_symlinks=False)) for each in found]
    leftovers = [
        name for name, is_directory in entries if name.startswith(TEMPORARY_PREFIX) and not is_directory
    ]
    return leftovers, [os.fsencode(name) for name, is_directory in entries if is_directory]


def _remove_unlocked(name: str, directory: int) -> bool:
    """Remove a leftover, unless a living process holds it."""
    try:
        descriptor = os.open(name, READ, dir_fd=directory)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=directory)
    except OSError as error:
        if not isinstance(error, BlockingIOError):
            log.warning("cannot remove leftover temporary file %s: %s", name, error.strerror)
        return False
    finally:
        os.close(descriptor)
    return True
