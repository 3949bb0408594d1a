"""The connection limit that the open-file limit (``ulimit -n``) allows.

    Descriptors                                                              At most
    a connection: its socket, and the file that it sends or receives         2 for each
    a closed connection whose result has steps that have not ended: a file   counted as a connection
    forms of several files, and directories that are being listed            1/8 of the limit
    large files that wait to be closed, or are being closed                  those of the worker pool
    listening sockets after the first one                                    1 for each
    standard streams, selector, listener, wake-ups, logs, shared directory,
    the lock of resumable uploads, and what one operation opens for a moment 30

The inspector needs more, up to its own connection limit, and only raises the lowest open-file limit: watching
a server must not change how many clients it serves.

A resumable upload that no request writes to holds none. The limit of forms and listings is enforced by their
handlers (``handlers/files/open_files.py``).
"""

import resource

from reactor.server.listen import StartError
from reactor.server.worker_pool import MAX_WAITING, THREADS

PER_CONNECTION = 2
OTHERS = 30 + MAX_WAITING + THREADS
FORMS_SHARE = 8  # forms and listings may use one of so many
MIN_CONNECTIONS = 4


def connection_limit(wanted: int, reserved: int = 0, threads: int = THREADS, listeners: int = 1) -> int:
    """Return the connection limit: ``wanted``, or, if that is 0, what the open-file limit allows.

    ``reserved`` descriptors are needed for the inspector, and one for each of the ``threads`` and the
    ``listeners``. Raise the soft open-file limit to the hard limit. Raise StartError if it is too low.
    """
    files = _raise_limit()
    more = max(0, threads - THREADS) + max(0, listeners - 1)
    minimum = files_needed(MIN_CONNECTIONS, reserved + more)
    if files < minimum:
        raise StartError(f"open-file limit too low: {files} (minimum: {minimum}; see ulimit -n)")
    available = (files - files // FORMS_SHARE - OTHERS - more) // PER_CONNECTION
    if wanted > available:
        needed = files_needed(wanted, more)
        raise StartError(
            f"connection limit too high: {wanted} (the open-file limit of {files} allows at most "
            f"{available}, with {PER_CONNECTION} files for each connection; {wanted} need ulimit -n {needed})"
        )
    return wanted or available


def files_needed(connections: int, reserved: int = 0) -> int:
    """Return the lowest open-file limit that allows so many connections."""
    others = OTHERS + reserved + PER_CONNECTION * connections
    return (others - 1) * FORMS_SHARE // (FORMS_SHARE - 1) + 1


def _raise_limit() -> int:
    """Raise the soft open-file limit to the hard limit; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # some systems refuse their own hard limit: keep the soft one
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
