"""The worker pool of a server: a few threads for functions that would block the event loop.

    submit(function)  call a function in a thread
    run(function)     the same, or at once if too many are waiting
    close()           wait for these functions

Threads are started when they are needed first. Functions must not use objects of the loop; they reach it by
``Server.call_soon``.
"""

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger("reactor")

THREADS = 2
# Functions that may wait for a thread. Most close a file, which keeps a descriptor and its blocks until then.
MAX_WAITING = 16


class WorkerPool:
    """Runs functions in threads, in order; an exception is logged."""

    def __init__(self, threads: int = THREADS) -> None:
        self._executor = ThreadPoolExecutor(threads, "reactor-worker")
        self._waiting: deque[Callable[[], object]] = deque()

    def run(self, function: Callable[[], object]) -> None:
        """Call a function in a thread; at once if too many are waiting, or if the pool is closed."""
        if len(self._waiting) >= MAX_WAITING:
            function()
        else:
            self.submit(function)

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function in a thread; at once if the pool is closed.

        The number of functions is not bounded here: each has a connection, which waits for it.
        """
        self._waiting.append(function)
        try:
            self._executor.submit(self._run_next)
        except RuntimeError:  # closed, or the system has no more threads
            self._run_next()

    def close(self) -> None:
        """Wait for all functions, and end the threads."""
        self._executor.shutdown()

    def _run_next(self) -> None:
        try:
            function = self._waiting.popleft()
        except IndexError:  # called by ``submit``, after an earlier submission failed
            return
        try:
            function()
        except Exception:
            log.exception("unhandled exception in a worker thread: %r", function)
