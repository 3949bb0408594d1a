"""A limit on files and directories that are open in addition to one for each connection."""

import resource
import threading

from reactor.http11.errors import HTTPError

SHARE = 8  # one of so many descriptors; connections and their files need the rest


class OpenFileLimit:
    """Counts these files of one server; they may be closed in another thread.

    A form may have many files. Reading a directory needs two descriptors. An idle resumable upload stays open
    if nothing else protects its file (``idle_lock.py``).
    """

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Count one more; raise HTTPError(503) at the limit."""
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        limit = soft // SHARE
        with self._lock:
            if soft != resource.RLIM_INFINITY and self._count >= limit:
                reason = f"too many files in forms and listings (limit: {limit}); try again later"
                raise HTTPError(503, reason)
            self._count += 1

    def release(self) -> None:
        """Count one less."""
        with self._lock:
            self._count -= 1
