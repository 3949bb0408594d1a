"""Messages on standard error, written without blocking: log records, and what Python prints by itself."""

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from reactor.line_writer import LineWriter

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from threading import ExceptHookArgs


class MessageHandler(logging.Handler):
    """Writes messages to standard error; counts those that are dropped because nothing reads it."""

    def __init__(self) -> None:
        super().__init__()
        self._stream: TextIO | None = None
        self._writer: LineWriter | None = None
        self._dropped = 0
        self._reason = ""  # why the last message was dropped
        self._writer_of(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one log record; report a record that cannot be formatted."""
        try:
            text = self.format(record)
        except Exception as error:  # wrong arguments; Handler.handleError would block, or stay silent
            where = f"{record.pathname}:{record.lineno}"
            text = f"reactor: cannot format the log message from {where}: {error!r}"
        self.write(text)

    def write(self, text: str) -> None:
        """Write one message, and before it how many were dropped. Never block, and raise nothing."""
        writer = self._writer_of(sys.stderr)
        if writer is None:
            return
        entries = [f"{text}\n"]
        if self._dropped:
            entries.insert(0, f"reactor: dropped {self._dropped} messages ({self._reason})\n")
        dropped = writer.write(entries)
        self._dropped = self._dropped + 1 if dropped == len(entries) else dropped
        if dropped:
            self._reason = writer.reason

    def close(self) -> None:
        """Close the handler's own descriptor; a later message opens it again."""
        super().close()
        self._writer_of(None)

    def _writer_of(self, stream: TextIO | None) -> LineWriter | None:
        """Return the writer to a stream: sys.stderr, which the application may have replaced."""
        if stream is not self._stream:
            if self._writer is not None:
                self._writer.close()
            self._stream = stream
            self._writer = LineWriter(stream) if stream is not None else None
        return self._writer


@contextmanager
def nonblocking_stderr() -> Iterator[MessageHandler]:
    """Write what Python itself prints on standard error through a MessageHandler, which is returned.

    That is logging.lastResort (warnings, where the application has not configured logging), unraisable
    exceptions and exceptions in threads. Hooks that the application has replaced are kept.
    """
    handler = MessageHandler()
    handler.setLevel(logging.WARNING)

    def print_unraisable(error: "UnraisableHookArgs") -> None:
        lines = traceback.format_exception(error.exc_type, error.exc_value, error.exc_traceback)
        handler.write(f"Exception ignored in: {error.object!r}\n{''.join(lines)}".rstrip())

    def print_exception(error: "ExceptHookArgs") -> None:
        if error.exc_type is not SystemExit:
            lines = traceback.format_exception(error.exc_type, error.exc_value, error.exc_traceback)
            handler.write(f"Exception in {error.thread!r}:\n{''.join(lines)}".rstrip())

    last_resort = logging.lastResort
    if logging.lastResort is not None:
        logging.lastResort = handler
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = print_unraisable
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = print_exception
    try:
        yield handler
    finally:
        # What the application has replaced since then is kept, too.
        if logging.lastResort is handler:
            logging.lastResort = last_resort
        if sys.unraisablehook is print_unraisable:
            sys.unraisablehook = sys.__unraisablehook__
        if threading.excepthook is print_exception:
            threading.excepthook = threading.__excepthook__
        handler.close()
