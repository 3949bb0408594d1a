"""Processes: fork one that runs a function and ends, kill it, and wait for its end."""

import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import NoReturn

log = logging.getLogger("reactor")

FAILED = 1  # exit code after an unhandled exception


class Processes:
    """The system calls of the supervisor, which tests replace."""

    def fork(self, function: Callable[[], int], blocked: Iterable[signal.Signals]) -> int:
        """Call a function in a new process, whose exit code is its result; return its id; raise OSError.

        The child starts with these signals blocked, so that none is lost before it handles them: the
        function unblocks them. Call this before the process has any thread.
        """
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()  # otherwise the child would write the same bytes again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        try:
            pid = os.fork()
            if not pid:
                _run(function)
        finally:  # of the parent: the child does not get here
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def kill(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a child that has not been waited for."""
        os.kill(pid, number)

    def wait(self) -> tuple[int, int] | None:
        """Return the id and the status of a child that has ended, without waiting; None if all are running.

        Process 1 of a container also inherits children of others.
        """
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        return (pid, status) if pid else None


def _run(function: Callable[[], int]) -> NoReturn:
    """Call the function in the child, and end the process as the interpreter does."""
    code = FAILED
    try:
        atexit._clear()  # the parent's functions; those that the function registers are called
        atexit.register(logging.shutdown)
        code = _exit_code(function)
        threading._shutdown()  # type: ignore[attr-defined]  # wait for threads that are not daemons
        atexit._run_exitfuncs()
    except BaseException:
        log.critical("unhandled exception in a worker process", exc_info=True)
    finally:
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        finally:
            os._exit(code)


def _exit_code(function: Callable[[], int]) -> int:
    """Return the result of a function, or the exit code of a SystemExit that it raises, as a handler may."""
    try:
        return function()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        log.error("%s", error.code)
        return FAILED
