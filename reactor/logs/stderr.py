"""Non-blocking messages on standard error: log records, and messages of Python itself."""

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from reactor.logs.nonblocking import LineWriter

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from threading import ExceptHookArgs


def escape_unprintable(text: str) -> str:
    r"""Escape what is not printable: a terminal would obey an escape sequence, as in the name of a file.

    >>> print(escape_unprintable(chr(27) + "[31m"))
    \x1b[31m
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


class MessageFormatter(logging.Formatter):
    """Formats messages as ``reactor: MESSAGE``; the severity precedes warnings and errors.

    ``source`` precedes the message, such as the number of a worker process.
    """

    def __init__(self, source: str = "") -> None:
        super().__init__()
        self._source = source

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # its name in logging
        """Return the line before a traceback."""
        severity = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return f"reactor: {severity}{self._source}{record.message}"


class StderrHandler(logging.Handler):
    """Writes messages to standard error; counts those dropped because it is not being read.

    ``raw`` messages are written as they are: their texts are escaped already, and they may have colours.
    """

    def __init__(self, raw: bool = False) -> None:
        super().__init__()
        self._raw = raw
        self._stream: TextIO | None = None
        self._writer: LineWriter | None = None
        self._dropped = 0
        self._reason = ""  # why the last message was dropped
        self._writer_of(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a log record; report a record that cannot be formatted."""
        try:
            text = self.format(record)
        except Exception as error:  # wrong arguments; Handler.handleError could block
            where = f"{record.pathname}:{record.lineno}"
            text = f"reactor: cannot format the log message from {where}: {error!r}"
        self.write(text)

    def write(self, text: str) -> None:
        """Write a message of one or more lines, and how many were dropped, if any. Never block or raise."""
        writer = self._writer_of(sys.stderr)
        if writer is None:
            return
        lines = text.split("\n")
        entries = ["".join(f"{line if self._raw else escape_unprintable(line)}\n" for line in lines)]
        if self._dropped:
            entries.insert(0, f"reactor: dropped {self._dropped} messages ({self._reason})\n")
        dropped = writer.write(entries)
        self._dropped = self._dropped + 1 if dropped == len(entries) else dropped
        if dropped:
            self._reason = writer.reason

    def close(self) -> None:
        """Close the handler's own file descriptor; a later message opens it again."""
        super().close()
        self._writer_of(None)

    def _writer_of(self, stream: TextIO | None) -> LineWriter | None:
        """Return the writer for sys.stderr, which the application may have replaced."""
        if stream is not self._stream:
            if self._writer is not None:
                self._writer.close()
            self._stream = stream
            self._writer = LineWriter(stream) if stream is not None else None
        return self._writer


class _StderrHooks:
    """Replaces the hooks by which Python writes to standard error while any server of the process runs.

    These are logging.lastResort (warnings, if the application has not configured logging), the hook for
    unraisable exceptions, and that for exceptions in threads. Hooks set by the application are kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._last_resort = logging.lastResort
        self._handler: StderrHandler | None = None  # created on first use: it opens a file descriptor
        self._unraisable, self._thread = self._print_unraisable, self._print_thread_exception

    def install(self) -> None:
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            self._handler = StderrHandler()
            self._handler.setLevel(logging.WARNING)
            self._last_resort = logging.lastResort
            if logging.lastResort is not None:
                logging.lastResort = self._handler
            if sys.unraisablehook is sys.__unraisablehook__:
                sys.unraisablehook = self._unraisable
            if threading.excepthook is threading.__excepthook__:
                threading.excepthook = self._thread

    def restore(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            if logging.lastResort is self._handler:
                logging.lastResort = self._last_resort
            if sys.unraisablehook is self._unraisable:
                sys.unraisablehook = sys.__unraisablehook__
            if threading.excepthook is self._thread:
                threading.excepthook = threading.__excepthook__
            if self._handler is not None:
                self._handler.close()

    def _write(self, text: str) -> None:
        if self._handler is not None:
            self._handler.write(text.rstrip())

    def _print_unraisable(self, error: "UnraisableHookArgs") -> None:
        lines = traceback.format_exception(error.exc_type, error.exc_value, error.exc_traceback)
        self._write(f"Exception ignored in: {error.object!r}\n{''.join(lines)}")

    def _print_thread_exception(self, error: "ExceptHookArgs") -> None:
        if error.exc_type is not SystemExit:
            lines = traceback.format_exception(error.exc_type, error.exc_value, error.exc_traceback)
            self._write(f"Exception in {error.thread!r}:\n{''.join(lines)}")


# One per process, like the hooks: servers in several threads start and stop in any order.
_hooks = _StderrHooks()


@contextmanager
def nonblocking_stderr() -> Iterator[None]:
    """Write Python's own messages on standard error without blocking."""
    _hooks.install()
    try:
        yield
    finally:
        _hooks.restore()
