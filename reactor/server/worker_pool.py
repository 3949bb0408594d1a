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
from threading import Semaphore

from reactor.http11.message import do_nothing

log = logging.getLogger("reactor")

THREADS = 2
# Functions passed to ``run`` that may wait for a thread. Most close a file, which keeps a descriptor and its
# blocks until then.
MAX_WAITING = 16


class WorkerPool:
    """Runs functions in threads, in order; an exception is logged."""

    def __init__(self, threads: int = THREADS) -> None:
        self._executor = ThreadPoolExecutor(threads, "reactor-worker")
        self._room = Semaphore(MAX_WAITING)
        # The functions that are waiting, each with one that is called when it no longer waits.
        self._waiting: deque[tuple[Callable[[], object], Callable[[], None]]] = deque()

    def run(self, function: Callable[[], object]) -> None:
        """Call a function in a thread; at once if too many of these are waiting, or if the pool is closed."""
        if self._room.acquire(blocking=False):
            self._submit(function, self._room.release)
        else:
            function()

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function in a thread; at once if the pool is closed.

        The number of these is not bounded here: each belongs to the response of a connection.
        """
        self._submit(function, do_nothing)

    def close(self) -> None:
        """Wait for all functions, and end the threads."""
        self._executor.shutdown()

    def _submit(self, function: Callable[[], object], on_start: Callable[[], None]) -> None:
        self._waiting.append((function, on_start))
        try:
            self._executor.submit(self._run_next)
        except RuntimeError:  # closed, or the system has no more threads
            self._run_next()

    def _run_next(self) -> None:
        try:
            function, on_start = self._waiting.popleft()
        except IndexError:  # called by ``_submit``, after an earlier submission failed
            return
        on_start()
        try:
            function()
        except Exception:
            log.exception("unhandled exception in a worker thread: %r", function)
