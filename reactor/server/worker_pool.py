"""The worker pool of a server: a few threads for functions that would block the event loop.

    submit(function)  call a function in a thread
    run(function)     the same, or at once if too many are waiting
    close()           wait for these functions, but not for one that does not end

Threads are started when they are needed first. They are daemon threads, so that a function that never ends
does not keep the process from ending. Functions must not use objects of the loop; they reach it by
``Server.call_soon``.
"""

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from reactor.http11.errors import HTTPError
from reactor.http11.message import do_nothing
from reactor.http11.results import name_of_function

log = logging.getLogger("reactor")

THREADS = 2
# Functions passed to ``run`` that may wait for a thread. Most close a file, which keeps a descriptor and its
# blocks until then.
MAX_WAITING = 16
# Functions that may wait for a thread before further requests that need one get 503.
MAX_QUEUED = 1024
# Sent with 503: when the client may try again, in seconds.
RETRY_AFTER = (("Retry-After", "10"),)
# Seconds to wait for functions when the pool is closed.
CLOSE_TIMEOUT = 1.0

Function = Callable[[], object]
# A function, and what to call when it begins.
Task = tuple[Function, Callable[[], None]]


def queue_full() -> HTTPError:
    """Return the error for a request that needs a thread while the queue is full."""
    return HTTPError(503, "too many requests are waiting for a worker thread", RETRY_AFTER)


class WorkerPool:
    """Runs functions in threads, in order; an exception is logged. Raise ValueError without a thread."""

    def __init__(self, threads: int = THREADS) -> None:
        if threads < 1:
            raise ValueError(f"invalid threads: {threads} (must be at least 1)")
        self._size = threads
        self._threads: list[threading.Thread] = []
        self._running: dict[int, Function] = {}  # by the thread's identifier
        self._queue: SimpleQueue[Task | None] = SimpleQueue()  # None ends a thread
        self._room = threading.Semaphore(MAX_WAITING)
        self._lock = threading.RLock()
        self._closed = False

    def run(self, function: Function) -> None:
        """Call a function in a thread; at once if too many of these are waiting, or if the pool is closed."""
        if self._room.acquire(blocking=False):
            self._submit(function, self._room.release)
        else:
            function()

    def submit(self, function: Function) -> None:
        """Call a function in a thread; at once if the pool is closed.

        The number of these is not bounded here: ``is_full`` is asked before the first one of a response.
        """
        self._submit(function, do_nothing)

    def is_full(self) -> bool:
        """Return whether requests that need a thread must be refused.

        True if too many functions are waiting for a thread, or if no thread can be started: otherwise
        ``submit`` would call the function in the loop.
        """
        with self._lock:
            return self._closed or self._queue.qsize() >= MAX_QUEUED or not self._has_thread()

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Wait up to ``timeout`` seconds for all functions; then log those still running, drop those waiting.

        A waiting function that was passed to ``run`` is called in this thread.
        """
        with self._lock:
            self._closed = True
        self._end_threads()
        ends = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            running = ", ".join(sorted(name_of_function(each) for each in self._running.copy().values()))
            log.warning("worker threads still running after %g s: %s", timeout, running)
            self._drop_waiting()
            self._end_threads()
        self._threads = [thread for thread in self._threads if thread.is_alive()]

    def _end_threads(self) -> None:
        for _ in self._threads:
            self._queue.put(None)

    def _drop_waiting(self) -> None:
        while True:
            try:
                task = self._queue.get_nowait()
            except Empty:
                return
            if task is not None and task[1] is not do_nothing:
                self._call(task)

    def _submit(self, function: Function, on_start: Callable[[], None]) -> None:
        task = function, on_start
        with self._lock:
            if not self._closed and self._has_thread():
                self._queue.put(task)
                return
        self._call(task)

    def _has_thread(self) -> bool:
        """Start a thread, up to their number; return whether there is one."""
        if len(self._threads) < self._size:
            name = f"reactor-worker-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system has no more threads
                log.warning(
                    "cannot start worker thread %d of %d: %s", len(self._threads) + 1, self._size, error
                )
                return bool(self._threads)
            self._threads.append(thread)
        return True

    def _work(self) -> None:
        """Call functions, in a worker thread, until the pool is closed."""
        while (task := self._queue.get()) is not None:
            self._call(task)
            del task  # what it refers to is not kept until the next one

    def _call(self, task: Task) -> None:
        function, on_start = task
        on_start()
        self._running[threading.get_ident()] = function
        try:
            function()
        except BaseException:  # such as SystemExit, which would end the thread, and not the process
            log.exception("unhandled exception in a worker thread: %r", function)
        finally:
            self._running.pop(threading.get_ident(), None)  # called at once, it may have called another one
