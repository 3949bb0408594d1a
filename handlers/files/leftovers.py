"""The temporary files of killed processes: found and removed after the start, in small steps.

A temporary file is locked until it is closed first (``temporary.py``); the lock of its server protects that
of a resumable upload (``idle_lock.py``). One without any lock is a leftover. The servers of several processes
may share the directory.
"""

import fcntl
import itertools
import logging
import os
from collections.abc import Generator

from .closing import Closer
from .directory import BATCH
from .idle_lock import is_protected
from .paths import READ, TEMPORARY_PREFIX, SharedRoot

log = logging.getLogger("reactor")


def remove_leftovers(root: SharedRoot, closer: Closer) -> Generator[int, None, None]:
    """Remove the temporary files of killed processes from a directory tree, in small steps.

    Each step searches at most ``BATCH`` entries of a directory, and yields how many files it has removed.
    """
    pending: list[list[bytes]] = [[]]
    unsearched: list[tuple[str, str]] = []
    while pending:
        parts = pending.pop()
        try:
            yield from _clean_directory(root.open_parts(parts), parts, pending, closer)
        except (FileNotFoundError, NotADirectoryError):
            pass  # removed in the meantime
        except OSError as error:
            unsearched.append((os.fsdecode(b"/".join(parts)) or ".", str(error.strerror)))
        yield 0
    if unsearched:
        log.warning(
            "cannot search %d of the directories for unfinished uploads, the first is %r: %s",
            len(unsearched),
            *unsearched[0],
        )


def _clean_directory(
    directory: int, parts: list[bytes], pending: list[list[bytes]], closer: Closer
) -> Generator[int, None, None]:
    """Remove the temporary files from one directory, and close it; add its subdirectories to ``pending``."""
    try:
        with os.scandir(directory) as entries:
            while batch := list(itertools.islice(entries, BATCH)):
                names = [each.name for each in batch if each.is_dir(follow_symlinks=False)]
                pending += [[*parts, os.fsencode(name)] for name in names]
                files = {each.name for each in batch}.difference(names)
                yield sum(_remove_unlocked(name, directory, closer) for name in files)
    finally:
        os.close(directory)


def _remove_unlocked(name: str, directory: int, closer: Closer) -> bool:
    """Remove a file if it is temporary and no running process has locked it; return whether it was."""
    if not name.startswith(TEMPORARY_PREFIX):
        return False
    try:
        descriptor = os.open(name, READ, dir_fd=directory)
    except OSError:
        return False
    try:
        # Shared, because NFS refuses an exclusive lock of a descriptor that is open for reading (flock(2)).
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if is_protected(name, directory):
            return False
        os.unlink(name, dir_fd=directory)
    except OSError as error:
        # The upload is in progress, or was completed since the file was opened.
        if not isinstance(error, (BlockingIOError, FileNotFoundError)):
            log.warning("cannot remove the unfinished upload %r: %s", name, error.strerror)
        return False
    finally:
        closer.close(descriptor)
    return True
